"""How the values of a model are shown to people. A model may bring labels in its own field's words."""

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from raftcheck.explore import Event
from raftcheck.model import Deliver


class Labels(Protocol):
    """What the reports ask a model."""

    def process(self, pid: int) -> str:
        """Return the name of a process."""

    def value(self, value: Any) -> str:
        """Return a message or any other value as short text."""

    def state(self, state: Any) -> str:
        """Return the state of a process as short text; different states have different texts."""

    def input(self, input: Any) -> str:
        """Return what happens, as the rest of a sentence that begins with the process."""

    def changes(self, before: Any, after: Any) -> list[str]:
        """Return what differs between two states of a process, one text for each difference."""


class PlainLabels:
    """Labels for any model: values as Python shows them."""

    def process(self, pid: int) -> str:
        """Return the name of a process."""
        return f"p{pid}"

    def value(self, value: Any) -> str:
        """Return a value as short text."""
        return repr(value)

    def state(self, state: Any) -> str:
        """Return the state of a process as short text."""
        return self.value(state)

    def input(self, input: Any) -> str:
        """Return what happens."""
        if isinstance(input, Deliver):
            return f"receives {self.value(input.message)} from {self.process(input.sender)}"
        return self.value(input)

    def changes(self, before: Any, after: Any) -> list[str]:
        """Return what differs, field by field for records."""
        return [f"{path}: {self.value(old)} → {self.value(new)}" for path, old, new in differences(before, after)]


def event_text(labels: Labels, event: Event) -> str:
    """Return one event as a sentence without a full stop."""
    if event.lost and isinstance(event.input, Deliver):
        sender = labels.process(event.input.sender)
        return f"{labels.process(event.pid)} never gets {labels.value(event.input.message)} from {sender}: it is lost"
    return f"{labels.process(event.pid)} {labels.input(event.input)}"


def fields_of(value: Any) -> dict[str, Any] | None:
    """Return the fields of a record (msgspec Struct, named tuple, dataclass), None for any other value."""
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    names = getattr(value, "_fields", None) or getattr(value, "__dataclass_fields__", None)
    if names is not None and not isinstance(value, type):
        return {name: getattr(value, name) for name in names}
    return None


def differences(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (path, old, new) for every field that differs, descending into records of the same type."""
    if before == after:
        return
    old, new = fields_of(before), fields_of(after)
    if old is None or new is None or type(before) is not type(after):
        yield path or "state", before, after
        return
    for name in old:
        yield from differences(old[name], new[name], f"{path}.{name}" if path else name)
