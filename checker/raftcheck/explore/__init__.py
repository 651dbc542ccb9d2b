"""The engines that explore every behaviour of a system. Nothing here knows Raft."""

from raftcheck.explore.api import MODES, Mode, assert_holds, explore
from raftcheck.explore.result import (
    Counterexample,
    Event,
    GlobalState,
    Progress,
    PropertyResult,
    Result,
    Verdict,
    VerificationError,
)

__all__ = [
    "MODES",
    "Counterexample",
    "Event",
    "GlobalState",
    "Mode",
    "Progress",
    "PropertyResult",
    "Result",
    "Verdict",
    "VerificationError",
    "assert_holds",
    "explore",
]
