"""The compiled search for a linearization, on numbers.

A *configuration* is how far the events have been followed, the state of the model, which of the operations under way
have taken effect already, and how many operations of unknown outcome of each kind have. An operation takes effect only
when the next event is the completion of one that has not yet ("just in time", Lowe 2017), and every operation under way
is then a choice (Wing & Gong 1993). Configurations are remembered and compared whole: none is ever taken for another.

The search goes in rounds: first no operation of unknown outcome takes effect, then one, and so on; within a round it
goes deep first. The configurations of a round are rows one after another, so the next round begins from these.

Three things are left out, and nothing is lost by that:

- A read under way that is possible now takes effect at once: any linearization that has it later still is one if it is
  moved here. (Not so a write of what is there already: it may change something later.)
- Operations of unknown outcome that ask the same are interchangeable from their invocation on, so they are counted.
- A configuration that has used up more of these than another one, all else being equal, can do nothing that the other
  cannot. The rounds see to it that the other one comes first.
"""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.kernels.compiled import kernel, part
from raftcheck.explore.kernels.rows import EMPTY, get, hash_of, home_of, same

IMPOSSIBLE = -2
"""In place of a state: the operation could not have told that. EMPTY: nobody has asked the model yet."""

FREE = -1
"""No operation in this place."""

INVOKE, OFFER, COMPLETE = range(3)
"""Kinds of events: an operation begins that will complete in this place, one of unknown outcome, one completes."""

FOUND, EXHAUSTED, ASK, GROW, PAUSE = range(5)
"""Why the search stops: a linearization is found; there is none; a step of the model is not known; there is too little
room; the budget is used up. After the last three it goes on where it was."""

ROWS, DEPTH, FURTHEST, STATE, LABEL, POSITION, TAKEN, FIRST, END, ROW, KIND, COUNTERS = range(12)
"""Counters: configurations; length of the stack; the furthest event; state and label asked for; events followed;
choices; the first configuration of the last round, and the one after its last; the one after that from which the next
round goes on, and with which kind of unknown operation."""

WORD = 32


class Search(NamedTuple):
    """All that a search reads and writes. A place belongs to an operation from its invocation to its completion."""

    events: np.ndarray  # kind, place (OFFER: kind of unknown operation), label, event that completes it
    reads: np.ndarray  # label -> whether it never changes anything
    unknown_labels: np.ndarray  # kind of unknown operation -> label
    keys: np.ndarray  # state << 32 | label -> state, IMPOSSIBLE or EMPTY
    values: np.ndarray
    heads: np.ndarray  # configuration -> event << 32 | state, then the places that have taken effect, 32 to a word
    used: np.ndarray  # configuration, kind of unknown operation -> how many took effect
    parents: np.ndarray  # configuration -> the one before, FREE for the first
    choices: np.ndarray  # configuration -> place, or ~kind, of the operation that led to it
    chain: np.ndarray  # configuration -> another one with the same head, or EMPTY
    slots: np.ndarray  # a hash table of the first configuration with each head
    labels: np.ndarray  # place -> label of the operation in it, or FREE
    ends: np.ndarray  # place -> event that completes the operation in it
    offered: np.ndarray  # kind of unknown operation -> how many were invoked
    stack: np.ndarray  # configurations, and the completion of the operation that was tried last in each
    counts: np.ndarray


@kernel
def search_on(search, budget):
    """Search on, looking at so many choices; return why the search stops."""
    counts, effort = search.counts, search.labels.size + 1
    while budget > 0:
        if counts[ROWS] + 1 >= search.heads.shape[0] or counts[ROWS] * 10 > search.slots.size * 6:
            return GROW
        if counts[DEPTH] > 0:
            budget -= effort
            status = go_deeper(search)
        elif counts[ROW] > counts[FIRST]:
            budget -= effort + search.offered.size
            status = go_wider(search)
        elif counts[ROWS] > counts[END]:
            counts[FIRST], counts[END], counts[ROW], counts[KIND] = counts[END], counts[ROWS], counts[ROWS], 0
            continue
        else:
            return EXHAUSTED
        if status != PAUSE:
            return status
    return PAUSE


@kernel
def go_deeper(search):
    """Take the next choice in the configuration on top of the stack; return PAUSE if the search goes on."""
    stack, top, none = search.stack, search.counts[DEPTH] - 1, search.labels.size
    row, latest = stack[top, 0], stack[top, 1]
    place = np.int64(none)
    if latest == 0:
        place = find_read(search, row)
        if place == EMPTY:
            return ask(search, row, FREE)
    if place != none:
        stack[top, 1] = search.events.shape[0]
    else:
        place = next_place(search, row, latest)
        if place != none:
            if step(search, row, search.labels[place]) == EMPTY:
                return ask(search, row, search.labels[place])
            stack[top, 1] = search.ends[place]
    if place != none:
        return FOUND if enter(search, row, place) else PAUSE
    search.counts[DEPTH] = top
    if top > 0:
        move_to(search, search.heads[stack[top - 1, 0], 0] >> 32)
    return PAUSE


@kernel
def go_wider(search):
    """Let another operation of unknown outcome take effect in a configuration of the last round.

    Returns PAUSE if the search goes on.
    """
    counts = search.counts
    row = counts[ROW] - 1
    move_to(search, search.heads[row, 0] >> 32)
    if counts[KIND] == 0:
        read = find_read(search, row)
        if read == EMPTY:
            return ask(search, row, FREE)
        if read != search.labels.size:
            counts[ROW] = row
            return PAUSE
    kind = find_kind(search, row, counts[KIND])
    if kind == search.offered.size:
        counts[ROW], counts[KIND] = row, 0
        return PAUSE
    if step(search, row, search.unknown_labels[kind]) == EMPTY:
        return ask(search, row, search.unknown_labels[kind])
    counts[KIND] = kind + 1
    return FOUND if enter(search, row, search.labels.size + kind) else PAUSE


@part
def ask(search, row, label):
    """Note which step there is a question about; FREE: all reads under way."""
    search.counts[STATE], search.counts[LABEL] = search.heads[row, 0] & 0xFFFFFFFF, label
    return ASK


@part
def step(search, row, label):
    """Return the state after an operation in a configuration, IMPOSSIBLE or EMPTY."""
    return np.int64(get(search.keys, search.values, ((search.heads[row, 0] & 0xFFFFFFFF) << 32) | label))


@kernel
def begin(search):
    """Enter the first configuration; tell whether it is all."""
    search.heads[0, :] = 0
    search.used[0, :] = 0
    return settle(search, 0, FREE, FREE)


@part
def is_done(search, row, place):
    """Tell whether the operation in a place has taken effect."""
    return (search.heads[row, 1 + place // WORD] >> (place % WORD)) & 1 != 0


@kernel
def find_read(search, row):
    """Return the place of a read that is possible, the number of places if there is none.

    EMPTY if it is not known of some read under way whether it is.
    """
    found = np.int64(search.labels.size)
    for place in range(search.labels.size):
        label = search.labels[place]
        if label != FREE and search.reads[label] and not is_done(search, row, place):
            after = step(search, row, label)
            if after == EMPTY:
                return np.int64(EMPTY)
            if after >= 0:
                found = np.int64(place)
    return found


@kernel
def next_place(search, row, latest):
    """Return the place of the operation that completes first of those that complete after an event.

    The number of places if there is none. Those that are known to be impossible do not count. What completes first
    often took effect first.
    """
    found, first = np.int64(search.labels.size), search.events.shape[0]
    for place in range(search.labels.size):
        label = search.labels[place]
        if label != FREE and latest < search.ends[place] < first and not is_done(search, row, place):
            if step(search, row, label) != IMPOSSIBLE:
                found, first = np.int64(place), search.ends[place]
    return found


@kernel
def find_kind(search, row, kind):
    """Return the first kind of unknown operation, from the given one on, that may change something.

    The number of kinds if there is none.
    """
    state = search.heads[row, 0] & 0xFFFFFFFF
    while kind < search.offered.size:
        if search.used[row, kind] < search.offered[kind]:
            after = step(search, row, search.unknown_labels[kind])
            if after != IMPOSSIBLE and after != state:
                return kind
        kind += 1
    return kind


@kernel
def enter(search, row, choice):
    """Let the chosen operation take effect, and keep the configuration if it is new; tell whether it is the end."""
    new, places = search.counts[ROWS], search.labels.size
    search.counts[TAKEN] += 1
    for word in range(search.heads.shape[1]):
        search.heads[new, word] = search.heads[row, word]
    for kind in range(search.used.shape[1]):
        search.used[new, kind] = search.used[row, kind]
    if choice < places:
        search.heads[new, 1 + choice // WORD] |= np.int64(1) << (choice % WORD)
        label, made = search.labels[choice], np.int64(choice)
    else:
        search.used[new, choice - places] += 1
        label, made = search.unknown_labels[choice - places], ~np.int64(choice - places)
    search.heads[new, 0] = ((search.heads[row, 0] >> 32) << 32) | step(search, row, label)
    return settle(search, new, row, made)


@kernel
def settle(search, new, parent, made):
    """Follow the events as far as they go, and push the configuration if it is new; tell whether it is the end."""
    counts, before = search.counts, search.counts[POSITION]
    ended = follow(search, new)
    counts[FURTHEST] = max(counts[FURTHEST], counts[POSITION])
    if not remember(search, new):
        move_to(search, before)
        return False
    search.parents[new] = parent
    search.choices[new] = made
    counts[ROWS] = new + 1
    search.stack[counts[DEPTH], 0] = new
    search.stack[counts[DEPTH], 1] = 0
    counts[DEPTH] += 1
    return ended


@kernel
def follow(search, row):
    """Follow the events up to a completion whose operation has not taken effect; tell whether all were followed."""
    event, heads = search.counts[POSITION], search.heads
    while event < search.events.shape[0]:
        kind, place, label = search.events[event, 0], search.events[event, 1], search.events[event, 2]
        if kind == OFFER:
            search.offered[place] += 1
        elif kind == INVOKE:
            search.labels[place], search.ends[place] = label, search.events[event, 3]
        else:
            if not is_done(search, row, place):
                break
            heads[row, 1 + place // WORD] &= ~(np.int64(1) << (place % WORD))
            search.labels[place] = FREE
        event += 1
    search.counts[POSITION] = event
    heads[row, 0] = (np.int64(event) << 32) | (heads[row, 0] & 0xFFFFFFFF)
    return event == search.events.shape[0]


@kernel
def move_to(search, event):
    """Follow the events to the given one, or undo them down to it."""
    position = search.counts[POSITION]
    while position < event:
        kind, place = search.events[position, 0], search.events[position, 1]
        if kind == OFFER:
            search.offered[place] += 1
        elif kind == INVOKE:
            search.labels[place], search.ends[place] = search.events[position, 2], search.events[position, 3]
        else:
            search.labels[place] = FREE
        position += 1
    while position > event:
        position -= 1
        kind, place = search.events[position, 0], search.events[position, 1]
        if kind == OFFER:
            search.offered[place] -= 1
        elif kind == INVOKE:
            search.labels[place] = FREE
        else:
            search.labels[place], search.ends[place] = search.events[position, 2], position
    search.counts[POSITION] = position


@kernel
def remember(search, new):
    """Keep a configuration, unless one that can do as much is kept already; tell whether it is new."""
    slot = home_of(hash_of(search.heads[new], 0, search.heads.shape[1]), search.slots.size)
    while search.slots[slot] != EMPTY and not same(search.heads, search.slots[slot], search.heads[new], 0):
        slot += 1
        if slot == search.slots.size:
            slot = 0
    row = search.slots[slot]
    while row != EMPTY:
        if is_at_most(search.used, row, new):
            return False
        row = search.chain[row]
    search.chain[new] = search.slots[slot]
    search.slots[slot] = new
    return True


@part
def is_at_most(used, row, other):
    """Tell whether a configuration has used no more unknown operations than another, of each kind."""
    for kind in range(used.shape[1]):
        if used[row, kind] > used[other, kind]:
            return False
    return True


@kernel
def enter_slots(heads, count, slots, chain):
    """Enter the first configurations into empty slots."""
    for row in range(count):
        slot = home_of(hash_of(heads[row], 0, heads.shape[1]), slots.size)
        while slots[slot] != EMPTY and not same(heads, slots[slot], heads[row], 0):
            slot += 1
            if slot == slots.size:
                slot = 0
        chain[row] = slots[slot]
        slots[slot] = row
