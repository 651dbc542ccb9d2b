"""What a random walk of a cluster needs to know of Raft: how often things happen, how much of them, what to count."""

from collections.abc import Mapping

from raftcheck.explore import GlobalState
from raftcheck.model import Value
from raftcheck.raft.history import History
from raftcheck.raft.process import Crash, CrashWithin, Node
from raftimpl.step import (
    ClientRequest,
    Compact,
    ElectionTimeout,
    HeartbeatTimeout,
    QuorumTimeout,
    ReadRequest,
    TransferLeadership,
)

RATES: Mapping[Value, float] = {
    ClientRequest: 1.0,
    ReadRequest: 0.5,
    HeartbeatTimeout: 0.3,
    Compact: 0.1,
    TransferLeadership: 0.05,
    QuorumTimeout: 0.02,
    ElectionTimeout: 0.05,
    Crash: 0.03,
    CrashWithin: 0.01,
}
"""How often each kind of input is drawn, compared to others: a leader has some time before the next election."""

SHARES = {
    "terms": 20, "entries": 20, "crashes": 40, "reads": 40, "heartbeats": 10, "compactions": 40, "transfers": 40,
    "quorum_timeouts": 80,
}  # fmt: skip
"""One for so many steps of a walk: about twice what a walk uses on average."""

LEAST_BUDGET, GREATEST_BUDGET = 5, 300


def budgets(steps: int) -> dict[str, int]:
    """Return bounds that are seldom used up by a walk of so many steps; longer walks than some 10,000 may be."""
    return {name: min(max(steps // share, LEAST_BUDGET), GREATEST_BUDGET) for name, share in SHARES.items()}


def figures(state: GlobalState) -> dict[str, int]:
    """Return what happened in a walk, from its last state."""
    history: History = state.ghost  # type: ignore[assignment]
    nodes: tuple[Node, ...] = state.processes  # type: ignore[assignment]
    return {
        "terms": max(node.server.current_term for node in nodes),
        "elections won": len(history.elected),
        "client entries appended": history.requests,
        "entries committed": len(history.committed),
        "reads answered": sum(read.answered_from is not None for read in history.reads),
        "crashes": history.crashes,
        "compactions": history.compactions,
        "leadership transfers": history.transfers,
        "quorum timeouts": history.quorum_timeouts,
    }
