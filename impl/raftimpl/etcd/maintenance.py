"""The service Maintenance: how a server is, and what its operator may want of it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import chain

from raftimpl.etcd import refusals
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.backend import Backend
from raftimpl.etcd.service import Kind, Method, header
from raftimpl.store import errors

SERVICE = "etcdserverpb.Maintenance"

ETCD_VERSION = "3.4.23"
"""The version of etcd whose behaviour this is; clients look at it."""

BLOB_BYTES = 32 * 1024
"""How large the pieces of a snapshot are."""

PAGE_BYTES = 512
"""A snapshot is as many of these."""


class Maintenance:
    """What is about this server alone; there are no alarms."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def methods(self) -> list[Method]:
        """Return the methods of the service."""
        return [
            Method(SERVICE, "Alarm", Kind.UNARY, rpc.AlarmRequest, self.alarm),
            Method(SERVICE, "Status", Kind.UNARY, rpc.StatusRequest, self.status),
            Method(SERVICE, "Defragment", Kind.UNARY, rpc.DefragmentRequest, self.defragment),
            Method(SERVICE, "Hash", Kind.UNARY, rpc.HashRequest, self.hash),
            Method(SERVICE, "HashKV", Kind.UNARY, rpc.HashKVRequest, self.hash_kv),
            Method(SERVICE, "Snapshot", Kind.SERVER_STREAM, rpc.SnapshotRequest, self.snapshot),
            Method(SERVICE, "MoveLeader", Kind.UNARY, rpc.MoveLeaderRequest, self.move_leader),
            Method(SERVICE, "Downgrade", Kind.UNARY, rpc.DowngradeRequest, self.downgrade),
        ]

    def _header(self) -> rpc.ResponseHeader:
        return header(self._backend, self._backend.store.revision)

    async def alarm(self, message: rpc.AlarmRequest) -> rpc.AlarmResponse:
        """Tell the alarms: none. As from etcd, there is no header."""
        if message.action == rpc.AlarmRequest.ACTIVATE:
            raise refusals.no_alarms()
        return rpc.AlarmResponse()

    async def status(self, _: rpc.StatusRequest) -> rpc.StatusResponse:
        """Tell how the server is; it answers without a leader too."""
        status = self._backend.status()
        leader = self._backend.leader
        return rpc.StatusResponse(
            header=self._header(),
            version=ETCD_VERSION,
            dbSize=status.db_size,
            leader=leader,
            raftIndex=status.raft_index,
            raftTerm=self._backend.raft_term,
            raftAppliedIndex=status.raft_applied_index,
            errors=[] if leader else [errors.no_leader().text],
            dbSizeInUse=status.db_size,
        )

    async def defragment(self, _: rpc.DefragmentRequest) -> rpc.DefragmentResponse:
        """Do nothing: there is no file with holes. As from etcd, there is no header."""
        return rpc.DefragmentResponse()

    async def hash(self, _: rpc.HashRequest) -> rpc.HashResponse:
        """Return the hash of all keys; in etcd it is that of the file, and differs between servers."""
        response = await self._hash(0)
        return rpc.HashResponse(header=response.header, hash=response.hash)

    async def hash_kv(self, message: rpc.HashKVRequest) -> rpc.HashKVResponse:
        """Return the hash of all keys up to a revision, to be compared between servers."""
        return await self._hash(message.revision)

    async def _hash(self, revision: int) -> rpc.HashKVResponse:
        store = self._backend.store
        if 0 < revision <= store.compact_revision:
            raise errors.compacted()
        if revision > store.revision:
            raise errors.future_revision()
        response = rpc.HashKVResponse(header=self._header(), compact_revision=store.compact_revision)
        response.hash = await asyncio.to_thread(store.freeze().hash, revision or store.revision)
        return response

    async def snapshot(self, _: rpc.SnapshotRequest) -> AsyncIterator[rpc.SnapshotResponse]:
        """Return the store as bytes in our own format, in pieces, and at the end their SHA-256.

        Zeros fill it up to full pages: etcdctl sees by the size of a file whether the hash is at its end.
        """
        frozen = self._backend.store.freeze()
        size = await asyncio.to_thread(lambda: sum(map(len, frozen.chunks())))
        padding = -size % PAGE_BYTES
        remaining = size + padding
        digest = hashlib.sha256()
        pieces = blobs(chain(frozen.chunks(), [bytes(padding)]))
        while blob := await asyncio.to_thread(next, pieces, None):
            digest.update(blob)
            remaining -= len(blob)
            yield rpc.SnapshotResponse(remaining_bytes=remaining, blob=blob)
        yield rpc.SnapshotResponse(blob=digest.digest())

    async def move_leader(self, message: rpc.MoveLeaderRequest) -> rpc.MoveLeaderResponse:
        """Make another member the leader."""
        await self._backend.move_leader(message.targetID)
        return rpc.MoveLeaderResponse(header=self._header())

    async def downgrade(self, _: rpc.DowngradeRequest) -> rpc.DowngradeResponse:
        """Refuse: there is no older version."""
        raise refusals.no_downgrade()


def blobs(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Cut bytes into pieces of `BLOB_BYTES`."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        full = len(rest) - len(rest) % BLOB_BYTES
        for start in range(0, full, BLOB_BYTES):
            yield rest[start : start + BLOB_BYTES]
        rest = rest[full:]
    if rest:
        yield rest
