"""The search for a linearization of operations that are judged together: from operations to numbers and back.

Every step of the model is computed once for each different state, operation and result, and kept as a number for all
searches of a history; `kernel` does the rest.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from raftcheck.explore.columns import IntegerMap
from raftcheck.explore.interning import Interner
from raftcheck.explore.kernels.rows import EMPTY
from raftcheck.explore.limits import MemoryLimitError, Watch
from raftcheck.model import ModelError
from raftcheck.oracle.history import kernel
from raftcheck.oracle.history.events import Call, Operation
from raftcheck.oracle.history.models import Model, State
from raftcheck.oracle.history.values import distinct

BUDGET, ASKED = 1 << 21, 1 << 10
"""Choices, and questions to the model, between two looks at the clock."""

FIRST_ROOM, FIRST_TURN = 1 << 8, 1 << 14
"""Configurations: for how many there is room at first, and after how many it is another group's turn."""

Label = tuple[Operation, object]


class Steps:
    """The model's states and steps as numbers, shared by all searches of a history."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.next = IntegerMap()
        self._states, self._labels = Interner[object](), Interner[object]()
        self.states: list[State] = []
        self._answered: set[int] = set()
        self.labels: list[Label] = []
        self.reads: list[bool] = []

    def state(self, state: State) -> int:
        """Return the number of a state."""
        try:
            number = self._states.number(distinct(state))
        except TypeError as error:
            raise ModelError(f"{self.model.name} has a state that is not hashable: {state!r}") from error
        if number == len(self.states):
            self.states.append(state)
        return number

    def label(self, call: Call) -> int:
        """Return the number of what was asked and told."""
        asked = call.operation
        number = self._labels.number(
            (asked.function, distinct(asked.key), distinct(asked.value), distinct(call.result))
        )
        if number == len(self.labels):
            self.labels.append((asked, call.result))
            self.reads.append(self.model.is_read(asked, call.result))
        return number

    def answer(self, state: int, label: int) -> None:
        """Ask the model for a step that is not known yet."""
        key = state << 32 | label
        if key not in self._answered:
            self._answered.add(key)
            operation, result = self.labels[label]
            after = self.model.step(self.states[state], operation, result)
            number = kernel.IMPOSSIBLE if after is None else self.state(after)
            if self.reads[label] and number not in (state, kernel.IMPOSSIBLE):
                raise ModelError(f"{self.model.name} says that {operation} is a read, but it changes the state")
            self.next.add(key, number)


@dataclass(frozen=True)
class Found:
    """What a search found.

    `linearizable` is None if a limit ended it, and `why` names the limit. `order` is a linearization, or one of the
    longest beginnings of one. `blocked` is the operation whose completion no linearization gets past, `before` are the
    states in which it was tried. `configurations` counts what was remembered, `choices` what was tried.
    """

    linearizable: bool | None
    order: tuple[Call, ...]
    blocked: Call | None = None
    before: tuple[State, ...] = ()
    configurations: int = 0
    choices: int = 0
    why: str = ""


def search(calls: Sequence[Call], steps: Steps, watch: Watch, max_configurations: int | None = None) -> Found:
    """Look for a linearization of operations. Without a limit, the answer is exact."""
    return Run(calls, steps).go_on(watch, max_configurations)


def search_all(groups: Sequence[Sequence[Call]], steps: Steps, watch: Watch) -> list[Found]:
    """Look for a linearization of each group, in turns, until one has none.

    So a group that is hard to decide does not keep another one from being found impossible.
    """
    runs = [Run(calls, steps) for calls in groups]
    results: list[Found | None] = [None] * len(runs)
    most = FIRST_TURN
    while True:
        for number, run in enumerate(runs):
            result = results[number]
            if result is None or (result.linearizable is None and run.is_at_turn_end):
                results[number] = run.go_on(watch, most)
        found = [result for result in results if result is not None]
        is_over = any(result.linearizable is False for result in found)
        if is_over or not any(run.is_at_turn_end for run in runs):
            return found
        most *= 4


class Run:
    """One search: its operations in places, its tables."""

    def __init__(self, calls: Sequence[Call], steps: Steps) -> None:
        self.steps = steps
        layout = Layout(calls, steps)
        self._layout, kinds, places = layout, layout.kinds, layout.places
        words = 1 + (places + kernel.WORD - 1) // kernel.WORD
        self.tables = kernel.Search(
            events=np.array(layout.events, np.int64).reshape(-1, 4),
            reads=np.array(steps.reads, np.bool_),
            unknown_labels=np.array(kinds, np.int64),
            keys=steps.next.keys,
            values=steps.next.values,
            heads=np.zeros((FIRST_ROOM, words), np.int64),
            used=np.zeros((FIRST_ROOM, len(kinds)), np.int32),
            parents=np.zeros(FIRST_ROOM, np.int64),
            choices=np.zeros(FIRST_ROOM, np.int64),
            chain=np.zeros(FIRST_ROOM, np.int64),
            slots=np.full(2 * FIRST_ROOM, EMPTY, np.int64),
            labels=np.full(places, kernel.FREE, np.int64),
            ends=np.zeros(places, np.int64),
            offered=np.zeros(len(kinds), np.int64),
            stack=np.zeros((len(calls) + 2, 2), np.int64),
            counts=np.zeros(kernel.COUNTERS, np.int64),
        )
        self.tables.heads[0, 0] = 0
        initial = steps.state(steps.model.initial())
        if initial != 0:
            raise ModelError(f"{steps.model.name} has two initial states")
        self.is_at_turn_end = False
        """Whether the search stopped at the greatest number of configurations."""
        self._is_found = bool(kernel.begin(self.tables))

    def go_on(self, watch: Watch, max_configurations: int | None = None) -> Found:
        """Search until it is known whether there is a linearization, or until a limit is reached."""
        self.is_at_turn_end = False
        asked = 0
        while not self._is_found:
            status = kernel.search_on(self.tables, BUDGET)
            if status in (kernel.FOUND, kernel.EXHAUSTED):
                self._is_found = status == kernel.FOUND
                break
            if status == kernel.ASK:
                self.answer()
                asked += 1
                if asked % ASKED:
                    continue
            why = self.limit_reached(watch, max_configurations)
            if not why and status == kernel.GROW:
                why = self.grow(watch)
            if why:
                return self.found(None, why)
        return self.found(self._is_found)

    def answer(self) -> None:
        """Compute the step that the search asks for, or those of all reads under way."""
        tables, counts = self.tables, self.tables.counts
        state, asked = int(counts[kernel.STATE]), int(counts[kernel.LABEL])
        waiting = (
            [asked] if asked != kernel.FREE else [label for label in tables.labels.tolist() if label != kernel.FREE]
        )
        for label in waiting:
            if asked != kernel.FREE or self.steps.reads[label]:
                self.steps.answer(state, label)
        if tables.keys is not self.steps.next.keys:
            self.tables = tables._replace(keys=self.steps.next.keys, values=self.steps.next.values)

    def limit_reached(self, watch: Watch, max_configurations: int | None) -> str | None:
        """Return the limit that is reached, if any."""
        counts = self.tables.counts
        rows = int(counts[kernel.ROWS])
        if max_configurations is not None and rows >= max_configurations:
            self.is_at_turn_end = True
            return f"max_configurations={max_configurations}"
        return watch.limit_reached(
            rows, int(counts[kernel.TAKEN]), int(counts[kernel.FURTHEST]), len(self._layout.events)
        )

    def grow(self, watch: Watch) -> str | None:
        """Make room for twice as many configurations; return the limit of memory if that would be beyond it."""
        try:
            watch.afford(sum(getattr(self.tables, name).nbytes for name in GROWING) * 2)
            self._grow()
        except MemoryLimitError as limit:
            return str(limit)
        except MemoryError:
            return "the end of the memory"
        return None

    def _grow(self) -> None:
        tables, count = self.tables, int(self.tables.counts[kernel.ROWS])
        grown = {}
        for name in GROWING[:-1]:
            old = getattr(tables, name)
            grown[name] = np.zeros((2 * len(old), *old.shape[1:]), old.dtype)
            grown[name][: len(old)] = old
        slots = np.full(2 * len(tables.slots), EMPTY, np.int64)
        kernel.enter_slots(grown["heads"], count, slots, grown["chain"])
        self.tables = tables._replace(slots=slots, **grown)

    def found(self, linearizable: bool | None, why: str = "") -> Found:
        """Return what was found, in the words of the history."""
        counts = self.tables.counts
        rows, furthest = int(counts[kernel.ROWS]), int(counts[kernel.FURTHEST])
        heads = self.tables.heads[:rows, 0]
        at_furthest = np.flatnonzero(heads >> 32 == furthest)
        orders = [self._order(int(row)) for row in at_furthest[-LOOKED_AT:]]
        blocked: Call | None = None
        before: tuple[State, ...] = ()
        if linearizable is False:
            blocked = self._layout.calls[furthest]
            before = tuple(self.steps.states[state] for state in np.unique(heads[at_furthest] & 0xFFFFFFFF))
        return Found(
            linearizable, max(orders, key=len, default=()), blocked, before, rows, int(counts[kernel.TAKEN]), why
        )

    def _order(self, row: int) -> tuple[Call, ...]:
        """Return the operations that took effect on the way to a configuration."""
        tables, layout = self.tables, self._layout
        path = []
        while row != 0:
            path.append((int(tables.parents[row]), int(tables.choices[row])))
            row = path[-1][0]
        holders: dict[int, Call] = {}
        taken = [0] * len(layout.kinds)
        order, position = [], 0
        for parent, choice in reversed(path):
            while position < tables.heads[parent, 0] >> 32:
                if layout.events[position][0] == kernel.INVOKE:
                    holders[layout.events[position][1]] = layout.calls[position]
                position += 1
            if choice >= 0:
                order.append(holders[choice])
            else:
                order.append(layout.unknown[~choice][taken[~choice]])
                taken[~choice] += 1
        return tuple(order)


GROWING = ("heads", "used", "parents", "choices", "chain", "slots")
"""The tables that grow with the configurations; the last one is filled anew."""

LOOKED_AT = 256
"""How many configurations at the furthest event are compared, to tell the longest order."""


class Layout:
    """Operations as events for the kernel.

    `events` are rows of kind, place, label and the completing event, and `calls` the operation of each. `kinds` are the
    labels of operations of unknown outcome, and `unknown` these operations, in the order of their invocations.
    """

    def __init__(self, calls: Sequence[Call], steps: Steps) -> None:
        self.events: list[list[int]] = []
        self.calls: list[Call] = []
        self.kinds: list[int] = []
        self.unknown: list[list[Call]] = []
        self.places = 0
        free: list[int] = []
        holding: dict[int, list[int]] = {}
        numbers: dict[int, int] = {}
        moments = [(call.invoked, False, call) for call in calls]
        moments += [(call.completed, True, call) for call in calls if call.completed is not None]
        for _, completes, call in sorted(moments, key=lambda moment: moment[:2]):
            label = steps.label(call)
            if completes:
                invocation = holding.pop(call.number)
                invocation[3] = len(self.events)
                place, kind = invocation[1], kernel.COMPLETE
                heapq.heappush(free, place)
            elif call.completed is None:
                place, kind = numbers.setdefault(label, len(numbers)), kernel.OFFER
                if place == len(self.kinds):
                    self.kinds.append(label)
                    self.unknown.append([])
                self.unknown[place].append(call)
            else:
                if not free:
                    heapq.heappush(free, self.places)
                    self.places += 1
                place, kind = heapq.heappop(free), kernel.INVOKE
            self.events.append([kind, place, label, 0])
            if kind == kernel.INVOKE:
                holding[call.number] = self.events[-1]
            self.calls.append(call)
