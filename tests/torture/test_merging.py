"""What servers have written down, put together: only what happened, in an order in which it can have happened."""

import io
from pathlib import Path

import msgspec
import pytest

from raftcheck.oracle import judge_trace
from raftcheck.torture.merging import merged
from raftimpl.cluster import cluster_of
from raftimpl.messages import RequestVote
from raftimpl.raft import step
from raftimpl.running.recorder import Recorder, open_recorder
from raftimpl.state import ServerState, durable
from raftimpl.step import ElectionTimeout, HeartbeatTimeout, Input, Receive
from raftimpl.trace import text_of

NAMES = ("a", "b", "c")
CLUSTER = cluster_of(3)


class Server:
    """A server that is recorded, and its disk."""

    def __init__(self, server: int) -> None:
        self.file = io.BytesIO()
        self.recorder = Recorder(self.file, NAMES)
        self.records, self.state = 0, CLUSTER.start(server)
        self.clock = self.recorder.started(self.state, 0)

    def take(self, input: Input, clock: int = 0) -> None:
        taken = step(CLUSTER, self.state, input)
        self.records += durable(taken.state) != durable(self.state)
        self.clock = max(self.clock, clock) + 1
        self.recorder.stepped(self.clock, self.state, input, taken, self.records)
        self.recorder.flush()
        self.state = taken.state

    def restart(self, state: ServerState, records: int) -> None:
        self.state, self.records = state, records
        self.clock = self.recorder.started(state, records)

    @property
    def lines(self) -> list[bytes]:
        return self.file.getvalue().splitlines(keepends=True)


def events(servers: list[Server]) -> list[str]:
    trace = merged([server.lines for server in servers], NAMES, "a test")
    return [f"{told['server']} {told['event']}" for told in map(msgspec.json.decode, trace) if "event" in told]


def test_a_message_is_sent_before_it_arrives() -> None:
    servers = [Server(number) for number in range(3)]
    servers[2].take(ElectionTimeout())
    servers[0].take(Receive(2, RequestVote(1, 0, 0)), servers[2].clock)
    told = events(servers)
    assert told.index("c timeout") < told.index("a receive")


def test_a_step_whose_record_was_lost_never_happened(tmp_path: Path) -> None:
    servers = [Server(number) for number in range(3)]
    servers[2].take(ElectionTimeout())
    servers[2].restart(CLUSTER.start(2), 0)
    assert events(servers) == ["a start", "b start", "c start", "c start"]
    (tmp_path / "trace").write_bytes(b"".join(merged([server.lines for server in servers], NAMES, "")))
    assert judge_trace(tmp_path / "trace").is_accepted


def test_a_step_whose_record_survived_happened() -> None:
    servers = [Server(number) for number in range(3)]
    servers[2].take(ElectionTimeout())
    servers[2].restart(CLUSTER.start(2, durable(servers[2].state)), 1)
    assert events(servers) == ["a start", "b start", "c start", "c timeout", "c start"]


def test_a_step_that_is_nothing_to_anybody_is_not_noted() -> None:
    server = Server(0)
    server.take(HeartbeatTimeout())
    assert len(server.lines) == 1


def test_a_torn_line_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a"
    recorder = open_recorder(path, NAMES)
    assert recorder.started(CLUSTER.start(0), 0) == 1
    recorder.close()
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"clock":2,"rec')
    assert len(list(merged([path.read_bytes().splitlines(keepends=True), [], []], NAMES, ""))) == 2
    recorder = open_recorder(path, NAMES)
    assert recorder.started(CLUSTER.start(0), 0) == 2
    recorder.close()
    assert path.read_bytes().startswith(whole)
    assert [msgspec.json.decode(line)["clock"] for line in path.read_bytes().splitlines()] == [1, 2]


def test_garbage_is_no_trace() -> None:
    with pytest.raises(msgspec.DecodeError):
        list(merged([[b"garbage\n"]], NAMES, ""))


def test_long_commands_are_told_by_their_digest() -> None:
    assert text_of(b"x" * 128) == "x" * 128
    assert text_of(b"x" * 129).startswith("sha256:")
    assert text_of(text_of(b"x" * 129).encode()).startswith("hex:")
