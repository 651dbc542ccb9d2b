"""What is no history is refused, with the line and what is wrong with it."""

from pathlib import Path

import pytest

from raftcheck.model import ModelError
from raftcheck.oracle import UnreadableError, judge_history

JEPSEN = "INFO  jepsen.util - {}\t:{}\t:{}\t{}\n".format
INVOKE = JEPSEN(0, "invoke", "write", 1)
PORCUPINE = "{{:process {}, :type :{}, :f :{}, :key {}, :value {}}}\n".format

# format, text, line, words of the message
TABLE: list[tuple[str, str, int, str]] = [
    ("jepsen", "", 0, "holds no operation"),
    ("jepsen", "\n\n", 0, "holds no operation"),
    ("jepsen", INVOKE[:-8], 1, "no event of a Jepsen register log"),
    ("jepsen", INVOKE + "something else\n", 2, "no event"),
    ("jepsen", INVOKE + JEPSEN(1, "ok", "write", 1), 2, "process 1 has no operation under way"),
    ("jepsen", INVOKE + INVOKE, 2, "while its write of line 1 is under way"),
    ("jepsen", INVOKE + JEPSEN(0, "ok", "write", 2), 2, "completes 2, but invoked 1 in line 1"),
    ("jepsen", INVOKE + JEPSEN(0, "ok", "read", 2), 2, 'completes "read"'),
    ("jepsen", JEPSEN(0, "invoke", "cas", 2), 1, ":cas needs [old new]"),
    ("jepsen", JEPSEN(0, "invoke", "write", "[1 2]"), 1, ":write needs a number or nil"),
    ("jepsen", JEPSEN(0, "invoke", "read", 1), 1, "invoked with nil"),
    ("jepsen", INVOKE + JEPSEN(0, "ok", "write", ":timed-out"), 2, "cannot be :timed-out"),
    ("porcupine", "{:process 1, :type :info, :f :get}\n", 1, "no event of a Porcupine"),
    ("porcupine", PORCUPINE(1, "invoke", "put", '"a"', "nil"), 1, "cannot have the value"),
    ("porcupine", PORCUPINE(1, "invoke", "get", '"\\q"', "nil"), 1, "unknown escape"),
    ("edn", "[{:process 0 :type :invoke :f :read}", 1, "the end of the file comes before ]"),
    ("edn", "[{:process 0 :type :invoke :f :read}]]", 1, "after the end"),
    ("edn", "{:process 0 :type :invoke\n :f", 2, "end of the file"),
    ("edn", "{:process 0\n :type :invoke :f :read}\n{:process 1 :type :begin :f :read}", 3, ":type of an event"),
    ("edn", "{:process 0 :f :read}", 1, "lacks :type"),
    ("edn", "[1 2]", 1, "an event is a map"),
    ("edn", "{:process 0 :process 1 :type :ok :f :read}", 1, "key twice"),
    ("edn", "{:process 0 :type}", 1, "key without a value"),
    ("edn", '{:process 0 :type :invoke :f :read :value "\n', 1, "not closed"),
    ("edn", "{:process 0 :type :invoke :f :read :value 12x}", 1, "no EDN"),
    ("edn", "{:process 0 :type :invoke :f :read :value " + "[" * 100, 1, "within each other"),
    ("edn", "{:process 0 :type :invoke :f :read :value 7}", 1, "invoked with nil"),
    ("edn", "{:process 0 :type :invoke :f :txn :value nil}", 1, "register has no operation 'txn'"),
    (
        "edn",
        "{:process 0 :type :invoke :f :read :value [1 nil]}\n{:process 1 :type :invoke :f :write :value 3}",
        2,
        "no [key value]",
    ),
    ("json", '{"type": "invoke", "process": 1, "f": "get", "key": "a"}\n{"type"', 2, "no event of a JSON history"),
    ("json", '{"type": "begin", "process": 1, "f": "get"}', 1, "Invalid enum value 'begin'"),
    ("json", '{"type": "invoke", "process": 1, "f": "get", "extra": 1}', 1, "unknown field `extra`"),
    ("json", '{"type": "invoke", "process": 1, "f": "get", "key": "a", "result": 3}', 1, "only ok does"),
    ("json", '{"type": "invoke", "process": 1, "f": "steal", "key": "a"}', 1, "etcd has no operation 'steal'"),
    ("json", '{"type": "invoke", "process": 1, "f": "get"}', 1, "get needs a key"),
    ("json", '{"type": "invoke", "process": 1, "f": "cas", "key": "a", "value": 3}', 1, "cas needs"),
    (
        "json",
        '{"type": "invoke", "process": 1, "f": "get", "key": "a"}\n{"type": "ok", "process": 1, "f": "get"}',
        2,
        'tells its "result"',
    ),
    (
        "json",
        '{"type": "invoke", "process": 1, "f": "get", "key": "a"}\n'
        '{"type": "ok", "process": 1, "f": "get", "result": "1"}',
        2,
        "a record is an object",
    ),
    (
        "json",
        '{"type": "invoke", "process": 1, "f": "get", "key": "a", "time": 2}\n'
        '{"type": "invoke", "process": 2, "f": "get", "key": "a", "time": 1}',
        2,
        "the time goes back from 2 to 1",
    ),
    ("json", '{"schema": "raftproof/history/2"}', 1, "no event of a JSON history"),
    (
        "json",
        '{"schema": "raftproof/history/1", "initial": {"records": 1}}\n'
        '{"type": "invoke", "process": 1, "f": "get", "key": "a"}',
        1,
        "is no list",
    ),
]


@pytest.mark.parametrize(("form", "text", "line", "words"), TABLE, ids=[f"{row[0]}-{row[3][:30]}" for row in TABLE])
def test_a_fault_names_its_line(form: str, text: str, line: int, words: str, tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnreadableError) as caught:
        judge_history(path, format=form)
    assert caught.value.line == line, caught.value
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("form", ["jepsen", "porcupine", "edn", "json"])
def test_foreign_bytes_are_refused(form: str, tmp_path: Path) -> None:
    for name, content in {"binary": bytes(range(256)), "empty": b"", "text": b"Dear reader,\n"}.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(UnreadableError):
            judge_history(path, format=form)
    with pytest.raises(UnreadableError, match="cannot be read"):
        judge_history(tmp_path / "missing", format=form)
    with pytest.raises(UnreadableError, match="cannot be read"):
        judge_history(tmp_path, format=form)


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text(INVOKE)
    with pytest.raises(ModelError, match="no format 'csv'; there are jepsen"):
        judge_history(path, format="csv")
    with pytest.raises(ModelError, match="no model 'queue'; there are register"):
        judge_history(path, format="jepsen", model="queue")
    with pytest.raises(UnreadableError, match="holds no operation"):
        judge_history([], model="register")
