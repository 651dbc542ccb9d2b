"""One shard's states: arrays that grow without ever being there twice.

Rows grow in place (numpy hands that to the allocator, which moves pages rather than bytes); a hash table of slots is
thrown away before a larger one is filled from the rows. So at no moment does growing need twice the memory.
"""

from typing import Any

import numpy as np

from raftcheck.explore.columns import Array
from raftcheck.explore.kernels import exact as kernels
from raftcheck.explore.kernels.rows import EMPTY, fill_slots

GROWTH = 1.5
FULL = 0.7


class Rows:
    """Rows that are kept once, with their hash table; see `raftcheck.explore.kernels.rows`."""

    def __init__(self, width: int) -> None:
        self.rows: Array = np.zeros((256, width), np.int32)
        self.slots: Array = np.full(512, EMPTY, np.int32)

    def grow_if_full(self, count: int) -> None:
        """Make room for more rows if there is none for one more."""
        if count >= len(self.rows):
            self.rows.resize((int(len(self.rows) * GROWTH), self.rows.shape[1]), refcheck=False)
        if count + 1 > FULL * self.slots.size:
            size = int(self.slots.size * GROWTH)
            self.slots = np.zeros(0, np.int32)
            self.slots = np.full(size, EMPTY, np.int32)
            fill_slots(self.rows, self.slots, count)


class ShardTables:
    """The states that one shard owns."""

    def __init__(self, processes: int) -> None:
        self._states, self._combinations, self._networks = Rows(2), Rows(processes + 1), Rows(processes)
        self._counts, self._pair = np.zeros(4, np.int64), np.zeros(2, np.int32)

    @property
    def states(self) -> int:
        """How many states there are."""
        return int(self._counts[0])

    @property
    def orbits(self) -> int:
        """How many states there are, renamings included."""
        return int(self._counts[3])

    @property
    def combinations(self) -> Array:
        """The combinations of process states and ghost that occur, one row each."""
        return self._combinations.rows[: self._counts[1]]

    def row(self, state: int) -> Array:
        """Return a state as one row: nodes, ghost, inboxes."""
        combination, network = self._states.rows[state]
        return np.concatenate([self._combinations.rows[combination], self._networks.rows[network]])

    def combination_numbers(self, first: int = 0) -> Array:
        """Return of the states from the first on which combinations they have."""
        return self._states.rows[first : self.states, 0]

    def find(self, rows: Array) -> Array:
        """Return the numbers of states given as rows, all of which must be there."""
        found = np.empty(len(rows), np.int64)
        kernels.find_states(self.arrays(), rows, found)
        return found

    def arrays(self) -> kernels.Shard:
        """Return the tables as compiled code uses them."""
        states, combinations, networks = self._states, self._combinations, self._networks
        return kernels.Shard(
            states.rows,
            states.slots,
            combinations.rows,
            combinations.slots,
            networks.rows,
            networks.slots,
            self._counts,
            self._pair,
        )

    def absorb(self, own: int, output: Any, orbit: int) -> None:
        """Keep those rows of an output that belong to this shard, which is number `own`, and are new."""
        done, total = 0, int(output.counts[0])
        while done < total:
            done = kernels.absorb(self.arrays(), own, output, done, orbit)
            if done < total:
                for rows, count in zip((self._states, self._combinations, self._networks), self._counts, strict=False):
                    rows.grow_if_full(int(count))
