"""Clusters of whole servers, simulated: everything but time, disks and the network is what runs for real.

A run is a function of its seed: faults, clients, network, disks, election timeouts. So whatever goes wrong goes wrong
again, and can be looked at.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from raftcheck.torture.calm import calm_end
from raftcheck.torture.clients import Client, Habits, History
from raftcheck.torture.faults import Fault, inflict, schedule
from raftcheck.torture.judging import Finding, history_file, judged_files, lost, untrue
from raftcheck.torture.merging import merged
from raftcheck.torture.virtual_cluster import Build, VirtualCluster
from raftcheck.torture.virtual_time import run as run_in_virtual_time
from raftimpl.store.store import Store

CLIENTS = 4

LAST_PROCESS = 1_000
"""The client that looks, at the end, whether all is well."""

Verdict = Literal["not violated", "violated", "inconclusive"]


@dataclass(frozen=True)
class Plan:
    """What a run is: the same plan gives the same run. `faults` and `seconds`, which are virtual, bound it."""

    seed: int
    servers: int = 3
    seconds: float = 12.0
    faults: int = 12
    build: Build = field(default_factory=Build)

    @property
    def schedule(self) -> tuple[Fault, ...]:
        """What goes wrong."""
        return schedule(f"{self.seed}/{self.servers}", self.servers, self.seconds, 12)[: self.faults]


@dataclass(frozen=True)
class Run:
    """What a run came to. `history` and `trace` are files for `raftproof judge`."""

    plan: Plan
    findings: tuple[Finding, ...]
    history: bytes
    trace: bytes
    counts: Counter[str]
    operations: Counter[str]
    virtual_seconds: float
    seconds: float

    @property
    def verdict(self) -> Verdict:
        """What the judges say together."""
        if any(not finding.is_open for finding in self.findings):
            return "violated"
        return "inconclusive" if self.findings else "not violated"


def simulate(plan: Plan) -> Run:
    """Run a cluster in virtual time and judge what it did."""
    started = time.monotonic()
    recorded = run_in_virtual_time(record(plan))
    findings = [*recorded.findings, *judged_files(recorded.history, recorded.trace)]
    return Run(
        plan,
        tuple(findings),
        recorded.history,
        recorded.trace,
        recorded.counts,
        recorded.operations,
        recorded.virtual_seconds,
        time.monotonic() - started,
    )


@dataclass(frozen=True)
class Recorded:
    """What happened, and what was seen to be wrong while it did."""

    findings: Sequence[Finding]
    history: bytes
    trace: bytes
    counts: Counter[str]
    operations: Counter[str]
    virtual_seconds: float


async def record(plan: Plan) -> Recorded:
    """Let a cluster run, with clients and faults, to its calm end."""
    loop = asyncio.get_running_loop()
    cluster = VirtualCluster(f"{plan.seed}/{plan.servers}", plan.servers, plan.build)
    for server in range(plan.servers):
        cluster.start(server)
    history = History(loop.time)
    clients = [Client(number, Random(f"{plan.seed}/client {number}"), cluster, history, Habits()) for number in range(CLIENTS)]
    faults = plan.schedule
    inflicting = asyncio.create_task(inflict(cluster, faults))
    await asyncio.gather(*(client.run(lambda: loop.time() > plan.seconds) for client in clients))
    await inflicting
    findings = await ended(cluster, history, plan)
    await cluster.end()
    trace = b"".join(
        merged([file.getvalue().splitlines(keepends=True) for file in cluster.traces], cluster.names, source(plan))
    )
    for fault in faults:
        cluster.counts[f"fault: {fault.kind}"] += 1
    cluster.counts["messages"] = cluster.network.delivered
    return Recorded(findings, history_file(history), trace, cluster.counts, history.functions + history.outcomes, loop.time())


async def ended(cluster: VirtualCluster, history: History, plan: Plan) -> list[Finding]:
    """Bring a run to its end; return what is wrong."""
    last = Client(LAST_PROCESS, Random(f"{plan.seed}/last client"), cluster, history, Habits())
    findings = [finding async for finding in calm_end(cluster, last)]
    stopped = [Finding("servers", f"server s{s.server} stopped: {s.error!r}") for s in cluster.stopped]
    store = most_advanced(cluster)
    if store is not None:
        findings += [*lost(history.acknowledged, store), *untrue(history.seen, store)]
    return [*stopped, *findings]


def most_advanced(cluster: VirtualCluster) -> Store | None:
    """Return the store of the server that has applied most, None if no server is up."""
    machines = [node.machine for node in cluster.nodes.values()]
    return max(machines, key=lambda machine: machine.applied_index).store if machines else None


def source(plan: Plan) -> str:
    """Return what a trace says of where it comes from."""
    return f"raftproof torture --simulated, seed {plan.seed}"
