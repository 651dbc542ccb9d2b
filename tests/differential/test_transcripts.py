"""The formats of transcripts and of lists of differences; what runs commands; what compares answers."""

from pathlib import Path

import pytest

from tests.differential import differences, transcripts
from tests.differential.running import lines_of, with_base64
from tests.differential.systems import names_and_places
from tests.differential.test_differential import FILES, compared
from tests.differential.transcripts import Command, Entry, identifiers


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_transcript_is_written_as_it_was_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert transcripts.written(transcripts.parsed(text)) == text


def test_a_list_of_differences_is_written_as_it_was_read() -> None:
    text = differences.FILE.read_text(encoding="utf-8")
    assert differences.written(text.partition("\n\n")[0], differences.parsed(text)) == text


@pytest.mark.parametrize("text", ["| an answer to nothing", "> a\nno sign", "< nobody reads this"])
def test_what_is_no_transcript_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no line of a transcript"):
        transcripts.parsed(text)


@pytest.mark.parametrize("text", ["> t: a command without a reason", "## why\n| no command", "## why\n\nnonsense"])
def test_what_is_no_list_of_differences_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no line of a list"):
        differences.parsed(text)


def test_commands_that_occur_again_are_numbered() -> None:
    commands = [Command("get a"), Command("put a 1"), Command("get a"), Command("get a")]
    assert identifiers("t", commands) == ["t: get a", "t: put a 1", "t: get a (2)", "t: get a (3)"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"key":b"a"}', '{"key":"YQ=="}'),
        (r'{"key":b"\x00\xff","value":b"\""}', '{"key":"AP8=","value":"Ig=="}'),
        ('{"key":"b"}', '{"key":"b"}'),
        ('{"ab":"cb"}', '{"ab":"cb"}'),
        ('[b"a",b"b"]', '["YQ==","Yg=="]'),
        ('{"key":b""}', '{"key":""}'),
    ],
)
def test_bytes_are_written_in_base64(body: str, expected: str) -> None:
    assert with_base64(body) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a\nb\n", ["| a", "| b"]),
        (b"a\n\nb", ["| a", "|", "| b"]),
        (b"\xff\x00\r\n", ["| \\xff\\x00\\r"]),
        ("ключ".encode(), ["| ключ"]),
    ],
)
def test_what_is_printed_becomes_lines(data: bytes, expected: list[str]) -> None:
    assert lines_of("|", data) == expected


ENTRY = Entry(Command("etcdctl put a 1"), ("| OK",))


@pytest.mark.parametrize("answer", [(), ("| ok",), ("! OK",), ("| OK", "= 1"), ("| OK", "|")])
def test_every_other_answer_is_reported(answer: tuple[str, ...]) -> None:
    report = compared(["t: etcdctl put a 1"], [ENTRY], [ENTRY._replace(answer=answer)])
    assert report.startswith("t: etcdctl put a 1\n")
    assert "-| OK" in report or "+" in report


def test_equal_answers_are_not_reported() -> None:
    assert not compared(["a", "b"], [ENTRY, ENTRY], [ENTRY, ENTRY])


def test_no_two_clusters_go_by_the_same_names() -> None:
    assert not {name for name, _, _ in names_and_places(3)} & {name for name, _, _ in names_and_places(3)}
