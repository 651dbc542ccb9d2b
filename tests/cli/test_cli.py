"""The command line as a user meets it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import itf_py
import networkx as nx
import pytest

from raftcheck.cli.main import main
from raftcheck.raft import Bounds
from raftcheck.version import __version__

SMALL = ["check", "--servers", "2", "--terms", "1", "--entries", "1", "--crashes", "0"]
EXACT = ["check", "--servers", "5", "--terms", "3", "--mode", "exact"]
BROKEN = ["check", "--mutant", "half-rounded-down", "--terms", "1", "--entries", "0"]


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"], capsys) == (0, f"raftproof {__version__}\n", "")


@pytest.mark.parametrize(
    "command", [[], ["check"], ["simulate"], ["mutants"], ["failures"], ["prove"], ["replay"], ["spec"]]
)
def test_help_tells_what_a_command_does(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run([*command, "--help"], capsys)
    assert (code, err) == (0, "")
    assert "Usage: raftproof" in out
    assert len(out.splitlines()) > 8


@pytest.mark.parametrize(
    ("arguments", "there"),
    [
        ([], "∀ p: member[p, q] ⇒ votes_granted[n, p]"),
        (["--format", "markdown"], "### BecomeLeader"),
        (["--format", "tla"], "MODULE Raft ---"),
        (["--format", "tla-config"], "SPECIFICATION Spec"),
    ],
)
def test_spec(arguments: list[str], there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(["spec", *arguments], capsys)
    assert (code, err) == (0, "")
    assert there in out
    path = tmp_path / "new" / "Raft.txt"
    assert run(["spec", *arguments, "--output", str(path)], capsys) == (0, "", "")
    assert path.read_text(encoding="utf-8") == out


def test_a_module_has_the_name_of_its_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Mine.tla"
    assert run(["spec", "--format", "tla", "--output", str(path)], capsys)[0] == 0
    assert "MODULE Mine ---" in path.read_text(encoding="utf-8")
    code, _, err = run(["spec", "--format", "tla", "--output", str(tmp_path / "not-mine.tla")], capsys)
    assert (code, err) == (2, "raftproof: 'not-mine' is no name of a TLA+ module: it takes letters, digits and _\n")


def test_spec_says_what_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(["spec", "--output", str(tmp_path)], capsys)
    assert code == 2
    assert err.startswith("raftproof: cannot write")
    assert run(["spec", "--format", "pdf"], capsys)[0] == 2


def test_holds(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(SMALL, capsys)
    assert code == 0
    assert out.startswith("HOLDS: every behaviour within the bounds was explored")
    assert "2 servers, 1 term, 1 client entry, 0 crashes, 0 reads, 0 heartbeats" in out
    assert "✓ Leader Completeness" in out


def test_violated(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run([*BROKEN, "--property", "Election Safety"], capsys)
    assert code == 1
    assert out.startswith("VIOLATED")
    assert "Election Safety is violated after 2 steps:\n  1. s" in out
    assert "role: follower → leader" in out


def test_inconclusive(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["check", "--max-states", "50"], capsys)
    assert code == 3
    assert out.startswith("INCONCLUSIVE")
    assert "limit     max_states=50" in out


def test_vacuous(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["check", "--terms", "1", "--entries", "0", "--cut", "0-1,0-2,1-2"], capsys)
    assert code == 4
    assert out.startswith("VACUOUS")
    assert "✗ A leader is elected: missing" in out


def test_one_property_alone_does_not_hold_vacuously(capsys: pytest.CaptureFixture[str]) -> None:
    cut = ["--terms", "1", "--entries", "0", "--cut", "0-1,0-2,1-2", "--property", "Leader Completeness"]
    assert run(["check", *cut], capsys)[0] == 4


def test_json_on_stdout_is_alone_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run([*SMALL, "--json", "-"], capsys)
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "raftproof/1"
    assert (document["kind"], document["verdict"], document["complete"]) == ("check", "holds", True)
    assert document["bounds"]["servers"] == 2
    assert document["counterexample"] is None
    assert {p["status"] for p in document["properties"]} == {"holds"}
    for figure in ("states", "transitions", "depth", "seconds", "local_states", "peak_memory"):
        assert document[figure] > 0


def test_json_in_a_file_leaves_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deep" / "result.json"
    code, out, _ = run([*BROKEN, "--json", str(file)], capsys)
    assert code == 1
    assert out.startswith("VIOLATED")
    document = json.loads(file.read_text())
    assert document["verdict"] == "violated"
    assert document["mutant"] == "half-rounded-down"
    assert len(document["counterexample"]["events"]) == document["counterexample"]["length"]


def test_a_saved_counterexample_replays_and_is_readable_by_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run([*BROKEN, "--property", "Election Safety", "--save", str(tmp_path)], capsys)
    file = tmp_path / "half-rounded-down-election-safety.json"
    assert f"raftproof replay {file}" in out
    code, out, _ = run(["replay", str(file)], capsys)
    assert code == 1
    assert "VIOLATED: it still fails." in out
    trace = itf_py.trace_from_json(json.loads(file.with_suffix(".itf.json").read_text()))
    assert trace.vars == ["processes", "network", "ghost", "event"]
    assert len(trace.states) == 3
    assert trace.states[0].values["processes"][0].server.current_term == 0
    assert trace.states[2].values["ghost"].elected[1][0] == 1
    diagram = file.with_suffix(".mmd").read_text().splitlines()
    assert diagram[0] == "sequenceDiagram"
    assert [line.strip() for line in diagram[1:4]] == ["participant s0", "participant s1", "participant s2"]
    assert diagram[-1].endswith("Election Safety is violated")


def test_replay_of_a_mended_bug_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run([*BROKEN, "--property", "Election Safety", "--save", str(tmp_path)], capsys)
    file = tmp_path / "half-rounded-down-election-safety.json"
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "mutant": None}))
    code, out, _ = run(["replay", str(file)], capsys)
    assert code == 0
    assert "NO LONGER VIOLATED: Election Safety, by this one behaviour of 2 events" in out


def test_replay_of_an_impossible_behaviour_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run([*BROKEN, "--property", "Election Safety", "--save", str(tmp_path)], capsys)
    file = tmp_path / "half-rounded-down-election-safety.json"
    document = json.loads(file.read_text())
    document["events"].insert(0, {"pid": 0, "input": {"type": "HeartbeatTimeout"}, "text": "a heartbeat"})
    file.write_text(json.dumps(document))
    code, out, _ = run(["replay", str(file)], capsys)
    assert code == 3
    assert "INCONCLUSIVE: event 1 of 3 (a heartbeat) is no longer possible" in out


def saved(tmp_path: Path, changes: dict[str, Any]) -> str:
    main([*BROKEN, "--property", "Election Safety", "--save", str(tmp_path)])
    file = tmp_path / "half-rounded-down-election-safety.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))
    return str(file)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"schema": "raftproof/99"}, "not a counterexample of raft in 'raftproof/1'"),
        ({"kind": "check"}, "holds a 'check'"),
        ({"mutant": "nonsense"}, "there is no mutant 'nonsense'"),
        ({"property": "World Peace"}, "there is no property 'World Peace'"),
        ({"bounds": {"servers": 3}}, "no bounds of a Raft model"),
        ({"bounds": {**Bounds().to_dict(), "servers": 3.0}}, "servers must be a whole number, not 3.0"),
        ({"bounds": {**Bounds().to_dict(), "servers": True}}, "servers must be a whole number"),
        ({"bounds": {**Bounds().to_dict(), "torn_steps": "no", "crashes": 1}}, "torn_steps must be true or false"),
        ({"bounds": {**Bounds().to_dict(), "candidates": {"1": 1.5}}}, "there is no server 1.5"),
        ({"property": "World Peace", "error": "x"}, "there is no property 'World Peace'"),
        ({"events": [{"pid": 9, "input": {"type": "ElectionTimeout"}}]}, "an event names server 9"),
        ({"events": [{"pid": 0, "input": {"type": "Explosion"}}]}, "no counterexample of raftproof"),
        ({"events": 7}, "no counterexample of raftproof"),
    ],
)
def test_a_counterexample_file_that_is_none(
    changes: dict[str, Any], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(tmp_path, changes)
    capsys.readouterr()
    code, out, err = run(["replay", file], capsys)
    assert (code, out) == (2, "")
    assert text in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["check", "--servers", "0"], "servers must be from 1 to 9, not 0"),
        (["check", "--servers", "many"], "--servers"),
        (["check", "--mutant", "nonsense"], "there is no mutant 'nonsense'; there are: vote-for-whoever-asks-first"),
        (["check", "--property", "Nonsense"], "there is no property 'Nonsense'"),
        (["check", "--mode", "quick"], "there is no mode 'quick'; there are: covering, exact, reference"),
        (["check", "--mode", "covering", "--network", "ordered"], "covering mode needs a network"),
        (["check", "--network", "tcp"], "--network"),
        (["check", "--max-memory", "lots"], "no amount of memory"),
        (["check", "--max-memory", "9" * 400 + "G"], "no amount of memory"),
        (["check", "--max-seconds", "nan"], "max_seconds must be at least 0, not nan"),
        (["check", "--candidates", "1:" + "9" * 5000], "no list of TERM:SERVER"),
        (["check", "--candidates", "1:0,1:1"], "names a term twice"),
        (["check", "--candidates", "9:0"], "no election starts for term 9"),
        (["check", "--cut", "0-0"], "server 0 cannot be cut off from itself"),
        (["check", "--no-lossy"], "may always lose messages"),
        (["check", "--save", "/dev/null/x"], "--save: cannot write to /dev/null/x"),
        ([*EXACT, "--graph", "x.svg"], "--graph x.svg: the name has to end in one of .graphml, .dot, .gv"),
        ([*EXACT, "--graph", "dot"], "--graph dot: the name has to end in one of"),
        (["check", "--graph", "x.dot"], "--graph needs --mode exact, which visits every state and transition; this is"),
        ([*EXACT[:-1], "reference", "--graph", "x.dot"], "this is reference mode"),
        ([*EXACT, "--graph", "/proc/none/x.dot"], "cannot write /proc/none/x.dot"),
        ([*EXACT, "--graph", "/dev/null/x.dot"], "cannot write /dev/null/x.dot"),
        ([*EXACT, "--graph", "x.dot", "--graph-max-states", "0"], "--graph-max-states must be at least 1, not 0"),
        (["simulate", "--save", "/dev/null/x"], "--save: cannot write to /dev/null/x"),
        (["simulate", "--servers", "10"], "servers must be from 1 to 9, not 10"),
        (["simulate", "--terms", "10000"], "terms must be from 1 to 9999, not 10000"),
        (["simulate", "--steps", "0"], "steps must be a whole number, at least 1, not 0"),
        (["simulate", "--steps", "-5"], "steps must be a whole number, at least 1, not -5"),
        (["simulate", "--walks", "0"], "walks must be a whole number, at least 1, not 0"),
        (["simulate", "--seed", "-1"], "seed must be a whole number, at least 0, not -1"),
        (["simulate", "--seed", "x"], "--seed"),
        (["simulate", "--crashes", "0", "--torn-steps"], "steps are torn by crashes, of which there are none"),
        (["simulate", "--mutant", "nonsense"], "there is no mutant 'nonsense'"),
        (["simulate", "--property", "Nonsense"], "there is no property 'Nonsense'"),
        (["simulate", "--max-seconds", "nan"], "max_seconds must be at least 0, not nan"),
        (["simulate", "--json", "/proc/none/x.json"], "cannot write"),
        (["mutants", "--save", "/dev/null/x"], "--save: cannot write to /dev/null/x"),
        (["failures", "--max-servers", "0"], "--max-servers must be from 1 to 5, not 0"),
        (["failures", "--max-servers", "6"], "--max-servers must be from 1 to 5, not 6"),
        (["failures", "--max-servers", "many"], "--max-servers"),
        (["failures", "--mutant", "nonsense"], "there is no mutant 'nonsense'"),
        (["failures", "--max-seconds", "nan"], "max_seconds must be at least 0, not nan"),
        (["failures", "--json", "/proc/none/x.json"], "cannot write"),
        (["failures", "5"], "5"),
        (["check", "--max-states", "0"], "max_states must be at least 1"),
        (["check", "--candidates", "1"], "no list of TERM:SERVER"),
        (["check", "--cut", "0:1"], "no list of SERVER-SERVER"),
        (["check", "--cut", "0-7"], "there is no server 7"),
        (["check", "--json", "/proc/none/x.json"], "cannot write"),
        (["check", "--bogus"], "--bogus"),
        (["nonsense"], "nonsense"),
        (["mutants", "nonsense"], "there is no mutant 'nonsense'"),
        (["replay"], "FILE"),
        (["replay", "/dev/null"], "/dev/null is no counterexample"),
        (["replay", "/nowhere/file.json"], "cannot read /nowhere/file.json"),
        (["replay", "/"], "cannot read /"),
    ],
)
def test_a_bad_request_gets_one_clear_line_and_exit_code_2(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(arguments, capsys)
    assert (code, out) == (2, "")
    assert err.startswith("raftproof: ")
    assert text in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("ending", ["graphml", "dot", "GV"])
def test_a_state_graph_in_a_file(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deep" / f"states.{ending}"
    code, out, _ = run([*SMALL, "--mode", "exact", "--graph", str(file)], capsys)
    assert code == 0
    assert "27 states (exact mode, symmetric ones once), 37 transitions" in out
    assert out.endswith(f"\nThe state graph is in {file}: 27 states, 37 transitions.\n")
    written = file.read_text()
    if ending == "graphml":
        graph = nx.parse_graphml(written, node_type=int, force_multigraph=True)
        assert (len(graph), graph.number_of_edges()) == (27, 37)
        assert graph.nodes[0]["process_1"] == "follower"
    else:
        assert written.startswith("digraph states {")
        assert (written.count(" [label=") - 1, written.count(" -> ")) == (27 + 37, 37)
        assert '0 -> 1 [label="s0 has an election timeout"];' in written


def test_a_state_graph_without_symmetry_and_json_alone_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "states.dot"
    arguments = ["--mode", "exact", "--no-symmetry", "--graph", str(file), "--json", "-"]
    document = json.loads(run([*SMALL, *arguments], capsys)[1])
    assert file.read_text().count(" -> ") == document["transitions"] == 72


def test_the_state_graph_goes_on_where_a_violation_ends_the_exploration(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "states.graphml"
    broken = [*BROKEN, "--servers", "2", "--network", "ordered", "--property", "Election Safety"]
    code, out, _ = run([*broken, "--graph", str(file)], capsys)
    assert code == 1
    explored = int(re.search(r"explored  (\d+) states", out)[1])  # type: ignore[index]
    states = dict(nx.parse_graphml(file.read_text()).nodes(data=True))
    assert f"{len(states)} states" in out.splitlines()[-1]
    assert len(states) > explored
    violating = [known["violates"] for known in states.values() if known["violating"]]
    assert set(violating) == {"Election Safety", "Election Safety; No Exception"}  # servers meet what cannot be
    assert len(violating) < len(states)


def test_a_state_graph_that_is_too_large_is_refused_before_a_long_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*EXACT, "--graph", str(tmp_path / "states.dot")]
    start = time.monotonic()
    code, out, err = run(arguments, capsys)
    assert time.monotonic() - start < 60
    assert (code, out) == (2, "")
    assert re.fullmatch(
        r"raftproof: the graph may have 2,000 states, but there are more, [\d,]+ so far: "
        r"allow more with --graph-max-states, or choose smaller bounds\n",
        err,
    )
    small = [*SMALL, "--mode", "exact", "--graph", str(tmp_path / "states.dot")]
    assert run([*small, "--graph-max-states", "26"], capsys)[0] == 2
    assert run([*small, "--graph-max-states", "27"], capsys)[0] == 0


def test_mutants_lists_and_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["mutants", "--list"], capsys)
    assert code == 0
    assert "commit-old-terms" in out
    arguments = ["mutants", "half-rounded-down", "back-up-one-by-one", "--save", str(tmp_path)]
    code, out, _ = run(arguments, capsys)
    assert code == 0
    assert "All 2 rows are as the table says." in out
    assert (tmp_path / "half-rounded-down-election-safety.json").exists()
    code, out, _ = run([*arguments, "--json", "-"], capsys)
    rows = json.loads(out)["rows"]
    assert [(row["mutant"], row["as_expected"], row["result"]["verdict"]) for row in rows] == [
        ("half-rounded-down", True, "violated"),
        ("back-up-one-by-one", True, "holds"),
    ]
    assert [(row["refused"], row["refused_at"], row["invisible"], row["explanation"]) for row in rows] == [
        (
            "BecomeLeader",
            "BecomeLeader",
            None,
            'BecomeLeader is refused: not "every server of a quorum has voted for it"',
        ),
        (None, None, None, None),
    ]


def test_mutants_fails_when_a_row_is_wrong(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    from dataclasses import replace

    from raftcheck.raft.mutants import MUTANTS

    monkeypatch.setitem(MUTANTS, "vote-only-once", replace(MUTANTS["vote-only-once"], violates="Election Safety"))
    code, out, _ = run(["mutants", "vote-only-once"], capsys)
    assert code == 1
    assert "Not as the table says: vote-only-once" in out


@pytest.mark.parametrize("changes", [{"refused": "HandleVote"}, {"refused": None, "invisible": "nobody sees it"}])
def test_mutants_fails_when_another_action_is_refused(
    changes: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataclasses import replace

    from raftcheck.raft.mutants import MUTANTS

    changed = replace(MUTANTS["half-rounded-down"], **changes)
    monkeypatch.setitem(MUTANTS, "half-rounded-down", changed)
    code, out, _ = run(["mutants", "half-rounded-down"], capsys)
    assert code == 1
    assert "BecomeLeader" in out
    assert "Not as the table says: half-rounded-down" in out


def test_mutants_says_what_the_specification_does_not_see(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["mutants", "count-old-refusals"], capsys)
    assert code == 0
    assert "Not seen by the specification: count-old-refusals: next_index is not in the specification" in out


def test_an_internal_error_is_70_and_shows_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("raftcheck.cli.check.raft_system", broken)
    code, _, err = run(SMALL, capsys)
    assert code == 70
    assert "RuntimeError: a bug" in err
    assert "please report it" in err


@pytest.mark.parametrize(
    ("arguments", "figure"),
    [
        (["check", "--servers", "5", "--terms", "3", "--entries", "3"], r"explored  ([\d,]+) states"),
        (["simulate", "--servers", "7", "--walks", "100000"], r" ([\d,]+) steps in all"),
    ],
    ids=["check", "simulate"],
)
def test_ctrl_c_gives_the_partial_figures_and_exit_code_3(arguments: list[str], figure: str) -> None:
    # Whoever runs the tests in the background may have SIGINT ignored, which children inherit.
    with subprocess.Popen(
        [sys.executable, "-m", "raftcheck.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        try:
            time.sleep(6)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 3, err
    assert out.startswith("INCONCLUSIVE")
    assert "limit     interrupted" in out
    assert int(re.search(figure, out)[1].replace(",", "")) > 1  # type: ignore[index]
    assert "Traceback" not in err


def test_a_simulation_without_a_seed_tells_which_it_took(capsys: pytest.CaptureFixture[str]) -> None:
    short = ["simulate", "--steps", "200", "--walks", "3", "--json", "-"]
    once = json.loads(run(short, capsys)[1])
    code, out, _ = run([*short, "--seed", str(once["seed"])], capsys)
    again = json.loads(out)
    assert code == 0
    assert (again["kind"], again["seed"], again["walks"]) == ("simulation", once["seed"], 3)
    measured = {"seconds", "steps_per_second", "peak_memory"}
    assert {k: v for k, v in again.items() if k not in measured} == {k: v for k, v in once.items() if k not in measured}


def test_progress_of_a_simulation(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("raftcheck.cli.output.PLAIN_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(sys.modules["raftcheck.explore.limits"], "PROGRESS_SECONDS", 0.0)
    code, _, err = run(["simulate", "--seed", "1", "--steps", "200", "--walks", "2"], capsys)
    assert code == 0
    line = r"^simulate: [\d,]+ steps so far \([\d,]+/s\), step \d+ of this walk, 1 walks to come, \d+ s$"
    assert re.search(line, err, re.MULTILINE)


def test_a_simulation_without_time_is_inconclusive(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["simulate", "--max-seconds", "0"], capsys)
    assert code == 3
    assert out.startswith("INCONCLUSIVE: the simulation was cut short; no violation found in 1 walk;")


def test_a_simulated_violation_says_how_to_see_it_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", "--mutant", "half-rounded-down", "--property", "Election Safety", "--seed", "1"]
    code, out, _ = run([*arguments, "--save", str(tmp_path)], capsys)
    assert code == 1
    assert out.startswith("VIOLATED: a property is violated.")
    assert "found     in walk 1, after " in out
    assert "✗ Election Safety: violated" in out
    assert f"raftproof replay {tmp_path}/half-rounded-down-election-safety.json" in out
    assert "give --save DIR" in run(arguments, capsys)[1]


def test_ctrl_c_in_mutants_blames_no_mutant(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("raftcheck.cli.output.PlainProgress.__call__", interrupt)
    monkeypatch.setattr(sys.modules["raftcheck.explore.limits"], "PROGRESS_SECONDS", 0.0)
    code, out, _ = run(["mutants", "vote-only-once", "half-rounded-down"], capsys)
    assert code == 3
    assert "Interrupted at vote-only-once: the rows from there on are not decided." in out
    assert "half-rounded-down" not in out


def test_failures_as_json_is_alone_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(["failures", "--max-servers", "2", "--json", "-"], capsys)
    document = json.loads(out)
    assert code == 0
    assert (document["schema"], document["kind"], document["verdict"]) == ("raftproof/1", "failures", "holds")
    assert [[cell["answer"] for cell in row["cells"]] for row in document["rows"]] == [
        ["yes", "no"],
        ["yes", "no", "no"],
    ]
    assert document["rows"][1]["cells"][0]["possible_example"]["events"][0]["text"] == "s0 has an election timeout"
    assert document["rows"][1]["cells"][1]["impossible_example"] == {
        "survivors": ["s1 | as at the start"],
        "events": None,
    }
    assert "failures: the run of 2 servers" in err


@pytest.mark.parametrize(
    ("mutant", "cell", "shown"),
    [
        ("half-rounded-up", "2 servers, 1 failed: yes", "s1 is asked by a client to write new"),
        ("half-rounded-down", "2 servers, 1 failed: yes", "s1 is asked by a client to write new"),
        ("count-old-votes", "2 servers, 0 failed: some", "Nothing that they can do commits a new write."),
    ],
)
def test_failures_of_a_mutant_say_where_the_table_differs(
    mutant: str, cell: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(["failures", "--max-servers", "2", "--mutant", mutant], capsys)
    assert code == 1
    formula = "raftspec.quorum.fault_tolerance"
    assert out.startswith(f"VIOLATED: the table of mutant {mutant} is not what {formula} says ({cell}).\n")
    assert f"\n{cell}, where {formula} says " in out
    assert shown in out


def test_failures_without_time_are_inconclusive(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(["failures", "--max-servers", "2", "--max-seconds", "0"], capsys)
    assert code == 3
    assert out.startswith("INCONCLUSIVE: the table is not complete (max_seconds=0).\n")
    assert "      2  ?       ?       ?        unknown\n" in out


def test_a_terminal_without_the_characters_still_gets_the_verdict() -> None:
    command = [sys.executable, "-m", "raftcheck.cli", *SMALL]
    environment = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stdout[:6]) == (0, b"HOLDS:")


def test_a_full_disk_is_one_line() -> None:
    shell = f"{sys.executable} -m raftcheck.cli mutants --list > /dev/full"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("raftproof: cannot write the output: No space left on device\n")


def test_what_cannot_be_opened_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("raftcheck.cli.check.raft_system", lambda *_, **__: Path("/nowhere/x").read_text())
    assert run(SMALL, capsys) == (2, "", "raftproof: /nowhere/x: No such file or directory\n")


def test_a_closed_pipe_is_no_traceback() -> None:
    shell = f"{sys.executable} -m raftcheck.cli mutants --list | head -1"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, env=os.environ, check=False)
    assert "Traceback" not in done.stderr


NUMBERS = {
    "servers": 1, "terms": 2, "entries": 3, "crashes": 4, "reads": 5, "heartbeats": 6, "compactions": 7, "transfers": 8,
    "quorum_timeouts": 9,
}  # fmt: skip


@pytest.mark.parametrize("command", [["check", "--max-states", "1"], ["simulate", "--steps", "2", "--walks", "1"]])
def test_every_number_is_the_bound_of_its_name(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    options = [text for name, number in NUMBERS.items() for text in (f"--{name.replace('_', '-')}", str(number))]
    _, out, _ = run([*command, *options, "--json", "-"], capsys)
    bounds = json.loads(out)["bounds"]
    assert {name: bounds[name] for name in NUMBERS} == NUMBERS


def test_the_bounds_name_what_there_is_besides(capsys: pytest.CaptureFixture[str]) -> None:
    more = ["--compactions", "1", "--transfers", "2", "--quorum-timeouts", "1"]
    _, out, _ = run([*SMALL, *more, "--servers", "1"], capsys)
    assert "0 heartbeats, 1 compaction, 2 leadership transfers, 1 quorum timeout, at most" in out
