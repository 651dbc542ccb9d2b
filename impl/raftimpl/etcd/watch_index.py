"""Watches, and which of them want to hear of a change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from raftimpl.store.requests import Event

if TYPE_CHECKING:
    from raftimpl.etcd.watch_stream import WatchStream

Key = TypeVar("Key")

FROM_KEY = b"\0"
"""As `range_end`: all keys from the key on."""


class Watcher:
    """One watch of a stream: what it wants to hear, and from which revision on it has yet to hear it."""

    def __init__(self, stream: WatchStream, id: int, key: bytes, range_end: bytes, next_revision: int) -> None:
        self.stream = stream
        self.id = id
        self.key = key
        self.range_end = range_end
        self.next_revision = next_revision
        self.with_puts = True
        self.with_deletions = True
        self.with_prev_kv = False
        self.in_fragments = False
        self.wants_progress = False
        self.has_been_told = False
        """Whether anything was sent since progress was told last."""

    def wanted(self, events: Sequence[Event]) -> Sequence[Event]:
        """Return the events that its filters let through."""
        if self.with_puts and self.with_deletions:
            return events
        return [event for event in events if (self.with_deletions if event.is_deletion else self.with_puts)]


class WatchIndex:
    """Finds the watches of a key: at once those of single keys, and one after the other the ranges that differ."""

    def __init__(self, watchers: Iterable[Watcher] = ()) -> None:
        self._keys: dict[bytes, dict[Watcher, None]] = {}
        self._ranges: dict[tuple[bytes, bytes], dict[Watcher, None]] = {}
        for watcher in watchers:
            self.add(watcher)

    def __bool__(self) -> bool:
        return bool(self._keys or self._ranges)

    def __iter__(self) -> Iterator[Watcher]:
        for group in (self._keys, self._ranges):
            for watchers in group.values():
                yield from watchers

    def add(self, watcher: Watcher) -> None:
        """Add a watch."""
        if watcher.range_end:
            self._ranges.setdefault((watcher.key, watcher.range_end), {})[watcher] = None
        else:
            self._keys.setdefault(watcher.key, {})[watcher] = None

    def discard(self, watcher: Watcher) -> None:
        """Remove a watch if it is there."""
        if watcher.range_end:
            _discard(self._ranges, (watcher.key, watcher.range_end), watcher)
        else:
            _discard(self._keys, watcher.key, watcher)

    def matching(self, events: Sequence[Event]) -> dict[Watcher, list[Event]]:
        """Return the watches that the events are for, each with its own of them."""
        found: dict[Watcher, list[Event]] = {}
        for event in events:
            key = event.kv.key
            for watcher in self._keys.get(key, ()):
                found.setdefault(watcher, []).append(event)
            for (start, end), watchers in self._ranges.items():
                if start <= key and (end == FROM_KEY or key < end):
                    for watcher in watchers:
                        found.setdefault(watcher, []).append(event)
        return found


def _discard(groups: dict[Key, dict[Watcher, None]], key: Key, watcher: Watcher) -> None:
    group = groups.get(key)
    if group is not None:
        group.pop(watcher, None)
        if not group:
            del groups[key]
