"""Every Python function of a model, called once for each distinct argument, and what it returned as numbers.

Compiled code explores on these numbers alone. Whatever it needs to know and the tables do not have yet it asks
for (`Tables.answer`); then the model's own functions are called, and the properties are judged.

A *node* is a process in one of its states. With symmetry, whatever gets a number gets numbers for all its
renamings, and every step is executed under renamings too: if these differ, the model is not symmetric, and that is
an error.
"""

from collections.abc import Iterable
from typing import NamedTuple, NoReturn

import numpy as np

from raftcheck.explore.columns import Array, Column, IntegerMap
from raftcheck.explore.interning import Interner
from raftcheck.explore.kernels import local as kernels
from raftcheck.explore.kernels.bits import WORD
from raftcheck.explore.kernels.covering import Mail
from raftcheck.explore.kernels.questions import JUDGE, OBSERVE, OPEN, REACT
from raftcheck.explore.monitor import Monitor
from raftcheck.explore.semantics import Semantics
from raftcheck.explore.symmetry import Symmetry, compose
from raftcheck.model import Deliver, Envelope, ModelError, Network, NoticingScenario, Step, Value
from raftcheck.model.properties import RAISED

FORBIDDEN = 2**31 - 2
"""In place of the ghost after a step that the scenario does not allow."""

MOST_CELLS = 2**31
"""Of the table of reactions: 8 GiB."""


class Executed(NamedTuple):
    """One step of a process, as it was executed."""

    pid: int
    before: Value
    input: Value
    step: Step


class BrokenStepError(Exception):
    """Raised when a step breaks a property, or raises. `node` is the process, `input` what it was given."""

    def __init__(self, name: str, node: int, input: Value) -> None:
        super().__init__(name)
        self.name, self.node, self.input = name, node, input


class Tables:
    """All that is known of a system's processes. `depth` is that of the search, for the monitor's notes."""

    def __init__(self, semantics: Semantics, symmetry: Symmetry, monitor: Monitor) -> None:
        self.semantics, self.symmetry, self.monitor = semantics, symmetry, monitor
        self.depth = 0
        self.steps_that_move = self.ghosts_that_change = 0
        self.nodes: Interner[tuple[int, Value]] = Interner()
        self.ghosts: Interner[Value] = Interner()
        self.messages: Interner[Envelope] = Interner()
        self.steps: list[Executed] = []
        self._notices: Interner[Value] = Interner()
        self._examples: list[int] = []
        self._renamings = len(symmetry.permutations)
        self._step_numbers: dict[tuple[int, Value], int] = {}
        self._scenario = semantics.system.scenario
        self._named: list[list[Executed]] = []
        self._noticed: dict[int, list[Value | None]] = {}
        numbers = {permutation: number for number, permutation in enumerate(symmetry.permutations)}
        self._probes = [numbers[permutation] for permutation in symmetry.step_probes]
        self._allowed: dict[tuple[int, int], bool] = {}
        self._mail: Mail | None = None
        self._mail_is_of = (0, 0)
        self._make_columns()

    def _make_columns(self) -> None:
        self._input_starts, self._input_counts = Column(fill=kernels.UNKNOWN), Column()
        self._input_steps = Column()
        self._reactions: Array = np.full((16, 16), kernels.UNKNOWN, np.int32)
        self.places, self._receivers, self.senders = Column(), Column(), Column()
        self._steps, self._sends, self._befores = Column(width=6), Column(), Column()
        self._ghost_after = IntegerMap()
        self.renamed_nodes, self.renamed_ghosts = Column(self._renamings), Column(self._renamings)
        self.renamed_messages = Column(self._renamings)
        self._messages_to = [0] * len(self.semantics.system.processes)

    @property
    def local_transitions(self) -> int:
        """How many distinct (process state, input) pairs were executed."""
        return len(self._step_numbers)

    def local(self) -> kernels.Local:
        """Return the tables as compiled code reads them; valid until the next question is answered."""
        return kernels.Local(
            self._input_starts.array,
            self._input_counts.array,
            self._input_steps.array,
            self._reactions,
            self.places.array,
            self._receivers.array,
            self._steps.array,
            self._sends.array,
            self._ghost_after.keys,
            self._ghost_after.values,
            FORBIDDEN,
            self.renamed_nodes.array,
            self.renamed_ghosts.array,
            np.array(self.symmetry.permutations, np.int32),
        )

    # Numbers

    def node(self, pid: int, state: Value) -> int:
        """Return the number of a process in a state."""
        if (pid, state) not in self.nodes:
            self.number_orbit(self.nodes, self.renamed_nodes, (pid, state), self._rename_node)
            self._input_starts.reserve(len(self.nodes))
            self._input_counts.reserve(len(self.nodes))
            self._reserve_reactions()
        return self.nodes.number((pid, state))

    def ghost(self, ghost: Value) -> int:
        """Return the number of a ghost."""
        if ghost not in self.ghosts:
            self.number_orbit(self.ghosts, self.renamed_ghosts, ghost, self.symmetry.value)
        return self.ghosts.number(ghost)

    def message(self, envelope: Envelope) -> int:
        """Return the number of a message under way."""
        if envelope not in self.messages:
            first = len(self.messages)
            self.number_orbit(self.messages, self.renamed_messages, envelope, self.symmetry.envelope)
            for to, sender, _ in self.messages.values[first:]:
                self.places.append(self._messages_to[to])
                self._messages_to[to] += 1
                self._receivers.append(to)
                self.senders.append(sender)
            self._reserve_reactions()
        return self.messages.number(envelope)

    def input_count(self, node: int) -> int:
        """Return how many inputs a node is known to have."""
        return int(self._input_counts.array[node])

    def renamed_node(self, node: int, renaming: int) -> int:
        """Return the number of a node, renamed."""
        return int(self.renamed_nodes.array[node, renaming])

    def renamed_combinations(self, combinations: Array, renaming: int) -> Array:
        """Return rows of nodes and ghost, renamed."""
        renamed = np.empty_like(combinations)
        for pid, to in enumerate(self.symmetry.permutations[renaming]):
            renamed[:, to] = self.renamed_nodes.array[combinations[:, pid], renaming]
        renamed[:, -1] = self.renamed_ghosts.array[combinations[:, -1], renaming]
        return renamed

    def _rename_node(self, node, permutation):  # type: ignore[no-untyped-def]
        pid, state = node
        return permutation[pid], self.symmetry.value(state, permutation)

    def number_orbit(self, interner, column, value, rename) -> None:  # type: ignore[no-untyped-def]
        """Number a value and all its renamings, and note how they are renamed into each other.

        Renaming by one permutation and then another is renaming by both at once.
        """
        first, permutations = len(interner), self.symmetry.permutations
        orbit = [interner.number(value)]
        orbit += [interner.number(rename(value, permutation)) for permutation in permutations[1:]]
        if len(orbit) > 1:
            self._verify_relabel(value, rename, interner)
        chosen = {number: position for position, number in reversed(list(enumerate(orbit)))}
        for number in range(first, len(interner)):
            column.append([orbit[product] for product in self.symmetry.products(chosen[number])])

    def _verify_relabel(self, value, rename, interner) -> None:  # type: ignore[no-untyped-def]
        """Raise ModelError unless renaming a value twice is the same as renaming it once."""
        first, second = self.symmetry.permutations[1], self.symmetry.permutations[-1]
        if rename(rename(value, first), second) != rename(value, compose(second, first)):
            raise ModelError(f"relabel does not permute: renaming {value!r} twice leads to something else")

    def _reserve_reactions(self) -> None:
        nodes, places = self._reactions.shape
        wanted = max(len(self.nodes), nodes), max(*self._messages_to, places)
        if wanted != (nodes, places):
            shape = tuple(old if new <= old else 2 * new for old, new in zip((nodes, places), wanted, strict=True))
            if shape[0] * shape[1] > MOST_CELLS:
                raise MemoryError
            grown = np.full(shape, kernels.UNKNOWN, np.int32)
            grown[:nodes, :places] = self._reactions
            self._reactions = grown

    # Answers

    def answer(self, misses: Iterable[tuple[int, int]]) -> None:
        """Answer the questions of compiled code. Raises BrokenStepError if a step breaks a property."""
        answers = {
            OPEN: self._open,
            REACT: self._react,
            OBSERVE: self._observe,
            JUDGE: self._judge,
        }
        for kind, key in misses:
            answers[kind](key)

    def _open(self, node: int) -> None:
        """Execute all inputs of a node."""
        pid, state = self.nodes.values[node]
        inputs = self.semantics.inputs(pid, state)
        self.symmetry.verify_inputs(self.semantics.system, pid, state, inputs)
        steps = [step for step in (self._step(node, input) for input in inputs) if step != kernels.DISABLED]
        self._input_starts.array[node] = self._input_steps.count
        self._input_counts.array[node] = len(steps)
        for step in steps:
            self._input_steps.append(step)

    def _react(self, key: int) -> None:
        """Deliver a message to a node."""
        node, message = key >> 32, key & 0xFFFFFFFF
        _, sender, content = self.messages.values[message]
        step = self._step(node, Deliver(sender, content))
        if step != kernels.DISABLED and self._does_nothing(step):
            self._judge(step)
            step = kernels.DISABLED
        self._reactions[node, self.places.array[message]] = step

    def _does_nothing(self, number: int) -> bool:
        """Tell whether a delivery makes no difference: not even the message goes away."""
        _, before, _, step = self.steps[number]
        stays = self.semantics.system.network is Network.LOSSY_DUPLICATING
        return stays and step.state == before and not step.sends and self._steps.array[number, kernels.NOTICE] < 0

    def _observe(self, key: int) -> None:
        """Show a step to the scenario; with symmetry, its renamings too."""
        ghost, example = key >> 32, self._examples[key & 0xFFFFFFFF]
        after = self._ghost_of(self.ghosts.values[ghost], example, 0)
        for probe, renaming in enumerate(self._probes, 1):
            renamed = self.ghosts.values[int(self.renamed_ghosts.array[ghost, renaming])]
            expected = None if after is None else self.symmetry.value(after, self.symmetry.permutations[renaming])
            if self._ghost_of(renamed, example, probe) != expected:
                self._refuse_scenario(self.steps[example])
        self._ghost_after.add(key, FORBIDDEN if after is None else self.ghost(after))
        self.ghosts_that_change += after not in (None, self.ghosts.values[ghost])

    def _ghost_of(self, ghost: Value, number: int, probe: int) -> Value | None:
        """Return the ghost after a step as it is (probe 0) or under one of the probes."""
        assert self._scenario is not None
        if isinstance(self._scenario, NoticingScenario):
            notice = self._noticed[number][probe]
            return ghost if notice is None else self._scenario.update(ghost, notice)
        return self._scenario.observe(ghost, *self._named[number][probe])

    def _refuse_scenario(self, executed: Executed) -> NoReturn:
        self.symmetry.refuse(f"the scenario tells process {executed.pid} from others after {executed.input!r}")

    def _judge(self, number: int) -> None:
        """Judge a step that the scenario allows, and its renamings: a predicate may tell the processes apart.

        Only now what it leads to gets numbers: where a step that is never allowed would lead is of no interest.
        """
        executed = self.steps[number]
        for pid, before, input, step in self._named[number]:
            broken = self.monitor.broken_by_step(pid, before, input, step, self.depth)
            if broken is not None:
                raise BrokenStepError(broken, self.node(executed.pid, executed.before), executed.input)
        pid, before, _, step = executed
        sends = [self.message(envelope) for envelope in self.semantics.envelopes(pid, step.sends)]
        after = self.node(pid, step.state)
        self.steps_that_move += step.state != before
        notice = self._steps.array[number, kernels.NOTICE]
        self._steps.array[number] = (after, notice, True, self._sends.count, len(sends), pid)
        for message in sends:
            self._sends.append(message)

    def _step(self, node: int, input: Value) -> int:
        """Execute a step, and check that renamed processes do the same; return its number, or DISABLED."""
        key = (node, input)
        if key not in self._step_numbers:
            pid, before = self.nodes.values[node]
            step = self.semantics.step(pid, before, input)
            if isinstance(step, Exception):
                raise BrokenStepError(RAISED, node, input)
            named = [self._renamed(node, input, step, renaming) for renaming in self._probes]
            self._step_numbers[key] = (
                kernels.DISABLED if step is None else self._add_step(node, [Executed(pid, before, input, step), *named])
            )
        return self._step_numbers[key]

    def _renamed(self, node: int, input: Value, step: Step | None, renaming: int) -> Executed:
        """Execute a step under other names. Raises ModelError unless that is, renamed, what was done."""
        names = self.symmetry.permutations[renaming]
        pid, before = self.nodes.values[self.renamed_node(node, renaming)]
        given = self.symmetry.value(input, names)
        renamed = self.semantics.step(pid, before, given)
        if isinstance(renamed, Exception) or not self.symmetry.is_renamed(step, names, renamed):
            first, state = self.nodes.values[node]
            self.symmetry.refuse(f"process {first} in {state!r} does with {input!r} other than its renamings")
        return Executed(pid, before, given, renamed)  # type: ignore[arg-type]

    def _add_step(self, node: int, named: list[Executed]) -> int:
        """Number a step, given with its renamings under all probes."""
        number = len(self.steps)
        self.steps.append(named[0])
        self._named.append(named)
        self._befores.append(node)
        for executed in named:
            self.semantics.envelopes(executed.pid, executed.step.sends)
        notice = -1 if self._scenario is None else self._notice_of(number)
        self._steps.append((kernels.UNKNOWN, notice, False, 0, 0, named[0].pid))
        return number

    def _notice_of(self, number: int) -> int:
        """Return the number of what the scenario notices of a step, -1 if nothing.

        A scenario that does not say what it notices is taken to notice each step for itself. Steps that are noticed
        alike must be so when renamed, too: only one of them is shown to the scenario.
        """
        if not isinstance(self._scenario, NoticingScenario):
            self._examples.append(number)
            return self._notices.number(number)
        noticed = [self._scenario.notice(*executed) for executed in self._named[number]]
        notice = -1 if noticed[0] is None else self._notices.number(noticed[0])
        if notice == len(self._examples):
            self._examples.append(number)
            self._noticed[number] = noticed
        expected = [None] * len(noticed) if notice < 0 else self._noticed[self._examples[notice]]
        if noticed != expected:
            self._refuse_scenario(self.steps[number])
        return notice

    def combination(self, row: Array) -> tuple[tuple[Value, ...], Value]:
        """Return the process states and the ghost of a combination given as a row."""
        *nodes, ghost = (int(number) for number in row)
        return tuple(self.nodes.values[node][1] for node in nodes), self.ghosts.values[ghost]

    # What the covering search wants to know of everything that was seen

    @property
    def most_places(self) -> int:
        """The greatest number of messages to one process."""
        return max(self._messages_to)

    def mail(self, words: int) -> Mail:
        """Return the messages as bits, so many words of them for each receiver."""
        if self._mail is None or self._mail_is_of != (len(self.messages), words):
            count, processes = len(self.messages), len(self._messages_to)
            bits = self._receivers.array[:count] * (words * WORD) + self.places.array[:count]
            messages = np.full(processes * words * WORD, kernels.UNKNOWN, np.int32)
            messages[bits] = np.arange(count)
            self._mail = Mail(bits, messages, self.renamed_messages.array)
            self._mail_is_of = (count, words)
        return self._mail

    @property
    def notices(self) -> int:
        """How many notices the scenario has taken."""
        return len(self._notices)

    def known_notice(self, notice: Value) -> int:
        """Return the number of a notice, -1 if no step has it."""
        known = self._notices.known(notice)
        return -1 if known is None else known

    def receiver_of_node(self, node: int) -> int:
        """Return the pid of a node."""
        return self.nodes.values[node][0]

    def renamings_of_node(self, node: int) -> Array:
        """Return the numbers of a node under every renaming."""
        renamed: Array = self.renamed_nodes.array[node]
        return renamed

    def messages_by_receiver(self) -> list[Array]:
        """Return the numbers of the messages to each process."""
        receivers = self._receivers.array[: len(self.messages)]
        return [np.flatnonzero(receivers == pid).astype(np.int32) for pid in range(len(self._messages_to))]

    def notices_ever_forbidden(self) -> list[int]:
        """Return the notices that the scenario did not allow under some ghost."""
        is_entry = (self._ghost_after.keys >= 0) & (self._ghost_after.values == FORBIDDEN)
        return [int(notice) for notice in np.unique(self._ghost_after.keys[is_entry] & 0xFFFFFFFF)]

    def allows(self, ghost: int, notice: int) -> bool:
        """Tell whether the scenario allows under a ghost what it noticed of some step.

        It may not be prepared for the two to come together; if it raises, nothing is known, so all is possible.
        """
        key = (ghost, notice)
        if key not in self._allowed:
            try:
                self._allowed[key] = self._ghost_of(self.ghosts.values[ghost], self._examples[notice], 0) is not None
            except MemoryError:
                raise
            except Exception:
                self._allowed[key] = True
        return self._allowed[key]

    def ghost_changes(self) -> tuple[Array, Array]:
        """Return pairs of ghosts, as two lists, of which the second was seen to follow the first; renamed ones too."""
        is_entry = (self._ghost_after.keys >= 0) & (self._ghost_after.values != FORBIDDEN)
        before, after = self._ghost_after.keys[is_entry] >> 32, self._ghost_after.values[is_entry]
        renamed = self.renamed_ghosts.array
        return renamed[before].T.reshape(-1), renamed[after].T.reshape(-1)

    def renamed_notices(self, limited: Iterable[int]) -> Array:
        """Return what renaming makes of each notice; -1 where it is not among `limited`, or was not seen renamed."""
        renamed = np.full((self.notices, self._renamings), -1, np.int32)
        for notice in limited:
            renamed[notice] = [self._renamed_notice(int(notice), renaming) for renaming in range(self._renamings)]
        return renamed

    def moves_between_nodes(self, renamed_notices: Array) -> Iterable[Array]:
        """Yield, for each renaming, rows (node before, node after, notice) of all steps that were allowed."""
        steps, befores = self._steps.array[: len(self.steps)], self._befores.array[: len(self.steps)]
        chosen = (steps[:, kernels.JUDGED] != 0) & (steps[:, kernels.AFTER] != befores)
        steps, befores = steps[chosen], befores[chosen]
        for renaming in range(self._renamings):
            notices = np.append(renamed_notices[:, renaming], np.int32(-1))  # the last is for steps without a notice
            names = self.renamed_nodes.array[:, renaming]
            columns = (names[befores], names[steps[:, kernels.AFTER]], notices[steps[:, kernels.NOTICE]])
            yield np.stack(columns, axis=1)

    def names_matter_in(self, notices: Iterable[int]) -> bool:
        """Tell whether renaming the processes makes another one of a notice."""
        renamings = range(1, self._renamings)
        return any(self._renamed_notice(int(notice), r) != notice for notice in notices for r in renamings)

    def _renamed_notice(self, notice: int, renaming: int) -> int:
        """Return the number of a notice, renamed; -1 if that was not seen."""
        if renaming == 0:
            return notice
        assert isinstance(self._scenario, NoticingScenario)
        example = self._examples[notice]
        _, _, input, step = self.steps[example]
        renamed = self._renamed(int(self._befores.array[example]), input, step, renaming)
        return self.known_notice(self._scenario.notice(*renamed))
