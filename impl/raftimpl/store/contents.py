"""Keys and their versions: what there is now, and every change since the revision that was last compacted.

The newest version of each key is in a map of its own. Older ones live in the changes: a change knows what was there
before it, and each key knows its changes, so the version at any revision is found by bisection. To compact is to
forget the oldest changes.
"""

from bisect import bisect_right
from collections.abc import Sequence
from heapq import merge
from itertools import chain
from operator import attrgetter

from sortedcontainers import SortedList

from raftimpl.store.leases import Leases
from raftimpl.store.requests import Event, KeyValue

FIRST_REVISION = 1
"""The revision of the empty store."""

NEVER_COMPACTED = -1
"""The compacted revision of a store that has not been compacted, as etcd has it."""

VERSION_OVERHEAD = 200
"""Bytes that a version takes besides its key and value; roughly."""

mod_revision = attrgetter("kv.mod_revision")


class Contents:
    """All keys. Changes are made one after the other, and count from `commit` on, together, as one revision."""

    def __init__(self, revision: int = FIRST_REVISION) -> None:
        self.revision = revision
        self.compact_revision = NEVER_COMPACTED
        self.size = 0
        self.current: dict[bytes, KeyValue] = {}
        self.keys: SortedList[bytes] = SortedList()
        self.gone: SortedList[bytes] = SortedList()
        """Keys that are not there any more, but were at a revision that can still be read."""
        self.history: list[tuple[Event, ...]] = []
        """The changes of each revision; the last one's are those of `revision`."""
        self.leases = Leases()
        self._changes_of: dict[bytes, list[Event]] = {}
        self._uncommitted: list[Event] = []

    @property
    def newest(self) -> int:
        """The revision at which a reader would see what is there now, with what is not committed yet."""
        return self.revision + 1 if self._uncommitted else self.revision

    @property
    def first_revision(self) -> int:
        """The oldest revision whose changes are known."""
        return self.revision + 1 - len(self.history)

    # Changing

    def put(self, key: bytes, value: bytes, lease: int) -> KeyValue | None:
        """Write a key; return what was there before."""
        revision = self.revision + 1
        before = self.current.get(key)
        if before is None:
            after = KeyValue(key, revision, revision, 1, value, lease)
        else:
            after = KeyValue(before.key, before.create_revision, revision, before.version + 1, value, lease)
        self._change(Event(after, False, before))
        return before

    def delete(self, key: bytes) -> None:
        """Delete a key that is there."""
        before = self.current[key]
        self._change(Event(KeyValue(before.key, 0, self.revision + 1, 0), True, before))

    def commit(self) -> None:
        """Let the changes since the last commit count, if there are any, at one revision."""
        if self._uncommitted:
            self.history.append(tuple(self._uncommitted))
            self._uncommitted.clear()
            self.revision += 1

    def roll_back(self) -> None:
        """Undo the changes since the last commit."""
        while self._uncommitted:
            event = self._uncommitted.pop()
            key = event.kv.key
            changes = self._changes_of[key]
            changes.pop()
            if not changes:
                del self._changes_of[key]
            self.size -= held(event.kv)
            self._replace(key, None if event.is_deletion else event.kv, event.prev_kv)

    def restore(self, kv: KeyValue) -> None:
        """Add a version that was there before the first change."""
        self.size += held(kv)
        self._replace(kv.key, None, kv)

    def compact(self, revision: int) -> None:
        """Forget what was overwritten before a revision, in time proportional to what is forgotten.

        The changes of that revision itself stay: whoever watches from there on misses nothing.
        """
        forgotten = self.history[: max(0, revision - self.first_revision)]
        del self.history[: len(forgotten)]
        self.compact_revision = revision
        counts: dict[bytes, int] = {}
        for event in chain.from_iterable(forgotten):
            self.size -= held(event.prev_kv) if event.prev_kv else 0
            self.size -= held(event.kv) if event.is_deletion else 0
            counts[event.kv.key] = counts.get(event.kv.key, 0) + 1
        for key, count in counts.items():
            self._forget(key, count)

    def _change(self, event: Event) -> None:
        key = event.kv.key
        changes = self._changes_of.get(key)
        if changes is None:
            self._changes_of[key] = [event]
        else:
            changes.append(event)
        self._uncommitted.append(event)
        self.size += held(event.kv)
        self._replace(key, event.prev_kv, None if event.is_deletion else event.kv)

    def _replace(self, key: bytes, before: KeyValue | None, after: KeyValue | None) -> None:
        """Put one newest version in the place of another; None where the key is not there."""
        if after is None:
            del self.current[key]
            self.keys.remove(key)
            if key in self._changes_of:
                self.gone.add(key)
        else:
            self.current[key] = after
            if before is None:
                self.keys.add(key)
                self.gone.discard(key)
        lease_before, lease_after = before.lease if before else 0, after.lease if after else 0
        if lease_before != lease_after:
            self.leases.move(key, lease_before, lease_after)

    def _forget(self, key: bytes, count: int) -> None:
        changes = self._changes_of[key]
        if count < len(changes):
            del changes[:count]
            return
        del self._changes_of[key]
        if key not in self.current:
            self.gone.remove(key)

    # Reading

    def at(self, key: bytes, revision: int) -> KeyValue | None:
        """Return a key as it was at a revision that is not compacted, or None if it was not there."""
        changes = self._changes_of.get(key)
        if changes is None or revision >= self.newest:
            return self.current.get(key)
        position = bisect_right(changes, revision, key=mod_revision)
        if position == 0:
            return changes[0].prev_kv
        event = changes[position - 1]
        return None if event.is_deletion else event.kv

    def found(self, key: bytes, range_end: bytes, revision: int, most: int | None) -> tuple[list[KeyValue], int]:
        """Return the keys of a range as they were at a revision, at most so many, and how many there were in all.

        As they are now, this takes no longer than what is returned. Further back it takes also a look at every key in
        the range, or at every change since then, whichever is less.
        """
        if not range_end:
            kv = self.at(key, revision)
            return ([kv], 1) if kv and most != 0 else ([], int(kv is not None))
        if revision >= self.newest:
            start, end = self._slice(self.keys, key, range_end)
            stop = end if most is None else min(end, start + most)
            return [self.current[each] for each in self.keys.islice(start, stop)], end - start
        return self._found_before(key, range_end, revision, most)

    def _found_before(
        self, key: bytes, range_end: bytes, revision: int, most: int | None
    ) -> tuple[list[KeyValue], int]:
        """Start from what there is now, and look at those keys alone that may have been different then."""
        start, end = self._slice(self.keys, key, range_end)
        since = self.history[max(0, revision + 1 - self.first_revision) :]
        if len(since) < end - start:
            events = chain(chain.from_iterable(since), self._uncommitted)
            changed = {event.kv.key for event in events if is_within(event.kv.key, key, range_end)}
        else:
            gone = self.gone.islice(*self._slice(self.gone, key, range_end))
            changed = {*self.keys.islice(start, end), *gone}
        before = {each: self.at(each, revision) for each in changed}
        gone_since = sorted(each for each in changed if each not in self.current)
        count = end - start - (len(changed) - len(gone_since)) + sum(kv is not None for kv in before.values())
        kvs: list[KeyValue] = []
        for each in merge(self.keys.islice(start, end), gone_since):
            if len(kvs) == most:
                break
            kv = before[each] if each in before else self.current[each]
            if kv is not None:
                kvs.append(kv)
        return kvs, count

    @staticmethod
    def _slice(keys: "SortedList[bytes]", key: bytes, range_end: bytes) -> tuple[int, int]:
        start = keys.bisect_left(key)
        end = len(keys) if range_end == b"\0" else keys.bisect_left(range_end)
        return start, max(start, end)

    def changes(self, from_revision: int, most: int) -> Sequence[tuple[int, Sequence[Event]]]:
        """Return the changes from a revision on; whole revisions, at least one if there is one."""
        first = self.first_revision
        position = max(0, from_revision - first)
        result: list[tuple[int, Sequence[Event]]] = []
        count = 0
        for offset, events in enumerate(self.history[position : position + max(1, most)]):
            count += len(events)
            if result and count > most:
                break
            result.append((first + position + offset, events))
        return result


def is_within(key: bytes, start: bytes, range_end: bytes) -> bool:
    """Tell whether a key is in a range."""
    return start <= key and (key < range_end or range_end == b"\0")


def held(kv: KeyValue) -> int:
    """Return how many bytes a version takes, roughly."""
    return len(kv.key) + len(kv.value) + VERSION_OVERHEAD
