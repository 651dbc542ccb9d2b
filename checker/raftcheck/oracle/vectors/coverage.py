"""Which branches of the core a call takes: every condition within an expression counts, not only every line.

Python tells a tracer of each instruction. A branch is a conditional jump, and whether it jumps; jumps that stem from
the same place in the source (the compiler may copy code) count as one.
"""

import dis
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import pairwise
from types import CodeType, FrameType, ModuleType
from typing import Any, NamedTuple, TypeVar

from raftimpl import election, log, raft, reading, replication, rules, sending, snapshotting, validation

T = TypeVar("T")

CORE: tuple[ModuleType, ...] = (raft, election, replication, reading, snapshotting, sending, log, rules, validation)
"""The modules whose branches are counted."""


class Branch(NamedTuple):
    """A way that the core may take. `place` is a range of the source; an empty `way` is just that a function is called.

    `way` is "jumps" or "goes on" for a condition: which of the two means true depends on the compiler.
    """

    module: str
    function: str
    place: tuple[int, int, int, int]
    way: str = ""


class Jump(NamedTuple):
    """A conditional jump: where it is in the source, and the offset of the instruction that follows if it does not."""

    place: tuple[int, int, int, int]
    next_offset: int


@cache
def files() -> dict[str, str]:
    """Return the core's modules by file."""
    return {module.__file__ or "": module.__name__.rpartition(".")[2] for module in CORE}


@cache
def jumps(code: CodeType) -> dict[int, Jump]:
    """Return the conditional jumps of a piece of code by offset."""
    found = {}
    instructions = list(dis.get_instructions(code))
    for instruction, following in pairwise(instructions):
        if is_conditional(instruction) and instruction.positions is not None:
            at = instruction.positions
            place = (at.lineno or 0, at.col_offset or 0, at.end_lineno or 0, at.end_col_offset or 0)
            found[instruction.offset] = Jump(place, following.offset)
    return found


def is_conditional(instruction: dis.Instruction) -> bool:
    """Tell whether an instruction may or may not jump."""
    jumps = instruction.opcode in dis.hasjrel or instruction.opcode in dis.hasjabs
    return jumps and ("_IF_" in instruction.opname or instruction.opname == "FOR_ITER")


class Tracer:
    """Notes the branches that are taken while it is active."""

    def __init__(self) -> None:
        self.taken: set[Branch] = set()

    def __call__(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        """Begin to trace a function, if it is one of the core."""
        module = files().get(frame.f_code.co_filename)
        if module is None:
            return None
        code = frame.f_code
        self.taken.add(entered(module, code))
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        conditions, pending = jumps(code), [-1]

        def local(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
            if event == "opcode":
                jump = conditions.get(pending[0])
                if jump is not None:
                    way = "goes on" if frame.f_lasti == jump.next_offset else "jumps"
                    self.taken.add(Branch(module, code.co_qualname, jump.place, way))
                pending[0] = frame.f_lasti
            return local

        return local


def entered(module: str, code: CodeType) -> Branch:
    """Return the branch that a function is called at all."""
    return Branch(module, code.co_qualname, (code.co_firstlineno, 0, code.co_firstlineno, 0))


def branches_of(call: Callable[[], T]) -> tuple[T, frozenset[Branch]]:
    """Call something; return what it returns, and the branches of the core that it takes."""
    tracer, before = Tracer(), sys.gettrace()
    sys.settrace(tracer)
    try:
        result = call()
    finally:
        sys.settrace(before)
    return result, frozenset(tracer.taken)


def all_branches() -> Iterator[Branch]:
    """Yield every branch that there is in the functions of the core."""
    for module in CORE:
        name = files()[module.__file__ or ""]
        for code in codes_in(compiled(module)):
            if code.co_name not in ("<module>",) and not is_class_body(code):
                yield entered(name, code)
                for jump in jumps(code).values():
                    yield Branch(name, code.co_qualname, jump.place, "jumps")
                    yield Branch(name, code.co_qualname, jump.place, "goes on")


def compiled(module: ModuleType) -> CodeType:
    """Return a module's code."""
    with open(module.__file__ or "", encoding="utf-8") as source:
        return compile(source.read(), module.__file__ or "", "exec")


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """Yield a piece of code and all that is defined in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)


def is_class_body(code: CodeType) -> bool:
    """Tell whether code is the body of a class: it is executed once, when the module is loaded."""
    return "__module__" in code.co_names and "__qualname__" in code.co_names
