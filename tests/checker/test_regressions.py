"""Ways in which an explorer could say "holds" and be wrong. Each of these once was one, or nearly."""

from typing import Any, NamedTuple

import pytest

from raftcheck import Deliver, ModelError, Send, Step, System, always, always_step, explore, sometimes

MODES = ["reference", "covering"]


class Lamp(NamedTuple):
    pid: int
    on: bool


class Lamps:
    """Whoever goes on tells the others; a message puts a lamp out."""

    def initial(self, pid: int) -> Lamp:
        return Lamp(pid, False)

    def inputs(self, lamp: Lamp) -> tuple[str, ...]:
        return ("on",)

    def step(self, lamp: Lamp, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return Step(Lamp(lamp.pid, False)) if lamp.on else None
        others = tuple(Send(pid, "m") for pid in range(3) if pid != lamp.pid)
        return None if lamp.on else Step(Lamp(lamp.pid, True), others)


class Switches(NamedTuple):
    ons: int = 0
    last: int | None = None
    offs: int = 0


class Twice:
    """Allows two lamps on and two out, and remembers whose doing the last was."""

    initial = Switches()

    def observe(self, ghost: Switches, pid: int, before: Lamp, input: Any, step: Step) -> Switches | None:
        if isinstance(input, Deliver):
            return None if ghost.offs >= 2 else Switches(ghost.ons, input.sender, ghost.offs + 1)
        return None if ghost.ons >= 2 else Switches(ghost.ons + 1, pid, ghost.offs)


def rename(value: Any, permutation: tuple[int, ...]) -> Any:
    if isinstance(value, Lamp):
        return Lamp(permutation[value.pid], value.on)
    if isinstance(value, Switches):
        return value._replace(last=None if value.last is None else permutation[value.last])
    return value


def test_messages_of_a_renamed_network_are_delivered() -> None:
    """A stabiliser may rename a kept network to one whose messages were never looked at in that configuration."""
    system = System([Lamps()] * 3, scenario=Twice(), relabel=rename)
    claim = always("never all out", lambda s, g: any(x.on for x in s) or (g.ons, g.offs) != (2, 2), over="cluster")
    results = [explore(system, [claim], mode="reference"), explore(system, [claim]),
               explore(system, [claim], symmetry=False)]  # fmt: skip
    assert [result.verdict for result in results] == ["violated"] * 3
    tuples = [explore(system, [], mode="reference"), explore(system, []), explore(system, [], symmetry=False)]
    assert len({result.local_tuples for result in tuples}) == 1


class Names(NamedTuple):
    pid: int
    at: int


class Counter:
    """Counts to 2; a process named in `odd` counts by two."""

    def __init__(self, odd: int | None = None) -> None:
        self.odd = odd

    def initial(self, pid: int) -> Names:
        return Names(pid, 0)

    def inputs(self, state: Names) -> tuple[str, ...]:
        return ("go",) if state.at < 2 else ()

    def step(self, state: Names, input: Any) -> Step | None:
        return Step(Names(state.pid, state.at + (2 if state.pid == self.odd else 1)))


def rename_names(value: Any, permutation: tuple[int, ...]) -> Any:
    match value:
        case Names(pid, at):
            return Names(permutation[pid], at)
        case (int(pid),):
            return (permutation[pid],)
        case _:
            return value


class OnlyOne:
    """Allows the steps of whoever moves first."""

    initial = ("nobody",)

    def observe(self, ghost: Any, pid: int, before: Names, input: Any, step: Step) -> Any:
        return (pid,) if ghost in {("nobody",), (pid,)} else None


@pytest.mark.parametrize("processes", [2, 3, 4, 5])
@pytest.mark.parametrize("pid", [0, 1, 2, 3, 4])
def test_a_predicate_may_tell_the_processes_apart(processes: int, pid: int) -> None:
    if pid >= processes:
        return
    system = System([Counter()] * processes, relabel=rename_names)
    for claim in (
        always("a state", lambda states, _: states[pid].at < 2, over="cluster"),
        always("a process", lambda state: (state.pid, state.at) != (pid, 2)),
        always_step("a step", lambda before, input, step: (before.pid, before.at) != (pid, 1)),
    ):
        result = explore(system, [claim])
        assert result.verdict == "violated"
        assert result.counterexample is not None
        assert result.counterexample.length == 2
    # Only one process ever moves, so that a renaming of its second step is never executed by itself.
    system = System([Counter()] * processes, scenario=OnlyOne(), relabel=rename_names)
    claim = always_step("a step", lambda before, input, step: (before.pid, before.at) != (pid, 1))
    assert explore(system, [claim]).verdict == "violated"
    seen = sometimes("a step", lambda before, input, step: (before.pid, before.at) == (pid, 1), over="step")
    assert explore(system, [seen]).verdict == "holds"


@pytest.mark.parametrize("processes", [3, 4, 5, 6])
def test_one_process_that_differs_is_no_symmetry(processes: int) -> None:
    for odd in range(processes):
        with pytest.raises(ModelError, match="other than its renamings"):
            explore(System([Counter(odd)] * processes, relabel=rename_names), [])


@pytest.mark.parametrize("mode", MODES)
def test_properties_may_come_from_a_generator(mode: Any) -> None:
    claims = (claim for claim in [always("small", lambda state: state.at < 2)])
    assert explore(System([Counter()]), claims, mode=mode).verdict == "violated"  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "  ", "No Exception"])
def test_a_property_needs_a_name_of_its_own(name: str) -> None:
    with pytest.raises(ValueError, match="a property cannot be named"):
        always(name, lambda state: True)


class Confusable:
    """Has the input (1, "w"), and gets "w" from process 1, which is something else."""

    def initial(self, pid: int) -> Names:
        return Names(pid, 0)

    def inputs(self, state: Names) -> tuple[Any, ...]:
        return ((1, "w"),) if state.pid == 0 else ("send",)

    def step(self, state: Names, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return Step(Names(state.pid, 9))
        return Step(state, (Send(0, "w"),)) if input == "send" else Step(state)


@pytest.mark.parametrize("mode", MODES)
def test_a_delivery_is_no_tuple(mode: Any) -> None:
    result = explore(System([Confusable()] * 2), [always("never 9", lambda state: state.at != 9)], mode=mode)
    assert result.verdict == "violated"


class Watcher:
    """A scenario that forbids nothing and whose ghost is as it is given."""

    def __init__(self, initial: Any) -> None:
        self.initial = initial

    def __bool__(self) -> bool:
        return False

    def observe(self, ghost: Any, pid: int, before: Any, input: Any, step: Step) -> Any:
        return None if step.state.at > 1 else ghost  # type: ignore[attr-defined]


@pytest.mark.parametrize("mode", MODES)
def test_a_scenario_counts_even_if_it_is_falsy_and_its_ghost_cannot_be_none(mode: Any) -> None:
    with pytest.raises(ModelError, match="ghost cannot be None"):
        System([Counter()], scenario=Watcher(None))
    result = explore(System([Counter()], scenario=Watcher(())), [], mode=mode)
    assert (result.verdict, result.states) == ("holds", 2)


class Lazy(Counter):
    def step(self, state: Names, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return Step(Names(state.pid, 9))
        return Step(state, (Send(to, "m") for to in (0, 1)))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_sends_may_come_from_a_generator(mode: Any) -> None:
    result = explore(System([Lazy()] * 2), [always("never 9", lambda state: state.at != 9)], mode=mode)
    assert result.verdict == "violated"


class Sender:
    """Sends one of many messages each time, so that many networks are incomparable; the other end needs all."""

    def initial(self, pid: int) -> frozenset[int]:
        return frozenset()

    def inputs(self, state: frozenset[int]) -> Any:
        return range(6)

    def step(self, state: frozenset[int], input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return Step(state | {input.message})
        return Step(state, (Send(1, input),))


class Limited:
    """Allows `sends` inputs in all."""

    def __init__(self, sends: int) -> None:
        self.initial, self.sends = 0, sends

    def observe(self, ghost: int, pid: int, before: Any, input: Any, step: Step) -> int | None:
        if isinstance(input, Deliver):
            return ghost
        return ghost + 1 if ghost < self.sends else None


def test_wide_antichains_are_kept_whole() -> None:
    """After 3 of 6 messages there are 20 maximal networks for one configuration; each leads somewhere else."""
    system = System([Sender()] * 2, scenario=Limited(3))
    reference, covering = explore(system, [], mode="reference"), explore(system, [])
    assert covering.local_tuples == reference.local_tuples
    assert covering.states >= 20
    for wanted in (frozenset({0, 1, 2}), frozenset({3, 4, 5}), frozenset({0, 2, 4})):
        assert explore(system, [sometimes("gets them", wanted.__eq__)]).verdict == "holds"
