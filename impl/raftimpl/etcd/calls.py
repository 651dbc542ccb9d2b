"""How many calls there were of each method, and how they ended."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from raftimpl.etcd.service import Method

CODE_NAMES = (
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
)
"""gRPC's codes by number, as etcd names them in its metrics."""


class Ended(NamedTuple):
    """How many calls of a method have ended with a code."""

    method: Method
    code: str
    calls: int


class CallCounter:
    """Counts; a plain dictionary, because it is asked once in a while and told all the time."""

    def __init__(self, methods: Sequence[Method]) -> None:
        self._methods = {(method.service, method.name): method for method in methods}
        self._counts: dict[tuple[str, str], Counter[int]] = {name: Counter({0: 0}) for name in self._methods}

    def of(self, method: Method) -> Callable[[int], None]:
        """Return what counts a call of this method, given its code."""
        counts = self._counts[method.service, method.name]

        def count(code: int) -> None:
            counts[code] += 1

        return count

    def __iter__(self) -> Iterator[Ended]:
        """Go through all counts."""
        for name, counts in self._counts.items():
            for code, count in sorted(counts.items()):
                yield Ended(self._methods[name], CODE_NAMES[code], count)
