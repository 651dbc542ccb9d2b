"""Linearizability by the definition: every order of every choice of operations, for small histories."""

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

from raftcheck.oracle.history import Call, Model


def is_linearizable(model: Model, calls: Sequence[Call]) -> bool:
    """Try all. The operations of unknown outcome may be left out."""
    known = [call for call in calls if call.completed is not None]
    unknown = [call for call in calls if call.completed is None]
    return any(
        is_legal(model, order)
        for count in range(len(unknown) + 1)
        for some in combinations(unknown, count)
        for order in orders([*known, *some])
    )


def orders(calls: Sequence[Call]) -> Iterator[Sequence[Call]]:
    """Yield all orders in which no operation comes before one that had completed when it was invoked."""
    for order in permutations(calls):
        if not any(
            later.completed is not None and later.completed < earlier.invoked
            for earlier, later in combinations(order, 2)
        ):
            yield order


def is_legal(model: Model, order: Sequence[Call]) -> bool:
    """Tell whether operations one after another tell what they told."""
    state = model.initial()
    for call in order:
        after = model.step(state, call.operation, call.result)
        if after is None:
            return False
        state = after
    return True
