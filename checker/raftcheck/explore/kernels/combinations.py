"""Combinations of process states and ghost, each kept once, and where every step leads each of them.

A step changes a combination in the same way whatever is under way. So this is computed once for each step and
combination in which it is possible, and exploration only looks it up.

With symmetry, only the least of all renamings of a combination is kept.
"""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.kernels.compiled import kernel, part
from raftcheck.explore.kernels.local import AFTER, JUDGED, NOTICE, PROCESS
from raftcheck.explore.kernels.questions import JUDGE, OBSERVE, ask, wait
from raftcheck.explore.kernels.rows import get, put, put_row

FORBIDDEN = -2
"""In place of where a step leads: the scenario does not allow it."""

RENAMING_BITS = 16


class Combinations(NamedTuple):
    """All combinations so far. `counts` holds how many there are, and how many moves."""

    rows: np.ndarray  # combination -> nodes by pid, ghost
    slots: np.ndarray
    ties: np.ndarray  # combination -> how many renamings leave it as it is
    keys: np.ndarray  # combination << 32 | step -> combination << RENAMING_BITS | renaming that makes it least
    values: np.ndarray
    counts: np.ndarray
    scratch: np.ndarray  # three rows


@part
def copy(row, target):
    """Copy a row into another (a loop: for so few numbers a slice costs more than they do)."""
    for position in range(row.size):
        target[position] = row[position]


@part
def compare(row, other, width):
    """Return a negative number, zero or a positive one as a row is less than, equal to or greater than another."""
    for position in range(width):
        if row[position] != other[position]:
            return row[position] - other[position]
    return 0


@part
def rename_combination(renaming, local, row, renamed):
    """Rename the process states and the ghost of a row."""
    processes = local.permutations.shape[1]
    for pid in range(processes):
        renamed[local.permutations[renaming, pid]] = local.renamed_nodes[row[pid], renaming]
    renamed[processes] = local.renamed_ghosts[row[processes], renaming]


@kernel
def enter(local, table, row):
    """Return the number of the least renaming of a combination, and by which renaming it comes about.

    The answer is `number << RENAMING_BITS | renaming`. There must be room for one more combination.
    """
    best, renamed = table.scratch[1], table.scratch[2]
    copy(row, best)
    first, ties = 0, 1
    for renaming in range(1, local.permutations.shape[0]):
        rename_combination(renaming, local, row, renamed)
        order = compare(renamed, best, renamed.size)
        if order < 0:
            copy(renamed, best)
            first, ties = renaming, 1
        elif order == 0:
            ties += 1
    number = put_row(table.rows, table.slots, table.counts[0], best, 0)
    if number == table.counts[0]:
        table.ties[number] = ties
        table.counts[0] += 1
    return number << RENAMING_BITS | first


@kernel
def enter_moves(keys, first, local, table, questions):
    """Enter where moves lead, from the first on, while there is room; return how many moves are done then.

    Those that need an answer first wait for it in `questions`.
    """
    counts, row = table.counts, table.scratch[0]
    processes = local.permutations.shape[1]
    for done in range(first, keys.size):
        is_full = counts[0] >= table.rows.shape[0] or counts[0] >= table.ties.size
        if is_full or counts[0] * 10 > table.slots.size * 6 or counts[1] * 10 > table.keys.size * 6:
            return done
        key = keys[done]
        step = key & 0xFFFFFFFF
        copy(table.rows[key >> 32], row)
        notice = local.steps[step, NOTICE]
        is_allowed = True
        if notice >= 0:
            observed = (np.int64(row[processes]) << 32) | notice
            ghost = get(local.ghost_keys, local.ghost_values, observed)
            if ghost < 0:
                ask(questions, OBSERVE, observed)
                wait(questions, key)
                continue
            is_allowed = ghost != local.forbidden
            row[processes] = ghost
        if is_allowed and not local.steps[step, JUDGED]:
            ask(questions, JUDGE, step)
            wait(questions, key)
            continue
        row[local.steps[step, PROCESS]] = local.steps[step, AFTER]
        put(table.keys, table.values, key, enter(local, table, row) if is_allowed else np.int64(FORBIDDEN))
        counts[1] += 1
    return keys.size
