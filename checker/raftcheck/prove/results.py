"""What a proof tells: one outcome for each theorem, and the verdict of them all."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["proved", "refuted", "unknown"]

ProofVerdict = Literal["proved", "refuted", "inconclusive", "vacuous"]
"""`vacuous`: nothing unsafe can happen, because nothing can happen at all."""


@dataclass(frozen=True)
class Outcome:
    """What became of one theorem.

    `meaning` is the theorem in a sentence, `source` where it comes from, `seconds` what the attempt took. `detail`
    is for people: the counterexample of what is refuted, why something is unknown, a witness of what is proved. A
    `counterexample` that does not fit in a line is told in several. `queries`: how many there were to Z3, if counted.
    """

    name: str
    meaning: str
    source: str
    status: Status
    seconds: float
    detail: str = ""
    counterexample: str = ""
    queries: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain JSON values."""
        return {**asdict(self), "seconds": round(self.seconds, 6)}


def verdict_of(outcomes: Iterable[Outcome]) -> ProofVerdict:
    """Return what the outcomes come to: one that is refuted decides, then one that is unknown."""
    found = {outcome.status for outcome in outcomes}
    if "refuted" in found:
        return "refuted"
    return "inconclusive" if "unknown" in found or not found else "proved"
