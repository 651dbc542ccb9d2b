"""A stream of records as bytes: each in MessagePack, behind its length. The stream may come in pieces of any size."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from raftimpl.errors import MalformedInputError

T = TypeVar("T")

LENGTH_BYTES = 4
"""Before each record stands its length in bytes, an unsigned number, the greatest byte first."""

ENCODER = msgspec.msgpack.Encoder()


def frame(record: msgspec.Struct) -> bytes:
    """Return a record as it stands in a stream."""
    encoded = ENCODER.encode(record)
    return len(encoded).to_bytes(LENGTH_BYTES, "big") + encoded


def records(pieces: Iterable[bytes], decoder: "msgspec.msgpack.Decoder[T]") -> Iterator[T]:
    """Go through the records of a stream. Raises MalformedInputError where the bytes are no such records."""
    waiting = bytearray()
    for piece in pieces:
        waiting += piece
        position = 0
        while (end := _end_of_record(waiting, position)) <= len(waiting):
            yield _decode(decoder, bytes(waiting[position + LENGTH_BYTES : end]))
            position = end
        del waiting[:position]
    if waiting:
        raise MalformedInputError(f"not a store: it ends within a record, {len(waiting)} bytes after its beginning")


def _end_of_record(stream: bytearray, position: int) -> int:
    """Return where the record ends that begins at a position: beyond what there is, if not all of it is there yet."""
    start = position + LENGTH_BYTES
    if start > len(stream):
        return start
    return start + int.from_bytes(stream[position:start], "big")


def _decode(decoder: "msgspec.msgpack.Decoder[T]", encoded: bytes) -> T:
    try:
        return decoder.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInputError(f"not a store: {error}") from error
