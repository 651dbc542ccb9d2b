"""The functions that are proved right: those of the specification, or variants that should be found wrong."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from raftcheck.prove.whole import Whole, whole
from raftspec import quorum


@dataclass(frozen=True)
class QuorumFunctions:
    """What `raftspec.quorum` offers, under the same names."""

    majority: Callable[[Any], Any] = quorum.majority
    fault_tolerance: Callable[[Any], Any] = quorum.fault_tolerance
    is_quorum: Callable[[Any, Any], bool] = quorum.is_quorum
    greatest_index_held_by: Callable[[int, Any], Any] = quorum.greatest_index_held_by


SPECIFICATION = QuorumFunctions()


def formula(function: Callable[[Any], Any], servers: Any) -> Any:
    """Return what a function of the specification computes from a number of servers, as a term.

    Raises ModelError if it does more than compute.
    """
    return whole(function(Whole(servers))).term


def in_words(servers: Collection[int]) -> str:
    """Return a set of servers as text: {s0, s1}; of many, the first and the last ones."""
    names = [f"s{server}" for server in sorted(servers)]
    if len(names) > 12:
        names = [*names[:3], "...", *names[-1:]]
    return f"{{{', '.join(names)}}}" + (f" ({len(servers):,} servers)" if len(servers) > 12 else "")
