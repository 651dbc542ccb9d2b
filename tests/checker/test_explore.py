"""What `explore` promises whatever the system: verdicts, limits, refusals."""

from typing import Any

import pytest

from raftcheck import (
    Deliver,
    ModelError,
    Network,
    Send,
    Step,
    System,
    VerificationError,
    always,
    always_step,
    assert_holds,
    explore,
    recoverable,
    simulate,
    sometimes,
)
from raftcheck.explore import Progress
from raftcheck.explore.limits import peak_memory
from raftcheck.model import Kind, Property
from raftcheck.report import PlainLabels, counterexample_text
from raftcheck.report.document import counterexample_document

MODES = ["reference", "covering"]


class Counter:
    """Counts to a limit; at `fails_at` its step raises. It tells its peer every number."""

    def __init__(self, limit: int, fails_at: int | None = None) -> None:
        self.limit, self.fails_at = limit, fails_at

    def initial(self, pid: int) -> int:
        return 0

    def inputs(self, state: int) -> tuple[str, ...]:
        return ("count", "rest")

    def step(self, state: int, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return Step(state)
        if input == "rest":
            return Step(state)
        if state == self.fails_at:
            raise RuntimeError("cannot count further")
        return Step(state + 1) if state < self.limit else None


def counters(limit: int = 3, processes: int = 2, fails_at: int | None = None) -> System:
    return System([Counter(limit, fails_at)] * processes)


@pytest.mark.parametrize("mode", MODES)
def test_a_step_that_changes_nothing_is_no_transition(mode: Any) -> None:
    result = explore(counters(limit=3), [], mode=mode)
    assert (result.verdict, result.states, result.transitions, result.depth) == ("holds", 16, 24, 6)
    assert (result.local_states, result.local_tuples) == (4, 16)


@pytest.mark.parametrize("mode", MODES)
def test_a_shortest_violation_is_found(mode: Any) -> None:
    result = explore(counters(limit=9), [always("Below 3", lambda n: n < 3)], mode=mode)
    assert result.verdict == "violated"
    assert not result.complete
    assert result.counterexample is not None
    assert [event.input for event in result.counterexample.events] == ["count"] * 3
    assert [state.processes for state in result.counterexample.states][-1] in {(3, 0), (0, 3)}


@pytest.mark.parametrize("mode", MODES)
def test_the_initial_state_can_be_the_violation(mode: Any) -> None:
    result = explore(counters(), [always("Not 0", lambda n: n != 0)], mode=mode)
    assert result.counterexample is not None
    assert (result.counterexample.length, len(result.counterexample.states)) == (0, 1)


@pytest.mark.parametrize("mode", ["covering", "exact"])
@pytest.mark.parametrize("fails_at", [0, 1, 2])
def test_the_depth_of_a_violation_is_its_length(mode: Any, fails_at: int) -> None:
    result = explore(counters(processes=1, fails_at=fails_at), [], mode=mode, max_depth=fails_at + 1)
    assert result.counterexample is not None
    assert (result.depth, result.limit) == (result.counterexample.length, None)
    assert result.depth == fails_at + 1


@pytest.mark.parametrize("mode", MODES)
def test_a_step_property_sees_steps_that_change_nothing(mode: Any) -> None:
    result = explore(counters(), [always_step("Never rests at 2", lambda n, i, _: (n, i) != (2, "rest"))], mode=mode)
    assert result.counterexample is not None
    assert result.counterexample.length == 3
    assert result.counterexample.events[-1].input == "rest"


@pytest.mark.parametrize("mode", [*MODES, "exact"])
def test_a_step_property_may_explain_why_a_step_breaks_it(mode: Any) -> None:
    claim = always_step(
        "Below two",
        lambda before, input, step: step.state < 2,
        explain=lambda before, input, step: f"{before} and then {input} is {step.state}",
    )
    found = explore(counters(), [always("Nothing", lambda state: True), claim], mode=mode).counterexample
    assert found is not None
    assert found.explanation == "1 and then count is 2"
    assert counterexample_text(found, PlainLabels()).endswith("\nStep 2: 1 and then count is 2")
    assert counterexample_document(found, PlainLabels())["explanation"] == "1 and then count is 2"
    walked = simulate(counters(), [claim], seed=1, steps=20, walks=1).counterexample
    assert walked is not None
    assert walked.explanation == "1 and then count is 2"


def test_a_property_of_states_does_not_explain_itself() -> None:
    with pytest.raises(ValueError, match='only predicates over="step" can explain themselves'):
        Property("No", Kind.ALWAYS, "process", bool, explain=lambda before, input, step: "")
    found = explore(counters(), [always("Below two", lambda state: state < 2)]).counterexample
    assert found is not None
    assert found.explanation is None


@pytest.mark.parametrize("mode", MODES)
def test_an_exception_in_a_step_is_a_violation_with_its_path(mode: Any) -> None:
    result = explore(counters(fails_at=2), [always("Fine", lambda n: True)], mode=mode)
    assert result.verdict == "violated"
    assert result.counterexample is not None
    assert result.counterexample.violated == "No Exception"
    assert result.counterexample.error == "RuntimeError: cannot count further"
    assert (result.counterexample.length, len(result.counterexample.states)) == (3, 3)
    assert result.properties[-1].name == "No Exception"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("limits", "named"),
    [
        ({"max_states": 5}, "max_states=5"),
        ({"max_depth": 2}, "max_depth=2"),
        ({"max_seconds": 0}, "max_seconds=0"),
        ({"max_memory": 1}, "max_memory=1"),
    ],
)
def test_a_limit_makes_the_verdict_inconclusive(mode: Any, limits: dict[str, Any], named: str) -> None:
    properties = [always("Small", lambda n: n < 99), sometimes("Reaches 3", lambda n: n == 3)]
    result = explore(counters(), properties, mode=mode, **limits)
    assert (result.verdict, result.complete, result.limit) == ("inconclusive", False, named)
    assert {checked.status for checked in result.properties} == {"unknown"}
    assert result.states <= 6
    with pytest.raises(VerificationError, match="inconclusive"):
        assert_holds(result)


@pytest.mark.parametrize("mode", MODES)
def test_limits_that_are_not_reached_change_nothing(mode: Any) -> None:
    limits = {"max_states": 16, "max_depth": 7, "max_seconds": 600.0, "max_memory": 10 * peak_memory()}
    result = explore(counters(), [always("Small", lambda n: n < 99)], mode=mode, **limits)  # type: ignore[arg-type]
    assert (result.verdict, result.limit) == ("holds", None)
    assert_holds(result)


@pytest.mark.parametrize("mode", MODES)
def test_a_missing_witness_makes_the_verdict_vacuous(mode: Any) -> None:
    result = explore(counters(), [sometimes("Reaches 4", lambda n: n == 4)], mode=mode)
    assert (result.verdict, result.complete) == ("vacuous", True)
    with pytest.raises(VerificationError, match="Reaches 4: missing"):
        assert_holds(result)


@pytest.mark.parametrize("mode", MODES)
def test_ctrl_c_gives_the_partial_figures(mode: Any) -> None:
    def interrupt(_: Progress) -> None:
        raise KeyboardInterrupt

    result = explore(counters(limit=400), [], mode=mode, progress=interrupt)
    assert (result.verdict, result.limit) == ("inconclusive", "interrupted")
    assert result.states > 1


def test_recoverable_over_processes() -> None:
    properties = [recoverable("Someone can reach 3", lambda n: n == 3)]
    assert explore(counters(limit=3), properties, mode="reference").verdict == "holds"
    result = explore(counters(limit=2), properties, mode="reference")
    assert result.verdict == "violated"
    assert result.counterexample is not None
    assert result.counterexample.length == 0  # even the initial state is a trap


class Recorder:
    """A scenario that allows three steps of process 0 and remembers who moved last."""

    initial = (0, -1)

    def observe(self, ghost: tuple[int, int], pid: int, before: int, input: Any, step: Step) -> Any:
        used = ghost[0] + (pid == 0 and step.state != before)
        return None if used > 2 else (used, pid)


def test_a_scenario_limits_and_remembers() -> None:
    system = System([Counter(9)] * 2, scenario=Recorder())
    seen = sometimes("Process 1 moved last", lambda states, ghost: ghost[1] == 1, over="cluster")
    within = always("Process 0 stays within its budget", lambda states, ghost: states[0] <= 2, over="cluster")
    # The initial state, and each of 3 * 10 counts with either process as the last that moved or rested.
    for mode in MODES:
        result = explore(system, [seen, within], mode=mode)  # type: ignore[arg-type]
        assert (result.verdict, result.local_tuples) == ("holds", 61)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "quick"}, "mode must be one of covering, exact, reference"),
        ({"max_states": 0}, "max_states must be at least 1"),
        ({"max_depth": -1}, "max_depth must be at least 0"),
        ({"workers": 0}, "workers at least 1"),
        ({"properties": [always("A", bool), always("A", bool)]}, "two properties have the same name"),
        ({"properties": [recoverable("R", bool)]}, "recoverable.*exact"),
        ({"system": System([Counter(1)], Network.ORDERED)}, "covering mode needs.*ordered"),
        ({"system": System([Counter(1)], Network.UNORDERED)}, "covering mode needs.*unordered"),
    ],
)
def test_what_cannot_be_answered_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        explore(**{"system": counters(), "properties": [], **arguments})


def test_a_system_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ModelError, match="at least one process"):
        System([])
    with pytest.raises(ModelError, match="network must be one of"):
        System([Counter(1)], "tcp")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="none of process, pair, cluster, step"):
        always("A", bool, over="system")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a goal is a set of states"):
        recoverable("A", bool, over="step")


class Shouter(Counter):
    def step(self, state: int, input: Any) -> Step | None:
        return Step(1, (Send(7, "hello"),))


@pytest.mark.parametrize("mode", MODES)
def test_a_message_to_nobody_is_refused(mode: Any) -> None:
    with pytest.raises(ModelError, match="sends to 7: there is no such process"):
        explore(System([Shouter(1)] * 2), [], mode=mode)


class Favourite(Counter):
    """Not symmetric: only process 1 may count. The state is (pid, number)."""

    def initial(self, pid: int) -> Any:
        return (pid, 0)

    def step(self, state: Any, input: Any) -> Step | None:
        return Step((state[0], 1)) if state[0] == 1 else None


def rename(value: Any, permutation: tuple[int, ...]) -> Any:
    return (permutation[value[0]], *value[1:]) if isinstance(value, tuple) else value


def test_a_symmetry_that_is_none_is_refused() -> None:
    system = System([Favourite(1)] * 3, relabel=rename)
    with pytest.raises(ModelError, match=r"other than its renamings.*symmetry=False"):
        explore(system, [])
    assert explore(system, [], symmetry=False).verdict == "holds"


class Picky(Recorder):
    """Not symmetric: a scenario that counts the steps of process 0 only."""


class Named(Counter):
    def initial(self, pid: int) -> Any:
        return (pid, 0)

    def step(self, state: Any, input: Any) -> Step | None:
        return Step((state[0], 1))


def test_a_scenario_that_is_not_symmetric_is_refused() -> None:
    system = System([Named(1)] * 3, scenario=Picky(), relabel=rename)
    with pytest.raises(ModelError, match="symmetry=False"):
        explore(system, [])


def test_under_symmetry_a_predicate_may_still_tell_processes_apart() -> None:
    system = System([Named(1)] * 3, relabel=rename)
    claim = always("Process 2 rests", lambda states, _: states[2][1] == 0, over="cluster")
    for symmetry in (True, False):
        result = explore(system, [claim], symmetry=symmetry)
        assert result.verdict == "violated"
        assert result.counterexample is not None
        assert result.counterexample.length == 1
        assert result.counterexample.events[0].pid == 2
