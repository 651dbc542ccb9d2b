"""What a process can do: all its inputs, and the delivery of every message in its inbox.

This depends on nothing but the process's state and its inbox. So it is listed once for each two of these that come
together, and exploration only goes through the lists.
"""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.kernels.compiled import kernel
from raftcheck.explore.kernels.inboxes import REMOVE, SET, deliverable, operation
from raftcheck.explore.kernels.local import DISABLED, UNKNOWN
from raftcheck.explore.kernels.questions import CHANGE, OPEN, REACT, ask, wait
from raftcheck.explore.kernels.rows import get, put

LOST = -1
"""In place of a step: a message is lost."""

COUNT_BITS = 20
COUNT = (1 << COUNT_BITS) - 1


class Options(NamedTuple):
    """Lists of options, each a step and the inbox without what it receives.

    `counts` holds how many options there are, and how many lists.
    """

    keys: np.ndarray  # node << 32 | inbox -> first of the options << COUNT_BITS | how many
    values: np.ndarray
    items: np.ndarray
    counts: np.ndarray


@kernel
def enter_options(keys, first, local, inboxes, lossy, options, questions):
    """List options, from the first key on, while there is room; return how many lists are done then.

    Those that need an answer first wait for it in `questions`.
    """
    counts = options.counts
    for done in range(first, keys.size):
        key = keys[done]
        most = local.input_counts[key >> 32] + 2 * inboxes.lengths[key & 0xFFFFFFFF]
        if counts[0] + most > options.items.shape[0] or counts[1] * 10 > options.keys.size * 6:
            return done
        count = list_options(key >> 32, key & 0xFFFFFFFF, local, inboxes, lossy, options, questions)
        if count < 0:
            wait(questions, key)
        else:
            put(options.keys, options.values, key, counts[0] << COUNT_BITS | count)
            counts[0] += count
            counts[1] += 1
    return keys.size


@kernel
def list_options(node, inbox, local, inboxes, lossy, options, questions):
    """Write the options of a process at the end; return their number, UNKNOWN if there is something to ask."""
    end = options.counts[0]
    known, inputs = True, local.input_starts[node]
    if inputs == UNKNOWN:
        known = ask(questions, OPEN, node)
    else:
        for position in range(inputs, inputs + local.input_counts[node]):
            options.items[end, 0], options.items[end, 1] = local.input_steps[position], inbox
            end += 1
    for position in range(inboxes.lengths[inbox]):
        message = inboxes.items[inboxes.starts[inbox] + position]
        step = local.reactions[node, local.places[message]]
        if not deliverable(inboxes, inbox, position) or (step == DISABLED and not lossy):
            continue
        if step == UNKNOWN:
            known = ask(questions, REACT, (np.int64(node) << 32) | message)
            continue
        rest = inbox
        if inboxes.kind != SET:
            rest = np.int64(get(inboxes.keys, inboxes.values, operation(inbox, message, REMOVE)))
            if rest < 0:
                known = ask(questions, CHANGE, operation(inbox, message, REMOVE))
                continue
        if lossy:
            options.items[end, 0], options.items[end, 1] = LOST, rest
            end += 1
        if step != DISABLED:
            options.items[end, 0], options.items[end, 1] = step, rest
            end += 1
    return end - options.counts[0] if known else np.int64(UNKNOWN)
