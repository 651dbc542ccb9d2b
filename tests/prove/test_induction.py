"""The safety proof: complete, repeatable, and refuted where the specification is wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from raftcheck.cli.main import main
from raftcheck.model import ModelError
from raftcheck.prove import prove_raft
from raftcheck.prove.safety.certificate import BUILT_IN, NOTHING_KNOWN, load
from raftcheck.prove.safety.induction import theorems
from raftcheck.prove.safety.obligations import Obligation, obligations
from raftcheck.prove.safety.portfolio import STRATEGIES, Found, Portfolio
from raftspec.logic import FALSE, Claim, Specification, all_of, for_all, implies
from raftspec.proof import RAFT
from raftspec.raft import current_term, leader, n, p
from tests.conftest import ROOT, THOROUGH

OBLIGATIONS = list(obligations(RAFT))


def only(*actions: str) -> Specification:
    """Return Raft with these actions alone: what is said of one of them does not depend on the others."""
    lemmas = {name: lemmas for name, lemmas in RAFT.lemmas.items() if name in actions}
    return replace(RAFT, actions=tuple(map(RAFT.action, actions)), lemmas=lemmas)


def test_every_claim_is_an_obligation_of_every_action() -> None:
    claims, actions, steps = len(RAFT.invariants), len(RAFT.actions), len(RAFT.steps)
    lemmas = sum(map(len, RAFT.lemmas.values()))
    assert len(OBLIGATIONS) == claims + len(RAFT.safety) + actions * (claims + steps) + lemmas
    assert len({obligation.key for obligation in OBLIGATIONS}) == len(OBLIGATIONS)


def test_every_obligation_belongs_to_one_theorem() -> None:
    assert sorted(o.key for theorem in theorems(RAFT) for o in theorem.obligations) == sorted(
        obligation.key for obligation in OBLIGATIONS
    )


def test_the_proof_as_stored() -> None:
    """The stored proofs work as they are, but for a very few: Z3's ways depend on what it was asked before."""
    stored, proof = load(), prove_raft(load())
    assert {outcome.status for outcome in proof.outcomes} == {"proved"}
    assert proof.found.keys() == stored.keys()
    assert sum(found != stored[key] for key, found in proof.found.items()) <= len(stored) // 100


def test_the_proof_from_nothing() -> None:
    proof = prove_raft(NOTHING_KNOWN)
    assert {outcome.status for outcome in proof.outcomes} == {"proved"}
    assert set(proof.found) == {obligation.key for obligation in OBLIGATIONS}


def test_stored_proofs_use_few_hypotheses() -> None:
    """The certificate knows what each obligation rests on: it is not just the list of all invariants."""
    sizes = sorted(len(found.support) for found in load().values())
    assert sizes[len(sizes) // 2] <= 4


def test_a_stored_proof_is_not_believed() -> None:
    """What a certificate claims is put to Z3: support that is not enough proves nothing."""
    key = "preserved/HandleRequestVote/One Vote a Term"
    obligation = next(obligation for obligation in OBLIGATIONS if obligation.key == key)
    portfolio = Portfolio(RAFT)
    assert portfolio.replay(obligation, load()[key]) is not None
    for support in ((), ("guard",), ("One Vote a Term",)):
        assert portfolio.replay(obligation, Found(load()[key].strategy, support)) is None
    assert portfolio.replay(obligation, Found("no such strategy", load()[key].support)) is None
    assert portfolio.replay(obligation, Found(load()[key].strategy, ("no such hypothesis",))) is None


FALSE_CLAIMS = [
    Claim("One Term", for_all([n, p], current_term[n] == current_term[p]), "False of servers that lag behind."),
    Claim("No Leader", for_all([n], ~leader[n]), "False once there is one."),
    Claim(
        "Leaders Lead Everyone",
        for_all([n, p], implies(all_of(leader[n], leader[p]), current_term[n] == current_term[p])),
        "False: an old leader may not know yet.",
    ),
]


@pytest.mark.parametrize("claim", FALSE_CLAIMS, ids=lambda claim: claim.name)
@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda name: name)
def test_what_is_false_is_not_proved_by_any_strategy(
    claim: Claim, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not THOROUGH:
        monkeypatch.setattr("raftcheck.prove.safety.portfolio.BRIEFLY", 0.5)
    specification = replace(RAFT, safety=(*RAFT.safety, claim))
    support = tuple(invariant.name for invariant in RAFT.invariants)
    assert Portfolio(specification).replay(Obligation("follows", claim), Found(strategy, support)) is None


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be searched for long: what is false has no proof."""
    for patience in ("AT_ONCE", "BRIEFLY", "PATIENTLY"):
        monkeypatch.setattr(f"raftcheck.prove.safety.induction.{patience}", 0.1)


@pytest.mark.usefixtures("hasty")
def test_what_does_not_follow_is_refuted_by_a_state() -> None:
    proof = prove_raft(load(), replace(only(), safety=(FALSE_CLAIMS[2],)))
    outcome = next(outcome for outcome in proof.outcomes if outcome.name == "Leaders Lead Everyone")
    assert outcome.status == "refuted"
    assert re.search(r"^  leader: s\d, s\d$", outcome.counterexample, re.MULTILINE)


@pytest.mark.usefixtures("hasty")
def test_an_invariant_that_is_not_one_leaves_safety_unproved() -> None:
    """A false conjunct among the invariants could prove anything; so nothing that follows from it counts."""
    specification = only("BecomeLeader", "Timeout")
    proof = prove_raft(load(), replace(specification, invariants=(*RAFT.invariants, FALSE_CLAIMS[1])))
    status = {outcome.name: outcome.status for outcome in proof.outcomes}
    assert status["BecomeLeader preserves the invariant"] == "refuted"
    assert status["Timeout preserves the invariant"] == "proved"
    assert {status[claim.name] for claim in (*RAFT.safety, *RAFT.steps)} == {"unknown"}


def test_an_invariant_that_is_false_at_first_is_refuted_by_the_initial_state() -> None:
    claim = Claim("Somebody Leads", ~for_all([n], ~leader[n]), "False at first.")
    outcome = prove_raft(load(), replace(RAFT, actions=(), lemmas={}, invariants=(*RAFT.invariants, claim))).outcomes[0]
    assert outcome.status == "refuted"
    assert outcome.detail == 'the initial state breaks "Somebody Leads"'
    assert outcome.counterexample.startswith("The initial state of 1 server (quorums of 1):")


@pytest.mark.usefixtures("hasty")
def test_a_lemma_that_is_false_stops_the_proof_of_its_action(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not used for what comes after it."""
    monkeypatch.setattr("raftcheck.prove.safety.induction.find_counterexample", lambda *_: None)
    lemma = Claim("wrong", ~leader[n], "False.")
    specification = replace(only("ClientRequest"), lemmas={"ClientRequest": (lemma,)})
    outcome = next(o for o in prove_raft(load(), specification).outcomes if o.name.startswith("ClientRequest"))
    assert outcome.status == "unknown"
    assert '"wrong"' in outcome.detail


def test_a_guard_that_excludes_everything_is_no_proof() -> None:
    """Nothing unsafe can happen if nothing can: all queries are proved, and the verdict is not."""
    action = RAFT.action("BecomeLeader")
    never = RAFT.with_action(replace(action, guard={**action.guard, "never": FALSE}))
    outcomes = prove_raft(load(), never).outcomes
    assert {outcome.status for outcome in outcomes[:-1]} == {"proved"}
    assert outcomes[-1].status == "unknown"
    assert "'never' is not so" in outcomes[-1].detail


def test_hypotheses_that_contradict_each_other_are_no_proof() -> None:
    """From them everything follows, so Z3 proves all; but they are false of what is executed."""
    axiom = Claim("False", for_all([n], ~(n == n)), "Never true.")
    outcomes = prove_raft(load(), replace(RAFT, axioms=(*RAFT.axioms, axiom))).outcomes
    assert {outcome.status for outcome in outcomes[:-1]} == {"proved"}
    assert outcomes[-1].status == "refuted"
    assert outcomes[-1].detail == "false in a state that is reached: False"


EDITS = [
    (
        '        "the server has not voted for another": any_of(~voted[n], voted_for[n] == c),\n',
        "",
        "HandleRequestVote",
        "One Vote a Term",
    ),
    (
        '"the entry is of the leader\'s own term": term_of[log[n, i]] == current_term[n]',
        '"the entry is of the leader\'s own term": term_of[log[n, i]] <= current_term[n]',
        "AdvanceCommitIndex",
        "Committed Entries Are of Their Term",
    ),
]


@pytest.mark.parametrize(("old", "new", "action", "broken"), EDITS, ids=["guard-dropped", "guard-weakened"])
def test_a_wrong_guard_written_into_the_specification(
    old: str, new: str, action: str, broken: str, tmp_path: Path
) -> None:
    """The command says which action breaks which property, from which state."""
    copy = tmp_path / "spec"
    shutil.copytree(ROOT / "spec", copy, ignore=shutil.ignore_patterns("__pycache__"))
    file = copy / "raftspec" / "raft.py"
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "raftcheck.cli", "prove", "--json", str(tmp_path / "proof.json")],
        env={**os.environ, "PYTHONPATH": str(copy)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert f'→ {action} breaks "' in done.stdout
    assert f"In it {action}(" in done.stdout
    assert f"  {broken}: " in done.stdout
    found = json.loads((tmp_path / "proof.json").read_text(encoding="utf-8"))
    assert found["verdict"] == "refuted"
    status = {theorem["name"]: theorem["status"] for theorem in found["theorems"]}
    assert status[f"{action} preserves the invariant"] == "refuted"
    assert status["Election Safety"] == "unknown"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is no certificate"),
        ("[]", "is no certificate"),
        ('{"schema": "x", "solver": "", "proofs": {}}', "has schema 'x'"),
        ('{"schema": "raftproof-certificate/1", "solver": "", "proofs": {"a": 1}}', "is no certificate"),
    ],
)
def test_what_is_no_certificate(text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "certificate.json"
    file.write_text(text)
    with pytest.raises(ModelError, match=says):
        load(file)
    assert main(["prove", "raft", "--certificate", str(file)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_certificate_can_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "certificate.json"
    assert main(["prove", "raft", "--write-certificate", str(file)]) == 0
    assert set(load(file)) == set(load(BUILT_IN))
    assert main(["prove", "raft", "--certificate", str(file)]) == 0
    assert main(["prove", "raft", "--certificate", str(tmp_path / "nowhere.json")]) == 2
