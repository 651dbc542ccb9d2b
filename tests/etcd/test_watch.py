"""Watches as clients see them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from raftimpl.etcd import mvcc_pb2 as mvcc
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd import watch_stream
from raftimpl.etcd.leadership import Leadership
from raftimpl.etcd.service import MAX_REQUEST_BYTES
from tests.etcd.local_backend import MEMBER, LocalBackend
from tests.etcd.running import Served, eventually, run

Create = rpc.WatchCreateRequest
HAS_LEADER = (("hasleader", "true"),)


async def next_of(call: Any, seconds: float = 5) -> rpc.WatchResponse:
    """Return the next response of a stream."""
    async with asyncio.timeout(seconds):
        response = await call.read()
    assert isinstance(response, rpc.WatchResponse), "the stream has ended"
    return response


async def created(call: Any) -> rpc.WatchResponse:
    response = await next_of(call)
    assert response.created
    assert not response.events
    return response


def told(response: rpc.WatchResponse) -> list[tuple[str, bytes, bytes, int]]:
    """Return a response's events in short."""
    return [
        ("delete" if event.type == mvcc.Event.DELETE else "put", event.kv.key, event.kv.value, event.kv.mod_revision)
        for event in response.events
    ]


def test_a_watch_tells_what_happens_from_its_creation_on() -> None:
    async def scenario(one: Served) -> None:
        await one.put(b"a", b"before")
        call = await one.watch(Create(key=b"a"))
        answer = await created(call)
        assert (answer.watch_id, answer.header.revision, answer.header.member_id) == (0, 2, one.backend.member_id)
        await one.put(b"b", b"another key")
        await one.put(b"a", b"1", lease=0)
        await one.call("KV/DeleteRange", rpc.DeleteRangeRequest(key=b"a"))
        first, second = await next_of(call), await next_of(call)
        assert told(first) == [("put", b"a", b"1", 4)]
        assert (first.events[0].kv.create_revision, first.events[0].kv.version) == (2, 2)
        assert not first.events[0].HasField("prev_kv")
        assert first.header.revision == 4
        assert told(second) == [("delete", b"a", b"", 5)]
        assert second.events[0].kv == mvcc.KeyValue(key=b"a", mod_revision=5)

    run(scenario)


RANGES = [
    (Create(key=b"b"), [b"b"]),
    (Create(key=b"b", range_end=b"d"), [b"b", b"bb", b"c"]),
    (Create(key=b"b", range_end=b"\0"), [b"b", b"bb", b"c", b"d"]),
    (Create(key=b"\0", range_end=b"\0"), [b"a", b"b", b"bb", b"c", b"d"]),
    (Create(range_end=b"\0"), [b"a", b"b", b"bb", b"c", b"d"]),
    (Create(), []),
]


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize(("creation", "keys"), RANGES, ids=lambda value: str(value).replace("\n", " "))
def test_ranges(creation: Create, keys: list[bytes], start: int) -> None:
    """The same events whether they happen while it watches or happened before."""

    async def scenario(one: Served) -> None:
        watched = Create(start_revision=start)
        watched.MergeFrom(creation)
        call = await one.watch() if start else await one.watch(watched)
        if not start:
            await created(call)
        for key in (b"a", b"b", b"bb", b"c", b"d"):
            await one.put(key)
        if start:
            await call.write(rpc.WatchRequest(create_request=watched))
            await created(call)
        found: list[bytes] = []
        while len(found) < len(keys):
            found += [event.kv.key for event in (await next_of(call)).events]
        await call.write(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))
        assert not (await next_of(call)).events, "more than expected"
        assert found == keys

    run(scenario)


def test_all_events_of_a_revision_are_in_one_response() -> None:
    async def scenario(one: Served) -> None:
        call = await one.watch(Create(key=b"a", range_end=b"z", prev_kv=True))
        await created(call)
        await one.put(b"b", b"old")
        puts = [rpc.RequestOp(request_put=rpc.PutRequest(key=key, value=b"new")) for key in (b"a", b"b", b"c")]
        gone = rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(key=b"x"))
        await one.call("KV/Txn", rpc.TxnRequest(success=[*puts, gone]))
        assert told(await next_of(call)) == [("put", b"b", b"old", 2)]
        both = await next_of(call)
        assert told(both) == [("put", key, b"new", 3) for key in (b"a", b"b", b"c")]
        assert [event.prev_kv.value for event in both.events] == [b"", b"old", b""]
        assert [event.HasField("prev_kv") for event in both.events] == [False, True, False]

    run(scenario)


@pytest.mark.parametrize(
    ("filters", "kinds"),
    [([], ["put", "delete"]), ([Create.NOPUT], ["delete"]), ([Create.NODELETE], ["put"])],
)
@pytest.mark.parametrize("start", [0, 2])
def test_filters(filters: list[Any], kinds: list[str], start: int) -> None:
    async def scenario(one: Served) -> None:
        creation = Create(key=b"a", filters=filters, start_revision=start)
        call = await one.watch(creation)
        await created(call)
        await one.put(b"a")
        await one.call("KV/DeleteRange", rpc.DeleteRangeRequest(key=b"a"))
        found: list[str] = []
        while len(found) < len(kinds):
            found += [event[0] for event in told(await next_of(call))]
        assert found == kinds
        await call.write(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))
        assert not (await next_of(call)).events

    run(scenario)


def test_many_watches_on_one_stream_and_their_ids() -> None:
    async def scenario(one: Served) -> None:
        call = await one.watch(
            Create(key=b"a"), Create(key=b"b", watch_id=1), Create(key=b"c"), Create(key=b"c", watch_id=1),
            Create(key=b"c", range_end=b"b"), Create(key=b"d"),
        )  # fmt: skip
        answers = [await next_of(call) for _ in range(6)]
        assert all(answer.created for answer in answers)
        assert [(answer.watch_id, answer.canceled, answer.cancel_reason) for answer in answers] == [
            (0, False, ""),
            (1, False, ""),
            (2, False, ""),
            (-1, True, "mvcc: duplicate watch ID provided on the WatchStream"),
            (-1, True, "mvcc: watcher range is empty"),
            (3, False, ""),
        ]
        await one.put(b"c")
        assert (await next_of(call)).watch_id == 2
        await call.write(rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=77)))
        await call.write(rpc.WatchRequest(cancel_request=rpc.WatchCancelRequest(watch_id=2)))
        ended = await next_of(call)
        assert (ended.watch_id, ended.canceled, ended.compact_revision) == (2, True, 0)
        await one.put(b"c")
        await one.put(b"d")
        assert (await next_of(call)).watch_id == 3

    run(scenario)


def test_a_watch_from_the_future_waits() -> None:
    async def scenario(one: Served) -> None:
        call = await one.watch(Create(key=b"a", start_revision=4))
        assert (await created(call)).header.revision == 1
        for value in (b"2", b"3", b"4", b"5"):
            await one.put(b"a", value)
        assert told(await next_of(call)) == [("put", b"a", b"4", 4)]
        assert told(await next_of(call)) == [("put", b"a", b"5", 5)]

    run(scenario)


@pytest.mark.parametrize("start", [1, 2, 3])
def test_a_compacted_start_is_cancelled(start: int) -> None:
    async def scenario(one: Served) -> None:
        for _ in range(4):
            await one.put(b"a")
        await one.call("KV/Compact", rpc.CompactionRequest(revision=4))
        call = await one.watch(Create(key=b"a", start_revision=start), Create(key=b"a", start_revision=4))
        await created(call)
        rest = [await next_of(call) for _ in range(3)]
        ended = next(each for each in rest if each.canceled)
        assert (ended.watch_id, ended.compact_revision, ended.cancel_reason) == (0, 4, "")
        assert (ended.header.revision, ended.header.raft_term) == (0, 2)
        assert [event[3] for each in rest for event in told(each)] == [4, 5]

    run(scenario)


def test_progress_is_told_when_asked_for_and_after_all_events() -> None:
    async def scenario(one: Served) -> None:
        call = await one.watch(Create(key=b"a"))
        await created(call)
        for _ in range(100):
            one.backend.store.apply(put(b"a"))
        await call.write(rpc.WatchRequest(progress_request=rpc.WatchProgressRequest()))
        responses = [await next_of(call)]
        while responses[-1].events:
            responses.append(await next_of(call))
        assert sum(len(response.events) for response in responses) == 100
        assert (responses[-1].watch_id, responses[-1].header.revision) == (-1, 101)

    run(scenario)


def test_progress_is_told_to_whom_nothing_else_was() -> None:
    async def scenario(one: Served) -> None:
        call = await one.watch(Create(key=b"a", progress_notify=True), Create(key=b"b"))
        await created(call)
        await created(call)
        await one.put(b"b")
        progress = await next_of(call)
        while progress.events or progress.header.revision == 1:
            assert progress.watch_id == (1 if progress.events else 0)
            progress = await next_of(call)
        assert (progress.watch_id, progress.header.revision) == (0, 2)

    run(scenario, progress_interval=0.1)


def put(key: bytes, value: bytes = b"") -> Any:
    from raftimpl.store.requests import Put

    return Put(key, value)


@pytest.mark.parametrize("in_fragments", [True, False])
def test_large_responses_come_in_fragments_if_the_client_can_take_them(in_fragments: bool) -> None:
    async def scenario(one: Served) -> None:
        call = await one.watch(Create(key=b"a", range_end=b"z", fragment=in_fragments))
        await created(call)
        value = bytes(200_000)
        puts = [rpc.RequestOp(request_put=rpc.PutRequest(key=b"a%d" % n, value=value)) for n in range(7)]
        await one.call("KV/Txn", rpc.TxnRequest(success=puts))
        await one.call("KV/Txn", rpc.TxnRequest(success=[rpc.RequestOp(request_delete_range=rpc.DeleteRangeRequest(
            key=b"\0", range_end=b"\0"))]))  # fmt: skip
        one.backend.apply(large_txn())
        assert len((await next_of(call)).events) == 7
        assert len((await next_of(call)).events) == 7
        pieces = [await next_of(call)]
        while pieces[-1].fragment:
            pieces.append(await next_of(call))
        assert sum(len(piece.events) for piece in pieces) == 20
        assert len(pieces) == (3 if in_fragments else 1)
        assert {piece.header.revision for piece in pieces} == {4}
        if in_fragments:
            assert all(piece.ByteSize() <= MAX_REQUEST_BYTES + 100 for piece in pieces)

    options = [("grpc.max_receive_message_length", -1)]
    run_with_channel(scenario, options)


def large_txn() -> Any:
    from raftimpl.store.requests import Put, Txn

    return Txn(success=tuple(Put(b"a%d" % number, bytes(200_000)) for number in range(20)))


def run_with_channel(scenario: Any, options: list[tuple[str, int]]) -> None:
    async def other(one: Served) -> None:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{one.port}", options=options) as channel:
            await scenario(one._replace(channel=channel))

    run(other)


def test_for_a_slow_client_little_is_kept_and_nothing_is_lost() -> None:
    """The client reads nothing for a while; what waits for it is bounded, and in the end it is told everything."""

    async def scenario(one: Served) -> None:
        call = await one.watch(Create(key=b"a"))
        await created(call)
        for number in range(400):
            await one.backend.write(put(b"a", b"%d" % number + bytes(100_000)))
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        (stream,) = streams()
        assert stream._bytes_waiting < 2 * watch_stream.MOST_BYTES_WAITING
        revisions: list[int] = []
        while len(revisions) < 400:
            revisions += [event.kv.mod_revision for event in (await next_of(call)).events]
        assert revisions == list(range(2, 402))

    run(scenario)


def streams() -> list[watch_stream.WatchStream]:
    import gc

    return [each for each in gc.get_objects() if isinstance(each, watch_stream.WatchStream) and each._watchers]


def test_a_client_that_asks_and_does_not_listen_is_not_asked_on() -> None:
    """Answers to its requests are bounded too: no more requests are taken."""

    async def scenario(one: Served) -> None:
        service = next(method for method in one.server.methods if method.name == "Watch")
        taken = 0

        async def requests() -> AsyncIterator[rpc.WatchRequest]:
            nonlocal taken
            while True:
                taken += 1
                yield rpc.WatchRequest(create_request=Create(key=b"b", range_end=b"a"))
                await asyncio.sleep(0)

        responses = service.handler(requests())
        await anext(responses)
        for _ in range(30_000):
            await asyncio.sleep(0)
        assert taken < 2 * watch_stream.MOST_BYTES_WAITING / watch_stream.RESPONSE_BYTES
        before = taken
        for _ in range(taken):
            await anext(responses)
        await eventually(lambda: taken > before)
        await responses.aclose()

    run(scenario)


def test_a_stream_that_needs_a_leader_ends_when_it_is_lost_for_long() -> None:
    async def scenario(one: Served) -> None:
        call = await one.watch(Create(key=b"a"), metadata=HAS_LEADER)
        other = await one.watch(Create(key=b"a"))
        await created(call)
        await created(other)
        one.backend.leader = 0
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await next_of(call)
        assert (caught.value.code(), caught.value.details()) == (
            grpc.StatusCode.UNAVAILABLE,
            "etcdserver: no leader",
        )
        one.backend.apply(put(b"a"))
        assert len((await next_of(other)).events) == 1
        late = await one.watch(metadata=HAS_LEADER)
        with pytest.raises(grpc.aio.AioRpcError, match="no leader"):
            await next_of(late)

    run(scenario, patience=0.2)


def test_a_leader_is_lost_when_it_is_missing_for_as_long_as_elections_take(monkeypatch: pytest.MonkeyPatch) -> None:
    """As often as is looked in that time, one after the other; an election in between is no loss."""
    seen = [1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1]
    backend = LocalBackend()
    waited: list[float] = []

    async def look(seconds: float) -> None:
        waited.append(seconds)
        backend.leader = seen.pop(0)

    monkeypatch.setattr(asyncio, "sleep", look)
    asyncio.run(Leadership(backend, 3.0).lost())
    assert seen == [1]
    assert waited == [1.0] * 10


def test_a_leader_that_never_was_is_not_lost() -> None:
    """Clients that come back to a server that was just started must not give up."""

    async def scenario(one: Served) -> None:
        one.backend.leader = one.backend.leader_changes = 0
        call = await one.watch(Create(key=b"a"), metadata=HAS_LEADER)
        assert (await next_of(call)).created
        await asyncio.sleep(0.5)
        one.backend.leader, one.backend.leader_changes = MEMBER.id, 1
        one.backend.apply(put(b"a"))
        assert len((await next_of(call)).events) == 1

    run(scenario, patience=0.2)


def test_a_client_that_goes_away_leaves_nothing_behind() -> None:
    async def scenario(one: Served) -> None:
        calls = [await one.watch(Create(key=b"a"), Create(key=b"b", range_end=b"c")) for _ in range(20)]
        for call in calls:
            await created(call)
        assert len(streams()) == 20
        for call in calls:
            call.cancel()
        await eventually(lambda: not streams())
        await eventually(lambda: one.server._hub._following is None)

    run(scenario)


def test_the_stream_lasts_when_the_client_has_asked_for_all_it_wants() -> None:
    async def scenario(one: Served) -> None:
        call = await one.watch(Create(key=b"a"))
        await call.done_writing()
        await created(call)
        await asyncio.sleep(0.05)
        await one.put(b"a")
        assert len((await next_of(call)).events) == 1

    run(scenario)


def test_watching_through_the_gateway() -> None:
    async def scenario(one: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        body = b'{"create_request":{"key":"YQ==","start_revision":2}}{"progress_request":{}} no more'
        writer.write(b"POST /v3/watch HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        assert b"chunked" in head
        lines = [await gateway_line(reader), await gateway_line(reader)]
        assert '"created":true' in lines[0]
        assert '"watch_id":"-1"' in lines[1]
        await one.put(b"a", b"1")
        line = await gateway_line(reader)
        assert '"events":[{"kv":{"key":"YQ==","create_revision":"2","mod_revision":"2","version":"1"' in line
        assert line.startswith('{"result":{"header":{"cluster_id":"3098"')
        writer.close()
        await eventually(lambda: not streams())

    run(scenario)


async def gateway_line(reader: asyncio.StreamReader) -> str:
    async with asyncio.timeout(5):
        size = int(await reader.readline(), 16)
        return (await reader.readexactly(size + 2)).decode().strip()


def test_a_stream_may_be_asked_for_ever() -> None:
    """More than fits into the stream's window, which is opened again as requests are taken."""

    async def scenario(one: Served) -> None:
        key = bytes(1_000_000)
        call = await one.watch()
        async with asyncio.timeout(20):
            for number in range(12):
                await call.write(rpc.WatchRequest(create_request=Create(key=key + b"%d" % number)))
                await created(call)

    run(scenario)
