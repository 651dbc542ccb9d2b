"""How the write-ahead log is written down: records, one after the other, each chained to the one before.

A record is the length of its payload (4 bytes, little-endian), its kind (1 byte), a checksum (4 bytes) and the payload,
in MessagePack. The checksum is CRC-32 over length, kind and payload, begun with the checksum of the record before: a
record that is out of place is as invalid as a damaged one. A segment's head is chained to nothing, to be read alone.

Kinds tell where a batch begins. The next batch is written only when the one before is durable; so whatever precedes a
valid beginning of a batch was durable once.
"""

import enum
import struct
import zlib
from typing import NamedTuple

import msgspec

from raftimpl.errors import InvariantViolationError
from raftimpl.messages import Snapshot
from raftimpl.step import Persist
from raftimpl.values import Value

FORMAT = 1
"""The version of all that is described here; a folder of another one is refused."""

LENGTH_AND_KIND = struct.Struct("<IB")
CHECKSUM = struct.Struct("<I")
FRAME = LENGTH_AND_KIND.size + CHECKSUM.size
"""Bytes of a record besides its payload."""

ENCODER = msgspec.msgpack.Encoder()
PERSIST_DECODER: msgspec.msgpack.Decoder[Persist] = msgspec.msgpack.Decoder(Persist)


class Kind(enum.IntEnum):
    """What a record holds."""

    HEAD = 1
    """The head of a segment."""

    FIRST = 2
    """A Persist, the first of its batch."""

    NEXT = 3
    """A Persist, of the same batch as the one before."""


class Identity(Value, frozen=True):
    """Whose log it is: no other cluster's, no other server's."""

    cluster: int
    member: int


class HardState(Value, frozen=True):
    """What is known of the durable state without its entries."""

    current_term: int = 0
    voted_for: int | None = None
    snapshot: Snapshot = Snapshot()
    last_index: int = 0

    def followed_by(self, write: Persist) -> "HardState":
        """Return what it is after a write. Raises InvariantViolationError for a write that leaves a gap in the log."""
        snapshot = write.snapshot or self.snapshot
        covered = snapshot.last_included_index
        if covered < self.snapshot.last_included_index:
            raise InvariantViolationError(
                f"a snapshot of the log up to {covered} replaces one up to {self.snapshot.last_included_index}"
            )
        if not covered < write.first_index <= max(self.last_index, covered) + 1:
            raise InvariantViolationError(
                f"entries from {write.first_index} on do not follow on a log from {covered + 1} to {self.last_index}"
            )
        last_index = write.first_index - 1 + len(write.entries)
        return HardState(write.current_term, write.voted_for, snapshot, last_index)


class Head(Value, frozen=True):
    """What a segment of the log begins with: enough to do without the segments before it, entries aside.

    `first_record` is the number of the record that follows, `previous_checksum` what that one is chained to.
    """

    format: int
    identity: Identity
    segment: int
    first_record: int
    previous_checksum: int
    hard: HardState


HEAD_DECODER: msgspec.msgpack.Decoder[Head] = msgspec.msgpack.Decoder(Head)


class Position(NamedTuple):
    """A place between two records: after so many records, in which segment, at which byte, after which checksum."""

    record: int
    segment: int
    offset: int
    checksum: int


MARK = struct.Struct("<QQQI")


def encode_mark(position: Position) -> bytes:
    """Return what is written down of a position; it is short enough for a disk to write it whole or not at all."""
    packed = MARK.pack(*position)
    return packed + CHECKSUM.pack(zlib.crc32(packed))


def decode_mark(encoded: bytes) -> Position | None:
    """Return the position, None if it is damaged."""
    packed, checksum = encoded[: MARK.size], encoded[MARK.size :]
    if len(packed) != MARK.size or checksum != CHECKSUM.pack(zlib.crc32(packed)):
        return None
    return Position(*MARK.unpack(packed))


class Record(NamedTuple):
    """A record as it was found."""

    kind: int
    payload: memoryview
    checksum: int
    end: int


class Damage(NamedTuple):
    """Why there is no record at a place. `end` is where the next one would begin, if the length is to be believed."""

    reason: str
    end: int
    checksum: int


def encode_record(kind: Kind, payload: bytes, previous: int) -> tuple[bytes, int]:
    """Return a record that follows on one with a checksum, and its own checksum."""
    begin = LENGTH_AND_KIND.pack(len(payload), kind)
    checksum = zlib.crc32(payload, zlib.crc32(begin, previous))
    return b"".join((begin, CHECKSUM.pack(checksum), payload)), checksum


def record_at(data: memoryview, offset: int, previous: int) -> Record | Damage:
    """Return the record at a place, which follows on one with a checksum; or what is wrong there."""
    if offset + FRAME > len(data):
        return Damage("the record is incomplete", len(data), 0)
    begin = data[offset : offset + LENGTH_AND_KIND.size]
    length, kind = LENGTH_AND_KIND.unpack(begin)
    (checksum,) = CHECKSUM.unpack_from(data, offset + LENGTH_AND_KIND.size)
    payload = data[offset + FRAME : offset + FRAME + length]
    end = offset + FRAME + length
    if len(payload) < length:
        return Damage("the record is incomplete", len(data), 0)
    if zlib.crc32(payload, zlib.crc32(begin, previous)) != checksum:
        return Damage("the checksum does not match", end, checksum)
    return Record(kind, payload, checksum, end)


def begins_batch_after(data: memoryview, damage: Damage) -> bool:
    """Tell whether the beginning of a later batch is found after a damaged place."""
    while damage.end < len(data):
        found = record_at(data, damage.end, damage.checksum)
        if isinstance(found, Record):
            if found.kind == Kind.FIRST:
                return True
            found = Damage("", found.end, found.checksum)
        damage = found
    return False
