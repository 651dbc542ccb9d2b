"""A specification that is not well formed is refused before anything is proved of it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from raftcheck.model import ModelError
from raftcheck.prove import prove_raft
from raftcheck.prove.controls.mutants import MUTANTS
from raftcheck.prove.safety.certificate import NOTHING_KNOWN
from raftspec.form import faults
from raftspec.logic import TRUE, Action, Claim, Definition, Specification, any_of, for_all, implies
from raftspec.proof import RAFT
from raftspec.raft import (
    append_sent,
    current_term,
    e,
    elected,
    last_index,
    leader,
    m,
    match_index,
    n,
    p,
    t,
    term_of,
    voted,
)

TIMEOUT, RESTART = RAFT.action("Timeout"), RAFT.action("Restart")


def with_guard(formula: object) -> Specification:
    return RAFT.with_action(replace(TIMEOUT, guard={**TIMEOUT.guard, "new": formula}))


def with_update(*assignments: object) -> Specification:
    return RAFT.with_action(replace(RESTART, update=(*RESTART.update, *assignments)))


def with_step(formula: object) -> Specification:
    return replace(RAFT, steps=(*RAFT.steps, Claim("New", formula, "New.")))  # type: ignore[arg-type]


ILL_FORMED: Mapping[str, tuple[Specification, str]] = {
    "two actions of a name": (
        replace(RAFT, actions=(*RAFT.actions, Action("Restart", "", "", (n,), {}, (last_index[n].becomes(0),)))),
        "2 actions are named 'Restart'",
    ),
    "two claims of a name": (
        replace(RAFT, invariants=(*RAFT.invariants, Claim("Voters Voted", TRUE, ""))),
        "2 claims are named 'Voters Voted'",
    ),
    "two lemmas of a name": (
        replace(RAFT, lemmas={"Timeout": (Claim("a", TRUE, ""), Claim("a", TRUE, ""))}),
        "2 lemmas of Timeout are named 'a'",
    ),
    "a lemma of nothing": (
        replace(RAFT, lemmas={"TimeOut": (Claim("a", TRUE, ""),)}),
        "there are lemmas of TimeOut, which is no action",
    ),
    "a guard that reads a ghost": (
        with_guard(~elected[current_term[n]]),
        "guard 'new' of Timeout reads elected, which only the proof remembers",
    ),
    "a change that reads a ghost": (
        with_update(voted[n].becomes(elected[current_term[n]])),
        "Restart's assignment to voted reads elected, which only the proof remembers",
    ),
    "a free variable in a guard": (with_guard(leader[p]), "guard 'new' of Timeout: the variable p stands for nothing"),
    "a free variable in a step claim": (
        with_step(for_all([m], implies(append_sent.after[m], any_of(append_sent[m], leader[n])))),
        "claim 'New': the variable n stands for nothing",
    ),
    "a free variable in a definition": (
        with_step(for_all([n], Definition("odd", (n,), leader[p], "")(n))),
        "definition odd: the variable p stands for nothing",
    ),
    "the diagonal": (
        RAFT.with_action(replace(TIMEOUT, update=(*TIMEOUT.update, match_index[p, p].becomes(0)))),
        "Timeout's assignment to match_index has the same variable twice: "
        "to change the diagonal, use two and a condition",
    ),
    "a constant that changes": (
        with_update(term_of[e].becomes(0)),
        "Restart's assignment to term_of changes what never changes",
    ),
    "an axiom about the state": (
        replace(RAFT, axioms=(*RAFT.axioms, Claim("Nobody", for_all([n], ~leader[n]), ""))),
        "axiom 'Nobody' speaks of the state: what is true of that is to be proved",
    ),
    "a state that speaks of the next": (
        replace(RAFT, safety=(*RAFT.safety, Claim("New", for_all([n], leader.after[n]), ""))),
        "claim 'New' speaks of the state after a step",
    ),
    "two parameters of a name": (
        RAFT.with_action(replace(RAFT.action("UpdateTerm"), parameters=(n, n, t))),
        "UpdateTerm has two parameters of the same name",
    ),
}


@pytest.mark.parametrize("name", ILL_FORMED)
def test_what_is_not_well_formed_is_refused(name: str) -> None:
    specification, says = ILL_FORMED[name]
    assert says in faults(specification)
    with pytest.raises(ModelError, match="not well formed"):
        prove_raft(NOTHING_KNOWN, specification)


def test_the_specification_and_its_mutants_are_well_formed() -> None:
    assert faults(RAFT) == ()
    for mutant in MUTANTS:
        assert faults(mutant.specification) == (), mutant.name
