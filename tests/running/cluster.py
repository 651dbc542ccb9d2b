"""A small cluster of whole nodes in virtual time, under the hand of a test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import TypeVar

from raftcheck.torture.virtual_time import run
from raftcheck.torture.virtual_world import VirtualDisk, VirtualNetwork, VirtualTransport
from raftimpl.cluster import cluster_of
from raftimpl.running.node import Node
from raftimpl.running.timing import Limits, Timing
from raftimpl.state import Role

T = TypeVar("T")

TIMING = Timing(heartbeat_interval=0.1, election_timeout=1.0, request_timeout=7.0)

PATIENCE = 200.0
"""Virtual seconds after which a test that waits in vain fails."""


class Nodes:
    """The servers of a cluster, those that are up, and what is around them."""

    def __init__(self, servers: int, limits: Limits, seed: int) -> None:
        self.random = Random(seed)
        self.network = VirtualNetwork(self.random)
        self.limits = limits
        self.cluster = cluster_of(servers)
        self.up: dict[int, Node] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}
        for server in range(servers):
            self.network.disks[server] = VirtualDisk(self.random)

    def start(self, server: int) -> Node:
        disk = self.network.disks[server].open()
        transport = VirtualTransport(self.network, server)
        node = Node(self.cluster, server, disk, transport, TIMING, self.limits, self.random)
        self.up[server], self.tasks[server] = node, asyncio.create_task(node.run())
        return node

    async def crash(self, server: int) -> None:
        """Kill a server: nothing of what it does at the end reaches anybody."""
        self.network.disconnect(server)
        self.up.pop(server)
        task = self.tasks.pop(server)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        self.network.disks[server].crash()

    def isolate(self, server: int) -> None:
        for other in range(self.cluster.servers):
            self.network.cut |= {(server, other), (other, server)}

    def heal(self) -> None:
        self.network.cut.clear()

    async def leader(self, among: set[int] | None = None) -> Node:
        """Return the node that leads the greatest term, as soon as one of these leads."""
        while True:
            leads = [
                node
                for server, node in self.up.items()
                if node.state.role is Role.LEADER and (among is None or server in among)
            ]
            if leads:
                return max(leads, key=lambda node: node.state.current_term)
            await asyncio.sleep(0.01)

    async def follower(self) -> Node:
        """Return a node that follows, and knows whom."""
        leader = await self.leader()
        while True:
            for node in self.up.values():
                if node is not leader and node.state.leader_id == leader.state.id:
                    return node
            await asyncio.sleep(0.01)


@asynccontextmanager
async def nodes(servers: int = 3, limits: Limits | None = None, seed: int = 1) -> AsyncIterator[Nodes]:
    world = Nodes(servers, limits or Limits(), seed)
    for server in range(servers):
        world.start(server)
    try:
        yield world
    finally:
        for node in world.up.values():
            node.stop()
        await asyncio.gather(*world.tasks.values(), return_exceptions=True)


def in_virtual_time(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run a test that is a coroutine on a loop whose clock jumps."""

    def wrapped() -> None:
        async def main() -> None:
            async with asyncio.timeout(PATIENCE):
                await test()

        run(main())

    wrapped.__name__ = test.__name__
    return wrapped
