"""Flow control: no side sends more than the other takes, and nothing stands still for ever."""

import asyncio
import json

import pytest
from hpack import Encoder

from raftimpl.etcd import conversion, http2_server, lease
from raftimpl.etcd import http2_frames as h2
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.header_blocks import HeaderDecoder, HeaderError, encode
from raftimpl.etcd.http2_frames import PREFACE, ErrorCode, Setting, frame, settings, window_update
from raftimpl.etcd.watch_stream import MOST_BYTES_WAITING
from raftimpl.store.requests import Put
from tests.etcd.running import Served, eventually, run
from tests.etcd.test_front import GET, call, code_of, frames, post, request, talk
from tests.etcd.test_watch import streams

EVENTS, EVENT_BYTES = 300, 100_000


def test_a_connection_is_good_for_more_than_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_server, "CONNECTION_WINDOW", 100_000)

    async def scenario(one: Served) -> None:
        async with asyncio.timeout(20):
            for _ in range(20):
                await one.put(b"a", bytes(60_000))

    run(scenario)


def test_a_window_that_is_changed_later_is_changed_for_open_streams() -> None:
    async def scenario(one: Served) -> None:
        answer = await talk(
            one.port,
            PREFACE + settings({Setting.INITIAL_WINDOW_SIZE: 0}) + request(GET),
            settings({Setting.INITIAL_WINDOW_SIZE: 10}),
            settings({Setting.INITIAL_WINDOW_SIZE: 17}),
            enough=lambda received: sizes(received) == [10, 7],
        )
        assert sizes(answer) == [10, 7]

    run(scenario)


def test_windows_change_once_however_often_settings_say_so() -> None:
    """Each change goes through all streams, and a frame has room for thousands."""

    async def scenario(one: Served) -> None:
        twice = {Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}, {Setting.INITIAL_WINDOW_SIZE: 10}
        changes = b"".join(map(settings, twice)) + frame(h2.SETTINGS, 0, 0, bytes.fromhex("00047fffffff00040000000a"))
        answer = await talk(
            one.port,
            PREFACE + settings({Setting.INITIAL_WINDOW_SIZE: 0}) + request(GET),
            window_update(1, 7) + changes,  # the greatest window would be too great for a stream that has 7 more
            enough=lambda received: sizes(received) == [7, 10],
        )
        assert sizes(answer) == [7, 10]
        assert [flags for kind, flags, *_ in frames(answer) if kind == h2.SETTINGS] == [0, *[h2.ACK] * 4]

    run(scenario)


def test_a_frame_is_as_large_as_the_client_has_been_told_that_it_may_be() -> None:
    async def scenario(one: Served) -> None:
        one.backend.apply(Put(b"a", bytes(60_000)))
        answer = await talk(
            one.port,
            PREFACE + settings({Setting.INITIAL_WINDOW_SIZE: 0}) + call(1, b"KV/Range", RANGE),
            settings({Setting.MAX_FRAME_SIZE: 50_000}) + window_update(1, 30_000),
            settings({Setting.INITIAL_WINDOW_SIZE: 2**20}),
            enough=lambda received: sum(sizes(received)) > 60_000,
        )
        before = answer[: [at for at in range(len(answer)) if answer.startswith(ACKNOWLEDGED, at)][1]]
        assert all(size <= h2.FRAME_BYTES for size in sizes(before))
        assert max(sizes(answer)) > h2.FRAME_BYTES

    run(scenario)


ACKNOWLEDGED = frame(h2.SETTINGS, h2.ACK, 0)


def sizes(data: bytes) -> list[int]:
    return [len(payload) for kind, _, _, payload in frames(data) if kind == h2.DATA]


def begun(path: bytes) -> bytes:
    """Return the beginning of a connection with one call of gRPC, whose requests are to come."""
    head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/etcdserverpb." + path),
            (b"content-type", b"application/grpc"), (b"te", b"trailers")]  # fmt: skip
    return PREFACE + settings({}) + request(head, flags=h2.END_HEADERS)


EMPTY = bytes(5)
"""A message of gRPC with nothing in it."""


def test_a_client_that_sends_more_than_its_window_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_server, "STREAM_WINDOW", 20_000)

    async def scenario(one: Served) -> None:
        unfinished = b"\0\0\1\0\0" + bytes(9_995)
        within = begun(b"KV/Put") + frame(h2.DATA, 0, 1, unfinished) * 2
        for more, code in ((0, None), (1, (h2.RST_STREAM, ErrorCode.FLOW_CONTROL_ERROR))):
            data = within + frame(h2.DATA, 0, 1, bytes(more)) + frame(h2.PING, 0, 0, bytes(8))
            answer = await talk(one.port, data, enough=lambda received: frame(h2.PING, h2.ACK, 0, bytes(8)) in received)
            assert code_of(answer) == code

    run(scenario)


def test_a_window_is_given_back_for_what_was_taken_and_for_padding_and_for_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Requests that wait are bytes, not messages, which would take fifty times as much."""
    monkeypatch.setattr(lease, "MOST_RENEWALS", 100)

    async def scenario(one: Served) -> None:
        one.backend.delay = 60
        data = begun(b"Lease/LeaseKeepAlive") + frame(h2.DATA, h2.PADDED, 1, b"\xff" + EMPTY * 3000 + bytes(255))
        answer = await talk(one.port, data, enough=lambda received: given_back(received) > 700)
        assert given_back(answer) == (100 + 1) * len(EMPTY) + 256  # one more has been taken, and waits

    run(scenario)


def given_back(data: bytes) -> int:
    """Return how much more a client may send on streams."""
    return sum(
        int.from_bytes(payload, "big") for kind, _, id, payload in frames(data) if kind == h2.WINDOW_UPDATE and id
    )


def test_a_client_of_http_2_that_reads_nothing_is_sent_little() -> None:
    """Its windows are as wide as can be; what it does not take stays in the store."""

    async def scenario(one: Served) -> None:
        message = rpc.WatchRequest(create_request=rpc.WatchCreateRequest(key=b"a")).SerializeToString()
        wide = settings({Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}) + window_update(0, 2**31 - 1 - 65535)
        body = frame(h2.DATA, 0, 1, b"\0" + len(message).to_bytes(4, "big") + message)
        _, writer = await asyncio.open_connection("127.0.0.1", one.port, limit=1)
        writer.write(begun(b"Watch/Watch") + wide + body)
        await eventually(streams)
        await put_many(one)
        (connection,) = one.server._connections.http2
        (stream,) = connection._streams.values()
        pending = sum(len(piece) for piece in stream.pending if isinstance(piece, memoryview))
        buffered = connection._transport.get_write_buffer_size() + connection._out_bytes + pending
        assert buffered + streams()[0]._bytes_waiting < 2 * MOST_BYTES_WAITING
        writer.close()
        await eventually(lambda: not streams())

    run(scenario)


def test_a_client_of_http_1_that_reads_nothing_is_sent_little() -> None:
    async def scenario(one: Served) -> None:
        body = json.dumps({"create_request": {"key": "YQ=="}}).encode()
        _, writer = await asyncio.open_connection("127.0.0.1", one.port, limit=1)
        writer.write(b"POST /v3/watch HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await eventually(streams)
        await put_many(one)
        (connection,) = one.server._connections.http1
        assert connection._transport.get_write_buffer_size() < 2 * MOST_BYTES_WAITING
        writer.close()
        await eventually(lambda: not streams())

    run(scenario)


@pytest.mark.parametrize("slice_keys", [1000, 1])
def test_answers_that_nobody_reads_are_not_made(monkeypatch: pytest.MonkeyPatch, slice_keys: int) -> None:
    """A hundred reads of a megabyte begin at once; all are answered when the client takes what there is."""
    monkeypatch.setattr(http2_server, "MOST_BYTES_WAITING", 4_000_000)
    monkeypatch.setattr(conversion, "SLICE_KEYS", slice_keys)

    async def scenario(one: Served) -> None:
        one.backend.apply(Put(b"a", bytes(500_000)))
        one.backend.apply(Put(b"b", bytes(500_000)))
        one.backend.delay = 0.2  # all have begun before the first is answered
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        calls = [call(2 * number + 1, *READS[number % len(READS)]) for number in range(100)]
        writer.write(PREFACE + settings({}) + b"".join(calls))
        await eventually(lambda: one.server._connections.http2)
        (connection,) = one.server._connections.http2
        await eventually(lambda: connection._last_stream == 199 and connection._bytes_waiting > 4_000_000)
        await asyncio.sleep(0.1)
        waiting = sum(len(p) for s in connection._streams.values() for p in s.pending if isinstance(p, memoryview))
        assert connection._bytes_waiting == waiting < 4_000_000 + 2_000_000
        writer.write(frame(h2.RST_STREAM, 0, 1, bytes(4)))
        writer.write(settings({Setting.INITIAL_WINDOW_SIZE: 2**31 - 1}) + window_update(0, 2**31 - 1 - 65535))
        read = 0
        while read < 99_000_000:
            read += len(data := await reader.read(1 << 20))
            assert data
        await eventually(lambda: not connection._streams)
        assert connection._bytes_waiting == 0
        writer.close()

    run(scenario)


RANGE = rpc.RangeRequest(key=b"a", range_end=b"c")
READS = [
    (b"KV/Range", RANGE),
    (b"KV/Txn", rpc.TxnRequest(success=[rpc.RequestOp(request_range=RANGE)])),
]


def test_a_client_of_http_1_that_reads_nothing_has_few_answers_made() -> None:
    async def scenario(one: Served) -> None:
        one.backend.apply(Put(b"a", bytes(1_000_000)))
        _, writer = await asyncio.open_connection("127.0.0.1", one.port, limit=1)
        writer.write(post(b"/v3/kv/range", b'{"key":"YQ=="}') * 100)
        await eventually(lambda: one.server._connections.http1)
        (connection,) = one.server._connections.http1
        await eventually(lambda: connection._transport.get_write_buffer_size() > 0)
        await asyncio.sleep(0.3)
        assert connection._transport.get_write_buffer_size() < 2_000_000
        writer.transport.abort()

    run(scenario)


async def put_many(one: Served) -> None:
    """Make events of thirty megabytes, and let the server do with them what it wants."""
    for number in range(EVENTS):
        one.backend.apply(Put(b"a", bytes([number % 256]) * EVENT_BYTES))
        for _ in range(5):
            await asyncio.sleep(0)
    await asyncio.sleep(0.05)


def test_little_does_not_become_much() -> None:
    """Some bytes that refer again and again to a long header."""
    decoder = HeaderDecoder()
    decoder.decode(Encoder().encode([(b"a", b"x" * 3000)], huffman=False))
    assert len(decoder.decode(b"\xbe" * 80)) == 80
    with pytest.raises(HeaderError, match="more than"):
        decoder.decode(b"\xbe" * 100)


def test_a_table_that_is_made_smaller_forgets() -> None:
    decoder = HeaderDecoder()
    decoder.decode(Encoder().encode([(b"a", b"b")]))
    assert decoder.decode(b"\xbe") == [(b"a", b"b")]
    assert decoder.decode(b"\x20") == []
    with pytest.raises(HeaderError, match="no entry 62"):
        decoder.decode(b"\xbe")
    for block in (b"\x3f\xe1\x7f", encode([(b"a", b"b")]) + b"\x20"):
        with pytest.raises(HeaderError, match="not allowed"):
            decoder.decode(block)
