"""What the oracle answers: accept, reject or undecided, and on what that rests.

An accept is a statement about everything that was read: nothing is accepted because it was skipped. What could not be
decided within the limits, or for what was not recorded, is undecided, and the reason is told.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from raftcheck.model import ModelError

Answer = Literal["accept", "reject", "undecided"]

SCHEMA = "raftproof/1"


class UnreadableError(ModelError):
    """Raised when a file is not what it should be: `what` is wrong with it, and in which line (from 1; 0: in none)."""

    def __init__(self, name: str, line: int, what: str) -> None:
        super().__init__(f"{name}, line {line}: {what}" if line else f"{name}: {what}")
        self.line = line


@dataclass(frozen=True)
class Rejection:
    """The first event that no correct system could show.

    `where` names the event and its line, `event` says in words what happened, `rule` is the action of the
    specification or the property that is broken, and `reason` which of its conditions and how. `before` and `after` are
    what is known of the state before the event, and what the event claims.
    """

    where: str
    event: str
    rule: str
    reason: str
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """The answer about one trace, history or peer.

    `checked` counts what was judged, in units of `unit` ("events", "operations", "steps"): on a reject, all before the
    rejected one. `against` says what it was compared with, `assumptions` what was taken for granted, `why` is the
    reason if the answer is undecided. `details` are further facts in the order in which they should be read; a tuple
    is told one item a line.
    """

    answer: Answer
    subject: str
    checked: int
    unit: str
    against: str
    assumptions: tuple[str, ...] = ()
    rejection: Rejection | None = None
    why: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def __post_init__(self) -> None:
        if (self.answer == "reject") != (self.rejection is not None):
            raise ValueError(f"{self.answer} with rejection {self.rejection}")
        if (self.answer == "undecided") != bool(self.why):
            raise ValueError(f"{self.answer} with the reason {self.why!r}")

    @property
    def is_accepted(self) -> bool:
        """Tell whether everything is allowed. An undecided answer is no accept."""
        return self.answer == "accept"

    def __str__(self) -> str:
        return "\n".join(lines_of(self))


def lines_of(judgement: Judgement) -> Iterator[str]:
    """Yield the report, line by line; the first line is the answer."""
    counted = f"{judgement.checked:,} {judgement.unit}"
    if judgement.answer == "accept":
        yield f"ACCEPT: {judgement.subject}: all {counted} are allowed ({judgement.seconds:.1f} s)"
    elif judgement.answer == "undecided":
        yield f"UNDECIDED: {judgement.subject}: {judgement.why} ({judgement.seconds:.1f} s)"
        yield f"  {counted} were checked before that"
    elif judgement.rejection:
        yield f"REJECT: {judgement.subject}: {judgement.rejection.where} ({judgement.seconds:.1f} s)"
        yield from rejection_lines(judgement.rejection)
        yield f"  the {counted} before it are allowed"
    yield f"checked against {judgement.against}"
    yield from (f"assuming {assumption}" for assumption in judgement.assumptions)
    for name, value in judgement.details.items():
        if isinstance(value, tuple):
            yield f"{name}:"
            yield from (f"  {item}" for item in value)
        else:
            yield f"{name}: {value}"


def rejection_lines(rejection: Rejection) -> Iterator[str]:
    """Yield what was rejected and why."""
    yield f"  {rejection.event}"
    yield f"  breaks {rejection.rule}: {rejection.reason}"
    for title, values in (("before", rejection.before), ("claimed", rejection.after)):
        if values:
            yield f"  {title}: " + ", ".join(f"{name} {value}" for name, value in values.items())


def document_of(judgement: Judgement, version: str) -> dict[str, Any]:
    """Return a judgement as plain JSON values."""
    rejection = judgement.rejection
    return {
        "schema": SCHEMA,
        "kind": "judge",
        "version": version,
        "verdict": judgement.answer,
        "subject": judgement.subject,
        "checked": judgement.checked,
        "unit": judgement.unit,
        "against": judgement.against,
        "assumptions": list(judgement.assumptions),
        "rejection": rejection
        and {
            "where": rejection.where,
            "event": rejection.event,
            "rule": rejection.rule,
            "reason": rejection.reason,
            "before": dict(rejection.before),
            "after": dict(rejection.after),
        },
        "why": judgement.why or None,
        "details": dict(judgement.details),
        "seconds": round(judgement.seconds, 3),
    }
