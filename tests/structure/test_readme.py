"""The README's programs run and print what it says."""

import contextlib
import io
import re
from typing import Any

import pytest

from raftcheck.cli.main import main
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```(?:\n\n```\n(.*?)```)?", README, re.DOTALL)
SECONDS = re.compile(r" +\d+\.\d{3}$|by Z3 .*")
FIGURES = re.compile(r"(took|peak memory|\d+\.\d+ s).*")


@pytest.mark.parametrize(("program", "printed"), PROGRAMS, ids=["rules", "protocol"])
def test_a_program_prints_what_the_readme_shows(program: str, printed: str) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(program, "README.md", "exec"), {})
    assert out.getvalue() == printed


def test_the_mutant_behaves_as_the_readme_shows(tmp_path: Any, capsys: pytest.CaptureFixture[str]) -> None:
    command = re.search(r"raftproof (check --mutant [^\n]*) --save found\n\n```\n(.*?)```", README, re.DOTALL)
    assert command is not None
    arguments = [part.strip('"') for part in re.findall(r'"[^"]*"|\S+', command[1])]
    assert main([*arguments, "--save", str(tmp_path)]) == 1
    out = capsys.readouterr().out.replace(str(tmp_path), "found")
    assert [FIGURES.sub("", line) for line in out.splitlines()] == [
        FIGURES.sub("", line) for line in command[2].splitlines()
    ]


def test_the_first_output_is_what_make_run_prints(capsys: pytest.CaptureFixture[str]) -> None:
    shown = next(block for block in re.findall(r"```\n(.*?)```", README, re.DOTALL) if block.startswith("HOLDS"))
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert [FIGURES.sub("", line) for line in out.splitlines()] == [
        FIGURES.sub("", line) for line in shown.splitlines()
    ]


def test_a_rule_is_proved_as_the_readme_shows(capsys: pytest.CaptureFixture[str]) -> None:
    shown = re.search(r'raftproof (prove quorum --rule) "([^"]*)"\n\n```\n(.*?)```', README, re.DOTALL)
    assert shown is not None
    assert main([*shown[1].split(), shown[2]]) == 0
    out = capsys.readouterr().out
    assert [FIGURES.sub("", line) for line in out.splitlines()] == [
        FIGURES.sub("", line) for line in shown[3].splitlines()
    ]


def test_the_proof_is_as_the_readme_shows(capsys: pytest.CaptureFixture[str]) -> None:
    start = README.index("   theorem ")
    shown = README[start : README.index("\n```", start)]
    assert main(["prove"]) == 0
    out = {SECONDS.sub("", line.rstrip()) for line in capsys.readouterr().out.splitlines()}
    lines = [SECONDS.sub("", line) for line in shown.splitlines() if line != "..."]
    assert len(lines) > 5
    assert [line for line in lines if line not in out] == []


JUDGED = re.findall(r"    \$ \.venv/bin/raftproof (judge [^\n]*)\n\n```\n(.*?)\n```", README, re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), JUDGED, ids=[command for command, _ in JUDGED])
def test_others_are_judged_as_the_readme_shows(command: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command.split()) == (0 if shown.startswith("ACCEPT") else 1)
    out = capsys.readouterr().out
    assert [FIGURES.sub("", line) for line in out.splitlines()] == [
        FIGURES.sub("", line) for line in shown.splitlines()
    ]


def test_two_judgements_are_shown() -> None:
    assert len(JUDGED) == 2
