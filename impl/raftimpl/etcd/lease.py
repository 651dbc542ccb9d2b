"""The service Lease: keys that go away when their owner does."""

import secrets
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.backend import Backend
from raftimpl.etcd.in_order import in_order
from raftimpl.etcd.service import Kind, Method, header
from raftimpl.store.requests import LeaseGrant, LeaseGrantResponse, LeaseKeepAlive, LeaseKeepAliveResponse, LeaseRevoke

SERVICE = "etcdserverpb.Lease"

NO_SUCH_LEASE = -1
"""The time to live of a lease that is not there."""

MOST_RENEWALS = 1000
"""How many renewals of a stream are under way at once: a client has one stream for all its leases."""


class Lease:
    """Leases are in the store; how long they still last is the leader's business."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def methods(self) -> list[Method]:
        """Return the methods of the service."""
        return [
            Method(SERVICE, "LeaseGrant", Kind.UNARY, rpc.LeaseGrantRequest, self.grant),
            Method(SERVICE, "LeaseRevoke", Kind.UNARY, rpc.LeaseRevokeRequest, self.revoke),
            Method(SERVICE, "LeaseKeepAlive", Kind.BOTH_STREAM, rpc.LeaseKeepAliveRequest, self.keep_alive),
            Method(SERVICE, "LeaseTimeToLive", Kind.UNARY, rpc.LeaseTimeToLiveRequest, self.time_to_live),
            Method(SERVICE, "LeaseLeases", Kind.UNARY, rpc.LeaseLeasesRequest, self.leases),
        ]

    async def grant(self, message: rpc.LeaseGrantRequest) -> rpc.LeaseGrantResponse:
        """Make a lease, under an id of our own choice if the client has none."""
        response = await self._backend.write(LeaseGrant(message.ID or 1 + secrets.randbelow(2**63 - 1), message.TTL))
        assert isinstance(response, LeaseGrantResponse)
        return rpc.LeaseGrantResponse(header=header(self._backend, response.revision), ID=response.id, TTL=response.ttl)

    async def revoke(self, message: rpc.LeaseRevokeRequest) -> rpc.LeaseRevokeResponse:
        """End a lease."""
        response = await self._backend.write(LeaseRevoke(message.ID))
        return rpc.LeaseRevokeResponse(header=header(self._backend, response.revision))

    async def keep_alive(
        self, requests: AsyncIterator[rpc.LeaseKeepAliveRequest]
    ) -> AsyncGenerator[rpc.LeaseKeepAliveResponse, None]:
        """Let the time of leases begin again, of many at once; the answers come in the order of the requests."""
        async with aclosing(in_order(requests, self._renew, MOST_RENEWALS)) as responses:
            async for response in responses:
                yield response

    async def _renew(self, message: rpc.LeaseKeepAliveRequest) -> rpc.LeaseKeepAliveResponse:
        response = await self._backend.write(LeaseKeepAlive(message.ID))
        assert isinstance(response, LeaseKeepAliveResponse)
        return rpc.LeaseKeepAliveResponse(
            header=header(self._backend, response.revision), ID=message.ID, TTL=response.ttl
        )

    async def time_to_live(self, message: rpc.LeaseTimeToLiveRequest) -> rpc.LeaseTimeToLiveResponse:
        """Tell how long a lease still lasts, and its keys if asked."""
        await self._backend.confirm_read()
        lease = self._backend.store.lease(message.ID)
        remaining = await self._backend.remaining_ttl(message.ID) if lease else NO_SUCH_LEASE
        response = rpc.LeaseTimeToLiveResponse(
            header=header(self._backend, self._backend.store.revision), ID=message.ID, TTL=int(remaining)
        )
        if lease:
            response.grantedTTL = lease.ttl
            response.keys.extend(lease.keys if message.keys else ())
        return response

    async def leases(self, _: rpc.LeaseLeasesRequest) -> rpc.LeaseLeasesResponse:
        """Return all leases that this server knows."""
        store = self._backend.store
        return rpc.LeaseLeasesResponse(
            header=header(self._backend, store.revision), leases=[rpc.LeaseStatus(ID=id) for id in store.leases()]
        )
