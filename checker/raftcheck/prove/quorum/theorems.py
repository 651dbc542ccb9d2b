"""What is true of quorums, for every number of servers.

The functions of `raftspec.quorum` are called with a number that stands for any; what they return is their formula.
That "any two quorums share a server", which the safety of Raft rests on, is proved here from the sizes of the sets.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count as numbers_from
from typing import Any

import z3

from raftcheck.prove.quorum.bounded import (
    MOST_SERVERS_OF_INDEXES,
    MOST_SERVERS_OF_SETS,
    greatest_index,
    two_quorums_of_sets,
)
from raftcheck.prove.quorum.counting import Block, Survivors, TwoQuorums, i
from raftcheck.prove.quorum.functions import SPECIFICATION, QuorumFunctions, formula, in_words
from raftcheck.prove.quorum.solving import Finding, Query, Theorem, follow, prove
from raftcheck.prove.results import Outcome

n, k, q, f = z3.Ints("n k q f")

everyone = z3.Int("everyone")
"""All servers that there are stand below this position."""

Argument = Callable[[QuorumFunctions], Iterable[Query]]

TWO_QUORUMS_SHARE_A_SERVER = "Any two quorums share a server"
"""The name of the theorem that is an axiom to whoever proves something about Raft."""


def least_majority(functions: QuorumFunctions) -> Iterator[Query]:
    """It is not below (n + 1) / 2, and no whole number below it is not either."""
    majority, other = formula(functions.majority, n), z3.Int("other")
    yield Query("2 majority(n) >= n + 1", 2 * majority >= n + 1, (n >= 1,), (("n", n), ("majority(n)", majority)))
    yield Query(
        "what is at least (n + 1) / 2 is at least majority(n)",
        other >= majority,
        (n >= 1, 2 * other >= n + 1),
        (("n", n), ("majority(n)", majority), ("the smaller number", other)),
    )


def quorums_overlap(functions: QuorumFunctions) -> Iterator[Query]:
    """Disjoint sets fit into the cluster, and two majorities do not."""
    return sizes_overlap(functions.majority, functions.majority)


def sizes_overlap(first: Callable[[Any], Any], second: Callable[[Any], Any]) -> Iterator[Query]:
    """In every cluster, a set of at least `first(n)` of its n servers meets every set of at least `second(n)`."""
    pair = TwoQuorums("cluster", "cluster")
    size = pair.larger(everyone)
    a, b = formula(first, size), formula(second, size)
    yield from pair.lemma()
    yield Query(
        "two quorums of n servers are not disjoint",
        z3.Not(pair.apart(everyone)),
        (everyone >= 0, pair.fits(everyone), size >= 1, pair.part_a(everyone) >= a, pair.part_b(everyone) >= b),
        (("n", size), ("one quorum", a), ("the other", b)),
    )


def smaller_quorums_miss(functions: QuorumFunctions) -> Iterator[Query]:
    """The first q servers and the next q are disjoint, and both are there."""
    first, second = Block("A"), Block("B")
    yield from first.lemma()
    yield Query(
        "q and q servers of n are disjoint",
        z3.And(
            first.count(n) == q,
            second.count(n) == q,
            z3.Not(z3.And(first.has(i), second.has(i))),
            z3.Implies(z3.Or(first.has(i), second.has(i)), z3.And(i >= 0, i < n)),
        ),
        (
            n >= 1,
            q >= 0,
            q < formula(functions.majority, n),
            *(first.first == 0, first.end == q, second.first == q, second.end == 2 * q),
            *(first.counted(n), second.counted(n)),
        ),
        (("n", n), ("q", q)),
    )


def survivors_are_a_quorum(functions: QuorumFunctions) -> Iterator[Query]:
    """Whichever servers fail, how many survive is known, and whether that is enough."""
    case = Survivors()
    size, failed = case.cluster(everyone), case.failed(everyone)
    yield from case.lemma()
    yield Query(
        "the survivors are a quorum if and only if at most fault_tolerance(n) servers fail",
        (case.alive(everyone) >= formula(functions.majority, size))
        == (failed <= formula(functions.fault_tolerance, size)),
        (everyone >= 0, case.divided(everyone), size >= 1),
        (("n", size), ("failures", failed)),
    )


def survives(functions: QuorumFunctions, servers: z3.ArithRef, failures: z3.ArithRef) -> z3.BoolRef:
    """Return whether a majority is left when so many fail."""
    return servers - failures >= formula(functions.majority, servers)


def exactly(servers: z3.ArithRef, failures: z3.ArithRef, least: int, functions: QuorumFunctions) -> Iterator[Query]:
    """A majority survives so many failures, no more; that is also what `fault_tolerance` says. For k >= `least`."""
    yield Query(
        f"{servers} servers survive f failures if and only if f <= {failures}".replace("*", ""),
        survives(functions, servers, f) == (f <= failures),
        (k >= least, f >= 0, f <= servers),
        (("k", k), ("f", f)),
    )
    tolerance = formula(functions.fault_tolerance, servers)
    yield Query("and fault_tolerance says so", tolerance == failures, (k >= least,), (("k", k), ("it says", tolerance)))


def even_adds_nothing(functions: QuorumFunctions) -> Iterator[Query]:
    """2k servers survive as many failures as 2k-1."""
    even, odd = formula(functions.fault_tolerance, 2 * k), formula(functions.fault_tolerance, 2 * k - 1)
    yield Query("fault_tolerance(2k) = fault_tolerance(2k-1)", even == odd, (k >= 1,), (("k", k),))


def changed_by(functions: QuorumFunctions, servers: int, title: str, *cases: z3.BoolRef) -> Iterator[Query]:
    """Quorums of a cluster, and of the same with so many servers more, share a server in these cases."""
    pair = TwoQuorums("smaller cluster", "larger cluster")
    size, larger = pair.smaller(everyone), pair.larger(everyone)
    yield from pair.lemma()
    yield Query(
        title,
        z3.Not(pair.apart(everyone)),
        (
            *(everyone >= 0, pair.fits(everyone), size >= 1, larger == size + servers, size == n, *cases),
            pair.part_a(everyone) >= formula(functions.majority, size),
            pair.part_b(everyone) >= formula(functions.majority, larger),
        ),
        (("n", size),),
    )


def one_server_changes(functions: QuorumFunctions) -> Iterator[Query]:
    """One server more makes no room for disjoint quorums."""
    yield from changed_by(functions, 1, "a quorum of n and one of n + 1 servers are not disjoint")


def two_servers_change(functions: QuorumFunctions) -> Iterator[Query]:
    """Two servers more do, in clusters of an odd size: the first servers, and the next ones with the new ones."""
    yield from changed_by(functions, 2, "for even n, a quorum of n and one of n + 2 are not disjoint", n % 2 == 0)
    old, new = Block("A"), Block("B")
    before, after = formula(functions.majority, n), formula(functions.majority, n + 2)
    yield from old.lemma()
    yield Query(
        "for odd n, a quorum of n and one of n + 2 are disjoint",
        z3.And(
            *(old.count(n) >= before, new.count(n + 2) >= after),
            z3.Not(z3.And(old.has(i), new.has(i))),
            z3.Implies(old.has(i), z3.And(i >= 0, i < n)),
            z3.Implies(new.has(i), z3.And(i >= 0, i < n + 2)),
        ),
        (
            *(n >= 1, n % 2 == 1, old.first == 0, old.end == before, new.first == before, new.end == before + after),
            *(old.counted(n), new.counted(n + 2), before >= 0, after >= 0),
        ),
        (("n", n),),
    )


def smallest_two_server_change(functions: QuorumFunctions) -> str:
    """Return in words the smallest cluster for which adding two servers is unsafe."""
    for size in numbers_from(1):
        before, after = functions.majority(size), functions.majority(size + 2)
        if before + after <= size + 2:
            return (
                f"the smallest: from {in_words(range(size))} to {in_words(range(size + 2))}, "
                f"with {in_words(range(before))} and {in_words(range(before, before + after))}"
            )
    raise AssertionError("numbers do not end")


def joint_quorums_overlap(functions: QuorumFunctions) -> Iterator[Query]:
    """A joint quorum has a majority of the old servers and one of the new: so it meets each of either."""
    old, new = TwoQuorums("old", "old"), TwoQuorums("new", "new")
    yield from old.lemma()
    yield from new.lemma()

    def has_majority(side: TwoQuorums, part: z3.FuncDeclRef) -> z3.BoolRef:
        return part(everyone) >= formula(functions.majority, side.larger(everyone))

    joint_a = (has_majority(old, old.part_a), has_majority(new, new.part_a))
    known = (
        everyone >= 0,
        old.fits(everyone),
        new.fits(everyone),
        old.larger(everyone) >= 1,
        new.larger(everyone) >= 1,
    )
    shown = (("old servers", old.larger(everyone)), ("new servers", new.larger(everyone)))
    others = {
        "another joint one": (has_majority(old, old.part_b), has_majority(new, new.part_b)),
        "one of the old servers": (has_majority(old, old.part_b),),
        "one of the new servers": (has_majority(new, new.part_b),),
    }
    for other, b in others.items():
        title = f"a joint quorum and {other} are not disjoint"
        yield Query(title, z3.Not(old.apart(everyone)), (*known, *joint_a, *b), shown)


BY_SOLVER: tuple[tuple[str, str, str, Argument], ...] = (
    (
        "A majority is the least number not below (n+1)/2",
        "For every n >= 1, majority(n) is the least whole number >= (n+1)/2.",
        "Raft paper, section 2",
        least_majority,
    ),
    (
        TWO_QUORUMS_SHARE_A_SERVER,
        "For every n >= 1: two sets that each have majority(n) or more of n servers have one in common.",
        "Raft paper, sections 5.2 and 5.4.3",
        quorums_overlap,
    ),
    (
        "No smaller quorum is safe",
        "For every n >= 1 and every q < majority(n), n servers have two disjoint sets of q (for n = 1, q = 0: empty).",
        "Raft paper, section 5.2",
        smaller_quorums_miss,
    ),
    (
        "Exactly fault_tolerance(n) failures are survived",
        "For every n >= 1, whichever servers fail: the others are a quorum exactly if at most fault_tolerance(n) fail.",
        "Raft paper, section 2",
        survivors_are_a_quorum,
    ),
    (
        "2k+1 servers survive k failures",
        "For every k >= 0, of 2k+1 servers k may fail and no more.",
        "Raft paper, section 5.1",
        partial(exactly, 2 * k + 1, k, 0),
    ),
    (
        "2k servers survive k-1 failures",
        "For every k >= 1, of 2k servers k-1 may fail and no more.",
        "Raft paper, section 5.1",
        partial(exactly, 2 * k, k - 1, 1),
    ),
    (
        "An even server adds no tolerance",
        "For every k >= 1, 2k servers survive as many failures as 2k-1, and no more.",
        "Raft paper, section 5.1",
        even_adds_nothing,
    ),
    (
        "Adding or removing one server is safe",
        "For every n >= 1, a quorum of n servers and one of these and another server have a server in common.",
        "thesis, section 4.1, Figure 4.3",
        one_server_changes,
    ),
    (
        "Adding or removing two servers at once is unsafe",
        "A cluster of n >= 1 servers and the same with two more have disjoint quorums for every odd n, for no even n.",
        "Raft paper, section 6, Figure 10; thesis, section 4.1",
        two_servers_change,
    ),
    (
        "Joint quorums overlap with all others",
        "With majorities of both the old and the new servers, a quorum shares a server with each such one, with each "
        "majority of the old and with each of the new; for all old and new servers.",
        "Raft paper, section 6; thesis, section 4.3",
        joint_quorums_overlap,
    ),
)
"""Name, meaning, source and argument of what is proved for every number of servers."""

BY_EXECUTION: tuple[tuple[str, str, str, Callable[[QuorumFunctions], Finding]], ...] = (
    (
        f"is_quorum tells quorums (up to {MOST_SERVERS_OF_SETS} servers)",
        f"For n <= {MOST_SERVERS_OF_SETS} only: the sets for which is_quorum is true overlap in pairs, are those "
        "that lack at most fault_tolerance(n) servers, and strangers do not count.",
        "Raft paper, section 5.2",
        two_quorums_of_sets,
    ),
    (
        f"greatest_index_held_by is the greatest (up to {MOST_SERVERS_OF_INDEXES} servers)",
        f"For n <= {MOST_SERVERS_OF_INDEXES} only, all indexes: so many servers hold the index, and no greater one.",
        "Raft paper, Figure 2, Rules for Servers: Leaders",
        greatest_index,
    ),
)
"""What is executed on every argument up to a size, because it takes sets and lists apart."""


def quorum_theorems(functions: QuorumFunctions = SPECIFICATION) -> tuple[Theorem, ...]:
    """Return the theorems about the functions of `raftspec.quorum`, or about others in their place."""

    def by_solver(argument: Argument) -> Finding:
        found = follow(argument(functions))
        if argument is two_servers_change and found.status == "proved":
            return Finding("proved", smallest_two_server_change(functions))
        return found

    return (
        *(Theorem(name, meaning, source, partial(by_solver, how)) for name, meaning, source, how in BY_SOLVER),
        *(Theorem(name, meaning, source, partial(how, functions)) for name, meaning, source, how in BY_EXECUTION),
    )


def prove_quorums(functions: QuorumFunctions = SPECIFICATION) -> tuple[Outcome, ...]:
    """Prove what `quorum_theorems` lists, one after the other."""
    return tuple(prove(theorem) for theorem in quorum_theorems(functions))
