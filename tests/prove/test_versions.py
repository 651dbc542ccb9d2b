"""The oldest version of Z3 that the project accepts proves everything, too; the newest is the one installed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

OLDEST = re.search(r'"z3-solver>=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    assert OLDEST is not None
    target = tmp_path_factory.mktemp("z3")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    wanted = f"z3-solver~={OLDEST[1]}.0" if OLDEST[1].count(".") < 3 else f"z3-solver=={OLDEST[1]}"
    done = subprocess.run(
        [*command, "--target", str(target), wanted], capture_output=True, text=True, check=False, timeout=300
    )
    if done.returncode:
        pytest.skip(f"{wanted} cannot be installed here: {done.stderr.strip().splitlines()[-1]}")
    return target


@pytest.mark.parametrize("options", [[], ["--cold"]], ids=["stored", "cold"])
def test_the_oldest_version_proves_everything(folder: Path, options: list[str]) -> None:
    assert OLDEST is not None
    done = subprocess.run(
        [sys.executable, "-m", "raftcheck.cli", "prove", "--json", "-", *options],
        env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["verdict"] == "proved"
    assert found["solver"].startswith(f"Z3 {OLDEST[1]}")
    assert {theorem["status"] for theorem in found["theorems"]} == {"proved"}
