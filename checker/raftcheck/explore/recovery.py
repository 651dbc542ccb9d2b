"""AG EF: from every state a goal must be reachable. Searched backwards from all states with the goal.

The transitions of all states are listed once more, which takes some bytes for each until they are sorted.
"""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.columns import Array
from raftcheck.explore.exact import SHARDS, ExactSearch, Found, batches
from raftcheck.explore.kernels.exact import mark_backwards
from raftcheck.explore.monitor import Evaluator
from raftcheck.explore.result import GlobalState
from raftcheck.explore.shorten import counterexample
from raftcheck.model import ModelError

BYTES_WHILE_SORTED = 24
"""Of each transition: where it comes from and where it leads, both twice, and the order."""


class Incoming(NamedTuple):
    """All transitions by where they lead: `sources[starts[s] : starts[s + 1]]` are the states before s."""

    starts: Array
    sources: Array


class CompleteSearch(ExactSearch):
    """An exact search that decides `recoverable` as well, when it has visited everything."""

    def run(self) -> None:
        """Explore as an exact search does, then look backwards."""
        super().run()
        check_recoverable(self)


def check_recoverable(search: ExactSearch) -> None:
    """Look for a state from which a goal cannot be reached; if there is one, it ends the search's counterexample."""
    if not search.visited_all or not search.monitor.recoverable:
        return
    incoming = incoming_transitions(search)
    if incoming is None:
        return
    for evaluator in search.monitor.recoverable:
        has = np.array([has_goal(search, evaluator, row) for row in search.combinations.rows], np.bool_)
        marked = np.concatenate([has[shard.combination_numbers()] for shard in search.shards])
        mark_backwards(incoming.starts, incoming.sources, marked, np.empty(len(marked), np.int64))
        trap = nearest(search, marked)
        if trap is not None:
            path = search.tracer.path(search.rows_to(*trap))
            search.counterexample = counterexample(search.semantics, evaluator.property.name, path)
            return


def incoming_transitions(search: ExactSearch) -> Incoming | None:
    """Return all transitions, by where they lead; states are numbered shard by shard. None if a limit is reached."""
    search.watch.afford(BYTES_WHILE_SORTED * search.transitions)
    counts = [shard.states for shard in search.shards]
    offsets = np.concatenate([[0], np.cumsum(counts)])
    sources, targets = [np.empty(0, np.int32)], [np.empty(0, np.int32)]
    indexes = [shard.index() for shard in search.shards]
    for batch in batches([0] * SHARDS, counts):
        for chunk, output in zip(batch, search.expand(batch), strict=True):
            for own, shard in enumerate(search.shards):
                chosen = output.order[output.starts[own] : output.starts[own + 1]]
                found = shard.find(output.rows[chosen], indexes[own])
                sources.append((chunk.states[output.sources[chosen]] + offsets[chunk.shard]).astype(np.int32))
                targets.append((found + offsets[own]).astype(np.int32))
        search.limit = search.watch.limit_reached(search.states, search.transitions, search.depth, 0)
        if search.limit is not None:
            return None
    target = np.concatenate(targets)
    order = np.argsort(target, kind="stable")
    starts = np.searchsorted(target[order], np.arange(offsets[-1] + 1))
    return Incoming(starts, np.concatenate(sources)[order])


def has_goal(search: ExactSearch, evaluator: Evaluator, combination: Array) -> bool:
    """Tell whether a combination has the goal. Raises ModelError if that depends on the processes' names."""
    processes, ghost = search.tables.combination(combination)
    values = {
        evaluator.is_true_somewhere(
            GlobalState(search.symmetry.processes(processes, names), frozenset(), search.symmetry.value(ghost, names))
        )
        for names in search.symmetry.permutations
    }
    if len(values) > 1:
        raise ModelError(
            f"the goal of {evaluator.property.name!r} tells the processes apart, but relabel declares them "
            "interchangeable: explore with symmetry=False"
        )
    return values.pop()


def nearest(search: ExactSearch, marked: Array) -> tuple[Found, int] | None:
    """Return of the states that are not marked, shard by shard, one of the least level, and that level."""
    best: tuple[Found, int] | None = None
    for number, shard in enumerate(search.shards):
        # A shard numbers its states level by level, so its first is one of its nearest.
        own, marked = marked[: shard.states], marked[shard.states :]
        if not own.all():
            first = int(np.argmin(own))
            level = next(level for level, ends in enumerate(search.levels[1:]) if first < ends[number])
            if best is None or level < best[1]:
                best = Found(number, first), level
    return best
