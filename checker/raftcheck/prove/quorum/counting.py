"""Counting servers: from the sizes of sets to what the sets have in common, for every number of servers.

All servers that there are stand at the positions 0, 1, 2, ... below some t. A set of servers is a predicate of
positions, and the number of its members below i is what counting gives:

    count(0) = 0        count(i + 1) = count(i) + (1 if i is a member, else 0)

What is claimed of all i is proved by induction: for 0, and from i to i + 1. Both are questions without quantifiers,
about linear arithmetic, which Z3 decides.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import z3

from raftcheck.prove.quorum.solving import Query

i = z3.Int("i")


@dataclass(frozen=True)
class Count:
    """How many servers below each position belong to a set: a counter and what it counts."""

    counter: Any
    member: Callable[[Any], Any]

    def __call__(self, position: Any) -> Any:
        """Return the number of members below a position."""
        return self.counter(position)

    def start(self) -> Any:
        """Return what counting begins with."""
        return self.counter(0) == 0

    def step(self, position: Any) -> Any:
        """Return what counting does at a position."""
        return self.counter(position + 1) == self.counter(position) + z3.If(self.member(position), 1, 0)


def count(name: str, member: Callable[[Any], Any]) -> Count:
    """Return a new counter of the positions for which `member` is true."""
    return Count(z3.Function(f"count {name}", z3.IntSort(), z3.IntSort()), member)


def servers(name: str) -> Any:
    """Return any set of servers: a predicate of positions."""
    return z3.Function(name, z3.IntSort(), z3.BoolSort())


def induction(
    title: str, claim: Callable[[Any], Any], start: tuple[Any, ...], step: tuple[Any, ...]
) -> Iterator[Query]:
    """Yield the two questions that prove `claim(i)` for every i >= 0.

    `start` is what holds at position 0, `step` what leads from position `i` to `i + 1`.
    """
    yield Query(f"{title}: for 0", claim(z3.IntVal(0)), start, decisive=False)
    yield Query(f"{title}: from i to i + 1", claim(i + 1), (i >= 0, claim(i), *step), decisive=False)


class TwoQuorums:
    """Two sets of servers A and B, a cluster `smaller`, and a cluster `larger` that has all its members.

    `part_a` counts those of A that belong to the smaller cluster, `part_b` those of B that belong to the larger: of
    strangers `raftspec.quorum.is_quorum` takes no notice either. `apart(i)` says that no server below i is in both A
    and B. Both clusters may be the same; those with the same name are.
    """

    def __init__(self, smaller_name: str, larger_name: str) -> None:
        a, b, smaller, larger = servers("A"), servers("B"), servers(smaller_name), servers(larger_name)
        self.apart = servers("apart")
        self.smaller = count(smaller_name, smaller)
        self.larger = count(larger_name, larger)
        self.part_a = count(f"A in {smaller_name}", lambda at: z3.And(a(at), smaller(at)))
        self.part_b = count(f"B in {larger_name}", lambda at: z3.And(b(at), larger(at)))
        counts = (self.smaller, self.larger, self.part_a, self.part_b)
        self.start = (self.apart(0), *(counted.start() for counted in counts))
        self.step = (
            z3.Implies(smaller(i), larger(i)),
            self.apart(i + 1) == z3.And(self.apart(i), z3.Not(z3.And(a(i), b(i)))),
            *(counted.step(i) for counted in counts),
        )

    def fits(self, at: Any) -> Any:
        """Return the lemma: while A and B have no server in common, both together fit into the larger cluster."""
        return z3.And(
            self.part_a(at) >= 0,
            self.part_a(at) <= self.smaller(at),
            self.part_b(at) >= 0,
            self.part_b(at) <= self.larger(at),
            self.smaller(at) <= self.larger(at),
            z3.Implies(self.apart(at), self.part_a(at) + self.part_b(at) <= self.larger(at)),
        )

    def lemma(self) -> Iterator[Query]:
        """Yield the proof of the lemma, by induction."""
        yield from induction("disjoint sets fit into the cluster", self.fits, self.start, self.step)


class Block:
    """The servers from position `first` up to, and without, position `end`: a set with known members."""

    def __init__(self, name: str) -> None:
        self.first, self.end = z3.Ints(f"first_{name} end_{name}")
        self.count = count(name, self.has)

    def has(self, position: Any) -> Any:
        """Return whether a position belongs to the block."""
        return z3.And(self.first <= position, position < self.end)

    def counted(self, at: Any) -> Any:
        """Return the lemma: how many of its members are below a position."""
        below_end = z3.If(at <= self.end, at, self.end)
        return self.count(at) == z3.If(at <= self.first, 0, below_end - self.first)

    def lemma(self) -> Iterator[Query]:
        """Yield the proof of the lemma, by induction."""
        sound = z3.And(self.first >= 0, self.first <= self.end)
        yield from induction(
            "a block has end - first members", self.counted, (sound, self.count.start()), (sound, self.count.step(i))
        )


class Survivors:
    """A cluster of which some servers fail: the others survive."""

    def __init__(self) -> None:
        cluster, failed = servers("cluster"), servers("failed")
        self.cluster = count("cluster", cluster)
        self.failed = count("failed", lambda at: z3.And(cluster(at), failed(at)))
        self.alive = count("alive", lambda at: z3.And(cluster(at), z3.Not(failed(at))))
        self._counts = (self.cluster, self.failed, self.alive)

    def divided(self, at: Any) -> Any:
        """Return the lemma: each server of the cluster has failed or survives."""
        return z3.And(self.cluster(at) == self.failed(at) + self.alive(at), self.failed(at) >= 0, self.alive(at) >= 0)

    def lemma(self) -> Iterator[Query]:
        """Yield the proof of the lemma, by induction."""
        yield from induction(
            "each server has failed or survives",
            self.divided,
            tuple(counted.start() for counted in self._counts),
            tuple(counted.step(i) for counted in self._counts),
        )
