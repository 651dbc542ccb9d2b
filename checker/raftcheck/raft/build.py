"""From bounds and rules to a System."""

from typing import Any

from raftcheck.model import System
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.history import History, Observer, relabel_history
from raftcheck.raft.process import Node, RaftProcess, relabel_node
from raftimpl.cluster import cluster_of
from raftimpl.relabel import Permutation
from raftimpl.rules import Rules
from raftimpl.step import TransferLeadership


def raft_system(bounds: Bounds, rules: Rules | None = None) -> System:
    """Return a cluster of real servers as a system that can be explored.

    `rules` replaces the rules of Raft by others, for example by a mutant's.
    """
    process = RaftProcess(cluster_of(bounds.servers, rules, bounds.batch), bounds)
    return System(
        processes=[process] * bounds.servers,
        network=bounds.network,
        lossy=bounds.lossy,
        scenario=Observer(bounds),
        relabel=relabel_raft if bounds.is_symmetric else None,
    )


def relabel_raft(value: Any, permutation: Permutation) -> Any:
    """Rename the servers in a node, a history, or who shall lead. Other inputs, and messages, name none."""
    if isinstance(value, Node):
        return relabel_node(value, permutation)
    if isinstance(value, History):
        return relabel_history(value, permutation)
    if isinstance(value, TransferLeadership):
        return TransferLeadership(permutation[value.target])
    return value
