"""Clusters of whole servers, simulated: everything but time, disks and the network is what runs for real.

A run is a function of its seed: faults, clients, network, disks, election timeouts. So whatever goes wrong goes wrong
again, and can be looked at.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from random import Random

from raftcheck.torture.calm import calm_end, watched
from raftcheck.torture.clients import Client, Habits, History
from raftcheck.torture.faults import WEIGHTS, inflict
from raftcheck.torture.judging import FAULTS, HISTORY, TRACE, Finding, judged_files, lost, untrue
from raftcheck.torture.merging import merged
from raftcheck.torture.mutants import Mutant
from raftcheck.torture.runs import Run
from raftcheck.torture.schedule import Fault, schedule
from raftcheck.torture.virtual_cluster import Build, VirtualCluster
from raftcheck.torture.virtual_time import run as run_in_virtual_time
from raftimpl.store.store import Store

CLIENTS = 4

LAST_PROCESS = 1_000
"""The client that looks, at the end, whether all is well."""

FAULTS_OF_A_RUN = 12

VIRTUAL_SECONDS = 12.0
"""How long clients ask and faults happen."""


@dataclass(frozen=True)
class Plan:
    """What a run is: the same plan gives the same run. Only the first so many `faults` of the schedule happen."""

    seed: int
    servers: int = 3
    mutant: Mutant | None = None
    faults: int = FAULTS_OF_A_RUN

    @property
    def name(self) -> str:
        """What all dice are thrown with: the number of faults does not change them."""
        return f"{self.seed}/{self.servers}"

    @property
    def schedule(self) -> tuple[Fault, ...]:
        """What goes wrong."""
        return schedule(self.name, self.servers, VIRTUAL_SECONDS, FAULTS_OF_A_RUN, WEIGHTS)[: self.faults]

    @property
    def command(self) -> tuple[str, ...]:
        """The command that does this run."""
        mutant = ("--mutant", self.mutant.name) if self.mutant else ()
        faults = ("--faults", str(self.faults)) if self.faults < FAULTS_OF_A_RUN else ()
        runs = ("--simulated", "--seed", str(self.seed), "--runs", "1", "--servers", str(self.servers))
        return ("raftproof", "torture", *runs, *mutant, *faults)


def simulate(plan: Plan, folder: Path, most_findings: int | None = None) -> Run:
    """Run a cluster in virtual time, write what it did to a folder, and judge that.

    When there are `most_findings`, no further judge is asked; to explain a finding can take longer than to find it.
    """
    started = time.monotonic()
    run = run_in_virtual_time(record(plan, folder))
    findings = list(islice(chain(run.findings, judged_files(folder)), most_findings))
    return replace(run, findings=findings, seconds=time.monotonic() - started)


async def record(plan: Plan, folder: Path) -> Run:
    """Let a cluster run, with clients and faults, to its calm end."""
    loop = asyncio.get_running_loop()
    build = plan.mutant.build if plan.mutant else Build()
    cluster, history, faults = VirtualCluster(plan.name, plan.servers, build), History(loop.time), plan.schedule
    for server in range(plan.servers):
        cluster.start(server)
    inflicting = asyncio.create_task(inflict(cluster, faults))
    clients = [client_of(plan, number, cluster, history) for number in range(CLIENTS)]
    await asyncio.gather(*(client.run(lambda: loop.time() > VIRTUAL_SECONDS) for client in clients))
    await inflicting
    findings = await ended(cluster, history, client_of(plan, LAST_PROCESS, cluster, history))
    await cluster.end()
    write_files(folder, plan, cluster, history)
    cluster.counts["messages"] = cluster.network.delivered
    return Run(
        plan.seed,
        plan.command,
        folder,
        findings,
        history.functions,
        history.outcomes,
        Counter(fault.kind for fault in faults),
        cluster.counts,
    )


def client_of(plan: Plan, number: int, cluster: VirtualCluster, history: History) -> Client:
    """Return a client of the cluster."""
    return Client(number, Random(f"{plan.name}/client {number}"), cluster, history, Habits())


async def ended(cluster: VirtualCluster, history: History, client: Client) -> list[Finding]:
    """Bring a run to its end; return what is wrong."""
    findings = [finding async for finding in calm_end(cluster, client)]
    stopped = [Finding("servers", f"server s{s.server} stopped: {s.error!r}") for s in cluster.stopped]
    store = most_advanced(cluster)
    if store is not None:
        findings += [*lost(history.acknowledged, store), *untrue(history.seen, store)]
    findings += [finding async for finding in watched(cluster)]
    return [*stopped, *findings]


def most_advanced(cluster: VirtualCluster) -> Store | None:
    """Return the store of the server that has applied most, None if no server is up."""
    machines = [node.machine for node in cluster.nodes.values()]
    return max(machines, key=lambda machine: machine.applied_index).store if machines else None


def write_files(folder: Path, plan: Plan, cluster: VirtualCluster, history: History) -> None:
    """Write down a run."""
    parts = [file.getvalue().splitlines(keepends=True) for file in cluster.traces]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HISTORY).write_bytes(history.file)
    (folder / TRACE).write_bytes(b"".join(merged(parts, cluster.names, " ".join(plan.command))))
    (folder / FAULTS).write_text("".join(f"{fault}\n" for fault in plan.schedule), encoding="utf-8")


def with_fewest_faults(plan: Plan, folder: Path) -> Run:
    """Return the run that breaks something with as few as possible of the first faults, as far as halving finds it."""
    fewest, most = -1, plan.faults
    while fewest + 1 < most:
        tried = (fewest + most) // 2
        is_violated = simulate(replace(plan, faults=tried), folder, most_findings=1).verdict == "violated"
        fewest, most = (fewest, tried) if is_violated else (tried, most)
    return simulate(replace(plan, faults=most), folder)
