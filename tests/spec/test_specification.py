"""What must be true of the text of the specification, whatever it says."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from raftcheck.prove.controls.changing import (
    with_assignments,
    with_guard,
    without_assignment,
    without_axiom,
    without_guard,
)
from raftcheck.prove.controls.harmless import HARMLESS
from raftcheck.prove.controls.mutants import MUTANTS, mutant_named
from raftspec.concrete import cluster
from raftspec.logic import (
    TRUE,
    Action,
    Apply,
    Call,
    Connective,
    Constant,
    Expression,
    ForAll,
    Function,
    Implies,
    Kind,
    Not,
    Specification,
    SpecificationError,
    Variable,
    all_of,
    functions_in,
    implies,
    operands_of,
)
from raftspec.proof import RAFT
from raftspec.quorum import majority
from raftspec.raft import (
    QUORUM,
    acknowledgement,
    append_sent,
    append_term,
    commit_index,
    current_term,
    elected,
    last_index,
    leader,
    m,
    n,
    p,
    t,
    vote,
    voted,
)

REAL_OR_MESSAGE = (Kind.PERSISTENT, Kind.VOLATILE, Kind.MESSAGE)


def read_by_the_state(action: Action) -> Iterator[Expression]:
    """Yield everything on which it depends whether an action happens and what the state is then, memories apart."""
    yield from action.guard.values()
    for assignment in action.update:
        if assignment.function.kind in REAL_OR_MESSAGE:
            yield from (*assignment.arguments, assignment.value, assignment.where)


# Ghosts are only remembered


def ghosts_that_matter(action: Action) -> set[str]:
    return {
        function.name
        for expression in read_by_the_state(action)
        for function in functions_in(expression)
        if function.kind is Kind.GHOST
    }


@pytest.mark.parametrize("action", RAFT.actions, ids=lambda action: action.name)
def test_nothing_depends_on_what_only_the_proof_remembers(action: Action) -> None:
    assert ghosts_that_matter(action) == set()


TIMEOUT = RAFT.action("Timeout")


@pytest.mark.parametrize(
    "action",
    [
        replace(TIMEOUT, guard={"nobody was elected": ~elected[current_term[n]]}),
        with_assignments(TIMEOUT, voted[n].becomes(elected[0])),
        with_assignments(TIMEOUT, voted[n].becomes(TRUE, where=elected[0])),
    ],
)
def test_a_dependence_on_a_ghost_is_seen(action: Action) -> None:
    assert ghosts_that_matter(action) == {"elected"}


# Servers act on what they know: so it is enough to look at one server at a time

Meaning = Mapping[str, Expression]


def applications(expression: Expression, meaning: Meaning) -> Iterator[Apply]:
    """Yield the applications in an expression, definitions spelled out, with what their first operand stands for."""
    if isinstance(expression, Apply):
        first, *others = expression.operands
        yield replace(expression, operands=(stands_for(first, meaning), *others))
    if isinstance(expression, ForAll):
        bound = {variable.name for variable in expression.variables}
        meaning = {name: value for name, value in meaning.items() if name not in bound}
    for operand in operands_of(expression):
        yield from applications(operand, meaning)
    if isinstance(expression, Call):
        names = [parameter.name for parameter in expression.definition.parameters]
        given = [stands_for(operand, meaning) for operand in expression.operands]
        yield from applications(expression.definition.body, dict(zip(names, given, strict=True)))


def stands_for(expression: Expression, meaning: Meaning) -> Expression:
    return meaning.get(expression.name, expression) if isinstance(expression, Variable) else expression


def is_variable(expression: Expression, variable: Variable) -> bool:
    return isinstance(expression, Variable) and (expression.name, expression.sort) == (variable.name, variable.sort)


def not_local(action: Action) -> set[str]:
    """Return the parts of other servers' states that an action reads or changes."""
    server, found = action.parameters[0], set()
    own = {parameter.name: parameter for parameter in action.parameters}
    for expression in read_by_the_state(action):
        for apply in applications(expression, own):
            if apply.function.is_of_server and not is_variable(apply.operands[0], server):
                found.add(f"reads {apply.function.name}")
    for assignment in action.update:
        if assignment.function.is_of_server and not is_variable(assignment.arguments[0], server):
            found.add(f"changes {assignment.function.name}")
    return found


@pytest.mark.parametrize("action", RAFT.actions, ids=lambda action: action.name)
def test_servers_act_on_their_own_state(action: Action) -> None:
    assert action.parameters[0].name == "n"
    assert not_local(action) == set()


@pytest.mark.parametrize(
    ("action", "seen"),
    [
        (replace(TIMEOUT, guard={"nobody leads": ~leader[p]}), {"reads leader"}),
        (with_assignments(TIMEOUT, commit_index[n].becomes(last_index[p])), {"reads last_index"}),
        (with_assignments(TIMEOUT, commit_index[p].becomes(0)), {"changes commit_index"}),
    ],
)
def test_a_look_at_another_server_is_seen(action: Action, seen: set[str]) -> None:
    assert not_local(action) == seen


# Messages: what was sent may be acted upon for ever; that something was not sent, nobody knows


def signs(expression: Expression, is_positive: bool | None) -> Iterator[tuple[Function, bool | None]]:
    """Yield the functions in a formula with the sign of their occurrence; None where it has both."""
    match expression:
        case Apply(function=function):
            yield function, is_positive
            inner: bool | None = None
        case Not():
            inner = None if is_positive is None else not is_positive
        case Connective() | ForAll():
            inner = is_positive
        case Implies(premise=premise, conclusion=conclusion):
            yield from signs(premise, None if is_positive is None else not is_positive)
            yield from signs(conclusion, is_positive)
            return
        case Call(definition=definition):
            yield from signs(definition.body, is_positive)
            inner = None
        case _:
            inner = None
    for operand in operands_of(expression):
        yield from signs(operand, inner)


def is_freshness(guard: Expression) -> bool:
    """Tell whether a guard says that a message, any one, was not sent yet."""
    return isinstance(guard, Not) and isinstance(guard.operand, Apply) and guard.operand.function == append_sent


def absences_that_matter(action: Action) -> set[str]:
    """Return the relations of messages of which it matters that they are not true."""
    return {
        function.name
        for guard in action.guard.values()
        if not is_freshness(guard)
        for function, is_positive in signs(guard, True)
        if function.kind is Kind.MESSAGE and function.initially is False and is_positive is not True
    }


@pytest.mark.parametrize("action", RAFT.actions, ids=lambda action: action.name)
def test_messages_may_always_be_acted_upon_later(action: Action) -> None:
    assert absences_that_matter(action) == set()


def test_an_action_that_waits_for_silence_is_seen() -> None:
    for guard in (~vote[n, t, n], implies(append_sent[m], append_term[m] == 0), ~all_of(vote[n, t, n], leader[n])):
        assert absences_that_matter(replace(TIMEOUT, guard={"silence": guard}))


@pytest.mark.parametrize("action", RAFT.actions, ids=lambda action: action.name)
def test_messages_are_read_if_sent_and_written_if_not(action: Action) -> None:
    """What stays as it was sent is what AppendEntries says; all that else changes is that more was sent."""
    guards = action.guard.values()
    is_sent = any(isinstance(guard, Apply) and guard.function == append_sent for guard in guards)
    is_unsent = any(map(is_freshness, guards))
    contents = {f for f in RAFT.functions if f.kind is Kind.MESSAGE and f.initially is None}
    if any(functions_in(expression) & contents for expression in read_by_the_state(action)):
        assert is_sent
    for assignment in action.update:
        if assignment.function in contents:
            assert is_unsent
            assert is_variable(assignment.arguments[0], m)
        elif assignment.function.kind is Kind.MESSAGE:
            assert isinstance(assignment.value, Constant)
            assert assignment.value.value is True


# Names and meanings


def test_names_are_unique_and_everything_has_a_meaning() -> None:
    claims = (*RAFT.axioms, *RAFT.safety, *RAFT.invariants, *RAFT.steps)
    for things in (RAFT.functions, RAFT.actions, claims):
        assert len({thing.name for thing in things}) == len(things)
        assert all(thing.meaning.strip() for thing in things)
    assert all(action.source for action in RAFT.actions)
    assert all(claim.source for claim in (*RAFT.safety, *RAFT.steps))
    assert all(claim.meaning.endswith(".") for claim in (*claims, *RAFT.actions))
    assert all(name.strip() for action in RAFT.actions for name in action.guard)
    for name, lemmas in RAFT.lemmas.items():
        assert RAFT.action(name)
        assert all(lemma.name and lemma.meaning for lemma in lemmas)


def test_every_function_is_used() -> None:
    changed = {assignment.function for action in RAFT.actions for assignment in action.update}
    assert changed == set(RAFT.state)


# Quorums


@pytest.mark.parametrize("servers", range(1, 8))
def test_quorums_are_majorities(servers: int) -> None:
    quorums = cluster(servers, terms=1, indexes=1).domain(QUORUM)
    assert {len(quorum) for quorum in quorums} == {majority(servers)}  # type: ignore[arg-type]
    assert set().union(*quorums) == set(range(servers))  # type: ignore[arg-type]


# What each guard is for


def changed_guards(changed: Specification, action: Action) -> set[str]:
    """Return the guards of an action that a changed specification does not have as they are."""
    guards = changed.action(action.name).guard
    return {name for name, guard in action.guard.items() if guards.get(name) is not guard}


@pytest.mark.parametrize("action", RAFT.actions, ids=lambda action: action.name)
def test_every_guard_is_needed_or_known_not_to_be(action: Action) -> None:
    """Some mutant without the guard, or with less of it, breaks the proof; or one does not, and says why."""
    needed = {name for one in MUTANTS if one.breaks for name in changed_guards(one.specification, action)}
    harmless = {name for one in HARMLESS for name in changed_guards(one.specification, action)}
    assert needed | harmless == set(action.guard)


def test_mutants_change_the_action_that_they_name_and_no_other() -> None:
    for mutant in MUTANTS:
        changed = [a.name for a, b in zip(RAFT.actions, mutant.specification.actions, strict=True) if a is not b]
        assert changed == ([mutant.action] if mutant.name != "half-a-quorum" else []), mutant.name


def test_what_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(SpecificationError, match="Timeout has no guard 'it leads'; it has: it does not lead"):
        without_guard(TIMEOUT, "it leads")
    with pytest.raises(SpecificationError, match="Timeout has no guard 'it leads'; it has: none"):
        with_guard(replace(TIMEOUT, guard={}), "it leads", TRUE)
    with pytest.raises(SpecificationError, match="Restart does not change acknowledgement"):
        without_assignment(RAFT.action("Restart"), acknowledgement)
    with pytest.raises(SpecificationError, match="there is no axiom 'Quorums'"):
        without_axiom(RAFT, "Quorums")
    with pytest.raises(SpecificationError, match="there is no mutant 'none'; there are: time-out-while-leading, "):
        mutant_named("none")
