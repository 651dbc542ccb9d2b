"""A node as the API sees it (`raftimpl.etcd.backend`): members have etcd's long ids, not the core's small numbers."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from raftimpl.etcd.backend import Member, Status
from raftimpl.running.configuration import Configuration, ServerAddress
from raftimpl.running.node import Node
from raftimpl.running.refusals import bad_leader_transferee
from raftimpl.store.requests import Event, Range, RangeResponse, Response, Txn, TxnResponse, Write
from raftimpl.store.store import Store

ClientUrls = Mapping[int, Sequence[str]]


class NodeBackend:
    """A node, for its clients. `client_urls` tells where other servers' clients go, as far as they have said it."""

    def __init__(self, configuration: Configuration, node: Node, client_urls: ClientUrls) -> None:
        self.cluster_id = configuration.cluster_id
        self.member_id = configuration.me.member_id
        self._configuration, self._node, self._client_urls = configuration, node, client_urls
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
        """Return when the store's revision is greater than `revision`, or another server leads, or none."""
        leader = self._node.state.leader_id
        while self.store.revision <= revision and self._node.state.leader_id == leader:
            await self._node.changed()

    def read(self, request: Range | Txn) -> RangeResponse | TxnResponse:
        """Answer a request that only reads, from the store as it is here."""
        return self.store.read(request)

    def changes(self, from_revision: int, most: int) -> Sequence[tuple[int, Sequence[Event]]]:
        """Return changes from a revision on."""
        return self.store.changes(from_revision, most)

    def remaining_ttl(self, lease: int) -> int:
        """Return the seconds that a lease still has, rounded down as in etcd."""
        return int(self._node.lessor.remaining(lease))

    def status(self) -> Status:
        """Return what the server knows of itself."""
        state = self._node.state
        leader = 0 if state.leader_id is None else self._configuration.servers[state.leader_id].member_id
        applied = self._node.machine.applied_index
        return Status(leader, state.current_term, state.log.last_index, applied, self.store.size)

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

    def snapshot(self) -> Iterator[bytes]:
        """Return the state machine as bytes, as it is now."""
        return self._node.machine.freeze().chunks()


async def when_ready(node: Node) -> None:
    """Return when the cluster has a leader and this server has caught up with it."""
    while node.state.leader_id is None:
        await asyncio.sleep(0.01)
    await node.confirm_read()
