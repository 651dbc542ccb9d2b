"""Histories: what clients asked of a store, and what they were told, in the order in which it happened."""

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Literal

from raftcheck.oracle.history.values import frozen, same, text_of
from raftcheck.oracle.judgement import UnreadableError

EventType = Literal["invoke", "ok", "fail", "info"]


class Unknown(Enum):
    """The result of an operation whose client was never told one."""

    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return "?"


UNKNOWN = Unknown.UNKNOWN


@dataclass(frozen=True)
class Operation:
    """What a client asks: a function with its argument, of a key if the store has keys."""

    function: str
    key: Hashable | None = None
    value: Hashable | None = None

    def __str__(self) -> str:
        return " ".join([self.function, *(text_of(part) for part in (self.key, self.value) if part is not None)])


@dataclass(frozen=True)
class Event:
    """One line of a history: a process invokes an operation, or the one that it has under way ends.

    `ok`: it took effect, and `result` is what was told. `fail`: it did not take effect, and says nothing. `info`:
    nobody knows; it may take effect at any later time, or never. `is_stale` marks a read that may show an older state
    by contract (etcd's serializable reads). `line` is 0 where there is none, `time` is in any unit.
    """

    type: EventType
    process: Hashable
    function: str
    key: Hashable | None = None
    value: Hashable | None = None
    result: Hashable | None = None
    time: float | None = None
    line: int = 0
    is_stale: bool = False


@dataclass(frozen=True)
class Call:
    """An operation as it happened. `completed` is the position of the event that told `result`; None if none did.

    Positions count all events of the history from 0. `ended` is the position where it ended in whatever way.
    """

    number: int
    process: Hashable
    operation: Operation
    result: Hashable | Unknown
    invoked: int
    completed: int | None
    line: int
    completion_line: int = 0
    time: float | None = None
    completion_time: float | None = None

    def __str__(self) -> str:
        return f"process {process_text(self.process)}: {self.said}"

    @property
    def said(self) -> str:
        """What was asked and told, as people read it."""
        is_silent = self.result is None and self.operation.function in SILENT
        return str(self.operation) if is_silent else f"{self.operation} -> {self.told}"

    @property
    def told(self) -> str:
        """The result as people read it."""
        return text_of(self.result)


SILENT = frozenset({"write", "put", "append", "delete"})
"""Functions that need not tell anything."""


def process_text(process: Hashable) -> str:
    """Return the name of a process without quotation marks."""
    return process if isinstance(process, str) else text_of(process)


@dataclass
class History:
    """All operations of a history.

    `calls` can have taken effect, `failed` have not, and `stale` are not judged because they may show an older state by
    contract. `unfinished` counts those that were still under way at the end, `notes` what else was read and is no
    operation. `initial` describes the store before the first one, where a history tells that.
    """

    name: str
    calls: list[Call] = field(default_factory=list)
    failed: list[Call] = field(default_factory=list)
    stale: list[Call] = field(default_factory=list)
    unfinished: int = 0
    events: int = 0
    notes: dict[str, int] = field(default_factory=dict)
    initial: Mapping[str, Any] | None = None

    @property
    def unknown(self) -> int:
        """How many operations have an unknown outcome."""
        return sum(call.completed is None for call in self.calls)


@dataclass
class Pairing:
    """Finds for every completion its invocation."""

    history: History
    _open: dict[Hashable, tuple[int, Event]] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Take the next event. Raises UnreadableError if it cannot come now."""
        position = self.history.events
        self.history.events += 1
        process = process_text(event.process)
        if event.type == "invoke":
            if event.process in self._open:
                before = self._open[event.process][1]
                raise self._fault(
                    event,
                    f"process {process} invokes {event.function} while its {before.function} of line {before.line} is "
                    "under way: a process has one operation at a time",
                )
            self._open[event.process] = (position, event)
            return
        if event.process not in self._open:
            raise self._fault(event, f"{event.type} {event.function}: process {process} has no operation under way")
        invoked, invocation = self._open.pop(event.process)
        self._require_match(invocation, event)
        self._enter(invoked, invocation, position, event)

    def finish(self) -> History:
        """Return the history; what is still under way has an unknown outcome. Raises UnreadableError if it is empty."""
        if not self.history.events:
            raise UnreadableError(self.history.name, 0, "holds no operation")
        self.history.unfinished = sum(not event.is_stale for _, event in self._open.values())
        for position, event in self._open.values():
            self._enter(position, event, self.history.events, None)
        self.history.calls.sort(key=lambda call: call.invoked)
        self.history.calls = [replace(call, number=number) for number, call in enumerate(self.history.calls)]
        return self.history

    def _fault(self, event: Event, what: str) -> UnreadableError:
        return UnreadableError(self.history.name, event.line, what)

    def _require_match(self, invocation: Event, event: Event) -> None:
        for name in ("function", "key", "value"):
            ours, theirs = getattr(invocation, name), getattr(event, name)
            if theirs is not None and theirs != "" and not same(ours, theirs):
                raise self._fault(
                    event,
                    f"process {process_text(event.process)} completes {text_of(theirs)}, but invoked {text_of(ours)} "
                    f"in line {invocation.line}",
                )

    def _enter(self, invoked: int, invocation: Event, position: int, event: Event | None) -> None:
        kind = event.type if event else "info"
        call = Call(
            0,
            invocation.process,
            Operation(invocation.function, invocation.key, invocation.value),
            event.result if event and kind == "ok" else UNKNOWN,
            invoked,
            position if kind == "ok" else None,
            invocation.line,
            event.line if event else 0,
            invocation.time,
            event.time if event else None,
        )
        if kind == "fail":
            self.history.failed.append(call)
        elif invocation.is_stale:
            self.history.stale.append(call)
        else:
            self.history.calls.append(call)


def paired(name: str, events: Iterable[Event]) -> History:
    """Return the history that events tell. Raises UnreadableError if they tell none."""
    pairing = Pairing(History(name))
    for event in events:
        pairing.add(replace(event, value=frozen(event.value), result=frozen(event.result)))
    return pairing.finish()


def cut(calls: Iterable[Call], position: int) -> Iterator[Call]:
    """Yield the operations of the history that ends with the event at a position: later outcomes are not known yet."""
    for call in calls:
        if call.invoked > position:
            continue
        if call.completed is not None and call.completed > position:
            yield forgotten(call)
        else:
            yield call


def forgotten(call: Call) -> Call:
    """Return an operation as if its client had never been told anything."""
    return replace(call, result=UNKNOWN, completed=None)
