"""Files that are no traces: one clear line, with the number of the line, and exit code 2."""

import json
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from raftcheck.cli.main import main
from tests.oracle.trace import steady, stories

PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x10\x00\x00\x00\x10\x08\x02"


def own() -> list[str]:
    return [json.dumps(record) for record in stories.file_of("commitment")]


def etcd() -> list[str]:
    return list(islice(steady.lines(), 40))


GOOD: dict[str, Callable[[], list[str]]] = {"raftproof": own, "etcd": etcd}


def bad_files(format: str) -> dict[str, tuple[bytes, int]]:
    """What is in the file, and in which line it is found to be bad; 0 for none."""
    lines = GOOD[format]()
    text = "\n".join(lines) + "\n"
    return {
        "empty": (b"", 0),
        "an empty line": (b"\n", 1),
        "cut off": (text[: -len(lines[-1]) // 2].encode(), len(lines)),
        "a PNG": (PNG, 1),
        "a CSV": (b"term,index\n1,2\n", 1),
        "other JSON": (b'{"name": "raftproof", "version": 1}\n', 1),
        "a JSON list": (b"[1, 2, 3]\n", 1),
        "deeply nested": (b"[" * 100_000 + b"\n", 1),
        "a number that is none": (text.replace('"term": 1', '"term": "one"', 1).encode(), 0),
        "bytes that are no text": (text.encode() + b"\xff\xfe\n", len(lines) + 1),
    }


NAMES = list(bad_files("etcd"))


@pytest.mark.parametrize("format", GOOD)
@pytest.mark.parametrize("name", NAMES)
def test_bad_files(format: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content, line = bad_files(format)[name]
    file = tmp_path / "trace"
    file.write_bytes(content)
    assert main(["judge", "trace", str(file), "--format", format]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1, told.err
    assert str(file) in told.err
    if line:
        assert f"line {line}:" in told.err


@pytest.mark.parametrize("format", GOOD)
def test_good_files(format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trace"
    file.write_text("\n".join(GOOD[format]()), encoding="utf-8")
    assert main(["judge", "trace", str(file), "--format", format]) == 0
    assert capsys.readouterr().out.startswith("ACCEPT")


@pytest.mark.parametrize("format", GOOD)
def test_the_other_format(format: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (other,) = set(GOOD) - {format}
    file = tmp_path / "trace"
    file.write_text("\n".join(GOOD[other]()), encoding="utf-8")
    assert main(["judge", "trace", str(file), "--format", format]) == 2
    assert "line 1:" in capsys.readouterr().err


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (tmp_path, tmp_path / "missing"):
        assert main(["judge", "trace", str(file)]) == 2
        told = capsys.readouterr().err
        assert "cannot be read" in told
        assert told.count("\n") == 1


def test_a_trace_that_begins_late_is_undecided(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "trace"
    file.write_text("\n".join(etcd()[1:]), encoding="utf-8")
    assert main(["judge", "trace", str(file), "--format", "etcd"]) == 3
    assert "does not begin at its beginning" in capsys.readouterr().out
