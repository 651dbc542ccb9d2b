"""Vectors as JSON lines, for programs in any language: docs/vectors.md."""

import linecache
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from raftcheck.oracle.line_schema import line_schema
from raftcheck.oracle.vectors.choosing import Covering, rules_in
from raftcheck.oracle.vectors.coverage import CORE, Branch, all_branches
from raftcheck.oracle.vectors.transitions import Input
from raftcheck.raft.bounds import Bounds
from raftimpl.state import ServerState
from raftimpl.step import Output
from raftimpl.trace import text_of

FORMAT = "raftproof/vectors/2"


class NotReached(msgspec.Struct, frozen=True):
    """A condition in the core that always comes out the same within the bounds (or a function that is not called)."""

    function: str
    line: int
    source: str


class Header(msgspec.Struct, frozen=True):
    """The first line. Servers are numbered from 0 to `servers` - 1; `max_append_entries` bounds an AppendEntries.

    `transitions` were executed within the `bounds`; these take `branches_reached` of the `branches` of the core, by so
    many `paths` through its functions, in so many `situations` (input and role), and show the known bugs `bugs`. The
    `vectors` that follow do the same.
    """

    format: str
    source: str
    servers: int
    max_append_entries: int
    bounds: dict[str, Any]
    transitions: int
    vectors: int
    branches: int
    branches_reached: int
    paths: int
    situations: int
    bugs: tuple[str, ...]
    not_reached: tuple[NotReached, ...]


class Vector(msgspec.Struct, frozen=True):
    """A step of a server: in the state `before` it is given `input`, comes to `after` and does `outputs` in order.

    `rules` are the decisions that are taken on the way, by the names of `raftimpl.rules`.
    """

    name: str
    before: ServerState
    input: Input
    after: ServerState
    outputs: tuple[Output, ...]
    rules: tuple[str, ...]


def lines(covering: Covering, bounds: Bounds, transitions: int, source: str) -> Iterator[dict[str, Any]]:
    """Yield the header and the vectors as plain JSON values."""
    every = set(all_branches())
    header = Header(
        FORMAT,
        source,
        bounds.servers,
        bounds.batch,
        bounds.to_dict(),
        transitions,
        len(covering.chosen),
        len(every),
        len(covering.branches),
        covering.paths,
        covering.situations,
        tuple(covering.bugs),
        tuple(not_reached(every - covering.branches)),
    )
    yield plain(header)
    for number, (transition, goals) in enumerate(covering.chosen, 1):
        name = f"{number:03} {what_of(transition.input)}"
        yield plain(Vector(name, *transition, rules=tuple(rules_in(goals))))


def what_of(input: Input) -> str:
    """Return what a server is given, in a word or two."""
    return type(getattr(input, "message", input)).__name__


def not_reached(branches: Iterable[Branch]) -> Iterator[NotReached]:
    """Yield the places of branches, each once, with their source."""
    found = {(branch.module, branch.function, branch.place) for branch in branches}
    for module, function, place in sorted(found):
        yield NotReached(f"{module}.{function.replace('.<locals>', '')}", place[0], source_at(module, place))


def source_at(module: str, place: tuple[int, int, int, int]) -> str:
    """Return a range of a module's source, in one line."""
    file = next(known.__file__ or "" for known in CORE if known.__name__.endswith(f".{module}"))
    first, start, last, end = place
    text = [linecache.getline(file, number).rstrip("\n") for number in range(first, last + 1)]
    if end:
        text[-1] = text[-1].encode()[:end].decode()
        text[0] = text[0].encode()[start:].decode()
    return " ".join(" ".join(text).split())


def plain(value: msgspec.Struct) -> dict[str, Any]:
    """Return JSON values; commands are texts as in traces, sets are sorted lists."""
    known: dict[str, Any] = msgspec.to_builtins(value, order="deterministic", builtin_types=(bytes,))
    return {name: with_texts(field) for name, field in known.items()}


def with_texts(value: Any) -> Any:
    """Return JSON values in which bytes are texts."""
    match value:
        case bytes():
            return text_of(value)
        case dict():
            return {name: with_texts(field) for name, field in value.items()}
        case list() | tuple():
            return [with_texts(field) for field in value]
        case _:
            return value


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a line."""
    document = line_schema("A line of conformance vectors", Header, Vector)
    return {name: without_encodings(field) for name, field in document.items()}


def without_encodings(value: Any) -> Any:
    """Return a schema in which commands are texts."""
    match value:
        case dict():
            return {name: without_encodings(field) for name, field in value.items() if name != "contentEncoding"}
        case list() | tuple():
            return [without_encodings(field) for field in value]
        case _:
            return value
