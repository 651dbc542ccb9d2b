"""Real processes under faults: nothing is found; what stands between them does what it is told."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

pytest.importorskip("google.protobuf")
pytest.importorskip("sortedcontainers")

from raftcheck.cli.main import main
from raftcheck.torture.gateway import unchunked
from raftcheck.torture.judging import FAULTS, HISTORY, TRACE
from raftcheck.torture.processes import Plan, torture
from raftcheck.torture.proxies import Proxy
from raftcheck.torture.real_faults import KINDS

SECONDS = 12.0


def test_nothing_is_found(tmp_path: Path) -> None:
    plan = Plan(2, 3, SECONDS)
    run = torture(plan, tmp_path)
    assert run.verdict == "not violated", run.findings
    assert run.outcomes["ok"] > 10
    assert run.counts["elections won"] > 0
    assert (tmp_path / FAULTS).read_text().splitlines() == [str(fault) for fault in plan.schedule]
    assert main(["judge", "history", str(tmp_path / HISTORY), "--format", "json", "--model", "etcd"]) == 0
    assert main(["judge", "trace", str(tmp_path / TRACE)]) == 0


def test_a_mutant_is_caught(tmp_path: Path) -> None:
    run = torture(Plan(1, 3, 4.0, "repeats-under-new-number"), tmp_path)
    assert run.verdict == "violated"


def test_a_seed_repeats_the_schedule() -> None:
    assert Plan(5).schedule == Plan(5).schedule != Plan(6).schedule
    assert {fault.kind for seed in range(20) for fault in Plan(seed).schedule} == set(KINDS)


def test_a_broken_virtual_disk_is_no_mutant_of_a_process(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["torture", "--mutant", "skips-syncs"]) == 2
    assert "give --simulated" in capsys.readouterr().err


def through_a_proxy(talk: Callable[[Proxy, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Talk to an echo through a proxy."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        proxy = Proxy(server.sockets[0].getsockname()[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", await proxy.start())
        try:
            await talk(proxy, reader, writer)
        finally:
            writer.close()
            await proxy.stop()
            server.close()

    asyncio.run(main())


def test_a_proxy_hands_on_what_both_sides_say() -> None:
    async def talk(_: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.write_eof()
        assert await reader.read() == b""

    through_a_proxy(talk)


def test_nothing_gets_through_a_proxy_that_is_stuck_until_it_is_not() -> None:
    async def talk(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        proxy.is_stuck = True
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(5), 0.3)
        proxy.is_stuck = False
        assert await reader.readexactly(5) == b"hello"

    through_a_proxy(talk)


def test_a_proxy_that_is_reset_ends_its_connections() -> None:
    async def talk(proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        proxy.reset()
        assert await reader.read() == b""

    through_a_proxy(talk)


def test_chunks() -> None:
    assert unchunked(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n") == b"abcde"
