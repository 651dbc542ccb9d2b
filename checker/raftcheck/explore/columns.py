"""Arrays that grow at the end, and maps that grow, for tables that compiled code reads."""

from typing import Any

import numpy as np

from raftcheck.explore.kernels.rows import EMPTY, get, move_entries, put

Array = np.ndarray[Any, np.dtype[Any]]


class Column:
    """Numbers, or rows of numbers, one after another. `array` has room beyond `count`, filled with `fill`."""

    def __init__(self, width: int | None = None, dtype: Any = np.int32, fill: int = 0) -> None:
        self._fill = fill
        self.array: Array = np.full(16 if width is None else (16, width), fill, dtype)
        self.count = 0

    def append(self, value: Any) -> int:
        """Add a number or a row; return its position."""
        self.reserve(self.count + 1)
        self.array[self.count] = value
        self.count += 1
        return self.count - 1

    def reserve(self, count: int) -> None:
        """Make room for `count` items in all."""
        room = len(self.array)
        if count > room:
            grown = np.full((max(count, 2 * room), *self.array.shape[1:]), self._fill, self.array.dtype)
            grown[:room] = self.array
            self.array = grown


class IntegerMap:
    """A map from numbers below 2**63 to numbers of the given type that compiled code can read."""

    def __init__(self, dtype: Any = np.int32) -> None:
        self.keys: Array = np.full(64, EMPTY, np.int64)
        self.values: Array = np.zeros(64, dtype)
        self.count = 0

    def __getitem__(self, key: int) -> int:
        return int(get(self.keys, self.values, np.int64(key)))

    def add(self, key: int, value: int) -> None:
        """Enter a key that is not there yet."""
        self.reserve()
        put(self.keys, self.values, np.int64(key), value)
        self.count += 1

    def reserve(self) -> None:
        """Make room for more entries if the map is nearly full."""
        if (self.count + 1) * 10 > self.keys.size * 6:
            keys = np.full(2 * self.keys.size, EMPTY, np.int64)
            values = np.zeros(2 * self.keys.size, self.values.dtype)
            move_entries(self.keys, self.values, keys, values)
            self.keys, self.values = keys, values
