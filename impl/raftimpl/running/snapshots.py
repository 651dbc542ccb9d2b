"""Snapshots of the state machine, each in a file whose name is the SHA-256 of what it holds.

A file has its name only when all of it is durable. Whoever reads one has it verified first, as a whole.
"""

import hashlib
import itertools
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from raftimpl.errors import InvariantViolationError, MalformedInputError
from raftimpl.running.files import UNFINISHED, Files
from raftimpl.running.ports import DiskError, MissingSnapshotError

NAME = re.compile(rb"[0-9a-f]{64}")

WHAT_TO_DO = (
    "Bring back an undamaged copy of it: servers with the same snapshot have the same file. Do not start the server from this"
    " folder emptied or restored from an older copy"
)


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

    def finish(self, expected: bytes | None = None) -> bytes:
        """Make the snapshot durable under its name; return that. Nothing is left if anything fails.

        Raises MalformedInputError if another name was expected: whoever sent this has sent something else.
        """
        with self._lock:
            name = self._sum.hexdigest().encode()
            try:
                if expected not in (None, name):
                    raise MalformedInputError(f"a snapshot of {self._size} bytes is {name!r}, not {expected!r}")
                self._file.sync()
                self._file.close()
                self._snapshots.publish(self._file.path, name)
            except BaseException:
                self.abandon()
                raise
            return name

    def abandon(self) -> None:
        """Remove what was written, if it has no name yet."""
        with self._lock:
            self._file.close()
            self._snapshots.remove_unfinished(self._file.path)


class Snapshots:
    """The folder of snapshots. All methods may be called in any thread.

    Most snapshots become part of the durable state soon after they were stored (`adopt`). Those that have not when two others
    were adopted since are removed like those that were replaced.
    """

    def __init__(self, files: Files, folder: Path) -> None:
        self.files, self._folder = files, folder
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._names = {name.encode() for name in files.names(folder) if NAME.fullmatch(name.encode())}
        self._recent: set[bytes] = set()
        self._adopted = b""

    def renew(self, name: bytes) -> bool:
        """Tell whether a snapshot is there; if so it counts as stored now."""
        with self._lock:
            if name in self._names:
                self._recent.add(name)
            return name in self._names

    def begin(self) -> Unfinished:
        """Begin to write a snapshot. Raises DiskError."""
        return Unfinished(self, self._folder / f"{next(self._numbers)}{UNFINISHED}")

    def save(self, chunks: Iterator[bytes]) -> bytes:
        """Store a snapshot durably; return its name. Raises DiskError, and whatever `chunks` raises."""
        unfinished = self.begin()
        try:
            for chunk in chunks:
                unfinished.write(chunk)
        except BaseException:
            unfinished.abandon()
            raise
        return unfinished.finish()

    def publish(self, path: Path, name: bytes) -> None:
        """Give a file that is durable its name, durably."""
        with self._lock:
            self.files.rename(path, self._path(name))
            self.files.sync_folder(self._folder)
            self._names.add(name)
            self._recent.add(name)

    def read(self, name: bytes) -> Iterator[bytes]:
        """Return what a snapshot holds, piece by piece.

        All of the file is read and verified before this returns, and then read again: no chunk of a damaged one is ever
        seen. A snapshot that is removed meanwhile can be read to its end. Raises DiskError.
        """
        chunks = self._verified(name)
        next(chunks)
        return chunks

    def verify(self, name: bytes) -> None:
        """Raise DiskError if a snapshot is missing or damaged."""
        next(self._verified(name))

    def adopt(self, name: bytes) -> None:
        """Note that a snapshot becomes part of the durable state. Raises InvariantViolationError if it is not there."""
        with self._lock:
            if name not in self._names:
                raise InvariantViolationError(f"the log cannot begin with snapshot {name!r}: it is not on disk")
            self._adopted = name

    def retire(self) -> None:
        """Remove what the adopted snapshot has replaced. Raises DiskError."""
        with self._lock:
            old = self._names - self._recent - {self._adopted}
            self._names -= old
            self._recent = set()
            for name in sorted(old):
                self.files.remove(self._path(name))
            if old:
                self.files.sync_folder(self._folder)

    def keep_only(self, name: bytes) -> None:
        """Remove everything else, also what was not finished. To be called before anything is begun. Raises DiskError."""
        self._adopted = name
        self.retire()
        for unfinished in self.files.names(self._folder):
            if unfinished.endswith(UNFINISHED):
                self.files.remove(self._folder / unfinished)
        self.files.sync_folder(self._folder)

    def remove_unfinished(self, path: Path) -> None:
        """Remove a file that has no name yet. Raises DiskError."""
        if path.name in self.files.names(self._folder):
            self.files.remove(path)

    def _path(self, name: bytes) -> Path:
        return self._folder / name.decode("ascii")

    def _verified(self, name: bytes) -> Iterator[bytes]:
        """Yield an empty piece as soon as the snapshot is verified, then what it holds."""
        if name not in self._names:
            raise MissingSnapshotError(f"there is no snapshot {name!r} in {self._folder}")
        with self.files.open_to_read(self._path(name)) as file:
            found = hashlib.sha256()
            for chunk in file.chunks():
                found.update(chunk)
            if found.hexdigest().encode() != name:
                raise DiskError(
                    f"{self._path(name)} is damaged: it does not hold what its name says (SHA-256). {WHAT_TO_DO}"
                )
            yield b""
            yield from file.chunks()
