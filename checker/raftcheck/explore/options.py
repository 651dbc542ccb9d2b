"""What each process can do, listed for compiled code: see `kernels.options`."""

import numpy as np

from raftcheck.explore.answering import enter_all
from raftcheck.explore.columns import Array, IntegerMap
from raftcheck.explore.kernels import options as kernels
from raftcheck.explore.kernels.questions import CHANGE, Questions
from raftcheck.explore.network_tables import NetworkTables
from raftcheck.explore.tables import Tables


class Options:
    """The options of all pairs of a node and an inbox that were met."""

    def __init__(self, lossy: bool, tables: Tables, networks: NetworkTables) -> None:
        self._lossy, self._tables, self._networks = lossy, tables, networks
        self._lists = IntegerMap(np.int64)
        self._items: Array = np.zeros((1024, 2), np.int32)
        self._counts = np.zeros(2, np.int64)

    def arrays(self) -> kernels.Options:
        """Return the lists as compiled code reads them."""
        return kernels.Options(self._lists.keys, self._lists.values, self._items, self._counts)

    def answer(self, keys: Array) -> None:
        """List the options of pairs of node and inbox. Raises BrokenStepError if a step breaks a property."""
        enter_all(keys, self._enter, self._answer, self._make_room)

    def _enter(self, keys: Array, first: int, questions: Questions) -> int:
        local, inboxes = self._tables.local(), self._networks.arrays()
        return int(kernels.enter_options(keys, first, local, inboxes, self._lossy, self.arrays(), questions))

    def _answer(self, kind: int, about: Array) -> None:
        if kind == CHANGE:
            self._networks.answer(about)
        else:
            self._tables.answer((kind, int(key)) for key in about)

    def _make_room(self, key: int) -> None:
        most = self._tables.input_count(key >> 32) + 2 * self._networks.length(key & 0xFFFFFFFF)
        if most >> kernels.COUNT_BITS:
            raise MemoryError
        while self._counts[0] + most > len(self._items):
            self._items.resize((2 * len(self._items), 2), refcheck=False)
        self._lists.count = int(self._counts[1])
        self._lists.reserve()
