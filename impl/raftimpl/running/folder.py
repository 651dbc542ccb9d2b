"""The data folder of a server: its disk.

    lock           held by the process that has the folder open
    identity       whose folder it is
    openings       how often it was opened, and by which marks the other servers know it
    peers          the last marks of the other servers
    wal/           what the core has persisted, in segments
    synced         up to where that is durable
    snapshots/     state machines

`identity` comes into being last: without it, the folder is one that was never handed out.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import TypeVar

from msgspec.structs import replace

from raftimpl.errors import MalformedInputError
from raftimpl.running.files import SYSTEM, UNFINISHED, File, Files, System
from raftimpl.running.openings import Acquaintances, Openings
from raftimpl.running.ports import DiskError
from raftimpl.running.records import FORMAT, Damage, Identity, record_at
from raftimpl.running.recovery import WHAT_TO_DO
from raftimpl.running.sealed import read_sealed, seal
from raftimpl.running.snapshots import NAME, Snapshots
from raftimpl.running.wal import SEGMENT_BYTES, WriteAheadLog, create_log
from raftimpl.step import Persist
from raftimpl.values import Value

T = TypeVar("T")

LOCK, IDENTITY, OPENINGS, PEERS, LOG, MARK, SNAPSHOTS = (
    "lock", "identity", "openings", "peers", "wal", "synced", "snapshots"
)  # fmt: skip
NAMES = {LOCK, IDENTITY, OPENINGS, PEERS, LOG, MARK, SNAPSHOTS}
FIRST_SEGMENTS = {"0001.wal", "0001.wal" + UNFINISHED}


class Owner(Value, frozen=True):
    """What the file `identity` says: the folder's version, and whose it is (in hexadecimal, as etcd writes ids)."""

    format: int
    cluster: str
    member: str


class Folder:
    """A `Disk` (see `raftimpl.running.ports`) that is a folder. Everything but `append` may take a while.

    Syncs and snapshots have threads of their own, so that neither waits for the other. When anything has failed,
    whatever comes later raises DiskError: the server must stop, and can be started again.
    """

    def __init__(self, files: Files, path: Path, lock: File, identity: Identity, segment_bytes: int) -> None:
        """Open a folder that was created and is locked: first read all, then repair what may be repaired."""
        self.path, self._files, self._lock = path, files, lock
        check_owner(files, path / IDENTITY, identity)
        openings = read_sealed(files, path / OPENINGS, Openings)
        self._acquaintances = Acquaintances(files, path / PEERS)
        self._log = WriteAheadLog(files, path / LOG, path / MARK, identity, segment_bytes)
        self._snapshots = Snapshots(files, path / SNAPSHOTS)
        self._require_all(openings.records)
        self._openings = openings.with_another(self._log.records)
        self._showing = Lock()
        self.durable = self._log.found.durable
        if self.durable.log.snapshot.last_included_index:
            self._snapshots.verify(self.durable.log.snapshot.content)
        try:
            self.repaired = self._log.repair()
            """What was cut from the log when it was opened, in words; "" if nothing was."""
            self._clean()
        except BaseException:
            self._log.close()
            raise
        self._failure: BaseException | None = None
        self._syncing = ThreadPoolExecutor(1, "sync")
        self._storing = ThreadPoolExecutor(4, "snapshots")

    @classmethod
    def create_or_open(
        cls,
        path: Path,
        cluster_id: int,
        member_id: int,
        segment_bytes: int = SEGMENT_BYTES,
        system: System = SYSTEM,
    ) -> "Folder":
        """Open a server's data folder; create it if there is none. The ids are unsigned, of 64 bits.

        Raises DiskError if another process has it open, if it belongs to another server, if anything that was
        synced is missing or damaged, or if the operating system refuses.
        """
        files, path, identity = Files(system), path.absolute(), Identity(cluster_id, member_id)
        files.make_folder(path)
        refuse_foreign(files, path)
        lock = locked(files, path)
        try:
            if IDENTITY not in files.names(path):
                create(files, path, identity)
            with all_required():
                return cls(files, path, lock, identity, segment_bytes)
        except BaseException:
            lock.close()
            raise

    @property
    def incarnation(self) -> int:
        """The how many-th opening this is, from 1 on."""
        return self._openings.count

    async def show_marks(self) -> tuple[int, ...]:
        """Return by what other servers know the folder: the marks of its openings, this one's last.

        From now on that one is kept, durably, for others may have seen it. Raises DiskError.
        """
        if not self._openings.is_shown:
            await self._store(self._keep_mark)
        return self._openings.marks

    def _keep_mark(self) -> None:
        with self._showing:
            if not self._openings.is_shown:
                shown = replace(self._openings, is_shown=True)
                self._files.replace(self.path / OPENINGS, seal(shown))
                self._openings = shown

    async def meet(self, server: int, marks: Sequence[int]) -> bool:
        """Tell whether another server's folder is the one that was here last, and remember it. Raises DiskError."""
        return await self._store(self._acquaintances.meet, server, marks)

    @property
    def records(self) -> int:
        """The number of the last record that was found, or appended since."""
        return self._log.records

    def append(self, write: Persist) -> int:
        """Take a write into the next sync; return its record's number.

        Raises InvariantViolationError for a write that does not follow on the others, or names a snapshot that is not
        there.
        """
        self._require_usable()
        if write.snapshot is not None:
            self._snapshots.require(write.snapshot.content)
        return self._log.append(write)

    async def sync(self) -> None:
        """Make everything appended so far durable, in its order. Raises DiskError."""
        self._require_usable()
        await self._wait(self._syncing.submit(self._guarded, self._log.write, self._log.take()))

    async def save_snapshot(self, index: int, chunks: Iterator[bytes]) -> bytes:
        """Store a state machine as it was after the entry at `index`, durably; return its name. Raises DiskError.

        The chunks are taken in another thread. If this is cancelled, the snapshot may still come to be.
        """
        return await self._store(self._snapshots.save, index, chunks)

    async def receive_snapshot(self, name: bytes, chunks: AsyncIterator[bytes]) -> None:
        """Store a snapshot that another server sends, durably, under its name. It may be there already.

        Raises DiskError; and MalformedInputError, with nothing stored, for what is no name, or is not what was sent.
        """
        if not NAME.fullmatch(name):
            raise MalformedInputError(f"{name[:100]!r} is no name of a snapshot")
        unfinished = await self._store(self._snapshots.begin)
        try:
            async for chunk in chunks:
                await self._store(unfinished.write, chunk)
            await self._store(unfinished.finish_as, name)
        except BaseException:
            self._store_later(unfinished.abandon)
            raise

    def read_snapshot(self, name: bytes) -> Iterator[bytes]:
        """Return a state machine that was stored, piece by piece, after all of it was verified.

        Raises DiskError if it is damaged, MissingSnapshotError if it is not there (any more).
        """
        return self._snapshots.read(name)

    def discard_before(self, snapshot: bytes) -> None:
        """Remove what is no longer needed now that a snapshot with this name is part of the durable state.

        This happens in another thread; should it fail, the next append or sync raises.
        """
        self._require_usable()
        if self._log.hard.snapshot.content != snapshot:
            raise DiskError(f"{self.path} is not to begin with snapshot {snapshot!r}: that is not durable")
        self._syncing.submit(self._guarded, self._log.discard)
        self._store_later(partial(self._snapshots.remove_before, snapshot))

    def close(self) -> None:
        """Let go of the folder, when what was begun is done. What was appended and not synced is lost."""
        if not isinstance(self._failure, ClosedError):
            self._failure = ClosedError(f"{self.path} was closed")
            self._syncing.shutdown()
            self._storing.shutdown()
            self._log.close()
            self._lock.close()

    def _require_all(self, records: int) -> None:
        """Raise DiskError if the log has fewer records than it had when the folder was last opened."""
        if self._log.records < records:
            raise DiskError(
                f"{self.path / LOG} ends with record {self._log.records}, and had {records} when the folder was last"
                f" opened: it is from another time. {WHAT_TO_DO}"
            )

    def _clean(self) -> None:
        """Remove what only a crash can have left behind; count the opening."""
        self._snapshots.keep_only(self.durable.log.snapshot.content)
        self._log.discard()
        for name in self._files.names(self.path):
            if name.endswith(UNFINISHED):
                self._files.remove(self.path / name)
        self._files.replace(self.path / OPENINGS, seal(self._openings))

    def _require_usable(self) -> None:
        if self._failure is not None:
            raise DiskError(f"{self.path} is not to be used any more: {self._failure}") from self._failure

    def _guarded(self, work: Callable[..., T], *arguments: object) -> T:
        """Do something in another thread, unless something has failed before."""
        if self._failure is not None and not isinstance(self._failure, ClosedError):
            self._require_usable()
        try:
            return work(*arguments)
        except MalformedInputError:
            raise
        except BaseException as error:
            self._failure = self._failure or error
            raise

    async def _store(self, work: Callable[..., T], *arguments: object) -> T:
        """Do something with snapshots in another thread."""
        self._require_usable()
        return await self._wait(self._storing.submit(self._guarded, work, *arguments))

    def _store_later(self, work: Callable[[], None]) -> None:
        """Do something with snapshots in another thread, unless the folder is of no use any more."""
        if self._failure is None:
            self._storing.submit(self._guarded, work)

    async def _wait(self, work: "Future[T]") -> T:
        """Wait for another thread; whoever stops waiting does not stop the work."""
        return await asyncio.shield(asyncio.wrap_future(work))


class ClosedError(DiskError):
    """The folder was closed."""


def refuse_foreign(files: Files, path: Path) -> None:
    """Raise DiskError if a folder holds what no data folder does: then it is something else's."""
    names = files.names(path)
    others = [name for name in names if name.removesuffix(UNFINISHED) not in NAMES]
    if IDENTITY not in names and others:
        raise DiskError(
            f"{path} holds {others[0]!r} and is no data folder: give the path of an empty folder, or a new one"
        )


def locked(files: Files, path: Path) -> File:
    """Return the lock of a folder, held, with this process's number in it. Raises DiskError if another holds it."""
    lock = files.open_lock(path / LOCK)
    try:
        if not lock.lock():
            pid = b"".join(lock.chunks()).strip().decode("ascii", "replace")
            holder = f"process {pid}" if pid.isdecimal() else "another process"
            raise DiskError(
                f"{path} is in use by {holder}: a data folder belongs to one server; stop the other one first"
            )
        lock.truncate(0)
        lock.write(b"%d\n" % os.getpid(), 0)
    except BaseException:
        lock.close()
        raise
    return lock


def create(files: Files, path: Path, identity: Identity) -> None:
    """Make a data folder of one that is empty, or was left by a crash in here. Raises DiskError if it holds more."""
    files.make_folder(path / LOG)
    files.make_folder(path / SNAPSHOTS)
    segments = files.names(path / LOG)
    if files.names(path / SNAPSHOTS) or not FIRST_SEGMENTS.issuperset(segments) or has_records(files, path, segments):
        raise DiskError(
            f"{path / IDENTITY} is missing, but the folder was in use: bring the file back, and do not start the server"
            " without it"
        )
    files.sync_way_to(path / LOG)
    create_log(files, path / LOG, path / MARK, identity)
    files.replace(path / OPENINGS, seal(Openings()))
    files.replace(path / PEERS, seal({}))
    owner = Owner(FORMAT, f"{identity.cluster:x}", f"{identity.member:x}")
    files.replace(path / IDENTITY, seal(owner))


def has_records(files: Files, path: Path, segments: list[str]) -> bool:
    """Tell whether the first segment holds more than its head."""
    if "0001.wal" not in segments:
        return False
    data = memoryview(files.read(path / LOG / "0001.wal"))
    head = record_at(data, 0, 0)
    return isinstance(head, Damage) or head.end < len(data)


@contextmanager
def all_required() -> Iterator[None]:
    """Let errors say what to do if a part of a folder that was handed out is missing."""
    try:
        yield
    except DiskError as error:
        if not isinstance(error.__cause__, FileNotFoundError):
            raise
        raise DiskError(
            f"{error}: the folder was in use; bring that back as it was, and do not start the server without it"
        ) from error.__cause__


def check_owner(files: Files, path: Path, identity: Identity) -> None:
    """Raise DiskError if a folder is another server's, or of another version."""
    owner = read_sealed(files, path, Owner)
    if owner.format != FORMAT:
        raise DiskError(f"{path} says format {owner.format}; this version reads format {FORMAT}")
    for what, found, wanted in (
        ("cluster", owner.cluster, identity.cluster),
        ("member", owner.member, identity.member),
    ):
        if found != f"{wanted:x}":
            raise DiskError(
                f"{path.parent} belongs to {what} {found}, and this server is of {what} {wanted:x}:"
                " give every server a data folder of its own"
            )
