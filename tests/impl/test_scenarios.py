"""Scenario files: behaviour that one can read. `pytest --rewrite` writes their outputs anew, to be reviewed."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.impl.scenarios import rewritten

FILES = sorted((ROOT / "tests" / "scenarios").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path: Path, request: pytest.FixtureRequest) -> None:
    recorded = path.read_text(encoding="utf-8")
    now = rewritten(recorded)
    if request.config.getoption("--rewrite"):
        path.write_text(now, encoding="utf-8")
    assert now == recorded or request.config.getoption("--rewrite")


def test_there_are_scenarios() -> None:
    assert len(FILES) >= 8
