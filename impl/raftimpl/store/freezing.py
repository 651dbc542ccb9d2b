"""The store as bytes, and back.

A store is what it held before the first change that it knows, and the changes since; all else follows from these.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain
from typing import TypeVar
from zlib import crc32

import msgspec

from raftimpl.errors import MalformedInputError
from raftimpl.store.contents import FIRST_REVISION, NEVER_COMPACTED, Contents, held
from raftimpl.store.errors import RequestError
from raftimpl.store.frames import frame, records
from raftimpl.store.requests import Event, KeyValue

T = TypeVar("T")

FORMAT = "raftproof store 1"

PIECE_SIZE = 256 * 1024
"""About how many bytes are encoded at once. A piece is larger only if it is a single large value, or revision."""


class Record(msgspec.Struct, frozen=True, array_like=True, tag=True):
    """The base of what a frozen store is made of, in this order: a header, bases, changes, an end."""


class Header(Record, frozen=True):
    """What is known of the store as a whole; `first_revision` is that of the first change.

    Leases: (id, ttl, renewal). `last_renewal` is the greatest number that a lease ever had there.
    """

    format: str
    first_revision: int
    compact_revision: int
    leases: tuple[tuple[int, int, int], ...]
    last_renewal: int


class Base(Record, frozen=True):
    """Some of the keys as they were before the first change, in the order of the keys."""

    kvs: tuple[KeyValue, ...]


class Written(msgspec.Struct, frozen=True, array_like=True):
    """A key that was put; which version it is follows from what was there before."""

    key: bytes
    value: bytes
    lease: int


class Changes(Record, frozen=True):
    """The changes of some revisions, one after the other; a key alone is a deletion."""

    revisions: tuple[tuple[Written | bytes, ...], ...]


class End(Record, frozen=True):
    """Nothing is missing; the store is at this revision."""

    revision: int


DECODER = msgspec.msgpack.Decoder(Header | Base | Changes | End)


class Frozen:
    """A store as it was. It can be encoded, in another thread too, while the store goes on changing."""

    def __init__(self, contents: Contents) -> None:
        """Copy what will change: maps and lists, not what is in them."""
        self.revision = contents.revision
        self._leases = tuple(map(contents.leases.summary, contents.leases))
        self._last_renewal = contents.leases.last_renewal
        self._first_revision = contents.first_revision
        self._compact_revision = contents.compact_revision
        self.keys = list(contents.keys)
        self._gone = list(contents.gone)
        self._current = contents.current.copy()
        self._history = contents.history.copy()

    def chunks(self) -> Iterator[bytes]:
        """Return the store as bytes, in pieces of about `PIECE_SIZE`. Equal stores have equal bytes."""
        yield frame(Header(FORMAT, self._first_revision, self._compact_revision, self._leases, self._last_renewal))
        yield from self._encoded(self._history)
        yield frame(End(self.revision))

    def hash(self, revision: int) -> int:
        """Return a number of 32 bits that tells stores apart which differ in a key up to a revision.

        It is about what the store still knows, so it is to be compared between equally compacted stores. Leases do
        not count. Time is proportional to all that the store holds.
        """
        result = 0
        for piece in self._encoded(self._history[: max(0, revision + 1 - self._first_revision)]):
            result = crc32(piece, result)
        return result

    def _encoded(self, history: Sequence[tuple[Event, ...]]) -> Iterator[bytes]:
        for kvs in _batches(self._base(), held):
            yield frame(Base(kvs))
        for revisions in _batches(history, lambda events: sum(held(event.kv) for event in events)):
            yield frame(Changes(tuple(tuple(map(_change, events)) for events in revisions)))

    def _base(self) -> Iterator[KeyValue]:
        before: dict[bytes, KeyValue | None] = {}
        for event in chain.from_iterable(self._history):
            before.setdefault(event.kv.key, event.prev_kv)
        for key in merge(self.keys, self._gone):
            kv = before[key] if key in before else self._current[key]
            if kv is not None:
                yield kv


def thaw(chunks: Iterable[bytes]) -> Contents:
    """Return the store that was frozen. Raises MalformedInputError for bytes that are none."""
    return thaw_records(records(chunks, DECODER))


def thaw_records(stream: Iterator[Record]) -> Contents:
    """Return the store that was frozen, from the records that it was frozen to."""
    try:
        header = next(stream, None)
        if not isinstance(header, Header) or header.format != FORMAT:
            raise MalformedInputError("not a store: it does not begin as one")
        contents = Contents(header.first_revision - 1)
        _restore_leases(contents, header)
        _fill(contents, stream)
        contents.compact_revision = header.compact_revision
    except (KeyError, RequestError) as error:
        raise MalformedInputError(f"not a store: {error!r} in it") from error
    _require_sense(contents)
    return contents


def _restore_leases(contents: Contents, header: Header) -> None:
    numbers = {renewal for _, _, renewal in header.leases}
    if len(numbers) < len(header.leases) or not all(0 < number <= header.last_renewal for number in numbers):
        raise MalformedInputError("not a store: leases were renewed at the same time, or in the future")
    for id, ttl, renewal in header.leases:
        contents.leases.restore(id, ttl, renewal)
    contents.leases.last_renewal = header.last_renewal


def _fill(contents: Contents, stream: Iterator[Record]) -> None:
    for record in stream:
        match record:
            case Base(kvs):
                for kv in kvs:
                    _restore(contents, kv)
            case Changes(revisions):
                for changes in revisions:
                    _repeat(contents, changes)
            case End(revision) if revision == contents.revision and next(stream, None) is None:
                return
            case _:
                raise MalformedInputError(f"not a store: {type(record).__name__} at revision {contents.revision}")
    raise MalformedInputError(f"not a store: it ends at revision {contents.revision} without an end")


def _restore(contents: Contents, kv: KeyValue) -> None:
    if contents.history or (contents.keys and contents.keys[-1] >= kv.key):
        raise MalformedInputError(f"not a store: the key {kv.key!r} is out of order")
    contents.restore(kv)


def _repeat(contents: Contents, changes: tuple[Written | bytes, ...]) -> None:
    if not changes:
        raise MalformedInputError(f"not a store: nothing changes at revision {contents.revision + 1}")
    for change in changes:
        if isinstance(change, Written):
            contents.put(change.key, change.value, change.lease)
        else:
            contents.delete(change)
    contents.commit()


def _require_sense(contents: Contents) -> None:
    """Raise MalformedInputError for what no sequence of requests leads to."""
    if not NEVER_COMPACTED <= contents.compact_revision <= contents.revision or (
        contents.first_revision <= FIRST_REVISION
    ):
        raise MalformedInputError(f"not a store: compacted at {contents.compact_revision} of {contents.revision}")
    for kv in contents.current.values():
        if kv.lease and kv.lease not in contents.leases:
            raise MalformedInputError(f"not a store: the key {kv.key!r} has the lease {kv.lease}, which is not there")


def _change(event: Event) -> Written | bytes:
    return event.kv.key if event.is_deletion else Written(event.kv.key, event.kv.value, event.kv.lease)


def _batches(items: Iterable[T], size_of: Callable[[T], int]) -> Iterator[tuple[T, ...]]:
    """Put items together to tuples of about `PIECE_SIZE`."""
    batch: list[T] = []
    size = 0
    for item in items:
        batch.append(item)
        size += size_of(item)
        if size >= PIECE_SIZE:
            yield tuple(batch)
            batch.clear()
            size = 0
    if batch:
        yield tuple(batch)
