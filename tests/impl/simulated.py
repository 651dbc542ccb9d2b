"""A cluster of whole servers on a network that loses, repeats and reorders, under the hand of a test."""

from dataclasses import dataclass, field
from typing import Any

from raftimpl import replica as r
from raftimpl.cluster import cluster_of
from raftimpl.log import Entries
from raftimpl.rules import Rules, persisted
from raftimpl.state import DurableState, Role
from raftimpl.step import ElectionTimeout, HeartbeatTimeout, Persist, Receive, Send
from raftspec.keyvalue import Read, Write


@dataclass
class Request:
    """What a client asked, and everything that it was told."""

    server: int
    input: Any
    committed_before: int
    answers: list[r.Answered] = field(default_factory=list)


class SimulatedCluster:
    """`acknowledged_revision` is the greatest revision that any client was told for a write.

    `committed` is the longest prefix that any server ever had committed, and remembers what all may forget.
    """

    def __init__(self, servers: int, rules: Rules | None = None) -> None:
        self.cluster = cluster_of(servers, rules)
        self.disks = [DurableState() for _ in range(servers)]
        self.replicas = [r.start(self.cluster, server) for server in range(servers)]
        self.under_way: list[tuple[int, int, Any]] = []
        self.requests: dict[int, Request] = {}
        self.refused: set[int] = set()
        self.superseded: set[int] = set()
        self.acknowledged_revision = 1
        self.committed: Entries = ()
        self.sequences: dict[str, int] = {}

    def take(self, server: int, input: r.ReplicaInput) -> None:
        taken = r.step(self.cluster, self.replicas[server], input)
        self.replicas[server] = taken.replica
        now = taken.replica.server
        self.committed = max(self.committed, now.log.entries[: now.commit_index], key=len)
        for output in taken.outputs:
            match output:
                case Persist():
                    self.disks[server] = persisted(self.disks[server], output)
                case Send(to, message):
                    self.under_way.append((server, to, message))
                case r.Answered(request_id, answer):
                    self.requests[request_id].answers.append(output)
                    if isinstance(self.requests[request_id].input, r.WriteRequest):
                        self.acknowledged_revision = max(self.acknowledged_revision, answer.revision)
                case r.Refused(request_id):
                    self.refused.add(request_id)
                case r.Superseded(request_id):
                    self.superseded.add(request_id)

    def timeout(self, server: int) -> None:
        self.take(server, ElectionTimeout())

    def heartbeat(self, server: int) -> None:
        self.take(server, HeartbeatTimeout())

    def crash(self, server: int) -> None:
        self.replicas[server] = r.start(self.cluster, server, self.disks[server])

    def deliver(self, position: int, keep: bool = False) -> None:
        if self.under_way:
            position %= len(self.under_way)
            sender, to, message = self.under_way[position] if keep else self.under_way.pop(position)
            self.take(to, Receive(sender, message))

    def lose(self, position: int) -> None:
        if self.under_way:
            del self.under_way[position % len(self.under_way)]

    def settle(self, alive: set[int]) -> None:
        """Deliver everything between the servers named, oldest first, at most so many messages."""
        for _ in range(2_000):
            position = next((i for i, (a, b, _) in enumerate(self.under_way) if {a, b} <= alive), None)
            if position is None:
                return
            self.deliver(position)
        raise AssertionError("the servers never stop talking")

    def write(self, server: int, client: str, operation: Write) -> int:
        self.sequences[client] = self.sequences.get(client, 0) + 1
        return self.ask(server, lambda id: r.WriteRequest(id, client, self.sequences[client], operation))

    def read(self, server: int, operation: Read) -> int:
        return self.ask(server, lambda id: r.LinearizableRead(id, operation))

    def read_locally(self, server: int, operation: Read) -> int:
        return self.ask(server, lambda id: r.LocalRead(id, operation))

    def ask(self, server: int, make: Any) -> int:
        request_id = len(self.requests) + 1
        self.requests[request_id] = Request(server, make(request_id), self.acknowledged_revision)
        self.take(server, self.requests[request_id].input)
        return request_id

    def leaders(self) -> list[int]:
        return [replica.server.id for replica in self.replicas if replica.server.role is Role.LEADER]

    def answer(self, request_id: int) -> Any:
        answers = self.requests[request_id].answers
        assert len(answers) <= 1
        return answers[0].answer if answers else None
