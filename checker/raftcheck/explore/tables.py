"""Every Python function of a model, called once for each distinct argument, and what it returned as numbers.

Compiled code explores on these numbers alone. Whatever it needs to know and the tables do not have yet it asks
for (`Tables.answer`); then the model's own functions are called, and the properties are judged.

A *node* is a process in one of its states. With symmetry, whatever gets a number gets numbers for all its
renamings, and every step is executed under renamings too: if these differ, the model is not symmetric, and that is
an error.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from raftcheck.explore.columns import Array, Column, IntegerMap
from raftcheck.explore.interning import Interner
from raftcheck.explore.kernels import local as kernels
from raftcheck.explore.kernels.questions import JUDGE, OBSERVE, OPEN, REACT
from raftcheck.explore.monitor import Monitor
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.symmetry import Permutation, Symmetry
from raftcheck.model import Deliver, Envelope, ModelError, Network, NoticingScenario, Step, Value
from raftcheck.model.properties import RAISED

FORBIDDEN = 2**31 - 2
"""In place of the ghost after a step that the scenario does not allow."""

MOST_CELLS = 2**31
"""Of the table of reactions: 8 GiB."""


class Executed(NamedTuple):
    """One step of a process, as it was executed."""

    pid: int
    before: Value
    input: Value
    step: Step


class BrokenStepError(Exception):
    """Raised when a step breaks a property, or raises. `node` is the process, `input` what it was given."""

    def __init__(self, name: str, node: int, input: Value) -> None:
        super().__init__(name)
        self.name, self.node, self.input = name, node, input


class Tables:
    """All that is known of a system's processes. `depth` is that of the search, for the monitor's notes."""

    def __init__(self, semantics: Semantics, symmetry: Symmetry, monitor: Monitor) -> None:
        self.semantics, self.symmetry, self.monitor = semantics, symmetry, monitor
        self.depth = 0
        self.nodes: Interner[tuple[int, Value]] = Interner()
        self.ghosts: Interner[Value] = Interner()
        self.messages: Interner[Envelope] = Interner()
        self.steps: list[Executed] = []
        self._notices: Interner[Value] = Interner()
        self._examples: list[int] = []
        self._renamings = len(symmetry.permutations)
        self._step_numbers: dict[tuple[int, Value], int] = {}
        self._scenario = semantics.system.scenario
        self._renamed_notices: dict[tuple[int, Permutation], Value | None] = {}
        self._make_columns()

    def _make_columns(self) -> None:
        self._input_starts, self._input_counts = Column(fill=kernels.UNKNOWN), Column()
        self._input_steps = Column()
        self._reactions: Array = np.full((16, 16), kernels.UNKNOWN, np.int32)
        self._places, self._receivers, self.senders = Column(), Column(), Column()
        self._steps, self._sends = Column(width=6), Column()
        self._ghost_after = IntegerMap()
        self._renamed_nodes, self._renamed_ghosts = Column(self._renamings), Column(self._renamings)
        self.renamed_messages = Column(self._renamings)
        self._messages_to = [0] * len(self.semantics.system.processes)

    @property
    def local_transitions(self) -> int:
        """How many distinct (process state, input) pairs were executed."""
        return len(self._step_numbers)

    def local(self) -> kernels.Local:
        """Return the tables as compiled code reads them; valid until the next question is answered."""
        return kernels.Local(
            self._input_starts.array,
            self._input_counts.array,
            self._input_steps.array,
            self._reactions,
            self._places.array,
            self._receivers.array,
            self._steps.array,
            self._sends.array,
            self._ghost_after.keys,
            self._ghost_after.values,
            FORBIDDEN,
            self._renamed_nodes.array,
            self._renamed_ghosts.array,
            np.array(self.symmetry.permutations, np.int32),
        )

    # Numbers

    def node(self, pid: int, state: Value) -> int:
        """Return the number of a process in a state."""
        if (pid, state) not in self.nodes:
            self._number_orbit(self.nodes, self._renamed_nodes, (pid, state), self._rename_node)
            self._input_starts.reserve(len(self.nodes))
            self._input_counts.reserve(len(self.nodes))
            self._reserve_reactions()
        return self.nodes.number((pid, state))

    def ghost(self, ghost: Value) -> int:
        """Return the number of a ghost."""
        if ghost not in self.ghosts:
            self._number_orbit(self.ghosts, self._renamed_ghosts, ghost, self.symmetry.value)
        return self.ghosts.number(ghost)

    def message(self, envelope: Envelope) -> int:
        """Return the number of a message under way."""
        if envelope not in self.messages:
            first = len(self.messages)
            self._number_orbit(self.messages, self.renamed_messages, envelope, self.symmetry.envelope)
            for to, sender, _ in self.messages.values[first:]:
                self._places.append(self._messages_to[to])
                self._messages_to[to] += 1
                self._receivers.append(to)
                self.senders.append(sender)
            self._reserve_reactions()
        return self.messages.number(envelope)

    def input_count(self, node: int) -> int:
        """Return how many inputs a node is known to have."""
        return int(self._input_counts.array[node])

    def renamed_node(self, node: int, renaming: int) -> int:
        """Return the number of a node, renamed."""
        return int(self._renamed_nodes.array[node, renaming])

    def renamed_combinations(self, combinations: Array, renaming: int) -> Array:
        """Return rows of nodes and ghost, renamed."""
        renamed = np.empty_like(combinations)
        for pid, to in enumerate(self.symmetry.permutations[renaming]):
            renamed[:, to] = self._renamed_nodes.array[combinations[:, pid], renaming]
        renamed[:, -1] = self._renamed_ghosts.array[combinations[:, -1], renaming]
        return renamed

    def _rename_node(self, node, permutation):  # type: ignore[no-untyped-def]
        pid, state = node
        return permutation[pid], self.symmetry.value(state, permutation)

    def _number_orbit(self, interner, column, value, rename) -> None:  # type: ignore[no-untyped-def]
        """Number a value and all its renamings, and note how they are renamed into each other."""
        first = len(interner)
        permutations = self.symmetry.permutations
        for permutation in permutations:
            interner.number(rename(value, permutation) if permutation != permutations[0] else value)
        for renamed in interner.values[first:]:
            row = [interner.known(rename(renamed, p) if p != permutations[0] else renamed) for p in permutations]
            if None in row:
                raise ModelError(f"relabel does not permute: renaming {renamed!r} twice leads to something else")
            column.append(row)

    def _reserve_reactions(self) -> None:
        nodes, places = self._reactions.shape
        wanted = max(len(self.nodes), nodes), max(*self._messages_to, places)
        if wanted != (nodes, places):
            shape = tuple(old if new <= old else 2 * new for old, new in zip((nodes, places), wanted, strict=True))
            if shape[0] * shape[1] > MOST_CELLS:
                raise MemoryError
            grown = np.full(shape, kernels.UNKNOWN, np.int32)
            grown[:nodes, :places] = self._reactions
            self._reactions = grown

    # Answers

    def answer(self, misses: Iterable[tuple[int, int]]) -> None:
        """Answer the questions of compiled code. Raises BrokenStepError if a step breaks a property."""
        answers = {
            OPEN: self._open,
            REACT: self._react,
            OBSERVE: self._observe,
            JUDGE: self._judge,
        }
        for kind, key in misses:
            answers[kind](key)

    def _open(self, node: int) -> None:
        """Execute all inputs of a node."""
        pid, state = self.nodes.values[node]
        inputs = self.semantics.inputs(pid, state)
        self.symmetry.verify_inputs(self.semantics.system, pid, state, inputs)
        steps = [step for step in (self._step(node, input) for input in inputs) if step != kernels.DISABLED]
        self._input_starts.array[node] = self._input_steps.count
        self._input_counts.array[node] = len(steps)
        for step in steps:
            self._input_steps.append(step)

    def _react(self, key: int) -> None:
        """Deliver a message to a node."""
        node, message = key >> 32, key & 0xFFFFFFFF
        _, sender, content = self.messages.values[message]
        step = self._step(node, Deliver(sender, content))
        if step != kernels.DISABLED and self._does_nothing(node, step):
            self._judge(step)
            step = kernels.DISABLED
        self._reactions[node, self._places.array[message]] = step

    def _does_nothing(self, node: int, step: int) -> bool:
        """Tell whether a delivery makes no difference: not even the message goes away."""
        after, notice, _, _, sends, _ = self._steps.array[step]
        stays = self.semantics.system.network is Network.LOSSY_DUPLICATING
        return bool(stays and after == node and notice < 0 and sends == 0)

    def _observe(self, key: int) -> None:
        """Show a step to the scenario; with symmetry, its renamings too."""
        ghost, example = self.ghosts.values[key >> 32], self.steps[self._examples[key & 0xFFFFFFFF]]
        after = self._ghost_of(ghost, example)
        for permutation in self.symmetry.step_probes:
            renamed = self._renamed(example, permutation)
            expected = None if after is None else self.symmetry.value(after, permutation)
            if self._ghost_of(self.symmetry.value(ghost, permutation), renamed) != expected:
                self.symmetry.refuse(f"the scenario tells process {example.pid} from others after {example.input!r}")
        self._ghost_after.add(key, FORBIDDEN if after is None else self.ghost(after))

    def _ghost_of(self, ghost: Value, executed: Executed) -> Value | None:
        assert self._scenario is not None
        return self._scenario.observe(ghost, *executed)

    def _renamed(self, executed: Executed, permutation: Permutation) -> Executed:
        pid = permutation[executed.pid]
        before, input = (self.symmetry.value(value, permutation) for value in (executed.before, executed.input))
        step = self.semantics.step(pid, before, input)
        assert isinstance(step, Step)
        return Executed(pid, before, input, step)

    def _judge(self, number: int) -> None:
        """Judge a step that the scenario allows, and its renamings: a predicate may tell the processes apart."""
        executed = self.steps[number]
        renamed = [self._renamed(executed, permutation) for permutation in self.symmetry.step_probes]
        for pid, before, input, step in (executed, *renamed):
            broken = self.monitor.broken_by_step(pid, before, input, step, self.depth)
            if broken is not None:
                raise BrokenStepError(broken, self.node(executed.pid, executed.before), executed.input)
        self._steps.array[number, kernels.JUDGED] = True

    def _step(self, node: int, input: Value) -> int:
        """Execute a step, and check that renamed processes do the same; return its number, or DISABLED."""
        key = (node, input)
        if key not in self._step_numbers:
            pid, before = self.nodes.values[node]
            step = self.semantics.step(pid, before, input)
            if isinstance(step, Exception):
                raise BrokenStepError(RAISED, node, input)
            self.symmetry.verify_step(self.semantics, pid, before, input, step)
            number = kernels.DISABLED if step is None else self._add_step(Executed(pid, before, input, step))
            self._step_numbers[key] = number
        return self._step_numbers[key]

    def _add_step(self, executed: Executed) -> int:
        pid, _, _, step = executed
        number = len(self.steps)
        self.steps.append(executed)
        sends = [self.message(envelope) for envelope in self.semantics.envelopes(pid, step.sends)]
        notice = -1 if self._scenario is None else self._notice_of(number)
        self._steps.append((self.node(pid, step.state), notice, False, self._sends.count, len(sends), pid))
        for message in sends:
            self._sends.append(message)
        return number

    def _notice_of(self, number: int) -> int:
        """Return the number of what the scenario notices of a step, -1 if nothing.

        A scenario that does not say what it notices is taken to notice each step for itself.
        """
        executed = self.steps[number]
        value = self._noticed(executed) if isinstance(self._scenario, NoticingScenario) else number
        notice = -1 if value is None else self._notices.number(value)
        if notice == len(self._examples):
            self._examples.append(number)
        if isinstance(self._scenario, NoticingScenario):
            self._verify_notice(executed, notice)
        return notice

    def _noticed(self, executed: Executed) -> Value | None:
        assert isinstance(self._scenario, NoticingScenario)
        return self._scenario.notice(*executed)

    def _verify_notice(self, executed: Executed, notice: int) -> None:
        """Check that steps noticed alike are so when renamed, too: only one of them is shown to the scenario."""
        for permutation in self.symmetry.step_probes:
            renamed = self._noticed(self._renamed(executed, permutation))
            expected = None if notice < 0 else self._renamed_notices.setdefault((notice, permutation), renamed)
            if renamed != expected:
                self.symmetry.refuse(f"the scenario tells process {executed.pid} from others after {executed.input!r}")
