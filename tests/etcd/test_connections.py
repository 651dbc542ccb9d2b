"""How many connections clients may have, how long they may say nothing, and what is told of those that fail."""

import asyncio
import errno
import json
import resource
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from raftimpl.etcd import failures, listener
from raftimpl.etcd import http2_frames as h2
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.header_blocks import HeaderDecoder
from raftimpl.etcd.http2_frames import PREFACE, settings
from raftimpl.etcd.tls import ClientTls
from tests.etcd.ports import free_ports
from tests.etcd.running import Served, eventually, run, served
from tests.etcd.test_front import START, call, certificates, frames, post, talk, version_over_tls

__all__ = ["certificates"]

MOST = 3
VERSION = b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n"


async def is_closed(reader: asyncio.StreamReader, seconds: float = 5) -> bool:
    """Tell whether the server closes a connection in good time."""
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(65536):
                pass
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True
    return True


def test_there_are_at_most_so_many_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "WARNING_INTERVAL", 1000.0)

    async def scenario(one: Served) -> None:
        opened = [await asyncio.open_connection("127.0.0.1", one.port) for _ in range(MOST)]
        await eventually(lambda: len(one.server._connections) == MOST)
        for _ in range(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
            assert await is_closed(reader)
            writer.close()
        reader, writer = opened[0]
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        found = await reader.readuntil(b"raftproof_client_connections_refused_total 20.0\n")
        assert b"raftproof_client_connections 3.0\n" in found
        opened[1][1].close()
        await eventually(lambda: len(one.server._connections) < MOST)
        assert b"3.4.23" in await talk(one.port, VERSION, enough=lambda received: b"}" in received)
        for _, writer in opened:
            writer.close()

    with capture_logs() as logs:
        run(scenario, most_connections=MOST)
    assert logs == [{"event": "a connection was refused: there are too many", "log_level": "warning", "most": MOST,
                     "refused": 1, "untold": 0}]  # fmt: skip


def test_a_server_is_left_descriptors_of_its_own() -> None:
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert limit == resource.RLIM_INFINITY or listener.room_for_connections() == limit - 150


def test_when_the_system_has_no_descriptor_the_server_waits_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "REST", 0.01)
    accept, failing = socket.socket.accept, [1, 2, 3]

    def accept_later(self: socket.socket) -> Any:
        if failing and failing.pop():
            raise OSError(errno.EMFILE, "Too many open files")
        return accept(self)

    async def scenario(one: Served) -> None:
        monkeypatch.setattr(socket.socket, "accept", accept_later)
        await one.put(b"a")
        assert not failing

    with capture_logs() as logs:
        run(scenario)
    assert [log["event"] for log in logs] == ["no connection can be accepted"]


LIMITED = 'ulimit -Sn 64; ulimit -Hn 200; exec "$@"'


def test_a_flood_of_connections_leaves_a_real_server_alive(tmp_path: Path) -> None:
    client, peer = free_ports(2)
    url, peers = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
    arguments = ["serve", "--name=a", f"--data-dir={tmp_path / 'a'}", f"--listen-client-urls={url}",
                 f"--advertise-client-urls={url}", f"--listen-peer-urls={peers}",
                 f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=a={peers}"]  # fmt: skip
    command = ["bash", "-c", LIMITED, "bash", sys.executable, "-m", "raftcheck.cli", *arguments]
    with (tmp_path / "log").open("wb") as log:
        server = subprocess.Popen(command, stderr=log)
    sockets: list[socket.socket] = []
    try:
        first = connect_when_ready(client, server)
        sockets += [first, *(socket.create_connection(("127.0.0.1", client), 10) for _ in range(400))]
        first.sendall(post())
        answer = b""
        while b'"revision"' not in answer:
            piece = first.recv(65536)
            assert piece, answer
            answer += piece
        assert server.poll() is None
    finally:
        for each in sockets:
            each.close()
        server.kill()
        server.wait()
    told = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert not [line for line in told if line["level"] == "error"]
    assert next(line["most"] for line in told if "too many" in line["msg"]) == 200 - 150


def connect_when_ready(port: int, server: "subprocess.Popen[bytes]") -> socket.socket:
    for _ in range(600):
        assert server.poll() is None
        try:
            return socket.create_connection(("127.0.0.1", port), 30)
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("the server does not listen")


SLOW = [
    (b"",),
    (b"PRI * HTTP/2.0",),
    (b"GET /version HTTP/1.1\r\nHost:",),
    (post()[:-1],),
    (VERSION,),
    (VERSION, VERSION, VERSION[:-1]),
]


@pytest.mark.parametrize("pieces", SLOW, ids=lambda value: repr(value)[-30:])
def test_who_sends_no_whole_request_in_time_is_not_waited_for(pieces: tuple[bytes, ...]) -> None:
    async def scenario(one: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        for piece in pieces:
            writer.write(piece)
        assert await is_closed(reader)
        writer.close()

    run(scenario, request_patience=0.2)


def test_a_slow_answer_and_a_quiet_connection_of_http_2_are_waited_for() -> None:
    async def scenario(one: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", one.port)
        writer.write(PREFACE + settings({}))
        one.backend.delay = 0.5
        assert b"200 OK" in await talk(one.port, post(), enough=lambda received: b"}}" in received)
        assert not await is_closed(reader, 0.1)
        writer.close()

    run(scenario, request_patience=0.1)


@pytest.mark.parametrize("client", ["none", "foreign", "no TLS"])
def test_a_handshake_that_fails_is_told(certificates: Path, tmp_path: Path, client: str) -> None:
    tls = ClientTls(certificates / "server.crt", certificates / "server.key", certificates / "ca.crt")
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "client.key", "-out", "client.crt",
            "-subj", "/CN=foreign"]  # fmt: skip
    if client == "foreign":
        subprocess.run(make, cwd=tmp_path, check=True, capture_output=True)
        (tmp_path / "ca.crt").write_bytes((certificates / "ca.crt").read_bytes())

    async def scenario() -> None:
        async with served(tls=tls) as one:
            if client == "no TLS":
                await talk(one.port, VERSION)
            else:
                folder = tmp_path if client == "foreign" else certificates
                with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)) as refused:
                    await version_over_tls(folder, one.port, None, mutual=client == "foreign")
                assert "alert" not in str(refused.value).lower()
            await eventually(lambda: logs)
            assert not len(one.server._connections)

    with capture_logs() as logs:
        asyncio.run(scenario())
    assert [(log["event"], log["log_level"]) for log in logs] == [
        ("a connection failed before it could be used", "warning")
    ]
    assert logs[0]["remote"].startswith("127.0.0.1:")
    assert "SSL" in logs[0]["error"]


PUT = rpc.PutRequest(key=b"a")
MALFORMED = [b"1" * 320 + b"S", b"1" * 5000 + b"S", b"123456789S", b"", b"S", b"1", b"1s", b"-1S", b"+1S", b"1.5S"]


@pytest.mark.parametrize("timeout", MALFORMED, ids=lambda value: repr(value[:12]))
@pytest.mark.parametrize("path", [b"KV/Put", b"Watch/Watch", b"Maintenance/Snapshot"])
def test_a_malformed_deadline_costs_one_call_and_not_the_connection(timeout: bytes, path: bytes) -> None:
    async def scenario(one: Served) -> None:
        begun = START + call(1, path, PUT, timeout) + call(3, b"KV/Put", PUT, b"99999999H")
        answer = await talk(one.port, begun, enough=lambda data: len(statuses(data)) == 2)
        assert statuses(answer) == {1: b"13", 3: b"0"}

    run(scenario)


def statuses(data: bytes) -> dict[int, bytes]:
    """Return how calls have ended, by their streams."""
    blocks = [(stream, payload) for kind, _, stream, payload in frames(data) if kind == h2.HEADERS]
    found = {stream: dict(HeaderDecoder().decode(block)).get(b"grpc-status") for stream, block in blocks}
    return {stream: status for stream, status in found.items() if status is not None}
