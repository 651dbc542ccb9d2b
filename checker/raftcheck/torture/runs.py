"""What a run came to, whatever it was a run of."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from raftcheck.torture.judging import Finding

Verdict = Literal["not violated", "violated", "inconclusive"]


@dataclass(frozen=True)
class Run:
    """A run of a cluster under faults. Its history, trace and faults are files in `folder`.

    `repeat` is the command that does it again. `operations` counts what clients asked, by function; `outcomes` what
    came of it: ok, fail, info (nobody knows); `faults` what went wrong, by kind; `counts` what servers did.
    """

    seed: int
    repeat: tuple[str, ...]
    folder: Path
    findings: Sequence[Finding]
    operations: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """What the judges say together."""
        if any(not finding.is_open for finding in self.findings):
            return "violated"
        return "inconclusive" if self.findings else "not violated"
