"""Whole servers under faults, in virtual time: nothing is found, a seed repeats all, and mutants are caught."""

import re
from pathlib import Path

import pytest

from raftcheck.cli.main import main
from raftcheck.oracle.history import judging
from raftcheck.torture.faults import KINDS
from raftcheck.torture.judging import FAULTS, HISTORY, TRACE
from raftcheck.torture.mutants import MUTANTS, driver_mutants, mutant_named
from raftcheck.torture.simulated import Plan, simulate

CAUGHT = {
    "sends-before-sync": (3, "trace"),
    "skips-syncs": (3, "trace"),
    "forgets-vote": (3, "trace"),
    "confirms-reads-at-once": (3, "history"),
    "answers-reads-before-apply": (3, "history"),
    "repeats-under-new-number": (3, "history"),
    "acknowledges-proposals": (3, "acknowledged writes"),
    "applies-before-sync": (1, "acknowledged writes"),
    "keeps-store-at-snapshot": (3, "stores"),
    "forgets-sessions-at-snapshot": (3, "stores"),
    "never-ends-leases": (3, "leases"),
    "tells-no-watches": (3, "watches"),
    "keeps-incarnation": (3, "liveness"),
    "never-persist-vote": (3, "trace"),
    "half-rounded-up": (4, "trace"),
    "half-rounded-down": (5, "trace"),
    "vote-for-whoever-asks-first": (5, "trace"),
}
"""By mutant: in a cluster of how many servers, and by which judge, it is found out."""

SEEDS = range(1, 31)
"""How many runs a mutant is given; most need one or two, but which ones may change with everything that servers do."""

LATE = ("trace", "history")
"""Judges that are asked at last."""


@pytest.mark.parametrize(("seed", "servers"), [(1, 3), (2, 3), (3, 3), (4, 1), (5, 2), (6, 5)])
def test_nothing_is_found(tmp_path: Path, seed: int, servers: int) -> None:
    run = simulate(Plan(seed, servers), tmp_path)
    assert run.verdict == "not violated", run.findings
    assert run.outcomes["ok"] > 50
    assert run.counts["crashes"] > 0


def test_the_same_seed_does_the_same(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate(Plan(7, 3), tmp_path / name)
    for file in (HISTORY, TRACE, FAULTS):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_another_seed_does_something_else(tmp_path: Path) -> None:
    for seed in (8, 9):
        simulate(Plan(seed, 3), tmp_path / str(seed))
    assert (tmp_path / "8" / TRACE).read_bytes() != (tmp_path / "9" / TRACE).read_bytes()


def test_all_kinds_of_faults_are_drawn() -> None:
    drawn = {fault.kind for seed in range(40) for fault in Plan(seed).schedule}
    assert drawn == set(KINDS)


def test_fewer_faults_are_the_first_ones() -> None:
    assert Plan(1, faults=5).schedule == Plan(1).schedule[:5]


@pytest.mark.parametrize("name", CAUGHT)
def test_a_mutant_is_caught(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "EXPLAINING_SECONDS", 0.5)
    servers, judge = CAUGHT[name]
    most = 1 if judge in LATE else 5
    for seed in SEEDS:
        run = simulate(Plan(seed, servers, mutant_named(name)), tmp_path, most)
        if judge in {finding.judge for finding in run.findings}:
            return
    pytest.fail(f"not found in {len(SEEDS)} runs")


def test_every_mutant_of_the_driver_is_caught_somewhere() -> None:
    assert {mutant.name for mutant in driver_mutants()} <= set(CAUGHT)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["torture", "--simulated", "--seed", "1", "--runs", "1", "--keep", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("NOT VIOLATED: 3 servers, simulated, 1 run")
    assert "linearizable, revisions included" in shown
    assert list(tmp_path.iterdir()) == []


def test_what_the_command_finds_can_be_done_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["torture", "--simulated", "--seed", "1", "--mutant", "forgets-vote", "--keep", str(tmp_path)]
    assert main(options) == 1
    shown = capsys.readouterr().out
    assert shown.startswith("VIOLATED")
    again = next(line.split()[1:] for line in shown.splitlines() if line.startswith("    raftproof torture"))
    assert int(again[again.index("--faults") + 1]) < 12
    assert main([*again, "--keep", str(tmp_path / "again")]) == 1
    judge = next(line.split()[1:] for line in shown.splitlines() if line.startswith("    raftproof judge trace"))
    assert main(judge) == 1


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (["--servers", "0"], "from 1 to"),
        (["--seconds", "-1"], "--seconds must be a number above 0, not -1"),
        (["--seconds", "0"], "--seconds must be a number above 0, not 0"),
        (["--seconds", "nan"], "--seconds must be a number above 0, not nan"),
        (["--seconds", "inf"], "--seconds must be a number above 0, not inf"),
        (["--runs", "-3"], "--runs must be at least 1, not -3"),
        (["--runs", "0"], "--runs must be at least 1, not 0"),
        (["--faults", "-1"], "--faults must be at least 0, not -1"),
        (["--mutant", "nobody"], "there is no mutant"),
        (["--keep", "/proc/x"], "--keep: cannot write to /proc/x: No such file or directory"),
    ],
)
def test_bad_requests(options: list[str], what: str, capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ([], ["--simulated"]):
        assert main(["torture", *kind, *options]) == 2
        assert what in capsys.readouterr().err


def test_mutants_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["torture", "--mutant", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(MUTANTS)


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seed-1").touch()
    one = ["torture", "--simulated", "--seed", "1", "--runs", "1"]
    assert main([*one, "--keep", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"raftproof: --keep: cannot write to {tmp_path}/seed-1: File exists\n"
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    assert main(one) == 2
    assert re.fullmatch(
        r"raftproof: no temporary folder can be made: .*No such file or directory: '/nowhere/.*'; give --keep DIR\n",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 3), (RuntimeError("a bug"), 70)])
def test_a_run_that_does_not_end_leaves_no_folder_or_says_where_it_is(
    error: BaseException, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(plan: Plan, folder: Path, most_findings: int | None) -> None:
        (folder / TRACE).touch()
        raise error

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("raftcheck.cli.torturing.simulate", fails)
    assert main(["torture", "--simulated", "--seed", "1"]) == code
    said = capsys.readouterr().err
    left = list(tmp_path.iterdir())
    if code == 3:
        assert left == []
    else:
        assert f"raftproof: the files of the run of seed 1, which failed, are in {left[0]}\n" in said
