"""Every step of the implementation is a sequence of the specification's actions; steps that are none are refused."""

from collections.abc import Callable
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from raftcheck import Network, System, explore
from raftcheck.cli.mutants import check_refinement, is_refused_as_expected
from raftcheck.model import Deliver, ModelError, Property, Send, Step
from raftcheck.raft import MUTANTS, SAFETY, Bounds, Mutant, proposals, raft_properties, raft_system, safety
from raftcheck.raft.abstraction import (
    ACTIONS,
    COUNTERPARTS,
    SPECIFICATION,
    VISIBLE,
    WITHOUT_COUNTERPART,
    Evaluator,
    Numbers,
    View,
    differences,
    evaluator_for,
    facts,
    has_counterpart,
    state_of,
    view_in,
    view_of,
)
from raftcheck.raft.build import relabel_raft
from raftcheck.raft.history import Observer
from raftcheck.raft.process import Crash, CrashWithin, Node, RaftProcess
from raftcheck.raft.proposals import NO_ACTION
from raftcheck.raft.refinement import NAME, Refinement, refinement, refines, refused_at, seen_in
from raftimpl.cluster import cluster_of
from raftimpl.log import Entries, Log
from raftimpl.messages import (
    AppendEntries,
    Entry,
    Message,
    RequestVote,
    RequestVoteResponse,
)
from raftimpl.rules import Rules
from raftimpl.state import DurableState, ServerState, durable
from raftimpl.step import ClientRequest, Compact, ElectionTimeout, HeartbeatTimeout, Receive
from raftspec.concrete import Concrete, Universe
from raftspec.logic import Kind, SpecificationError, functions_in
from raftspec.proof import RAFT
from raftspec.raft import BECOME_LEADER, ENTRY, INDEX
from tests.impl import strategies as s
from tests.raft.refinement_steps import (
    ACK,
    CANDIDATE,
    FOLLOWER,
    LEADER,
    NO_OP,
    OF_TERM_2,
    STEPS,
    VOTE,
    W1,
    candidate,
    follower,
    from_1,
    leader,
    node,
)


@pytest.mark.parametrize("name", STEPS)
def test_a_step_is_judged(name: str) -> None:
    before, given_, after, sends, expected = STEPS[name]
    step = Step(node(after), sends)
    judge = Refinement(3)
    assert judge.explanation(node(before), given_, step) == expected
    assert judge.holds(node(before), given_, step) == (expected is None)


# Torn steps

RELIABLE = Bounds(terms=2, crashes=1, torn_steps=True, network=Network.ORDERED, lossy=False)
"""Where messages are lost a torn step is a whole one whose messages are lost."""


class Torn(RaftProcess):
    """A process of three servers that crashes within its next step; what it has sent by then arrives."""

    def __init__(self, rules: Rules | None = None) -> None:
        super().__init__(cluster_of(3, rules), RELIABLE)

    def after(self, server: ServerState, outputs: int, input: Any) -> tuple[Node, Step | None]:
        before = Node(server, durable(server), crash_after=outputs)
        return before, self.step(before, input)


TORN: dict[str, tuple[ServerState, int, Any]] = {
    "an election timeout, one request sent": (follower(), 2, ElectionTimeout()),
    "an election timeout of which nobody knows": (follower(), 1, ElectionTimeout()),
    "a vote that did not leave": (follower(), 1, from_1(RequestVote(1, 0, 0))),
    "an election won, one message sent": (candidate(), 2, from_1(VOTE)),
    "an election won of which nobody knows": (candidate(), 1, from_1(VOTE)),
    "entries that a candidate writes": (candidate(), 1, from_1(AppendEntries(1, 0, 0, (NO_OP, W1), 1))),
    "entries written": (follower(), 1, from_1(AppendEntries(2, 0, 0, (NO_OP, W1), 1))),
    "a request sent to one": (leader(1, (NO_OP,), (1, 0, 0)), 2, ClientRequest(b"w1")),
    "an entry committed": (leader(1, (NO_OP,), (1, 0, 0)), 1, from_1(ACK)),
}  # fmt: skip


@pytest.mark.parametrize("name", TORN)
def test_a_torn_step_is_what_somebody_may_have_noticed_and_a_restart(name: str) -> None:
    server, outputs, given_ = TORN[name]
    if server.role is LEADER:
        server = replace(server, next_index=(0, 1, 1), acked_round=(0, 0, 0))
    before, step = Torn().after(server, outputs, given_)
    assert step is not None
    assert Refinement(3).explanation(before, given_, step) is None
    control = step._replace(state=node(replace(server, current_term=0, log=Log((OF_TERM_2,)))))
    assert Refinement(3).refusal(before, given_, control) is not None


LOST: dict[str, tuple[ServerState, int, Any, str]] = {
    "a vote": (
        follower(), 1, from_1(RequestVote(1, 0, 0)),
        "after UpdateTerm, HandleRequestVote, Restart the specification's current_term is 1 and the implementation's 0",
    ),
    "requests for votes": (
        follower(), 1, ElectionTimeout(),
        "after Timeout, RequestVote, Restart the specification's current_term is 1 and the implementation's 0",
    ),
    "an acknowledgement": (
        follower(1), 1, from_1(AppendEntries(1, 0, 0, (NO_OP,))),
        "after HandleAppendEntries, Restart the specification's log is [1:no-op] and the implementation's []",
    ),
    "an entry": (
        leader(1, (NO_OP,), (1, 0, 0)), 1, ClientRequest(b"w1"),
        "after ClientRequest, AppendEntries, Restart the specification's log is [1:no-op 1:w1] "
        "and the implementation's [1:no-op]",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOST)
def test_what_left_before_it_was_on_disk_is_refused(name: str) -> None:
    server, outputs, given_, expected = LOST[name]
    if server.role is LEADER:
        server = replace(server, next_index=(0, 1, 1), acked_round=(0, 0, 0))
    before, step = Torn(MUTANTS["send-before-persist"].rules).after(server, outputs, given_)
    assert step is not None
    assert Refinement(3).explanation(before, given_, step) == expected


# The mutants


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=lambda mutant: mutant.name)
def test_a_mutant_is_refused_at_the_action_that_it_names(mutant: Mutant) -> None:
    refined = check_refinement(mutant)
    assert refined.verdict == ("violated" if mutant.refused else "holds")
    assert is_refused_as_expected(mutant, refined)
    found = refined.counterexample
    assert (found is not None) == (mutant.refused is not None)
    if found is not None:
        assert refused_at(found) == mutant.refused
        assert mutant.refused in (found.explanation or "")


def test_every_harmful_mutant_is_refused_or_says_why_not() -> None:
    for mutant in MUTANTS.values():
        assert (mutant.refused is not None) + bool(mutant.invisible) == (mutant.violates is not None)
        assert mutant.refused in {None, *ACTIONS}


class AcknowledgesItsOwnLog(Rules):
    def acknowledged_index(self, request: AppendEntries, log: Log) -> int:
        return log.last_index


class AppendsTwice(Rules):
    def merged_log(self, log: Log, prev_log_index: int, entries: Entries) -> Log:
        return super().merged_log(log, prev_log_index, entries).extended(entries)


class KeepsConflicts(Rules):
    def merged_log(self, log: Log, prev_log_index: int, entries: Entries) -> Log:
        return log.extended(entries[max(0, log.last_index - prev_log_index) :])


class VotesForAll(Rules):
    def has_vote_for(self, state: ServerState, candidate: int) -> bool:
        return True


class CommitsAlone(Rules):
    def commit_quorum(self, servers: int) -> int:
        return 1


class AppendsForTheNextTerm(Rules):
    def appended_log(self, state: ServerState, entry: Entry) -> Log:
        return state.log.extended((replace(entry, term=entry.term + 1),))


class RemembersCommits(Rules):
    def restarted(self, server: int, disk: DurableState) -> ServerState:
        return replace(super().restarted(server, disk), commit_index=disk.log.last_index)


Change = Callable[[Node, Any, Step], Step]


class Changed(RaftProcess):
    """A server whose steps are changed after the fact."""

    def __init__(self, bounds: Bounds, change: Change) -> None:
        super().__init__(cluster_of(bounds.servers), bounds)
        self.change = change

    def step(self, node: Node, input: Any) -> Step | None:
        step = super().step(node, input)
        return step and self.change(node, input, step)


def with_server(step: Step, **changes: Any) -> Step:
    after: Any = step.state
    server = replace(after.server, **changes)
    return step._replace(state=Node(server, durable(server)))


def votes_without_recording(before: Node, input: Any, step: Step) -> Step:
    if any(isinstance(sent.message, RequestVoteResponse) for sent in step.sends):
        return with_server(step, voted_for=before.server.voted_for)
    return step


def changed_appends(step: Step, change: Callable[[AppendEntries], AppendEntries]) -> Step:
    sends = (Send(to, change(message) if isinstance(message, AppendEntries) else message) for to, message in step.sends)
    return step._replace(sends=tuple(sends))


def commits_too_much(before: Node, input: Any, step: Step) -> Step:
    return changed_appends(step, lambda message: replace(message, leader_commit=message.leader_commit + 1))


def sends_what_it_lacks(before: Node, input: Any, step: Step) -> Step:
    return changed_appends(step, lambda m: replace(m, entries=(*m.entries, Entry(m.term, b"x"))))


def leads_without_resetting(before: Node, input: Any, step: Step) -> Step:
    after: Any = step.state
    if after.server.role is LEADER and before.server.role is not LEADER:
        return with_server(step, match_index=(1, 1, 1))
    return step


def gives_up(before: Node, input: Any, step: Step) -> Step:
    after: Any = step.state
    if before.server.role is CANDIDATE and after.server.role is CANDIDATE and isinstance(input, Deliver):
        return with_server(step, role=FOLLOWER, votes_granted=frozenset())
    return step


def forgets_its_vote(before: Node, input: Any, step: Step) -> Step:
    after: Any = step.state
    if isinstance(input, ElectionTimeout) and after.server.current_term == 2:
        return with_server(step, voted_for=None)
    return step


BROKEN: dict[str, tuple[Rules | Change, Bounds, str, str]] = {
    "acknowledges its own last index": (
        AcknowledgesItsOwnLog(), Bounds(terms=1, entries=1), "HandleAppendEntries",
        "AppendEntriesResponse(term=1, success=True, index=2) is not sent by HandleAppendEntries",
    ),
    "appends entries twice": (
        AppendsTwice(), Bounds(terms=1, entries=0), "HandleAppendEntries",
        "after UpdateTerm, HandleAppendEntries the specification's log is [1:no-op] "
        "and the implementation's [1:no-op 1:no-op]",
    ),
    "keeps what conflicts": (
        KeepsConflicts(), Bounds(terms=2, entries=0), "HandleAppendEntries",
        "after UpdateTerm, HandleAppendEntries the specification's log is [2:no-op] and the implementation's [1:no-op]",
    ),
    "votes for everybody": (
        VotesForAll(), Bounds(terms=1, entries=0), "HandleRequestVote",
        'HandleRequestVote is refused: not "the server has not voted for another"',
    ),
    "commits alone": (
        CommitsAlone(), Bounds(terms=1, entries=0), "AdvanceCommitIndex",
        'AdvanceCommitIndex is refused: not "every server of a quorum has it"',
    ),
    "appends an entry of the next term": (
        AppendsForTheNextTerm(), Bounds(terms=1, entries=0), "ClientRequest",
        'ClientRequest is refused: not "the entry is of its term"',
    ),
    "remembers what was committed": (
        RemembersCommits(), Bounds(terms=1, entries=0, crashes=1), "Restart",
        'Restart is refused: not "it knew as much to be committed"',
    ),
    "votes without recording it": (
        votes_without_recording, Bounds(terms=1, entries=0), "HandleRequestVote",
        "after UpdateTerm, HandleRequestVote the specification's voted_for is s0 and the implementation's none",
    ),
    "sends a commit index beyond its own": (
        commits_too_much, Bounds(terms=1, entries=0), "AppendEntries",
        'AppendEntries is refused: not "it knows as much to be committed"',
    ),
    "sends entries that it has not": (
        sends_what_it_lacks, Bounds(terms=1, entries=0), "AppendEntries",
        'AppendEntries is refused: not "the entries are a part of its log"',
    ),
    "leads without resetting match_index": (
        leads_without_resetting, Bounds(terms=1, entries=0), "BecomeLeader",
        "after HandleVote, BecomeLeader, ClientRequest the specification's match_index is [0 0 0] "
        "and the implementation's [0 1 1]",
    ),
    "gives up without a leader": (
        gives_up, Bounds(servers=4, terms=1, entries=0), NO_ACTION,
        "after no action the specification's candidate is True and the implementation's False",
    ),
    "forgets its vote for itself": (
        forgets_its_vote, Bounds(terms=2, entries=0), "Timeout",
        "after Timeout, RequestVote the specification's voted_for is s0 and the implementation's none",
    ),
}  # fmt: skip
"""More bugs, no table of known ones has them: rules, or steps changed after the fact."""


def broken_system(change: Rules | Change, bounds: Bounds) -> System:
    if isinstance(change, Rules):
        return raft_system(bounds, change)
    processes = [Changed(bounds, change)] * bounds.servers
    return System(processes, bounds.network, scenario=Observer(bounds), relabel=relabel_raft)


@pytest.mark.parametrize("name", BROKEN)
def test_more_bugs_are_refused(name: str) -> None:
    change, bounds, action, text = BROKEN[name]
    found = explore(broken_system(change, bounds), [refines(bounds.servers)]).counterexample
    assert found is not None
    assert (refused_at(found), found.explanation) == (action, text)


# The implementation


@pytest.mark.parametrize(
    "bounds",
    [
        Bounds(servers=1, terms=2, entries=1, crashes=1, torn_steps=True, network=Network.UNORDERED),
        Bounds(servers=2, terms=2, entries=1, crashes=1),
        Bounds(servers=2, terms=1, entries=1, crashes=1, torn_steps=True, network=Network.ORDERED, lossy=False),
        Bounds(servers=2, terms=2, entries=0, crashes=1, torn_steps=True, network=Network.UNORDERED, lossy=False),
        Bounds(servers=2, terms=2, entries=1, reads=1, forwarding=True, network=Network.ORDERED),
        Bounds(servers=2, terms=1, entries=2, forwarding=True, batch=1),
        Bounds(servers=2, terms=2, entries=0, heartbeats=1, reads=1),
        Bounds(servers=3, terms=1, entries=1, batch=1),
        Bounds(servers=4, terms=1, entries=0),
    ],
    ids=lambda bounds: bounds.in_words()[:90],
)
def test_every_step_of_the_implementation_is_the_specifications(bounds: Bounds) -> None:
    result = explore(raft_system(bounds), [refines(bounds.servers)], mode="exact")
    assert (result.verdict, result.complete) == ("holds", True)


def test_torn_steps_are_among_them() -> None:
    torn: list[Step] = []

    def judged(before: Node, input: Any, step: Step) -> bool:
        if before.crash_after is not None and not isinstance(input, Crash | CrashWithin):
            torn.append(step)
        return refinement(3).holds(before, input, step)

    bounds = Bounds(terms=1, entries=0, crashes=1, torn_steps=True, network=Network.ORDERED, lossy=False)
    claim = Property(NAME, safety(3)[-1].kind, "step", judged)
    assert explore(raft_system(bounds), [claim], mode="exact", max_states=20_000).counterexample is None
    assert sum(bool(step.sends) for step in torn) > 10


def model_input(given_: Any) -> Any:
    return Deliver(given_.sender, given_.message) if isinstance(given_, Receive) else given_


PROCESS = RaftProcess(s.CLUSTER, RELIABLE)
JUDGE = Refinement(s.SERVERS)


@settings(max_examples=500)
@given(s.servers_and_inputs())
def test_every_step_of_any_server_is_the_specifications(server_and_input: tuple[ServerState, Any]) -> None:
    server, given_ = server_and_input
    before = node(server)
    step = PROCESS.step(before, model_input(given_))
    assert step is not None
    assert JUDGE.explanation(before, model_input(given_), step) is None
    assert JUDGE.holds(before, model_input(given_), step)


@settings(max_examples=300)
@given(s.servers_and_inputs(), st.integers(1, 5))
def test_every_torn_step_of_any_server_is_the_specifications(
    server_and_input: tuple[ServerState, Any], outputs: int
) -> None:
    server, given_ = server_and_input
    before = Node(server, durable(server), outputs)
    step = PROCESS.step(before, model_input(given_))
    if step is not None:
        assert JUDGE.explanation(before, model_input(given_), step) is None


@given(s.servers())
def test_every_crash_of_any_server_is_the_specifications(server: ServerState) -> None:
    step = PROCESS.step(node(server), Crash())
    assert step is not None
    assert JUDGE.explanation(node(server), Crash(), step) is None


@st.composite
def steps(draw: st.DrawFn) -> tuple[Node, Any, Step]:
    """A step of the implementation, or one that leads somewhere else, or sends what another server would send."""
    (server, given_), other = draw(s.servers_and_inputs()), draw(s.servers())
    before, input = node(server), model_input(given_)
    step = PROCESS.step(before, input)
    assert step is not None
    is_strange = other.role is FOLLOWER and not isinstance(input, Compact)
    strange = PROCESS.step(node(replace(other, id=server.id)), input) if is_strange else step
    after: Any = step.state
    log = after.server.log
    changed = [
        {},
        {"log": Log(log.entries[:-1], log.snapshot)},
        {"log": log.extended((Entry(after.server.current_term),))},
        {"voted_for": draw(st.integers(0, 2))},
        {"commit_index": draw(st.integers(0, log.last_index))},
    ]
    server_changed = node(replace(after.server, **draw(st.sampled_from(changed))))
    sends = step.sends if strange is None or draw(st.booleans()) else strange.sends
    return before, input, step._replace(state=server_changed, sends=sends)


@settings(max_examples=300)
@given(steps())
def test_the_verdict_does_not_depend_on_names(judged: tuple[Node, Any, Step]) -> None:
    assert JUDGE.holds(*judged) == (JUDGE.explanation(*judged) is None)


class AllNumbers(Numbers):
    """Indexes through which whoever goes through them really goes, far enough for these logs."""

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["window"] = range(20)

    def __setattr__(self, name: str, value: Any) -> None:
        """Nothing makes the window smaller."""


@settings(max_examples=300)
@given(steps())
def test_indexes_outside_of_the_message_make_no_difference(judged: tuple[Node, Any, Step]) -> None:
    everything = Refinement(s.SERVERS)
    concrete, _ = everything._evaluator
    indexes = AllNumbers()
    domains = {**concrete.universe.domains, INDEX: indexes}
    everything._evaluator = Evaluator(
        Concrete(concrete.specification, Universe(domains, concrete.universe.constants)), indexes
    )
    assert everything.explanation(*judged) == JUDGE.explanation(*judged)


def with_leftovers(n: int, view: View) -> Any:
    """Return the state of a server that had other values before, where nothing reads them."""
    state = {**state_of(n, view)}
    log: Any = state["log"]
    state["log"] = {**log, **{(n, index): Entry(3, b"old") for index in range(len(view.log) + 1, 20)}}
    if view.voted_for is None:
        state["voted_for"] = {(n,): 2}
    if not view.candidate:
        state["votes_granted"] = {(n, p): True for p in range(s.SERVERS)}
    if not view.leader:
        state["match_index"] = {(n, p): 7 for p in range(s.SERVERS)}
    return state


@settings(max_examples=300)
@given(steps())
def test_what_a_view_leaves_out_makes_no_difference(judged: tuple[Node, Any, Step]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proposals, "state_of", with_leftovers)
        found = Refinement(s.SERVERS).explanation(*judged)
    assert found == JUDGE.explanation(*judged)


@given(s.servers())
def test_a_view_becomes_a_state_and_comes_back(server: ServerState) -> None:
    view = view_of(server)
    assert not list(differences(server.id, view_in(state_of(server.id, view), server.id, s.SERVERS), view))


# The tables


def test_every_message_has_a_counterpart_or_a_reason_why_not() -> None:
    assert set(COUNTERPARTS) | set(WITHOUT_COUNTERPART) == set(get_args(Message))
    assert not set(COUNTERPARTS) & set(WITHOUT_COUNTERPART)
    assert set(VISIBLE) == set(COUNTERPARTS)


@given(s.MESSAGES)
def test_a_message_has_a_counterpart_if_the_specification_says_something_of_it(message: Message) -> None:
    assert has_counterpart(message) == bool(facts(0, 1, message))


def test_the_actions_without_ghosts_do_all_that_is_real() -> None:
    for action in SPECIFICATION.actions:
        whole = RAFT.action(action.name)
        assert action.guard is whole.guard
        left_out = [a for a in whole.update if a not in action.update]
        assert all(a.function.kind is Kind.GHOST for a in left_out)
        read = [*action.guard.values(), *(x for a in action.update for x in (*a.arguments, a.value, a.where))]
        assert all(f.kind is not Kind.GHOST for x in read for f in functions_in(x))


def test_the_specification_is_a_property_of_every_check() -> None:
    assert SAFETY[-1].name == NAME
    assert NAME in {checked.name for checked in raft_properties(Bounds(servers=5))}


def test_a_claim_about_a_cluster_of_another_size_is_an_error() -> None:
    before = node(leader(1, (NO_OP,), (1, 0)))
    with pytest.raises(ModelError, match="claimed of 3 servers; a leader has 2"):
        refines(3).predicate(before, Crash(), Step(node(follower(1, (NO_OP,)))))


def test_a_proposal_cannot_invent_a_quorum() -> None:
    step = Step(node(leader(1, (), (0, 0, 0))))
    seen = seen_in(node(candidate()), HeartbeatTimeout(), step)
    assert seen is not None
    walk = proposals.Walk(evaluator_for(3), 3, seen)
    with pytest.raises(SpecificationError, match="no quorum"):
        walk.take(BECOME_LEADER, q=frozenset({0}))


def test_a_proposal_that_does_nothing_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all the steps that change or send something, those pass for which nothing is proposed either way."""
    monkeypatch.setattr("raftcheck.raft.refinement.propose", lambda walk, seen: None)
    judge = Refinement(3)
    for before, given_, after, sends, _ in STEPS.values():
        is_seen = seen_in(node(before), given_, Step(node(after), sends)) is not None
        assert judge.holds(node(before), given_, Step(node(after), sends)) != is_seen


@pytest.mark.parametrize("numbers", [evaluator_for(3).indexes, evaluator_for(3).concrete.universe.domain(ENTRY)])
def test_nothing_goes_through_all_numbers_or_entries(numbers: Any) -> None:
    with pytest.raises(SpecificationError, match="goes through all"):
        list(numbers)
