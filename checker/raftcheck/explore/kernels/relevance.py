"""Which messages make no difference to a process, whatever may still become of it.

A message makes no difference if in every node that its receiver can still reach its delivery does nothing; it makes
none beside another one if in every such node it does nothing or the same as the other. What a delivery does is an
*effect*, a number; 0 is nothing. An effect that only sends is a *reply*; what it sends are its words. A reply also
makes no difference where the same was sent already: what is compared has all replies that are possible now.
"""

from typing import NamedTuple

import numpy as np

from raftcheck.explore.kernels.bits import add_bit
from raftcheck.explore.kernels.compiled import kernel, part
from raftcheck.explore.kernels.local import UNKNOWN
from raftcheck.explore.kernels.questions import REACT, ask
from raftcheck.explore.kernels.rows import put_row

NOTHING = 0


class Effects(NamedTuple):
    """What the delivery of each message does in each node, looked up under the least name of the node."""

    table: np.ndarray  # row, place of the message -> effect, UNKNOWN
    rows: np.ndarray  # node -> row of the node that stands for all its renamings, in `table`
    to_least: np.ndarray  # node -> renaming that makes it that node
    from_least: np.ndarray  # node -> renaming that makes it out of that node
    is_reply: np.ndarray
    notices: np.ndarray  # effect -> notice of the scenario, UNKNOWN if none
    word_starts: np.ndarray
    word_counts: np.ndarray
    words: np.ndarray
    renamed_words: np.ndarray  # word, renaming -> word
    places: np.ndarray  # message -> place at its receiver
    renamed_messages: np.ndarray
    renamed_nodes: np.ndarray


class Graph(NamedTuple):
    """Where each node can go in one step: `targets[starts[n] : starts[n + 1]]`, if the notice is possible."""

    starts: np.ndarray
    targets: np.ndarray
    notices: np.ndarray  # UNKNOWN where the scenario never forbids
    is_possible: np.ndarray  # class of ghosts, notice -> whether the scenario may still allow it
    renamed_notices: np.ndarray  # notice, renaming -> notice; UNKNOWN where the scenario never forbids


class Scratch(NamedTuple):
    """Scratch space for one entry: rows of effects, one for each kind of message, and what belongs to them."""

    rows: np.ndarray  # kind -> effects in each node that can be reached; last, what it replies at once
    slots: np.ndarray
    row: np.ndarray
    kinds: np.ndarray  # place -> kind
    downs: np.ndarray  # first those that make no difference at all, then one row a kind


@kernel
def reach(node, of_ghost, graph, is_reached, reached):
    """Write the nodes that can be reached from one to `reached`; return how many they are. Clears `is_reached`."""
    reached[0] = node
    is_reached[node] = True
    count, done = 1, 0
    while done < count:
        at = reached[done]
        done += 1
        if at + 1 >= graph.starts.size:
            continue
        for position in range(graph.starts[at], graph.starts[at + 1]):
            target = graph.targets[position]
            if not is_reached[target] and is_possible(graph.notices[position], of_ghost, graph):
                is_reached[target] = True
                reached[count] = target
                count += 1
    for position in range(count):
        is_reached[reached[position]] = False
    return count


@part
def is_possible(notice, of_ghost, graph):
    """Tell whether the scenario may still allow a step of which it notices this."""
    return notice < 0 or notice >= graph.is_possible.shape[1] or graph.is_possible[of_ghost, notice]


@part
def effect_in(node, message, effects):
    """Return the effect of a message in a node."""
    least = effects.renamed_messages[message, effects.to_least[node]]
    return effects.table[effects.rows[node], effects.places[least]]


@part
def notice_in(node, effect, effects, graph):
    """Return what the scenario notices of an effect in a node: effects are kept under the least name of the node."""
    notice = effects.notices[effect]
    if notice < 0 or notice >= graph.renamed_notices.shape[0]:
        return np.int32(UNKNOWN)
    return graph.renamed_notices[notice, effects.from_least[node]]


@part
def is_among(word, renaming, effect, other_renaming, effects):
    """Tell whether a word of a reply, renamed, is among those of an effect, renamed."""
    if effect == NOTHING or not effects.is_reply[effect]:
        return False
    wanted = effects.renamed_words[word, renaming]
    for position in range(effects.word_starts[effect], effects.word_starts[effect] + effects.word_counts[effect]):
        if effects.renamed_words[effects.words[position], other_renaming] == wanted:
            return True
    return False


@kernel
def is_said(effect, node, other, other_node, third, third_node, effects):
    """Tell whether all that a reply sends in one node is sent by one of two other effects, each in its node."""
    start = effects.word_starts[effect]
    for position in range(start, start + effects.word_counts[effect]):
        word, renaming = effects.words[position], effects.from_least[node]
        if not is_among(word, renaming, other, effects.from_least[other_node], effects) and not is_among(
            word, renaming, third, effects.from_least[third_node], effects
        ):
            return False
    return True


@kernel
def ask_effects(reached, count, messages, effects, questions):
    """Ask for all effects of the messages in the nodes that are not known; tell whether all are known.

    The questions are in the names under which effects are kept: row << 32 | message.
    """
    known = True
    for position in range(count):
        node = reached[position]
        for message in messages:
            if effect_in(node, message, effects) == UNKNOWN:
                least = effects.renamed_messages[message, effects.to_least[node]]
                known = ask(questions, REACT, (np.int64(effects.rows[node]) << 32) | least)
    return known


@kernel
def classify(reached, count, messages, of_ghost, effects, graph, scratch):
    """Sort messages into kinds that have the same effects in all nodes reached; return how many kinds there are."""
    node, kinds = reached[0], 0
    for message in messages:
        at_once = effect_in(node, message, effects)
        if not effects.is_reply[at_once]:
            at_once = np.int32(NOTHING)
        for position in range(count):
            at = reached[position]
            effect = effect_in(at, message, effects)
            if effects.is_reply[effect]:
                if is_said(effect, at, at_once, node, np.int32(NOTHING), node, effects):
                    effect = np.int32(NOTHING)
            elif not is_possible(notice_in(at, effect, effects, graph), of_ghost, graph):
                effect = np.int32(NOTHING)
            scratch.row[position] = effect
        scratch.row[count] = at_once
        kind = put_row(scratch.rows, scratch.slots, kinds, scratch.row, 0)
        kinds = max(kinds, kind + 1)
        scratch.kinds[effects.places[message]] = kind
    return kinds


@kernel
def compare_kinds(reached, count, kinds, messages, effects, scratch):
    """Write which messages make no difference beside those of each kind, and which make none at all."""
    scratch.downs[: kinds + 1] = 0
    for kind in range(kinds):
        makes_no_difference = True
        for position in range(count):
            makes_no_difference &= scratch.rows[kind, position] == NOTHING
        if makes_no_difference:
            add_all_of(kind, messages, effects, scratch, 0)
        for other in range(kinds):
            if other == kind or is_no_more_than(kind, other, reached, count, effects, scratch):
                add_all_of(kind, messages, effects, scratch, 1 + other)


@part
def add_all_of(kind, messages, effects, scratch, down):
    """Add all messages of a kind to a row of bits."""
    for message in messages:
        place = effects.places[message]
        if scratch.kinds[place] == kind:
            add_bit(scratch.downs[down], place)


@kernel
def is_no_more_than(kind, other, reached, count, effects, scratch):
    """Tell whether messages of a kind do nothing, in any node reached, that those of another kind do not."""
    at_once = scratch.rows[kind, count]
    for position in range(count):
        effect, others = scratch.rows[kind, position], scratch.rows[other, position]
        if effect == NOTHING or effect == others:
            continue
        if not effects.is_reply[effect]:
            return False
        at = reached[position]
        if not is_said(effect, at, at_once, reached[0], others, at, effects):
            return False
    return True
