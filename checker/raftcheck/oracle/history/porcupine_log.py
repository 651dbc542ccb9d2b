"""The logs of a key-value store in Porcupine's test data.

    {:process 9, :type :invoke, :f :append, :key "0", :value "x 9 0 y"}

The functions are get, put and append; a key that was never written holds the empty text.
"""

import json
import re
from collections.abc import Iterator

from raftcheck.oracle.history.events import Event
from raftcheck.oracle.history.jepsen_log import shortened
from raftcheck.oracle.lines import Lines

TEXT = r'"(?:[^"\\]|\\.)*"'
LINE = re.compile(
    rf"\{{:process (\d{{1,18}}), :type :(invoke|ok), :f :(get|put|append), :key ({TEXT}), :value (nil|{TEXT})\}}"
)


def read_porcupine_log(lines: Lines) -> Iterator[Event]:
    """Yield the events of a log. Raises UnreadableError, naming the line, for what is none."""
    for line in lines:
        if not line.strip():
            continue
        read = LINE.fullmatch(line.strip())
        if not read:
            raise lines.fault(f"no event of a Porcupine key-value log: {shortened(line)}")
        process, kind, function, key, text = read.groups()
        value = None if text == "nil" else unquoted(lines, text)
        is_answer = function == "get" and kind == "ok"
        if (value is None) != (function == "get" and kind == "invoke"):
            raise lines.fault(f":{kind} :{function} cannot have the value {shortened(text)}")
        yield Event(
            kind,  # type: ignore[arg-type]
            int(process),
            function,
            key=unquoted(lines, key),
            value=None if is_answer else value,
            result=value if is_answer else None,
            line=lines.number,
        )


def unquoted(lines: Lines, text: str) -> str:
    """Return what a quoted text says."""
    try:
        return str(json.loads(text))
    except ValueError as error:
        raise lines.fault(f"the text {shortened(text)} has an unknown escape") from error
