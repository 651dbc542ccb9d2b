"""A server's data folder: whose it is, who has it open, what the operating system refuses; snapshots in it."""

import asyncio
import ctypes
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from raftimpl.errors import InvariantViolationError, MalformedInputError
from raftimpl.messages import Entry, Snapshot
from raftimpl.running.folder import Folder
from raftimpl.running.openings import KEPT, Openings
from raftimpl.running.ports import Disk, DiskError, MissingSnapshotError
from raftimpl.state import DurableState
from raftimpl.step import Persist
from tests.running.power import PowerSystem


def opened(path: Path, cluster: int = 7, member: int = 1) -> Folder:
    return Folder.create_or_open(path, cluster, member)


def entry(index: int, command: bytes = b"x") -> Persist:
    return Persist(1, 0, index, (Entry(1, command),))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = opened(tmp_path / "data")
    yield folder
    folder.close()


async def each(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def test_a_folder_is_a_disk(tmp_path: Path) -> None:
    folder: Disk = opened(tmp_path / "not" / "yet" / "there")
    assert (folder.durable, folder.records, folder.incarnation) == (DurableState(), 0, 1)


def test_what_was_synced_is_there_again(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    assert [folder.append(entry(1)), folder.append(entry(2, b"y"))] == [1, 2]
    asyncio.run(folder.sync())
    folder.append(entry(3))
    folder.close()
    again = opened(tmp_path)
    assert again.durable == DurableState(1, 0, DurableState().log.extended((Entry(1, b"x"), Entry(1, b"y"))))
    assert (again.records, again.incarnation, again.repaired) == (2, 2, "")
    again.close()


def test_syncs_at_the_same_time(tmp_path: Path) -> None:
    """Each returns when what was appended before it is durable; one that was cancelled takes nothing away."""

    async def write(folder: Folder) -> None:
        is_free = threading.Event()
        folder._syncing.submit(is_free.wait)
        syncs = []
        for index in range(1, 11):
            folder.append(entry(index))
            syncs.append(asyncio.create_task(folder.sync()))
            await asyncio.sleep(0)
        syncs[3].cancel()
        await asyncio.wait({syncs[3]})
        is_free.set()
        await syncs[-1]

    folder = opened(tmp_path)
    asyncio.run(write(folder))
    folder.close()
    again = opened(tmp_path)
    assert again.durable.log.last_index == again.records == 10
    again.close()


# What other servers know of it


def met(path: Path, marks: Sequence[int]) -> bool:
    folder = opened(path)
    try:
        return asyncio.run(folder.meet(2, marks))
    finally:
        folder.close()


def marks_of(path: Path) -> tuple[int, ...]:
    folder = opened(path)
    try:
        return asyncio.run(folder.show_marks())
    finally:
        folder.close()


def test_a_folder_is_known_by_its_openings(tmp_path: Path) -> None:
    """One that goes on is welcome however often it was opened; a new one or an older copy never is."""
    mine, other, copy = tmp_path / "mine", tmp_path / "other", tmp_path / "copy"
    assert met(mine, marks_of(other))
    shutil.copytree(other, copy)
    assert met(mine, marks_of(other))
    for _ in range(3):
        assert not met(mine, marks_of(copy))
        assert not met(mine, marks_of(tmp_path / "new"))
    for _ in range(3):
        marks_of(other)
    assert met(mine, marks_of(other))
    assert met(mine, marks_of(other)[:7])


def test_servers_that_are_met_at_the_same_time(folder: Folder) -> None:
    async def meet_all() -> list[bool]:
        return await asyncio.gather(*(folder.meet(server, [server]) for server in range(50)))

    assert all(asyncio.run(meet_all()))
    assert not asyncio.run(folder.meet(49, [0]))


def test_a_server_that_starts_often_in_vain_keeps_its_old_marks(tmp_path: Path) -> None:
    last = marks_of(tmp_path)[-1]
    for _ in range(5):
        opened(tmp_path).close()
    marks = marks_of(tmp_path)
    assert (len(marks), marks[0]) == (2, last)
    assert opened_often(tmp_path) == 7


def opened_often(path: Path) -> int:
    folder = opened(path)
    folder.close()
    return folder.incarnation - 1


def test_the_oldest_marks_are_forgotten() -> None:
    openings = Openings()
    for _ in range(KEPT):
        openings = replace(openings.with_another(0), is_shown=True)
    later = openings.with_another(0)
    assert (later.count, len(later.marks)) == (KEPT + 1, KEPT)
    assert later.marks[:-1] == openings.marks[1:]


def test_a_log_from_another_time_is_refused(tmp_path: Path) -> None:
    """The rest of the folder is as it was."""
    data, copy = tmp_path / "data", tmp_path / "copy"
    for number in range(1, 3):
        folder = opened(data)
        folder.append(entry(number))
        asyncio.run(folder.sync())
        folder.close()
        if number == 1:
            shutil.copytree(data, copy)
    opened(data).close()
    for name in ("wal", "synced", "snapshots"):
        there = data / name
        if there.is_dir():
            shutil.rmtree(there)
            shutil.copytree(copy / name, there)
        else:
            shutil.copy(copy / name, there)
    with pytest.raises(
        DiskError, match=f"{data / 'wal'} ends with record 1, and had 2 when the folder was last opened"
    ):
        opened(data)


# Whose it is


@pytest.mark.parametrize(("cluster", "member", "text"), [(255, 1, "cluster 7"), (7, 255, "member 1")])
def test_anothers_folder(tmp_path: Path, cluster: int, member: int, text: str) -> None:
    opened(tmp_path).close()
    with pytest.raises(DiskError, match=rf"{tmp_path} belongs to {text}, and this server is of \w+ ff: give every"):
        opened(tmp_path, cluster, member)
    opened(tmp_path).close()


def test_a_folder_that_is_something_elses(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DiskError, match=f"{tmp_path} holds 'holiday.jpg' and is no data folder"):
        opened(tmp_path)
    assert os.listdir(tmp_path) == ["holiday.jpg"]


def test_two_openings_at_once(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    with pytest.raises(DiskError, match=f"{tmp_path} is in use by process {os.getpid()}: a data folder belongs to one"):
        opened(tmp_path)
    folder.close()
    opened(tmp_path).close()


def test_two_processes(tmp_path: Path) -> None:
    """The second is told which process is the first; a process that was killed holds nothing."""
    code = (
        "import sys; from pathlib import Path; from raftimpl.running.folder import Folder;"
        f"folder = Folder.create_or_open(Path({str(tmp_path)!r}), 7, 1); print('open', flush=True); sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(DiskError, match=f"{tmp_path} is in use by process {other.pid}:"):
            opened(tmp_path)
        other.kill()
    opened(tmp_path).close()


SMALL_FILES: list[tuple[str, Callable[[bytes], bytes], str]] = [
    ("identity", lambda content: content[:-2], "identity is damaged: the checksum does not match"),
    ("identity", lambda content: content.replace(b"7", b"8"), "identity is damaged: the checksum does not match"),
    ("openings", lambda content: content.replace(b"1", b"2"), "openings is damaged: the checksum does not match"),
    ("openings", lambda _: b"", "openings is damaged"),
    ("openings", lambda _: b'"x"\n23e6af44\n', "openings is damaged"),
    ("peers", lambda _: b"{}", "peers is damaged"),
]


@pytest.mark.parametrize(("name", "change", "text"), SMALL_FILES)
def test_damaged_small_files(tmp_path: Path, name: str, change: Callable[[bytes], bytes], text: str) -> None:
    opened(tmp_path).close()
    (tmp_path / name).write_bytes(change((tmp_path / name).read_bytes()))
    with pytest.raises(DiskError, match=f"{tmp_path}/{text}"):
        opened(tmp_path)


@pytest.mark.parametrize("name", ["openings", "peers", "wal", "snapshots"])
def test_missing_parts(tmp_path: Path, name: str) -> None:
    data, kept = tmp_path / "data", tmp_path / "kept"
    opened(data).close()
    (data / name).rename(kept)
    with pytest.raises(
        DiskError, match=rf"cannot \w+ {data}/{name}: No such file .*; bring that back as it was, and do"
    ):
        opened(data)
    assert not (data / name).exists()
    kept.rename(data / name)
    opened(data).close()


def test_a_missing_mark(tmp_path: Path) -> None:
    opened(tmp_path).close()
    (tmp_path / "synced").unlink()
    with pytest.raises(DiskError, match=f"{tmp_path}/synced is damaged at offset 0: the file is missing"):
        opened(tmp_path)


def test_another_format(tmp_path: Path) -> None:
    from raftimpl.running.sealed import seal

    opened(tmp_path).close()
    (tmp_path / "identity").write_bytes(seal({"format": 2, "cluster": "7", "member": "1"}))
    with pytest.raises(DiskError, match="identity says format 2; this version reads format 1"):
        opened(tmp_path)


@pytest.mark.parametrize("kind", ["records", "snapshots"])
def test_a_missing_identity_does_not_make_a_new_server(tmp_path: Path, kind: str) -> None:
    """Only what was left by an unfinished creation may be created anew."""
    folder = opened(tmp_path)
    if kind == "records":
        folder.append(entry(1))
        asyncio.run(folder.sync())
    else:
        asyncio.run(folder.save_snapshot(1, iter([b"state"])))
    folder.close()
    (tmp_path / "identity").unlink()
    with pytest.raises(DiskError, match=f"{tmp_path}/identity is missing, but the folder was in use"):
        opened(tmp_path)


# What the operating system refuses


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=f"cannot create {tmp_path}/file: File exists; a data folder is a folder"):
        opened(tmp_path / "file")
    with pytest.raises(DiskError, match=f"cannot create {tmp_path}/file: File exists; a data folder is a folder"):
        opened(tmp_path / "file" / "x")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (errno.EACCES, "Permission denied; the user who runs the server must own the folder"),
        (errno.EROFS, "Read-only file system; the file system is mounted read-only"),
        (errno.ENOSPC, "No space left on device; make room on this disk"),
        (errno.EMFILE, r"Too many open files; raise the limit on open files"),
        (errno.EINTR, "Interrupted system call$"),
    ],
)
def test_errors_name_the_file_and_say_what_to_do(number: int, text: str) -> None:
    system = PowerSystem()
    system.mkdir("/data")
    system.names.clear()
    system.calls = 0
    system.fail_at = {2: number}  # the first but listing what is there
    with pytest.raises(DiskError, match=f"cannot open /data/lock: {text}"):
        Folder.create_or_open(Path("/data"), 7, 1, system=system)
    assert system.names[1] == "create"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a file system")
def test_a_full_disk(tmp_path: Path) -> None:
    """An error once, then no more writes; with room again, all is there that was synced."""
    with mounted(tmp_path, "size=300k"):
        folder, synced = opened(tmp_path / "data"), 0

        async def fill() -> None:
            nonlocal synced
            for index in range(1, 1000):
                folder.append(entry(index, b"x" * 1000))
                await folder.sync()
                synced = index

        with pytest.raises(DiskError, match=rf"cannot write to {tmp_path}/data/wal/0001.wal: No space left"):
            asyncio.run(fill())
        assert synced > 100
        with pytest.raises(DiskError, match="is not to be used any more: cannot write to"):
            folder.append(entry(synced + 1))
        with pytest.raises(DiskError, match="is not to be used any more: cannot write to"):
            asyncio.run(folder.sync())
        with pytest.raises(DiskError, match="is not to be used any more: cannot write to"):
            asyncio.run(folder.save_snapshot(1, iter([b""])))
        folder.close()
        with pytest.raises(DiskError, match="No space left on device; make room on this disk, then start"):
            opened(tmp_path / "data")
        remounted(tmp_path, "size=900k")
        again = opened(tmp_path / "data")
        assert synced <= again.durable.log.last_index <= synced + 1
        again.close()
        remounted(tmp_path, "ro")
        with pytest.raises(DiskError, match=f"cannot open {tmp_path}/data/lock: Read-only file"):
            opened(tmp_path / "data")


class mounted:  # noqa: N801
    """A file system in memory at a path, for a while."""

    def __init__(self, path: Path, options: str) -> None:
        self._path, self._options = path, options

    def __enter__(self) -> None:
        if mount(self._path, 0, self._options):
            pytest.skip("this container may not mount a file system")

    def __exit__(self, *_: object) -> None:
        LIBC.umount2(os.fsencode(self._path), 2)  # MNT_DETACH


LIBC = ctypes.CDLL(None, use_errno=True)


def mount(path: Path, flags: int, options: str) -> int:
    return int(LIBC.mount(b"tmpfs", os.fsencode(path), b"tmpfs", flags, options.encode()))


def remounted(path: Path, options: str) -> None:
    read_only, remount = 1, 32
    flags = remount | (read_only if options == "ro" else 0)
    assert mount(path, flags, "" if options == "ro" else options) == 0


def test_a_limit_on_the_size_of_files(tmp_path: Path) -> None:
    """A write that is cut short by a limit leaves a torn tail, which nobody was promised."""
    code = f"""
import asyncio, resource, signal
from pathlib import Path
from raftimpl.running.folder import Folder
from tests.running.test_folder import entry
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder = Folder.create_or_open(Path({str(tmp_path)!r}), 7, 1)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
async def fill():
    for index in range(1, 20):
        folder.append(entry(index, b"x" * 900))
        await folder.sync()
        print(index, flush=True)
try:
    asyncio.run(fill())
except Exception as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *synced, text = run.stdout.splitlines()
    assert text.startswith(f"cannot write to {tmp_path}/wal/0001.wal: File too large; raise the limit on the size of")
    again = opened(tmp_path)
    assert again.records == int(synced[-1])
    assert again.repaired.startswith("cut ")
    again.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_folder_of_another_user() -> None:
    with tempfile.TemporaryDirectory() as name:  # tmp_path lies in a folder that others may not even enter
        os.chmod(name, 0o755)
        code = f"""
import os; from pathlib import Path; from raftimpl.running.folder import Folder
os.setgid(65534); os.setuid(65534)
Folder.create_or_open(Path({name!r}) / "data", 7, 1)
"""
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"cannot create {name}/data: Permission denied; the user who runs the server must own" in run.stderr


def test_after_close_nothing_more(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    folder.close()
    folder.close()
    with pytest.raises(DiskError, match=f"{tmp_path} is not to be used any more: {tmp_path} was closed"):
        folder.append(entry(1))
    with pytest.raises(DiskError, match="was closed"):
        asyncio.run(folder.sync())


# Snapshots


def snapshot_of(folder: Folder, index: int, *chunks: bytes) -> bytes:
    return asyncio.run(folder.save_snapshot(index, iter(chunks)))


def files_of(folder: Folder) -> list[str]:
    return sorted(os.listdir(folder.path / "snapshots"))


def test_a_snapshot(folder: Folder) -> None:
    name = snapshot_of(folder, 5, b"one", b"", b"two")
    assert name == b"0000000000000005-25b6746d5172ed6352966a013d93ac846e1110d5a25e8f183b5931f4688842a1"
    assert b"".join(folder.read_snapshot(name)) == b"onetwo"
    assert files_of(folder) == [name.decode()]


def test_a_long_snapshot_in_pieces(folder: Folder) -> None:
    content = os.urandom((5 << 20) + 17)
    name = snapshot_of(folder, 1, content)
    chunks = list(folder.read_snapshot(name))
    assert b"".join(chunks) == content
    assert max(map(len, chunks)) <= 1 << 20


def test_a_snapshot_that_is_not_there(folder: Folder) -> None:
    with pytest.raises(MissingSnapshotError, match="there is no snapshot b'no'"):
        folder.read_snapshot(b"no")


def test_a_damaged_snapshot_is_never_seen(folder: Folder) -> None:
    """Not even its first chunk; also when the file is damaged at its end alone."""
    name = snapshot_of(folder, 1, b"x" * (3 << 20))
    path = folder.path / "snapshots" / name.decode()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DiskError, match=f"{path} is damaged: its SHA-256 is not what its name says"):
        folder.read_snapshot(name)


def test_a_snapshot_that_fails_leaves_nothing(folder: Folder) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"one"
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        asyncio.run(folder.save_snapshot(1, chunks()))
    assert files_of(folder) == []


def test_a_received_snapshot(folder: Folder, tmp_path: Path) -> None:
    other = opened(tmp_path / "other")
    name = snapshot_of(other, 3, b"one", b"two")
    other.close()
    for _ in range(2):
        asyncio.run(folder.receive_snapshot(name, each(b"o", b"netwo")))
        assert b"".join(folder.read_snapshot(name)) == b"onetwo"
        assert files_of(folder) == [name.decode()]


@pytest.mark.parametrize("name", [b"", b"../../etc/passwd", b"0" * 64, b"g" * 16 + b"-" + b"0" * 64])
def test_a_received_name_that_is_none(folder: Folder, name: bytes) -> None:
    with pytest.raises(MalformedInputError, match="is no name of a snapshot"):
        asyncio.run(folder.receive_snapshot(name, each(b"x")))


def test_a_received_snapshot_that_is_another(folder: Folder) -> None:
    """It is refused and not stored; the disk is as good as before."""
    with pytest.raises(MalformedInputError, match="a snapshot of 1 bytes is b'0000000000000001-2d71"):
        asyncio.run(folder.receive_snapshot(b"%016x-%s" % (1, b"0" * 64), each(b"x")))
    folder.append(entry(1))
    asyncio.run(folder.sync())
    wait(folder)
    assert files_of(folder) == []


def test_a_received_snapshot_that_ends_early(folder: Folder) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x"
        raise EOFError("the connection is lost")

    with pytest.raises(EOFError):
        asyncio.run(folder.receive_snapshot(b"%016x-%s" % (1, b"0" * 64), broken()))
    wait(folder)
    assert files_of(folder) == []


def wait(folder: Folder) -> None:
    """Let what happens in other threads come to an end."""
    folder._storing.shutdown()
    folder._syncing.shutdown()


def cut(folder: Folder, index: int, name: bytes) -> None:
    """Make a snapshot part of the durable state."""
    folder.append(Persist(1, 0, index + 1, (), Snapshot(index, 1, name)))
    asyncio.run(folder.sync())


def test_discarding_removes_earlier_snapshots_alone(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    names = [snapshot_of(folder, index, b"%d" % index) for index in (1, 5, 9)]
    cut(folder, 5, names[1])
    folder.discard_before(names[1])
    folder.close()
    assert files_of(folder) == [names[1].decode(), names[2].decode()]
    again = opened(tmp_path)
    assert files_of(folder) == [names[1].decode()], "nobody will ask for the later one any more"
    assert again.durable.log.snapshot.content == names[1]
    again.close()


def test_a_snapshot_can_be_read_to_its_end_when_it_is_removed_meanwhile(folder: Folder) -> None:
    """A follower may still be getting it."""
    old, new = snapshot_of(folder, 1, b"x" * (2 << 20)), snapshot_of(folder, 2, b"new")
    chunks = folder.read_snapshot(old)
    size = len(next(chunks))
    cut(folder, 2, new)
    folder.discard_before(new)
    wait(folder)
    assert files_of(folder) == [new.decode()]
    assert size + sum(map(len, chunks)) == 2 << 20


def test_the_log_cannot_begin_with_what_is_not_there(folder: Folder) -> None:
    with pytest.raises(InvariantViolationError, match="the log cannot begin with snapshot b'no': it is not on disk"):
        folder.append(Persist(1, 0, 2, (), Snapshot(1, 1, b"no")))
    with pytest.raises(DiskError, match="is not to begin with snapshot b'no': that is not durable"):
        folder.discard_before(b"no")


@pytest.mark.parametrize(
    ("is_removed", "text"), [(True, "is missing, and the log begins"), (False, "is damaged: its SHA")]
)
def test_a_folder_whose_snapshot_is_lost_is_refused(tmp_path: Path, is_removed: bool, text: str) -> None:
    folder = opened(tmp_path)
    name = snapshot_of(folder, 1, b"state")
    cut(folder, 1, name)
    folder.close()
    path = tmp_path / "snapshots" / name.decode()
    if is_removed:
        path.unlink()
    else:
        path.write_bytes(b"stale")
    with pytest.raises(DiskError, match=f"{path} {text}"):
        opened(tmp_path)


def test_unfinished_files_are_removed(tmp_path: Path) -> None:
    opened(tmp_path).close()
    for name in ("identity.new", "wal/0002.wal.new", "snapshots/1.new"):
        (tmp_path / name).write_bytes(b"unfinished")
    opened(tmp_path).close()
    assert not list(tmp_path.rglob("*.new"))


def test_a_refusal_changes_nothing(tmp_path: Path) -> None:
    """Whoever looks into the damage finds it as it was."""
    folder = opened(tmp_path)
    folder.append(entry(1))
    asyncio.run(folder.sync())
    folder.close()
    path = tmp_path / "wal" / "0001.wal"
    path.write_bytes(path.read_bytes()[:-1])
    before = contents(tmp_path)
    with pytest.raises(DiskError, match="is damaged"):
        opened(tmp_path)
    assert contents(tmp_path) == before


def contents(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name != "lock"}
