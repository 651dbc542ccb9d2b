"""The questions of compiled code: asked, answered, asked again until nobody waits."""

from collections.abc import Callable

import numpy as np

from raftcheck.explore.columns import Array
from raftcheck.explore.kernels.questions import MOVE, Questions

Enter = Callable[[Array, int, Questions], int]
Answer = Callable[[int, Array], None]


def questions(room: int, waiting: int) -> Questions:
    """Return room for questions, and for so many who may wait."""
    return Questions(np.zeros((room, 2), np.int64), np.zeros(waiting, np.int64), np.zeros(2, np.int64))


def enter_all(keys: Array, enter: Enter, answer: Answer, make_room: Callable[[int], None]) -> None:
    """Enter keys into a table, which asks questions first.

    `enter(keys, first, questions)` enters some from the first on, and returns how many are done when there is no more
    room; `make_room` makes room for the next key. `answer` is given all questions of a kind.
    """
    while len(keys):
        asked = questions(4 * len(keys), len(keys))
        done = 0
        while done < len(keys):
            make_room(int(keys[done]))
            done = enter(keys, done, asked)
        for kind, about in by_kind([asked]):
            answer(kind, about)
        keys = asked.waiting[: asked.counts[1]].copy()


def by_kind(asked: list[Questions]) -> list[tuple[int, Array]]:
    """Return the distinct questions of each kind, in order."""
    all_asked = np.concatenate([each.asked[: each.counts[0]] for each in asked])
    kinds = [(kind, np.unique(all_asked[all_asked[:, 0] == kind, 1])) for kind in range(MOVE + 1)]
    return [(kind, about) for kind, about in kinds if len(about)]
