"""A small set of steps that shows as much of the core as all steps do.

Every branch taken is not enough: a handler that forgets one of two conditions takes the same branches in other
combinations. So four kinds of goals are to be reached: every branch; in every function, every set of its branches that
some step takes together; every kind of input in every role, a message also of an older, the same and a newer term; and
every known bug (the harmful mutants) that some step shows.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeVar

from raftcheck.oracle.vectors.coverage import Branch, branches_of
from raftcheck.oracle.vectors.transitions import Transition, executed
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.mutants import MUTANTS
from raftimpl.cluster import Cluster, cluster_of

Item = TypeVar("Item")


class Path(NamedTuple):
    """The branches of one function that a step takes together."""

    function: str
    branches: frozenset[Branch]


class Situation(NamedTuple):
    """What a server in some role is given; of a message also whether its term is older (-1), the same or newer (1)."""

    role: str
    input: str
    term: int


class Bug(NamedTuple):
    """A known bug that a step shows: with it, the step has another result."""

    mutant: str


Goal = Branch | Path | Situation | Bug


class Covering(NamedTuple):
    """The chosen transitions with the goals that each reaches, and all goals that any transition reaches."""

    chosen: tuple[tuple[Transition, frozenset[Goal]], ...]
    reached: frozenset[Goal]

    @property
    def branches(self) -> frozenset[Branch]:
        """The branches among all goals."""
        return frozenset(goal for goal in self.reached if isinstance(goal, Branch))

    @property
    def paths(self) -> int:
        """How many of the goals are paths."""
        return sum(isinstance(goal, Path) for goal in self.reached)

    @property
    def situations(self) -> int:
        """How many of the goals are situations."""
        return sum(isinstance(goal, Situation) for goal in self.reached)

    @property
    def bugs(self) -> list[str]:
        """The known bugs among all goals."""
        return sorted(goal.mutant for goal in self.reached if isinstance(goal, Bug))


def choose(bounds: Bounds, transitions: Iterable[Transition]) -> Covering:
    """Execute the transitions within bounds once more, watched, and choose few of them that reach all goals.

    Of transitions that reach the same the shortest is kept. The choice is small; no smaller set is ruled out.
    """
    cluster = cluster_of(bounds.servers, None, bounds.batch)
    kept: dict[frozenset[Goal], Transition] = {}
    for transition in transitions:
        goals = goals_of(cluster, transition)
        known = kept.get(goals)
        if known is None or size(transition) < size(known):
            kept[goals] = transition
    chosen = cover(sorted(kept, key=lambda goals: size(kept[goals])))
    return Covering(tuple((kept[goals], goals) for goals in chosen), frozenset[Goal]().union(*kept))


def goals_of(cluster: Cluster, transition: Transition) -> frozenset[Goal]:
    """Return what a transition shows of the core."""
    _, branches = branches_of(lambda: executed(cluster, transition.before, transition.input))
    return frozenset([*branches, *paths_in(branches), situation(transition), *bugs_shown(cluster, transition)])


def paths_in(branches: frozenset[Branch]) -> Iterator[Path]:
    """Yield the branches by function."""
    by_function: dict[str, list[Branch]] = {}
    for branch in branches:
        by_function.setdefault(f"{branch.module}.{branch.function.split('.<locals>')[0]}", []).append(branch)
    for function, taken in by_function.items():
        yield Path(function, frozenset(taken))


def situation(transition: Transition) -> Situation:
    """Return the situation that a step begins in."""
    before, input = transition.before, transition.input
    message = getattr(input, "message", None)
    if message is None:
        return Situation(before.role.value, type(input).__name__, 0)
    newer = (message.term > before.current_term) - (message.term < before.current_term)
    return Situation(before.role.value, type(message).__name__, newer)


def bugs_shown(cluster: Cluster, transition: Transition) -> Iterator[Bug]:
    """Yield the known bugs with which a step has another result, or none."""
    for name, mutant in MUTANTS.items():
        if mutant.violates is not None:
            try:
                result = executed(cluster._replace(rules=mutant.rules), transition.before, transition.input)
            except Exception:  # whatever it is: the step is no longer what it was
                result = None
            if result != (transition.after, transition.outputs):
                yield Bug(name)


def size(transition: Transition) -> tuple[int, str]:
    """Return how long a transition is to read, and a text that tells it from all others."""
    text = repr(transition)
    return len(text), text


def cover(sets: Sequence[frozenset[Item]]) -> list[frozenset[Item]]:
    """Return some of the sets that have all items of all of them: greedily, then without what is not needed.

    They are in the order in which they were given, which also decides between equals.
    """
    sets = list(dict.fromkeys(sets))
    missing: set[Item] = set().union(*sets)
    chosen: list[frozenset[Item]] = []
    while missing:
        best = max(sets, key=lambda items: len(items & missing))
        chosen.append(best)
        missing -= best
    needed = without_redundant(chosen)
    return [items for items in sets if items in needed]


def without_redundant(chosen: Sequence[frozenset[Item]]) -> list[frozenset[Item]]:
    """Leave out each set whose items are all in the others that are left, the smallest sets first."""
    counts: Counter[Item] = Counter(item for items in chosen for item in items)
    left = list(chosen)
    for items in sorted(chosen, key=len):
        if all(counts[item] > 1 for item in items):
            left.remove(items)
            counts.subtract(items)
    return left


def rules_in(goals: Iterable[Goal]) -> list[str]:
    """Return the names of the rules (methods of `Rules`) that are asked."""
    branches = [goal for goal in goals if isinstance(goal, Branch)]
    return sorted(
        {b.function.split(".")[1] for b in branches if b.module == "rules" and b.function.startswith("Rules.")}
    )
