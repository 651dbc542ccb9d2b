"""Histories of public projects, with known verdicts."""

from pathlib import Path

import pytest

from raftcheck.oracle.history import Event, judge_history
from tests.conftest import ROOT

DATA = ROOT.parent / "shared" / "data"

VERDICTS = {
    "jepsen-etcd/etcd_000.log": "reject",
    "jepsen-etcd/etcd_002.log": "accept",
    "jepsen-etcd/etcd_005.log": "accept",
    "jepsen-etcd/etcd_007.log": "accept",
    "jepsen-etcd/etcd_010.log": "reject",
    "jepsen-etcd/etcd_011.log": "reject",
    "porcupine-kv/c01-bad.txt": "reject",
    "porcupine-kv/c01-ok.txt": "accept",
    "porcupine-kv/c10-ok.txt": "accept",
}


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    judge_history([Event("invoke", 1, "read"), Event("ok", 1, "read")], model="register")


@pytest.mark.skipif(not DATA.exists(), reason="the histories of public projects are not at ../shared/data")
@pytest.mark.parametrize("name", VERDICTS)
def test_the_verdict_is_known(name: str) -> None:
    path: Path = DATA / name
    judgement = judge_history(path, format=name.split("-")[0])
    assert judgement.answer == VERDICTS[name]
    assert judgement.seconds < 10
