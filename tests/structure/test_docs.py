"""The documents say what is there."""

import importlib
import re
from pathlib import Path

import pytest

from raftcheck.prove.controls.mutants import MUTANTS as SPECIFICATION_MUTANTS
from raftcheck.prove.quorum.theorems import quorum_theorems
from raftcheck.prove.safety.induction import theorems as safety_theorems
from raftcheck.prove.safety.obligations import obligations
from raftcheck.raft import MUTANTS, SAFETY
from raftspec.proof import RAFT
from tests.conftest import ROOT

CLAIMS = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
ROWS = [line.split("|")[1:-1] for line in CLAIMS.splitlines() if line.startswith("| ") and "---" not in line][1:]

COMMANDS = ("with `--forwarding`", "with `raftproof failures`")

THEOREMS = {theorem.name for theorem in quorum_theorems()} | {theorem.name for theorem in safety_theorems(RAFT)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip()[:60])
def test_every_claim_points_to_what_exists(row: list[str]) -> None:
    _, implemented, checked, proved, tested = (cell.strip() for cell in row)
    for dotted in re.findall(r"`([\w.]+)`", implemented):
        assert resolves(dotted), dotted
    names = {claim.name for claim in SAFETY}
    for name in filter(None, (part.strip() for part in checked.split(","))):
        assert name in names or name in COMMANDS, name
    for name in filter(None, (part.strip() for part in proved.split(","))):
        assert name in THEOREMS, name
    references = re.findall(r"`(tests/[^`]+)`", tested)
    assert references
    for reference in references:
        path, _, function = reference.partition("::")
        assert (ROOT / path).exists(), path
        assert f"def {function}(" in (ROOT / path).read_text(encoding="utf-8") or not function, reference


def resolves(dotted: str) -> bool:
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for name in parts[length:]:
            found = getattr(found, name)
        return True
    return False


def test_the_map_names_every_file() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    oracle = ("oracle", "oracle/history", "oracle/lockstep", "oracle/trace", "oracle/vectors")
    rooms = ("document", "explore", *oracle, "prove", "raft", "torture")
    for folder in ("spec/raftspec", "impl/raftimpl", *(f"checker/raftcheck/{room}" for room in rooms)):
        for path in (ROOT / folder).glob("*.py"):
            minor = {"__init__.py", "networks.py", "result.py", "limits.py", "build.py", "labels.py", "bounds.py"}
            assert path.name in text or path.name in minor, path


def test_the_changelog_counts_the_mutants() -> None:
    assert f"{len(MUTANTS)} mutants" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_text_about_the_proof_counts_right() -> None:
    text = (ROOT / "docs" / "proof.md").read_text(encoding="utf-8")
    assert len(RAFT.actions) == 14
    assert "in fourteen actions" in text
    assert f"an invariant of {len(RAFT.invariants)} conjuncts" in text
    assert f"there are {sum(1 for _ in obligations(RAFT))} queries" in text
    assert f"{len(SPECIFICATION_MUTANTS)} mutants of the specification" in text
    assert f"The {sum(bool(mutant.breaks) for mutant in SPECIFICATION_MUTANTS)} harmful ones" in text
    assert f"({sum(mutant.violates is not None for mutant in SPECIFICATION_MUTANTS)} times)" in text


@pytest.mark.parametrize("path", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda p: p.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target
