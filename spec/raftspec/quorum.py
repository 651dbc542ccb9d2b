"""Quorums: how many servers must agree (Raft paper, sections 2 and 5).

The implementation calls these very functions; nothing restates them.
"""

from collections.abc import Iterable, Set


def majority(servers: int) -> int:
    """Return the size of the smallest quorum of a cluster: the least whole number >= (servers + 1) / 2.

    Any two sets of that size share a server, and that is all that Raft needs of a quorum.
    """
    return servers // 2 + 1


def fault_tolerance(servers: int) -> int:
    """Return how many servers may fail while the others still form a quorum.

    A cluster of 2k+1 servers survives k failures, one of 2k survives k-1: an even server adds no tolerance.
    """
    return servers - majority(servers)


def is_quorum(members: Iterable[int], servers: Set[int]) -> bool:
    """Tell whether those `members` that belong to the cluster `servers` are a quorum of it."""
    return len(servers & set(members)) >= majority(len(servers))


def greatest_index_held_by(quorum: int, indexes: Iterable[int]) -> int:
    """Return the greatest log index that at least `quorum` servers hold.

    `indexes` has one item for each server of the cluster: the last index up to which its log is known to
    match. This is the N of the leader's commit rule (paper, Figure 2, "Rules for Servers: Leaders").
    """
    return sorted(indexes, reverse=True)[quorum - 1]
