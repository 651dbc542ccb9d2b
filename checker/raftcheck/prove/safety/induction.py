"""The safety proof: every obligation put to Z3, and gathered into theorems.

What users rely on is proved only if the invariant is: if one action is not shown to preserve it, nothing follows.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from raftcheck.model import ModelError
from raftcheck.prove.controls.executions import GuardError
from raftcheck.prove.controls.witnesses import witnesses
from raftcheck.prove.results import Outcome
from raftcheck.prove.safety.certificate import Certificate
from raftcheck.prove.safety.finite import InductionCounterexample, find_counterexample
from raftcheck.prove.safety.induction_text import counterexample_text, summary
from raftcheck.prove.safety.obligations import Obligation, obligations
from raftcheck.prove.safety.portfolio import AT_ONCE, BRIEFLY, PATIENTLY, Found, Portfolio
from raftspec.form import faults
from raftspec.logic import Action, Claim, Specification, SpecificationError
from raftspec.proof import RAFT

Progress = Callable[[int, int, str], None]
"""Told how many obligations are done, how many there are, and which comes next."""


@dataclass(frozen=True)
class Theorem:
    """A line of the table: what it says, and the obligations that it comes to.

    `is_induction`: it is a part of the proof that the invariant is true of all reachable states; the other theorems
    follow from that.
    """

    name: str
    meaning: str
    source: str
    obligations: tuple[Obligation, ...]
    is_induction: bool = False


def theorems(specification: Specification) -> tuple[Theorem, ...]:
    """Return what there is to prove of a specification, in the order of the argument."""
    every = tuple(obligations(specification))
    return (
        Theorem(
            "The invariant is true at first",
            "Every conjunct of the invariant is true of servers that start for the first time.",
            "section 5",
            tuple(obligation for obligation in every if obligation.rule == "initial"),
            is_induction=True,
        ),
        *(theorem_of_action(action, every) for action in specification.actions),
        *(theorem_of_claim(claim, every) for claim in (*specification.safety, *specification.steps)),
    )


def theorem_of_action(action: Action, every: tuple[Obligation, ...]) -> Theorem:
    """Return the theorem that an action preserves the invariant."""
    own = tuple(o for o in every if o.action == action and o.rule in ("lemma", "preserved"))
    return Theorem(f"{action.name} preserves the invariant", action.meaning, action.source, own, is_induction=True)


def theorem_of_claim(claim: Claim, every: tuple[Obligation, ...]) -> Theorem:
    """Return the theorem that a claim is true of all reachable states, or of all steps from them."""
    return Theorem(claim.name, claim.meaning, claim.source, tuple(o for o in every if o.claim is claim))


@dataclass(frozen=True)
class SafetyProof:
    """The theorems' outcomes, and the proofs found, by obligation."""

    specification: Specification
    outcomes: tuple[Outcome, ...]
    found: Certificate

    def certificate(self) -> Certificate:
        """Return the proofs in the form in which they are repeated most quickly and surely."""
        portfolio = Portfolio(self.specification)
        known = (obligation for obligation in obligations(self.specification) if obligation.key in self.found)
        return {obligation.key: portfolio.settled(obligation, self.found[obligation.key]) for obligation in known}


def prove_raft(
    certificate: Certificate, specification: Specification = RAFT, progress: Progress | None = None
) -> SafetyProof:
    """Prove a specification safe, for every number of servers, terms and entries.

    It is assumed that any two quorums share a server, which `raftcheck.prove.prove_quorums` proves of majorities.
    Obligations that the certificate knows are replayed, the others searched for; with an empty one, all. Raises
    ModelError for a specification that is not well formed.
    """
    wrong = faults(specification)
    if wrong:
        raise ModelError(f"the specification is not well formed: {wrong[0]}")
    prover = Prover(specification, certificate, progress)
    outcomes = [prover.outcome(theorem) for theorem in theorems(specification)]
    return SafetyProof(specification, (*outcomes, every_action_happens(specification)), prover.found)


def every_action_happens(specification: Specification) -> Outcome:
    """Return whether the proof is about something.

    For each action there must be an execution in which it happens, and in all states of these the axioms and the
    invariants must be true: from hypotheses that contradict each other, everything would follow.
    """
    started = time.perf_counter()
    meaning = "The theorems are not empty: no guard excludes everything, and the hypotheses can all be true."
    outcome = Outcome("Every action happens", meaning, "", "proved", 0.0)
    try:
        found = witnesses(specification)
    except (GuardError, SpecificationError, KeyError) as error:
        return replace(outcome, status="unknown", detail=f"the execution that should show it is refused: {error}")
    missing = [action.name for action in specification.actions if action.name not in found]
    if missing:
        return replace(outcome, status="unknown", detail=f"no execution is known in which these do: {missing}")
    hypotheses = (*specification.axioms, *specification.invariants)
    broken = {name for run in found.values() for name in run.concrete.broken(hypotheses, run.state)}
    if broken:
        return replace(
            outcome, status="refuted", detail=f"false in a state that is reached: {', '.join(sorted(broken))}"
        )
    lengths = [len(run.steps) for run in found.values()]
    detail = f"executed from the initial state, in {min(lengths)} to {max(lengths)} steps each"
    return replace(outcome, detail=detail, seconds=time.perf_counter() - started)


class Prover:
    """Proves theorem after theorem, and remembers whether the invariant is proved so far."""

    def __init__(self, specification: Specification, certificate: Certificate, progress: Progress | None) -> None:
        self.found: dict[str, Found] = {}
        self._specification, self._known = specification, certificate
        self._portfolio = Portfolio(specification)
        self._progress = progress
        self._count = sum(1 for _ in obligations(specification))
        self._done = 0
        self._is_invariant = True

    def outcome(self, theorem: Theorem) -> Outcome:
        """Return what became of a theorem."""
        started = time.perf_counter()
        failed = next((obligation for obligation in theorem.obligations if not self._proves(obligation)), None)
        queries = len(theorem.obligations)
        outcome = Outcome(theorem.name, theorem.meaning, theorem.source, "proved", 0.0, queries=queries)
        if failed is not None:
            outcome = self._failed(outcome, failed, theorem)
        elif not theorem.is_induction and not self._is_invariant:
            outcome = replace(outcome, status="unknown", detail="it follows from the invariant, which is not proved")
        self._is_invariant &= outcome.status == "proved" or not theorem.is_induction
        return replace(outcome, seconds=time.perf_counter() - started)

    def _proves(self, obligation: Obligation) -> bool:
        """Tell whether an obligation can be proved: as the certificate says, or else by a brief search."""
        if self._progress:
            self._progress(self._done, self._count, obligation.key)
        self._done += 1
        known = self._known.get(obligation.key)
        found = self._portfolio.replay(obligation, known) if known else None
        return self._note(obligation, found or self._portfolio.search(obligation, AT_ONCE, BRIEFLY))

    def _note(self, obligation: Obligation, found: Found | None) -> bool:
        if found:
            self.found[obligation.key] = found
        return found is not None

    def _failed(self, outcome: Outcome, failed: Obligation, theorem: Theorem) -> Outcome:
        """Look for a counterexample to what was not proved; if there is none, try once more, with patience.

        A lemma is no claim of the specification's. If it fails, its action must break something else, or the proof
        is just not found.
        """
        claims = [failed] if failed.rule != "lemma" else [o for o in theorem.obligations if o.rule != "lemma"]
        found = find_counterexample(self._specification, claims)
        if found:
            return refuted(outcome, found)
        if not self._note(failed, self._portfolio.search(failed, PATIENTLY)):
            return replace(outcome, status="unknown", detail=f"no proof and no counterexample found: {words(failed)}")
        rest = theorem.obligations[theorem.obligations.index(failed) + 1 :]
        still = next((obligation for obligation in rest if not self._proves(obligation)), None)
        return outcome if still is None else self._failed(outcome, still, theorem)


def refuted(outcome: Outcome, found: InductionCounterexample) -> Outcome:
    """Return that a theorem is refuted."""
    return replace(outcome, status="refuted", detail=summary(found), counterexample=counterexample_text(found))


def words(obligation: Obligation) -> str:
    """Return which obligation it is."""
    return f'the step on the way "{obligation.claim.name}"' if obligation.rule == "lemma" else obligation.claim.name
