"""Random walks: what they do is what the explorers do; the same seed does the same; what they find is made short."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftcheck import Deliver, ModelError, Network, Send, Step, System, always, recoverable, simulate, sometimes
from raftcheck.explore import Event, Faults
from raftcheck.explore.choosing import Chooser, Dice
from raftcheck.explore.limits import Limits
from raftcheck.explore.reference import ReferenceSearch
from raftcheck.explore.running import Run, kind_of
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.shorten import counterexample, execute, first_violation, shortened
from raftcheck.explore.simulate import Walk, seed_of_walk
from raftcheck.model import Property
from tests.conftest import cases
from tests.systems import tables
from tests.systems.token_ring import PROPERTIES, RECOVERABLE, token_ring
from tests.systems.two_phase_commit import PROPERTIES as COMMIT_PROPERTIES
from tests.systems.two_phase_commit import two_phase_commit

NETWORKS = st.sampled_from(list(Network)).flatmap(tables.systems)
SEEDS = st.integers(0, 2**32)


def walk_of(system: System, seed: int, steps: int, properties: Any = (), faults: Faults | None = None) -> Walk:
    walk = Walk(Semantics(system), properties, seed, faults or Faults(partitions=0.2), {})
    while len(walk.events) < steps and walk.broken is None and not walk.is_at_its_end:
        walk.step()
    return walk


@settings(max_examples=cases(200))
@given(NETWORKS, SEEDS)
def test_every_step_of_a_walk_is_a_step_of_the_system(system: System, seed: int) -> None:
    """Executed as the explorers execute it, a walk goes through the same states."""
    walk = Walk(Semantics(system), [], seed, Faults(partitions=0.2), {})
    states = []
    while len(walk.events) < 40 and not walk.is_at_its_end:
        before = len(walk.events)
        walk.step()
        if len(walk.events) > before:
            states.append(walk.run.state())
    executed = execute(Semantics(system), walk.events)
    assert executed is not None
    assert [successor.state for successor in executed] == states


@settings(max_examples=cases(200))
@given(NETWORKS, SEEDS)
def test_a_walk_meets_only_what_can_be_met(system: System, seed: int) -> None:
    reference = ReferenceSearch(system, [], Limits(max_states=2_000))
    reference.run()
    if reference.limit is not None:
        return
    walk = walk_of(system, seed, steps=0)
    for _ in range(40):
        assert walk.run.state() in reference.parents
        walk.step()


@settings(max_examples=cases(200))
@given(NETWORKS, tables.properties(), SEEDS)
def test_what_a_walk_finds_is_a_shortest_violation_of_its_kind(
    system: System, properties: list[Property], seed: int
) -> None:
    """It can be executed, it violates what it says, no event can be left out; and the reference finds one as well."""
    found = simulate(system, properties, seed=seed, steps=60, walks=3)
    example = found.counterexample
    assert (found.verdict == "violated") == (example is not None)
    if example is None:
        return
    executed = execute(Semantics(system), example.events)
    assert executed is not None
    assert tuple(s.state for s in executed) == example.states[1:]
    claims = [checked for checked in properties if checked.name == example.violated]
    assert first_violation(Semantics(system), claims, executed) == (example.length, example.violated)
    for position in range(example.length):
        shorter = execute(Semantics(system), [*example.events[:position], *example.events[position + 1 :]])
        assert shorter is None or first_violation(Semantics(system), claims, shorter) is None
    reference = ReferenceSearch(system, claims, Limits(max_states=4_000))
    reference.run()
    assert reference.limit is not None or reference.counterexample is not None


@settings(max_examples=cases(100))
@given(NETWORKS, st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=25))
def test_a_run_takes_what_the_semantics_take(system: System, choices: list[tuple[int, bool]]) -> None:
    """In place or as plain values: the same events are possible and lead to the same states."""
    semantics, run = Semantics(system), Run(Semantics(system))
    state = semantics.initial()
    for choice, is_lost in choices:
        possible = [successor.event for successor in semantics.successors(state)]
        if not possible:
            return
        event = possible[choice % len(possible)]
        for tried in (event._replace(lost=is_lost), event):
            successor, taken = semantics.take(state, tried), run.take(tried)
            assert (successor is None) == (taken is None)
            if successor is None or taken is None:
                continue
            assert successor.state is not None
            assert taken.changed == (successor.state != state)
            state = successor.state
            assert run.state() == state


def test_the_same_seed_gives_the_same_walk() -> None:
    system = two_phase_commit(3)
    assert walk_of(system, 7, 300).events == walk_of(system, 7, 300).events
    assert walk_of(system, 7, 300).events != walk_of(system, 8, 300).events


def test_each_walk_can_be_repeated_alone() -> None:
    system, properties = two_phase_commit(2, needed=1), COMMIT_PROPERTIES
    for seed in range(20):
        found = simulate(system, properties, seed=seed, steps=12, walks=30)
        if found.walk is not None and found.walk > 1:
            break
    assert found.walk is not None
    assert found.walk > 1
    assert found.walk_seed == seed_of_walk(seed, found.walk - 1)
    alone = simulate(system, properties, seed=found.walk_seed, steps=12, walks=1)
    assert alone.counterexample == found.counterexample
    assert alone.found_after == found.found_after


PRINT_A_WALK = """
from raftcheck.explore.choosing import Faults
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.simulate import Walk
from raftcheck.raft import Bounds, raft_system
walk = Walk(Semantics(raft_system(Bounds(servers=5, terms=9, entries=9, crashes=9))), [], 5, Faults(), {})
for _ in range(400):
    walk.step()
print(walk.events)
"""


def test_a_walk_does_not_depend_on_hashes() -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-c", PRINT_A_WALK],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(printed) == 1
    assert len(printed.pop()) > 10_000


def test_the_dice_are_the_same_everywhere() -> None:
    """Numbers written down once: a change would give every seed another walk."""
    dice = Dice(1)
    assert [dice.below(100) for _ in range(8)] == [13, 84, 76, 25, 49, 44, 65, 78]
    assert [dice.weighted([1, 0, 3]) for _ in range(8)] == [0, 0, 2, 2, 2, 0, 2, 2]
    assert seed_of_walk(1, 0) == 1
    assert seed_of_walk(1, 1) == 624_792_847


# Faults


def chat(processes: int, network: Network = Network.LOSSY_DUPLICATING, lossy: bool = True) -> System:
    """Processes that number what they say to all others, for ever."""

    class Chatter:
        def initial(self, pid: int) -> tuple[int, int]:
            return (pid, 0)

        def inputs(self, state: tuple[int, int]) -> list[str]:
            return ["say"]

        def step(self, state: tuple[int, int], input: Any) -> Step:
            pid, said = state
            if isinstance(input, Deliver):
                return Step(state)
            others = (other for other in range(processes) if other != pid)
            return Step((pid, said + 1), tuple(Send(other, said + 1) for other in others))

    return System([Chatter()] * processes, network, lossy)


def deliveries(walk: Walk) -> list[Event]:
    return [event for event in walk.events if event.envelope is not None and not event.lost]


def walks(system: System, faults: Faults) -> list[Walk]:
    return [walk_of(system, seed, 1_000, faults=faults) for seed in range(30)]


def unheard(walk: Walk, processes: int) -> int:
    """Return how many messages never arrived."""
    said = sum(event.envelope is None for event in walk.events) * (processes - 1)
    return said - len({event.envelope for event in deliveries(walk)})


def test_messages_arrive_are_lost_repeated_and_reordered() -> None:
    calm = walks(chat(3), Faults(0, 0, 0))
    assert all(len(set(deliveries(walk))) == len(deliveries(walk)) for walk in calm)
    assert max(unheard(walk, 3) for walk in calm if len(deliveries(walk)) > 550) < 100
    lossy = walks(chat(3), Faults(loss=1, repeats=0, partitions=0))
    assert min(len(deliveries(walk)) for walk in lossy) == 0
    repeating = walks(chat(3), Faults(loss=0, repeats=1, partitions=0))
    assert any(len(set(deliveries(walk))) < len(deliveries(walk)) / 2 for walk in repeating)
    heard = [event.input.message for event in deliveries(calm[0]) if event[0] == 0 and event.input.sender == 1]  # type: ignore[union-attr]
    assert heard != sorted(heard)  # type: ignore[type-var]


@pytest.mark.parametrize("network", [Network.UNORDERED, Network.ORDERED])
def test_on_other_networks_a_loss_is_an_event_and_nothing_is_repeated(network: Network) -> None:
    for lossy in (True, False):
        found = walks(chat(3, network, lossy), Faults(loss=1, repeats=1, partitions=0.5))
        assert any(event.lost for walk in found for event in walk.events) is lossy
        for walk in found:
            assert len(set(deliveries(walk))) == len(deliveries(walk))


def test_nothing_crosses_a_partition() -> None:
    system = chat(4)
    run = Run(Semantics(system))
    chooser = Chooser(system, run, 1, Faults(), {})
    chooser._group, chooser._until = [True, True, False, False], 500
    crossing = []
    for now in range(1_000):
        taken = chooser.take()
        assert taken is not None
        envelope = taken.move.event.envelope
        if envelope is not None and {envelope.to, envelope.sender} not in ({0, 1}, {2, 3}):
            crossing.append(now)
    assert crossing
    assert min(crossing) >= 499


def test_partitions_come_and_go() -> None:
    spans = set()
    for seed in range(30):
        run = Run(Semantics(chat(4)))
        chooser = Chooser(chat(4), run, seed, Faults(partitions=0.05), {})
        split = []
        for _ in range(600):
            chooser.take()
            split.append(chooser._group is not None)
        spans.add((any(split), all(split[-1:])))
    assert {any_split for any_split, _ in spans} == {True, False}
    assert (True, False) in spans


# Inputs


def test_inputs_are_drawn_by_kind() -> None:
    """A kind of a thousand inputs is no likelier than a kind of one; numbered ones that need their order go on."""

    class Numbered:
        def initial(self, pid: int) -> tuple[int, int]:
            return (0, 0)

        def inputs(self, state: Any) -> list[Any]:
            return [*(("number", n) for n in range(1_000)), "other"]

        def step(self, state: tuple[int, int], input: Any) -> Step | None:
            done, others = state
            if input == "other":
                return Step((done, others + 1))
            return Step((done + 1, others)) if input[1] == done else None

    system = System([Numbered()])
    ends = [walk_of(system, seed, 500).run.processes[0] for seed in range(20)]
    assert sum(done for done, _ in ends) > 2_000  # type: ignore[misc]
    assert sum(others for _, others in ends) > 2_000  # type: ignore[misc]


@pytest.mark.parametrize(
    ("input", "kind"),
    [("go", "go"), (("lend", 1), "lend"), (7, int), ((), tuple), (Event(0, "x"), Event), ((("a", 1), 2), "a")],
)
def test_the_kind_of_an_input(input: Any, kind: Any) -> None:
    assert kind_of(input) == kind


def test_rates_are_kept() -> None:
    class Two:
        def initial(self, pid: int) -> tuple[int, int]:
            return (0, 0)

        def inputs(self, state: Any) -> list[str]:
            return ["rare", "often"]

        def step(self, state: tuple[int, int], input: Any) -> Step:
            rare, often = state
            return Step((rare + 1, often) if input == "rare" else (rare, often + 1))

    figures = simulate(
        System([Two()]),
        [],
        seed=1,
        steps=500,
        walks=50,
        rates={"rare": 0.01},
        measure=lambda state: dict(zip(("rare", "often"), state.processes[0], strict=True)),  # type: ignore[arg-type]
    ).figures
    assert 0 < figures["rare"].total < figures["often"].total / 10
    assert figures["often"].greatest <= 500


# Ends


def test_a_walk_that_has_nothing_left_to_do_ends() -> None:
    found = simulate(two_phase_commit(2), COMMIT_PROPERTIES, seed=1, steps=100_000, walks=10)
    assert (found.verdict, found.walks, found.ended_early) == ("not violated", 10, 10)
    assert found.steps < 10_000
    met = {checked.name: checked.walks for checked in found.properties if checked.status == "met"}
    assert set(met) <= {"All commit", "All abort"}
    assert all(0 < walks <= 10 for walks in met.values())


def test_what_is_never_met_is_said() -> None:
    found = simulate(chat(2), [sometimes("never", lambda state: False)], seed=1, steps=50, walks=2)
    assert [(p.name, p.status, p.walks) for p in found.properties] == [("never", "never met", 0)]
    assert found.verdict == "not violated"


def test_time_is_a_limit() -> None:
    found = simulate(chat(3), [], seed=1, steps=10**9, walks=10, max_seconds=0.3)
    assert (found.verdict, found.limit, found.walks) == ("not violated", "max_seconds=0.3", 1)
    assert found.steps > 100
    assert simulate(chat(3), [], seed=1, max_seconds=0).verdict == "inconclusive"


def interrupt(*_: Any) -> bool:
    raise KeyboardInterrupt


def test_ctrl_c_ends_the_walks_with_the_figures_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["raftcheck.explore.limits"], "PROGRESS_SECONDS", 0.0)
    seen = []

    def progress(figures: Any) -> None:
        seen.append(figures)
        if len(seen) == 5:
            raise KeyboardInterrupt

    found = simulate(chat(3), [], seed=1, steps=1_000, walks=10, progress=progress)
    assert (found.verdict, found.limit) == ("inconclusive", "interrupted")
    assert found.steps == seen[-1].states > 0
    assert [figures.depth for figures in seen] == sorted(figures.depth for figures in seen)


def test_ctrl_c_while_a_violation_is_shortened_keeps_the_shortest_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    shortening = sys.modules["raftcheck.explore.shorten"].Shortening
    monkeypatch.setattr(shortening, "without_chunks", interrupt)
    claims = [always("few", lambda state: state[1] < 5)]
    found = simulate(chat(3), claims, seed=1, steps=1_000)
    assert found.verdict == "violated"
    assert found.counterexample is not None
    assert found.counterexample.length > 5
    monkeypatch.setattr(shortening, "violating", interrupt)
    found = simulate(chat(3), claims, seed=1, steps=1_000)
    assert (found.verdict, found.limit, found.counterexample) == ("violated", "interrupted", None)


def test_a_step_that_raises_is_a_violation() -> None:
    class Fragile:
        def initial(self, pid: int) -> int:
            return 0

        def inputs(self, state: int) -> list[str]:
            return ["go", "stay"]

        def step(self, state: int, input: Any) -> Step:
            if state == 3:
                raise ArithmeticError("too many")
            return Step(state + (input == "go"))

    found = simulate(System([Fragile()]), [], seed=1, steps=100)
    assert found.counterexample is not None
    assert (found.counterexample.violated, found.counterexample.error) == ("No Exception", "ArithmeticError: too many")
    assert found.counterexample.length == 4
    assert [(p.name, p.status) for p in found.properties] == [("No Exception", "violated")]


def test_an_initial_state_may_be_at_fault() -> None:
    found = simulate(chat(2), [always("none", lambda state: False)], seed=1)
    assert found.counterexample is not None
    assert (found.counterexample.length, found.steps) == (0, 0)


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (lambda: simulate(chat(2), [], seed=-1), "seed must be a whole number, at least 0, not -1"),
        (lambda: simulate(chat(2), [], seed=1, steps=0), "steps must be a whole number, at least 1"),
        (lambda: simulate(chat(2), [], seed=1, walks=0), "walks must be a whole number, at least 1"),
        (lambda: simulate(chat(2), [], seed=1.5), "seed must be"),  # type: ignore[arg-type]
        (lambda: simulate(chat(2), [], seed=1, max_seconds=-1), "max_seconds must be at least 0"),
        (lambda: simulate(chat(2), [PROPERTIES[0], PROPERTIES[0]], seed=1), "the same name"),
        (lambda: simulate(token_ring(2, Network.ORDERED, False), [RECOVERABLE], seed=1), "is recoverable; explore"),
        (lambda: simulate(chat(2), [recoverable("x", lambda s: True)], seed=1), "'x' is recoverable"),
        (lambda: Faults(loss=2), "loss is a chance, from 0 to 1, not 2"),
    ],
)
def test_what_no_simulation_can_answer_is_refused(request_: Callable[[], Any], text: str) -> None:
    with pytest.raises(ModelError, match=text):
        request_()


# Shortening


def test_a_long_walk_is_shortened_quickly() -> None:
    """Thousands of events, of which twenty matter."""
    claims = [always("few", lambda states, ghost: states[0][1] + states[3][1] < 20, over="cluster")]
    system = chat(4)
    events = [event for event in walk_of(system, 3, 6_000).events if event.pid != 0 or event.envelope is not None]
    events += [Event(0, "say")] * 20
    start = time.monotonic()
    short = shortened(Semantics(system), claims, "few", events)
    assert len(short) == 20
    assert counterexample(Semantics(system), "few", short).length == 20
    assert time.monotonic() - start < 10


def test_an_event_that_is_no_longer_possible_is_replaced_by_its_like() -> None:
    """The count goes round ten times before the second process hears of it: nine of the rounds are not needed."""

    class Clock:
        def initial(self, pid: int) -> int:
            return 0

        def inputs(self, state: int) -> list[tuple[str, int]]:
            return [("tick", number) for number in range(50)]

        def step(self, state: int, input: Any) -> Step | None:
            if isinstance(input, Deliver):
                return Step(state + 100)
            return Step(state + 1, (Send(1, state + 1),)) if input[1] == state else None

    system = System([Clock(), Clock()])
    events = [Event(0, ("tick", number)) for number in range(40)] + [Event(1, Deliver(0, 40))]
    claims = [always("unheard", lambda state: state < 100)]
    assert shortened(Semantics(system), claims, "unheard", events) == [Event(0, ("tick", 0)), Event(1, Deliver(0, 1))]
