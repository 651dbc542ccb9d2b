"""Two-phase commit with a set of messages, as in Lamport's TwoPhase specification.

Pid 0 is the transaction manager, the others are resource managers.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from raftcheck import Deliver, Property, Send, Step, System, always, sometimes


class Manager(NamedTuple):
    decision: str | None = None
    prepared: frozenset[int] = frozenset()


class TransactionManager:
    def __init__(self, resources: int, needed: int) -> None:
        self.resources, self.needed = range(1, resources + 1), needed

    def initial(self, pid: int) -> Manager:
        return Manager()

    def inputs(self, state: Manager) -> Iterator[str]:
        if state.decision is None:
            yield "abort"
            if len(state.prepared) >= self.needed:
                yield "commit"

    def step(self, state: Manager, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            if state.decision is not None:
                return None
            return Step(state._replace(prepared=state.prepared | {input.sender}))
        return Step(state._replace(decision=input), tuple(Send(pid, input) for pid in self.resources))


class ResourceManager:
    def initial(self, pid: int) -> str:
        return "working"

    def inputs(self, state: str) -> Iterator[str]:
        if state == "working":
            yield from ("prepare", "abort")

    def step(self, state: str, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return Step({"commit": "committed", "abort": "aborted"}[str(input.message)])
        return Step("prepared", (Send(0, "prepared"),)) if input == "prepare" else Step("aborted")


def consistent(states: tuple[Any, ...], _: Any) -> bool:
    return not ({"committed", "aborted"} <= set(states[1:]))


PROPERTIES: tuple[Property, ...] = (
    always("Consistency", consistent, over="cluster"),
    sometimes("All commit", lambda states, _: set(states[1:]) == {"committed"}, over="cluster"),
    sometimes("All abort", lambda states, _: set(states[1:]) == {"aborted"}, over="cluster"),
)


def two_phase_commit(resources: int, needed: int | None = None) -> System:
    """A correct manager commits when all are prepared; `needed` makes one that is content with fewer."""
    manager = TransactionManager(resources, resources if needed is None else needed)
    return System([manager, *[ResourceManager()] * resources])
