"""The machine stops before each system call in turn. Whatever was synced is there afterwards, and the folder opens."""

import asyncio
import contextlib
import errno
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest

from raftimpl.messages import Snapshot
from raftimpl.running.folder import Folder
from raftimpl.running.ports import DiskError
from raftimpl.step import Persist
from tests.running.power import Crash, PowerSystem
from tests.running.writes import folded, next_write

PATH = Path("/data/server")


def opened(system: PowerSystem) -> Folder:
    return Folder.create_or_open(PATH, 7, 1, segment_bytes=900, system=system)


class Life:
    """What a server has asked of its disk, and what it was promised."""

    def __init__(self, seed: int = 0) -> None:
        self.random = Random(seed)
        self.writes: list[Persist] = []
        self.synced = 0
        self.incarnation = 0
        self.is_closing = False

    async def live(self, system: PowerSystem, rounds: int = 2) -> None:
        """Go through all that a disk does."""
        folder = opened(system)
        self.check(folder)
        for _ in range(rounds):
            await self.write(folder, 4)
            await self.write(folder, 1)
            await self.take_snapshot(folder)
            await self.write(folder, 3)
        await self.write(folder, 1)
        self.append(folder)  # and never sync
        self.is_closing = True
        folder.close()

    def append(self, folder: Folder, write: Persist | None = None) -> None:
        write = write or next_write(self.random, folded(self.writes), snapshots=False)
        self.writes.append(write)
        assert folder.append(write) == len(self.writes)

    async def write(self, folder: Folder, count: int) -> None:
        for _ in range(count):
            self.append(folder)
        await self.sync(folder)

    async def sync(self, folder: Folder) -> None:
        await folder.sync()
        self.synced = len(self.writes)

    async def take_snapshot(self, folder: Folder) -> None:
        """Save the state machine, or get another server's; cut the log."""
        state = folded(self.writes)
        index = self.random.randint(state.log.first_index, state.log.last_index + 3)
        content = [b"state machine ", b"%d" % index]
        name = await folder.save_snapshot(index, iter(content))
        await folder.receive_snapshot(name, each(content))
        first = max(state.log.last_index, index) + 1
        snapshot = Snapshot(index, state.current_term, name)
        self.append(folder, Persist(state.current_term, state.voted_for, first, (), snapshot))
        await self.sync(folder)
        folder.discard_before(name)
        await self.sync(folder)

    def check(self, folder: Folder, is_glimpse: bool = False) -> None:
        """Compare what is there with what was promised; take it for promised, unless it is only one of several ends."""
        assert self.synced <= folder.records <= len(self.writes)
        assert folder.durable == folded(self.writes[: folder.records])
        assert folder.incarnation > self.incarnation
        snapshot = folder.durable.log.snapshot
        if snapshot.last_included_index:
            expected = b"state machine %d" % snapshot.last_included_index
            assert b"".join(folder.read_snapshot(snapshot.content)) == expected
        if not is_glimpse:
            self.writes, self.incarnation = self.writes[: folder.records], folder.incarnation
            self.synced = folder.records


async def each(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def crashed(life: Life, stop_at: int, system: PowerSystem | None = None) -> PowerSystem | None:
    """Let a machine stop before a call; return it, None if it ends before that."""
    system = system or PowerSystem()
    system.stop_at = stop_at
    with contextlib.suppress(Crash, DiskError):
        asyncio.run(life.live(system))
    return system if system.calls >= stop_at else None


def count_of_calls() -> int:
    system = PowerSystem()
    asyncio.run(Life().live(system))
    return system.calls


@pytest.mark.parametrize("part", range(4))
def test_stop_before_every_system_call(part: int) -> None:
    """Whatever call is the last one."""
    for stop_at in range(1 + part, count_of_calls() + 1, 4):
        for chance in range(5):
            life = Life()
            system = crashed(life, stop_at)
            if system is not None:
                folder = opened(system.unplugged(Random(chance)) if chance else system.killed())
                life.check(folder)
                folder.close()


@pytest.mark.parametrize("part", range(4))
def test_kill_before_every_system_call_then_power_loss(part: int) -> None:
    """What the next process builds on is durable, even if it was the one before that had written it."""
    for stop_at in range(1 + part, count_of_calls() + 1, 4):
        life = Life()
        system = crashed(life, stop_at)
        if system is not None:
            system = system.killed()
            asyncio.run(life.live(system, rounds=0))
            check_after_power_loss(life, system)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("part", range(4))
def test_error_in_every_system_call(part: int, number: int) -> None:
    """The disk is full or broken: that is told, nothing more is done, and nothing that was synced is lost."""
    for fail_at in range(1 + part, count_of_calls() + 1, 4):
        life, system = Life(), PowerSystem()
        system.fail_at = {fail_at: number}
        with contextlib.suppress(DiskError):
            asyncio.run(life.live(system))
            assert life.is_closing, f"{system.names[fail_at - 1]} failed, and nobody noticed"
        check_after_power_loss(life, system)
        system = system.killed()
        asyncio.run(life.live(system, rounds=0))
        check_after_power_loss(life, system)


def check_after_power_loss(life: Life, system: PowerSystem) -> None:
    for chance in range(4):
        folder = opened(system.unplugged(Random(chance)))
        life.check(folder, is_glimpse=True)
        folder.close()


@pytest.mark.parametrize("seed", range(40))
def test_crash_after_crash(seed: int) -> None:
    """The process is killed and the power lost, again and again, also while a folder is opened and repaired."""
    random = Random(seed)
    life, system = Life(seed), PowerSystem()
    for _ in range(8):
        crashed(life, random.randrange(1, 160), system)
        system = system.killed() if random.random() < 0.5 else system.unplugged(random)
    folder = opened(system)
    life.check(folder)
    folder.close()
