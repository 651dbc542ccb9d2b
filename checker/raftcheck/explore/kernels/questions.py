"""What compiled code asks when the tables have no answer yet."""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.kernels.compiled import part

OPEN, REACT, OBSERVE, JUDGE, CHANGE, OPTIONS, MOVE = range(7)
"""What a question is about: the inputs of a node; a delivery; the scenario's view of a step; the properties' view of
a step (these four are for `raftcheck.explore.tables`); an operation on an inbox (`kernels.inboxes`); what a process
can do (`kernels.options`); where a step leads a combination (`kernels.combinations`)."""


class Questions(NamedTuple):
    """Questions, as (kind, key), and who waits for the answers. `counts`: how many there are of both.

    Where there is no room for a question, it is left out: who waits will ask again.
    """

    asked: np.ndarray
    waiting: np.ndarray
    counts: np.ndarray


@part
def ask(questions, kind, key):
    """Note a question. Returns False, for what is asked is not known."""
    number = questions.counts[0]
    if number < questions.asked.shape[0]:
        questions.asked[number, 0], questions.asked[number, 1] = kind, key
        questions.counts[0] = number + 1
    return False


@part
def wait(questions, who):
    """Note that someone waits for answers."""
    questions.waiting[questions.counts[1]] = who
    questions.counts[1] += 1
