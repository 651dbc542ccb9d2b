"""Functions on sets and lists, for every argument up to a size: what cannot be said for all sizes at once.

They take Python's own sets and lists apart, so there is no formula to read. Here they are executed on everything
that there is up to some number of servers, and the theorem says up to which.
"""

from collections.abc import Iterable, Iterator
from functools import total_ordering
from itertools import combinations, combinations_with_replacement, product

from raftcheck.prove.quorum.functions import QuorumFunctions, in_words
from raftcheck.prove.quorum.solving import Finding

MOST_SERVERS_OF_SETS = 8
MOST_SERVERS_OF_INDEXES = 5


def subsets(servers: Iterable[int]) -> Iterator[frozenset[int]]:
    """Yield all subsets, smaller ones first."""
    everyone = sorted(servers)
    for size in range(len(everyone) + 1):
        yield from map(frozenset, combinations(everyone, size))


def two_quorums_of_sets(functions: QuorumFunctions) -> Finding:
    """Judge `is_quorum` on all sets: any two quorums share a server, and losing one more than is tolerated is too many.

    Each set is offered with a stranger too, whom it must not count.
    """
    for size in range(1, MOST_SERVERS_OF_SETS + 1):
        cluster = frozenset(range(size))
        quorums = [members for members in subsets(cluster) if functions.is_quorum(members, cluster)]
        for first, second in combinations_with_replacement(quorums, 2):
            if not first & second:
                return Finding("refuted", f"{in_words(sorted(first))} and {in_words(sorted(second))} of {size} servers")
        chosen = set(quorums)
        for members in subsets(cluster):
            if functions.is_quorum([*members, size, size + 1], cluster) != (members in chosen):
                return Finding("refuted", f"strangers change what {in_words(sorted(members))} of {size} servers is")
            tolerated = size - len(members) <= functions.fault_tolerance(size)
            if (members in chosen) != tolerated:
                return Finding("refuted", f"{in_words(sorted(members))} of {size} servers")
    return Finding("proved", f"executed on all sets of servers of clusters of 1 to {MOST_SERVERS_OF_SETS}")


@total_ordering
class Index:
    """An index that can be compared and nothing else: whoever gets one cannot know which number it is."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def __lt__(self, other: "Index") -> bool:
        return self.rank < other.rank

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Index) and self.rank == other.rank

    __hash__ = None  # type: ignore[assignment]


def greatest_index(functions: QuorumFunctions) -> Finding:
    """Judge `greatest_index_held_by` on all lists of indexes, which it can only compare.

    So only their order matters, and as many different indexes as there are servers make all orders.
    """
    for size in range(1, MOST_SERVERS_OF_INDEXES + 1):
        for ranks in product(range(size), repeat=size):
            for quorum in range(1, size + 1):
                found = functions.greatest_index_held_by(quorum, [Index(rank) for rank in ranks]).rank
                held = [sum(rank >= index for rank in ranks) >= quorum for index in (found, found + 1)]
                if held != [True, False]:
                    return Finding("refuted", f"indexes {list(ranks)}, quorum {quorum}: {found}")
    return Finding("proved", f"executed on all orders of the indexes of 1 to {MOST_SERVERS_OF_INDEXES} servers")
