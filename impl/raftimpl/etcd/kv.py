"""The service KV: reading and writing keys."""

from raftimpl.etcd import conversion
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.backend import Backend
from raftimpl.etcd.room import room, room_for_a_large_answer
from raftimpl.etcd.service import Kind, Method, header, require_size
from raftimpl.store.checks import check, is_read_only
from raftimpl.store.requests import Compact, DeleteRangeResponse, PutResponse, Range, RangeResponse, Txn, TxnResponse

SERVICE = "etcdserverpb.KV"


class KV:
    """Reads are answered from this server's store, writes go through the log."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def methods(self) -> list[Method]:
        """Return the methods of the service."""
        return [
            Method(SERVICE, "Range", Kind.UNARY, rpc.RangeRequest, self.range),
            Method(SERVICE, "Put", Kind.UNARY, rpc.PutRequest, self.put),
            Method(SERVICE, "DeleteRange", Kind.UNARY, rpc.DeleteRangeRequest, self.delete_range),
            Method(SERVICE, "Txn", Kind.UNARY, rpc.TxnRequest, self.txn),
            Method(SERVICE, "Compact", Kind.UNARY, rpc.CompactionRequest, self.compact),
        ]

    async def range(self, message: rpc.RangeRequest) -> rpc.RangeResponse:
        """Answer a read: from what is here if it is serializable, else when this server has caught up."""
        request = conversion.range_request(message)
        check(request)
        if not request.serializable:
            await self._backend.confirm_read()
        await room()
        response = self._find(request)
        if len(response.kvs) <= conversion.SLICE_KEYS:
            return conversion.range_response(response, header(self._backend, response.revision))
        del response  # many may wait, and what they have found is read again as soon as it is wanted
        await room_for_a_large_answer()
        response = self._find(request)
        return await conversion.large_range_response(response, header(self._backend, response.revision))

    def _find(self, request: Range) -> RangeResponse:
        response = self._backend.store.read(request)
        assert isinstance(response, RangeResponse)
        return response

    async def put(self, message: rpc.PutRequest) -> rpc.PutResponse:
        """Write a key."""
        request = conversion.put_request(message)
        check(request)
        require_size(message)
        response = await self._backend.write(request)
        assert isinstance(response, PutResponse)
        return conversion.put_response(response, header(self._backend, response.revision))

    async def delete_range(self, message: rpc.DeleteRangeRequest) -> rpc.DeleteRangeResponse:
        """Delete keys."""
        request = conversion.delete_range_request(message)
        check(request)
        require_size(message)
        response = await self._backend.write(request)
        assert isinstance(response, DeleteRangeResponse)
        return conversion.delete_range_response(response, header(self._backend, response.revision))

    async def txn(self, message: rpc.TxnRequest) -> rpc.TxnResponse:
        """Carry out a transaction; one that only reads is a read."""
        request = conversion.txn_request(message)
        check(request)
        if is_read_only(request):
            response = await self._read(request)
        else:
            require_size(message)
            answer = await self._backend.write(request)
            assert isinstance(answer, TxnResponse)
            response = answer
        return conversion.txn_response(response, header(self._backend, response.revision))

    async def _read(self, request: Txn) -> TxnResponse:
        if not is_serializable(request):
            await self._backend.confirm_read()
        await room()
        response = self._backend.store.read(request)
        assert isinstance(response, TxnResponse)
        return response

    async def compact(self, message: rpc.CompactionRequest) -> rpc.CompactionResponse:
        """Forget old revisions; they are forgotten when it is answered, whether `physical` or not."""
        response = await self._backend.write(Compact(message.revision))
        return rpc.CompactionResponse(header=header(self._backend, response.revision))


def is_serializable(request: Txn) -> bool:
    """Tell whether a transaction that only reads may be answered from old data: all its own ranges say so.

    As in etcd (isTxnSerializable), a transaction inside it counts as no.
    """
    return all(
        isinstance(operation, Range) and operation.serializable for operation in (*request.success, *request.failure)
    )
