"""The two halves of an exact breadth-first search.

`expand` computes what comes of some states, many threads at once: it only reads the tables. `absorb` keeps what
is new, each thread for its own shards. A state is a row of two numbers: that of its *combination* (process
states and ghost) and that of its *network* (one inbox a process).
"""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.kernels.compiled import kernel, part
from raftcheck.explore.kernels.inboxes import ADD, REMOVE, RENAME, SET, deliverable, operation
from raftcheck.explore.kernels.rows import find_row, get, hash_of, put_row

UNKNOWN, DISABLED = -1, -2
AFTER, NOTICE, JUDGED, FIRST_SEND, SENDS = range(5)
OPEN, REACT, OBSERVE, JUDGE, MOVE_MESSAGE = 0, 1, 2, 3, 4


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
    steps: np.ndarray  # step -> AFTER (node), NOTICE, JUDGED (have the properties seen it), FIRST_SEND, SENDS
    sends: np.ndarray  # messages
    ghost_keys: np.ndarray  # ghost << 32 | notice -> ghost, or `forbidden`
    ghost_values: np.ndarray
    forbidden: int
    renamed_nodes: np.ndarray  # node, renaming -> node
    renamed_ghosts: np.ndarray
    permutations: np.ndarray  # renaming, pid -> pid; the first is the identity


class Output(NamedTuple):
    """What `expand` finds: rows of (nodes, ghost, inboxes, how many renamings leave it as it is).
    A row belongs to the shard that the hash of its network names.

    `misses` are questions that the tables cannot answer yet, as (kind, key); states that have to wait for the
    answers are in `waiting`. `counts`: rows, transitions, misses, waiting, whether there was too little room;
    and, as input, how many shards there are (a power of two).
    """

    rows: np.ndarray
    sources: np.ndarray
    shards: np.ndarray
    misses: np.ndarray
    waiting: np.ndarray
    counts: np.ndarray
    scratch: np.ndarray  # four rows


class Work(NamedTuple):
    """Scratch space of one thread: the state being expanded, its successor, and renamings of that."""

    state: np.ndarray
    after: np.ndarray
    renamed: np.ndarray
    best: np.ndarray


@part
def miss(output, kind, key):
    """Note a question; if there is no room for it, the state will ask again."""
    number = output.counts[2]
    if number < output.misses.shape[0]:
        output.misses[number, 0], output.misses[number, 1] = kind, key
        output.counts[2] = number + 1
    return False


@part
def copy(row, target, start):
    """Copy a row into another from start on (a loop: for so few numbers a slice costs more than they do)."""
    for position in range(row.size):
        target[start + position] = row[position]


@kernel
def expand(states, combinations, networks, todo, local, inboxes, output, lossy):
    """Write all successors of the states numbered in `todo` (of one shard) to `output`."""
    processes = networks.shape[1]
    scratch = output.scratch
    work = Work(scratch[0], scratch[1], scratch[2], scratch[3])
    output.counts[:5] = 0
    for source in range(todo.size):
        number = todo[source]
        copy(combinations[states[number, 0]], work.state, 0)
        copy(networks[states[number, 1]], work.state, processes + 1)
        rows, transitions = output.counts[0], output.counts[1]
        known = True
        for pid in range(processes):
            known &= take_inputs(pid, processes, local, inboxes, output, work, source)
            known &= take_messages(pid, processes, local, inboxes, output, work, source, lossy)
        if not known:
            output.counts[0], output.counts[1] = rows, transitions
            output.waiting[output.counts[3]] = number
            output.counts[3] += 1
        if output.counts[4]:
            return


@part
def take_inputs(pid, processes, local, inboxes, output, work, source):
    """Take every input of a process; tell whether all is known."""
    node = work.state[pid]
    start = local.input_starts[node]
    if start == UNKNOWN:
        return miss(output, OPEN, np.int64(node))
    known = True
    for position in range(start, start + local.input_counts[node]):
        copy(work.state, work.after, 0)
        known &= take(local.input_steps[position], pid, processes, local, inboxes, output, work, source)
    return known


@part
def take_messages(pid, processes, local, inboxes, output, work, source, lossy):
    """Deliver, and on a lossy network lose, every message that can be; tell whether all is known."""
    node, inbox = work.state[pid], work.state[processes + 1 + pid]
    known = True
    for position in range(inboxes.lengths[inbox]):
        if not deliverable(inboxes, inbox, position):
            continue
        message = inboxes.items[inboxes.starts[inbox] + position]
        step = local.reactions[node, local.places[message]]
        if step == DISABLED and not lossy:
            continue
        copy(work.state, work.after, 0)
        if inboxes.kind != SET and not change_inbox(pid, message, REMOVE, processes, inboxes, output, work.after):
            known = False
            continue
        if lossy:
            known &= emit(processes, local, inboxes, output, work, source)
        if step == UNKNOWN:
            known = miss(output, REACT, (np.int64(node) << 32) | message)
        elif step != DISABLED:
            known &= take(step, pid, processes, local, inboxes, output, work, source)
    return known


@part
def change_inbox(pid, operand, kind, processes, inboxes, output, row):
    """Replace a process's inbox in a row by what an operation makes of it; tell whether that is known."""
    place = processes + 1 + pid
    key = operation(row[place], operand, kind)
    changed = get(inboxes.keys, inboxes.values, key)
    if changed < 0:
        return miss(output, MOVE_MESSAGE, key)
    row[place] = changed
    return True


@part
def take(step, pid, processes, local, inboxes, output, work, source):
    """Take a step from `work.after`, which it changes; tell whether all is known."""
    after = work.after
    notice = local.steps[step, NOTICE]
    if notice >= 0:
        key = (np.int64(after[processes]) << 32) | notice
        ghost = get(local.ghost_keys, local.ghost_values, key)
        if ghost < 0:
            return miss(output, OBSERVE, key)
        if ghost == local.forbidden:
            return True
        after[processes] = ghost
    if not local.steps[step, JUDGED]:
        return miss(output, JUDGE, np.int64(step))
    after[pid] = local.steps[step, AFTER]
    start = local.steps[step, FIRST_SEND]
    for position in range(start, start + local.steps[step, SENDS]):
        message = local.sends[position]
        if not change_inbox(local.receivers[message], message, ADD, processes, inboxes, output, after):
            return False
    return emit(processes, local, inboxes, output, work, source)


@kernel
def shard_of(row, processes, shards):
    """Return the shard to which a state belongs: its network decides, of which there are more than combinations."""
    return hash_of(row, processes + 1, 2 * processes + 1) & np.uint64(shards - 1)


@part
def emit(processes, local, inboxes, output, work, source):
    """Write the successor `work.after` to the output, under its least name; tell whether that is known."""
    after = work.after
    width = 2 * processes + 1
    if compare(after, work.state, 0, width) == 0:
        return True
    number = output.counts[0]
    if number == output.rows.shape[0]:
        output.counts[4] = 1
        return True
    row = output.rows[number]
    stabiliser = 1
    if local.permutations.shape[0] == 1:
        copy(after, row, 0)
    else:
        stabiliser = least_renaming(processes, local, inboxes, output, work)
        if stabiliser == 0:
            return False
        copy(work.best, row, 0)
    row[width] = stabiliser
    output.sources[number] = source
    output.shards[number] = shard_of(row, processes, output.counts[5])
    output.counts[0] = number + 1
    output.counts[1] += 1
    return True


@part
def least_renaming(processes, local, inboxes, output, work):
    """Write the least renaming of `work.after` to `work.best`.

    Return how many renamings lead to it, 0 if that is not known yet. The combination decides first, so that
    the networks are renamed only by those renamings that make it least.
    """
    ties = 0
    for renaming in range(local.permutations.shape[0]):
        rename_combination(renaming, processes, local, work.after, work.renamed)
        order = compare(work.renamed, work.best, 0, processes + 1) if ties else -1
        if order > 0:
            continue
        if not rename_network(renaming, processes, local, inboxes, output, work.after, work.renamed):
            return 0
        if order == 0:
            order = compare(work.renamed, work.best, processes + 1, 2 * processes + 1)
        if order < 0:
            ties = 1
            copy(work.renamed, work.best, 0)
        elif order == 0:
            ties += 1
    return ties


@part
def compare(row, other, start, stop):
    """Return a negative number, zero or a positive one as a row is less than, equal to or greater than another."""
    for position in range(start, stop):
        if row[position] != other[position]:
            return row[position] - other[position]
    return 0


@part
def rename_combination(renaming, processes, local, row, renamed):
    """Rename the process states and the ghost of a row."""
    for pid in range(processes):
        renamed[local.permutations[renaming, pid]] = local.renamed_nodes[row[pid], renaming]
    renamed[processes] = local.renamed_ghosts[row[processes], renaming]


@part
def rename_network(renaming, processes, local, inboxes, output, row, renamed):
    """Rename the inboxes of a row; tell whether they are known."""
    for pid in range(processes):
        place = processes + 1 + local.permutations[renaming, pid]
        key = operation(row[processes + 1 + pid], renaming, RENAME)
        inbox = get(inboxes.keys, inboxes.values, key)
        if inbox < 0:
            return miss(output, MOVE_MESSAGE, key)
        renamed[place] = inbox
    return True


class Shard(NamedTuple):
    """The states that one shard owns, and the rows of which they are made. `counts`: how many of each; orbits."""

    states: np.ndarray
    state_slots: np.ndarray
    combinations: np.ndarray
    combination_slots: np.ndarray
    networks: np.ndarray
    network_slots: np.ndarray
    counts: np.ndarray
    pair: np.ndarray  # scratch: a state's row


@part
def has_room(rows, slots, count):
    """Tell whether one more row fits, with slots at most seven tenths full."""
    return count < rows.shape[0] and (count + 1) * 10 <= slots.size * 7


@kernel
def absorb(shard, own, output, first, orbit):
    """Keep the new rows of one shard from the first on, while there is room; return how many rows are done then.

    `orbit` is how many renamings there are: a state has as many different ones as that, divided by how many
    leave it as it is.
    """
    combination_width, network_width = shard.combinations.shape[1], shard.networks.shape[1]
    counts = shard.counts
    pair = shard.pair
    for done in range(first, output.counts[0]):
        if output.shards[done] != own:
            continue
        if not (
            has_room(shard.states, shard.state_slots, counts[0])
            and has_room(shard.combinations, shard.combination_slots, counts[1])
            and has_room(shard.networks, shard.network_slots, counts[2])
        ):
            return done
        row = output.rows[done]
        combination = put_row(shard.combinations, shard.combination_slots, counts[1], row, 0)
        counts[1] = max(counts[1], combination + 1)
        network = put_row(shard.networks, shard.network_slots, counts[2], row, combination_width)
        counts[2] = max(counts[2], network + 1)
        pair[0], pair[1] = combination, network
        state = put_row(shard.states, shard.state_slots, counts[0], pair, 0)
        if state == counts[0]:
            counts[0] += 1
            counts[3] += orbit // row[combination_width + network_width]
    return output.counts[0]


@kernel
def find_states(shard, rows, found):
    """Write the numbers of states that are given as rows of nodes, ghost, inboxes; negative if not there."""
    pair = shard.pair
    for number in range(rows.shape[0]):
        combination = find_row(shard.combinations, shard.combination_slots, rows[number], 0)
        network = find_row(shard.networks, shard.network_slots, rows[number], shard.combinations.shape[1])
        found[number] = -1
        if combination >= 0 and network >= 0:
            pair[0], pair[1] = combination, network
            found[number] = find_row(shard.states, shard.state_slots, pair, 0)


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
