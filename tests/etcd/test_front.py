"""The client port: what is not well formed gets a clear answer, or none; the server goes on."""

import asyncio
import contextlib
import json
import re
import shutil
import ssl
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import grpc
import h11
import pytest
from google.protobuf.message import Message
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from raftimpl.etcd import http2_frames as h2
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.api import ApiServer
from raftimpl.etcd.header_blocks import HeaderDecoder, HeaderError, encode
from raftimpl.etcd.http2_frames import PREFACE, Setting, frame, settings
from raftimpl.etcd.http_server import MAX_BODY_BYTES
from raftimpl.etcd.tls import ClientTls
from tests.etcd.local_backend import LocalBackend
from tests.etcd.running import Served, eventually, run, served

PUT = b'{"key":"YQ=="}'


async def talk(port: int, *pieces: bytes, half_close: bool = False, enough: Callable[[bytes], object] = bool) -> bytes:
    """Send bytes piece by piece; return what comes until it is enough or the server closes, and a little longer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
        if half_close:
            writer.write_eof()
        while True:
            async with asyncio.timeout(0.1 if enough(received) else 20):
                if not (data := await reader.read(65536)):
                    return received
            received += data
    except (TimeoutError, ConnectionResetError):
        return received
    finally:
        writer.close()


def post(path: bytes = b"/v3/kv/put", body: bytes = PUT, headers: bytes = b"") -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%b\r\n%b" % (path, len(body), headers, body)


GARBAGE = [
    ((b"hello\r\n\r\n",), b"HTTP/1.1 400 Bad Request"),
    ((b"\x00\x01\x02\x03" * 100 + b"\r\n\r\n",), b"HTTP/1.1 400 Bad Request"),
    ((b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",), b"HTTP/1.1 400 Bad Request"),
    ((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r",), b"HTTP/1.1 404 Not Found"),
    ((b"GET /version HTTP/1.1\r\n\r\n",), b"HTTP/1.1 400 Bad Request"),
    ((b"POST /v3/kv/put HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",), b"HTTP/1.1 400 Bad Request"),
    ((b"POST /v3/kv/put HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",), b"HTTP/1.1 501 Not Implemented"),
    ((b"GET /" + b"a" * 100_000,), b"HTTP/1.1 431 Request Header Fields Too Large"),
    ((b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: %b\r\n" % (b"a" * 1000) * 100,), b"HTTP/1.1 431"),
    ((post(body=bytes(MAX_BODY_BYTES + 1)),), b"HTTP/1.1 413 Request Entity Too Large"),
    ((b"",), b""),
    ((b"PRI",), b""),
    ((b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r",), b""),
    ((b"POST /v3/kv/put HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\n" + PUT,), b""),
]


@pytest.mark.parametrize(("pieces", "start"), GARBAGE, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("half_close", [False, True])
def test_garbage(pieces: tuple[bytes, ...], start: bytes, half_close: bool) -> None:
    async def scenario(one: Served) -> None:
        answer = await talk(
            one.port, *pieces, half_close=half_close, enough=lambda received: received.startswith(start)
        )
        assert answer.startswith(start) if start else not answer
        assert answer.count(b"HTTP/1.1") == bool(start)
        assert (await one.put(b"a")).header.revision == 2

    run(scenario)


def test_one_connection_for_many_requests_of_http_1() -> None:
    async def scenario(one: Served) -> None:
        whole = post() + post() + b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n" + post(headers=b"Connection: close\r\n")
        for pieces in ([whole], [whole[start : start + 7] for start in range(0, len(whole), 7)]):
            revision = one.backend.store.revision
            answer = await talk(one.port, *pieces, enough=lambda received: received.count(b"}") == 7)
            assert answer.count(b"HTTP/1.1 200 OK\r\n") == 4
            found = re.findall(rb'"revision":"(\d+)"', answer)
            assert [int(each) for each in found] == [revision + 1, revision + 2, revision + 3]

    run(scenario)


def test_who_waits_for_100_is_asked_to_go_on() -> None:
    async def scenario(one: Served) -> None:
        head, _, body = post(headers=b"Expect: 100-continue\r\n").partition(b"\r\n\r\n")
        answer = await talk(one.port, head + b"\r\n\r\n", body, enough=lambda received: b"}}" in received)
        assert answer.startswith(b"HTTP/1.1 100")
        assert b"HTTP/1.1 200 OK" in answer

    run(scenario)


def test_a_client_of_http_1_that_goes_away_ends_the_work() -> None:
    async def scenario(one: Served) -> None:
        one.backend.delay = 60
        _, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(post())
        await eventually(lambda: answering())
        writer.close()
        await eventually(lambda: not answering())

    run(scenario)


def answering() -> list[object]:
    return [task for task in asyncio.all_tasks() if "_respond" in repr(task)]


def test_chunked_bodies_and_queries() -> None:
    async def scenario(one: Served) -> None:
        connection = h11.Connection(h11.CLIENT)
        head = h11.Request(
            method="POST", target="/v3/kv/put?pretty", headers=[("Host", "a"), ("Transfer-Encoding", "chunked")]
        )
        data = b"".join(
            connection.send(event) or b""
            for event in (head, h11.Data(data=PUT[:5]), h11.Data(data=PUT[5:]), h11.EndOfMessage())
        )
        assert b'"revision":"2"' in await talk(one.port, data, enough=lambda received: b"}}" in received)

    run(scenario)


# HTTP/2

GET = [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/version")]
START = PREFACE + settings({})


def request(headers: list[tuple[bytes, bytes]], stream: int = 1, flags: int = h2.END_HEADERS | h2.END_STREAM) -> bytes:
    return frame(h2.HEADERS, flags, stream, encode(headers))


def call(stream: int, path: bytes, message: Message, timeout: bytes = b"1H") -> bytes:
    """Return a whole call of gRPC."""
    head = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", b"/etcdserverpb." + path),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
        (b"grpc-timeout", timeout),
    ]
    data = message.SerializeToString()
    body = b"\0" + len(data).to_bytes(4, "big") + data
    return request(head, stream, flags=h2.END_HEADERS) + frame(h2.DATA, h2.END_STREAM, stream, body)


def frames(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """Return the frames that are complete: type, flags, stream, payload."""
    found = []
    while len(data) >= 9:
        high, low, kind, flags, stream = h2.HEAD.unpack_from(data)
        size = high << 16 | low
        if len(data) < 9 + size:
            break
        found.append((kind, flags, stream, data[9 : 9 + size]))
        data = data[9 + size :]
    return found


def ends(data: bytes) -> bool:
    """Tell whether a stream has its answer to the end."""
    return any(kind in (h2.DATA, h2.HEADERS) and flags & h2.END_STREAM for kind, flags, *_ in frames(data))


def code_of(data: bytes) -> tuple[int, int] | None:
    """Return the type of the frame that ends the connection or a stream, and why."""
    for kind, _, _, payload in frames(data):
        if kind == h2.GOAWAY:
            return kind, struct.unpack_from(">I", payload, 4)[0]
        if kind == h2.RST_STREAM:
            return kind, struct.unpack(">I", payload)[0]
    return None


BROKEN = [
    (frame(h2.DATA, 0, 1, b"x"), h2.GOAWAY, 1),
    (frame(h2.DATA, 0, 0, b"x"), h2.GOAWAY, 1),
    (h2.HEAD.pack(1, 0, h2.DATA, 0, 1), h2.GOAWAY, 6),
    (frame(h2.SETTINGS, 0, 0, b"x"), h2.GOAWAY, 6),
    (frame(h2.SETTINGS, 0, 1), h2.GOAWAY, 1),
    (settings({Setting.INITIAL_WINDOW_SIZE: 2**31}), h2.GOAWAY, 3),
    (settings({Setting.MAX_FRAME_SIZE: 1}), h2.GOAWAY, 1),
    (settings({Setting.ENABLE_PUSH: 2}), h2.GOAWAY, 1),
    (frame(h2.PING, 0, 0, b"short"), h2.GOAWAY, 6),
    (frame(h2.PING, 0, 5, bytes(8)), h2.GOAWAY, 1),
    (frame(h2.GOAWAY, 0, 5, bytes(8)), h2.GOAWAY, 1),
    (frame(h2.WINDOW_UPDATE, 0, 0, bytes(4)), h2.GOAWAY, 1),
    (frame(h2.WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"), h2.GOAWAY, 3),
    (frame(h2.WINDOW_UPDATE, 0, 9, b"\0\0\0\1"), h2.GOAWAY, 1),
    (frame(h2.RST_STREAM, 0, 1, bytes(4)), h2.GOAWAY, 1),
    (frame(h2.PUSH_PROMISE, 0, 1, bytes(4)), h2.GOAWAY, 1),
    (frame(h2.PRIORITY, 0, 1, bytes(3)), h2.GOAWAY, 6),
    (frame(h2.PRIORITY, 0, 1, b"\0\0\0\1\0"), h2.RST_STREAM, 1),
    (frame(h2.CONTINUATION, 0, 1, b"x"), h2.GOAWAY, 1),
    (request(GET, stream=2), h2.GOAWAY, 1),
    (request(GET, stream=5) + request(GET, stream=3), h2.GOAWAY, 5),
    (request(GET, flags=h2.END_STREAM) + frame(h2.PING, 0, 0, bytes(8)), h2.GOAWAY, 1),
    (request(GET, flags=0) + frame(h2.CONTINUATION, 0, 1, bytes(16000)) * 6, h2.GOAWAY, 11),
    (request(GET, flags=h2.END_HEADERS) * 2, h2.GOAWAY, 1),
    (request(GET) + frame(h2.DATA, 0, 1, b"x"), h2.RST_STREAM, 5),
    (frame(h2.HEADERS, h2.END_HEADERS | h2.PADDED, 1, b"\xff"), h2.GOAWAY, 1),
    (frame(h2.HEADERS, h2.END_HEADERS | h2.PADDED, 1), h2.GOAWAY, 6),
    (frame(h2.HEADERS, h2.END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"), h2.GOAWAY, 9),
    (request(GET[:2]), h2.RST_STREAM, 1),
    (request([*GET, (b":path", b"/")]), h2.RST_STREAM, 1),
    (request([*GET, (b"a", b""), (b":authority", b"")]), h2.RST_STREAM, 1),
    (request([*GET, (b":status", b"200")]), h2.RST_STREAM, 1),
    (request([*GET, (b"Upper", b"")]), h2.RST_STREAM, 1),
    (request([*GET, (b"connection", b"close")]), h2.RST_STREAM, 1),
    (request([*GET, (b"te", b"gzip")]), h2.RST_STREAM, 1),
    (request([*GET, (b"content-length", b"5")]), h2.RST_STREAM, 1),
    (request(GET, flags=h2.END_HEADERS) + frame(h2.WINDOW_UPDATE, 0, 1, bytes(4)), h2.RST_STREAM, 1),
    (request(GET, flags=h2.END_HEADERS) + frame(h2.WINDOW_UPDATE, 0, 1, b"\x7f\xff\xff\xff"), h2.RST_STREAM, 3),
]


@pytest.mark.parametrize(("data", "kind", "code"), BROKEN, ids=lambda value: repr(value)[:40])
def test_what_breaks_http_2(data: bytes, kind: int, code: int) -> None:
    async def scenario(one: Served) -> None:
        assert code_of(await talk(one.port, START + data, enough=code_of)) == (kind, code)
        assert (await one.put(b"a")).header.revision == 2

    run(scenario)


ALLOWED = [
    b"",
    frame(77, 0xFF, 0, b"unknown"),
    frame(h2.PRIORITY, 0, 7, b"\0\0\0\1\0"),
    frame(h2.PING, h2.ACK, 0, bytes(8)),
    settings({Setting.MAX_FRAME_SIZE: 2**20, Setting.INITIAL_WINDOW_SIZE: 2**20}),
    frame(h2.SETTINGS, 0, 0, struct.pack(">HI", 99, 99)),
    frame(h2.GOAWAY, 0, 0, bytes(8)),
]


@pytest.mark.parametrize("data", ALLOWED, ids=repr)
def test_what_is_allowed_by_http_2_and_of_no_use_here(data: bytes) -> None:
    async def scenario(one: Served) -> None:
        answer = frames(await talk(one.port, START + data + request(GET), enough=ends))
        assert json.loads(next(payload for kind, _, _, payload in answer if kind == h2.DATA))["etcdserver"] == "3.4.23"

    run(scenario)


def test_a_client_that_takes_little_at_a_time_gets_all_in_the_end() -> None:
    """Windows of streams and of the connection, opened byte by byte."""

    async def scenario(one: Served) -> None:
        await one.put(b"a", b"v" * 50)
        body = json.dumps({"key": "YQ=="}).encode()
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/v3/kv/range")]
        updates = [frame(h2.WINDOW_UPDATE, 0, 1, b"\0\0\0\7") for _ in range(40)]
        answer = frames(
            await talk(
                one.port,
                PREFACE + settings({Setting.INITIAL_WINDOW_SIZE: 0}),
                request(head, flags=h2.END_HEADERS) + frame(h2.DATA, h2.END_STREAM, 1, body),
                *updates,
                enough=ends,
            )
        )
        data = [payload for kind, _, _, payload in answer if kind == h2.DATA]
        assert len(data) > 20
        assert json.loads(b"".join(data))["count"] == "1"

    run(scenario)


def test_ping_and_a_padded_body() -> None:
    async def scenario(one: Served) -> None:
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/v3/kv/put")]
        padded = frame(h2.DATA, h2.END_STREAM | h2.PADDED, 1, b"\x05" + PUT + bytes(5))
        data = START + frame(h2.PING, 0, 0, b"12345678") + request(head, flags=h2.END_HEADERS) + padded
        answer = frames(await talk(one.port, data, enough=ends))
        assert (h2.PING, h2.ACK, 0, b"12345678") in answer
        assert b'"revision":"2"' in b"".join(payload for kind, _, _, payload in answer if kind == h2.DATA)

    run(scenario)


headers_strategy = st.lists(
    st.tuples(
        st.sampled_from([b":path", b":method", b"te", b"a", b"some-name", b"user-agent"]) | st.binary(max_size=20),
        st.sampled_from([b"GET", b"/", b"trailers", b"x" * 200]) | st.binary(max_size=30),
    ),
    max_size=8,
)


@given(blocks=st.lists(st.tuples(headers_strategy, st.booleans(), st.sampled_from([None, 0, 100, 4096])), max_size=8))
def test_header_blocks_are_decoded_as_they_were_encoded(
    blocks: list[tuple[list[tuple[bytes, bytes]], bool, int | None]],
) -> None:
    """The encoder of an independent library, with its table, its Huffman code, and changes of the table's size."""
    encoder, decoder = Encoder(), HeaderDecoder()
    for headers, huffman, size in blocks:
        if size is not None:
            encoder.header_table_size = size
        assert decoder.decode(encoder.encode(headers, huffman)) == headers
        assert decoder.decode(encode(headers)) == headers


@given(block=st.binary(max_size=60))
def test_header_blocks_of_any_bytes_are_decoded_or_refused(block: bytes) -> None:
    with contextlib.suppress(HeaderError):
        HeaderDecoder().decode(block)


pieces = st.one_of(
    st.binary(max_size=40),
    st.builds(
        frame,
        st.integers(0, 11),
        st.integers(0, 255),
        st.integers(0, 6),
        st.binary(max_size=40) | st.just(encode(GET)) | st.integers(0, 2**32 - 1).map(lambda n: n.to_bytes(4, "big")),
    ),
    st.sampled_from([request(GET, stream=number) for number in (1, 3, 5)]),
)


def test_no_bytes_end_the_server() -> None:
    """Whatever is sent after the preface: nothing raises, and the server answers the next client."""
    failures: list[object] = []

    @given(data=st.lists(pieces, max_size=8))
    def survives(data: list[bytes]) -> None:
        async def scenario() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
            connection = server._front()
            transport = FakeTransport()
            connection.connection_made(transport)
            for piece in (PREFACE, *data):
                if not transport.is_closing():
                    transport.protocol(connection).data_received(piece)
            for _ in range(5):
                await asyncio.sleep(0)
            transport.protocol(connection).connection_lost(None)
            await asyncio.sleep(0)

        asyncio.run(scenario())
        assert not failures

    server = ApiServer(LocalBackend(), [])
    survives()


class FakeTransport(asyncio.Transport):
    """Takes everything."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self._closing = False
        self._protocol: asyncio.BaseProtocol | None = None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def protocol(self, first: asyncio.Protocol) -> asyncio.Protocol:
        return self._protocol or first  # type: ignore[return-value]

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.sent += data

    def close(self) -> None:
        self._closing = True

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


# TLS


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an authority, and certificates of a server and of a client."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")

    def make(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    ec = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    make("req", "-x509", *ec, "-keyout", "ca.key", "-out", "ca.crt", "-days", "2", "-subj", "/CN=ca")
    for name in ("server", "client"):
        make("req", *ec, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        make("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days",
             "2", "-out", f"{name}.crt", "-extfile", "names")  # fmt: skip
    return folder


@pytest.mark.parametrize("mutual", [False, True])
def test_tls(certificates: Path, mutual: bool) -> None:
    tls = ClientTls(
        certificates / "server.crt", certificates / "server.key", certificates / "ca.crt" if mutual else None
    )

    async def scenario() -> None:
        async with served(tls=tls) as one:
            credentials = grpc.ssl_channel_credentials(
                (certificates / "ca.crt").read_bytes(),
                (certificates / "client.key").read_bytes() if mutual else None,
                (certificates / "client.crt").read_bytes() if mutual else None,
            )
            async with grpc.aio.secure_channel(f"localhost:{one.port}", credentials) as channel:
                assert (await one._replace(channel=channel).put(b"a", bytes(1_000_000))).header.revision == 2
            for protocol in ("http/1.1", None):
                assert b"3.4.23" in await version_over_tls(certificates, one.port, protocol, mutual)
            if mutual:
                with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                    await version_over_tls(certificates, one.port, None, mutual=False)
            assert b"HTTP" not in await talk(one.port, b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n")

    asyncio.run(scenario())


async def version_over_tls(certificates: Path, port: int, protocol: str | None, mutual: bool) -> bytes:
    context = ssl.create_default_context(cafile=str(certificates / "ca.crt"))
    if protocol is not None:
        context.set_alpn_protocols([protocol])
    if mutual:
        context.load_cert_chain(certificates / "client.crt", certificates / "client.key")
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        writer.write(b"GET /version HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        return await reader.read()
    finally:
        writer.close()


def test_over_tls_a_client_of_both_protocols_gets_http_2(certificates: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    tls = ClientTls(certificates / "server.crt", certificates / "server.key")

    async def scenario() -> None:
        async with served(tls=tls) as one:
            arguments = ["-s", "--cacert", str(certificates / "ca.crt"), "-w", " %{http_version}"]
            process = await asyncio.create_subprocess_exec(
                curl, *arguments, f"https://localhost:{one.port}/health", stdout=asyncio.subprocess.PIPE
            )
            output, _ = await process.communicate()
            assert output == b'{"health":"true"} 2'

    asyncio.run(scenario())


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("nothing")
    server = ApiServer(LocalBackend(), [("127.0.0.1", 0)], ClientTls(tmp_path / "a", tmp_path / "a"))
    with pytest.raises(OSError, match="PEM"):
        asyncio.run(server.start())


def test_an_address_that_is_taken() -> None:
    async def scenario(one: Served) -> None:
        with pytest.raises(OSError, match="in use"):
            await ApiServer(LocalBackend(), [("127.0.0.1", 0), ("127.0.0.1", one.port)]).start()

    run(scenario)


def test_a_message_in_pieces_and_two_in_one() -> None:
    """Messages are not frames: a stream's bytes may be cut anywhere."""

    async def scenario(one: Served) -> None:
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/etcdserverpb.Lease/LeaseKeepAlive"),
                (b"content-type", b"application/grpc"), (b"te", b"trailers")]  # fmt: skip
        message = rpc.LeaseKeepAliveRequest(ID=5).SerializeToString()
        messages = (b"\0" + len(message).to_bytes(4, "big") + message) * 3
        data = [frame(h2.DATA, 0, 1, messages[start : start + 4]) for start in range(0, len(messages), 4)]
        answer = frames(
            await talk(
                one.port,
                START + request(head, flags=h2.END_HEADERS),
                *data,
                frame(h2.DATA, h2.END_STREAM, 1),
                enough=ends,
            )
        )
        assert len([kind for kind, *_ in answer if kind == h2.DATA]) == 3
        kind, flags, _, trailers = answer[-1]
        assert (kind, flags) == (h2.HEADERS, h2.END_HEADERS | h2.END_STREAM)
        assert (b"grpc-status", b"0") in HeaderDecoder().decode(trailers)

    run(scenario)


def test_a_deadline_is_kept_though_the_client_does_not_insist() -> None:
    async def scenario(one: Served) -> None:
        one.backend.delay = 60
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/etcdserverpb.KV/Put"),
                (b"content-type", b"application/grpc"), (b"te", b"trailers"), (b"grpc-timeout", b"100m")]  # fmt: skip
        message = rpc.PutRequest(key=b"a").SerializeToString()
        body = b"\0" + len(message).to_bytes(4, "big") + message
        data = START + request(head, flags=h2.END_HEADERS) + frame(h2.DATA, h2.END_STREAM, 1, body)
        answer = frames(await talk(one.port, data, enough=ends))
        assert (b"grpc-status", b"4") in HeaderDecoder().decode(answer[-1][3])
        assert not [task for task in asyncio.all_tasks() if "Call._run" in repr(task)]

    run(scenario)
