"""Several ways to ask Z3, tried one after the other. Only the answer "unsat" counts.

Which way finds a proof differs from query to query and from version to version of Z3; what is proved does not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

import z3

from raftcheck.prove.asking import answer_of
from raftcheck.prove.safety.obligations import Encoding, Obligation, Posed
from raftcheck.prove.safety.symbolic import Symbolic
from raftspec.logic import Specification


@dataclass(frozen=True)
class Strategy:
    """A way to ask: with which encoding, by which solver of Z3.

    `patterns`: instances by the patterns beside the formulas; else Z3 chooses its own. `simple`: the solver without
    preprocessing. `models`: also instances by trying models (MBQI).
    """

    name: str
    patterns: bool
    simple: bool
    models: bool

    def solver(self, seconds: float, seed: int) -> Any:
        """Return a new solver of Z3."""
        solver = z3.SimpleSolver() if self.simple else z3.Solver()
        solver.set("timeout", int(1000 * seconds))
        solver.set("mbqi", self.models)
        solver.set("random_seed", seed)
        return solver


STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        Strategy("patterns, models", patterns=True, simple=True, models=True),
        Strategy("patterns, preprocessed", patterns=True, simple=False, models=False),
        Strategy("patterns", patterns=True, simple=True, models=False),
        Strategy("own patterns", patterns=False, simple=True, models=False),
        Strategy("own patterns, preprocessed", patterns=False, simple=False, models=False),
        Strategy("own patterns, models", patterns=False, simple=True, models=True),
    )
}
"""In the order in which they are tried."""

AT_ONCE, BRIEFLY, PATIENTLY = 0.5, 2.0, 10.0
"""For how many seconds each strategy may try: in a first round, in a second, and once nothing else is left to do."""

SEEDS = (0, 1, 2)
SETTLED_IN = 0.5
"""For a proof to be written down: with which random seeds and in how many seconds it must work."""


class Found(NamedTuple):
    """A proof: the strategy, and the hypotheses from which it works, axioms apart."""

    strategy: str
    support: tuple[str, ...]


class Portfolio:
    """Asks Z3 about the obligations of a specification."""

    def __init__(self, specification: Specification) -> None:
        self._encodings = {patterns: Encoding(specification, Symbolic(patterns)) for patterns in (True, False)}

    def search(self, obligation: Obligation, *rounds: float) -> Found | None:
        """Look for a proof from all hypotheses: in each round with every strategy for so many seconds.

        None if there is none in time.
        """
        for seconds, strategy in product(rounds, STRATEGIES.values()):
            posed = self._posed(obligation, strategy)
            if is_proved(posed, posed.hypotheses, strategy, seconds):
                return Found(strategy.name, tuple(posed.hypotheses))
        return None

    def replay(self, obligation: Obligation, known: Found) -> Found | None:
        """Prove an obligation as it was proved before; None if that does not work any more."""
        strategy = STRATEGIES.get(known.strategy)
        if strategy is None:
            return None
        posed = self._posed(obligation, strategy)
        is_posed_alike = set(known.support) <= set(posed.hypotheses)
        return known if is_posed_alike and is_proved(posed, known.support, strategy, BRIEFLY) else None

    def settled(self, obligation: Obligation, found: Found) -> Found:
        """Return a proof from few hypotheses, which does not depend on Z3's random seed.

        If no strategy gives one, the proof is returned as it is: replaying it may then take as long as a search.
        """
        for strategy in beginning_with(found.strategy):
            posed = self._posed(obligation, strategy)
            support = few_hypotheses(posed, strategy)
            if support is not None and all(is_proved(posed, support, strategy, SETTLED_IN, seed) for seed in SEEDS):
                return Found(strategy.name, support)
        return found

    def _posed(self, obligation: Obligation, strategy: Strategy) -> Posed:
        return self._encodings[strategy.patterns].posed(obligation)


def beginning_with(name: str) -> list[Strategy]:
    """Return all strategies, the one with that name first."""
    return sorted(STRATEGIES.values(), key=lambda strategy: strategy.name != name)


def few_hypotheses(posed: Posed, strategy: Strategy) -> tuple[str, ...] | None:
    """Return the names of hypotheses that Z3 says are enough, None if it finds no proof in time."""
    solver = strategy.solver(BRIEFLY, SEEDS[0])
    labels = {f"hypothesis {number}": name for number, name in enumerate(posed.hypotheses)}
    for label, name in labels.items():
        solver.assert_and_track(posed.hypotheses[name], label)
    solver.add(*posed.axioms, z3.Not(posed.goal))
    if answer_of(solver) != z3.unsat:
        return None
    return tuple(sorted(labels[str(label)] for label in solver.unsat_core()))


def is_proved(posed: Posed, support: Iterable[str], strategy: Strategy, seconds: float, seed: int = 0) -> bool:
    """Tell whether Z3 proves the goal from the axioms and some of the hypotheses."""
    solver = strategy.solver(seconds, seed)
    solver.add(*posed.axioms, *(posed.hypotheses[name] for name in support), z3.Not(posed.goal))
    return bool(answer_of(solver) == z3.unsat)
