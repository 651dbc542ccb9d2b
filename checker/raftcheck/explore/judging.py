"""Judges combinations of process states and ghost, many at once: each predicate once for each distinct argument.

Combinations come as rows of numbers. What a predicate is given is made of them: a process's state, two states, or all
states and the ghost; of each only what the property's views leave. Only where that is new the predicate is called.
"""

from collections.abc import Callable, Iterator
from itertools import permutations
from typing import Any, NamedTuple

import numpy as np

from raftcheck.explore.columns import Array, Column
from raftcheck.explore.interning import Interner
from raftcheck.explore.monitor import Monitor
from raftcheck.explore.symmetry import Symmetry
from raftcheck.explore.tables import Tables
from raftcheck.model import Kind, Property, Value

BATCH = 1 << 17


class Broken(NamedTuple):
    """A property that is broken, and the position of a combination that breaks it."""

    name: str
    row: int


class View:
    """What one of a property's views makes of values, by their numbers: equal results have the same number."""

    def __init__(self, values: Callable[[int], Value], view: Callable[[Any], Any] | None) -> None:
        self._values, self._view = values, view
        self._interner: Interner[Any] = Interner()
        self._numbers = Column()

    def numbers(self, of: Array, known: int) -> Array:
        """Return the numbers of the views of values, given that there are so many values."""
        if self._view is None:
            return of
        for value in range(self._numbers.count, known):
            self._numbers.append(self._interner.number(self._view(self._values(value))))
        numbers: Array = self._numbers.array[of]
        return numbers

    def value(self, number: int) -> Any:
        """Return what the predicate is given for a number."""
        return self._values(number) if self._view is None else self._interner.values[number]


class PropertyJudge:
    """One property over process states, and what its predicate said of each argument so far."""

    def __init__(self, checked: Property, tables: Tables) -> None:
        self.property = checked
        self._tables = tables
        self._states = View(lambda node: tables.nodes.values[node][1], checked.view)
        self._ghosts = View(lambda ghost: tables.ghosts.values[ghost], checked.ghost_view)
        self._said: dict[bytes, bool] = {}

    def first_that_is(self, wanted: bool, rows: Array) -> int | None:
        """Return the position of a row of which the predicate says this, the first found; None if there is none."""
        states = self._states.numbers(rows[:, :-1], len(self._tables.nodes))
        ghosts = self._ghosts.numbers(rows[:, -1:], len(self._tables.ghosts))
        for arguments in self._arguments(states, ghosts):
            distinct, first = distinct_rows(arguments)
            for argument, position in zip(distinct, first, strict=True):
                if self._says(argument) is wanted:
                    return int(position)
        return None

    def _arguments(self, states: Array, ghosts: Array) -> Iterator[Array]:
        """Yield arrays of arguments, in each of which row n is of combination n."""
        match self.property.over:
            case "process":
                for pid in range(states.shape[1]):
                    yield states[:, [pid]]
            case "pair":
                for pair in permutations(range(states.shape[1]), 2):
                    yield states[:, pair]
            case "cluster":
                yield np.concatenate([states, ghosts], axis=1)

    def _says(self, argument: Array) -> bool:
        key = argument.tobytes()
        if key not in self._said:
            numbers = [int(number) for number in argument]
            if self.property.over == "cluster":
                states = tuple(map(self._states.value, numbers[:-1]))
                self._said[key] = bool(self.property.judge(states, self._ghosts.value(numbers[-1])))
            else:
                self._said[key] = bool(self.property.judge(*map(self._states.value, numbers)))
        return self._said[key]


class Judge:
    """Judges the combinations of a search."""

    def __init__(self, tables: Tables, symmetry: Symmetry, monitor: Monitor) -> None:
        self._tables, self._monitor = tables, monitor
        self._judges = [PropertyJudge(checked, tables) for checked in monitor.state_properties]
        numbers = {permutation: number for number, permutation in enumerate(symmetry.permutations)}
        self._renamings = [0, *(numbers[permutation] for permutation in symmetry.state_probes)]

    def judge(self, combinations: Array, depth: int) -> Broken | None:
        """Judge combinations; return one that breaks a property, if any.

        They are judged under several names: a predicate may tell the processes apart.
        """
        for first in range(0, len(combinations), BATCH):
            broken = self._judge_rows(combinations[first : first + BATCH], depth)
            if broken is not None:
                return Broken(broken.name, first + broken.row)
        return None

    def _judge_rows(self, rows: Array, depth: int) -> Broken | None:
        for renaming in self._renamings:
            renamed = self._tables.renamed_combinations(rows, renaming) if renaming else rows
            for judge in self._judges:
                if judge.property.kind is Kind.ALWAYS:
                    row = judge.first_that_is(False, renamed)
                    if row is not None:
                        return Broken(judge.property.name, row)
                elif self._is_missing(judge) and judge.first_that_is(True, renamed) is not None:
                    self._monitor.witness_depth[judge.property.name] = depth
        return None

    def _is_missing(self, judge: PropertyJudge) -> bool:
        return judge.property.name not in self._monitor.witness_depth


def distinct_rows(rows: Array) -> tuple[Array, Array]:
    """Return the distinct rows, in the order in which they first come, and where each comes first.

    Rows whose numbers fit into 63 bits together are compared as one number, which is much faster.
    """
    most = rows.max(axis=0).astype(object) + 1
    if int(np.prod(most)) < 2**63:
        keys = np.zeros(len(rows), np.int64)
        for column, base in enumerate(most):
            keys = keys * int(base) + rows[:, column]
        _, first = np.unique(keys, return_index=True)
    else:
        _, first = np.unique(rows, axis=0, return_index=True)
    first.sort()
    return rows[first], first
