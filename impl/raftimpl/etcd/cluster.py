"""The service Cluster: who belongs to it."""

from google.protobuf.message import Message

from raftimpl.etcd import refusals
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.backend import Backend
from raftimpl.etcd.service import Kind, Method, header

SERVICE = "etcdserverpb.Cluster"

CHANGES = {
    "MemberAdd": rpc.MemberAddRequest,
    "MemberRemove": rpc.MemberRemoveRequest,
    "MemberUpdate": rpc.MemberUpdateRequest,
    "MemberPromote": rpc.MemberPromoteRequest,
}


class Cluster:
    """The members are fixed when the cluster starts."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def methods(self) -> list[Method]:
        """Return the methods of the service."""
        return [
            Method(SERVICE, "MemberList", Kind.UNARY, rpc.MemberListRequest, self.member_list),
            *(Method(SERVICE, name, Kind.UNARY, request, self.change) for name, request in CHANGES.items()),
        ]

    async def member_list(self, _: rpc.MemberListRequest) -> rpc.MemberListResponse:
        """Return all members. The header, as etcd's, has no revision."""
        return rpc.MemberListResponse(
            header=header(self._backend, 0),
            members=[
                rpc.Member(ID=member.id, name=member.name, peerURLs=member.peer_urls, clientURLs=member.client_urls)
                for member in self._backend.members()
            ],
        )

    async def change(self, _: Message) -> Message:
        """Refuse to change the members."""
        raise refusals.fixed_members()
