"""Judges combinations of process states and ghost, many at once: each predicate once for each distinct argument.

Combinations come as rows of numbers. What a predicate is given is made of them: a process's state, two states, or all
states and the ghost; of each only what the property's views leave. Only where that is new the predicate is called.
"""

from collections.abc import Callable, Iterator, Sequence
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
    """What one of a property's views makes of values, by their numbers: equal results have the same number.

    `renamed` has for each value the numbers of all its renamings. Values whose renamings all look alike, one by one,
    have the same *signature*: then it is enough to judge one of them under every renaming.
    """

    def __init__(self, value: Callable[[int], Value], view: Callable[[Any], Any] | None, renamed: Column) -> None:
        self._value, self._view, self._renamed = value, view, renamed
        self._seen: Interner[Any] = Interner()
        self._signatures: Interner[bytes] = Interner()
        self._number_of, self._signature_of = Column(), Column()

    def catch_up(self) -> None:
        """Look at the values that are new."""
        if self._view is None:
            return
        first, count = self._number_of.count, self._renamed.count
        for value in range(first, count):
            self._number_of.append(self._seen.number(self._view(self._value(value))))
        for numbers in self._number_of.array[self._renamed.array[first:count]]:
            self._signature_of.append(self._signatures.number(numbers.tobytes()))

    def signatures(self, values: Array) -> Array:
        """Return the signatures of values."""
        signatures: Array = values if self._view is None else self._signature_of.array[values]
        return signatures

    def seen(self, value: int) -> Any:
        """Return what the predicate is given for a value."""
        return self._value(value) if self._view is None else self._seen.values[self._number_of.array[value]]

    def number(self, value: int) -> int:
        """Return the number of what the predicate is given for a value."""
        return value if self._view is None else int(self._number_of.array[value])


class PropertyJudge:
    """One property over process states, and what its predicate said of each argument so far."""

    def __init__(self, checked: Property, tables: Tables, renamings: Sequence[int]) -> None:
        self.property = checked
        self._tables, self._renamings = tables, renamings
        self._states = View(lambda node: tables.nodes.values[node][1], checked.view, tables.renamed_nodes)
        self._ghosts = View(tables.ghosts.values.__getitem__, checked.ghost_view, tables.renamed_ghosts)
        self._done: set[bytes] = set()
        self._said: dict[tuple[int, ...], bool] = {}

    def first_that_is(self, wanted: bool, rows: Array) -> int | None:
        """Return the position of a row of which the predicate says this under some name; None if there is none."""
        self._states.catch_up()
        self._ghosts.catch_up()
        for arguments in self._arguments(rows):
            signatures = self._signatures(arguments)
            for position in first_of_each(signatures):
                key = signatures[position].tobytes()
                if key not in self._done:
                    self._done.add(key)
                    if wanted in self._says(arguments[position]):
                        return int(position)
        return None

    def _signatures(self, arguments: Array) -> Array:
        if self.property.over != "cluster":
            return self._states.signatures(arguments)
        states, ghosts = self._states.signatures(arguments[:, :-1]), self._ghosts.signatures(arguments[:, -1:])
        return np.concatenate([states, ghosts], axis=1)

    def _arguments(self, rows: Array) -> Iterator[Array]:
        """Yield arrays of arguments, in each of which row n is of combination n."""
        match self.property.over:
            case "process":
                for pid in range(rows.shape[1] - 1):
                    yield rows[:, [pid]]
            case "pair":
                for pair in permutations(range(rows.shape[1] - 1), 2):
                    yield rows[:, pair]
            case "cluster":
                yield rows

    def _says(self, argument: Array) -> set[bool]:
        """Return all that the predicate says of an argument under its names."""
        return {self._says_of(self._renamed(argument, renaming)) for renaming in self._renamings}

    def _renamed(self, argument: Array, renaming: int) -> list[int]:
        if self.property.over == "cluster":
            renamed = self._tables.renamed_combinations(argument[np.newaxis], renaming)[0]
        else:
            renamed = self._tables.renamed_nodes.array[argument, renaming]
        return [int(number) for number in renamed]

    def _says_of(self, argument: list[int]) -> bool:
        states, ghosts = (argument[:-1], argument[-1:]) if self.property.over == "cluster" else (argument, [])
        key = (*map(self._states.number, states), *map(self._ghosts.number, ghosts))
        if key not in self._said:
            seen = tuple(map(self._states.seen, states))
            given = (seen, self._ghosts.seen(ghosts[0])) if ghosts else seen
            self._said[key] = bool(self.property.judge(*given))
        return self._said[key]


class Judge:
    """Judges the combinations of a search, under several names: a predicate may tell the processes apart."""

    def __init__(self, tables: Tables, symmetry: Symmetry, monitor: Monitor) -> None:
        self._monitor = monitor
        numbers = {permutation: number for number, permutation in enumerate(symmetry.permutations)}
        renamings = [0, *(numbers[permutation] for permutation in symmetry.state_probes)]
        self._judges = [PropertyJudge(checked, tables, renamings) for checked in monitor.state_properties]

    def judge(self, combinations: Array, depth: int) -> Broken | None:
        """Judge combinations, given as rows; return one that breaks a property, if any."""
        for first in range(0, len(combinations), BATCH):
            broken = self._judge_rows(combinations[first : first + BATCH], depth)
            if broken is not None:
                return Broken(broken.name, first + broken.row)
        return None

    def _judge_rows(self, rows: Array, depth: int) -> Broken | None:
        for judge in self._judges:
            if judge.property.kind is Kind.ALWAYS:
                row = judge.first_that_is(False, rows)
                if row is not None:
                    return Broken(judge.property.name, row)
            elif self._is_missing(judge) and judge.first_that_is(True, rows) is not None:
                self._monitor.witness_depth[judge.property.name] = depth
        return None

    def _is_missing(self, judge: PropertyJudge) -> bool:
        return judge.property.name not in self._monitor.witness_depth


def first_of_each(rows: Array) -> Array:
    """Return the positions at which distinct rows first come, in order.

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
    return first
