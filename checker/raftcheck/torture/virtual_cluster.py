"""A cluster of whole servers in one process, in virtual time: started, crashed, and asked."""

import asyncio
import io
from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

from raftcheck.torture.clients import RefusedError, UnknownOutcomeError
from raftcheck.torture.host import Host, HostLoop
from raftcheck.torture.virtual_world import VirtualDisk, VirtualNetwork, VirtualTransport
from raftcheck.torture.watching import Watching
from raftimpl.cluster import cluster_of
from raftimpl.errors import RaftError
from raftimpl.rules import Rules
from raftimpl.running.node import Node
from raftimpl.running.ports import DiskError
from raftimpl.running.recorder import Recorder
from raftimpl.running.timing import Limits, Timing
from raftimpl.state import Role, ServerState
from raftimpl.step import Input, Restore, Step
from raftimpl.store.errors import Code, RequestError
from raftimpl.store.requests import Range, Write

TIMING = Timing(heartbeat_interval=0.05, election_timeout=0.3, request_timeout=1.5)
"""Shorter than in real clusters: so more happens in less time."""

LIMITS = Limits(batch_requests=8, inputs=16, snapshot_entries=12, catch_up_entries=4)
"""So small that logs are cut, and snapshots sent, all the time."""

MAX_APPEND_ENTRIES = 4

RESTART_AFTER = 1.0
"""Seconds until a server is started again that its disk has failed."""


class Build(NamedTuple):
    """What the servers are made of; mutants are made of something else."""

    rules: Rules = Rules()
    node: type[Node] = Node
    disk: type[VirtualDisk] = VirtualDisk


class Stopped(NamedTuple):
    """A server that must not go on, and why."""

    server: int
    error: BaseException


class Tally(Recorder):
    """A server's part of the trace, and counts of what is rare in it."""

    def __init__(self, file: io.BytesIO, names: Sequence[str], counts: Counter[str]) -> None:
        super().__init__(file, names)
        self._counts = counts

    def stepped(self, clock: int, before: ServerState, input: Input, step: Step, records: int) -> None:
        """Note a step."""
        super().stepped(clock, before, input, step, records)
        after = step.state
        self._counts["steps"] += 1
        self._counts["elections won"] += after.role is Role.LEADER and before.role is not Role.LEADER
        if before.log.snapshot != after.log.snapshot:
            is_installed = any(isinstance(output, Restore) for output in step.outputs)
            self._counts["snapshots installed" if is_installed else "logs cut"] += 1


class VirtualCluster:
    """Servers 0, 1, ..., each with its disk and its machine, some of them up."""

    def __init__(self, seed: object, servers: int, build: Build) -> None:
        self.servers, self.build, self._seed = servers, build, seed
        self.network = VirtualNetwork(Random(f"{seed}/network"))
        self.names = [f"s{server}" for server in range(servers)]
        self.nodes: dict[int, Node] = {}
        self.stopped: list[Stopped] = []
        self.is_calm = False
        self.counts: Counter[str] = Counter()
        self.traces = [io.BytesIO() for _ in range(servers)]
        loop = asyncio.get_running_loop()
        self.hosts = [Host(loop) for _ in range(servers)]
        self.disks = [build.disk(Random(f"{seed}/disk {server}")) for server in range(servers)]
        self.network.disks.update(enumerate(self.disks))
        self._witnesses = [Tally(file, self.names, self.counts) for file in self.traces]
        self._loops: dict[int, HostLoop] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._unwinding: list[asyncio.Task[None]] = []
        self.watching: dict[int, Watching] = {}

    # Up and down

    def start(self, server: int) -> None:
        """Start a server that is down and may go on."""
        if server in self.nodes or any(stopped.server == server for stopped in self.stopped):
            return
        disk = self.disks[server].open()
        loop = self._loops[server] = HostLoop(self.hosts[server])
        try:
            node = self.build.node(
                cluster_of(self.servers, self.build.rules, MAX_APPEND_ENTRIES),
                server,
                disk,
                VirtualTransport(self.network, server),
                TIMING,
                LIMITS,
                Random(f"{self._seed}/server {server}, life {disk.incarnation}"),
                self._witnesses[server],
                loop,  # type: ignore[arg-type]
            )
        except RaftError as error:
            self.stopped.append(Stopped(server, error))
            return
        self.nodes[server] = node
        self.watching[server] = Watching(self.names, node)
        self._tasks[server] = asyncio.create_task(self._live(server, node))

    async def _live(self, server: int, node: Node) -> None:
        """Let a server live until it is killed, or stops by itself."""
        try:
            await self.hosts[server].run(node.run())
        except DiskError:
            self.counts["stopped by the disk"] += 1
            self.crash(server)
            asyncio.get_running_loop().call_later(RESTART_AFTER, self.start, server)
        except Exception as error:
            self.stopped.append(Stopped(server, error))
            self.crash(server)

    def crash(self, server: int) -> None:
        """Kill a server at once, as when the power fails."""
        if self.nodes.pop(server, None) is None:
            return
        self.counts["crashes"] += 1
        self._loops[server].end()
        self._unwind(self.watching.pop(server).task)
        self.network.disconnect(server)
        self.disks[server].crash()
        task = self._tasks.pop(server)
        if task is not asyncio.current_task():
            self._unwind(task)

    def _unwind(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        self._unwinding.append(task)

    async def end(self) -> None:
        """Kill all servers, and wait until nothing of them is left."""
        for server in list(self.nodes):
            self.crash(server)
        await asyncio.gather(*self._unwinding, return_exceptions=True)

    @property
    def leader(self) -> int | None:
        """The server that leads the latest term, as far as any is up."""
        leading = [(node.state.current_term, s) for s, node in self.nodes.items() if node.state.role is Role.LEADER]
        return max(leading)[1] if leading else None

    # For clients

    async def ask(self, server: int, request: Write | Range) -> Any:
        """Ask a server and return its answer. Raises RefusedError or UnknownOutcomeError."""
        await self.hosts[server].awake()
        node = self.nodes.get(server)
        if node is None:
            raise RefusedError("connection refused")
        try:
            if not isinstance(request, Range):
                return await node.write(request)
            if not request.serializable:
                await node.confirm_read()
                await self.hosts[server].awake()
            if self.nodes.get(server) is not node:
                raise RefusedError("the connection ended")
            return node.machine.store.read(request)
        except RequestError as error:
            if error.code in (Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED):
                raise UnknownOutcomeError(error.text) from error
            raise RefusedError(error.text) from error
