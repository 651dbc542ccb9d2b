"""The engines that explore every behaviour of a system. Nothing here knows Raft."""

from raftcheck.explore.api import MODES, Mode, assert_holds, explore
from raftcheck.explore.choosing import Faults
from raftcheck.explore.graph import TooManyStatesError, state_graph
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
from raftcheck.explore.simulate import SimulatedProperty, Simulation, simulate

__all__ = [
    "MODES",
    "Counterexample",
    "Event",
    "Faults",
    "GlobalState",
    "Mode",
    "Progress",
    "PropertyResult",
    "Result",
    "SimulatedProperty",
    "Simulation",
    "TooManyStatesError",
    "Verdict",
    "VerificationError",
    "assert_holds",
    "explore",
    "simulate",
    "state_graph",
]
