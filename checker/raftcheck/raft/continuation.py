"""What the servers that are left can do when others have failed for good, and all messages under way are lost.

The survivors keep their state: they did not crash. Those that failed never act again and receive nothing. The goal is
that a survivor leads and applies a client's *new* write: one that was asked for after the failure.

One depth-first search answers both ways. That the goal can be reached is shown by the behaviour that reaches it; that
it cannot, by having visited everything that the survivors can do within the bounds of the continuation: MORE_TERMS
terms more than the run before, one new write, and as many heartbeats as they like.
"""

from collections.abc import Callable, Iterable, Iterator

from raftcheck.explore import Counterexample
from raftcheck.explore.result import GlobalState
from raftcheck.explore.semantics import Semantics, Successor, describe
from raftcheck.model import Deliver, Step, System
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.process import ModelInput, Node, RaftProcess
from raftimpl import step as core
from raftimpl.cluster import cluster_of
from raftimpl.errors import RaftError
from raftimpl.rules import Rules
from raftimpl.state import Role

MORE_TERMS = 2
"""For so many terms beyond those of the run before the survivors may start elections."""

NEW_WRITE = b"new"
"""The command of the write that is asked for after the failure; the run before numbers its commands w1, w2, ..."""

NO_NEW_WRITE = "No New Write"
"""The name of what must be violated: a counterexample to it shows how the survivors go on."""

FAILED = None

Situation = tuple[Node | None, ...]
"""The states of all servers by id just after the failure; FAILED for those that failed."""

TICK_EVERY = 256


class UnfinishedError(Exception):
    """An exploration ended before everything was known; the text says why."""


class CarefulProcess(RaftProcess):
    """A server that does not take a step in which it finds something wrong. Only a broken variant meets such a step."""

    def step(self, node: Node, input: ModelInput | Deliver) -> Step | None:
        """Execute one step; None if the core refuses it."""
        try:
            return super().step(node, input)
        except RaftError:
            return None


class Survivor(CarefulProcess):
    """A server after the failure: the very step of the run before, or FAILED. `bounds` are those of that run."""

    def inputs(self, node: Node | None) -> Iterable[ModelInput]:
        """Yield what time and clients may do."""
        if node is FAILED:
            return
        if node.server.role is Role.LEADER:
            yield core.HeartbeatTimeout()
            yield core.ClientRequest(NEW_WRITE)
        elif node.server.current_term < self.bounds.terms + MORE_TERMS:
            yield core.ElectionTimeout()

    def step(self, node: Node | None, input: ModelInput | Deliver) -> Step | None:
        """Execute one step of a server that is left; the others take none."""
        return None if node is FAILED else super().step(node, input)


class OneNewWrite:
    """The scenario after the failure. The ghost tells whether the new write was asked for: that happens once."""

    initial = False

    def observe(self, asked: bool, pid: int, before: Node, input: ModelInput | Deliver, step: Step) -> bool | None:
        """Return whether the write was asked for, None if that would be the second time."""
        is_asked_now = isinstance(input, core.ClientRequest)
        return None if asked and is_asked_now else asked or is_asked_now


class Continuations:
    """All that can follow when servers of a cluster have failed, in any situation that a run has led to.

    `tick` is called now and then; it may raise UnfinishedError.
    """

    def __init__(self, bounds: Bounds, rules: Rules | None, tick: Callable[[], None]) -> None:
        survivor = Survivor(cluster_of(bounds.servers, rules, bounds.batch), bounds)
        self._semantics = Semantics(System([survivor] * bounds.servers, scenario=OneNewWrite()))
        self._tick = tick
        self.hopeless: set[GlobalState] = set()
        """States from which everything was visited without meeting the goal. All that follows them is among them."""

    def search(self, situation: Situation) -> Counterexample | None:
        """Return a behaviour that leads to the goal, None if there is none within the bounds.

        Raises UnfinishedError if a step raises something unforeseen: then nothing is known.
        """
        start = GlobalState(situation, frozenset(), OneNewWrite.initial)
        visited = {start}
        path: list[Successor] = []
        branches = [self._successors(start)]
        while branches:
            successor = next(branches[-1], None)
            if successor is None:
                branches.pop()
                del path[-1:]
            elif reaches_goal(successor.step):
                return behaviour(start, [*path, successor])
            elif successor.state and successor.state not in visited and successor.state not in self.hopeless:
                visited.add(successor.state)
                path.append(successor)
                branches.append(self._successors(successor.state))
                if len(visited) % TICK_EVERY == 0:
                    self._tick()
        self.hopeless |= visited
        return None

    def _successors(self, state: GlobalState) -> Iterator[Successor]:
        """Yield what may happen in a state, the most promising first.

        A step that only sends is enough: on a network that only grows, the state after can do all that this one can.
        """
        successors = list(self._semantics.successors(state))
        for successor in successors:
            if successor.error is not None:
                raise UnfinishedError(f"a server raised {describe(successor.error)}")
            if only_sends(state, successor):
                return iter([successor])
        return iter(sorted(successors, key=lambda successor: order_of(state, successor)))


def only_sends(before: GlobalState, successor: Successor) -> bool:
    """Tell whether a step changes nothing but the network."""
    _, _, after, _ = successor
    return after is not None and after != before and after[::2] == before[::2]


def order_of(state: GlobalState, successor: Successor) -> tuple[bool, bool, bool, int, int]:
    """Return a key that puts first what probably leads to the goal; no answer depends on this order.

    Messages arrive before timers run out. Leaders go on before elections start, and learn by heartbeats whether they
    still lead before they are asked to write. Of the others, those with the most up-to-date logs are elected.
    """
    pid, input, _ = successor.event
    node: Node = state.processes[pid]  # type: ignore[assignment]
    server = node.server
    return (
        not isinstance(input, Deliver),
        server.role is not Role.LEADER,
        isinstance(input, core.ClientRequest),
        -server.log.last_term,
        -server.log.last_index,
    )


def reaches_goal(step: Step | None) -> bool:
    """Tell whether a leader applies the new write in this step."""
    if step is None:
        return False
    after: Node = step.state  # type: ignore[assignment]
    return after.server.role is Role.LEADER and any(
        isinstance(output, core.Apply) and output.entry.command == NEW_WRITE for output in step.outputs
    )


def behaviour(start: GlobalState, path: list[Successor]) -> Counterexample:
    """Return the steps from a situation to the goal."""
    events, steps, states, _ = zip(*path, strict=True)
    return Counterexample(NO_NEW_WRITE, (start, *states), events, steps)
