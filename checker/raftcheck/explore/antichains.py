"""The kept states of the covering search, one shard at a time: arrays that grow in place."""

from collections.abc import Callable, Sequence

import numpy as np

from raftcheck.explore.columns import Array
from raftcheck.explore.kernels import covering as kernels
from raftcheck.explore.kernels.bits import WORD
from raftcheck.explore.kernels.questions import Questions

GROWTH = 1.5


class Antichains:
    """For each combination of one shard the states that no other one covers.

    A network has `words` words for each process. Before arrays grow, `afford` is asked for so many bytes.
    """

    def __init__(self, processes: int, words: int, afford: Callable[[int], None]) -> None:
        self._processes, self._words, self._afford = processes, words, afford
        self._heads: Array = np.full(64, kernels.NOBODY, np.int32)
        self._counts = np.zeros(2, np.int64)
        self._told = 0
        self._columns = {
            name: np.zeros(64, dtype)
            for name, dtype in (
                ("nexts", np.int32),
                ("combinations", np.int32),
                ("parents", np.int64),
                ("steps", np.int32),
                ("renamings", np.int32),
                ("covered", np.uint8),
            )
        }
        self._networks = {name: np.zeros((64, processes * words), np.uint64) for name in ("networks", "closures")}
        self._work = scratch(processes, words)

    def __len__(self) -> int:
        """How many states were ever kept."""
        return int(self._counts[0])

    @property
    def uncovered(self) -> int:
        """How many states are kept now."""
        return int(self._counts[0] - self._counts[1])

    def arrays(self) -> kernels.Kept:
        """Return the states as compiled code uses them."""
        return kernels.Kept(heads=self._heads, counts=self._counts, **self._columns, **self._networks)

    def since(self, first: int) -> tuple[Array, Array]:
        """Return the states from the first on that are not covered, and how much is under way in each."""
        states = first + np.flatnonzero(self._columns["covered"][first : len(self)] == 0)
        return states, np.bitwise_count(self._networks["closures"][states]).sum(axis=1)

    def is_covered(self, states: Array) -> Array:
        """Tell of each state whether another one covers it by now."""
        covered: Array = self._columns["covered"][states] != 0
        return covered

    def new_combinations(self) -> Array:
        """Return the combinations of all states that were kept since the last call."""
        combinations: Array = self._columns["combinations"][self._told : len(self)].copy()
        self._told = len(self)
        return combinations

    def first_of(self, combination: int) -> int:
        """Return a kept state of a combination that has one."""
        return int(np.flatnonzero(self._columns["combinations"][: len(self)] == combination)[0])

    def origin(self, state: int) -> tuple[int, int, int]:
        """Return how a state was reached: from where (shard << 40 | state), by which step, renamed how."""
        parents, steps, renamings = (self._columns[name][state] for name in ("parents", "steps", "renamings"))
        return int(parents), int(steps), int(renamings)

    def combination(self, state: int) -> int:
        """Return the combination of a state."""
        return int(self._columns["combinations"][state])

    def network(self, state: int) -> list[int]:
        """Return the bits of the messages under way in a state."""
        words: Sequence[int] = self._networks["networks"][state].tolist()
        return [WORD * n + bit for n, word in enumerate(words) for bit in range(WORD) if word >> bit & 1]

    def absorb(self, todo: Array, output: kernels.Output, model: kernels.Model, asked: Questions) -> None:
        """Keep those rows of an output that nothing covers; those that need answers wait in `asked`."""
        combinations = 1 + model.combinations.ties.size // kernels.SHARDS
        if combinations > len(self._heads):
            grown = np.full(2 * combinations, kernels.NOBODY, np.int32)
            grown[: len(self._heads)] = self._heads
            self._heads = grown
        done = 0
        while done < len(todo):
            done = kernels.absorb(self.arrays(), todo, done, output, model, self._work, asked)
            if done < len(todo):
                self._grow()

    def _grow(self) -> None:
        have = len(self._columns["steps"])
        room = int(have * GROWTH)
        arrays = (*self._columns.values(), *self._networks.values())
        self._afford(sum(array.nbytes for array in arrays) // have * (room - have))
        for column in self._columns.values():
            column.resize(room, refcheck=False)
        for networks in self._networks.values():
            networks.resize((room, networks.shape[1]), refcheck=False)

    def widen(self, words: int) -> None:
        """Make room for more messages to each process."""
        for name, networks in self._networks.items():
            wide = np.zeros((len(networks), self._processes, words), np.uint64)
            wide[:, :, : self._words] = networks.reshape(len(networks), self._processes, self._words)
            self._networks[name] = wide.reshape(len(networks), -1).copy()  # resize needs an array of its own
        self._words = words
        self._work = scratch(self._processes, words)


def scratch(processes: int, words: int) -> kernels.Work:
    """Return scratch space for three networks and a combination."""
    network, closure, renamed = (np.zeros(processes * words, np.uint64) for _ in range(3))
    return kernels.Work(network, closure, renamed, np.zeros(processes + 1, np.int32))
