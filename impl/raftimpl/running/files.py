"""The system calls that a server's disk makes, and errors that say what was wrong, where, and what to do."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from raftimpl.running.ports import DiskError

CHUNK = 1 << 20
"""Bytes that are read at once."""

UNFINISHED = ".new"
"""How the names of files end that are being written, and mean nothing yet."""

ADVICE = {
    errno.ENOSPC: "make room on this disk, then start the server again; nothing that was acknowledged is lost",
    errno.EDQUOT: "raise the quota of this user, then start the server again; nothing that was acknowledged is lost",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f), then start the server again;"
    " nothing that was acknowledged is lost",
    errno.EROFS: "the file system is mounted read-only; a server needs one that it can write to",
    errno.EACCES: "the user who runs the server must own the folder and may have to enter the folders above it",
    errno.EPERM: "the user who runs the server must own the folder and may have to enter the folders above it",
    errno.ENOTDIR: "a data folder is a folder of its own; give the path of one, or of one that can be created",
    errno.EEXIST: "a data folder is a folder of its own; give the path of one, or of one that can be created",
    errno.EIO: "the device has failed: do not trust it with this data any longer",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}
"""What to do about an error of the operating system."""


class System:
    """All system calls that the disk makes. Tests have another system, one that loses power."""

    open = staticmethod(os.open)
    close = staticmethod(os.close)
    pread = staticmethod(os.pread)
    pwrite = staticmethod(os.pwrite)
    ftruncate = staticmethod(os.ftruncate)
    fdatasync = staticmethod(os.fdatasync)
    fsync = staticmethod(os.fsync)
    rename = staticmethod(os.rename)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)
    listdir = staticmethod(os.listdir)
    isdir = staticmethod(os.path.isdir)
    flock = staticmethod(fcntl.flock)


SYSTEM = System()


@contextlib.contextmanager
def doing(what: str, path: Path) -> Iterator[None]:
    """Turn an error of the operating system into a DiskError that names the file and says what to do."""
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0)
        raise DiskError(f"cannot {what} {path}: {error.strerror}" + (f"; {advice}" if advice else "")) from error


class File:
    """An open file. All methods raise DiskError."""

    def __init__(self, system: System, path: Path, flags: int, what: str) -> None:
        self._system, self.path = system, path
        with doing(what, path):
            self._descriptor = system.open(str(path), flags | os.O_CLOEXEC, 0o600)

    def write(self, data: bytes, offset: int) -> None:
        """Write all of `data` at an offset."""
        with doing("write to", self.path):
            written = 0
            while written < len(data):
                rest = memoryview(data)[written:] if written else data
                written += self._system.pwrite(self._descriptor, rest, offset + written)

    def chunks(self) -> Iterator[bytes]:
        """Yield what the file holds, from its beginning on."""
        offset = 0
        while True:
            with doing("read", self.path):
                chunk = self._system.pread(self._descriptor, CHUNK, offset)
            if not chunk:
                return
            offset += len(chunk)
            yield chunk

    def truncate(self, size: int) -> None:
        """Cut the file off after `size` bytes."""
        with doing("truncate", self.path):
            self._system.ftruncate(self._descriptor, size)

    def sync_data(self) -> None:
        """Return when what was written, and what is needed to read it, is on the device."""
        with doing("sync", self.path):
            self._system.fdatasync(self._descriptor)

    def sync(self) -> None:
        """Return when everything about the file itself is on the device; its name is its folder's business."""
        with doing("sync", self.path):
            self._system.fsync(self._descriptor)

    def lock(self) -> bool:
        """Lock the file for this opening of it alone, and tell whether that was possible."""
        with doing("lock", self.path):
            try:
                self._system.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            with doing("close", self.path):
                self._system.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Files:
    """What the disk does with whole files and folders. All methods raise DiskError."""

    def __init__(self, system: System = SYSTEM) -> None:
        self.system = system

    def create(self, path: Path) -> File:
        """Open a new file, or an old one emptied."""
        return File(self.system, path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, "create")

    def open(self, path: Path) -> File:
        """Open a file that is there, to read and write."""
        return File(self.system, path, os.O_RDWR, "open")

    def open_to_read(self, path: Path) -> File:
        """Open a file that is there, to read."""
        return File(self.system, path, os.O_RDONLY, "read")

    def open_lock(self, path: Path) -> File:
        """Open a file that may or may not be there."""
        return File(self.system, path, os.O_RDWR | os.O_CREAT, "open")

    def read(self, path: Path) -> bytes:
        """Return all that a file holds."""
        with self.open_to_read(path) as file:
            return b"".join(file.chunks())

    def replace(self, path: Path, content: bytes) -> None:
        """Make a file durable with this content, or let it be as it was: no crash leaves anything between."""
        unfinished = path.with_name(path.name + UNFINISHED)
        with self.create(unfinished) as file:
            file.write(content, 0)
            file.sync()
        self.rename(unfinished, path)
        self.sync_folder(path.parent)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file another name in the same folder; durable after `sync_folder`."""
        with doing("rename to", new):
            self.system.rename(str(old), str(new))

    def remove(self, path: Path) -> None:
        """Remove a file; durable after `sync_folder`."""
        with doing("remove", path):
            self.system.unlink(str(path))

    def names(self, folder: Path) -> list[str]:
        """Return the names of what is in a folder, in order."""
        with doing("list", folder):
            return sorted(self.system.listdir(str(folder)))

    def make_folder(self, path: Path) -> None:
        """Create a folder and those above it, unless they are there; durable after `sync_way_to`."""
        if self.system.isdir(str(path)):
            return
        if path.parent != path:
            self.make_folder(path.parent)
        with doing("create", path):
            self.system.mkdir(str(path), 0o700)

    def sync_way_to(self, path: Path) -> None:
        """Make the names of a folder and of those above it durable, whoever has created them.

        Folders that may not be read are left out: this user has not created what is in them.
        """
        for folder in path.parents:
            try:
                self.sync_folder(folder)
            except DiskError as error:
                if not isinstance(error.__cause__, PermissionError):
                    raise

    def sync_folder(self, path: Path) -> None:
        """Return when the names in a folder are on the device."""
        with File(self.system, path, os.O_RDONLY | os.O_DIRECTORY, "open") as folder:
            folder.sync()
