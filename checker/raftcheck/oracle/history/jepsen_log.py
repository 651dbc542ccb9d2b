"""The logs that Jepsen printed of a compare-and-set register.

    INFO  jepsen.util - 3 <tab> :invoke <tab> :cas <tab> [1 4]

`:fail :cas` means that the register did not hold the old value. A read that timed out says nothing.
"""

import re
from collections.abc import Iterator

from raftcheck.oracle.history.events import Event, EventType
from raftcheck.oracle.lines import Lines

LINE = re.compile(r"INFO\s+jepsen\.util\s+-\s+(\d{1,18})\s+:(invoke|ok|fail|info)\s+:(read|write|cas)\s+(.*\S)\s*")
VALUE = re.compile(r"nil|-?\d{1,18}")
PAIR = re.compile(r"\[(-?\d{1,18}) (-?\d{1,18})\]")
TIMED_OUT = ":timed-out"
WITHOUT_OUTCOME = {("info", "write"), ("info", "cas"), ("info", "read"), ("fail", "read")}


def read_jepsen_log(lines: Lines) -> Iterator[Event]:
    """Yield the events of a log. Raises UnreadableError, naming the line, for what is none."""
    for line in lines:
        if not line.strip():
            continue
        read = LINE.fullmatch(line)
        if not read:
            raise lines.fault(f"no event of a Jepsen register log: {shortened(line)}")
        yield event_of(lines, int(read[1]), read[2], read[3], read[4])  # type: ignore[arg-type]


def event_of(lines: Lines, process: int, kind: EventType, function: str, text: str) -> Event:
    """Return the event of a line's parts."""
    if text == TIMED_OUT:
        if (kind, function) not in WITHOUT_OUTCOME:
            raise lines.fault(f":{kind} :{function} cannot be {TIMED_OUT}")
        return Event(kind, process, function, line=lines.number)
    value: int | tuple[int, int] | None
    if function == "cas":
        pair = PAIR.fullmatch(text)
        if not pair:
            raise lines.fault(f":cas needs [old new], not {shortened(text)}")
        value = (int(pair[1]), int(pair[2]))
    elif VALUE.fullmatch(text):
        value = None if text == "nil" else int(text)
    else:
        raise lines.fault(f":{function} needs a number or nil, not {shortened(text)}")
    if function == "read" and kind == "invoke":
        if value is not None:
            raise lines.fault(f":read is invoked with nil, not {text}")
        return Event(kind, process, function, line=lines.number)
    if function == "read":
        return Event(kind, process, function, result=value, line=lines.number)
    if kind == "fail" and function == "cas":
        return Event("ok", process, function, value=value, result=False, line=lines.number)
    result = True if function == "cas" and kind == "ok" else None
    return Event(kind, process, function, value=value, result=result, line=lines.number)


def shortened(text: str) -> str:
    """Return the beginning of a text, for a message."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
