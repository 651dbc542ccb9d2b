"""The covering search drops what makes no difference, on a guess: what if the guess is wrong at first?"""

import sys
from typing import Any
from unittest.mock import patch

import pytest

from raftcheck import Deliver, NoticingScenario, Send, Step, System, always, always_step, explore, sometimes
from raftcheck.explore.covering import CoveringSearch
from raftcheck.explore.limits import Limits

covering_module = sys.modules[CoveringSearch.__module__]


class Sender:
    """Sends one of two messages that do nothing yet, and only then the one that makes them matter."""

    def initial(self, pid: int) -> str:
        return "undecided"

    def inputs(self, state: str) -> tuple[str, ...]:
        return {"undecided": ("this", "that"), "this": ("go",), "that": ("go",)}.get(state, ())

    def step(self, state: str, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return None
        return Step("gone", (Send(1, "open"),)) if input == "go" else Step(input, (Send(1, input),))


class Receiver:
    """Hears nothing until it is open; then it becomes what it hears."""

    def initial(self, pid: int) -> str:
        return "closed"

    def inputs(self, state: str) -> tuple[str, ...]:
        return ()

    def step(self, state: str, input: Any) -> Step | None:
        if state == "closed":
            return Step("open") if input.message == "open" else Step(state)
        return Step(input.message) if state == "open" and input.message != "open" else Step(state)


def search(system: System, properties: Any = (), first_guess: int = 1) -> CoveringSearch:
    found = CoveringSearch(system, properties, Limits())
    with patch.object(covering_module, "FIRST_GUESS_AT", first_guess):
        found.run()
    return found


def test_a_wrong_guess_is_noticed_and_the_search_repeated() -> None:
    """When the messages are sent nothing is known of a receiver that is open, so one of the two seems superfluous."""
    found = search(System([Sender(), Receiver()]))
    assert found.visited_all
    assert found.rounds > 1
    assert {processes[1] for processes, _ in found.configurations()} == {"closed", "open", "this", "that"}


@pytest.mark.parametrize("heard", ["this", "that"])
def test_a_violation_behind_a_wrong_guess_is_found(heard: str) -> None:
    found = search(
        System([Sender(), Receiver()]), [always("not heard", lambda states, _: states[1] != heard, "cluster")]
    )
    assert found.counterexample is not None
    assert found.counterexample.length == 4


class DoubleSender(Sender):
    """Sends two such messages at once."""

    def inputs(self, state: str) -> tuple[Any, ...]:
        choices = tuple((first, second) for first in ("this", "that") for second in ("p", "q"))
        return choices if state == "undecided" else ("go",) if state.startswith("decided") else ()

    def step(self, state: str, input: Any) -> Step | None:
        if input == "go":
            return Step("gone", (Send(1, "open"),))
        return (
            None if isinstance(input, Deliver) else Step("decided" + input[0] + input[1], (Send(1, m) for m in input))
        )  # type: ignore[arg-type]


class DeafReceiver(Receiver):
    """Hears the second message only after "that"."""

    def step(self, state: str, input: Any) -> Step | None:
        if state == "that" and input.message in {"p", "q"}:
            return Step(state + input.message)
        return super().step(state, input) if input.message not in {"p", "q"} else Step(state)


def test_a_guess_may_be_wrong_again() -> None:
    """Without "that" nobody learns that the second message matters; so the search needs a third round."""
    found = search(System([DoubleSender(), DeafReceiver()]))
    assert found.visited_all
    assert found.rounds > 2
    heard = {processes[1] for processes, _ in found.configurations()}
    assert heard == {"closed", "open", "this", "that", "thatp", "thatq"}


class Shouter:
    """Repeats itself; each of its messages differs, and none is ever heeded."""

    def initial(self, pid: int) -> int:
        return 0

    def inputs(self, state: int) -> tuple[str, ...]:
        return ("odd", "even") if state < 5 else ()

    def step(self, state: int, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return Step(state)
        return Step(state + 1, (Send(1, (input, state)),))


def test_messages_that_nobody_heeds_are_left_out_of_sight() -> None:
    """Each of the two has sent one of 2 ** n sequences when it has counted to n; one state is enough for all."""
    system = System([Shouter(), Shouter()])
    blind, seeing = search(system, first_guess=10**9), search(system)
    assert blind.local_tuples == seeing.local_tuples == 36
    assert (blind.states, seeing.states) == (63**2, 36)


def test_a_step_property_sees_deliveries_that_do_nothing() -> None:
    """A message that does nothing still makes a difference if a property minds its arrival."""
    claim = always_step("silence", lambda before, given, step: not (isinstance(given, Deliver) and before == 3))
    assert search(System([Shouter(), Shouter()]), [claim]).counterexample is not None
    seen = sometimes("a sound", lambda before, given, step: given == Deliver(0, ("odd", 2)), over="step")
    assert explore(System([Shouter(), Shouter()]), [seen]).verdict == "holds"


class Patience(NoticingScenario):
    """Counts what is heard: each delivery matters to it, although the process does nothing."""

    initial = 0

    def notice(self, pid: int, before: Any, input: Any, step: Step) -> Any:
        return "heard" if isinstance(input, Deliver) and input.message[0] == "odd" else None

    def update(self, ghost: int, notice: Any) -> int | None:
        return ghost + 1 if ghost < 2 else None


def test_what_the_scenario_notices_makes_a_difference() -> None:
    system = System([Shouter(), Shouter()], scenario=Patience())
    seen = sometimes("heard twice", lambda _, ghost: ghost == 2, over="cluster")
    reference = explore(system, [seen], mode="reference")
    found = search(system, [seen])
    assert found.local_tuples == reference.local_tuples
    assert found.monitor.results(None, complete=True)[0].status == "holds"


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_nothing_depends_on_the_number_of_workers(workers: int) -> None:
    system = System([Sender(), Receiver(), Receiver()])
    one, other = (explore(system, [], workers=count) for count in (1, workers))
    assert (one.states, one.transitions, one.depth) == (other.states, other.transitions, other.depth)
