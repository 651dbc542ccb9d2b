"""What each kind of fault does to a cluster of real processes."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from raftcheck.torture.clients import RefusedError, UnknownOutcomeError
from raftcheck.torture.judging import Finding
from raftcheck.torture.proxies import Link, Proxy
from raftcheck.torture.real_cluster import RealCluster, tail_of
from raftcheck.torture.schedule import Fault
from raftimpl.running.records import Position

REFUSAL_PATIENCE = 60.0
"""Seconds within which a server must have refused to start from a damaged folder, on a machine that has much to do."""

Undo = Callable[[], Awaitable[None]]


class Damaged(NamedTuple):
    """A fault on a cluster, the victim, and where to tell what is wrong."""

    cluster: RealCluster
    fault: Fault
    victim: int
    findings: list[Finding]


async def nothing() -> None:
    """Undo nothing."""


# Processes


async def kill(at: Damaged) -> Undo:
    """Kill a process (kill -9); start it again later."""
    await at.cluster.kill(at.victim)
    return partial(at.cluster.start, at.victim)


async def kill_all(at: Damaged) -> Undo:
    """Kill all processes; start them again later."""
    for server in range(at.cluster.servers):
        await at.cluster.kill(server)
    return partial(start_all, at.cluster)


async def start_all(cluster: RealCluster) -> None:
    """Start whoever is down."""
    for server in range(cluster.servers):
        await cluster.start(server)


async def pause(at: Damaged) -> Undo:
    """Stop a process for a while (SIGSTOP, SIGCONT)."""
    at.cluster.pause(at.victim)

    async def undo() -> None:
        at.cluster.resume(at.victim)

    return undo


async def transfer(at: Damaged) -> Undo:
    """Ask the leader to hand over to another server."""
    leader = await at.cluster.leader()
    other = at.fault.other if at.fault.other != leader else (at.fault.other + 1) % at.cluster.servers
    if leader is None or leader == other:
        return nothing
    try:
        async with asyncio.timeout(3):
            status = await at.cluster.gateway.call(other, "maintenance/status", {})
            target = {"targetID": status["header"]["member_id"]}
            await at.cluster.gateway.call(leader, "maintenance/transfer-leadership", target)
    except (RefusedError, UnknownOutcomeError, TimeoutError):
        at.cluster.counts["transfers that failed"] += 1
    return nothing


# The network


def stuck(proxies: Sequence[Proxy], fault: Fault) -> Undo:
    """Let nothing through some proxies; in one case of two, connections end as well."""
    for proxy in proxies:
        proxy.is_stuck = True
        if fault.amount > 0.5:
            proxy.reset()

    async def undo() -> None:
        for proxy in proxies:
            proxy.is_stuck = False

    return undo


async def one_way_cut(at: Damaged) -> Undo:
    """Let one server's messages not reach another."""
    return stuck(at.cluster.proxies.of([(at.victim, at.fault.other)]), at.fault)


async def cut(at: Damaged) -> Undo:
    """Let two servers not reach each other."""
    one, other = at.victim, at.fault.other
    return stuck(at.cluster.proxies.of([(one, other), (other, one)]), at.fault)


async def isolation(at: Damaged) -> Undo:
    """Let one server reach nobody, and nobody reach it."""
    return stuck(at.cluster.proxies.of(links_of(at.victim, at.cluster.servers)), at.fault)


def links_of(server: int, servers: int) -> list[Link]:
    """Return all links from and to a server."""
    return [link for other in range(servers) for link in ((server, other), (other, server))]


async def delay(at: Damaged) -> Undo:
    """Let everything take longer on all links of a server."""
    proxies = at.cluster.proxies.of(links_of(at.victim, at.cluster.servers))
    return changed(proxies, "delay", 0.3 * at.fault.amount, 0.0)


async def slow_links(at: Damaged) -> Undo:
    """Let only some kilobytes a second through all links of a server."""
    proxies = at.cluster.proxies.of(links_of(at.victim, at.cluster.servers))
    return changed(proxies, "rate", int(4_000 + 60_000 * at.fault.amount), 0)


def changed(proxies: Sequence[Proxy], name: str, value: float, usual: float) -> Undo:
    """Change how proxies work; return how to change that back."""
    for proxy in proxies:
        setattr(proxy, name, value)

    async def undo() -> None:
        for proxy in proxies:
            setattr(proxy, name, usual)

    return undo


async def broken_connections(at: Damaged) -> Undo:
    """End all connections of a server; they can be made again at once."""
    for proxy in at.cluster.proxies.of(links_of(at.victim, at.cluster.servers)):
        proxy.reset()
    return nothing


# Disks


async def full_disk(at: Damaged) -> Undo:
    """Let a disk be full: its server stops; start it again when there is space."""
    disk = at.cluster.disks[at.victim]
    if not disk.is_small:
        at.cluster.counts["faults left out: no file system of its own"] += 1
        return nothing
    at.cluster.may_stop.add(at.victim)
    await asyncio.to_thread(disk.fill)

    async def undo() -> None:
        disk.free()
        await asyncio.sleep(1.0)
        at.cluster.may_stop.discard(at.victim)
        await at.cluster.start(at.victim)

    return undo


async def torn_tail(at: Damaged) -> Undo:
    """Kill a server, and let the end of its log be torn, as if the machine had failed in the middle of a write."""
    async with at.cluster.held_down(at.victim) as is_down:
        mark = at.cluster.mark_of(at.victim) if is_down else None
        if mark is not None:
            path = segment_of(at.cluster, at.victim, mark)
            with suppress(OSError), path.open("ab", buffering=0) as segment:  # its disk may be full at the same time
                segment.write(Random(f"{at.fault.amount}").randbytes(int(1 + 200 * at.fault.amount)))
    return partial(at.cluster.start, at.victim)


async def damaged_log(at: Damaged) -> Undo:
    """Kill a server, and damage a byte of what it has synced: it must refuse to start. Then mend the byte."""
    cluster, server = at.cluster, at.victim
    async with cluster.held_down(server) as is_down:
        mark = cluster.mark_of(server) if is_down else None
        if mark is not None:
            path, offset = segment_of(cluster, server, mark), int(at.fault.amount * (mark.offset - 1))
            flip(path, offset)
            cluster.may_stop.add(server)
            await cluster.launch(server)
            refused, told = await cluster.ended(server, REFUSAL_PATIENCE), tail_of(cluster.log_of(server))
            if not refused or path.name not in told:
                what = f"byte {offset} of {path} was damaged, and the server did not refuse it: {told}"
                at.findings.append(Finding("damaged logs", what))
            await cluster.kill_at_once(server)
            flip(path, offset)
            cluster.may_stop.discard(server)
            cluster.counts["damage refused"] += refused
    return partial(cluster.start, server)


def segment_of(cluster: RealCluster, server: int, mark: Position) -> Path:
    """Return the segment of a server's log that was written last."""
    return cluster.data_of(server) / "wal" / f"{mark.segment:04}.wal"


def flip(path: Path, offset: int) -> None:
    """Change a byte of a file; done twice, it is as before."""
    with path.open("r+b") as file:
        file.seek(offset)
        (value,) = file.read(1)
        file.seek(offset)
        file.write(bytes([value ^ 0x20]))


class Kind(NamedTuple):
    """A kind of fault: how often it is drawn, and what it does; it returns what ends it."""

    weight: int
    begin: Callable[[Damaged], Awaitable[Undo]]


KINDS: Mapping[str, Kind] = {
    "kill": Kind(4, kill),
    "kill all": Kind(1, kill_all),
    "pause": Kind(3, pause),
    "leadership transfer": Kind(2, transfer),
    "one-way cut": Kind(2, one_way_cut),
    "cut": Kind(2, cut),
    "isolation": Kind(3, isolation),
    "delay": Kind(2, delay),
    "slow links": Kind(1, slow_links),
    "broken connections": Kind(1, broken_connections),
    "full disk": Kind(2, full_disk),
    "torn tail": Kind(2, torn_tail),
    "damaged log": Kind(2, damaged_log),
}

WEIGHTS: Mapping[str, int] = {name: kind.weight for name, kind in KINDS.items()}


async def inflict(cluster: RealCluster, faults: Sequence[Fault], findings: list[Finding]) -> None:
    """Let faults happen at their times, counted from now, and end at theirs."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    under_way = []
    for fault in faults:
        await asyncio.sleep(max(0.0, started + fault.at - loop.time()))
        under_way.append(asyncio.create_task(happen(cluster, fault, findings)))
    await asyncio.gather(*under_way)


async def happen(cluster: RealCluster, fault: Fault, findings: list[Finding]) -> None:
    """Let one fault happen and end."""
    victim = fault.victim if fault.victim is not None else await cluster.leader()
    if victim is None:
        victim = fault.other
    other = fault.other if fault.other != victim else (victim + 1) % cluster.servers
    undo = await KINDS[fault.kind].begin(Damaged(cluster, fault._replace(other=other), victim, findings))
    await asyncio.sleep(fault.seconds)
    await undo()


async def heal(cluster: RealCluster) -> None:
    """End all faults."""
    cluster.proxies.heal()
    for server in range(cluster.servers):
        cluster.disks[server].free()
        cluster.resume(server)
        cluster.may_stop.discard(server)
        await cluster.start(server)
