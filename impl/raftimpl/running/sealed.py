"""Small files that say one thing: a line of JSON for people to read, and a checksum against damage."""

import zlib
from pathlib import Path
from typing import TypeVar

import msgspec

from raftimpl.running.files import Files
from raftimpl.running.ports import DiskError

T = TypeVar("T")


def seal(value: object) -> bytes:
    """Return what a file has to hold to say this."""
    line = msgspec.json.encode(value)
    return b"%s\n%08x\n" % (line, zlib.crc32(line))


def read_sealed(files: Files, path: Path, kind: type[T]) -> T:
    """Return what a file says. Raises DiskError if it cannot be read or is damaged."""
    line, _, checksum = files.read(path).partition(b"\n")
    try:
        if checksum != b"%08x\n" % zlib.crc32(line):
            raise msgspec.DecodeError("the checksum does not match")
        return msgspec.json.decode(line, type=kind)
    except msgspec.DecodeError as error:
        raise DiskError(
            f"{path} is damaged: {error}. Bring back an undamaged copy of it, and do not start the server without"
        ) from error
