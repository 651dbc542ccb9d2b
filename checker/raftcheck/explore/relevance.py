"""Which messages make a difference: what the covering search may leave out of sight.

In most states most messages under way can never matter again: they come too late, or repeat what is known. States that
differ in such messages alone need not be told apart. Whether a message matters to a process depends on the nodes that
the process may still reach, and these are known only when everything is explored. So the search *guesses*, from the
steps that it has seen so far, and repeats itself until it ends having seen nothing that contradicts the guess. Then the
guess was right: had a message mattered that was left out, then first in a node that is reached by steps that were all
taken, and in all of these nodes it was tried what the message does.

Which nodes may still be reached also depends on what the scenario may still allow. Ghosts that may still allow the same
notices are a *class*.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from raftcheck.explore.answering import by_kind, questions
from raftcheck.explore.columns import Array, Column
from raftcheck.explore.effects import Effects
from raftcheck.explore.kernels import relevance as kernels
from raftcheck.explore.kernels.bits import WORD
from raftcheck.explore.kernels.covering import Closures
from raftcheck.explore.kernels.local import UNKNOWN
from raftcheck.explore.tables import Tables
from raftcheck.model import NoticingScenario, System

Each = Callable[[Sequence[int], Callable[[int], Any]], None]
"""Does a task for each number, on all threads."""

MOST_QUESTIONS = 1 << 16


class Relevance:
    """A guess, and what follows from it; `words` is how many words of a network belong to each process."""

    def __init__(self, system: System, tables: Tables, effects: Effects) -> None:
        scenario = system.scenario
        self.is_used = scenario is None or isinstance(scenario, NoticingScenario)
        self._tables, self._effects = tables, effects
        self._seen = (-1, -1)
        self._words = 1
        self.refresh(1)

    def is_stale(self) -> bool:
        """Tell whether the search has seen steps since the last `refresh`."""
        return self.is_used and self._seen != (self._tables.steps_that_move, self._tables.ghosts_that_change)

    def refresh(self, words: int) -> None:
        """Guess anew, from all steps that were seen until now."""
        tables = self._tables
        self._seen = (tables.steps_that_move, tables.ghosts_that_change)
        self._words = words
        self._effects.look_again()
        self._messages = tables.messages_by_receiver()
        possible, classes = possible_notices(tables) if self.is_used else (np.ones((1, 0), np.bool_), np.zeros(0, int))
        self._graph = graph_of(tables, possible) if self.is_used else None
        self._is_shared = not tables.names_matter_in(np.flatnonzero(~possible.all(axis=0)))
        self._classes = classes
        self._ghost_classes = Column()
        self._ghost_classes.reserve(len(classes))
        self._ghost_classes.array[: len(classes)] = classes
        self._entries: Array = np.full((16, len(possible)), UNKNOWN, np.int32)
        self._kinds: Array = np.full((16, words * WORD), UNKNOWN, np.int32)
        self._starts = Column(dtype=np.int64)
        self._downs: Array = np.zeros((64, words), np.uint64)
        self._used_downs = 0

    def settle(self, each: Each) -> bool:
        """Guess anew, from all steps that were seen; tell whether all still follows that followed from the last guess.

        That is so if no message makes a difference now that made none: what the search left out of sight stays there.
        """
        before = self._kinds, self._downs, self._starts.array, self._ghost_classes.array
        nodes, classes = np.nonzero(self._entries != UNKNOWN)
        entries = self._entries[nodes, classes]
        if not len(entries):
            self.refresh(self._words)
            return True
        known = len(self._classes)
        self.refresh(self._words)
        successors = [np.unique(self._classes[:known][before[3][:known] == old]) for old in range(classes.max() + 1)]
        if any(len(successors[old]) > 1 for old in classes if old):
            return False
        new = np.array([int(successors[old][0]) if old else 0 for old in range(len(successors))])[classes]
        self.answer((nodes.astype(np.int64) << 32) | new, each)
        now = self._entries[nodes, new]
        return all(self._still_follows(before, old, entry) for old, entry in zip(entries, now, strict=True))

    def _still_follows(self, before: tuple[Array, Array, Array, Array], old: int, entry: int) -> bool:
        """Tell whether all messages that made no difference, beside each message, still make none."""
        kinds, downs, starts, _ = before
        places = np.flatnonzero(kinds[old] != UNKNOWN)
        was = downs[starts[old] + np.append(1 + kinds[old, places], 0)]
        now = self._downs[self._starts.array[entry] + np.append(1 + self._kinds[entry, places], 0)]
        return not (was & ~now).any()

    def widen(self, words: int) -> None:
        """Make room for more messages to each process."""
        kinds = np.full((len(self._kinds), words * WORD), UNKNOWN, np.int32)
        kinds[:, : self._kinds.shape[1]] = self._kinds
        downs = np.zeros((len(self._downs), words), np.uint64)
        downs[:, : self._words] = self._downs
        self._kinds, self._downs, self._words = kinds, downs, words

    def arrays(self) -> Closures:
        """Return what follows as compiled code reads it; ghosts that came up later are of class 0: all is possible."""
        self._ghost_classes.reserve(len(self._tables.ghosts))
        nodes = len(self._entries)
        if len(self._tables.nodes) > nodes:
            grown = np.full((max(2 * nodes, len(self._tables.nodes)), self._entries.shape[1]), UNKNOWN, np.int32)
            grown[:nodes] = self._entries
            self._entries = grown
        return Closures(
            self._ghost_classes.array, self._entries, self._kinds, self._starts.array, self._downs, self.is_used
        )

    def answer(self, keys: Array, each: Each) -> None:
        """Work out entries, given as node << 32 | class of ghosts.

        The entry of a node is that of the least of its renamings, renamed; unless the scenario limits the processes
        by their names.
        """
        self.arrays()
        effects = self._effects.arrays()
        nodes, classes = keys >> 32, keys & 0xFFFFFFFF
        least = effects.renamed_nodes[nodes, effects.to_least[nodes]] if self._is_shared else nodes
        self._work_out(np.unique((least.astype(np.int64) << 32) | classes), each)
        for node, of_ghost, original in zip(nodes, classes, least, strict=True):
            if self._entries[node, of_ghost] == UNKNOWN:
                self._rename(int(self._entries[original, of_ghost]), int(original), int(node), int(of_ghost))

    def _work_out(self, keys: Array, each: Each) -> None:
        keys = keys[self._entries[keys >> 32, keys & 0xFFFFFFFF] == UNKNOWN]
        makers = [Maker(self._tables, self._messages, len(self._tables.nodes)) for _ in keys[:2]]
        for first in range(0, len(keys), 2):
            chosen = [int(key) for key in keys[first : first + 2]]
            self._know_effects(makers, chosen)
            each(range(len(chosen)), partial(self._make, makers, chosen, self._effects.arrays()))
            for key, maker in zip(chosen, makers, strict=False):
                self._add(key >> 32, key & 0xFFFFFFFF, maker.kinds, maker.downs)

    def _rename(self, entry: int, original: int, node: int, of_ghost: int) -> None:
        """Add the entry of a node, made of that of a renaming of it."""
        effects = self._effects.arrays()
        messages = self._messages[self._tables.receiver_of_node(original)]
        places = effects.places[messages]
        renamed = effects.places[effects.renamed_messages[messages, effects.from_least[node]]]
        kinds = np.full(self._words * WORD, UNKNOWN, np.int32)
        kinds[renamed] = self._kinds[entry, places]
        rows = 2 + int(kinds.max(initial=UNKNOWN))
        downs = self._downs[self._starts.array[entry] : self._starts.array[entry] + rows]
        bits = np.unpackbits(downs.view(np.uint8), axis=1, bitorder="little")
        bits_renamed = np.zeros_like(bits)
        bits_renamed[:, renamed] = bits[:, places]
        self._add(node, of_ghost, kinds, np.packbits(bits_renamed, axis=1, bitorder="little").view(np.uint64))

    def _make(self, makers: "list[Maker]", keys: list[int], effects: kernels.Effects, number: int) -> None:
        makers[number].make(keys[number], effects, self._graph, self._words)

    def _know_effects(self, makers: "list[Maker]", keys: list[int]) -> None:
        """Compute all effects that the entries rest on."""
        for key, maker in zip(keys, makers, strict=False):
            maker.reach(key, self._graph)
            asked = questions(MOST_QUESTIONS, 0)
            while not maker.ask(self._effects.arrays(), asked):
                for _, about in by_kind([asked]):
                    self._effects.compute(map(int, about))
                asked.counts[:] = 0

    def _add(self, node: int, of_ghost: int, kinds: Array, downs: Array) -> None:
        entry = self._starts.append(self._used_downs)
        if entry >= len(self._kinds):
            self._kinds = np.concatenate([self._kinds, np.full_like(self._kinds, UNKNOWN)])
        self._kinds[entry, : len(kinds)] = kinds
        needed = self._used_downs + len(downs)
        while needed > len(self._downs):
            self._downs = np.concatenate([self._downs, np.zeros_like(self._downs)])
        self._downs[self._used_downs : needed] = downs
        self._used_downs = needed
        self._entries[node, of_ghost] = entry


class Maker:
    """Works out one entry at a time; `kinds` and `downs` are those of the last one."""

    def __init__(self, tables: Tables, messages: list[Array], nodes: int) -> None:
        self._receivers = tables.receiver_of_node
        self._messages = messages
        self._is_reached = np.zeros(nodes, np.bool_)
        self._reached = np.zeros(nodes, np.int32)
        self._count, self._node = 0, 0
        self.kinds: Array = np.zeros(0, np.int32)
        self.downs: Array = np.zeros((0, 1), np.uint64)

    def reach(self, key: int, graph: Any) -> None:
        """Find all nodes that can be reached from a node."""
        self._node = key >> 32
        self._count = int(kernels.reach(self._node, np.int64(key & 0xFFFFFFFF), graph, self._is_reached, self._reached))

    def _to_node(self) -> Array:
        return self._messages[self._receivers(self._node)]

    def ask(self, effects: kernels.Effects, asked: Any) -> bool:
        """Ask for effects that are not known; tell whether all are."""
        return bool(kernels.ask_effects(self._reached, self._count, self._to_node(), effects, asked))

    def make(self, key: int, effects: kernels.Effects, graph: Any, words: int) -> None:
        """Work out the entry of the node from which all was reached."""
        messages, count = self._to_node(), self._count
        kinds = len(messages)
        scratch = kernels.Scratch(
            np.zeros((kinds + 1, count + 1), np.int32),
            np.full(2 * kinds + 8, UNKNOWN, np.int32),
            np.zeros(count + 1, np.int32),
            np.full(words * WORD, UNKNOWN, np.int32),
            np.zeros((kinds + 2, words), np.uint64),
        )
        of_ghost = np.int64(key & 0xFFFFFFFF)
        found = kernels.classify(self._reached, count, messages, of_ghost, effects, graph, scratch)
        kernels.compare_kinds(self._reached, count, found, messages, effects, scratch)
        self.kinds, self.downs = scratch.kinds, scratch.downs[: found + 1].copy()


def possible_notices(tables: Tables) -> tuple[Array, Array]:
    """Return which notices each class of ghosts may still allow, and the class of each ghost.

    A ghost may still allow what some ghost allows that can follow it. Class 0 is for ghosts of which nothing is known.
    """
    limited = tables.notices_ever_forbidden()
    sources, targets = tables.ghost_changes()
    allowed = np.array([[tables.allows(ghost, n) for n in limited] for ghost in range(len(tables.ghosts))], np.bool_)
    allowed = allowed.reshape(len(tables.ghosts), len(limited))
    while len(limited):
        before = allowed.copy()
        np.logical_or.at(allowed, sources, before[targets])
        if (allowed == before).all():
            break
    rows, classes = np.unique(allowed, axis=0, return_inverse=True)
    possible = np.ones((1 + len(rows), tables.notices), np.bool_)
    possible[1:, limited] = rows
    return possible, 1 + classes.reshape(-1)


def graph_of(tables: Tables, possible: Array) -> kernels.Graph:
    """Return where each node can go in one step, as far as such steps were taken, under every renaming.

    A notice that the scenario never forbids need not be known.
    """
    renamed_notices = tables.renamed_notices(np.flatnonzero(~possible.all(axis=0)))
    edges = np.unique(np.concatenate(list(tables.moves_between_nodes(renamed_notices))), axis=0)
    starts = np.searchsorted(edges[:, 0], np.arange(len(tables.nodes) + 1)).astype(np.int64)
    return kernels.Graph(
        starts,
        np.ascontiguousarray(edges[:, 1]),
        np.ascontiguousarray(edges[:, 2]),
        np.ascontiguousarray(possible),
        renamed_notices,
    )
