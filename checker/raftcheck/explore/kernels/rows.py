"""Rows of whole numbers, each kept once: equal rows get the same index, in the order in which they first come.

`rows` holds the rows one after another; `slots` is an open-addressing hash table of their indexes, -1 where empty.
Rows are compared by all their items, so two different rows never share an index.
"""

import numpy as np

from raftcheck.explore.kernels.compiled import kernel, part

EMPTY = -1


@part
def mixed(value):
    """Scatter the bits of a 64-bit number (the finaliser of MurmurHash3)."""
    value = np.uint64(value)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@part
def hash_of(row, start, stop):
    """Return a hash of the items from start to stop."""
    value = np.uint64(0x9E3779B97F4A7C15)
    for position in range(start, stop):
        value = (value ^ np.uint64(row[position])) * np.uint64(0x9FB21C651E98DF25)
        value ^= value >> np.uint64(29)
    return mixed(value)


@part
def scattered(key):
    """Return a hash of a number of 64 bits, of which only the upper half is good: enough for `home_of`."""
    return np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)


@part
def home_of(value, size):
    """Return where in a table of `size` slots the search for a hash begins."""
    return np.int64(((value >> np.uint64(32)) * np.uint64(size)) >> np.uint64(32))


@part
def same(rows, index, row, start):
    """Tell whether the row at `index` equals the items of `row` from start on."""
    for position in range(rows.shape[1]):
        if rows[index, position] != row[start + position]:
            return False
    return True


@part
def find_row(rows, slots, row, start):
    """Return the index of the items of `row` from start on, or ~slot for the slot where they belong."""
    slot = home_of(hash_of(row, start, start + rows.shape[1]), slots.size)
    while slots[slot] != EMPTY:
        if same(rows, slots[slot], row, start):
            return np.int64(slots[slot])
        slot += 1
        if slot == slots.size:
            slot = 0
    return np.int64(~slot)


@part
def put_row(rows, slots, count, row, start):
    """Return the index of the items of `row` from start on; if that is `count`, they were added just now."""
    index = find_row(rows, slots, row, start)
    if index >= 0:
        return index
    slots[~index] = count
    for position in range(rows.shape[1]):
        rows[count, position] = row[start + position]
    return np.int64(count)


@kernel
def fill_slots(rows, slots, count):
    """Enter the first `count` rows into empty slots."""
    for index in range(count):
        slot = home_of(hash_of(rows[index], 0, rows.shape[1]), slots.size)
        while slots[slot] != EMPTY:
            slot += 1
            if slot == slots.size:
                slot = 0
        slots[slot] = index


@part
def get(keys, values, key):
    """Return what a map holds for a key (not negative), EMPTY if nothing."""
    slot = home_of(scattered(key), keys.size)
    while keys[slot] != EMPTY:
        if keys[slot] == key:
            return values[slot]
        slot += 1
        if slot == keys.size:
            slot = 0
    return values.dtype.type(EMPTY)


@kernel
def put(keys, values, key, value):
    """Enter a key that is not in the map yet."""
    slot = home_of(scattered(key), keys.size)
    while keys[slot] != EMPTY:
        slot += 1
        if slot == keys.size:
            slot = 0
    keys[slot] = key
    values[slot] = value


@kernel
def move_entries(old_keys, old_values, keys, values):
    """Enter everything of one map into a larger one."""
    for slot in range(old_keys.size):
        if old_keys[slot] != EMPTY:
            put(keys, values, old_keys[slot], old_values[slot])
