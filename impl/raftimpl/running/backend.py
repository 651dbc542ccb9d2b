"""A node as the API sees it (`raftimpl.etcd.backend`): members have etcd's long ids, not the core's small numbers."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from raftimpl.etcd.backend import Measurements, Member, Status
from raftimpl.running.configuration import Configuration, ServerAddress
from raftimpl.running.node import Node
from raftimpl.running.refusals import bad_leader_transferee, timed_out
from raftimpl.store.requests import Response, Write
from raftimpl.store.store import Store

ClientUrls = Mapping[int, Sequence[str]]

AskTtl = Callable[[int, int], Awaitable[float | None]]
"""Asks a server (by its number) how long a lease still lasts; None if it does not answer, or does not lead."""


class NodeBackend:
    """A node, for its clients. `client_urls` tells where other servers' clients go, as far as they have said it."""

    def __init__(self, configuration: Configuration, node: Node, client_urls: ClientUrls, ask_ttl: AskTtl) -> None:
        self.cluster_id = configuration.cluster_id
        self.member_id = configuration.me.member_id
        self._configuration, self._node, self._client_urls = configuration, node, client_urls
        self._ask_ttl = ask_ttl
        self._numbers = {server.member_id: server.number for server in configuration.servers}

    @property
    def store(self) -> Store:
        """The store as it is here; a snapshot from the leader puts another in its place."""
        return self._node.machine.store

    async def write(self, request: Write) -> Response:
        """Carry out a write by way of the log."""
        return await self._node.write(request)

    async def confirm_read(self) -> None:
        """Return when a read from the store here is linearizable."""
        await self._node.confirm_read()

    async def move_leader(self, member: int) -> None:
        """Make another member the leader."""
        if member not in self._numbers:
            raise bad_leader_transferee()
        await self._node.move_leader(self._numbers[member])

    async def wait_for_change(self, revision: int) -> None:
        """Return when the store's revision is greater than `revision`."""
        while self.store.revision <= revision:
            await self._node.changed()

    async def remaining_ttl(self, lease: int) -> float:
        """Return the seconds that a lease still has, by the leader's clock. Raises RequestError if none answers."""
        timing = self._configuration.timing
        try:
            async with asyncio.timeout(timing.request_timeout):
                while (seconds := await self._ask_leader(lease)) is None:
                    await asyncio.sleep(timing.heartbeat_interval)
                return seconds
        except TimeoutError:
            raise timed_out() from None

    async def _ask_leader(self, lease: int) -> float | None:
        leader = self._node.state.leader_id
        if leader is None or leader == self._configuration.me.number:
            return self._node.remaining_ttl(lease)
        return await self._ask_ttl(leader, lease)

    @property
    def raft_term(self) -> int:
        """The current term."""
        return self._node.state.current_term

    @property
    def leader(self) -> int:
        """The leader's member id; 0 if none is known."""
        leader = self._node.state.leader_id
        return 0 if leader is None else self._configuration.servers[leader].member_id

    def status(self) -> Status:
        """Return what the server knows of its log and disk."""
        return Status(self._node.state.log.last_index, self._node.machine.applied_index, self.store.size)

    def measurements(self) -> Measurements:
        """Return what the server has counted."""
        node, counters = self._node, self._node.counters
        return Measurements(
            leader_changes=counters.leader_changes,
            proposals_committed=node.state.commit_index,
            proposals_applied=node.machine.applied_index,
            proposals_pending=node.pending,
            proposals_failed=counters.proposals_failed,
            wal_fsync=counters.syncs.histogram(),
        )

    def members(self) -> tuple[Member, ...]:
        """Return all servers of the cluster, in the order of their ids."""
        servers = sorted(self._configuration.servers, key=lambda server: server.member_id)
        return tuple(self._member(server) for server in servers)

    def _member(self, server: ServerAddress) -> Member:
        if server == self._configuration.me:
            urls = tuple(map(str, self._configuration.client_urls))
        else:
            urls = tuple(self._client_urls.get(server.number, ()))
        return Member(server.member_id, server.name, tuple(map(str, server.peer_urls)), urls)
