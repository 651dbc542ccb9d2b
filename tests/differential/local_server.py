"""A server of this project without Raft, as a process: the API and the store alone, with the ids of a real server."""

import argparse
import asyncio

from raftimpl.etcd.api import ApiServer
from raftimpl.etcd.backend import Member
from raftimpl.store.errors import Code, RequestError
from tests.etcd.local_backend import LocalBackend

CLUSTER_ID = 0x8C1A0DA7AF25D1E6
MEMBER_ID = 0xA5E1F0B0B5EC0FFE


class NamedBackend(LocalBackend):
    """A store alone that goes by a name, and has addresses."""

    cluster_id = CLUSTER_ID
    member_id = MEMBER_ID

    def __init__(self, name: str, client: str, peer: str) -> None:
        super().__init__()
        self.leader = MEMBER_ID
        self.member = Member(MEMBER_ID, name, (f"http://{peer}",), (f"http://{client}",))

    async def move_leader(self, member: int) -> None:
        if member != MEMBER_ID:
            raise RequestError(Code.FAILED_PRECONDITION, "etcdserver: bad leader transferee")

    def members(self) -> tuple[Member, ...]:
        return (self.member,)


async def serve(name: str, client: str, peer: str) -> None:
    host, _, port = client.partition(":")
    backend = NamedBackend(name, client, peer)
    await ApiServer(backend, [(host, int(port))]).start()
    await backend.expire_leases()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for flag in ("--name", "--client", "--peer"):
        parser.add_argument(flag, required=True)
    asyncio.run(serve(**vars(parser.parse_args())))
