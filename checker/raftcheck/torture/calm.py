"""How a run ends: all faults are over, and within bounded time everything works again, and is the same everywhere."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial

from raftcheck.torture import requests
from raftcheck.torture.clients import Client
from raftcheck.torture.faults import heal
from raftcheck.torture.judging import Finding
from raftcheck.torture.virtual_cluster import TIMING, VirtualCluster

PATIENCE = 30 * TIMING.election_timeout
"""Virtual seconds after which a write must have succeeded at every server, and after which all must be equal."""

LEASES_END = 10.0
"""Virtual seconds after which leases of two seconds that nobody keeps alive must have ended, whoever led meanwhile."""

POLL = 0.05


async def calm_end(cluster: VirtualCluster, client: Client) -> AsyncIterator[Finding]:
    """Heal everything; yield what does not become right."""
    heal(cluster)
    for server in range(cluster.servers):
        if not await comes_true(partial(client.write, server)):
            yield Finding("liveness", f"after {PATIENCE:g} s without faults no write succeeds at server s{server}")
            return
        if await client.ask(requests.LIST, server) is None:
            yield Finding("liveness", f"no read succeeds at server s{server}")
            return
    if not await comes_true(partial(no_leases, cluster), LEASES_END):
        yield Finding("leases", f"{leases(cluster)} are still there though nobody keeps them alive")
    if not await comes_true(partial(settled, cluster)):
        yield Finding("stores", f"servers do not come to the same index: {applied(cluster)}")
    for finding in differences(cluster):
        yield finding
    for server in range(cluster.servers):
        await client.ask(requests.LIST, server)


async def watched(cluster: VirtualCluster) -> AsyncIterator[Finding]:
    """Yield what watches have not been told in time, or not as it was."""
    for server, watching in sorted(cluster.watching.items()):
        await comes_true(watching.is_up_to_date)
        for finding in watching.findings(f"s{server}"):
            yield finding


async def comes_true(condition: Callable[[], Awaitable[bool]], patience: float = PATIENCE) -> bool:
    """Wait until a condition holds; tell whether it came to that in time."""
    deadline = asyncio.get_running_loop().time() + patience
    while asyncio.get_running_loop().time() < deadline:
        if await condition():
            return True
        await asyncio.sleep(POLL)
    return False


async def no_leases(cluster: VirtualCluster) -> bool:
    """Tell whether all leases have ended everywhere."""
    return not leases(cluster)


def leases(cluster: VirtualCluster) -> list[int]:
    """Return the leases that there are."""
    return sorted({lease for node in cluster.nodes.values() for lease in node.machine.store.leases()})


async def settled(cluster: VirtualCluster) -> bool:
    """Tell whether all servers have applied the same, and it is all."""
    return len(set(applied(cluster).values())) == 1


def applied(cluster: VirtualCluster) -> dict[str, int]:
    """Return how far each server has applied the log."""
    return {f"s{server}": node.machine.applied_index for server, node in sorted(cluster.nodes.items())}


def differences(cluster: VirtualCluster) -> Iterator[Finding]:
    """Yield how the servers' state machines differ."""
    machines = [node.machine for _, node in sorted(cluster.nodes.items())]
    if len(machines) < cluster.servers:
        yield Finding("stores", f"only {len(machines)} of {cluster.servers} servers are up")
    for what, values in (
        ("hashes of the stores", [machine.store.hash() for machine in machines]),
        ("revisions", [machine.store.revision for machine in machines]),
        ("sessions", [sorted(machine.sessions.items()) for machine in machines]),
        ("state machines, as bytes,", [hash(b"".join(machine.freeze().chunks())) for machine in machines]),
    ):
        if any(value != values[0] for value in values):
            yield Finding("stores", f"the {what} differ at the end: {values}")
