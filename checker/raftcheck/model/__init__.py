"""What you hand to the checker: processes, a network, a scenario, properties. Nothing here knows Raft."""

from raftcheck.model.network import Envelope, Network
from raftcheck.model.process import Deliver, Process, Send, Step, Value
from raftcheck.model.properties import (
    Kind,
    Property,
    Scope,
    always,
    always_step,
    recoverable,
    sometimes,
)
from raftcheck.model.system import ModelError, NoticingScenario, Scenario, System

__all__ = [
    "Deliver",
    "Envelope",
    "Kind",
    "ModelError",
    "Network",
    "NoticingScenario",
    "Process",
    "Property",
    "Scenario",
    "Scope",
    "Send",
    "Step",
    "System",
    "Value",
    "always",
    "always_step",
    "recoverable",
    "sometimes",
]
