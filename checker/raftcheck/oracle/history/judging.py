"""`judge_history`: is a history linearizable?"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from raftcheck.explore.limits import Limits, Watch
from raftcheck.explore.result import Progress
from raftcheck.oracle.history.events import Event, History, paired
from raftcheck.oracle.history.explain import Explanation, explain, first_impossible
from raftcheck.oracle.history.formats import model_named, read_history, require_format
from raftcheck.oracle.history.models import Model
from raftcheck.oracle.history.parts import parts_of
from raftcheck.oracle.history.report import JudgedPart, judgement_of
from raftcheck.oracle.history.search import Steps, search_all
from raftcheck.oracle.judgement import Judgement, UnreadableError

MAX_SECONDS = 60.0

EXPLAINING_SECONDS = 10.0
"""At most so long an explanation is made smaller."""


@dataclass(frozen=True)
class Examination:
    """A judgement, and all that it was made of.

    `model` is the one for this history, `parts` are what was searched one by one.
    """

    judgement: Judgement
    model: Model
    history: History
    parts: tuple[JudgedPart, ...]
    explanation: Explanation | None


def judge_history(
    source: str | Path | Iterable[Event],
    *,
    format: str | None = None,
    model: str | Model | None = None,
    max_seconds: float | None = MAX_SECONDS,
    max_memory: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Judgement:
    """Judge whether a history is linearizable (Herlihy & Wing 1990).

    `source` is a file in a format of `FORMATS` ("-" is stdin), or the events themselves. `model` is the name of one in
    `MODELS`, or a `Model` of your own; without it, the one that belongs to the format. Limits of time, in seconds, and
    of memory, in bytes of the whole process, make the answer undecided.

    Raises UnreadableError for a file that is no such history, ModelError for a format or model that does not exist.
    """
    return examine(
        source, format=format, model=model, max_seconds=max_seconds, max_memory=max_memory, progress=progress
    ).judgement


def examine(
    source: str | Path | Iterable[Event],
    *,
    format: str | None = None,
    model: str | Model | None = None,
    max_seconds: float | None = MAX_SECONDS,
    max_memory: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Examination:
    """Judge a history as `judge_history` does, and return what the answer was made of as well."""
    start = time.monotonic()
    if isinstance(source, str | Path):
        require_format(format)
    chosen = model if isinstance(model, Model) else model_named(model, format)
    limits = Limits(max_seconds=max_seconds, max_memory=max_memory)
    history = read_history(str(source), format or "") if isinstance(source, str | Path) else paired("events", source)
    chosen = fitted(chosen, history)
    parts = parts_of(chosen, history.calls)
    watch, steps = Watch(limits, progress), Steps(chosen)
    results = search_all([part.calls for part in parts], steps, watch)
    judged = [JudgedPart(part, found) for part, found in zip(parts, results, strict=True)]
    explanation = explained(judged, steps, Limits(max_seconds=EXPLAINING_SECONDS, max_memory=max_memory))
    judgement = judgement_of(history, chosen, judged, explanation, time.monotonic() - start)
    return Examination(judgement, chosen, history, tuple(judged), explanation)


def explained(judged: Sequence[JudgedPart], steps: Steps, limits: Limits) -> Explanation | None:
    """Return why the first impossible event of all parts is impossible, None if no part has one."""
    watch = Watch(limits, None)
    impossible = [
        first_impossible(part.part, part.found, steps, watch) for part in judged if part.found.linearizable is False
    ]
    if not impossible:
        return None
    return explain(min(impossible, key=lambda event: event.position), steps, watch)


def fitted(model: Model, history: History) -> Model:
    """Return the model for a history. Raises UnreadableError if it does not know an operation, naming the line."""
    for call in (*history.calls, *history.failed, *history.stale):
        try:
            model.check(call.operation, call.result)
        except ValueError as error:
            raise UnreadableError(history.name, call.completion_line or call.line, str(error)) from error
    try:
        return model.fitted(history)
    except ValueError as error:
        raise UnreadableError(history.name, 1, str(error)) from error
