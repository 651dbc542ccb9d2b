"""Frames on a stream: four bytes of length, big-endian, then so many bytes."""

import asyncio

from raftimpl.errors import RaftError

LONGEST = 64 << 20
"""Bytes that a frame may have; more is taken for garbage."""


class FrameError(RaftError, EOFError):
    """What came is no frame."""


def write_frame(writer: asyncio.StreamWriter, payload: bytes) -> None:
    """Send a frame, as soon as the other side takes it."""
    writer.write(len(payload).to_bytes(4) + payload)


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """Return the next frame. Raises EOFError if the connection ends, FrameError for what is no frame."""
    length = int.from_bytes(await reader.readexactly(4))
    if length > LONGEST:
        raise FrameError(f"a frame of {length} bytes: this is no connection between servers")
    return await reader.readexactly(length)
