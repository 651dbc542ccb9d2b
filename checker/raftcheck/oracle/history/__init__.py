"""Histories of clients: are they linearizable?"""

from raftcheck.oracle.history.events import UNKNOWN, Call, Event, History, Operation
from raftcheck.oracle.history.judging import Examination, examine, judge_history
from raftcheck.oracle.history.models import KeyValue, Model, Register

__all__ = [
    "UNKNOWN",
    "Call",
    "Event",
    "Examination",
    "History",
    "KeyValue",
    "Model",
    "Operation",
    "Register",
    "examine",
    "judge_history",
]
