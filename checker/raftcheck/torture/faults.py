"""What goes wrong: a schedule that is drawn from a seed, and what each fault does to a cluster in virtual time."""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from random import Random
from typing import NamedTuple

from raftcheck.torture.virtual_cluster import VirtualCluster
from raftcheck.torture.virtual_world import USUAL_SYNC, Weather
from raftimpl.store.errors import RequestError

Undo = Callable[[], None]


class Fault(NamedTuple):
    """Something that goes wrong at some time, for some seconds.

    `victim` is a server's number; the leader of that time if it is None. What `amount`, between 0 and 1, says depends
    on the kind.
    """

    at: float
    kind: str
    victim: int | None
    other: int
    seconds: float
    amount: float

    def __str__(self) -> str:
        victim = "the leader" if self.victim is None else f"s{self.victim}"
        return f"{self.at:.2f} s: {self.kind} ({victim}, s{self.other}; {self.seconds:.2f} s, {self.amount:.2f})"


def nothing() -> None:
    """Undo nothing."""


# The network


def loss(cluster: VirtualCluster, fault: Fault, _: int) -> Undo:
    """Lose messages."""
    return change_weather(cluster, cluster.network.weather, loss=0.5 * fault.amount)


def duplication(cluster: VirtualCluster, fault: Fault, _: int) -> Undo:
    """Repeat messages."""
    return change_weather(cluster, cluster.network.weather, duplication=fault.amount)


def delay(cluster: VirtualCluster, fault: Fault, _: int) -> Undo:
    """Let messages take long, some of them much longer than others, so that they overtake each other."""
    return change_weather(cluster, cluster.network.weather, slowest=0.4 * fault.amount)


def change_weather(cluster: VirtualCluster, weather: Weather, **changes: float) -> Undo:
    """Change some figures of the weather; return how to change them back to what is usual."""
    usual = Weather()
    for name, value in changes.items():
        setattr(weather, name, value)

    def undo() -> None:
        for name in changes:
            setattr(weather, name, getattr(usual, name))

    return undo


def cut(cluster: VirtualCluster, links: set[tuple[int, int]]) -> Undo:
    """Cut links; return how to mend them. Where two cuts overlap, the first to end mends both."""
    cluster.network.cut |= links
    return partial(cluster.network.cut.difference_update, links)


def one_way_cut(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Let one server's messages not reach another."""
    return cut(cluster, {(victim, fault.other)})


def pair_cut(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Let two servers not reach each other."""
    return cut(cluster, {(victim, fault.other), (fault.other, victim)})


def isolation(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Let one server reach nobody, and nobody reach it."""
    return cut(cluster, between({victim}, cluster.servers))


def deafness(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Let one server hear nobody, while all hear it."""
    return cut(cluster, {(other, victim) for other in range(cluster.servers)})


def partition(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Divide the cluster in two parts."""
    others = [server for server in range(cluster.servers) if server != victim]
    with_victim = others[: int(fault.amount * len(others))]
    return cut(cluster, between({victim, *with_victim}, cluster.servers))


def between(part: set[int], servers: int) -> set[tuple[int, int]]:
    """Return the links between some servers and all others."""
    rest = set(range(servers)) - part
    return {link for one in part for other in rest for link in ((one, other), (other, one))}


# Servers


def crash(cluster: VirtualCluster, _: Fault, victim: int) -> Undo:
    """Kill a server; start it again later."""
    cluster.crash(victim)
    return partial(cluster.start, victim)


def crash_within_sync(cluster: VirtualCluster, _: Fault, victim: int) -> Undo:
    """Kill a server in the middle of its next sync; start it again later."""

    def notify() -> None:
        asyncio.get_running_loop().call_soon(cluster.crash, victim)

    cluster.disks[victim].within_sync = notify
    return partial(cluster.start, victim)


def quick_restarts(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Kill a server and start it again at once, a few times."""
    loop = asyncio.get_running_loop()
    for time in range(4):
        loop.call_later(time * fault.seconds / 4, again, cluster, victim)
    return partial(cluster.start, victim)


def again(cluster: VirtualCluster, server: int) -> None:
    """Kill a server and start it again."""
    if cluster.is_calm:
        return
    cluster.crash(server)
    cluster.start(server)


def power_failure(cluster: VirtualCluster, _: Fault, __: int) -> Undo:
    """Kill all servers; start them again later, one after the other."""
    loop, servers = asyncio.get_running_loop(), range(cluster.servers)
    for server in servers:
        cluster.crash(server)

    def undo() -> None:
        for server in servers:
            loop.call_later(0.1 * server, cluster.start, server)

    return undo


def pause(cluster: VirtualCluster, _: Fault, victim: int) -> Undo:
    """Let a server do nothing for a while."""
    cluster.hosts[victim].pause()
    return cluster.hosts[victim].resume


def transfer(cluster: VirtualCluster, fault: Fault, _: int) -> Undo:
    """Ask the leader to hand over to another server."""
    if cluster.leader is not None:
        asyncio.create_task(move_leader(cluster, cluster.leader, fault.other))  # noqa: RUF006 (it waits for timers only)
    return nothing


async def move_leader(cluster: VirtualCluster, leader: int, target: int) -> None:
    """Hand leadership over, if that works out."""
    try:
        await cluster.nodes[leader].move_leader(target)
    except RequestError:
        cluster.counts["transfers that failed"] += 1


# Disks and clocks


def slow_disk(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Let a disk's syncs take up to half a second."""
    disk = cluster.disks[victim]
    disk.slowest_sync = 0.5 * fault.amount + USUAL_SYNC
    return partial(setattr, disk, "slowest_sync", USUAL_SYNC)


def full_disk(cluster: VirtualCluster, _: Fault, victim: int) -> Undo:
    """Let a disk be full: its server stops, and cannot do anything when it is started again."""
    disk = cluster.disks[victim]
    disk.is_full = True
    return partial(setattr, disk, "is_full", False)


def clock_rate(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Let a clock go up to twice as fast, or up to twice as slowly."""
    cluster.hosts[victim].set_rate(2 ** (2 * fault.amount - 1))
    return partial(cluster.hosts[victim].set_rate, 1.0)


def clock_jump(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Set a clock forward by up to three seconds."""
    cluster.hosts[victim].jump(3 * fault.amount)
    return nothing


def isolation_and_slow_clock(cluster: VirtualCluster, fault: Fault, victim: int) -> Undo:
    """Isolate a server whose clock is slow: a leader notices late that it does not lead any more."""
    mend = isolation(cluster, fault, victim)
    reset = clock_rate(cluster, fault._replace(amount=0.0), victim)

    def undo() -> None:
        mend()
        reset()

    return undo


class Kind(NamedTuple):
    """A kind of fault: how often it is drawn, and what it does to a victim; it returns what ends it."""

    weight: int
    begin: Callable[[VirtualCluster, Fault, int], Undo]


KINDS: Mapping[str, Kind] = {
    "loss": Kind(2, loss),
    "duplication": Kind(2, duplication),
    "delay": Kind(2, delay),
    "one-way cut": Kind(2, one_way_cut),
    "cut": Kind(2, pair_cut),
    "isolation": Kind(3, isolation),
    "deafness": Kind(1, deafness),
    "partition": Kind(2, partition),
    "crash": Kind(4, crash),
    "crash within a sync": Kind(4, crash_within_sync),
    "quick restarts": Kind(1, quick_restarts),
    "power failure": Kind(1, power_failure),
    "pause": Kind(3, pause),
    "leadership transfer": Kind(2, transfer),
    "slow disk": Kind(2, slow_disk),
    "full disk": Kind(1, full_disk),
    "clock rate": Kind(1, clock_rate),
    "clock jump": Kind(1, clock_jump),
    "isolation and slow clock": Kind(2, isolation_and_slow_clock),
}


def schedule(seed: object, servers: int, seconds: float, faults: int) -> tuple[Fault, ...]:
    """Draw faults for so many seconds, in the order of their times."""
    random = Random(f"{seed}/faults")
    times = sorted(random.uniform(0.5, seconds) for _ in range(faults))
    kinds, weights = list(KINDS), [kind.weight for kind in KINDS.values()]
    drawn = []
    for at in times:
        victim = random.randrange(servers)
        other = random.choice([server for server in range(servers) if server != victim] or [victim])
        aims_at_leader = random.random() < 0.5
        drawn.append(
            Fault(
                at,
                random.choices(kinds, weights)[0],
                None if aims_at_leader else victim,
                other,
                random.uniform(0.1, 2.5),
                random.random(),
            )
        )
    return tuple(drawn)


async def inflict(cluster: VirtualCluster, faults: tuple[Fault, ...]) -> None:
    """Let faults happen at their times, and end at theirs."""
    loop = asyncio.get_running_loop()
    for fault in faults:
        await asyncio.sleep(max(0.0, fault.at - loop.time()))
        victim = fault.victim if fault.victim is not None else cluster.leader
        if victim is None:
            victim = fault.other
        other = fault.other if fault.other != victim else (victim + 1) % cluster.servers
        undo = KINDS[fault.kind].begin(cluster, fault._replace(other=other), victim)
        loop.call_later(fault.seconds, undo)


def heal(cluster: VirtualCluster) -> None:
    """End all faults, for good."""
    cluster.is_calm = True
    cluster.network.weather = Weather()
    cluster.network.cut.clear()
    for host, disk in zip(cluster.hosts, cluster.disks, strict=True):
        host.resume()
        host.set_rate(1.0)
        disk.slowest_sync, disk.is_full, disk.within_sync = USUAL_SYNC, False, None
    for server in range(cluster.servers):
        cluster.start(server)
