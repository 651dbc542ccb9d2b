"""Every step that some server takes in any behaviour within bounds, executed by exploration."""

from collections.abc import Callable
from typing import Any, NamedTuple

from raftcheck.explore import Progress, explore
from raftcheck.model import Deliver, ModelError, Step, always_step
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.build import raft_system
from raftcheck.raft.process import Crash, Node, with_content
from raftimpl import step as core
from raftimpl.cluster import Cluster, cluster_of
from raftimpl.raft import step as raft_step
from raftimpl.rules import persisted
from raftimpl.state import DurableState, ServerState, durable
from raftimpl.values import Value


class Restart(Value, frozen=True, tag=True):
    """The server starts again after a crash, from what is on its disk; it has forgotten all else."""

    disk: DurableState


Input = core.Input | Restart


class Transition(NamedTuple):
    """A step of the core: the state before, what the server is given, the state after, what is to be done in order."""

    before: ServerState
    input: Input
    after: ServerState
    outputs: tuple[core.Output, ...]


def transitions(bounds: Bounds, progress: Callable[[Progress], None] | None = None) -> list[Transition]:
    """Return the steps that servers take within the bounds.

    Steps that differ in the servers' names only may be left out. Raises ModelError if the exploration does not end.
    """
    if bounds.torn_steps:
        raise ModelError("a step that a crash cuts short is no vector: leave out the crashes within steps")
    taken: dict[tuple[Node, Any], None] = {}

    def note(before: Node, input: Any, _: Step) -> bool:
        taken.setdefault((before, input))
        return True

    result = explore(raft_system(bounds), [always_step("Noted", note, symmetric=True)], progress=progress)
    if result.verdict != "holds":
        raise ModelError(f"the exploration did not end ({result.limit}); choose smaller bounds")
    cluster = cluster_of(bounds.servers, None, bounds.batch)
    return [transition(cluster, *what) for what in taken]


def transition(cluster: Cluster, node: Node, input: Any) -> Transition:
    """Execute the step of a server."""
    if isinstance(input, Crash):
        input = Restart(node.disk)
    elif isinstance(input, Deliver):
        input = core.Receive(input.sender, input.message)  # type: ignore[arg-type]
    else:
        input = with_content(node.server, input)
    return Transition(node.server, input, *executed(cluster, node.server, input))


def executed(cluster: Cluster, before: ServerState, input: Input) -> tuple[ServerState, tuple[core.Output, ...]]:
    """Return what a server comes to, and what it wants done; what it writes must make its disk what it has to be."""
    if isinstance(input, Restart):
        return cluster.start(before.id, input.disk), ()
    after, outputs = raft_step(cluster, before, input)
    disk = durable(before)
    for output in outputs:
        if isinstance(output, core.Persist):
            disk = persisted(disk, output)
    assert disk == durable(after)
    return after, outputs
