"""The functions that are proved right: those of the specification, or variants that should be found wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from raftcheck.prove.quorum.whole import Whole, whole
from raftspec import quorum


@dataclass(frozen=True)
class QuorumFunctions:
    """What `raftspec.quorum` offers, under the same names."""

    majority: Callable[[Any], Any] = quorum.majority
    fault_tolerance: Callable[[Any], Any] = quorum.fault_tolerance
    is_quorum: Callable[[Any, Any], bool] = quorum.is_quorum
    greatest_index_held_by: Callable[[int, Any], Any] = quorum.greatest_index_held_by


SPECIFICATION = QuorumFunctions()

MOST_NAMES = 12
"""A set of more servers is not spelled out."""


def formula(function: Callable[[Any], Any], servers: Any) -> Any:
    """Return what a function of the specification computes from a number of servers, as a term.

    Raises ModelError if it does more than compute.
    """
    return whole(function(Whole(servers))).term


def in_words(servers: Sequence[int]) -> str:
    """Return a set of servers, in ascending order, as text: {s0, s1}; of many only the first and the last."""
    many = len(servers) > MOST_NAMES
    names = [f"s{server}" for server in islice(servers, 3 if many else None)]
    if many:
        names += ["...", f"s{servers[-1]}"]
    return f"{{{', '.join(names)}}}"
