"""The negative controls: each mutant of the specification fails its proof, by a counterexample to induction."""

from dataclasses import replace

import pytest

from raftcheck.prove.controls.mutants import MUTANTS, Mutant
from raftcheck.prove.safety.certificate import load
from raftcheck.prove.safety.finite import SIZES, find_counterexample
from raftcheck.prove.safety.induction_text import counterexample_text
from raftcheck.prove.safety.obligations import Obligation, obligations
from raftcheck.prove.safety.portfolio import AT_ONCE, Portfolio
from raftspec.concrete import Concrete
from tests.conftest import THOROUGH

HARMFUL = [mutant for mutant in MUTANTS if mutant.breaks]
HARMLESS = [mutant for mutant in MUTANTS if not mutant.breaks]


def name_of(mutant: Mutant) -> str:
    return mutant.name


def obligations_of(mutant: Mutant) -> list[Obligation]:
    """Return what the changed action has to preserve, or after the dropped axiom the action that misuses it."""
    every = obligations(mutant.specification)
    return [o for o in every if o.action is not None and o.action.name == mutant.action]


@pytest.mark.parametrize("mutant", HARMFUL, ids=name_of)
def test_a_harmful_mutant_has_a_counterexample_to_induction(mutant: Mutant) -> None:
    claims = [o for o in obligations_of(mutant) if o.rule == "preserved" and o.claim.name in mutant.breaks]
    assert len(claims) == len(mutant.breaks)
    sizes = [replace(size, quorum_size=mutant.quorum_size(size.servers)) for size in SIZES]
    found = find_counterexample(mutant.specification, claims, sizes)
    assert found is not None
    assert found.action is not None
    assert found.action.name == mutant.action
    assert set(found.broken) & set(mutant.breaks)
    assert f"In it {mutant.action}(" in counterexample_text(found)
    concrete = Concrete(mutant.specification, found.universe)
    assert concrete.broken(mutant.specification.invariants, found.before) == []
    assert concrete.refusal(found.action, found.before, found.arguments) is None
    assert concrete.after(found.action, found.before, found.arguments) == found.after


@pytest.mark.parametrize("mutant", HARMFUL, ids=name_of)
def test_a_harmful_mutant_is_not_proved(mutant: Mutant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Z3 must not say that what is false is true: neither as it proves the real specification nor in another way.

    From the lemmas it may follow. But they are to be proved, too, and do not count here.
    """
    patience = AT_ONCE if THOROUGH else 0.1  # seconds; most of what is proved takes less
    monkeypatch.setattr("raftcheck.prove.safety.portfolio.BRIEFLY", patience)
    portfolio, known = Portfolio(replace(mutant.specification, lemmas={})), load()
    for obligation in obligations_of(mutant):
        if obligation.rule == "preserved" and obligation.claim.name in mutant.breaks:
            assert portfolio.replay(obligation, known[obligation.key]) is None
            assert portfolio.search(obligation, patience) is None


@pytest.mark.parametrize("mutant", HARMLESS, ids=name_of)
def test_a_harmless_mutant_is_proved(mutant: Mutant) -> None:
    """A proof that refuses what is right would refuse for the wrong reasons."""
    portfolio, known = Portfolio(mutant.specification), load()
    for obligation in obligations_of(mutant):
        if obligation.rule == "preserved":
            assert portfolio.replay(obligation, known[obligation.key]) or portfolio.search(obligation, 2.0)
