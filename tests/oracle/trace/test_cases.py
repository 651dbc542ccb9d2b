"""Small traces, legal ones and such as only a broken cluster could show, with their verdicts in verdicts.txt.

`--rewrite` writes the verdicts anew, for review.
"""

from pathlib import Path

import pytest

from raftcheck.oracle import UnreadableError, judge_trace
from tests.conftest import ROOT

CASES = ROOT / "tests" / "data" / "traces" / "cases"
VERDICTS = CASES / "verdicts.txt"


def verdict(path: Path) -> str:
    try:
        judgement = judge_trace(path, "etcd" if path.suffix == ".ndjson" else "raftproof")
    except UnreadableError as error:
        return f"refused in line {error.line}"
    if judgement.rejection is None:
        return judgement.answer
    return f"reject, {judgement.rejection.where}: {judgement.rejection.rule}"


def test_the_verdicts_are_known(request: pytest.FixtureRequest) -> None:
    paths = sorted(path for path in CASES.iterdir() if path.suffix in (".ndjson", ".jsonl"))
    written = "".join(f"{path.name}: {verdict(path)}\n" for path in paths)
    if request.config.getoption("--rewrite"):
        VERDICTS.write_text(written, encoding="utf-8")
    assert written.splitlines() == VERDICTS.read_text(encoding="utf-8").splitlines()
    assert len(paths) > 100
