"""`raftproof judge history` and the pytest fixture, as users meet them."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from raftcheck.cli.main import main
from raftcheck.explore.kernels.compiled import CACHE
from raftcheck.oracle import judge_history
from raftcheck.oracle.history import Event
from raftcheck.oracle.history.json_history import JsonEvent, event_line, schema
from tests.conftest import ROOT

pytest_plugins = ["pytester"]

HISTORIES = ROOT / "tests" / "data" / "histories"
GOOD, BAD = str(HISTORIES / "read-your-write.log"), str(HISTORIES / "stale-read.log")
COMMAND = [sys.executable, "-m", "raftcheck.cli", "judge", "history"]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["judge", "history", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(["--help"], capsys)
    assert (code, err) == (0, "")
    assert "jepsen" in out
    assert "Exit code 0" in out


def test_accept(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run([GOOD, "--format", "jepsen"], capsys)
    assert (code, err) == (0, "")
    assert out.startswith(f"ACCEPT: {GOOD}: all 4 operations are allowed")


def test_reject_with_pictures_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    svg = tmp_path / "new" / "picture.svg"
    code, out, err = run([BAD, "--format", "jepsen", "--picture", str(svg), "--json", "-"], capsys)
    assert (code, err) == (1, "")
    document = json.loads(out)
    assert document["schema"] == "raftproof/1"
    assert document["verdict"] == "reject"
    assert document["rejection"]["where"].startswith("line 6")
    assert document["details"]["outcomes that contradict each other, whatever became of all other operations"]
    assert "<svg" in svg.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([GOOD], "Missing option '--format'"),
        ([GOOD, "--format", "csv"], "there is no format 'csv'"),
        ([GOOD, "--format", "jepsen", "--model", "queue"], "there is no model 'queue'"),
        ([GOOD, "--format", "edn"], "line 1: an event is a map"),
        ([GOOD, "--format", "jepsen", "--picture", "x.png"], "should end with .svg or .html"),
        ([GOOD, "--format", "jepsen", "--max-seconds", "-1"], "max_seconds must be at least 0"),
        ([GOOD, "--format", "jepsen", "--model", "etcd"], "etcd has no operation 'write'"),
        ([GOOD + "x", "--format", "jepsen"], "cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(arguments, capsys)
    assert (code, out) == (2, "")
    assert words in err
    assert len(err.splitlines()) == 1


def test_stdin() -> None:
    done = subprocess.run(
        [*COMMAND, "-", "--format", "jepsen"], input=Path(BAD).read_bytes(), capture_output=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout.startswith(b"REJECT: stdin: line 6")


def hard_history() -> list[Event]:
    """Appends of unknown outcome, all of which a read shows, but for one that is there twice."""
    events = [Event("invoke", number, "append", key="k", value=chr(97 + number)) for number in range(14)]
    text = "".join(Random(1).sample("abcdefghijklmn", 14))
    return [*events, Event("invoke", 99, "get", key="k"), Event("ok", 99, "get", key="k", result=text[:-1] + text[0])]


def test_a_limit_makes_it_undecided() -> None:
    judgement = judge_history(hard_history(), model="keyvalue", max_seconds=0.2)
    assert judgement.answer == "undecided"
    assert judgement.why == 'stopped at max_seconds=0.2 at key "k"'
    assert judgement.checked == 0
    assert judge_history(hard_history(), model="keyvalue", max_memory=1 << 20).answer == "undecided"


def written(tmp_path: Path) -> Path:
    path = tmp_path / "hard.jsonl"
    lines = [
        event_line(JsonEvent(event.type, str(event.process), event.function, "k", event.value, event.result))
        if event.type == "ok"
        else event_line(JsonEvent(event.type, str(event.process), event.function, "k", event.value))
        for event in hard_history()
    ]
    path.write_bytes(b"".join(lines))
    return path


def test_the_command_ends_at_its_limit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(written(tmp_path)), "--format", "json", "--model", "keyvalue", "--max-seconds", "0.2"]
    code, out, _ = run(arguments, capsys)
    assert code == 3
    assert out.startswith("UNDECIDED")
    assert "max_seconds=0.2" in out


def test_control_c_ends_a_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def press(*_: object) -> None:
        raise KeyboardInterrupt

    judge_history(hard_history(), model="keyvalue", max_seconds=0.1)  # compiles
    before = signal.signal(signal.SIGALRM, press)
    signal.setitimer(signal.ITIMER_REAL, 2.0)
    try:
        start = time.monotonic()
        code, out, err = run([str(written(tmp_path)), "--format", "json", "--model", "keyvalue"], capsys)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert (code, out) == (3, "")
    assert err.splitlines()[-1] == "raftproof: interrupted"
    assert time.monotonic() - start < 20


def test_the_shipped_schema_is_that_of_the_reader() -> None:
    path = ROOT / "checker" / "raftcheck" / "oracle" / "history" / "history.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == schema()


TEST = """
def test_good(judge):
    assert judge.history({good!r}, format="jepsen").is_accepted

def test_bad(judge):
    judge.history({bad!r}, format="jepsen")

def test_missing(judge):
    judge.history("nowhere.log", format="jepsen")

def test_undecided(judge):
    judge.history({hard!r}, format="json", model="keyvalue", max_seconds=0)

def test_undecided_is_allowed(judge):
    judge.history({hard!r}, format="json", model="keyvalue", max_seconds=0, allow_undecided=True)
"""


def test_the_fixture_fails_a_test_with_the_report(
    pytester: pytest.Pytester, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if CACHE is not None:
        monkeypatch.setenv("RAFTPROOF_CACHE", str(CACHE.parent))  # nothing is compiled anew in another home
    pytester.makepyfile(TEST.format(good=GOOD, bad=BAD, hard=str(written(tmp_path))))
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=2, failed=3)
    result.stdout.fnmatch_lines(
        ["REJECT: *stale-read.log: line 6*", "nowhere.log: cannot be read*", "UNDECIDED: *max_seconds=0*"]
    )
    assert "Traceback" not in result.stdout.str()
    assert "raftproof_pytest" not in "".join(line for line in result.stdout.lines if not line.startswith("plugins"))


def test_pytest_starts_without_the_engines(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys

        def test_nothing(request):
            assert request.config.pluginmanager.hasplugin("raftproof")
            assert not {"numba", "numpy", "z3", "raftcheck"} & set(sys.modules)
        """
    )
    pytester.runpytest_subprocess("-p", "no:hypothesispytest").assert_outcomes(passed=1)
