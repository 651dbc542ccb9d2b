"""Sets as rows of bits, 64 to a word."""

import numpy as np

from raftcheck.explore.kernels.compiled import part

WORD = 64


@part
def lowest_bit(word):
    """Return the position of the lowest bit that is set in a word (not 0): how many are set in the bits below it."""
    return count_bits((word & (~word + np.uint64(1))) - np.uint64(1))


@part
def count_bits(word):
    """Return how many bits of a word are set."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@part
def has_bit(row, bit):
    """Tell whether a bit is set."""
    return (row[bit // WORD] >> np.uint64(bit % WORD)) & np.uint64(1) != 0


@part
def add_bit(row, bit):
    """Set a bit."""
    row[bit // WORD] |= np.uint64(1) << np.uint64(bit % WORD)


@part
def is_subset(row, other):
    """Tell whether all bits of a row are set in another."""
    for word in range(row.size):
        if row[word] & ~other[word]:
            return False
    return True
