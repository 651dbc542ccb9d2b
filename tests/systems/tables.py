"""Random systems: processes that are nothing but a table, for tests of one explorer against another."""

from typing import Any, NamedTuple

from hypothesis import strategies as st

from raftcheck import Deliver, Network, NoticingScenario, Property, Send, Step, System, always, always_step, sometimes

STATES, MESSAGES, INPUTS = range(4), ("m0", "m1"), ("i0", "i1")


class Local(NamedTuple):
    pid: int
    at: int


class Row(NamedTuple):
    """What a process does: where it goes, and what it sends to whom."""

    to: int
    sends: tuple[tuple[str, str], ...]  # (whom: "others", "self" or "sender"; message)


Table = dict[tuple[int, str], Row]


class TableProcess:
    def __init__(self, table: Table, processes: int) -> None:
        self.table, self.processes = table, processes

    def __repr__(self) -> str:
        return f"TableProcess({self.table}, {self.processes})"

    def initial(self, pid: int) -> Local:
        return Local(pid, 0)

    def inputs(self, state: Local) -> tuple[str, ...]:
        return INPUTS

    def step(self, state: Local, input: Any) -> Step | None:
        row = self.table.get((state.at, input.message if isinstance(input, Deliver) else input))
        if row is None:
            return None
        sender = input.sender if isinstance(input, Deliver) else state.pid
        sends = [Send(pid, message) for whom, message in row.sends for pid in self.receivers(whom, state.pid, sender)]
        return Step(state._replace(at=row.to), tuple(sends))

    def receivers(self, whom: str, pid: int, sender: int) -> list[int]:
        return {"self": [pid], "sender": [sender], "others": [p for p in range(self.processes) if p != pid]}[whom]


class Budget:
    """Allows so many uses of input i0 and so many deliveries of m0; remembers who used or sent the last."""

    initial = (0, 0, None)

    def __init__(self, uses: int, deliveries: int) -> None:
        self.uses, self.deliveries = uses, deliveries

    def observe(self, ghost: Any, pid: int, before: Local, input: Any, step: Step) -> Any:
        uses, deliveries, _ = ghost
        if isinstance(input, Deliver) and input.message == "m0":
            return None if deliveries >= self.deliveries else (uses, deliveries + 1, input.sender)
        if input == "i0":
            return None if uses >= self.uses else (uses + 1, deliveries, pid)
        return ghost


class NoticingBudget(NoticingScenario):
    """The same in two halves."""

    initial = (0, 0, None)

    def __init__(self, uses: int, deliveries: int) -> None:
        self.budget = Budget(uses, deliveries)

    def notice(self, pid: int, before: Local, input: Any, step: Step) -> Any:
        if isinstance(input, Deliver) and input.message == "m0":
            return ("delivered", input.sender)
        return ("used", pid) if input == "i0" else None

    def update(self, ghost: Any, notice: Any) -> Any:
        uses, deliveries, _ = ghost
        what, who = notice
        if what == "delivered":
            return None if deliveries >= self.budget.deliveries else (uses, deliveries + 1, who)
        return None if uses >= self.budget.uses else (uses + 1, deliveries, who)


def relabel(value: Any, permutation: tuple[int, ...]) -> Any:
    match value:
        case Local(pid, at):
            return Local(permutation[pid], at)
        case (int(uses), int(deliveries), last):
            return (uses, deliveries, None if last is None else permutation[last])
        case _:
            return value


rows = st.builds(
    Row,
    st.sampled_from(STATES),
    st.lists(
        st.tuples(st.sampled_from(["others", "others", "self", "sender"]), st.sampled_from(MESSAGES)),
        min_size=1,
        max_size=2,
    ).map(tuple),
)

tables = st.fixed_dictionaries(
    {(at, trigger): st.one_of(rows, rows, rows, st.none()) for at in STATES for trigger in MESSAGES + INPUTS}
).map(lambda table: {key: row for key, row in table.items() if row is not None})


@st.composite
def systems(draw: st.DrawFn, network: Network = Network.LOSSY_DUPLICATING) -> System:
    processes = draw(st.sampled_from([3, 2, 3, 2, 1]))
    budget = st.builds(draw(st.sampled_from([Budget, NoticingBudget])), st.integers(0, 2), st.integers(0, 3))
    scenario = draw(st.none() | budget)
    process = TableProcess(draw(tables), processes)
    return System([process] * processes, network, draw(st.booleans()), scenario, relabel)


@st.composite
def properties(draw: st.DrawFn) -> list[Property]:
    """A few claims that may or may not be true; some tell the processes apart."""
    at, other, input = draw(st.sampled_from(STATES)), draw(st.sampled_from(STATES)), draw(st.sampled_from(INPUTS))
    candidates = [
        always("never there", lambda s: s.at != at),
        always("never both", lambda a, b: (a.at, b.at) != (at, other), over="pair"),
        always("never all", lambda states, ghost: any(s.at != at for s in states), over="cluster"),
        always("the first never there", lambda states, ghost: states[0].at != at, over="cluster"),
        always("the last never there", lambda states, ghost: states[-1].at != at, over="cluster"),
        always_step("no such step of the first", lambda before, given, step: (before.pid, before.at) != (0, at)),
        always("never in this order", lambda a, b: a.pid < b.pid or (a.at, b.at) != (at, other), over="pair"),
        sometimes("the first there", lambda states, ghost: states[0].at == other, over="cluster"),
        always_step("no such step", lambda before, given, step: (before.at, given) != (at, input)),
        sometimes("someone there", lambda s: s.at == other),
        sometimes("such a step", lambda before, given, step: step.state.at == other and given == input, over="step"),
    ]
    return draw(st.lists(st.sampled_from(candidates), max_size=4, unique_by=lambda p: p.name))
