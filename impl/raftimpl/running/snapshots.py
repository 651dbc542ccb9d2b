"""Snapshots of the state machine, each in a file named for its last index and the SHA-256 of what it holds.

A file has its name only when all of it is durable. Whoever reads one has it verified first, as a whole.
"""

import contextlib
import hashlib
import itertools
import re
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

from raftimpl.errors import InvariantViolationError, MalformedInputError
from raftimpl.running.files import UNFINISHED, Files
from raftimpl.running.ports import DiskError, MissingSnapshotError

NAME = re.compile(rb"[0-9a-f]{16}-[0-9a-f]{64}")

WHAT_TO_DO = (
    "Bring back an undamaged copy of it: servers with the same snapshot have the same file. Do not start the server"
    " from this folder emptied or restored from an older copy"
)


def name_of(index: int, checksum: str) -> bytes:
    """Return the name of a snapshot. Names have the order of their indexes."""
    return f"{index:016x}-{checksum}".encode("ascii")


class Unfinished:
    """A snapshot that is being written, by one thread at a time. All methods raise DiskError."""

    def __init__(self, snapshots: "Snapshots", path: Path) -> None:
        self._snapshots, self._file = snapshots, snapshots.files.create(path)
        self._sum, self._size = hashlib.sha256(), 0
        self._lock = threading.RLock()

    def write(self, chunk: bytes) -> None:
        """Add what comes next."""
        with self._lock:
            self._file.write(chunk, self._size)
            self._sum.update(chunk)
            self._size += len(chunk)

    def finish(self, index: int) -> bytes:
        """Make it durable, as the state machine after the entry at `index`; return its name."""
        with self._lock:
            name = name_of(index, self._sum.hexdigest())
            try:
                self._file.sync()
                self._file.close()
                self._snapshots.publish(self._file.path, name)
            except BaseException:
                self.abandon()
                raise
            return name

    def finish_as(self, name: bytes) -> None:
        """Make it durable under a name. Raises MalformedInputError, with nothing stored, if it is something else's."""
        with self._lock:
            index = int(name[:16], 16)
            found = name_of(index, self._sum.hexdigest())
            if found != name:
                self.abandon()
                raise MalformedInputError(f"a snapshot of {self._size} bytes is {found!r}, not {name!r}")
            self.finish(index)

    def abandon(self) -> None:
        """Remove what was written, if it has no name yet."""
        with self._lock:
            self._file.close()
            self._snapshots.remove_unfinished(self._file.path)


class Snapshots:
    """The folder of snapshots. All methods may be called in any thread; they raise DiskError."""

    def __init__(self, files: Files, folder: Path) -> None:
        self.files, self._folder = files, folder
        self._numbers = itertools.count(1)
        self._names = {name for name in map(str.encode, files.names(folder)) if NAME.fullmatch(name)}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def require(self, name: bytes) -> None:
        """Raise InvariantViolationError if a snapshot is not there that is to become part of the durable state."""
        if name not in self:
            raise InvariantViolationError(f"the log cannot begin with snapshot {name!r}: it is not on disk")

    def begin(self) -> Unfinished:
        """Begin to write a snapshot."""
        return Unfinished(self, self._folder / f"{next(self._numbers)}{UNFINISHED}")

    def save(self, index: int, chunks: Iterator[bytes]) -> bytes:
        """Store a snapshot durably; return its name. Nothing is left if `chunks` raises."""
        unfinished = self.begin()
        try:
            for chunk in chunks:
                unfinished.write(chunk)
        except BaseException:
            unfinished.abandon()
            raise
        return unfinished.finish(index)

    def publish(self, path: Path, name: bytes) -> None:
        """Give a file that is durable its name, durably."""
        self.files.rename(path, self._path(name))
        self.files.sync_folder(self._folder)
        self._names.add(name)

    def read(self, name: bytes) -> Iterator[bytes]:
        """Return what a snapshot holds, piece by piece.

        All of the file is read and verified before this returns, and then read again: no chunk of a damaged one is ever
        seen. A snapshot that is removed meanwhile can be read to its end.
        """
        chunks = self._verified(name)
        next(chunks)
        return chunks

    def verify(self, name: bytes) -> None:
        """Raise DiskError if a snapshot of the durable state is missing or damaged."""
        if name not in self:
            raise DiskError(f"{self._path(name)} is missing, and the log begins with it. {WHAT_TO_DO}")
        with contextlib.closing(self._verified(name)) as chunks:
            next(chunks)

    def remove_before(self, name: bytes) -> None:
        """Remove the snapshots of earlier indexes."""
        self._remove([other for other in self._names.copy() if other[:16] < name[:16]])

    def keep_only(self, name: bytes) -> None:
        """Remove everything else, also what was not finished. Call it before anything is begun."""
        self._remove([other for other in self._names if other != name])
        for unfinished in self.files.names(self._folder):
            if unfinished.endswith(UNFINISHED):
                self.files.remove(self._folder / unfinished)
        self.files.sync_folder(self._folder)

    def remove_unfinished(self, path: Path) -> None:
        """Remove a file that has no name yet."""
        if path.name in self.files.names(self._folder):
            self.files.remove(path)

    def _remove(self, names: list[bytes]) -> None:
        for name in sorted(names):
            self._names.discard(name)
            self.files.remove(self._path(name))
        if names:
            self.files.sync_folder(self._folder)

    def _path(self, name: bytes) -> Path:
        return self._folder / name.decode("ascii")

    def _verified(self, name: bytes) -> Generator[bytes, None, None]:
        """Yield an empty piece as soon as the snapshot is verified, then what it holds."""
        if name not in self:
            raise MissingSnapshotError(f"there is no snapshot {name!r} in {self._folder}")
        with self.files.open_to_read(self._path(name)) as file:
            found = hashlib.sha256()
            for chunk in file.chunks():
                found.update(chunk)
            if name_of(int(name[:16], 16), found.hexdigest()) != name:
                raise DiskError(f"{self._path(name)} is damaged: its SHA-256 is not what its name says. {WHAT_TO_DO}")
            yield b""
            yield from file.chunks()
