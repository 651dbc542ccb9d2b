"""The two halves of an exact breadth-first search.

`expand` computes what comes of some states, many threads at once: it only reads the tables. `absorb` keeps what
is new, each thread for its own shards. A state is a pair of two numbers: that of its *combination* (process
states and ghost; see `kernels.combinations`) and that of its *network* (one inbox a process) in its shard.
"""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.kernels.combinations import (
    FORBIDDEN,
    RENAMING_BITS,
    Combinations,
    compare,
    copy,
    rename_combination,
)
from raftcheck.explore.kernels.compiled import kernel, part, read_ahead
from raftcheck.explore.kernels.inboxes import ADD, RENAME, Inboxes, operation
from raftcheck.explore.kernels.local import FIRST_SEND, SENDS, UNKNOWN, Local
from raftcheck.explore.kernels.options import COUNT, COUNT_BITS, LOST, Options
from raftcheck.explore.kernels.questions import CHANGE, MOVE, OPTIONS, Questions, ask, wait
from raftcheck.explore.kernels.rows import EMPTY, find_row, get, hash_of, home_of, same, scattered

BLOCK = 32
"""How many states are expanded, and how many rows are absorbed, at a time."""


class Shard(NamedTuple):
    """The states that one shard owns, as keys: combination << 32 | network.

    `counts`: how many states, how many networks, and how many states with all their renamings.
    """

    states: np.ndarray
    state_slots: np.ndarray  # a hash table of the keys themselves
    networks: np.ndarray  # network -> inboxes by pid
    network_slots: np.ndarray
    counts: np.ndarray
    block: np.ndarray  # scratch: the keys of a block of states, and their homes


class Output(NamedTuple):
    """What `expand` finds: rows of (inboxes by pid, combination, network, how many renamings leave it as it is).

    The network is UNKNOWN unless it is that of the state before. A row belongs to the shard that the hash of its
    network names; `order[starts[s] : starts[s + 1]]` are the rows of shard s.

    States about which there are questions wait. `counts`: rows, transitions, whether there was too little room.
    """

    rows: np.ndarray
    hashes: np.ndarray  # of the rows' networks; of a network that is known, just the shard
    sources: np.ndarray  # which state of those expanded each row comes from
    order: np.ndarray
    starts: np.ndarray
    questions: Questions
    counts: np.ndarray
    scratch: np.ndarray  # five lists of inboxes
    combination: np.ndarray  # scratch space
    options: np.ndarray  # scratch space: what each process can do, in each state of a block


class Work(NamedTuple):
    """Scratch space of one thread: inboxes before and after a step, renamings of these, a renamed combination."""

    before: np.ndarray
    after: np.ndarray
    first: np.ndarray
    renamed: np.ndarray
    best: np.ndarray
    combination: np.ndarray


class Model(NamedTuple):
    """All tables that are the same for every shard."""

    local: Local
    inboxes: Inboxes
    options: Options
    combinations: Combinations


class Source(NamedTuple):
    """The state being expanded."""

    position: int
    shard: int
    combination: int
    network: int


@kernel
def expand(states, networks, own, todo, model, output):
    """Write all successors of the states numbered in `todo` (of shard `own`) to `output`."""
    scratch = output.scratch
    work = Work(scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], output.combination)
    output.counts[:] = 0
    output.questions.counts[:] = 0
    for block in range(0, todo.size, BLOCK):
        stop = min(block + BLOCK, todo.size)
        find_options(states, networks, todo, block, stop, model, output)
        for position in range(block, stop):
            state = states[todo[position]]
            source = Source(position, own, state >> 32, state & 0xFFFFFFFF)
            copy(networks[source.network], work.before)
            rows, transitions = output.counts[0], output.counts[1]
            known = True
            for pid in range(networks.shape[1]):
                options = output.options[position - block, pid]
                known &= take_options(options, pid, networks.shape[1], model, output, work, source)
            if not known:
                output.counts[0], output.counts[1] = rows, transitions
                wait(output.questions, todo[position])
            if output.counts[2]:
                return
    sort_by_shard(output)


@part
def find_options(states, networks, todo, block, stop, model, output):
    """Find the options of all processes in a block of states, and fetch what will be looked up about them.

    Each loop only begins to fetch what the next one reads, for all states of the block.
    """
    options, processes = model.options, networks.shape[1]
    for position in range(block, stop):
        read_ahead(networks, (states[todo[position]] & 0xFFFFFFFF) * processes)
    for position in range(block, stop):
        for pid in range(processes):
            home = home_of(scattered(options_key(states[todo[position]], pid, networks, model)), options.keys.size)
            read_ahead(options.keys, home)
            read_ahead(options.values, home)
    for position in range(block, stop):
        for pid in range(processes):
            found = get(options.keys, options.values, options_key(states[todo[position]], pid, networks, model))
            if found == EMPTY:
                ask(output.questions, OPTIONS, options_key(states[todo[position]], pid, networks, model))
            output.options[position - block, pid] = found
            read_ahead(options.items, (found >> COUNT_BITS) * 2)
    for position in range(block, stop):
        for pid in range(processes):
            fetch_moves(output.options[position - block, pid], states[todo[position]], networks, model)


@part
def options_key(state, pid, networks, model):
    """Return the key of what a process can do in a state."""
    node = np.int64(model.combinations.rows[state >> 32, pid])
    return (node << 32) | networks[state & 0xFFFFFFFF, pid]


@part
def fetch_moves(found, state, networks, model):
    """Begin to fetch what will be looked up about options."""
    local, moves, inboxes = model.local, model.combinations, model.inboxes
    first = found >> COUNT_BITS
    for position in range(first, first + (found & COUNT) if found != EMPTY else first):
        step = model.options.items[position, 0]
        if step != LOST:
            home = home_of(scattered(((state >> 32) << 32) | step), moves.keys.size)
            read_ahead(moves.keys, home)
            read_ahead(moves.values, home)
            start = local.steps[step, FIRST_SEND]
            for send in range(start, start + local.steps[step, SENDS]):
                message = local.sends[send]
                key = operation(networks[state & 0xFFFFFFFF, local.receivers[message]], message, ADD)
                home = home_of(scattered(key), inboxes.keys.size)
                read_ahead(inboxes.keys, home)
                read_ahead(inboxes.values, home)


@kernel
def write_initial(combination, orbit, output):
    """Write the initial state to the output: a combination that all renamings leave as it is, nothing under way."""
    row = output.rows[0]
    processes = row.size - 3
    row[:] = 0
    row[processes], row[processes + 1], row[processes + 2] = combination, UNKNOWN, orbit
    output.hashes[0] = hash_of(row, 0, processes)
    output.counts[0] = 1
    sort_by_shard(output)


@part
def take_options(found, pid, processes, model, output, work, source):
    """Do all that a process can; tell whether all is known."""
    if found == EMPTY:
        return False
    options = model.options
    known, first = True, found >> COUNT_BITS
    for position in range(first, first + (found & COUNT)):
        copy(work.before, work.after)
        work.after[pid] = options.items[position, 1]
        step = options.items[position, 0]
        if step == LOST:
            known &= emit(source.combination, 0, processes, model, output, work, source)
        else:
            known &= take(step, processes, model, output, work, source)
    return known


@part
def change_inbox(pid, operand, kind, inboxes, output, row):
    """Replace a process's inbox in a row by what an operation makes of it; tell whether that is known."""
    key = operation(row[pid], operand, kind)
    changed = get(inboxes.keys, inboxes.values, key)
    if changed < 0:
        return ask(output.questions, CHANGE, key)
    row[pid] = changed
    return True


@part
def take(step, processes, model, output, work, source):
    """Take a step; `work.after` is the network without what it received. Tell whether all is known."""
    local, combinations = model.local, model.combinations
    key = (source.combination << 32) | step
    move = get(combinations.keys, combinations.values, key)
    if move == EMPTY:
        return ask(output.questions, MOVE, key)
    if move == FORBIDDEN:
        return True
    start = local.steps[step, FIRST_SEND]
    for position in range(start, start + local.steps[step, SENDS]):
        message = local.sends[position]
        if not change_inbox(local.receivers[message], message, ADD, model.inboxes, output, work.after):
            return False
    renaming = move & ((1 << RENAMING_BITS) - 1)
    return emit(move >> RENAMING_BITS, renaming, processes, model, output, work, source)


@part
def emit(combination, renaming, processes, model, output, work, source):
    """Write a successor to the output, under its least name; tell whether that is known.

    It has a combination that is `combination` when renamed by `renaming`, and the inboxes `work.after`.
    """
    stays = renaming == 0 and compare(work.after, work.before, processes) == 0
    if stays and combination == source.combination:
        return True
    number = output.counts[0]
    if number == output.rows.shape[0]:
        output.counts[2] = 1
        return True
    row = output.rows[number]
    ties = model.combinations.ties[combination]
    if renaming == 0 and ties == 1:
        copy(work.after, row)
        row[processes + 2] = 1
    else:
        stays = False
        stabiliser = least_network(combination, renaming, ties, processes, model, output, work)
        if stabiliser == 0:
            return False
        copy(work.best, row)
        row[processes + 2] = stabiliser
    row[processes] = combination
    if stays:
        row[processes + 1] = source.network
        output.hashes[number] = source.shard
    else:
        row[processes + 1] = UNKNOWN
        output.hashes[number] = hash_of(row, 0, processes)
    output.sources[number] = source.position
    output.counts[0] = number + 1
    output.counts[1] += 1
    return True


@part
def least_network(combination, renaming, ties, processes, model, output, work):
    """Write the least of the networks that `work.after` may be renamed to together with its combination.

    These are the renamings by `renaming` and then by any that leaves the combination as it is, of which there are
    `ties`. Return how many of them lead to the least network, which is in `work.best`; 0 if that is not known yet.
    """
    rows = model.combinations.rows
    if not rename_network(renaming, processes, model, output, work.after, work.first):
        return 0
    copy(work.first, work.best)
    found = 1
    for other in range(1, model.local.permutations.shape[0] if ties > 1 else 1):
        rename_combination(other, model.local, rows[combination], work.combination)
        if compare(work.combination, rows[combination], processes + 1) != 0:
            continue
        if not rename_network(other, processes, model, output, work.first, work.renamed):
            return 0
        order = compare(work.renamed, work.best, processes)
        if order < 0:
            found = 1
            copy(work.renamed, work.best)
        elif order == 0:
            found += 1
    return found


@part
def rename_network(renaming, processes, model, output, row, renamed):
    """Rename the inboxes of a row; tell whether they are known."""
    for pid in range(processes):
        key = operation(row[pid], renaming, RENAME)
        inbox = get(model.inboxes.keys, model.inboxes.values, key)
        if inbox < 0:
            return ask(output.questions, CHANGE, key)
        renamed[model.local.permutations[renaming, pid]] = inbox
    return True


@part
def shard_of(value, shards):
    """Return the shard to which a state belongs, by the hash of its network; their number is a power of two.

    The network decides, because there are more networks than combinations.
    """
    return np.int64(value & np.uint64(shards - 1))


@part
def sort_by_shard(output):
    """Put the rows in order of their shards, which keeps the order of rows of the same shard."""
    rows, starts, shards = output.counts[0], output.starts, output.starts.size - 1
    starts[:] = 0
    for number in range(rows):
        starts[shard_of(output.hashes[number], shards)] += 1
    for shard in range(1, shards + 1):
        starts[shard] += starts[shard - 1]
    for number in range(rows - 1, -1, -1):
        shard = shard_of(output.hashes[number], shards)
        starts[shard] -= 1
        output.order[starts[shard]] = number


@part
def home_of_state(key, size):
    """Return where in a table of `size` slots the search for a state begins."""
    return home_of(scattered(key), size)


@part
def find_state(slots, key, home):
    """Return the slot where a state is, or where it belongs, with its home in the table."""
    slot = home
    while slots[slot] != EMPTY and slots[slot] != key:
        slot += 1
        if slot == slots.size:
            slot = 0
    return slot


@part
def put_network(shard, row, value):
    """Return the number of a network, which has the hash `value`; a new one if it was not met before."""
    rows, slots = shard.networks, shard.network_slots
    slot = home_of(value, slots.size)
    while slots[slot] != EMPTY:
        if same(rows, slots[slot], row, 0):
            return np.int64(slots[slot])
        slot += 1
        if slot == slots.size:
            slot = 0
    number = shard.counts[1]
    slots[slot] = number
    for position in range(rows.shape[1]):
        rows[number, position] = row[position]
    shard.counts[1] = number + 1
    return number


@kernel
def absorb(shard, own, output, first, orbit):
    """Keep the new ones of a shard's rows, from the first on, while there is room; return how many are done then.

    `orbit` is how many renamings there are: a state has as many different ones as that, divided by how many
    leave it as it is.

    The tables are too large for the processor's cache, and each row is somewhere else in them. So what a whole block
    of rows needs is fetched before any of it is looked at: that waits for memory once a block, not once a row.
    """
    processes, counts = shard.networks.shape[1], shard.counts
    room = min(shard.states.size, shard.state_slots.size * 7 // 10)
    room_for_networks = min(shard.networks.shape[0], shard.network_slots.size * 7 // 10)
    start, end = output.starts[own], output.starts[own + 1]
    for block in range(start + first, end, BLOCK):
        if counts[0] + BLOCK > room or counts[1] + BLOCK > room_for_networks:
            return block - start
        stop = min(block + BLOCK, end)
        for done in range(block, stop):
            number = output.order[done]
            read_ahead(output.rows, number * output.rows.shape[1])
            read_ahead(shard.network_slots, home_of(output.hashes[number], shard.network_slots.size))
        for done in range(block, stop):
            slot = home_of(output.hashes[output.order[done]], shard.network_slots.size)
            read_ahead(shard.networks, shard.network_slots[slot] * processes)
        for done in range(block, stop):
            number = output.order[done]
            row = output.rows[number]
            network = np.int64(row[processes + 1])
            if network == UNKNOWN:
                network = put_network(shard, row, output.hashes[number])
            key = (np.int64(row[processes]) << 32) | network
            home = home_of_state(key, shard.state_slots.size)
            shard.block[done - block, 0], shard.block[done - block, 1] = key, home
            read_ahead(shard.state_slots, home)
        for done in range(block, stop):
            key = shard.block[done - block, 0]
            slot = find_state(shard.state_slots, key, shard.block[done - block, 1])
            if shard.state_slots[slot] == EMPTY:
                shard.state_slots[slot] = key
                shard.states[counts[0]] = key
                counts[0] += 1
                counts[2] += orbit // output.rows[output.order[done], processes + 2]
    return end - start


@kernel
def move_states(old_slots, slots):
    """Enter all states into larger, empty slots. Their homes are in the same order there: no jumps through memory."""
    for position in range(old_slots.size):
        key = old_slots[position]
        if key != EMPTY:
            slots[find_state(slots, key, home_of_state(key, slots.size))] = key


@kernel
def number_slots(states, count, slots, numbers):
    """Write for each slot that holds a state the state's number."""
    for number in range(count):
        numbers[find_state(slots, states[number], home_of_state(states[number], slots.size))] = number


@kernel
def find_states(shard, numbers, rows, found):
    """Write the numbers of states that are given as rows of inboxes and combination; negative if not there.

    `numbers` holds for each slot the number of the state in it.
    """
    processes = shard.networks.shape[1]
    for position in range(rows.shape[0]):
        network = find_row(shard.networks, shard.network_slots, rows[position], 0)
        found[position] = UNKNOWN
        if network >= 0:
            key = (np.int64(rows[position, processes]) << 32) | network
            slot = find_state(shard.state_slots, key, home_of_state(key, shard.state_slots.size))
            if shard.state_slots[slot] != EMPTY:
                found[position] = numbers[slot]


@kernel
def mark_backwards(starts, sources, marked, queue):
    """Mark every state from which a marked one can be reached: `sources[starts[s] : starts[s + 1]]` lead to s.

    `queue` has room for all states.
    """
    waiting = 0
    for state in range(marked.size):
        if marked[state]:
            queue[waiting] = state
            waiting += 1
    while waiting > 0:
        waiting -= 1
        state = queue[waiting]
        for position in range(starts[state], starts[state + 1]):
            before = sources[position]
            if not marked[before]:
                marked[before] = True
                queue[waiting] = before
                waiting += 1
