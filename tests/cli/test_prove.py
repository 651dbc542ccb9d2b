"""`raftproof prove` as a user meets it."""

import json
from pathlib import Path
from typing import Any

import pytest

from raftcheck.cli.main import main
from raftcheck.cli.prove import Sources
from raftcheck.prove import Outcome, check_quorum_rule
from raftcheck.prove.quorum import solving
from raftcheck.raft.mutants import MUTANTS


def run(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(["prove", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def document(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code, out, _ = run([*arguments, "--json", "-"], capsys)
    return code, json.loads(out)


@pytest.mark.parametrize("what", [[], ["all"], ["quorum"], ["quorum", "--cold"], ["raft"]])
def test_the_theorems(what: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(what, capsys)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert sum(line.startswith("✓") for line in lines) >= 12
    assert not any(line.startswith(("✗", "?")) for line in lines)
    says = "Assumed: any two quorums share a server" if what == ["raft"] else "✓  Any two quorums share a server"
    assert any(line.startswith(says) for line in lines)
    assert any(line.startswith("PROVED: all ") for line in lines[-2:])


def test_the_theorems_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    code, found = document(["quorum"], capsys)
    assert code == 0
    assert (found["schema"], found["kind"], found["what"], found["verdict"]) == (
        "raftproof/1",
        "proof",
        "quorum",
        "proved",
    )
    assert found["solver"].startswith("Z3 ")
    assert {theorem["status"] for theorem in found["theorems"]} == {"proved"}
    for theorem in found["theorems"]:
        assert set(theorem) == {
            "name", "meaning", "source", "status", "seconds", "detail", "counterexample", "queries",
        }  # fmt: skip
        assert theorem["seconds"] > 0


def test_json_in_a_file_leaves_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deep" / "proof.json"
    code, out, _ = run(["quorum", "--rule", "(n + 1) // 2", "--json", str(file)], capsys)
    assert code == 1
    assert out.startswith("REFUTED")
    found = json.loads(file.read_text())
    assert found["verdict"] == "refuted"
    assert found["rule"] == {"election": "(n + 1) // 2", "commit": "(n + 1) // 2"}
    assert found["counterexample"] == {"servers": 2, "first": ["s0"], "second": ["s1"], "text": "{s0} and {s1}"}
    assert found["tolerance"] is None


@pytest.mark.parametrize(
    ("options", "expected", "says"),
    [
        (["--rule", "n // 2 + 1"], 0, ["PROVED", "It survives (n - 1) // 2 failures, for every n >= 1 (proved)"]),
        (["--rule", "(n + 2) // 2"], 0, ["PROVED", "as many failures as a majority does"]),
        (["--rule", "(2*n)//3 + 1"], 0, ["PROVED", "It survives (n - 1) // 3 failures", "fewer first with n = 3"]),
        (["--rule", "n // 2"], 1, ["REFUTED", "with 1 server, {} and {}", "With 2 servers, {s0} and {s1}"]),
        (["--rule", "(n + 1) // 2"], 1, ["REFUTED", "with 2 servers, {s0} and {s1} are disjoint"]),
        (["--rule", "n + 1"], 4, ["VACUOUS", "nobody can ever be elected"]),
        (["--rule", "n // 2 + 2"], 0, ["PROVED", "no quorum", "with n = 1, 2. From n = 3 on"]),
        (
            ["--election-rule", "n", "--commit-rule", "1"],
            0,
            ["PROVED", "commits survive", "Any election quorum and"],
        ),
        (["--election-rule", "1", "--commit-rule", "n"], 1, ["REFUTED", "✗ Any two election quorums share a server"]),
        (["--commit-rule", "n // 2"], 1, ["REFUTED", "✓ Any two election quorums share a server"]),
        (["--weights", "3,1,1,1"], 0, ["PROVED", "{s0, s1}, {s0, s2}, {s0, s3}.", "It survives 0 failures"]),
        (["--weights", "2, 2,1", "--rule", "n // 2"], 1, ["REFUTED", "{s0} and {s1} are disjoint"]),
        (["--weights", "2,1", "--rule", "n + 1"], 4, ["VACUOUS", "there is none"]),
        (["--weights", "1,1,1", "--election-rule", "n"], 0, ["An election quorum has weight 3", "A commit quorum"]),
    ],
)
def test_your_own_rule(options: list[str], expected: int, says: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(["quorum", *options], capsys)
    assert (code, err) == (expected, "")
    assert out.startswith(says[0]) or says[0] in out
    for text in says:
        assert text in out
    assert document(["quorum", *options], capsys)[0] == expected


def test_what_z3_does_not_know(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "RESOURCES_PER_QUERY", 100_000)
    code, out, _ = run(["quorum", "--rule", "n // 2 + 1 - (n*n*n + 2*n) % 3"], capsys)
    assert code == 3
    assert out.startswith("INCONCLUSIVE: quorums of n // 2 + 1 - (n*n*n + 2*n) % 3 overlap for n <= 1,000")
    code, found = document(["quorum", "--rule", "n // 2 + 1 - (n*n*n + 2*n) % 3"], capsys)
    assert (code, found["verdict"], found["checked_up_to"]) == (3, "inconclusive", 1000)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["everything"], "there is no proof named 'everything'; there are: all, quorum"),
        (["--rule", "n"], "--rule is about quorums alone: raftproof prove quorum --rule ..."),
        (["all", "--weights", "1,2"], "--weights is about quorums alone"),
        (["quorum", "--rule", ""], "the rule is empty"),
        (["quorum", "--rule", "__import__('os')"], "is not understood: a rule is made of n"),
        (["quorum", "--rule", "n / 2"], "write //, which rounds down"),
        (["quorum", "--rule", "n +"], "cannot be read"),
        (["quorum", "--rule", "n // 0"], "the rule n // 0 divides by zero for n = 1"),
        (["quorum", "--rule", "10 // (n - 3)"], "the rule 10 // (n - 3) divides by zero for n = 3"),
        (["quorum", "--rule", "n", "--commit-rule", "n"], "give --rule for both, or"),
        (["quorum", "--weights", ""], "is no list of whole numbers"),
        (["quorum", "--weights", "3,x"], "--weights '3,x' is no list of whole numbers; write for example 3,1,1,1"),
        (["quorum", "--weights", "-1,2"], "is no list of whole numbers"),
        (["quorum", "--weights", "0,0"], "nobody has a vote"),
        (["quorum", "--weights", ",".join("1" * 21)], "there are 21 weights"),
        (["quorum", "--rule"], "requires an argument"),
        (["quorum", "--json", "/dev/null/x"], "cannot write"),
    ],
)
def test_a_bad_request_is_one_line(arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(arguments, capsys)
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.splitlines()) == 1


def test_a_refuted_theorem(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = (
        Outcome("First", "One.", "source", "proved", 0.1),
        Outcome("Second", "Two.", "source", "refuted", 0.1, "indexes [0, 1]"),
        Outcome("Third", "Three.", "source", "unknown", 0.1),
    )
    monkeypatch.setattr("raftcheck.cli.prove.SUBJECTS", {"quorum": lambda sources: outcomes})
    code, out, _ = run([], capsys)
    assert code == 1
    assert out.splitlines()[-1] == "REFUTED: Second."
    assert "→ indexes [0, 1]" in out
    monkeypatch.setattr("raftcheck.cli.prove.SUBJECTS", {"quorum": lambda sources: (outcomes[0], outcomes[2])})
    code, out, _ = run([], capsys)
    assert (code, out.splitlines()[-1]) == (3, "INCONCLUSIVE: not proved: Third.")


def test_cold_reaches_the_subjects(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def subject(sources: Sources) -> tuple[Outcome, ...]:
        seen.append(sources.cold)
        return (Outcome("First", "One.", "source", "proved", 0.1),)

    monkeypatch.setattr("raftcheck.cli.prove.SUBJECTS", {"quorum": subject, "other": subject})
    assert run(["--cold"], capsys)[0] == 0
    assert run(["other"], capsys)[0] == 0
    assert seen == [True, True, False]


def test_a_mutant_that_exploration_refutes_is_refuted_for_every_size() -> None:
    rules = MUTANTS["half-rounded-up"].rules
    found = check_quorum_rule(election_rule=rules.election_quorum, commit_rule=rules.commit_quorum)
    assert found.verdict == "refuted"
    assert found.counterexample is not None
    assert found.counterexample.servers == 2
