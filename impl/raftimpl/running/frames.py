"""Frames on a stream: four bytes of length, big-endian, then so many bytes."""

import asyncio
from collections.abc import Callable

from raftimpl.errors import RaftError

LONGEST = 64 << 20
"""Bytes that a frame may have; more is taken for garbage."""

PIECE = 64 << 10
"""A frame of more bytes takes its time: every such piece is told."""


class FrameError(RaftError, EOFError):
    """What came is no frame."""


def write_frame(writer: asyncio.StreamWriter, payload: bytes) -> None:
    """Send a frame, as soon as the other side takes it. Raises FrameError for one that is too long to be taken."""
    if len(payload) > LONGEST:
        raise FrameError(f"a frame of {len(payload)} bytes is longer than {LONGEST}")
    writer.write(len(payload).to_bytes(4) + payload)


async def read_frame(
    reader: asyncio.StreamReader, progress: Callable[[], None] | None = None, longest: int = LONGEST
) -> bytes:
    """Return the next frame, of at most `longest` bytes; `progress` is called for every piece of a long one.

    Raises EOFError if the connection ends, FrameError for what is no frame.
    """
    length = int.from_bytes(await reader.readexactly(4))
    if length > longest:
        raise FrameError(f"a frame of {length} bytes: this is no connection between servers")
    if length <= PIECE or progress is None:
        return await reader.readexactly(length)
    pieces = []
    for start in range(0, length, PIECE):
        pieces.append(await reader.readexactly(min(PIECE, length - start)))
        progress()
    return b"".join(pieces)
