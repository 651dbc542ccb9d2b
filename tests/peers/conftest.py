"""The peers that are written in Go or Rust are built once per session, from pinned versions."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PEERS = Path(__file__).parent

PATIENCE = 600
"""Seconds for downloading the modules, or building a peer, where nothing is cached yet."""


def go(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the go command with the toolchain that is installed."""
    return subprocess.run(
        ["go", *arguments],
        cwd=folder,
        env={**os.environ, "GOTOOLCHAIN": "local"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def built(name: str, into: Path) -> Path:
    """Return the program of a peer; skip the test where it cannot be built for lack of Go or of the modules."""
    if shutil.which("go") is None:
        pytest.skip("there is no go command here")
    downloaded = go(PEERS / name, "mod", "download")
    if downloaded.returncode:
        pytest.skip(f"the modules of {name} cannot be had: {downloaded.stderr.strip()[:500]}")
    program = into / name
    result = go(PEERS / name, "build", "-mod=readonly", "-tags", "with_tla", "-o", str(program))
    assert result.returncode == 0, result.stderr
    return program


@pytest.fixture(scope="session")
def etcd_raft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("etcd_raft", tmp_path_factory.mktemp("peers"))


def cargo(arguments: tuple[str, ...], target: Path) -> "subprocess.CompletedProcess[str]":
    """Run cargo for the peer that is written in Rust, with the versions that are pinned."""
    return subprocess.run(
        ["cargo", *arguments, "--locked", "--quiet"],
        cwd=PEERS / "raft_rs",
        env={**os.environ, "CARGO_TARGET_DIR": str(target)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="session")
def raft_rs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("cargo") is None:
        pytest.skip("there is no cargo command here")
    base = tmp_path_factory.getbasetemp()
    # Tests that run at the same time share what is built: cargo itself lets them wait for each other
    target = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "raft_rs"
    fetched = cargo(("fetch",), target)
    if fetched.returncode:
        pytest.skip(f"the crates of raft-rs cannot be had: {fetched.stderr.strip()[:500]}")
    built = cargo(("build",), target)
    assert built.returncode == 0, built.stderr
    return target / "debug" / "raft-rs-peer"


@pytest.fixture(scope="session")
def hashicorp_raft(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built("hashicorp_raft", tmp_path_factory.mktemp("peers"))
