"""Check, prove and judge: the engines of raftproof."""

from raftcheck.explore import Counterexample, Progress, Result, VerificationError, assert_holds, explore
from raftcheck.model import (
    Deliver,
    ModelError,
    Network,
    NoticingScenario,
    Process,
    Property,
    Scenario,
    Send,
    Step,
    System,
    always,
    always_step,
    recoverable,
    sometimes,
)
from raftcheck.version import __version__

__all__ = [
    "Counterexample",
    "Deliver",
    "ModelError",
    "Network",
    "NoticingScenario",
    "Process",
    "Progress",
    "Property",
    "Result",
    "Scenario",
    "Send",
    "Step",
    "System",
    "VerificationError",
    "__version__",
    "always",
    "always_step",
    "assert_holds",
    "explore",
    "recoverable",
    "sometimes",
]
