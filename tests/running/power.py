"""A file system in memory that loses power: it may then forget, in whole or in part, whatever was not synced.

It is meaner than real ones: names and contents that were not synced may be lost in any combination. One thing is
granted, as by real disks: what lies within one sector is written whole or not at all.
"""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from random import Random

from raftimpl.running.files import System

SECTOR = 512

Change = Callable[["Inode", Random | None], None]
"""Something that is done to a file or folder: whole, or as much of it as chance will have."""


class Crash(BaseException):
    """The machine has stopped before a system call: no later one does anything either."""


class Inode:
    """A file or a folder: as everybody sees it, as it is on the device, and what was done to it since."""

    def __init__(self, is_folder: bool) -> None:
        self.is_folder = is_folder
        self.content = bytearray()
        self.entries: dict[str, Inode] = {}
        self.durable_content = b""
        self.durable_entries: dict[str, Inode] = {}
        self.since: list[Change] = []

    def sync(self) -> None:
        """Bring to the device what was done since the last time; what a failed sync has forgotten stays behind."""
        device = Inode(self.is_folder)
        device.content, device.entries = bytearray(self.durable_content), dict(self.durable_entries)
        for change in self.since:
            change(device, None)
        self.durable_content, self.durable_entries = bytes(device.content), device.entries
        self.since.clear()

    def after_power_loss(self, random: Random) -> "Inode":
        lost = Inode(self.is_folder)
        lost.content, lost.entries = bytearray(self.durable_content), dict(self.durable_entries)
        for change in chosen(self.since, random):
            change(lost, random)
        lost.entries = {name: entry.after_power_loss(random) for name, entry in lost.entries.items()}
        lost.durable_content, lost.durable_entries = bytes(lost.content), dict(lost.entries)
        return lost


def chosen(changes: list[Change], random: Random) -> list[Change]:
    """Return what the device has seen of some changes."""
    match random.randrange(4):
        case 0:
            return []
        case 1:
            return changes
        case 2:
            return changes[: random.randrange(len(changes) + 1)]
        case _:
            return [change for change in changes if random.random() < 0.5]


def written(data: bytes, offset: int) -> Change:
    def change(file: Inode, random: Random | None) -> None:
        fits_sector = offset // SECTOR == (offset + len(data) - 1) // SECTOR
        is_whole = random is None or fits_sector or random.random() < 0.5
        overwrite(file, data if random is None or is_whole else torn(bytes(file.content), data, offset, random), offset)

    return change


def torn(old: bytes, data: bytes, offset: int, random: Random) -> bytes:
    """Return what a device may have of a write that goes over several sectors: of the others what was there, or zeros.

    `old` is the file before. A sector that is written over is the old or the new one.
    """
    parts, position = [], 0
    while position < len(data):
        size = SECTOR - (offset + position) % SECTOR
        part = data[position : position + size]
        kept = old[offset + position : offset + position + len(part)].ljust(len(part), bytes(1))
        parts.append(part if random.random() < 0.5 else kept)
        position += size
    whole = b"".join(parts)
    return whole if random.random() < 0.5 else whole[: random.randrange(len(whole) + 1)]


def overwrite(file: Inode, data: bytes, offset: int) -> None:
    file.content.extend(bytes(max(0, offset - len(file.content))))
    file.content[offset : offset + len(data)] = data


def truncated(size: int) -> Change:
    def change(file: Inode, _: Random | None) -> None:
        del file.content[size:]

    return change


def linked(name: str, inode: Inode | None, old: str = "") -> Change:
    """A name in a folder begins to mean a file, or nothing any more; another name may stop to."""

    def change(folder: Inode, _: Random | None) -> None:
        folder.entries.pop(old, None)
        folder.entries.pop(name, None)
        if inode is not None:
            folder.entries[name] = inode

    return change


class PowerSystem(System):
    """What `raftimpl.running.files` does, in memory. Stops before call number `stop_at`; fails in `fail_at`."""

    def __init__(self, root: Inode | None = None) -> None:
        self.root = root or Inode(is_folder=True)
        self.calls = 0
        self.names: list[str] = []
        self.stop_at: int | None = None
        self.fail_at: dict[int, int] = {}
        self._open: dict[int, Inode] = {}
        self._locks: dict[int, Inode] = {}
        self._next = 3
        self._mutex = threading.RLock()

    def killed(self) -> "PowerSystem":
        """Return the system as other processes find it after all of this one were killed."""
        return PowerSystem(self.root)

    def unplugged(self, random: Random) -> "PowerSystem":
        """Return the system as it is found after a loss of power."""
        return PowerSystem(self.root.after_power_loss(random))

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        with self._mutex:
            self.calls += 1
            self.names.append(name)
            if self.stop_at is not None and self.calls >= self.stop_at:
                raise Crash
            if self.calls in self.fail_at:
                raise error(self.fail_at[self.calls])
            yield

    def _sync(self, name: str, inode: Inode) -> None:
        """Sync something. If that fails, what a file got is forgotten, and no later sync brings it back: as on Linux.

        (Names are in the journal, and a file system whose journal fails takes no more writes.)
        """
        try:
            with self._call(name):
                inode.sync()
        except OSError:
            if not inode.is_folder:
                inode.since.clear()
            raise

    def _find(self, path: str) -> Inode:
        inode = self.root
        for part in PurePosixPath(path).parts[1:]:
            if not inode.is_folder:
                raise error(errno.ENOTDIR)
            if part not in inode.entries:
                raise error(errno.ENOENT)
            inode = inode.entries[part]
        return inode

    def _change(self, inode: Inode, change: Change) -> None:
        change(inode, None)
        inode.since.append(change)

    def open(self, path: str, flags: int, mode: int = 0o777) -> int:  # type: ignore[override]
        creates = bool(flags & os.O_CREAT)
        with self._call("create" if creates else "open"):
            folder, name = self._find(str(PurePosixPath(path).parent)), PurePosixPath(path).name
            if creates and name not in folder.entries:
                self._change(folder, linked(name, Inode(is_folder=False)))
            inode = self._find(path)
            if flags & os.O_TRUNC and inode.content:
                self._change(inode, truncated(0))
            self._next += 1
            self._open[self._next] = inode
            return self._next

    def close(self, descriptor: int) -> None:  # type: ignore[override]
        with self._call("close"):
            del self._open[descriptor]
            self._locks.pop(descriptor, None)

    def pread(self, descriptor: int, size: int, offset: int) -> bytes:  # type: ignore[override]
        with self._call("pread"):
            return bytes(self._open[descriptor].content[offset : offset + size])

    def pwrite(self, descriptor: int, data: bytes, offset: int) -> int:  # type: ignore[override]
        """Write a part of what is to be written: all of it takes two calls if it is long."""
        with self._call("pwrite"):
            part = bytes(data)[: max(SECTOR, len(data) // 2)]
            self._change(self._open[descriptor], written(part, offset))
            return len(part)

    def ftruncate(self, descriptor: int, size: int) -> None:  # type: ignore[override]
        with self._call("ftruncate"):
            self._change(self._open[descriptor], truncated(size))

    def fdatasync(self, descriptor: int) -> None:  # type: ignore[override]
        self._sync("fdatasync", self._open[descriptor])

    def fsync(self, descriptor: int) -> None:  # type: ignore[override]
        self._sync("fsync", self._open[descriptor])

    def rename(self, old: str, new: str) -> None:  # type: ignore[override]
        with self._call("rename"):
            inode = self._find(old)
            folder = self._find(str(PurePosixPath(new).parent))
            self._change(folder, linked(PurePosixPath(new).name, inode, PurePosixPath(old).name))

    def unlink(self, path: str) -> None:  # type: ignore[override]
        with self._call("unlink"):
            self._find(path)
            self._change(self._find(str(PurePosixPath(path).parent)), linked(PurePosixPath(path).name, None))

    def mkdir(self, path: str, mode: int = 0o777) -> None:  # type: ignore[override]
        with self._call("mkdir"):
            folder = self._find(str(PurePosixPath(path).parent))
            self._change(folder, linked(PurePosixPath(path).name, Inode(is_folder=True)))

    def listdir(self, path: str) -> list[str]:  # type: ignore[override]
        with self._call("listdir"):
            return list(self._find(path).entries)

    def isdir(self, path: str) -> bool:  # type: ignore[override]
        with self._mutex:
            try:
                return self._find(path).is_folder
            except OSError:
                return False

    def flock(self, descriptor: int, operation: int) -> None:  # type: ignore[override]
        with self._call("flock"):
            if self._open[descriptor] in self._locks.values():
                raise error(errno.EAGAIN)
            self._locks[descriptor] = self._open[descriptor]

    # For tests

    def content(self, path: str) -> bytes:
        return bytes(self._find(path).content)

    def put(self, path: str, content: bytes) -> None:
        """Change what a file holds, behind everybody's back."""
        inode = self._find(path)
        inode.since.clear()
        inode.durable_content, inode.content = content, bytearray(content)

    def remove(self, path: str) -> None:
        folder = self._find(str(PurePosixPath(path).parent))
        self._change(folder, linked(PurePosixPath(path).name, None))
        folder.sync()

    def listing(self, path: str) -> list[str]:
        return sorted(self._find(path).entries)


def error(number: int) -> OSError:
    return OSError(number, os.strerror(number))
