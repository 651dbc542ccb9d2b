"""What each process does, by numbers, as compiled code reads it."""

from typing import NamedTuple

import numpy as np

UNKNOWN, DISABLED = -1, -2
AFTER, NOTICE, JUDGED, FIRST_SEND, SENDS, PROCESS = range(6)


class Local(NamedTuple):
    """What each process does, by numbers: filled step by step by `raftcheck.explore.tables.Tables`.

    A node is a process in one of its states. A step that its scenario does not notice has no notice (-1).
    """

    input_starts: np.ndarray  # node -> first of its inputs' steps; UNKNOWN before they are computed
    input_counts: np.ndarray
    input_steps: np.ndarray
    reactions: np.ndarray  # node, message's place at its receiver -> step, UNKNOWN or DISABLED
    places: np.ndarray  # message -> its place among the messages to its receiver
    receivers: np.ndarray  # message -> pid
    steps: np.ndarray  # step -> AFTER (node), NOTICE, JUDGED (have the properties seen it), FIRST_SEND, SENDS, PROCESS
    sends: np.ndarray  # messages
    ghost_keys: np.ndarray  # ghost << 32 | notice -> ghost, or `forbidden`
    ghost_values: np.ndarray
    forbidden: int
    renamed_nodes: np.ndarray  # node, renaming -> node
    renamed_ghosts: np.ndarray
    permutations: np.ndarray  # renaming, pid -> pid; the first is the identity
