"""What the network may do to messages."""

import enum
from typing import NamedTuple

from raftcheck.model.process import Value


class Network(enum.Enum):
    """The three kinds of network.

    LOSSY_DUPLICATING: a set that only grows. What was sent may be delivered at any later time, any number of
    times, or never; loss, duplication and reordering are all implied.

    UNORDERED: a multiset. Each message is delivered at most once, in any order.

    ORDERED: a queue for each pair of sender and receiver. Each message is delivered at most once, in order.
    """

    LOSSY_DUPLICATING = "lossy-duplicating"
    UNORDERED = "unordered"
    ORDERED = "ordered"


class Envelope(NamedTuple):
    """A message under way from `sender` to `to`."""

    to: int
    sender: int
    message: Value
