"""The reference implementation as an adapter: `python -m raftcheck.oracle.lockstep.reference_peer`.

It is also the example for your own: docs/lockstep.md says how to write one.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from raftcheck.raft.mutants import MUTANTS, mutant_named
from raftimpl import trace
from raftimpl.cluster import cluster_of
from raftimpl.messages import Message
from raftimpl.raft import step
from raftimpl.rules import Rules, persisted
from raftimpl.state import DurableState, ServerState
from raftimpl.step import ClientRequest, ElectionTimeout, HeartbeatTimeout, Input, Output, Persist, Receive, Send

BATCH = 2
"""The most entries of one AppendEntries: few, so that logs are not caught up with at once."""


class ReferencePeer:
    """A cluster that does what it is told."""

    def __init__(self, rules: Rules | None = None, name: str = "raftimpl", batch: int = BATCH) -> None:
        self.name = name
        self._rules, self._batch = rules, batch

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is asked, and return what the servers have done."""
        if request["do"] == "begin":
            return self._begin(request["servers"])
        try:
            return {"steps": self._do(request)}
        except Exception as error:  # whatever it is, the implementation has failed
            return {"error": f"{type(error).__name__}: {error}"}

    def close(self) -> None:
        """There is nothing to end."""

    def _begin(self, names: Sequence[str]) -> dict[str, Any]:
        self._names = names
        self._cluster = cluster_of(len(names), self._rules, self._batch)
        self._messages: list[tuple[int, int, Message]] = []
        self._disks = [DurableState() for _ in names]
        self._servers = [self._cluster.start(server) for server in range(len(names))]
        return {
            "peer": self.name,
            "header": trace.header(names, "any", self.name),
            "can": ["crash_after"],
            "steps": [trace.start_record(names, server) for server in self._servers],
        }

    def _do(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        match request["do"]:
            case "timeout":
                return self._step(self._server(request), ElectionTimeout(), request)
            case "heartbeat":
                return self._step(self._server(request), HeartbeatTimeout(), request)
            case "propose":
                return self._step(self._server(request), ClientRequest(request["value"].encode()), request)
            case "deliver":
                sender, to, message = self._messages[request["message"]]
                return self._step(to, Receive(sender, message), request)
            case "crash":
                return []  # what it has in memory is forgotten when it restarts
            case _:
                return [self._restart(self._server(request))]

    def _server(self, request: Mapping[str, Any]) -> int:
        return self._names.index(request["server"])

    def _step(self, server: int, input: Input, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Let a server take a step, and carry out its outputs: all, or as many as come before it crashes."""
        before = self._servers[server]
        after, outputs = step(self._cluster, before, input)
        crash_after = request.get("crash_after")
        done = outputs if crash_after is None else outputs[:crash_after]
        for output in done:
            if isinstance(output, Persist):
                self._disks[server] = persisted(self._disks[server], output)
        if done == outputs:
            return self._taken(before, input, after, done)
        known = trace.known_of_torn_step(before, after, self._disks[server], done)
        return self._taken(before, input if known is after else None, known, done)

    def _taken(
        self, before: ServerState, input: Input | None, after: ServerState, done: Sequence[Output]
    ) -> list[dict[str, Any]]:
        self._servers[before.id] = after
        if after == before and not done:
            return []
        record = trace.step_record(self._names, before, input, after, done)
        sends = [output for output in done if isinstance(output, Send)]
        for sent, message in zip(sends, record["sends"], strict=True):
            message["id"] = len(self._messages)
            self._messages.append((before.id, sent.to, sent.message))
        return [record]

    def _restart(self, server: int) -> dict[str, Any]:
        known = self._servers[server].log
        self._servers[server] = self._cluster.start(server, self._disks[server])
        return trace.start_record(self._names, self._servers[server], known)


def main() -> None:
    """Answer the requests on stdin."""
    parser = argparse.ArgumentParser(description="The reference implementation as an adapter for lockstep.")
    parser.add_argument("--mutant", choices=MUTANTS, help="go by the rules of this broken variant")
    parser.add_argument("--batch", type=int, default=BATCH, help="most entries in one AppendEntries")
    chosen = parser.parse_args()
    rules = mutant_named(chosen.mutant).rules if chosen.mutant else None
    peer = ReferencePeer(rules, f"raftimpl, mutant {chosen.mutant}" if chosen.mutant else "raftimpl", chosen.batch)
    for line in sys.stdin:
        print(json.dumps(peer.ask(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
