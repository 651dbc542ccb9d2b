"""One shard's states: arrays that grow without ever being there twice.

Rows grow in place (numpy hands that to the allocator, which moves pages rather than bytes). A hash table is filled anew
when it grows, but there are several shards: at no moment does growing need twice the memory.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from raftcheck.explore.columns import Array
from raftcheck.explore.kernels import exact as kernels
from raftcheck.explore.kernels.rows import EMPTY, fill_slots

GROWTH, GROWTH_IN_PLACE = 1.5, 1.2
"""How much larger arrays become: hash tables that are filled anew, and rows, which cost next to nothing to move."""


class ShardTables:
    """The states that one shard owns. `afford` is told before memory is taken, and may raise MemoryError."""

    def __init__(self, processes: int, afford: Callable[[int], None]) -> None:
        self._afford = afford
        self._states: Array = np.zeros(256, np.int64)
        self._state_slots: Array = np.full(512, EMPTY, np.int64)
        self._networks: Array = np.zeros((256, processes), np.int32)
        self._network_slots: Array = np.full(512, EMPTY, np.int32)
        self._counts = np.zeros(3, np.int64)
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
        """Make room wherever there is too little for one more block. Raises MemoryError if it is not to be had."""
        states, networks = int(self._counts[0]) + kernels.BLOCK, int(self._counts[1]) + kernels.BLOCK
        if states > len(self._states):
            self._states.resize(self._grown(self._states), refcheck=False)
        if networks > len(self._networks):
            size = self._grown(self._networks)
            self._networks.resize((size, self._networks.shape[1]), refcheck=False)
        if states > self._state_slots.size * 7 // 10:
            slots = np.full(self._grown(self._state_slots, anew=True), EMPTY, np.int64)
            kernels.move_states(self._state_slots, slots)
            self._state_slots = slots
        if networks > self._network_slots.size * 7 // 10:
            slots = np.full(self._grown(self._network_slots, anew=True), EMPTY, np.int32)
            fill_slots(self._networks, slots, int(self._counts[1]))
            self._network_slots = slots

    def _grown(self, array: Array, anew: bool = False) -> int:
        """Return the length to which an array is to grow, in place or `anew`, if there is memory for that."""
        size = int(len(array) * (GROWTH if anew else GROWTH_IN_PLACE))
        self._afford((size if anew else size - len(array)) * array[:1].nbytes)
        return size
