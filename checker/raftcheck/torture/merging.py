"""The parts of a trace that servers have written (`raftimpl.running.recorder`), put together to one.

The order is that of the logical clocks; so a message is sent before it arrives. Steps whose records did not survive a
crash are left out: nobody can have seen anything of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge

import msgspec

from raftimpl import trace
from raftimpl.running.recorder import Line

DECODER = msgspec.json.Decoder(Line)

START = b'"event":"start"'


def merged(parts: Sequence[Iterable[bytes]], names: Sequence[str], source: str) -> Iterator[bytes]:
    """Yield the lines of a trace in the format raftproof/trace/1. `parts` are the lines of each server's file.

    Raises msgspec.DecodeError for what is no such line, but for the last one of a file, which may be torn.
    """
    yield msgspec.json.encode(trace.header(names, source=source)) + b"\n"
    survived = [[(line.clock, server, line.step) for line in surviving(part)] for server, part in enumerate(parts)]
    for _, _, step in merge(*survived):
        yield bytes(step) + b"\n"


def surviving(part: Iterable[bytes]) -> list[Line]:
    """Return what a server's file says, without the steps of which a later start found nothing."""
    kept: list[Line] = []
    for text in part:
        if not text.endswith(b"\n"):
            break
        line = DECODER.decode(text)
        if is_start(line):
            while kept and kept[-1].records > line.records:
                kept.pop()
        kept.append(line)
    return kept


def is_start(line: Line) -> bool:
    """Tell whether a line is a server's start; the fields of a step are written in one order, so a look suffices."""
    return START in bytes(line.step)[:64]
