"""What is under way to one process, as a list of message numbers; equal lists get the same number.

    a set (LOSSY_DUPLICATING)   in increasing order, each once
    a multiset (UNORDERED)      in increasing order, with repetitions
    queues (ORDERED)            by sender, each sender's in the order in which they were sent

So each kind of network adds by inserting at one position and removes by deleting at one position. What an
operation makes of an inbox is remembered in a map, so that exploration only looks it up.
"""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.kernels.compiled import kernel, part
from raftcheck.explore.kernels.rows import EMPTY, get, hash_of, home_of, put

SET, MULTISET, QUEUES = 0, 1, 2
ADD, REMOVE, RENAME = 0, 1, 2


class Inboxes(NamedTuple):
    """All inboxes so far: `items[starts[i] : starts[i] + lengths[i]]` is inbox i; inbox 0 is empty.

    `counts` holds how many inboxes, items and known operations there are.
    """

    kind: int
    senders: np.ndarray  # of each message
    renamed: np.ndarray  # message, renaming -> message
    starts: np.ndarray
    lengths: np.ndarray
    items: np.ndarray
    slots: np.ndarray
    keys: np.ndarray  # operations (see `operation`) -> inbox
    values: np.ndarray
    counts: np.ndarray


@part
def operation(inbox, operand, kind):
    """Return the key of an operation on an inbox: ADD or REMOVE a message, RENAME by a renaming."""
    return (np.int64(inbox) << 32) | (np.int64(operand) << 2) | kind


@part
def deliverable(inboxes, inbox, position):
    """Tell whether the message at a position can be delivered and is not a repetition of the one before it."""
    if inboxes.kind == SET or position == 0:
        return True
    start = inboxes.starts[inbox]
    last, this = inboxes.items[start + position - 1], inboxes.items[start + position]
    if inboxes.kind == MULTISET:
        return last != this
    return inboxes.senders[last] != inboxes.senders[this]


@kernel
def place_for(inboxes, items, length, message):
    """Return the position at which a message is to be inserted; -1 if a set has it already."""
    if inboxes.kind == QUEUES:
        sender = inboxes.senders[message]
        for position in range(length):
            if inboxes.senders[items[position]] > sender:
                return position
        return length
    for position in range(length):
        if items[position] == message and inboxes.kind == SET:
            return -1
        if items[position] > message:
            return position
    return length


@kernel
def insert(inboxes, items, length, message):
    """Add a message to a list; return its length then."""
    place = place_for(inboxes, items, length, message)
    if place < 0:
        return length
    for position in range(length, place, -1):
        items[position] = items[position - 1]
    items[place] = message
    return length + 1


@kernel
def result_of(inboxes, key, items):
    """Write what an operation makes of an inbox to `items`; return its length."""
    inbox, operand, kind = key >> 32, (key & 0xFFFFFFFF) >> 2, key & 3
    start, length = inboxes.starts[inbox], 0
    if kind == RENAME:
        # Queues stay in order: those of one sender are renamed together, and inserted one after another.
        for position in range(inboxes.lengths[inbox]):
            message = inboxes.renamed[inboxes.items[start + position], operand]
            length = insert(inboxes, items, length, message)
        return length
    removed = False
    for position in range(inboxes.lengths[inbox]):
        message = inboxes.items[start + position]
        if kind == REMOVE and not removed and message == operand:
            removed = True
        else:
            items[length] = message
            length += 1
    return insert(inboxes, items, length, operand) if kind == ADD else length


@kernel
def find_inbox(inboxes, items, length):
    """Return the number of a list, or ~slot for the slot where it belongs."""
    slots = inboxes.slots
    slot = home_of(hash_of(items, 0, length), slots.size)
    while slots[slot] != EMPTY:
        inbox = slots[slot]
        if inboxes.lengths[inbox] == length:
            start, position = inboxes.starts[inbox], 0
            while position < length and inboxes.items[start + position] == items[position]:
                position += 1
            if position == length:
                return np.int64(inbox)
        slot += 1
        if slot == slots.size:
            slot = 0
    return np.int64(~slot)


@kernel
def number_of(inboxes, items, length):
    """Return the number of a list, a new one if it was not seen before."""
    inbox = find_inbox(inboxes, items, length)
    if inbox >= 0:
        return inbox
    counts = inboxes.counts
    new, start = counts[0], counts[1]
    inboxes.slots[~inbox] = new
    inboxes.starts[new], inboxes.lengths[new] = start, length
    for position in range(length):
        inboxes.items[start + position] = items[position]
    counts[0] += 1
    counts[1] += length
    return new


@kernel
def perform(inboxes, keys, first, items):
    """Perform operations from the first on while there is room; return how many are done then.

    `items` has room for any inbox that may come of them.
    """
    longest = items.size
    counts = inboxes.counts
    for done in range(first, keys.size):
        is_full = counts[0] >= inboxes.starts.size or counts[1] + longest > inboxes.items.size
        is_crowded = counts[0] * 10 > inboxes.slots.size * 7 or counts[2] * 10 > inboxes.keys.size * 7
        if is_full or is_crowded:
            return done
        key = keys[done]
        if get(inboxes.keys, inboxes.values, key) == EMPTY:
            length = result_of(inboxes, key, items)
            put(inboxes.keys, inboxes.values, key, number_of(inboxes, items, length))
            counts[2] += 1
    return keys.size


@kernel
def fill_inbox_slots(inboxes):
    """Enter all inboxes into empty slots."""
    slots = inboxes.slots
    for inbox in range(inboxes.counts[0]):
        start = inboxes.starts[inbox]
        slot = home_of(hash_of(inboxes.items, start, start + inboxes.lengths[inbox]), slots.size)
        while slots[slot] != EMPTY:
            slot += 1
            if slot == slots.size:
                slot = 0
        slots[slot] = inbox
