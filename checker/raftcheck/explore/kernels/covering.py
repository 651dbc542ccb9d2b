"""The two halves of the covering search.

`expand` takes every step from some kept states, many threads at once: it only reads. `absorb` keeps what no kept
state covers, each thread for the combinations of its own shard.

A network is a row of bits: the bits of the messages to process 0 first, then those to process 1, and so on; each
process has the same number of words. A kept state has two of them: messages under way from which all that is possible
follows, and its *closure*, which also has every message that would make no difference (`kernels.relevance`).
"""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.kernels.bits import WORD, add_bit, has_bit, is_subset, lowest_bit
from raftcheck.explore.kernels.combinations import (
    FORBIDDEN,
    RENAMING_BITS,
    Combinations,
    compare,
    copy,
    rename_combination,
)
from raftcheck.explore.kernels.compiled import kernel, part
from raftcheck.explore.kernels.local import AFTER, DISABLED, FIRST_SEND, NOTICE, SENDS, UNKNOWN, Local
from raftcheck.explore.kernels.questions import CLOSE, MOVE, OPEN, REACT, Questions, ask, wait
from raftcheck.explore.kernels.rows import EMPTY, get

NOBODY = -1

SHARDS = 8
"""A combination belongs to the shard that the remainder of its number names."""


class Mail(NamedTuple):
    """Messages as bits, and what renaming makes of them."""

    bits: np.ndarray  # message -> bit
    messages: np.ndarray  # bit -> message
    renamed: np.ndarray  # message, renaming -> message


class Closures(NamedTuple):
    """Which messages make no difference beside others: filled by `raftcheck.explore.relevance.Relevance`.

    An entry is for a node under a class of ghosts. `downs[starts[e]]` are the messages to the node that make no
    difference at all, and `downs[starts[e] + 1 + kind]` those that make none beside a message of that kind.
    """

    ghost_classes: np.ndarray  # ghost -> class
    entries: np.ndarray  # node, class -> entry, UNKNOWN
    kinds: np.ndarray  # entry, place -> kind of message, UNKNOWN for messages that came up later
    starts: np.ndarray
    downs: np.ndarray  # rows of bits, for one receiver
    is_used: bool


class Model(NamedTuple):
    """All tables that are the same for every shard."""

    local: Local
    combinations: Combinations
    mail: Mail
    closures: Closures


class Kept(NamedTuple):
    """The kept states of one shard. `counts`: how many were ever kept, how many of them are covered by now."""

    heads: np.ndarray  # combination // SHARDS -> its kept state that came last, NOBODY
    nexts: np.ndarray  # kept state -> the one of the same combination that came before it, NOBODY
    combinations: np.ndarray
    networks: np.ndarray
    closures: np.ndarray
    parents: np.ndarray  # shard << 40 | kept state from which it was reached
    steps: np.ndarray  # by which step
    renamings: np.ndarray  # and then renamed
    covered: np.ndarray
    counts: np.ndarray


class Output(NamedTuple):
    """The states that `expand` reaches, and how. `counts`: rows, transitions, whether there was too little room."""

    combinations: np.ndarray
    networks: np.ndarray
    parents: np.ndarray
    steps: np.ndarray
    renamings: np.ndarray
    counts: np.ndarray
    questions: Questions


class Work(NamedTuple):
    """Scratch space of one thread: three networks and a combination."""

    network: np.ndarray
    closure: np.ndarray
    renamed: np.ndarray
    combination: np.ndarray


@part
def words_of(model, row):
    """Return how many words of a network belong to each process."""
    return row.size // model.local.permutations.shape[1]


@kernel
def expand(kept, shard, todo, model, output):
    """Write the states after all steps from the kept states in `todo`; steps that only send are left out."""
    output.counts[:] = 0
    output.questions.counts[:] = 0
    for number in todo:
        rows, transitions = output.counts[0], output.counts[1]
        if not expand_one(kept, shard, number, model, output):
            output.counts[0], output.counts[1] = rows, transitions
            wait(output.questions, number)
        if output.counts[2]:
            return


@kernel
def expand_one(kept, shard, number, model, output):
    """Expand one kept state; tell whether all is known."""
    local, network = model.local, kept.networks[number]
    words = words_of(model, network)
    known = True
    for pid in range(local.permutations.shape[1]):
        node = model.combinations.rows[kept.combinations[number], pid]
        start = local.input_starts[node]
        if start == UNKNOWN:
            known = ask(output.questions, OPEN, np.int64(node))
            continue
        for position in range(start, start + local.input_counts[node]):
            known &= take(local.input_steps[position], kept, shard, number, model, output)
        for word in range(pid * words, (pid + 1) * words):
            rest = network[word]
            while rest:
                place = (word - pid * words) * WORD + lowest_bit(rest)
                rest &= rest - np.uint64(1)
                step = local.reactions[node, place]
                if step == UNKNOWN:
                    message = model.mail.messages[pid * words * WORD + place]
                    known = ask(output.questions, REACT, (np.int64(node) << 32) | message)
                elif step != DISABLED:
                    known &= take(step, kept, shard, number, model, output)
    return known


@kernel
def take(step, kept, shard, number, model, output):
    """Write the state after a step, if it does more than send; tell whether it is known."""
    source = np.int64(kept.combinations[number])
    move = move_of(source, step, model, output.questions)
    if move == EMPTY:
        return False
    if move == FORBIDDEN or move == source << RENAMING_BITS:
        return True
    row = output.counts[0]
    if row == output.combinations.size:
        output.counts[2] = 1
        return True
    renaming = move & ((1 << RENAMING_BITS) - 1)
    network = output.networks[row]
    rename_network(kept.networks[number], renaming, model, network)
    local, mail = model.local, model.mail
    start = local.steps[step, FIRST_SEND]
    for position in range(start, start + local.steps[step, SENDS]):
        add_bit(network, mail.bits[mail.renamed[local.sends[position], renaming]])
    output.combinations[row] = move >> RENAMING_BITS
    output.parents[row] = (np.int64(shard) << 40) | number
    output.steps[row], output.renamings[row] = step, renaming
    output.counts[0] += 1
    output.counts[1] += 1
    return True


@part
def move_of(combination, step, model, questions):
    """Return where a step leads a combination; if that is not known, ask and return EMPTY."""
    key = (combination << 32) | step
    move = get(model.combinations.keys, model.combinations.values, key)
    if move == EMPTY:
        ask(questions, MOVE, key)
    return move


@kernel
def rename_network(network, renaming, model, renamed):
    """Write a network, renamed."""
    if renaming == 0:
        copy(network, renamed)
        return
    renamed[:] = 0
    for word in range(network.size):
        rest = network[word]
        while rest:
            message = model.mail.messages[word * WORD + lowest_bit(rest)]
            rest &= rest - np.uint64(1)
            add_bit(renamed, model.mail.bits[model.mail.renamed[message, renaming]])


@kernel
def absorb(kept, todo, first, output, model, work, questions):
    """Keep those rows of `todo`, from the first on, that nothing covers, while there is room; return how many are done.

    Those that need an answer first wait for it in `questions`.
    """
    for done in range(first, todo.size):
        if kept.counts[0] == kept.combinations.size:
            return done
        row = todo[done]
        combination = np.int64(output.combinations[row])
        copy(output.networks[row], work.network)
        if not saturate(combination, model, work, questions):
            wait(questions, row)
        elif not is_covered(combination, kept, model, work):
            if not close(combination, model, work, questions):
                wait(questions, row)
                continue
            leave_out_covered(combination, kept, model, work)
            leave_out_needless(combination, model, work)
            keep(combination, row, kept, output, work)
    return todo.size


@kernel
def saturate(combination, model, work, questions):
    """Add to `work.network` all that the processes can send without any other change; tell whether all is known."""
    local, network = model.local, work.network
    words = words_of(model, network)
    known, is_growing = True, True
    while is_growing:
        is_growing = False
        for pid in range(local.permutations.shape[1]):
            node = model.combinations.rows[combination, pid]
            start = local.input_starts[node]
            if start == UNKNOWN:
                known = ask(questions, OPEN, np.int64(node))
                continue
            for position in range(start, start + local.input_counts[node]):
                added = add_sends(combination, node, local.input_steps[position], model, network, questions)
                known &= added != UNKNOWN
                is_growing |= added > 0
            for word in range(pid * words, (pid + 1) * words):
                rest = network[word]
                while rest:
                    place = (word - pid * words) * WORD + lowest_bit(rest)
                    rest &= rest - np.uint64(1)
                    step = local.reactions[node, place]
                    if step == UNKNOWN:
                        message = model.mail.messages[pid * words * WORD + place]
                        known = ask(questions, REACT, (np.int64(node) << 32) | message)
                    elif step != DISABLED:
                        added = add_sends(combination, node, step, model, network, questions)
                        known &= added != UNKNOWN
                        is_growing |= added > 0
        if not known:
            return False
    return True


@part
def add_sends(combination, node, step, model, network, questions):
    """Add what a step sends if it does nothing else; return how many messages are new, UNKNOWN if that is not known."""
    local, added = model.local, 0
    after = local.steps[step, AFTER]
    if after != node and after != UNKNOWN:
        return added
    if after == UNKNOWN or local.steps[step, NOTICE] >= 0:
        move = move_of(combination, step, model, questions)
        if move == EMPTY:
            return UNKNOWN
        if move != combination << RENAMING_BITS:
            return added
    start = local.steps[step, FIRST_SEND]
    for position in range(start, start + local.steps[step, SENDS]):
        bit = model.mail.bits[local.sends[position]]
        if not has_bit(network, bit):
            add_bit(network, bit)
            added += 1
    return added


@part
def is_stabiliser(combination, renaming, model, work):
    """Tell whether a renaming leaves a combination as it is."""
    if renaming == 0:
        return True
    if model.combinations.ties[combination] == 1:
        return False
    row = model.combinations.rows[combination]
    rename_combination(renaming, model.local, row, work.combination)
    return compare(row, work.combination, row.size) == 0


@kernel
def is_covered(combination, kept, model, work):
    """Tell whether a kept state covers `work.network`, under a renaming that leaves its combination as it is."""
    head = kept.heads[combination // SHARDS]
    if head == NOBODY:
        return False
    for renaming in range(model.local.permutations.shape[0]):
        if is_stabiliser(combination, renaming, model, work):
            rename_network(work.network, renaming, model, work.renamed)
            number = np.int64(head)
            while number != NOBODY:
                if is_subset(work.renamed, kept.closures[number]):
                    return True
                number = np.int64(kept.nexts[number])
        elif model.combinations.ties[combination] == 1:
            return False
    return False


@kernel
def close(combination, model, work, questions):
    """Write the closure of `work.network`; tell whether all is known."""
    closures, network = model.closures, work.network
    copy(network, work.closure)
    if not closures.is_used:
        return True
    words, known = words_of(model, network), True
    processes = model.local.permutations.shape[1]
    of_ghost = closures.ghost_classes[model.combinations.rows[combination, processes]]
    for pid in range(processes):
        node = model.combinations.rows[combination, pid]
        entry = closures.entries[node, of_ghost]
        if entry == UNKNOWN:
            known = ask(questions, CLOSE, (np.int64(node) << 32) | of_ghost)
            continue
        include(pid * words, words, closures.downs[closures.starts[entry]], work.closure)
        for word in range(pid * words, (pid + 1) * words):
            rest = network[word]
            while rest:
                kind = closures.kinds[entry, (word - pid * words) * WORD + lowest_bit(rest)]
                rest &= rest - np.uint64(1)
                if kind != UNKNOWN:
                    include(pid * words, words, closures.downs[closures.starts[entry] + 1 + kind], work.closure)
    return known


@part
def include(first, words, messages, network):
    """Add messages to one receiver to a network."""
    for word in range(words):
        network[first + word] |= messages[word]


@kernel
def leave_out_covered(combination, kept, model, work):
    """Take the kept states of a combination that `work.closure` covers out of its list."""
    for renaming in range(model.local.permutations.shape[0]):
        if not is_stabiliser(combination, renaming, model, work):
            if model.combinations.ties[combination] == 1:
                return
            continue
        rename_network(work.closure, renaming, model, work.renamed)
        before, number = np.int64(NOBODY), np.int64(kept.heads[combination // SHARDS])
        while number != NOBODY:
            following = np.int64(kept.nexts[number])
            if not is_subset(kept.closures[number], work.renamed):
                before = number
            else:
                kept.covered[number] = 1
                kept.counts[1] += 1
                if before == NOBODY:
                    kept.heads[combination // SHARDS] = following
                else:
                    kept.nexts[before] = following
            number = following


@kernel
def leave_out_needless(combination, model, work):
    """Take out of `work.network` every message that makes no difference beside the others that stay."""
    closures, network = model.closures, work.network
    if not closures.is_used:
        return
    words, processes = words_of(model, network), model.local.permutations.shape[1]
    of_ghost = closures.ghost_classes[model.combinations.rows[combination, processes]]
    for pid in range(processes):
        entry = closures.entries[model.combinations.rows[combination, pid], of_ghost]
        inbox = network[pid * words : (pid + 1) * words]
        for word in range(words):
            rest = inbox[word]
            while rest:
                place = word * WORD + lowest_bit(rest)
                rest &= rest - np.uint64(1)
                if is_needless(place, entry, closures, inbox):
                    inbox[word] &= ~(np.uint64(1) << np.uint64(place % WORD))


@part
def is_needless(place, entry, closures, inbox):
    """Tell whether a message makes no difference beside the others to the same receiver."""
    if closures.kinds[entry, place] == UNKNOWN:
        return False
    if has_bit(closures.downs[closures.starts[entry]], place):
        return True
    for word in range(inbox.size):
        rest = inbox[word]
        while rest:
            other = word * WORD + lowest_bit(rest)
            rest &= rest - np.uint64(1)
            kind = closures.kinds[entry, other]
            if other != place and kind != UNKNOWN and has_bit(closures.downs[closures.starts[entry] + 1 + kind], place):
                return True
    return False


@part
def keep(combination, row, kept, output, work):
    """Add `work.network` and `work.closure` to the kept states of a combination."""
    number = kept.counts[0]
    kept.counts[0] += 1
    copy(work.network, kept.networks[number])
    copy(work.closure, kept.closures[number])
    kept.combinations[number] = combination
    kept.parents[number], kept.steps[number] = output.parents[row], output.steps[row]
    kept.renamings[number], kept.covered[number] = output.renamings[row], 0
    kept.nexts[number] = kept.heads[combination // SHARDS]
    kept.heads[combination // SHARDS] = number
