"""The oracle: is what another implementation did allowed?

Traces of whole clusters, histories of clients, and peers that are driven step by step. Every answer is accept, reject
or undecided: see `Judgement`.
"""

from raftcheck.oracle.history import judge_history
from raftcheck.oracle.judgement import Judgement, Rejection, UnreadableError
from raftcheck.oracle.lockstep.api import judge_lockstep, replay_lockstep
from raftcheck.oracle.trace.api import judge_trace

__all__ = [
    "Judgement",
    "Rejection",
    "UnreadableError",
    "judge_history",
    "judge_lockstep",
    "judge_trace",
    "replay_lockstep",
]
