"""A server that is a store alone: no Raft, no disk. To try clients on one: `python -m tests.etcd.local_backend`."""

import argparse
import asyncio
from time import monotonic

from raftimpl.etcd.api import ApiServer
from raftimpl.etcd.backend import Histogram, Measurements, Member, Status
from raftimpl.store.errors import Code, RequestError, no_leader
from raftimpl.store.requests import LeaseGrant, LeaseKeepAlive, LeaseRevoke, Response, Write
from raftimpl.store.store import Store

MEMBER = Member(0xB0B, "alone", ("http://127.0.0.1:2380",), ("http://127.0.0.1:2379",))


class LocalBackend:
    """Applies what it is asked at once. Tests may take its leader away, and make it slow."""

    cluster_id = 0xC1A
    member_id = MEMBER.id

    def __init__(self) -> None:
        self.store = Store()
        self.raft_term = 2
        self.leader = MEMBER.id
        self.leader_changes = 1
        self.applied = 0
        self.delay = 0.0
        self.moved_to: list[int] = []
        self.deadlines: dict[int, float] = {}
        self._waiting: list[asyncio.Future[None]] = []

    async def write(self, request: Write) -> Response:
        if self.delay:
            await asyncio.sleep(self.delay)
        if not self.leader:
            raise no_leader()
        return self.apply(request)

    def apply(self, request: Write) -> Response:
        self.applied += 1
        response = self.store.apply(request)
        if isinstance(request, LeaseGrant | LeaseKeepAlive) and (lease := self.store.lease(request.id)):
            self.deadlines[request.id] = monotonic() + lease.ttl
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()
        return response

    async def confirm_read(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        if not self.leader:
            raise no_leader()

    async def move_leader(self, member: int) -> None:
        if member != MEMBER.id:
            raise RequestError(Code.FAILED_PRECONDITION, "etcdserver: bad leader transferee")
        self.moved_to.append(member)

    async def wait_for_change(self, revision: int) -> None:
        while self.store.revision <= revision:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting

    async def remaining_ttl(self, lease: int) -> float:
        return self.deadlines[lease] - monotonic()

    async def expire_leases(self) -> None:
        """End leases when their time is over, for ever."""
        while True:
            await asyncio.sleep(0.25)
            for id in self.store.leases():
                if self.deadlines[id] < monotonic():
                    self.apply(LeaseRevoke(id))

    def status(self) -> Status:
        return Status(raft_index=self.applied, raft_applied_index=self.applied, db_size=self.store.size)

    def measurements(self) -> Measurements:
        return Measurements(
            self.leader_changes, self.applied, self.applied, 0, 0, Histogram((0.001, 0.002), (5, 2, 1), 0.0125)
        )

    def members(self) -> tuple[Member, ...]:
        return (MEMBER,)


async def serve(port: int) -> None:
    backend = LocalBackend()
    server = ApiServer(backend, [("127.0.0.1", port)])
    await server.start()
    for host, port in server.addresses:
        print(f"listening on {host}:{port}", flush=True)
    await backend.expire_leases()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=2379)
    asyncio.run(serve(parser.parse_args().port))
