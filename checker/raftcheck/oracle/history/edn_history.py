"""Histories in EDN as Jepsen and Knossos have them: maps with :process, :type, :f, :value, perhaps :key and :time.

The history is one vector of such maps, or they stand one after another. The values of independent keys are pairs
[key value] (jepsen.independent). `:fail` means that the operation did not take effect, and no more: not that a
compare-and-set found another value. Processes that are no numbers (the nemesis) are no clients.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from raftcheck.oracle.history.edn import EdnReader
from raftcheck.oracle.history.events import Event
from raftcheck.oracle.history.values import Name, frozen, text_of
from raftcheck.oracle.lines import Lines

READS = frozenset({"read", "get"})
"""Functions whose completion has the result in place of the value."""

TYPES = ("invoke", "ok", "fail", "info")


@dataclass(frozen=True)
class Foreign:
    """An event of a process that is no client."""

    process: str


def read_edn_history(lines: Lines) -> Iterator[Event | Foreign]:
    """Yield the events of a history. Raises UnreadableError, naming the line, for what is none."""
    reader = EdnReader(lines)
    events = [event_of(lines, reader.line, item) for item in reader.items()]
    clients = [event for event in events if isinstance(event, Event)]
    if not has_keys(clients):
        yield from (event if isinstance(event, Foreign) else told(lines, event) for event in events)
        return
    for event in events:
        yield event if isinstance(event, Foreign) else told(lines, keyed(lines, event))


def event_of(lines: Lines, line: int, item: Any) -> Event | Foreign:
    """Return the event that a map describes, with its value as it stands there."""
    if not isinstance(item, dict):
        raise lines.fault_at(line, f"an event is a map, not {text_of(frozen(item))[:60]}")
    fields = {name_of(key): frozen(value) for key, value in item.items()}
    lacking = [name for name in ("process", "type", "f") if name not in fields]
    if lacking:
        raise lines.fault_at(line, f"an event has :process, :type and :f; this one lacks :{', :'.join(lacking)}")
    process, kind, function = fields["process"], name_of(fields["type"]), name_of(fields["f"])
    if kind not in TYPES:
        raise lines.fault_at(
            line, f"the :type of an event is one of :{', :'.join(TYPES)}, not {text_of(fields['type'])}"
        )
    if isinstance(process, bool) or not isinstance(process, int):
        return Foreign(text_of(process))
    if function is None:
        raise lines.fault_at(line, f"the :f of an event is a keyword, not {text_of(fields['f'])}")
    time = fields.get("time")
    return Event(
        kind,  # type: ignore[arg-type]
        process,
        function,
        key=fields.get("key"),
        value=fields.get("value"),
        time=float(time) if isinstance(time, int | float) else None,
        line=line,
    )


def name_of(value: Any) -> str | None:
    """Return the name of a keyword, or a text; None for anything else."""
    if isinstance(value, Name):
        return value.text.removeprefix(":")
    return value if isinstance(value, str) else None


def is_pair(value: Any) -> bool:
    """Tell whether a value is a vector of two."""
    return isinstance(value, tuple) and len(value) == 2


def has_keys(events: list[Event]) -> bool:
    """Tell whether the values of a history are pairs [key value]: the first operation that can tell decides."""
    for event in events:
        if event.type == "invoke" and event.key is None:
            if event.function in READS:
                return is_pair(event.value)
            if event.function == "cas":
                return is_pair(event.value) and is_pair(event.value[1])  # type: ignore[index]
    return False


def keyed(lines: Lines, event: Event) -> Event:
    """Return an event with the key out of its value."""
    if event.value is None and event.type != "invoke":
        return event
    if not is_pair(event.value):
        raise lines.fault_at(
            event.line, f"the value is no [key value] as in the operations before: {text_of(event.value)}"
        )
    pair: Any = event.value
    return replace(event, key=pair[0], value=pair[1])


def told(lines: Lines, event: Event) -> Event:
    """Return an event with the result, if there is one, apart from the value."""
    if event.function in READS:
        if event.type == "invoke" and event.value is not None:
            raise lines.fault_at(event.line, f"{event.function} is invoked with nil, not {text_of(event.value)}")
        return replace(event, value=None, result=event.value if event.type == "ok" else None)
    if event.type == "ok":
        return replace(event, result=True if event.function == "cas" else None)
    return replace(event, value=None) if event.type in ("fail", "info") else event
