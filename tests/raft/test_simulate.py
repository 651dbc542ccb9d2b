"""Random walks of clusters: they find the known bugs, nothing in Raft itself, and most that can happen happens."""

import json
from pathlib import Path
from typing import Any

import pytest

from raftcheck import Network, explore, simulate
from raftcheck.cli.main import main
from raftcheck.raft import MUTANTS, Bounds, raft_properties, raft_system
from raftcheck.raft.simulation import RATES, SHARES, budgets, figures
from raftcheck.report import simulation_document, simulation_text
from raftcheck.report.labels import PlainLabels

FOUND = {
    "vote-for-whoever-asks-first": (["--property", "Leader Completeness"], "Leader Completeness"),
    "compare-term-only": (["--property", "Leader Completeness"], "Leader Completeness"),
    "count-old-votes": (["--property", "Election Safety"], "Election Safety"),
    "half-rounded-up": (["--servers", "4", "--property", "Election Safety"], "Election Safety"),
    "persist-vote-later": (["--torn-steps"], "Persist First"),
    "forget-log": (["--property", "Leader Completeness"], "Leader Completeness"),
    "truncate-always": (["--property", "Leader Completeness"], "Leader Completeness"),
    "overwrite-uncommitted": ([], "No Exception"),
    "no-consistency-check": (["--property", "Log Matching"], "Log Matching"),
    "count-old-refusals": (["--batch", "1"], "Next Index Follows Match Index"),
    "read-before-own-commit": ([], "Linearizable Reads"),
}
"""Mutants that the default walks of seed 1 find, with further options, and what they then violate."""

PLAIN = ["--compactions", "0", "--transfers", "0", "--quorum-timeouts", "0"]
"""These bugs need none of that, and walks without it come to them sooner."""

SELDOM = "A suffix survives an installed snapshot"
"""A follower has to be behind a snapshot and to have entries that it does not know to be committed: tests/scenarios."""

MOST_STEPS = 40
"""No counterexample of these is longer: that of the paper's Figure 8 has some thirty."""


@pytest.mark.parametrize("name", FOUND)
def test_a_mutant_is_found_and_its_short_counterexample_replays(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options, violated = FOUND[name]
    named = ["--mutant", name, "--seed", "1", "--save", str(tmp_path), "--json", "-"]
    assert main(["simulate", *named, *PLAIN, *options]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["mutant"]) == ("violated", name)
    assert document["counterexample"]["property"] == violated
    assert document["counterexample"]["length"] <= min(MOST_STEPS, document["found_after"])
    file = next(path for path in tmp_path.glob("*.json") if not path.name.endswith(".itf.json"))
    assert main(["replay", str(file)]) == 1
    assert f"{violated} is violated after {document['counterexample']['length']} step" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name, mutant in MUTANTS.items() if mutant.violates is None])
def test_a_harmless_mutant_is_not_blamed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--mutant", name, "--seed", "2", "--walks", "20"]) == 0


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--servers", "7", "--steps", "6000", "--walks", "1"],
        ["--servers", "3", "--forwarding", "--batch", "1"],
        ["--servers", "4", "--torn-steps", "--forwarding"],
        ["--network", "unordered"],
        ["--network", "ordered", "--no-lossy"],
        ["--servers", "1"],
    ],
    ids=" ".join,
)
def test_raft_is_not_violated(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seed", "3", "--walks", "12", "--json", "-", *options]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["exhaustive"], document["counterexample"]) == ("not violated", False, None)
    assert document["changes"] > 1_500
    assert document["figures"]["entries committed"]["total"] > 50
    assert document["figures"]["crashes"]["total"] > 10


def test_walks_meet_every_witness_and_many_terms() -> None:
    """Progress: almost every walk elects leaders and commits, and a few walks together see all that may happen."""
    steps = 1_000
    bounds = Bounds(servers=5, forwarding=True, batch=2, **budgets(steps))  # type: ignore[arg-type]
    found = simulate(
        raft_system(bounds), raft_properties(bounds), seed=1, steps=steps, walks=30, rates=RATES, measure=figures
    )
    witnesses = {checked.name: checked.walks for checked in found.properties if checked.kind.value == "sometimes"}
    assert min(walks for name, walks in witnesses.items() if name != SELDOM) >= 3, witnesses
    assert witnesses["A client entry is committed everywhere"] >= 20
    assert found.figures["elections won"].total > 150
    assert found.figures["elections won"].greatest >= 10
    assert found.figures["terms"].greatest > 20


def test_walks_stay_within_the_bounds() -> None:
    """All that walks of a small cluster count is within what the exploration of it finds."""
    bounds = Bounds(servers=2, terms=2, entries=1, crashes=1)
    assert explore(raft_system(bounds), raft_properties(bounds)).verdict == "holds"
    found = simulate(
        raft_system(bounds), raft_properties(bounds), seed=1, steps=300, walks=60, rates=RATES, measure=figures
    )
    assert found.verdict == "not violated"
    assert {name: figure.greatest for name, figure in found.figures.items()} == {
        "terms": 2,
        "elections won": 2,
        "client entries appended": 1,
        "entries committed": 3,
        "reads answered": 0,
        "crashes": 1,
        "compactions": 0,
        "leadership transfers": 0,
        "quorum timeouts": 0,
    }
    assert all(checked.status == "met" for checked in found.properties if checked.kind.value == "sometimes")


def test_budgets_grow_with_the_steps_and_make_bounds() -> None:
    for steps in (1, 100, 1_000, 100_000):
        Bounds(**budgets(steps))  # type: ignore[arg-type]
    assert budgets(1)["terms"] < budgets(1_000)["terms"] < budgets(100_000)["terms"] == budgets(10**9)["terms"]
    assert set(budgets(1)) == set(SHARES)


def test_the_reports_tell_what_was_not_met(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--seed", "1", "--steps", "3", "--walks", "2"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("NOT VIOLATED: no violation found in 2 walks; a simulation proves nothing.\n")
    assert "✗ A linearizable read is answered: never met" in out
    assert "    - Election Safety\n" in out
    assert "6 steps in all" in out
    assert "  seed      1\n" in out


def test_a_generic_report_needs_no_raft() -> None:
    bounds = Bounds(servers=3, terms=1, entries=0)
    system = raft_system(bounds, MUTANTS["half-rounded-down"].rules)
    found = simulate(system, raft_properties(bounds), seed=1, bounds=bounds.to_dict())
    document: dict[str, Any] = simulation_document(found, PlainLabels())
    assert document["counterexample"]["length"] == found.counterexample.length  # type: ignore[union-attr]
    assert document["bounds"]["network"] == Network.LOSSY_DUPLICATING.value
    assert "VIOLATED: a property is violated." in simulation_text(found, "")
    assert f"(--seed {found.walk_seed} --walks 1 is this walk alone)" in simulation_text(found, "")
