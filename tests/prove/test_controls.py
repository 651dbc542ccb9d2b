"""The negative controls: each mutant of the specification fails its proof, by a counterexample to induction."""

from raftcheck.prove.mutants import MUTANTS, Mutant
from raftcheck.prove.obligations import Obligation, obligations

HARMFUL = [mutant for mutant in MUTANTS.values() if mutant.breaks]


def name_of(mutant: Mutant) -> str:
    return mutant.name


def claims_of(mutant: Mutant) -> list[Obligation]:
    """Return the obligations that a mutant's action is said not to meet."""
    return [
        obligation
        for obligation in obligations(mutant.specification)
        if obligation.rule == "preserved"
        and obligation.action is not None
        and obligation.action.name == mutant.action
        and obligation.claim.name in mutant.breaks
    ]
