"""judge_trace: a file, judged."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec

from raftcheck.oracle.judgement import Judgement, Rejection, UnreadableError
from raftcheck.oracle.lines import Lines, open_lines
from raftcheck.oracle.trace.etcd import EtcdLines
from raftcheck.oracle.trace.judge import MalformedStepError, StepJudge
from raftcheck.oracle.trace.network import NetworkName, UndecidedError
from raftcheck.oracle.trace.steps import FORMAT, Header, Step

FormatName = Literal["raftproof", "etcd"]

PROGRESS_EVERY = 1_000
"""Events between two calls of the progress function."""


class LineJudge(Protocol):
    """Judges the lines of a trace in some format, one after the other."""

    unit: str
    against: str

    @property
    def checked(self) -> int:
        """How many events were judged."""

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is taken for granted about network and storage."""

    @property
    def details(self) -> dict[str, Any]:
        """What there was to judge."""

    def line(self, lines: Lines, text: str) -> Rejection | None:
        """Judge a line. Raises UnreadableError if it is none of the format, UndecidedError if that cannot be told."""

    def end(self, lines: Lines) -> None:
        """Raise UnreadableError if a trace cannot end here, UndecidedError if something could not be told."""


class RaftproofLines:
    """Our own format: see docs/traces.md."""

    unit = "steps"
    against = "the actions of the specification (raftspec.extended) and the promises of Raft (Figure 3)"

    def __init__(self, network: NetworkName | None) -> None:
        self._network = network
        self._judge: StepJudge | None = None
        self._header, self._step = msgspec.json.Decoder(Header), msgspec.json.Decoder(Step)

    @property
    def checked(self) -> int:
        """How many steps were judged."""
        return self._judge.checked if self._judge else 0

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is taken for granted."""
        return self._judge.assumptions if self._judge else ()

    @property
    def details(self) -> dict[str, Any]:
        """What the steps consisted of."""
        return self._judge.details if self._judge else {}

    def line(self, lines: Lines, text: str) -> Rejection | None:
        """Read the header, or judge a step."""
        try:
            if self._judge is None:
                self._judge = StepJudge(self._read_header(lines, text), self._network)
                return None
            return self._judge.step(self._step.decode(text))
        except (msgspec.DecodeError, MalformedStepError, RecursionError) as error:
            raise lines.fault(f"no step of a trace in format {FORMAT}: {error}") from error

    def _read_header(self, lines: Lines, text: str) -> Header:
        header = self._header.decode(text)
        if header.format != FORMAT:
            raise lines.fault(f"the format is {header.format!r}, not {FORMAT!r}")
        named = (*header.servers, *header.learners)
        if not header.servers:
            raise lines.fault("the header names no servers")
        if len(set(named)) < len(named):
            raise lines.fault("the header names a server twice")
        return header

    def end(self, lines: Lines) -> None:
        """Raise UnreadableError for a file without a step."""
        if not self.checked:
            raise UnreadableError(lines.name, 0, "there is no step in it")


FORMATS: dict[FormatName, Callable[[NetworkName | None], LineJudge]] = {"raftproof": RaftproofLines, "etcd": EtcdLines}


def judge_trace(
    file: str | Path,
    format: FormatName = "raftproof",
    network: NetworkName | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Judgement:
    """Judge a recorded trace of a whole cluster; `file` may be "-" for stdin.

    `network` is what the messages travelled on; by default what the trace says, or the one that excludes least.
    `progress` is called now and then with the number of events and the seconds. Time is linear in the number of
    events, memory is bounded. Raises UnreadableError, with the line, for what is no trace of that format.
    """
    judge = FORMATS[format](network)
    started = time.monotonic()
    rejection, why = None, ""
    with open_lines(str(file)) as lines:
        try:
            rejection = first_rejection(judge, lines, lambda: tell(progress, judge, started))
            if rejection is None:
                judge.end(lines)
        except UndecidedError as undecided:
            why = f"{undecided} (line {lines.number})"
    return Judgement(
        "reject" if rejection else "undecided" if why else "accept",
        lines.name,
        judge.checked,
        judge.unit,
        judge.against,
        judge.assumptions,
        rejection,
        why,
        judge.details,
        seconds=time.monotonic() - started,
    )


def first_rejection(judge: LineJudge, lines: Lines, each: Callable[[], None]) -> Rejection | None:
    """Return the first rejection, with its line; None if there is none."""
    for text in lines:
        rejection = judge.line(lines, text)
        if rejection is not None:
            return replace(rejection, where=f"{rejection.where} (line {lines.number:,})")
        if lines.number % PROGRESS_EVERY == 0:
            each()
    return None


def tell(progress: Callable[[int, float], None] | None, judge: LineJudge, started: float) -> None:
    """Call the progress function, if there is one."""
    if progress:
        progress(judge.checked, time.monotonic() - started)
