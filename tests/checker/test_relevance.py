"""The covering search drops what makes no difference, on a guess: what if the guess is wrong at first?"""

import sys
from typing import Any, NamedTuple
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


FIRST_GUESSES = [1, 2, 3, 5, 10**9]


def assert_same_as_reference(system: System, properties: Any = (), first_guess: int = 1) -> None:
    """Both explorers meet the same combinations, and say the same."""
    reference = explore(system, properties, mode="reference")
    with patch.object(covering_module, "FIRST_GUESS_AT", first_guess):
        covering = explore(system, properties)
    assert (covering.verdict, covering.local_tuples) == (reference.verdict, reference.local_tuples)
    assert [p.status for p in covering.properties] == [p.status for p in reference.properties]


class FrailReceiver(Receiver):
    """When it is open, each message has it answer the same, and one of them also ends it: its state is None then."""

    def step(self, state: Any, input: Any) -> Step | None:
        if state == "closed":
            return super().step(state, input)
        after = {"this": state, "that": None}
        return Step(after[input.message], (Send(0, "heard"),)) if state and input.message in after else None


@pytest.mark.parametrize("first_guess", FIRST_GUESSES)
def test_a_state_may_be_none(first_guess: int) -> None:
    assert_same_as_reference(System([Sender(), FrailReceiver()]), first_guess=first_guess)


class Named(NamedTuple):
    pid: int
    at: str


class SenderAndReceiver:
    """Both at once, so that either of two may be the sender; it sends to itself, too."""

    def initial(self, pid: int) -> Named:
        return Named(pid, "closed")

    def inputs(self, state: Named) -> tuple[str, ...]:
        if state.at == "closed":
            return ("this", "that")
        return {"this": ("go",), "that": ("go",), "opening": ("wait",), "late": ("wait",)}.get(state.at, ())

    def step(self, state: Named, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            if input.message == "open":
                return Step(state._replace(at="opening")) if state.at == "closed" else None
            return Step(state._replace(at="heard " + input.message)) if state.at in {"open", "gone"} else None
        if input == "wait":
            return Step(state._replace(at="late" if state.at == "opening" else "open"))
        message, at = ("open", "gone") if input == "go" else (input, input)
        return Step(state._replace(at=at), (Send(0, message), Send(1, message)))


class OneIsDeaf(NoticingScenario):
    """Lets one process be the sender, and only the other hear. The ghost has those who may still hear."""

    initial = frozenset({0, 1})

    def notice(self, pid: int, before: Named, input: Any, step: Step) -> Any:
        if step.state.at.startswith("heard"):
            return ("hears", pid)
        return ("sends", pid) if input in ("this", "that") else None

    def update(self, ghost: Any, notice: Any) -> Any:
        what, pid = notice
        if what == "hears":
            return ghost if pid in ghost else None
        return ghost - {pid} if len(ghost) == 2 else None


def rename(value: Any, permutation: tuple[int, ...]) -> Any:
    match value:
        case Named(pid, at):
            return Named(permutation[pid], at)
        case frozenset():
            return frozenset(permutation[pid] for pid in value)
        case _:
            return value


@pytest.mark.parametrize("first_guess", FIRST_GUESSES)
def test_what_a_scenario_forbids_to_one_process_it_may_allow_to_another(first_guess: int) -> None:
    """The sender is deaf for good; this must not be taken for a deaf receiver, of which the sender is a renaming."""
    system = System([SenderAndReceiver()] * 2, scenario=OneIsDeaf(), relabel=rename)
    assert_same_as_reference(system, first_guess=first_guess)
    seen = sometimes("all heard", lambda states, _: "heard that" in {state.at for state in states}, "cluster")
    assert_same_as_reference(system, [seen], first_guess=first_guess)


class StrictReceiver(Receiver):
    """Breaks down over what is never delivered: the other message, when it has heard one, and both when it is open."""

    def __init__(self, sends_to: int) -> None:
        self.sends_to = sends_to

    def step(self, state: str, input: Any) -> Step | None:
        if state in {"this", "that"} and input.message in {"this", "that"} and input.message != state:
            return Step("never", (Send(self.sends_to, "never"),))
        return super().step(state, input)


class NeverSeen(NoticingScenario):
    """Is not prepared for what never happens."""

    initial = 0

    def notice(self, pid: int, before: Any, input: Any, step: Step) -> Any:
        assert step.state != "never"
        if input == "go":
            return "go"
        return "heard" if pid == 1 and before != step.state and before != "closed" else None

    def update(self, ghost: int, notice: Any) -> int | None:
        if notice == "go":
            return 1
        assert ghost > 0, "nothing is heard before"
        return ghost + 1 if ghost < 3 else None


class ForgetfulReceiver(Receiver):
    """Can hear again and again."""

    def step(self, state: str, input: Any) -> Step | None:
        return Step("open") if state in {"this", "that"} and input.message == state else super().step(state, input)


@pytest.mark.parametrize("first_guess", FIRST_GUESSES)
def test_nobody_needs_to_be_prepared_for_what_never_happens(first_guess: int) -> None:
    """A delivery that is executed in advance, and perhaps never happens, may be an error in any respect."""

    def is_prepared(before: Any, given: Any, step: Step) -> bool:
        assert step.state != "never"
        return True

    for system in (
        System([Sender(), StrictReceiver(7)]),
        System([Sender(), StrictReceiver(0)], scenario=NeverSeen()),
        System([Sender(), ForgetfulReceiver()], scenario=NeverSeen()),
    ):
        assert_same_as_reference(system, first_guess=first_guess)
    for symmetric in (True, False):
        claim = always_step("prepared", is_prepared, symmetric=symmetric)
        assert_same_as_reference(System([Sender(), StrictReceiver(0)]), [claim], first_guess)


class Voter:
    """One of many asks for votes, and wins with one."""

    def __init__(self, processes: int) -> None:
        self.processes = processes

    def initial(self, pid: int) -> Named:
        return Named(pid, "follower")

    def inputs(self, state: Named) -> tuple[str, ...]:
        return ("ask",) if state.at == "follower" else ()

    def step(self, state: Named, input: Any) -> Step | None:
        if input == "ask":
            others = (pid for pid in range(self.processes) if pid != state.pid)
            return Step(state._replace(at="candidate"), tuple(Send(pid, "vote for me") for pid in others))
        if input.message == "vote for me" and state.at == "follower":
            return Step(state._replace(at="voter"), (Send(input.sender, "yes"),))
        return Step(state._replace(at="leader")) if state.at == "candidate" else None


class OneVote(NoticingScenario):
    """Lets one process ask, and one vote."""

    initial = 0

    def notice(self, pid: int, before: Named, input: Any, step: Step) -> Any:
        return step.state.at if step.state.at in {"candidate", "voter"} else None

    def update(self, ghost: int, notice: Any) -> int | None:
        return ghost + 1 if notice == ("candidate", "voter", None)[ghost] else None


@pytest.mark.parametrize("mode", ["covering", "exact"])
@pytest.mark.parametrize("processes", [3, 5])
def test_a_step_between_any_two_processes_is_judged(mode: Any, processes: int) -> None:
    """A predicate may name both the process that takes the step and the sender of what it receives."""
    system = System([Voter(processes)] * processes, scenario=OneVote(), relabel=rename)
    for pid, sender in ((0, 1), (1, 0), (processes - 1, 0)):

        def is_other(before: Named, given: Any, step: Step, names: Any = (pid, sender)) -> bool:
            return step.state.at != "leader" or (before.pid, given.sender) != names

        assert explore(system, [always_step("other", is_other)], mode=mode).verdict == "violated"


class DeafSenderAndReceiver(SenderAndReceiver):
    """Hears nothing at all, so that only a predicate can tell what arrives."""

    def step(self, state: Named, input: Any) -> Step | None:
        is_deaf = isinstance(input, Deliver) and input.message != "open" and state.at in {"open", "gone"}
        return Step(state) if is_deaf else super().step(state, input)


@pytest.mark.parametrize("first_guess", FIRST_GUESSES)
@pytest.mark.parametrize("heard", ["this", "that"])
@pytest.mark.parametrize("pid", [0, 1])
def test_a_step_property_is_shown_deliveries_that_make_no_difference(pid: int, heard: str, first_guess: int) -> None:
    """Under every name, whichever of the messages was left out of sight: a claim is broken, a witness found."""
    system = System([DeafSenderAndReceiver()] * 2, relabel=rename)

    def is_it(before: Named, given: Any, step: Step) -> bool:
        return before == Named(pid, "open") and given == Deliver(1 - pid, heard)

    def hears_it(before: Named, given: Any, step: Step) -> bool:
        return before.at == "open" and isinstance(given, Deliver) and given.message == heard

    with patch.object(covering_module, "FIRST_GUESS_AT", first_guess):
        for judge, symmetric in ((is_it, False), (hears_it, True)):
            claim = always_step("never", lambda *step, judge=judge: not judge(*step), symmetric=symmetric)
            witness = sometimes("once", judge, "step", symmetric=symmetric)
            assert explore(system, [claim]).verdict == "violated"
            assert explore(system, [witness]).verdict == "holds"


class Friend(NamedTuple):
    pid: int
    at: str
    friend: int | None = None


class Confidant:
    """One of three speaks; of the others each heeds only who greeted it, and only when the third is ready, too."""

    def initial(self, pid: int) -> Friend:
        return Friend(pid, "new")

    def inputs(self, state: Friend) -> tuple[str, ...]:
        return {"new": ("this", "that"), "this": ("go",), "that": ("go",)}.get(state.at, ())

    def step(self, state: Friend, input: Any) -> Step | None:
        others = [pid for pid in range(3) if pid != state.pid]
        if input in ("this", "that"):
            return Step(state._replace(at=input), tuple(Send(pid, input) for pid in others))
        if input == "go":
            return Step(state._replace(at="gone"), tuple(Send(pid, "hello") for pid in others))
        match state.at, input.message:
            case "new", "hello":
                return Step(Friend(state.pid, "open", input.sender), tuple(Send(pid, "ready") for pid in others))
            case "open", "ready":
                return Step(state._replace(at="late"))
            case "late", ("this" | "that") as message if input.sender == state.friend:
                return Step(state._replace(at="heard " + message))
        return None


class OneSpeaker(NoticingScenario):
    """Lets one process speak."""

    initial = 0

    def notice(self, pid: int, before: Friend, input: Any, step: Step) -> Any:
        return "speaks" if input in ("this", "that") else None

    def update(self, ghost: int, notice: Any) -> int | None:
        return 1 if ghost == 0 else None


def rename_friends(value: Any, permutation: tuple[int, ...]) -> Any:
    if not isinstance(value, Friend):
        return value
    friend = None if value.friend is None else permutation[value.friend]
    return Friend(permutation[value.pid], value.at, friend)


@pytest.mark.parametrize("first_guess", FIRST_GUESSES)
def test_what_makes_a_difference_depends_on_the_names_in_a_state(first_guess: int) -> None:
    system = System([Confidant()] * 3, scenario=OneSpeaker(), relabel=rename_friends)
    assert_same_as_reference(system, first_guess=first_guess)


class Stubborn(Receiver):
    """Becomes nothing of what it hears; it only answers."""

    def step(self, state: str, input: Any) -> Step | None:
        if state == "closed":
            return super().step(state, input)
        return Step(state, (Send(0, "thanks"),)) if input.message == "this" else Step(state)


class Proud(Sender):
    """Goes home when it is thanked, after a long time."""

    def inputs(self, state: Any) -> tuple[str, ...]:
        return ("wait",) if isinstance(state, int) and state < 12 else super().inputs(state)

    def step(self, state: Any, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return Step("home") if state == 12 else None
        if input == "go":
            return Step(0, (Send(1, "open"),))
        return Step(state + 1) if input == "wait" else super().step(state, input)


class Minutes(NoticingScenario):
    """Writes down the first message to a process that is open, but only after a long time."""

    initial = "nothing"

    def notice(self, pid: int, before: Any, input: Any, step: Step) -> Any:
        if before == "open" and input.message != "open":
            return input.message
        return "begin" if step.state == 12 and before != 12 else None

    def update(self, ghost: str, notice: str) -> str | None:
        wanted = "nothing" if notice == "begin" else "begin"
        return notice if ghost == wanted else None


@pytest.mark.parametrize("first_guess", FIRST_GUESSES)
def test_answers_and_minutes_make_a_difference(first_guess: int) -> None:
    """The scenario forbids at first what it allows later, and tells two messages apart that do nothing else."""
    assert_same_as_reference(System([Proud(), Stubborn()]), first_guess=first_guess)
    assert_same_as_reference(System([Proud(), Stubborn()], scenario=Minutes()), first_guess=first_guess)


@pytest.mark.parametrize("pid", [0, 1])
def test_states_are_judged_under_every_name(pid: int) -> None:
    system = System([SenderAndReceiver()] * 2, scenario=OneIsDeaf(), relabel=rename)
    claim = always("not it", lambda states, _: states[pid].at != "heard this", "cluster")
    assert explore(system, [claim]).verdict == "violated"
