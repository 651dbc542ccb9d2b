"""What is refused over gRPC: too large, too late, unknown, not supported; and what is left of calls that end early."""

import asyncio
import http.client
import json
from typing import Any

import grpc
import pytest

from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.conversion import SLICE_KEYS
from raftimpl.etcd.gateway import body_of
from raftimpl.etcd.gojson import SLICE_ELEMENTS, to_json
from raftimpl.etcd.kv import KV
from raftimpl.etcd.service import ENVELOPE_BYTES, MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, MOST_NESTED
from raftimpl.store.checks import MOST_OPERATIONS
from raftimpl.store.requests import Put
from tests.etcd.running import Served, eventually, refusal, run

Code = grpc.StatusCode
HAS_LEADER = (("hasleader", "true"),)

HEAD_BYTES = rpc.PutRequest(key=b"k", value=bytes(2**20)).ByteSize() - 2**20
LARGEST_VALUE = MAX_REQUEST_BYTES - ENVELOPE_BYTES - HEAD_BYTES
TOO_LARGE = (Code.INVALID_ARGUMENT, "etcdserver: request is too large")


def put(value_bytes: int) -> rpc.PutRequest:
    return rpc.PutRequest(key=b"k", value=bytes(value_bytes))


def test_a_write_may_be_so_large_and_no_larger() -> None:
    async def scenario(one: Served) -> None:
        await one.call("KV/Put", put(LARGEST_VALUE))
        assert await refusal(one.call("KV/Put", put(LARGEST_VALUE + 1))) == TOO_LARGE
        txn = rpc.TxnRequest(success=[rpc.RequestOp(request_put=put(LARGEST_VALUE))])
        assert await refusal(one.call("KV/Txn", txn)) == TOO_LARGE
        key = bytes(MAX_REQUEST_BYTES)
        assert await refusal(one.call("KV/DeleteRange", rpc.DeleteRangeRequest(key=key))) == TOO_LARGE
        assert (await one.call("KV/Range", rpc.RangeRequest(key=key))).count == 0
        read = rpc.TxnRequest(success=[rpc.RequestOp(request_range=rpc.RangeRequest(key=key))])
        assert (await one.call("KV/Txn", read)).succeeded

    run(scenario)


def test_a_message_may_be_so_large_and_no_larger() -> None:
    async def scenario(one: Served) -> None:
        size = len(put(MAX_MESSAGE_BYTES).SerializeToString())
        text = f"grpc: received message larger than max ({size} vs. {MAX_MESSAGE_BYTES})"
        assert await refusal(one.call("KV/Put", put(MAX_MESSAGE_BYTES))) == (Code.RESOURCE_EXHAUSTED, text)
        assert await refusal(one.call("KV/Put", put(MAX_MESSAGE_BYTES - 100))) == TOO_LARGE
        await one.put(b"the connection is as good as before")

    run(scenario)


def test_a_large_answer_arrives() -> None:
    async def scenario(one: Served) -> None:
        for number in range(30):
            await one.put(b"k%d" % number, bytes([number]) * 1_000_000)
        options = [("grpc.max_receive_message_length", -1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{one.port}", options=options) as channel:
            other = one._replace(channel=channel)
            answers = await asyncio.gather(
                *(other.call("KV/Range", rpc.RangeRequest(key=b"k", range_end=b"l")) for _ in range(3)),
                *(other.call("KV/Range", rpc.RangeRequest(key=b"k%d" % number)) for number in range(30)),
            )
        assert [answer.count for answer in answers] == [30] * 3 + [1] * 30
        assert [len(kv.value) for kv in answers[0].kvs] == [1_000_000] * 30
        assert [answer.kvs[0].value[0] for answer in answers[3:]] == list(range(30))

    run(scenario)


def test_a_transaction_may_have_so_many_operations() -> None:
    def txn(count: int) -> rpc.TxnRequest:
        return rpc.TxnRequest(
            success=[rpc.RequestOp(request_put=rpc.PutRequest(key=b"%d" % number)) for number in range(count)]
        )

    async def scenario(one: Served) -> None:
        assert len((await one.call("KV/Txn", txn(MOST_OPERATIONS))).responses) == 128
        assert await refusal(one.call("KV/Txn", txn(MOST_OPERATIONS + 1))) == (
            Code.INVALID_ARGUMENT,
            "etcdserver: too many operations in txn request",
        )

    run(scenario)


def unknown(count: int) -> list[rpc.Compare]:
    """Comparisons that cannot be converted."""
    return [rpc.Compare(key=b"a", target=9)] * count


TOO_MANY = [
    rpc.TxnRequest(compare=unknown(129)),
    rpc.TxnRequest(success=[rpc.RequestOp()] * 129),
    rpc.TxnRequest(failure=[rpc.RequestOp()] * 129),
    rpc.TxnRequest(success=[rpc.RequestOp(request_txn=rpc.TxnRequest(compare=unknown(128)))]),
]


@pytest.mark.parametrize("txn", TOO_MANY, ids=lambda txn: str(txn)[:20])
def test_operations_are_counted_before_they_are_looked_at(txn: rpc.TxnRequest) -> None:
    """A message has room for a million of them."""

    async def scenario(one: Served) -> None:
        text = "etcdserver: too many operations in txn request"
        assert await refusal(one.call("KV/Txn", txn)) == (Code.INVALID_ARGUMENT, text)

    run(scenario)


def test_in_json_operations_are_counted_before_they_become_messages() -> None:
    async def scenario(one: Served) -> None:
        for field in ("compare", "success", "failure"):
            body = json.dumps({field: [5] * 129})
            status, answer = await one.http("POST", "/v3/kv/txn", body)
            assert (status, json.loads(answer)["error"]) == (400, "etcdserver: too many operations in txn request")
            status, answer = await one.http("POST", "/v3/kv/txn", json.dumps({field: [5] * 128}))
            assert (status, json.loads(answer)["error"][:23]) == (400, "json: cannot unmarshal ")

    run(scenario)


LARGE = rpc.RangeRequest(key=b"k", range_end=b"l")
KEYS = 20 * SLICE_KEYS


def test_others_get_their_turn_while_a_large_answer_is_made() -> None:
    """And what they write is not in it: it is of one revision."""

    async def scenario(one: Served) -> None:
        fill(one)
        revision = one.backend.store.revision
        answering = asyncio.ensure_future(KV(one.backend).range(LARGE))
        turns = 0
        while not answering.done():
            await asyncio.sleep(0)
            one.backend.apply(Put(b"k%06d" % (KEYS - 1), b"later"))
            turns += 1
        answer = await answering
        assert turns >= KEYS / SLICE_KEYS
        assert [kv.key for kv in answer.kvs] == [b"k%06d" % number for number in range(KEYS)]
        assert answer.kvs[-1].mod_revision == answer.header.revision < revision + turns / 2

    run(scenario)


def fill(one: Served) -> None:
    for number in range(KEYS):
        one.backend.apply(Put(b"k%06d" % number))


def test_others_get_their_turn_while_a_large_answer_is_written_as_json() -> None:
    async def scenario(one: Served) -> None:
        fill(one)
        message = await KV(one.backend).range(LARGE)
        writing = asyncio.ensure_future(body_of(message))
        turns = 0
        while not writing.done():
            await asyncio.sleep(0)
            turns += 1
        assert turns >= KEYS / SLICE_ELEMENTS
        assert (await writing).decode() == to_json(message)

    run(scenario)


def nested(levels: int, operation: rpc.RequestOp) -> rpc.TxnRequest:
    """Return a transaction with so many levels of them, and an operation in the innermost."""
    for _ in range(levels - 1):
        operation = rpc.RequestOp(request_txn=rpc.TxnRequest(success=[operation]))
    return rpc.TxnRequest(success=[operation])


READ = rpc.RequestOp(request_range=rpc.RangeRequest(key=b"a"))
WRITE = rpc.RequestOp(request_put=rpc.PutRequest(key=b"a", value=b"1", prev_kv=True))


@pytest.mark.parametrize("operation", [READ, WRITE], ids=["read", "write"])
def test_transactions_inside_each_other_are_refused_before_anything_is_done(operation: rpc.RequestOp) -> None:
    """Else they could take effect, and their answer could not be read: protobuf has a limit."""

    async def scenario(one: Served) -> None:
        await one.put(b"a")
        answer = await one.call("KV/Txn", nested(MOST_NESTED, operation))
        for _ in range(MOST_NESTED - 1):
            answer = answer.responses[0].response_txn
        assert answer.responses[0].WhichOneof("response") in ("response_range", "response_put")
        revision = one.backend.store.revision
        refused = Code.INVALID_ARGUMENT, "raftproof: not supported: more than 49 transactions inside each other"
        assert await refusal(one.call("KV/Txn", nested(MOST_NESTED + 1, operation))) == refused
        assert one.backend.store.revision == revision

    run(scenario)


@pytest.mark.parametrize("levels", [MOST_NESTED + 1, MOST_NESTED + 2, 60, 127, 200, 300])
def test_in_json_they_are_refused_however_many_they_are(levels: int) -> None:
    async def scenario(one: Served) -> None:
        start, end = '{"success":[{"request_txn":', "}]}"
        put = '{"success":[{"request_put":{"key":"YQ=="}}]}'
        status, answer = await one.http("POST", "/v3/kv/txn", start * 48 + put + end * 48)
        assert (status, one.backend.store.revision) == (200, 2)
        status, answer = await one.http("POST", "/v3/kv/txn", start * (levels - 1) + put + end * (levels - 1))
        text = "raftproof: not supported: more than 49 transactions inside each other"
        assert (status, json.loads(answer)) == (400, {"error": text, "message": text, "code": 3})
        assert one.backend.store.revision == 2

    run(scenario)


FIXED = "raftproof: not supported: the members of a cluster are fixed when it starts"
NOT_SUPPORTED = [
    ("Cluster/MemberAdd", rpc.MemberAddRequest(peerURLs=["http://127.0.0.1:1"]), FIXED),
    ("Cluster/MemberRemove", rpc.MemberRemoveRequest(ID=1), FIXED),
    ("Cluster/MemberUpdate", rpc.MemberUpdateRequest(ID=1), FIXED),
    ("Cluster/MemberPromote", rpc.MemberPromoteRequest(ID=1), FIXED),
    ("Maintenance/Downgrade", rpc.DowngradeRequest(), "raftproof: not supported: downgrading a cluster"),
    ("Maintenance/Alarm", rpc.AlarmRequest(action=1), "raftproof: not supported: no alarm can be raised by hand"),
]


@pytest.mark.parametrize(("name", "request_", "text"), NOT_SUPPORTED, ids=lambda value: str(value)[:30])
def test_what_is_not_supported(name: str, request_: Any, text: str) -> None:
    async def scenario(one: Served) -> None:
        assert await refusal(one.call(name, request_)) == (Code.UNIMPLEMENTED, text)

    run(scenario)


PATHS = [
    ("/etcdserverpb.Auth/AuthEnable", "raftproof: not supported: authentication by users and roles"),
    ("/etcdserverpb.KV/Nothing", "raftproof: unknown method /etcdserverpb.KV/Nothing"),
    ("/v3lockpb.Lock/Lock", "raftproof: unknown method /v3lockpb.Lock/Lock"),
]


@pytest.mark.parametrize(("path", "text"), PATHS)
@pytest.mark.parametrize("kind", ["unary_unary", "stream_stream"])
def test_unknown_methods(path: str, text: str, kind: str) -> None:
    async def scenario(one: Served) -> None:
        if kind == "unary_unary":
            assert await refusal(one.channel.unary_unary(path)(b"anything")) == (Code.UNIMPLEMENTED, text)
        else:
            assert await refusal(one.channel.stream_stream(path)().read()) == (Code.UNIMPLEMENTED, text)

    run(scenario)


def test_bytes_that_are_no_message() -> None:
    async def scenario(one: Served) -> None:
        call = one.channel.unary_unary("/etcdserverpb.KV/Put")
        assert (await refusal(call(b"\xff\xff\xff")))[0] is Code.INTERNAL
        stream = one.channel.stream_stream("/etcdserverpb.Watch/Watch")()
        await stream.write(b"\xff\xff\xff")
        assert (await refusal(stream.read()))[0] is Code.INTERNAL

    run(scenario)


def test_compressed_messages_are_refused_in_words() -> None:
    async def scenario(one: Served) -> None:
        call = one.call("KV/Put", put(10_000), compression=grpc.Compression.Gzip)
        assert await refusal(call) == (Code.UNIMPLEMENTED, "raftproof: not supported: compressed messages")

    run(scenario)


def test_unknown_comparisons_are_refused() -> None:
    async def scenario(one: Served) -> None:
        for compare in (rpc.Compare(key=b"a", target=9), rpc.Compare(key=b"a", result=9)):
            answer = await refusal(one.call("KV/Txn", rpc.TxnRequest(compare=[compare])))
            assert answer == (Code.INVALID_ARGUMENT, "raftproof: unknown target or result of a comparison")

    run(scenario)


def test_the_header_is_the_answering_servers() -> None:
    async def scenario(one: Served) -> None:
        header = (await one.put(b"a")).header
        assert header == rpc.ResponseHeader(cluster_id=0xC1A, member_id=0xB0B, revision=2, raft_term=2)

    run(scenario)


NO_LEADER = (Code.UNAVAILABLE, "etcdserver: no leader")
ALIKE = rpc.RangeRequest(key=b"a", serializable=True)


def test_without_a_leader() -> None:
    async def scenario(one: Served) -> None:
        await one.put(b"a", b"1")
        one.backend.leader = 0
        assert await refusal(one.put(b"a")) == NO_LEADER
        assert await refusal(one.call("KV/Range", rpc.RangeRequest(key=b"a"))) == NO_LEADER
        assert await refusal(one.call("Lease/LeaseGrant", rpc.LeaseGrantRequest(TTL=5))) == NO_LEADER
        assert (await one.call("KV/Range", ALIKE)).kvs[0].value == b"1"
        read = rpc.TxnRequest(success=[rpc.RequestOp(request_range=ALIKE)])
        assert (await one.call("KV/Txn", read)).responses[0].response_range.count == 1
        read = rpc.TxnRequest(success=[rpc.RequestOp(request_range=rpc.RangeRequest(key=b"a"))])
        assert await refusal(one.call("KV/Txn", read)) == NO_LEADER
        assert await refusal(one.call("KV/Range", ALIKE, metadata=HAS_LEADER)) == NO_LEADER
        status = await one.call("Maintenance/Status", rpc.StatusRequest())
        assert (status.leader, list(status.errors)) == (0, ["etcdserver: no leader"])
        assert len((await one.call("Cluster/MemberList", rpc.MemberListRequest())).members) == 1
        one.backend.leader = one.backend.member_id
        assert (await one.call("KV/Range", ALIKE, metadata=HAS_LEADER)).count == 1

    run(scenario)


def test_a_deadline_ends_the_work() -> None:
    async def scenario(one: Served) -> None:
        one.backend.delay = 60
        assert (await refusal(one.call("KV/Put", put(1), timeout=0.1)))[0] is Code.DEADLINE_EXCEEDED
        call = asyncio.ensure_future(one.call("KV/Put", put(1)))
        await eventually(lambda: working())
        call.cancel()
        await eventually(lambda: not working())
        assert one.backend.applied == 0

    run(scenario)


def working() -> list[asyncio.Task[Any]]:
    """Return the tasks of the server that work on a call."""
    return [task for task in asyncio.all_tasks() if "Call._run" in repr(task)]


def test_a_failure_of_the_server_is_told_as_one() -> None:
    async def scenario(one: Served) -> None:
        failures: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context["message"]))
        one.backend.status = lambda: 1 // 0  # type: ignore[assignment,return-value]
        answer = await refusal(one.call("Maintenance/Status", rpc.StatusRequest()))
        assert answer == (Code.INTERNAL, "raftproof: the server failed to answer")
        assert await one.http("POST", "/v3/maintenance/status", "{}") == (
            500, "500 Internal Server Error: the server failed to answer\n")  # fmt: skip
        await one.put(b"a")
        await eventually(lambda: failures.count("a request made the server fail") == 2)

    run(scenario)


def test_keeping_leases_alive_and_asking_for_them() -> None:
    async def scenario(one: Served) -> None:
        lease = (await one.call("Lease/LeaseGrant", rpc.LeaseGrantRequest(TTL=100))).ID
        assert 0 < lease < 2**63
        await one.put(b"b", lease=lease)
        await one.put(b"a", lease=lease)
        call = one.method("Lease/LeaseKeepAlive", one.channel.stream_stream)()
        for id in (lease, 5, lease):
            await call.write(rpc.LeaseKeepAliveRequest(ID=id))
            answer = await call.read()
            assert (id, 100 if id == lease else 0) == (answer.ID, answer.TTL)
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        for keys in (True, False):
            request = rpc.LeaseTimeToLiveRequest(ID=lease, keys=keys)
            answer = await one.call("Lease/LeaseTimeToLive", request)
            assert (answer.TTL, answer.grantedTTL) == (99, 100)
            assert list(answer.keys) == ([b"a", b"b"] if keys else [])

    run(scenario)


def test_a_snapshot_is_whole_and_has_its_hash_at_the_end() -> None:
    from hashlib import sha256

    from raftimpl.store.store import thaw

    async def scenario(one: Served) -> None:
        for number in range(50):
            await one.put(b"k%d" % number, bytes([number]) * 3000)
        call = one.method("Maintenance/Snapshot", one.channel.unary_stream)(rpc.SnapshotRequest())
        responses = [response async for response in call]
        data = b"".join(response.blob for response in responses[:-1])
        assert responses[-1].blob == sha256(data).digest()
        assert len(data) % 512 == 0
        assert [response.remaining_bytes for response in responses] == [
            max(0, len(data) - 32768 * number) for number in range(1, len(responses))
        ] + [0]
        stored = b"".join(one.backend.store.freeze().chunks())
        assert data.startswith(stored)
        assert set(data[len(stored) :]) <= {0}
        assert thaw([data[: len(stored)]]).hash() == one.backend.store.hash()

    run(scenario)


def test_hashes_and_moving_the_leader() -> None:
    async def scenario(one: Served) -> None:
        await one.put(b"a")
        await one.put(b"b")
        newest = await one.call("Maintenance/HashKV", rpc.HashKVRequest())
        assert newest.hash == one.backend.store.hash() != 0
        assert newest.compact_revision == -1
        older = await one.call("Maintenance/HashKV", rpc.HashKVRequest(revision=2))
        assert older.hash == one.backend.store.hash(2) != newest.hash
        assert (await one.call("Maintenance/Hash", rpc.HashRequest())).hash == newest.hash
        assert (await refusal(one.call("Maintenance/HashKV", rpc.HashKVRequest(revision=9))))[0] is Code.OUT_OF_RANGE
        await one.call("Maintenance/MoveLeader", rpc.MoveLeaderRequest(targetID=0xB0B))
        assert one.backend.moved_to == [0xB0B]

    run(scenario)


def test_stopping_lets_calls_end_that_are_under_way() -> None:
    """And ends those at once that would not end."""

    async def scenario(one: Served) -> None:
        one.backend.delay = 0.2
        call = asyncio.ensure_future(one.put(b"a"))
        page = asyncio.ensure_future(one.http("POST", "/v3/kv/put", '{"key":"YQ=="}'))
        watch = await one.watch(rpc.WatchCreateRequest(key=b"b"))
        await watch.read()
        lines = asyncio.ensure_future(one.http("POST", "/v3/watch", '{"create_request":{"key":"Yg=="}}'))
        await eventually(lambda: len(one.server._hub._index._keys.get(b"b", ())) == 2)
        await eventually(lambda: len(working()) == 2)
        began = asyncio.get_running_loop().time()
        await one.server.stop(60)
        assert asyncio.get_running_loop().time() - began < 10
        revisions = {(await call).header.revision, int(json.loads((await page)[1])["header"]["revision"])}
        assert revisions == {2, 3}
        assert await refusal(watch.read()) == (Code.UNAVAILABLE, "etcdserver: server stopped")
        with pytest.raises(http.client.IncompleteRead):
            await lines

    run(scenario)
