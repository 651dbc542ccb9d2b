"""What a node counts of itself, for whoever watches it."""

from bisect import bisect_left

from raftimpl.etcd.backend import Histogram

BOUNDS = tuple(0.001 * 2**power for power in range(14))
"""Seconds: etcd's, from a millisecond to eight seconds."""


class Durations:
    """How long something took, each time."""

    def __init__(self) -> None:
        self._counts = [0] * (len(BOUNDS) + 1)
        self._sum = 0.0

    def add(self, seconds: float) -> None:
        """Count once more."""
        self._counts[bisect_left(BOUNDS, seconds)] += 1
        self._sum += seconds

    def histogram(self) -> Histogram:
        """Return all that was counted."""
        return Histogram(BOUNDS, tuple(self._counts), self._sum)


class Counters:
    """What a node has done since it was started."""

    def __init__(self) -> None:
        self.leader_changes = 0
        self.proposals_failed = 0
        self.malformed_messages = 0
        self.syncs = Durations()
