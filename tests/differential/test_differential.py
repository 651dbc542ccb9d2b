"""One list of commands on real etcd and on this project's server: the answers are equal, or the difference is listed.

The answers of real etcd stand in the transcripts, so each system is compared with them alone.
`pytest --rewrite tests/differential` writes anew what etcd answers, what we answer where a difference is listed, and
the tables in docs/compatibility.md.
"""

import contextlib
import difflib
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import pytest

from tests.differential import differences, systems, transcripts
from tests.differential.running import run_all
from tests.differential.transcripts import Entry, Transcript, entry_lines, identifiers

FILES = sorted((Path(__file__).parent / "commands").glob("*.txt"))
TOPICS = [path.stem for path in FILES]
LISTED = {each.command: each for each in differences.parsed(differences.FILE.read_text(encoding="utf-8"))}

Start = Callable[[Path], contextlib.AbstractContextManager[systems.System]]


def transcript(topic: str) -> Transcript:
    return transcripts.parsed(path_of(topic).read_text(encoding="utf-8"))


def path_of(topic: str) -> Path:
    return next(path for path in FILES if path.stem == topic)


def needs_three_servers(recorded: Transcript) -> bool:
    return "# servers: 3" in recorded.above[0]


def answers(recorded: Transcript, start: Start, folder: Path) -> list[Entry]:
    with start(folder) as system:
        return run_all(system, [entry.command for entry in recorded.entries], folder / "user")


def compared(names: Iterable[str], expected: Iterable[Entry], actual: Iterable[Entry]) -> str:
    """Return what differs, command by command; nothing if nothing does."""
    reports = []
    for name, before, after in zip(names, expected, actual, strict=True):
        if before != after:
            lines = difflib.unified_diff(list(entry_lines(before)), list(entry_lines(after)), lineterm="", n=9)
            reports.append("\n".join([name, *list(lines)[3:]]))
    return "\n\n".join(reports)


ETCD = [
    pytest.param(topic, servers, id=f"{topic}-{servers}")
    for topic in TOPICS
    for servers in (1, 3)
    if servers == 3 or not needs_three_servers(transcript(topic))
]


@pytest.mark.skipif(bool(systems.missing("etcd", "etcdctl", "bash")), reason="etcd or etcdctl is not installed")
@pytest.mark.parametrize(("topic", "servers"), ETCD)
def test_etcd_answers_as_recorded(topic: str, servers: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """With one server or three: what is masked is what the number of servers, or chance, decides."""
    recorded = transcript(topic)
    actual = answers(recorded, partial(systems.etcd, servers), tmp_path)
    if request.config.getoption("--rewrite"):
        anew = recorded._replace(entries=tuple(actual))
        path_of(topic).write_text(transcripts.written(anew), encoding="utf-8")
        return
    report = compared(identifiers(topic, [entry.command for entry in recorded.entries]), recorded.entries, actual)
    assert not report, "\n" + report


OURS: dict[str, Start] = {"store": systems.local, "cluster": partial(systems.raftproof, 3)}
"""The API and the store alone, and a whole cluster."""

OUR_RUNS = [
    pytest.param(topic, start, id=f"{topic}-{name}")
    for topic in TOPICS
    for name, start in OURS.items()
    if name == "cluster" or not needs_three_servers(transcript(topic))
]


@pytest.mark.skipif(bool(systems.missing("etcdctl", "bash")), reason="etcdctl is not installed")
@pytest.mark.parametrize(("topic", "start"), OUR_RUNS)
def test_ours_answers_as_etcd_or_as_listed(
    topic: str, start: Start, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Fails for a difference that is not listed, and for a listed one that does not occur any more."""
    recorded = transcript(topic)
    names = identifiers(topic, [entry.command for entry in recorded.entries])
    actual = answers(recorded, start, tmp_path)
    if request.config.getoption("--rewrite"):
        relist({name: entry.answer for name, entry in zip(names, actual, strict=True)})
        return
    expected = [as_listed(name, entry) for name, entry in zip(names, recorded.entries, strict=True)]
    report = compared(names, expected, actual)
    assert not report, "\n" + report


def as_listed(name: str, entry: Entry) -> Entry:
    """Return the entry with the answer that ours is known to give."""
    return entry._replace(answer=LISTED[name].answer) if name in LISTED else entry


def relist(ours: dict[str, tuple[str, ...]]) -> None:
    """Write the answers that we give now to the commands whose answers are known to differ."""
    text = differences.FILE.read_text(encoding="utf-8")
    above = text.partition("\n\n")[0].rstrip("\n")
    now = [each._replace(answer=ours.get(each.command, each.answer)) for each in differences.parsed(text)]
    differences.FILE.write_text(differences.written(above, now), encoding="utf-8")


def recorded_answers() -> dict[str, Entry]:
    """Return what etcd answers to each command of the whole list."""
    found = {}
    for topic in TOPICS:
        entries = transcript(topic).entries
        found.update(zip(identifiers(topic, [entry.command for entry in entries]), entries, strict=True))
    return found


def test_every_listed_difference_is_one() -> None:
    etcd = recorded_answers()
    for name, difference in LISTED.items():
        assert name in etcd, f"no such command: {name}"
        assert difference.answer != etcd[name].answer, name


def test_the_document_lists_the_differences(request: pytest.FixtureRequest) -> None:
    document = differences.DOCUMENT.read_text(encoding="utf-8")
    listed = differences.parsed(differences.FILE.read_text(encoding="utf-8"))
    now = differences.with_tables(document, differences.tables(listed, recorded_answers()))
    if request.config.getoption("--rewrite"):
        differences.DOCUMENT.write_text(now, encoding="utf-8")
    assert now == document or request.config.getoption("--rewrite")


def test_there_are_several_hundred_commands() -> None:
    assert len(recorded_answers()) >= 1000
