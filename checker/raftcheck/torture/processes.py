"""Clusters of real processes under faults: kill -9, SIGSTOP, a network that is cut and slow, disks full and damaged.

A seed repeats the schedule of faults and what clients ask; not the outcome, for real processes and networks have dice
of their own.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

from raftcheck.torture import requests
from raftcheck.torture.calm import comes_true
from raftcheck.torture.clients import Client, Habits, History, RefusedError, UnknownOutcomeError
from raftcheck.torture.judging import FAULTS, HISTORY, TRACE, Finding, judged_files, lost, untrue
from raftcheck.torture.merging import counted, merged
from raftcheck.torture.real_cluster import RealCluster
from raftcheck.torture.real_faults import WEIGHTS, heal, inflict
from raftcheck.torture.runs import Run
from raftcheck.torture.schedule import Fault, schedule
from raftcheck.torture.server import configuration_from
from raftimpl.running.folder import Folder
from raftimpl.running.node import machine_on
from raftimpl.store.machine import Machine

CLIENTS = 4
LAST_PROCESS = 1_000

SECONDS_PER_FAULT = 2.0

PATIENCE = 60.0
"""Seconds after the last fault within which writes must succeed, on a machine that may have much else to do."""

HABITS = Habits(pause=0.1, patience=4.0)


@dataclass(frozen=True)
class Plan:
    """What a run is meant to be; how it comes out, its seed does not tell."""

    seed: int
    servers: int = 3
    seconds: float = 60.0
    mutant: str | None = None

    @property
    def schedule(self) -> tuple[Fault, ...]:
        """What goes wrong: the last faults end before the end."""
        faults = max(1, int(self.seconds / SECONDS_PER_FAULT))
        return schedule(f"{self.seed}/{self.servers}", self.servers, self.seconds, faults, WEIGHTS)

    @property
    def command(self) -> tuple[str, ...]:
        """The command that does such a run."""
        mutant = ("--mutant", self.mutant) if self.mutant else ()
        what = ("--seed", str(self.seed), "--seconds", f"{self.seconds:g}", "--servers", str(self.servers))
        return ("raftproof", "torture", *what, *mutant)


def torture(plan: Plan, folder: Path) -> Run:
    """Run a cluster of processes, write what it did to a folder, and judge that."""
    started = time.monotonic()
    cluster = RealCluster(folder, plan.servers, plan.mutant)
    try:
        run = asyncio.run(record(plan, cluster))
    finally:
        cluster.remove_disks()
    findings = [*run.findings, *judged_files(folder)]
    return replace(run, findings=findings, seconds=time.monotonic() - started)


async def record(plan: Plan, cluster: RealCluster) -> Run:
    """Let a cluster run, with clients and faults, to its calm end."""
    loop = asyncio.get_running_loop()
    history, faults = History(loop.time), plan.schedule
    findings: list[Finding] = []
    try:
        await cluster.begin()
        last = client_of(plan, LAST_PROCESS, cluster, history)
        if not await comes_true(partial(last.write, 0), PATIENCE):
            findings.append(Finding("liveness", "the cluster did not come up"))
        over = loop.time() + plan.seconds
        inflicting = asyncio.create_task(inflict(cluster, faults, findings))
        clients = [client_of(plan, number, cluster, history) for number in range(CLIENTS)]
        await asyncio.gather(*(client.run(lambda: loop.time() > over) for client in clients))
        await inflicting
        findings += [finding async for finding in calm_end(cluster, last)]
    finally:
        await cluster.end()
    findings += [Finding("servers", f"s{s.server} stopped with exit code {s.code}: {s.log}") for s in cluster.stopped]
    findings += ended(cluster, history)
    write_files(plan, cluster, history)
    return Run(
        plan.seed,
        plan.command,
        cluster.folder,
        findings,
        history.functions,
        history.outcomes,
        Counter(fault.kind for fault in faults),
        cluster.counts,
    )


def client_of(plan: Plan, number: int, cluster: RealCluster, history: History) -> Client:
    """Return a client of the cluster."""
    return Client(number, Random(f"{plan.seed}/{plan.servers}/client {number}"), cluster.gateway, history, HABITS)


async def calm_end(cluster: RealCluster, client: Client) -> AsyncIterator[Finding]:
    """Heal everything; yield what does not become right."""
    await heal(cluster)
    for server in range(cluster.servers):
        if not await comes_true(partial(client.write, server), PATIENCE):
            yield Finding("liveness", f"after {PATIENCE:g} s without faults no write succeeds at server s{server}")
            return
        if await client.ask(requests.LIST, server) is None:
            yield Finding("liveness", f"no read succeeds at server s{server}")
    if not await comes_true(partial(no_leases, cluster), PATIENCE):
        yield Finding("leases", "leases are still there though nobody keeps them alive")
    if not await comes_true(partial(settled, cluster), PATIENCE):
        yield Finding("stores", "servers do not come to the same index")
    for server in range(cluster.servers):
        await client.ask(requests.LIST, server)


async def no_leases(cluster: RealCluster) -> bool:
    """Tell whether all leases have ended everywhere."""
    answers = await ask_all(cluster, "lease/leases", {"leases": []})
    return all(not answer.get("leases", True) for answer in answers)


async def settled(cluster: RealCluster) -> bool:
    """Tell whether all servers have applied the same."""
    answers = await ask_all(cluster, "maintenance/status", {})
    return len({answer.get("raftAppliedIndex", server) for server, answer in enumerate(answers)}) == 1


async def ask_all(cluster: RealCluster, path: str, usual: dict[str, object]) -> list[dict[str, object]]:
    """Ask all servers; what they leave out is as usual. Where there is no answer, there is nothing."""
    answers: list[dict[str, object]] = []
    for server in range(cluster.servers):
        try:
            async with asyncio.timeout(HABITS.patience):
                answers.append({**usual, **await cluster.gateway.call(server, path, {})})
        except (RefusedError, UnknownOutcomeError, TimeoutError):
            answers.append({})
    return answers


def ended(cluster: RealCluster, history: History) -> Iterator[Finding]:
    """Yield what is wrong with what the servers have left on their disks."""
    machines = [machine_in(cluster, server) for server in range(cluster.servers)]
    for what, values in (
        ("hashes of the stores", [machine.store.hash() for machine in machines]),
        ("revisions", [machine.store.revision for machine in machines]),
        ("sessions", [sorted(machine.sessions.items()) for machine in machines]),
    ):
        if any(value != values[0] for value in values):
            yield Finding("stores", f"the {what} differ at the end: {values}")
    store = max(machines, key=lambda machine: machine.applied_index).store
    yield from lost(history.acknowledged, store)
    yield from untrue(history.seen, store)


def machine_in(cluster: RealCluster, server: int) -> Machine:
    """Return the state machine that a server's folder makes, with all of its log."""
    configuration = configuration_from(list(cluster.options(server)))
    folder = Folder.create_or_open(cluster.data_of(server), configuration.cluster_id, configuration.me.member_id)
    try:
        machine = machine_on(folder)
        log = folder.durable.log
        for index, entry in enumerate(log.entries, log.first_index):
            machine.apply(index, entry.command)
        return machine
    finally:
        folder.close()


def write_files(plan: Plan, cluster: RealCluster, history: History) -> None:
    """Write down a run."""
    parts = [cluster.trace_of(server).read_bytes().splitlines(keepends=True) for server in range(cluster.servers)]
    (cluster.folder / HISTORY).write_bytes(history.file)
    trace = list(merged(parts, cluster.names, " ".join(plan.command)))
    (cluster.folder / TRACE).write_bytes(b"".join(trace))
    cluster.counts.update(counted(trace))
    (cluster.folder / FAULTS).write_text("".join(f"{fault}\n" for fault in plan.schedule), encoding="utf-8")
