"""PySyncObj as an adapter for lockstep: `python tests/peers/pysyncobj_peer.py --library FOLDER`.

FOLDER is where some version of PySyncObj is installed (`pip install --target FOLDER --no-deps PySyncObj==0.3.17`).
Its servers run here without sockets, threads and real time: each has a clock of its own, which goes on only if a
timeout or a heartbeat is asked for, and a transport that hands its messages to the adapter.

How its words are put into those of docs/traces.md:

- Its log begins with an entry at index 1 of term 0 that all servers have from the start: that is the place before the
  first entry. So all indexes are shown less one.
- `next_node_idx`, its answer to `append_entries`, carries no term. It is shown with the term that its sender is in when
  it sends. The receiver cannot see that term, and acts on answers of any term. With `--discard-late-answers`, one from
  an older term than the receiver's is not handed over, as if the library looked at it.
- It counts votes, but does not remember whose: no `votes` are shown.
- `apply_command` (a client's command, forwarded to the leader) and its answer are `Other`.
- The library does things in turns of its loop. After a message, as many turns follow as change something at the same
  time of its clock; each is a step of its own ("other").
- The term and the vote are in memory only, and so is the log, unless there is a journal. So without `--journal` a
  server cannot come back, and crashes are not supported. With it, a crash keeps all that was written to files: that of
  a process, not of a machine, for the library never flushes files to the disk. Messages to a server that crashes
  are lost, as with TCP; those that it has sent still arrive.
- Compaction of logs, and so snapshots, are off.
"""

import argparse
import json
import pickle
import random
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

NEVER = 10**9
"""Seconds, or entries, that are never reached."""

MOMENT = 0.001
"""Seconds: what is added to a time so that it is over."""

MOST_TURNS = 10
"""With a clock that stands still, the library comes to rest after two turns."""

FIRST = 1
"""The library's index of the place before the first entry."""

ROLES = {0: "follower", 1: "candidate", 2: "leader"}


class Clock:
    """The time, in seconds, of the server that runs just now. The library asks for it as for the machine's."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Sent(NamedTuple):
    """A message: as a trace has it, and as the library made it. `life` is how often its receiver had been started."""

    shown: dict[str, Any]
    message: dict[str, Any]
    life: int


class Library:
    """The library, with its clock and dice replaced, and the classes that are made of its classes."""

    def __init__(self, folder: str) -> None:
        sys.path.insert(0, folder)
        from pysyncobj import SyncObj, SyncObjConf, replicated, syncobj
        from pysyncobj.node import Node
        from pysyncobj.transport import Transport
        from pysyncobj.version import VERSION

        class Outbox(Transport):  # type: ignore[misc, no-any-unimported]
            def __init__(self) -> None:
                super().__init__(None, None, None)
                self.sent: list[tuple[int, dict[str, Any]]] = []

            def send(self, node: Any, message: dict[str, Any]) -> bool:
                self.sent.append((node.id, message))
                return True

        class Store(SyncObj):  # type: ignore[misc, no-any-unimported]
            @replicated  # type: ignore[untyped-decorator]
            def write(self, value: str) -> None:
                """Do nothing: what is judged is the log."""

        self.clock, self.version = Clock(), VERSION
        self.node, self.outbox, self.store, self.configuration = Node, Outbox, Store, SyncObjConf
        self._syncobj = syncobj
        syncobj.monotonicTime = self.clock

    def seed(self, seed: int) -> None:
        """Begin with new dice. Only lengths of election timeouts depend on them."""
        self._syncobj.random = random.Random(seed)


class Server:
    """One server. Servers are numbered for the library: texts hash differently in each process, and it loops over sets
    of servers."""

    def __init__(self, library: Library, number: int, names: Sequence[str], journal: Path | None) -> None:
        self._library, self._number, self._names, self._journal = library, number, names, journal
        self.name = names[number]
        self.lives = 0
        self.is_up = False
        self.shown: dict[str, Any] = {}
        self.log: list[dict[str, Any]] = []
        self._clock = 0.0

    def start(self) -> None:
        """Start it, with what its journal has."""
        library = self._library
        self._library.clock.now = self._clock
        self._nodes = {number: library.node(number) for number in range(len(self._names))}
        self._transport = library.outbox()
        configuration = library.configuration(
            autoTick=False,
            logCompactionMinEntries=NEVER,
            logCompactionMinTime=NEVER,
            journalFile=str(self._journal) if self._journal else None,
        )
        others = [node for number, node in self._nodes.items() if number != self._number]
        self._server = library.store(self._nodes[self._number], others, configuration, transport=self._transport)
        self.lives += 1
        self.is_up = True

    def crash(self) -> None:
        """End it. Its files are closed, as when a process ends."""
        self._private("raftLog")._destroy()
        self.is_up = False

    def connect(self, other: "Server") -> None:
        """Tell it that there is a connection to another server."""
        self._transport._onNodeConnected(self._nodes[other._number])

    def disconnect(self, other: "Server") -> None:
        """Tell it that the connection is lost."""
        self._transport._onNodeDisconnected(self._nodes[other._number])

    def receive(self, sender: int, message: dict[str, Any]) -> None:
        """Hand it a message."""
        self._library.clock.now = self._clock
        self._transport._onMessageReceived(self._nodes[sender], message)

    def propose(self, value: str) -> None:
        """Hand it a client's command. It is looked at in the next turn."""
        self._server.write(value)

    def let_election_timeout_pass(self) -> None:
        """Let its election timeout run out; a leader's is the one after which it needs to have heard from a quorum."""
        if self.role == "leader":
            self._clock += self._server.conf.leaderFallbackTimeout + MOMENT
        self._clock = max(self._clock, self._private("raftElectionDeadline")) + MOMENT

    def let_heartbeat_interval_pass(self) -> None:
        """Let the time between two heartbeats pass."""
        self._clock += self._server.conf.appendEntriesPeriod + MOMENT

    def turn(self) -> None:
        """Let the library's loop go around once."""
        self._library.clock.now = self._clock
        self._server.doTick()

    def take_sent(self) -> list[tuple[int, dict[str, Any]]]:
        """Return what it has sent since the last time: to whom, and what."""
        sent, self._transport.sent = self._transport.sent, []
        return sent

    @property
    def role(self) -> str:
        """Its role."""
        return ROLES[self._private("raftState")]

    def state(self) -> dict[str, Any]:
        """Return what it knows, as a trace has it."""
        vote = self._private("votedForNodeId")
        state = {
            "term": self._private("raftCurrentTerm"),
            "vote": None if vote is None else self._names[vote],
            "role": self.role,
            "commit": self._private("raftCommitIndex") - FIRST,
            "last": self._private("raftLog")[-1][1] - FIRST,
        }
        if self.role == "leader":
            # 0 is what the library begins with, before it knows even of the entry that all have
            match = self._private("raftMatchIndex")
            state["match"] = {self._names[node.id]: max(0, match[node] - FIRST) for node in sorted(match, key=id_of)}
        return state

    def entries(self) -> list[dict[str, Any]]:
        """Return its log, as a trace has it."""
        return [traced(entry) for entry in self._private("raftLog")[FIRST:]]

    def _private(self, name: str) -> Any:
        """Return a variable that the library keeps to itself: nothing public shows log and vote."""
        return getattr(self._server, f"_SyncObj__{name}")


def id_of(node: Any) -> int:
    """Return a server's number."""
    number: int = node.id
    return number


@cache
def traced(entry: tuple[bytes, int, int]) -> dict[str, Any]:
    """Return a log entry of the library as a trace has it."""
    command, _, term = entry
    content = bytes(command[1:])  # the first byte is the kind
    return {"term": term, "data": repr(pickle.loads(content)) if content else "no-op"}


def in_our_words(message: dict[str, Any], term: int) -> dict[str, Any]:
    """Return a message of the library as a trace has it. `term` is the sender's, for those that carry none."""
    kind = message["type"]
    if kind == "request_vote":
        last_index = message["last_log_index"] - FIRST
        return {
            "type": "RequestVote",
            "term": message["term"],
            "last_index": last_index,
            "last_term": message["last_log_term"],
        }
    if kind == "response_vote":
        return {"type": "RequestVoteResponse", "term": message["term"], "granted": True}
    if kind == "append_entries" and message.get("prevLogIdx") is not None:
        return {
            "type": "AppendEntries",
            "term": message["term"],
            "prev_index": message["prevLogIdx"] - FIRST,
            "prev_term": message["prevLogTerm"],
            "entries": [traced(entry) for entry in message["entries"]],
            "commit": message["commit_index"] - FIRST,
        }
    if kind == "next_node_idx" and message["success"]:
        matches_up_to = message["next_node_idx"] - 1 - FIRST
        return {"type": "AppendEntriesResponse", "term": term, "success": True, "index": max(0, matches_up_to)}
    if kind == "next_node_idx":
        return {"type": "AppendEntriesResponse", "term": term, "success": False}
    # A leader that takes a follower's log to be longer than its own sends append_entries without any place
    return {"type": "Other", "term": message.get("term", term), "what": kind}


class PySyncObjPeer:
    """A cluster that does what it is told."""

    def __init__(self, library: Library, has_journal: bool = False, discards_late_answers: bool = False) -> None:
        self._library, self._has_journal, self._discards = library, has_journal, discards_late_answers
        self._files: TemporaryDirectory[str] | None = None
        self._names: tuple[str, ...] = ()
        self._servers: dict[str, Server] = {}
        self._sent: list[Sent] = []

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Do what is asked, and return what the servers have done."""
        if request["do"] in ("crash", "restart") and not self._has_journal:
            return {"unsupported": "without a journal a server has nothing on its disk"}
        try:
            if request["do"] == "begin":
                return self._begin(request["servers"], request["seed"])
            return {"steps": self._do(request)}
        except Exception as error:  # whatever it is, the implementation has failed
            return {"error": f"{type(error).__name__}: {error}"}

    def close(self) -> None:
        """End all servers, and remove their files."""
        for server in self._servers.values():
            if server.is_up:
                server.crash()
        self._servers = {}
        if self._files:
            self._files.cleanup()

    def _begin(self, names: Sequence[str], seed: int) -> dict[str, Any]:
        self.close()
        self._library.seed(seed)
        self._names, self._sent = tuple(names), []
        if self._has_journal:
            self._files = TemporaryDirectory(prefix="pysyncobj-")
        for number, name in enumerate(names):
            journal = Path(self._files.name) / str(number) if self._files else None
            self._servers[name] = Server(self._library, number, self._names, journal)
        steps = [step for server in self._servers.values() for step in self._start(server)]
        name = f"PySyncObj {self._library.version}, {'with a' if self._has_journal else 'without'} journal"
        name += ", late answers discarded" if self._discards else ""
        header = {"format": "raftproof/trace/1", "servers": list(names), "network": "fifo", "source": name}
        return {"peer": name, "header": header, "steps": steps}

    def _do(self, request: Mapping[str, Any]) -> list[dict[str, Any]]:
        if request["do"] == "deliver":
            return self._deliver(self._sent[request["message"]])
        server = self._servers[request["server"]]
        match request["do"]:
            case "timeout":
                server.let_election_timeout_pass()
            case "heartbeat" if server.role == "leader":
                server.let_heartbeat_interval_pass()
            case "heartbeat":
                return []
            case "propose":
                server.propose(request["value"])
            case "crash":
                return self._crash(server)
            case "restart":
                return self._start(server)
        return self._turns(server, request["do"])

    def _start(self, server: Server) -> list[dict[str, Any]]:
        server.start()
        for other in self._servers.values():
            if other is not server and other.is_up:
                other.connect(server)
                server.connect(other)
        return [self._step(server, "start"), *self._turns(server, "other")]

    def _crash(self, server: Server) -> list[dict[str, Any]]:
        server.crash()
        for other in self._servers.values():
            if other.is_up:
                other.disconnect(server)
        return []

    def _deliver(self, sent: Sent) -> list[dict[str, Any]]:
        to = self._servers[sent.shown["to"]]
        if not to.is_up or to.lives != sent.life:
            return []
        if self._discards and sent.message["type"] == "next_node_idx" and sent.shown["term"] < to.shown["term"]:
            return []
        to.receive(self._names.index(sent.shown["from"]), sent.message)
        return [{**self._step(to, "receive"), "message": sent.shown}, *self._turns(to, "other")]

    def _turns(self, server: Server, event: str) -> list[dict[str, Any]]:
        """Let a server's loop go around until nothing changes. The first turn that changes something is `event`."""
        steps: list[dict[str, Any]] = []
        for _ in range(MOST_TURNS):
            before = server.shown
            server.turn()
            step = self._step(server, "other" if steps else event)
            if step["state"] == before and not step["sends"] and "log" not in step:
                return steps
            steps.append(step)
        raise RuntimeError(f"server {server.name} does not come to rest within {MOST_TURNS} turns of its loop")

    def _step(self, server: Server, event: str) -> dict[str, Any]:
        """Return what a server has done since its last step."""
        server.shown = server.state()
        step = {"server": server.name, "event": event, "state": server.shown}
        log, before = server.entries(), server.log
        if log != before:
            pairs = enumerate(zip(log, before, strict=False))
            keep = next((place for place, (new, old) in pairs if new != old), min(len(log), len(before)))
            step["log"] = {"keep": keep, "entries": log[keep:]}
        server.log = log
        step["sends"] = [self._send(server, self._names[to], message) for to, message in server.take_sent()]
        return step

    def _send(self, server: Server, to: str, message: dict[str, Any]) -> dict[str, Any]:
        """Take note of a message; return it as a trace has it."""
        shown = {"id": len(self._sent), "from": server.name, "to": to, **in_our_words(message, server.shown["term"])}
        self._sent.append(Sent(shown, message, self._servers[to].lives))
        return shown


def main() -> None:
    """Answer the requests on stdin."""
    parser = argparse.ArgumentParser(description="PySyncObj as an adapter for lockstep.")
    parser.add_argument(
        "--library", dest="folder", required=True, metavar="FOLDER", help="where PySyncObj is installed"
    )
    parser.add_argument("--journal", action="store_true", help="keep the log in files, so that servers can crash")
    parser.add_argument("--discard-late-answers", action="store_true", help="those of older terms do not arrive")
    chosen = parser.parse_args()
    peer = PySyncObjPeer(Library(chosen.folder), chosen.journal, chosen.discard_late_answers)
    for line in sys.stdin:
        print(json.dumps(peer.ask(json.loads(line))), flush=True)
    peer.close()


if __name__ == "__main__":
    main()
