"""Combinations of process states and ghost, numbered for compiled code: see `kernels.combinations`."""

from collections.abc import Sequence

import numpy as np

from raftcheck.explore.answering import enter_all
from raftcheck.explore.columns import Array, IntegerMap
from raftcheck.explore.kernels import combinations as kernels
from raftcheck.explore.kernels.questions import Questions
from raftcheck.explore.kernels.rows import EMPTY, fill_slots
from raftcheck.explore.symmetry import Symmetry
from raftcheck.explore.tables import Tables


class Combinations:
    """All combinations met so far, each under its least name."""

    def __init__(self, symmetry: Symmetry, tables: Tables) -> None:
        self._symmetry, self._tables = symmetry, tables
        width = len(symmetry.permutations[0]) + 1
        self._rows: Array = np.zeros((256, width), np.int32)
        self._slots: Array = np.full(1024, EMPTY, np.int32)
        self._ties: Array = np.zeros(256, np.int32)
        self._moves = IntegerMap(np.int64)
        self._counts = np.zeros(2, np.int64)
        self._scratch = np.zeros((3, width), np.int32)

    def __len__(self) -> int:
        return int(self._counts[0])

    @property
    def rows(self) -> Array:
        """Nodes by pid and ghost of every combination."""
        return self._rows[: len(self)]

    @property
    def orbits(self) -> int:
        """How many combinations there are, renamings included."""
        return int((len(self._symmetry.permutations) // self._ties[: len(self)]).sum())

    def number(self, row: Sequence[int]) -> int:
        """Return the number of the least renaming of a combination."""
        self._make_room()
        found = kernels.enter(self._tables.local(), self.arrays(), np.array(row, np.int32))
        return int(found) >> kernels.RENAMING_BITS

    def arrays(self) -> kernels.Combinations:
        """Return the tables as compiled code uses them."""
        return kernels.Combinations(
            self._rows,
            self._slots,
            self._ties,
            self._moves.keys,
            self._moves.values,
            self._counts,
            self._scratch,
        )

    def answer(self, moves: Array) -> None:
        """Compute where moves lead. Raises BrokenStepError if a step breaks a property."""
        enter_all(moves, self._enter, self._answer, self._make_room)

    def _enter(self, moves: Array, first: int, questions: Questions) -> int:
        return int(kernels.enter_moves(moves, first, self._tables.local(), self.arrays(), questions))

    def _answer(self, kind: int, about: Array) -> None:
        self._tables.answer((kind, int(key)) for key in about)

    def _make_room(self, _: int = 0) -> None:
        combinations = len(self)
        if combinations >= len(self._rows):
            self._rows.resize((2 * len(self._rows), self._rows.shape[1]), refcheck=False)
            self._ties.resize(2 * len(self._ties), refcheck=False)
        if combinations * 10 >= self._slots.size * 6:
            self._slots = np.full(2 * self._slots.size, EMPTY, np.int32)
            fill_slots(self._rows, self._slots, combinations)
        self._moves.count = int(self._counts[1])
        self._moves.reserve()
