"""One shard's states: arrays that grow without ever being there twice.

Rows grow in place (numpy hands that to the allocator, which moves pages rather than bytes). A hash table is filled anew
when it grows, but there are several shards: at no moment does growing need twice the memory.
"""

from typing import Any

import numpy as np

from raftcheck.explore.columns import Array
from raftcheck.explore.kernels import exact as kernels
from raftcheck.explore.kernels.rows import EMPTY, fill_slots

GROWTH = 1.5
FULL = 0.7


class ShardTables:
    """The states that one shard owns."""

    def __init__(self, processes: int) -> None:
        self._states: Array = np.zeros(256, np.int64)
        self._state_slots: Array = np.full(512, EMPTY, np.int64)
        self._networks: Array = np.zeros((256, processes), np.int32)
        self._network_slots: Array = np.full(512, EMPTY, np.int32)
        self._counts = np.zeros(4, np.int64)
        self._block = np.zeros((kernels.BLOCK, 2), np.int64)

    @property
    def states(self) -> int:
        """How many states there are."""
        return int(self._counts[0])

    @property
    def orbits(self) -> int:
        """How many states there are, renamings included."""
        return int(self._counts[2])

    def row(self, state: int) -> tuple[int, ...]:
        """Return a state as one row: inboxes by pid, combination."""
        key = int(self._states[state])
        return *(int(inbox) for inbox in self._networks[key & 0xFFFFFFFF]), key >> 32

    def sort(self, first: int) -> None:
        """Put the states from the first on in order of combinations: those that are alike are expanded together."""
        self._states[first : self.states].sort()

    def combination_numbers(self) -> Array:
        """Return of all states which combinations they have."""
        return self._states[: self.states] >> 32

    def index(self) -> Array:
        """Return for each slot the number of the state in it, for `find`."""
        numbers = np.zeros(self._state_slots.size, np.int32)
        kernels.number_slots(self._states, self.states, self._state_slots, numbers)
        return numbers

    def find(self, rows: Array, index: Array) -> Array:
        """Return the numbers of states given as rows, all of which must be there."""
        found = np.empty(len(rows), np.int64)
        kernels.find_states(self.arrays(), index, rows, found)
        return found

    def arrays(self) -> kernels.Shard:
        """Return the tables as compiled code uses them."""
        return kernels.Shard(
            self._states, self._state_slots, self._networks, self._network_slots, self._counts, self._block
        )

    def absorb(self, own: int, output: Any, orbit: int) -> None:
        """Keep those rows of an output that belong to this shard, which is number `own`, and are new."""
        done, total = 0, int(output.starts[own + 1] - output.starts[own])
        while done < total:
            done = kernels.absorb(self.arrays(), own, output, done, orbit)
            if done < total:
                self._grow()

    def _grow(self) -> None:
        states, networks = int(self._counts[0]), int(self._counts[1])
        if states + kernels.BLOCK >= len(self._states):
            self._states.resize(int(len(self._states) * GROWTH), refcheck=False)
        if networks + kernels.BLOCK >= len(self._networks):
            self._networks.resize((int(len(self._networks) * GROWTH), self._networks.shape[1]), refcheck=False)
        if states + kernels.BLOCK >= self._state_slots.size * 7 // 10:
            slots = np.full(int(self._state_slots.size * GROWTH), EMPTY, np.int64)
            kernels.move_states(self._state_slots, slots)
            self._state_slots = slots
        if networks + kernels.BLOCK >= self._network_slots.size * 7 // 10:
            slots = np.full(int(self._network_slots.size * GROWTH), EMPTY, np.int32)
            fill_slots(self._networks, slots, networks)
            self._network_slots = slots
