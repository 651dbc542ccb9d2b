"""A walk of the model as a trace: what each server did, in the format that the oracle judges (docs/traces.md)."""

from collections.abc import Iterator, Mapping
from typing import Any

from raftcheck.model import Deliver, Network, Step, Value
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.process import Crash, CrashWithin, Node, with_content
from raftimpl import trace
from raftimpl.cluster import cluster_of
from raftimpl.raft import step as raft_step
from raftimpl.rules import Rules
from raftimpl.step import Receive

NETWORKS: Mapping[Network, str] = {
    Network.LOSSY_DUPLICATING: "any",
    Network.UNORDERED: "at-most-once",
    Network.ORDERED: "fifo",
}


class Recorder:
    """Writes down the steps of one walk."""

    def __init__(self, bounds: Bounds, rules: Rules | None = None, source: str = "") -> None:
        self._cluster = cluster_of(bounds.servers, rules, bounds.batch)
        self._names = [RaftLabels().process(pid) for pid in range(bounds.servers)]
        starts = [trace.start_record(self._names, self._cluster.start(pid)) for pid in range(bounds.servers)]
        self.lines: list[dict[str, Any]] = [trace.header(self._names, NETWORKS[bounds.network], source), *starts]

    def __call__(self, pid: int, before: Value, input: Value, step: Step) -> None:
        """Note a step of a server."""
        self.lines += self._records(before, input, step)  # type: ignore[arg-type]

    def _records(self, before: Node, input: Any, step: Step) -> Iterator[dict[str, Any]]:
        """Yield what others can know of a step: of a crash, its restart; of one to come, nothing.

        A torn step is one that sent only a part of its messages, and then the restart from what was on disk.
        """
        after: Node = step.state  # type: ignore[assignment]
        if isinstance(input, CrashWithin):
            return
        if isinstance(input, Crash):
            yield trace.start_record(self._names, after.server, before.server.log)
            return
        if isinstance(input, Deliver):
            input = Receive(input.sender, input.message)  # type: ignore[arg-type]
        done: Any = step.outputs
        if before.crash_after is None:
            yield trace.step_record(self._names, before.server, input, after.server, done)
            return
        torn = raft_step(self._cluster, before.server, with_content(before.server, input)).state
        known = trace.known_of_torn_step(before.server, torn, after.disk, done)
        yield trace.step_record(self._names, before.server, input if known is torn else None, known, done)
        yield trace.start_record(self._names, after.server, known.log)
