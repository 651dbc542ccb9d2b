"""What must be proved of a specification: one obligation for each action and each claim.

The invariants are true at first (*initial*), every action preserves each of them (*preserved*), every step keeps what
is claimed of steps (*step*), and what users rely on follows from them (*follows*). A *lemma* is proved from the
invariants, the guard and the lemmas before it, and helps those after it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, NamedTuple

from raftcheck.prove.safety.symbolic import Goal, Scope, State, Symbolic, conjunction, formula_of
from raftspec.logic import Action, Claim, Specification, Variable, for_all
from raftspec.raft import QUORUM, is_quorum

Rule = Literal["initial", "follows", "preserved", "step", "lemma"]

GUARD = "guard"
INITIAL_STATE = "initial state"


@dataclass(frozen=True)
class Obligation:
    """A claim to be proved: of the initial state, of every state, or of an action."""

    rule: Rule
    claim: Claim
    action: Action | None = None

    @property
    def key(self) -> str:
        """A name for it that no other obligation has."""
        return "/".join((self.rule, *((self.action.name,) if self.action else ()), self.claim.name))


def obligations(specification: Specification) -> Iterator[Obligation]:
    """Yield all that must be proved; lemmas come before what they help with."""
    for claim in specification.invariants:
        yield Obligation("initial", claim)
    for claim in specification.safety:
        yield Obligation("follows", claim)
    for action in specification.actions:
        yield from (Obligation("lemma", claim, action) for claim in specification.lemmas.get(action.name, ()))
        yield from (Obligation("preserved", claim, action) for claim in specification.invariants)
        yield from (Obligation("step", claim, action) for claim in specification.steps)


class Posed(NamedTuple):
    """An obligation as formulas: do the axioms and the hypotheses, by name, imply the goal?

    Among the axioms are marks, which say nothing, but show Z3 which quorums to look at. `constants` are those that
    stand for the action's parameters, then those for what the goal is claimed of.
    """

    axioms: tuple[Any, ...]
    hypotheses: Mapping[str, Any]
    goal: Any
    constants: tuple[tuple[Variable, Any], ...]


class Situation(NamedTuple):
    """A state in which an action may happen, and the state after it."""

    scope: Scope
    guard: Any


class Encoding:
    """A specification as formulas of Z3: with the patterns that stand beside the formulas, or without."""

    def __init__(self, specification: Specification, symbolic: Symbolic) -> None:
        self.specification, self.symbolic = specification, symbolic
        self.state: State = symbolic.state(specification.functions)
        scope = Scope(self.state)
        self.axioms = tuple(symbolic.value(claim.formula, scope) for claim in specification.axioms)
        self.invariants = {claim.name: symbolic.value(claim.formula, scope) for claim in specification.invariants}
        self.situation = cache(self._situation)
        self._lemma = cache(self._lemma_formula)

    def posed(self, obligation: Obligation) -> Posed:
        """Return an obligation as formulas."""
        rule, claim, action = obligation.rule, obligation.claim, obligation.action
        if rule == "initial":
            return self._pose({INITIAL_STATE: self.initial_state()}, claim, Scope(self.state))
        if action is None:
            return self._pose(self.invariants, claim, Scope(self.state))
        scope, guard = self.situation(action.name)
        hypotheses = {**self.invariants, GUARD: guard}
        for lemma in self.specification.lemmas.get(action.name, ()):
            if rule == "lemma" and lemma.name == claim.name:
                break
            hypotheses[f"lemma: {lemma.name}"] = self._lemma(action.name, lemma)
        parameters = tuple((parameter, scope.bindings[parameter.name]) for parameter in action.parameters)
        return self._pose(hypotheses, claim, Scope(scope.after) if rule == "preserved" else scope, parameters)

    def initial_state(self) -> Any:
        """Return what is true of the state at first."""
        claims = []
        for function in self.specification.state:
            if function.initially is not None:
                variables = tuple(Variable(f"x{i}", sort) for i, sort in enumerate(function.arguments))
                claims.append(for_all(variables, function[variables] == function.initially))
        return conjunction([self.symbolic.value(claim, Scope(self.state)) for claim in claims])

    def _situation(self, name: str) -> Situation:
        action = self.specification.action(name)
        parameters = {p.name: self.symbolic.constant(p) for p in action.parameters}
        before = Scope(self.state, bindings=parameters)
        scope = before._replace(after=self.symbolic.after(action, before))
        return Situation(scope, self.symbolic.guard(action, before))

    def _lemma_formula(self, action: str, lemma: Claim) -> Any:
        return self.symbolic.value(lemma.formula, self.situation(action).scope)

    def _pose(
        self, hypotheses: Mapping[str, Any], claim: Claim, scope: Scope, parameters: Sequence[tuple[Variable, Any]] = ()
    ) -> Posed:
        goal: Goal = self.symbolic.goal(claim.formula, scope)
        constants = (*parameters, *goal.constants)
        mark = self.state[is_quorum.name]
        marks = tuple(mark(constant) for variable, constant in constants if variable.sort == QUORUM)
        given = {name: formula_of(formula) for name, formula in hypotheses.items()}
        return Posed((*self.axioms, *marks), given, formula_of(goal.formula), constants)
