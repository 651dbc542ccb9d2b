"""A cluster of real server processes on this machine, with proxies between them."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from raftcheck.torture.gateway import Gateway
from raftcheck.torture.proxies import Proxies
from raftcheck.torture.server import CANNOT_WORK
from raftimpl.running.records import Position, decode_mark

HEARTBEAT, ELECTION = 100, 600
"""Milliseconds."""

SNAPSHOT_COUNT = 30
"""Entries; a few, so that logs are cut and snapshots sent."""

DISK_BYTES = 16 << 20
"""The size of each server's disk, where it has one of its own."""

Process = asyncio.subprocess.Process


class Stopped(NamedTuple):
    """A server that has stopped by itself and should not have: its exit code, and the end of its log."""

    server: int
    code: int
    log: str


class Disk:
    """Where a server's folder is: a small file system of its own, if this process may make one, so it can be full."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "raftproof", str(path)]
        has_mount = os.geteuid() == 0 and shutil.which("mount") is not None
        self.is_small = has_mount and subprocess.run(command, capture_output=True, check=False).returncode == 0

    def fill(self) -> None:
        """Use all of its space."""
        with suppress(OSError), (self.path / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(1 << 16))

    def free(self) -> None:
        """Give the space back."""
        (self.path / "filler").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the file system, and what is on it."""
        if self.is_small:
            subprocess.run(["umount", "--lazy", str(self.path)], capture_output=True, check=False)


class RealCluster:
    """Servers 0, 1, ..., each a process or down."""

    def __init__(self, folder: Path, servers: int, mutant: str | None) -> None:
        self.servers, self.folder, self._mutant = servers, folder, mutant
        self.names = [f"s{server}" for server in range(servers)]
        ports = free_ports(2 * servers)
        self.client_ports, self._peer_ports = ports[:servers], ports[servers:]
        self.gateway = Gateway(self.client_ports)
        self.proxies = Proxies(self._peer_ports)
        self.disks = [Disk(folder / "disks" / name) for name in self.names]
        self.processes: dict[int, Process] = {}
        self.stopped: list[Stopped] = []
        self.counts: Counter[str] = Counter()
        self.may_stop: set[int] = set()
        """Servers whose disks are full or damaged: they may stop by themselves."""
        self._held: set[int] = set()
        self._starting = [asyncio.Lock() for _ in range(servers)]
        self._watching: set[asyncio.Task[None]] = set()

    async def begin(self) -> None:
        """Start everything."""
        await self.proxies.start()
        for server in range(self.servers):
            await self.start(server)

    async def end(self) -> None:
        """End everything: no process is left, and no file system."""
        for server in list(self.processes):
            await self.kill(server)
        await asyncio.gather(*self._watching)
        await self.proxies.stop()

    def remove_disks(self) -> None:
        """Remove the servers' file systems."""
        for disk in self.disks:
            disk.remove()

    # Up and down

    def data_of(self, server: int) -> Path:
        """Return a server's data folder."""
        return self.disks[server].path / "data"

    def trace_of(self, server: int) -> Path:
        """Return the file in which a server writes down what it does."""
        return self.folder / f"{self.names[server]}.trace"

    def log_of(self, server: int) -> Path:
        """Return a server's log for people."""
        return self.folder / f"{self.names[server]}.log"

    def options(self, server: int) -> Iterator[str]:
        """Yield a server's options: it finds the others at proxies."""
        found = {
            other: self._peer_ports[other] if other == server else self.proxies.ports[server, other]
            for other in range(self.servers)
        }
        urls = [f"{self.names[other]}=http://127.0.0.1:{port}" for other, port in found.items()]
        yield from ("--name", self.names[server], "--data-dir", str(self.data_of(server)))
        yield from ("--listen-peer-urls", f"http://127.0.0.1:{self._peer_ports[server]}")
        yield from ("--listen-client-urls", f"http://127.0.0.1:{self.client_ports[server]}")
        yield from ("--initial-cluster", ",".join(urls), "--trace", str(self.trace_of(server)))
        yield from ("--heartbeat-interval", str(HEARTBEAT), "--election-timeout", str(ELECTION))
        yield from ("--snapshot-count", str(SNAPSHOT_COUNT))

    async def start(self, server: int) -> None:
        """Start a server that is down, unless somebody is at work on its files."""
        async with self._starting[server]:
            if server not in self.processes and server not in self._held:
                await self.launch(server)

    @asynccontextmanager
    async def held_down(self, server: int) -> AsyncIterator[bool]:
        """Kill a server, and let nobody start it meanwhile. False if somebody else is at it: one at a time."""
        if server in self._held:
            yield False
            return
        self._held.add(server)
        try:
            async with self._starting[server]:
                await self.kill_at_once(server)
            yield True
        finally:
            self._held.discard(server)

    async def launch(self, server: int) -> None:
        """Start a server, whatever else."""
        mutant = [self._mutant] if self._mutant else []
        command = [sys.executable, "-m", "raftcheck.torture.server", *mutant, *self.options(server)]
        with self.log_of(server).open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.processes[server] = process
        self.counts["starts"] += 1
        task = asyncio.create_task(self._watch(server, process))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _watch(self, server: int, process: Process) -> None:
        """Wait for a process to end; if it was not killed, note that."""
        code = await process.wait()
        if self.processes.get(server) is not process:
            return
        del self.processes[server]
        if code == CANNOT_WORK and server in self.may_stop:
            self.counts["stopped by the disk"] += 1
            return
        self.stopped.append(Stopped(server, code, tail_of(self.log_of(server))))

    async def kill(self, server: int) -> None:
        """End a server as a crash of its process does (kill -9), unless somebody is at work on its files."""
        if server not in self._held:
            await self.kill_at_once(server)

    async def kill_at_once(self, server: int) -> None:
        """End a server, whatever else."""
        process = self.processes.pop(server, None)
        if process is not None:
            send_signal(process, signal.SIGKILL)
            await process.wait()
            self.counts["kills"] += 1

    def pause(self, server: int) -> None:
        """Let a server do nothing (SIGSTOP)."""
        if server in self.processes:
            send_signal(self.processes[server], signal.SIGSTOP)

    def resume(self, server: int) -> None:
        """Let a server go on."""
        if server in self.processes:
            send_signal(self.processes[server], signal.SIGCONT)

    async def ended(self, server: int, patience: float) -> bool:
        """Wait until a server has ended by itself; tell whether it has."""
        process = self.processes.get(server)
        if process is None:
            return True
        try:
            await asyncio.wait_for(process.wait(), patience)
        except TimeoutError:
            return False
        await asyncio.sleep(0)
        return True

    # What is known of servers

    def mark_of(self, server: int) -> Position | None:
        """Return up to where a server's log was synced, as it says itself."""
        try:
            return decode_mark((self.data_of(server) / "synced").read_bytes())
        except OSError:
            return None

    async def leader(self) -> int | None:
        """Return the server that says that it leads, if one does."""
        for server in list(self.processes):
            try:
                async with asyncio.timeout(0.5):
                    status = await self.gateway.call(server, "maintenance/status", {})
            except Exception:
                continue
            if status.get("leader") == status["header"]["member_id"]:
                return server
        return None


def send_signal(process: Process, number: signal.Signals) -> None:
    """Send a signal to a process that may have ended."""
    try:
        process.send_signal(number)
    except ProcessLookupError:
        return


def tail_of(log: Path) -> str:
    """Return the last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on at the moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
