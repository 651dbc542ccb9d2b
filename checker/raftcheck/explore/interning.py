"""Numbers for values: equal values get the same number, in the order in which they are first seen."""

from typing import Generic, TypeVar

T = TypeVar("T")


class Interner(Generic[T]):
    """A bijection between the values seen so far and 0, 1, 2, ..."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        """Return the number of a value, a new one if it was not seen before."""
        number = self._numbers.setdefault(value, len(self.values))
        if number == len(self.values):
            self.values.append(value)
        return number

    def known(self, value: T) -> int | None:
        """Return the number of a value, None if it was not seen before."""
        return self._numbers.get(value)

    def __contains__(self, value: T) -> bool:
        return value in self._numbers

    def __len__(self) -> int:
        return len(self.values)
