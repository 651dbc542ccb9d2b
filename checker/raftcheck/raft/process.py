"""The implementation as a process of the checker: the very `step` that runs in a real server, and its disk.

The disk changes only as the step's Persist outputs say, and a restarted server knows only its disk. So the
checker also checks that the core persists what it must, in the right order.
"""

from collections.abc import Iterable

from raftcheck.model import Deliver, Network, Send, Step
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.whole_logs import saved, whole
from raftimpl import step as core
from raftimpl.cluster import Cluster
from raftimpl.messages import Message
from raftimpl.raft import step as raft_step
from raftimpl.relabel import Permutation, relabel_disk, relabel_server
from raftimpl.rules import persisted
from raftimpl.state import DurableState, Role, ServerState
from raftimpl.values import Value


class Node(Value, frozen=True):
    """A server and its disk. `crash_after`: it will crash in its next step, after so many outputs."""

    server: ServerState
    disk: DurableState
    crash_after: int | None = None


class Crash(Value, frozen=True, tag=True):
    """The server crashes between two steps and restarts from its disk."""


class CrashWithin(Value, frozen=True, tag=True):
    """The server will crash within its next step, when it has carried out the first `outputs` outputs."""

    outputs: int


ModelInput = core.Input | Crash | CrashWithin


class RaftProcess:
    """One server of a cluster, within bounds. All pids share one object."""

    def __init__(self, cluster: Cluster, bounds: Bounds) -> None:
        self.cluster = cluster
        self.bounds = bounds

    def initial(self, pid: int) -> Node:
        """Return a server that starts for the first time."""
        return Node(self.cluster.start(pid), DurableState())

    def inputs(self, node: Node) -> Iterable[ModelInput]:
        """Yield what time and clients may do. How often they may is for the scenario to say."""
        server, bounds = node.server, self.bounds
        leads = server.role is Role.LEADER
        if not leads and server.current_term < bounds.terms:
            yield core.ElectionTimeout()
        if leads:
            yield from self._inputs_of_leader(server)
        if leads or (bounds.forwarding and server.leader_id is not None):
            for number in range(1, bounds.entries + 1):
                yield core.ClientRequest(command(number))
            for number in range(1, bounds.reads + 1):
                yield core.ReadRequest(number)
        if bounds.compactions:
            yield from compactions(server)
        if bounds.crashes:
            yield Crash()
            if bounds.torn_steps and node.crash_after is None:
                yield from map(CrashWithin, range(1, 2 * bounds.servers))

    def _inputs_of_leader(self, server: ServerState) -> Iterable[ModelInput]:
        if self.bounds.heartbeats:
            yield core.HeartbeatTimeout()
        if self.bounds.quorum_timeouts:
            yield core.QuorumTimeout()
        if self.bounds.transfers:
            yield from map(core.TransferLeadership, self.cluster.peers(server.id))

    def step(self, node: Node, input: ModelInput | Deliver) -> Step | None:
        """Execute one step of the core and carry out its outputs."""
        if isinstance(input, Crash):
            return self._restart(node.server.id, node.disk)
        if isinstance(input, CrashWithin):
            return Step(Node(node.server, node.disk, input.outputs))
        if isinstance(input, Deliver):
            message: Message = input.message  # type: ignore[assignment]
            input = core.Receive(input.sender, message)
        server, outputs = raft_step(self.cluster, node.server, input)
        if node.crash_after is not None:
            return self._torn_step(node, server, outputs)
        if server is node.server and not outputs:
            return Step(node)
        return Step(Node(server, disk_after(node.disk, outputs)), sends_of(outputs), outputs)

    def _torn_step(self, node: Node, server: ServerState, outputs: tuple[core.Output, ...]) -> Step | None:
        """Carry out only the first outputs, then crash.

        Not enabled if that is the same as another crash: one before the step, if the disk is as it was and nobody
        has noticed anything; one after the step that loses messages, if the network may lose them and the disk is
        as after the step.
        """
        done, rest = outputs[: node.crash_after], outputs[node.crash_after :]
        disk = disk_after(node.disk, done)
        is_as_before = disk == node.disk and not sends_of(done) and not answers_in(done)
        may_lose = self.bounds.lossy or self.bounds.network is Network.LOSSY_DUPLICATING
        is_as_after = disk == disk_after(node.disk, outputs) and (may_lose or not sends_of(rest))
        if is_as_before or is_as_after:
            return None
        restarted = self._restart(server.id, disk)
        return Step(restarted.state, sends_of(done), done)

    def _restart(self, server: int, disk: DurableState) -> Step:
        return Step(Node(self.cluster.start(server, disk), disk))


def compactions(server: ServerState) -> Iterable[core.Compact]:
    """Yield how a server may compact its log: up to any entry that is applied."""
    applied = whole(server.log)[: server.commit_index]
    for index in range(server.log.first_index, server.commit_index + 1):
        yield core.Compact(index, saved(applied[:index]))


def command(number: int) -> bytes:
    """Return the command of the client's request with that number."""
    return b"w%d" % number


def disk_after(disk: DurableState, outputs: tuple[core.Output, ...]) -> DurableState:
    """Return what is on disk when the outputs are carried out."""
    for output in outputs:
        if isinstance(output, core.Persist):
            disk = persisted(disk, output)
    return disk


def sends_of(outputs: tuple[core.Output, ...]) -> tuple[Send, ...]:
    """Return the messages among the outputs."""
    return tuple(Send(output.to, output.message) for output in outputs if isinstance(output, core.Send))


def answers_in(outputs: tuple[core.Output, ...]) -> bool:
    """Tell whether a client may have learned of something."""
    return any(isinstance(output, core.Apply | core.ReadReady) for output in outputs)


def relabel_node(node: Node, permutation: Permutation) -> Node:
    """Return the node with every server id renamed."""
    return Node(relabel_server(node.server, permutation), relabel_disk(node.disk, permutation), node.crash_after)
