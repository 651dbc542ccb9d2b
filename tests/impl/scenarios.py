"""Runs scenario files: commands to a cluster, and what comes of them.

A file is a text with comments (#), commands (> ...) and, below each command, its output. The commands:

    cluster N [batch=B]      a new cluster of N servers
    timeout S                an election timeout at server S (s0, s1, ...)
    heartbeat S              a heartbeat timeout
    write S TEXT             a client asks S to replicate TEXT
    read S NUMBER            a client asks S for a linearizable read
    crash S                  S crashes and restarts from its disk
    compact S INDEX          S saves its state machine as it was after the entry at INDEX, and drops the log up to there
    transfer S T             S, if it leads, shall hand leadership over to T
    quorum-timeout S         S, if it leads, has heard from no quorum for an election timeout
    deliver A B              the oldest message from A to B arrives
    repeat A B               the same, but it stays under way
    overtake A B             the newest message from A to B arrives, before all others
    lose A B                 the oldest message from A to B is lost
    settle [S ...]           everything arrives, oldest first, until nothing is under way;
                             what goes to or comes from the servers named is lost
    show                     all servers
"""

from collections.abc import Callable, Iterator
from typing import Any

from raftcheck.model import Deliver
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.process import Crash, Node, RaftProcess
from raftcheck.raft.whole_logs import saved, whole
from raftimpl import step as core
from raftimpl.cluster import cluster_of
from raftimpl.state import Role

LABELS = RaftLabels()


class Cluster:
    """A cluster under the hand of a scenario."""

    def __init__(self, servers: int, batch: int = 8) -> None:
        self.process = RaftProcess(cluster_of(servers, None, batch), Bounds(servers=servers))
        self.nodes: list[Node] = [self.process.initial(pid) for pid in range(servers)]
        self.under_way: list[tuple[int, int, Any]] = []

    def input(self, server: int, input: Any) -> Iterator[str]:
        before = self.nodes[server]
        step = self.process.step(before, input)
        assert step is not None
        after: Node = step.state  # type: ignore[assignment]
        self.nodes[server] = after
        changed = "; ".join(LABELS.changes(before, after))
        yield f"{LABELS.process(server)} {LABELS.input(input)}" + (f" | {changed}" if changed else "")
        for output in step.outputs:
            yield from self.output(server, output)

    def output(self, server: int, output: Any) -> Iterator[str]:
        match output:
            case core.Send(to, message):
                self.under_way.append((server, to, message))
                yield f"    sends {LABELS.value(message)} to s{to}"
            case core.Restore(snapshot):
                yield f"    takes over the state machine after index {snapshot.last_included_index}"
            case core.Apply(index, entry):
                yield f"    applies {LABELS.value(entry)} at index {index}"
            case core.ReadReady(request_id):
                yield f"    answers read {request_id}"
            case core.RefuseNoLeader():
                yield "    refuses: it knows no leader"

    def oldest(self, sender: int, to: int) -> int:
        return next(i for i, (a, b, _) in enumerate(self.under_way) if (a, b) == (sender, to))

    def deliver(self, position: int) -> Iterator[str]:
        sender, to, message = self.under_way[position]
        yield from self.input(to, Deliver(sender, message))

    def settle(self, lost: set[int]) -> Iterator[str]:
        while self.under_way:
            sender, to, message = self.under_way.pop(0)
            if not {sender, to} & lost:
                yield from self.input(to, Deliver(sender, message))

    def show(self) -> Iterator[str]:
        for node in self.nodes:
            s = node.server
            leader = f" of s{s.leader_id}" if s.leader_id is not None and s.role is not Role.LEADER else ""
            yield f"s{s.id}: {s.role.value}{leader}, term {s.current_term}, log {LABELS.value(s.log)}, " + (
                f"committed {s.commit_index}"
            )


class Runner:
    """Executes the commands of one file."""

    def __init__(self) -> None:
        self.cluster = Cluster(3)
        self.commands: dict[str, Callable[..., Iterator[str]]] = {
            "cluster": self.new_cluster,
            "timeout": lambda s: self.cluster.input(server(s), core.ElectionTimeout()),
            "heartbeat": lambda s: self.cluster.input(server(s), core.HeartbeatTimeout()),
            "write": lambda s, text: self.cluster.input(server(s), core.ClientRequest(text.encode())),
            "read": lambda s, number: self.cluster.input(server(s), core.ReadRequest(int(number))),
            "compact": self.compact,
            "transfer": lambda s, t: self.cluster.input(server(s), core.TransferLeadership(server(t))),
            "quorum-timeout": lambda s: self.cluster.input(server(s), core.QuorumTimeout()),
            "crash": lambda s: self.cluster.input(server(s), Crash()),
            "deliver": self.deliver,
            "repeat": lambda a, b: self.cluster.deliver(self.cluster.oldest(server(a), server(b))),
            "overtake": self.overtake,
            "lose": self.lose,
            "settle": lambda *lost: self.cluster.settle(set(map(server, lost))),
            "show": lambda: self.cluster.show(),
        }

    def run(self, command: str) -> Iterator[str]:
        name, *arguments = command.split()
        yield from self.commands[name](*arguments)

    def new_cluster(self, servers: str, batch: str = "batch=8") -> Iterator[str]:
        self.cluster = Cluster(int(servers), int(batch.removeprefix("batch=")))
        yield from ()

    def compact(self, name: str, index: str) -> Iterator[str]:
        log = whole(self.cluster.nodes[server(name)].server.log)
        yield from self.cluster.input(server(name), core.Compact(int(index), saved(log[: int(index)])))

    def deliver(self, a: str, b: str) -> Iterator[str]:
        position = self.cluster.oldest(server(a), server(b))
        yield from self.cluster.deliver(position)
        del self.cluster.under_way[position]

    def overtake(self, a: str, b: str) -> Iterator[str]:
        position = max(i for i, link in enumerate(self.cluster.under_way) if link[:2] == (server(a), server(b)))
        yield from self.cluster.deliver(position)
        del self.cluster.under_way[position]

    def lose(self, a: str, b: str) -> Iterator[str]:
        del self.cluster.under_way[self.cluster.oldest(server(a), server(b))]
        yield from ()


def server(name: str) -> int:
    return int(name.removeprefix("s"))


def rewritten(text: str) -> str:
    """Return a scenario with the outputs that its commands have now."""
    runner = Runner()
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("> "):
            lines += [line, *runner.run(line[2:])]
        elif line.startswith("#") or not line:
            lines.append(line)
    return "\n".join(lines) + "\n"
