"""What the delivery of a message would do in a node, executed in advance by the model's own code.

The covering search drops states whose messages can make no difference. For that it must know what a message does in
nodes where it has not arrived yet, and perhaps never does. Such a delivery is executed, but nothing of what it leads to
is explored; and whatever a property, a scenario or an exception makes remarkable counts as a difference.
"""

from collections.abc import Iterable

import numpy as np

from raftcheck.explore.columns import Array, Column
from raftcheck.explore.interning import Interner
from raftcheck.explore.kernels import relevance as kernels
from raftcheck.explore.kernels.local import UNKNOWN
from raftcheck.explore.monitor import Monitor, Remarks
from raftcheck.explore.semantics import Semantics, with_tuples
from raftcheck.explore.symmetry import Symmetry, inverse
from raftcheck.explore.tables import Tables
from raftcheck.model import Deliver, Envelope, ModelError, NoticingScenario, Step, Value


class Effects:
    """The effects of all messages in all nodes, each computed for one of the node's renamings.

    `executed` counts the deliveries.
    """

    def __init__(self, semantics: Semantics, symmetry: Symmetry, monitor: Monitor, tables: Tables) -> None:
        self._semantics, self._symmetry, self._monitor, self._tables = semantics, symmetry, monitor, tables
        self._scenario = semantics.system.scenario
        self._numbers_of = {permutation: number for number, permutation in enumerate(symmetry.permutations)}
        self._probes = [self._numbers_of[permutation] for permutation in symmetry.step_probes]
        self._table: Array = np.full((16, 16), UNKNOWN, np.int32)
        self._least: list[int] = []
        self._row_of: dict[int, int] = {}
        self._rows, self._to_least, self._from_least = Column(), Column(), Column()
        self._effects: dict[Value, int] = {}
        self._is_reply, self._notices = Column(dtype=np.bool_), Column()
        self._word_starts, self._word_counts, self._words = Column(), Column(), Column()
        self._word_numbers: Interner[Envelope] = Interner()
        self._renamed_words = Column(len(symmetry.permutations))
        self._awaited: list[tuple[int, int]] = []
        self.executed = 0
        self._new_effect(is_reply=False)

    def arrays(self) -> kernels.Effects:
        """Return the tables as compiled code reads them; valid until the next effects are computed."""
        self._meet_nodes()
        tables = self._tables
        return kernels.Effects(
            self._table,
            self._rows.array,
            self._to_least.array,
            self._from_least.array,
            self._is_reply.array,
            self._notices.array,
            self._word_starts.array,
            self._word_counts.array,
            self._words.array,
            self._renamed_words.array,
            tables.places.array,
            tables.renamed_messages.array,
            tables.renamed_nodes.array,
        )

    def _meet_nodes(self) -> None:
        """Give each new node the row of the least of its renamings."""
        symmetry = self._symmetry
        for node in range(self._rows.count, len(self._tables.nodes)):
            renamed = self._tables.renamings_of_node(node)
            to_least = int(np.argmin(renamed))
            least = int(renamed[to_least])
            if least not in self._row_of:
                self._row_of[least] = len(self._least)
                self._least.append(least)
            self._rows.append(self._row_of[least])
            self._to_least.append(to_least)
            self._from_least.append(self._numbers_of[inverse(symmetry.permutations[to_least])])
        rows, places = self._table.shape
        wanted = max(rows, len(self._least)), max(places, self._tables.most_places)
        if wanted != (rows, places):
            shape = tuple(old if new <= old else 2 * new for old, new in zip((rows, places), wanted, strict=True))
            grown = np.full(shape, UNKNOWN, np.int32)
            grown[:rows, :places] = self._table
            self._table = grown

    def compute(self, asked: Iterable[int]) -> None:
        """Execute deliveries, given as row << 32 | message."""
        for key in asked:
            row, message = key >> 32, key & 0xFFFFFFFF
            self._table[row, self._tables.places.array[message]] = self._effect(row, message)

    def look_again(self) -> None:
        """Forget the effects that counted as a difference only because a witness was still missing."""
        for row, place in self._awaited:
            self._table[row, place] = UNKNOWN
        self._awaited.clear()

    def _effect(self, row: int, message: int) -> int:
        pid, before, input = self._delivery(row, message, 0)
        step = self._execute(pid, before, input)
        self.executed += 1
        if self._probes:
            self._verify(row, message, step, self._probes[(row + message) % len(self._probes)])
        if step is None:
            return kernels.NOTHING
        if isinstance(step, Exception) or self._is_remarkable(row, message, step):
            return self._new_effect(is_reply=False)
        return self._number(pid, before, input, step)

    def _delivery(self, row: int, message: int, renaming: int) -> tuple[int, Value, Deliver]:
        """Return who gets what in which state, renamed."""
        pid, before = self._tables.nodes.values[self._tables.renamed_node(self._least[row], renaming)]
        renamed = int(self._tables.renamed_messages.array[message, renaming])
        _, sender, content = self._tables.messages.values[renamed]
        return pid, before, Deliver(sender, content)

    def _execute(self, pid: int, before: Value, input: Deliver) -> Step | Exception | None:
        """Execute one delivery; nothing is remembered, for there are too many.

        What is never really delivered may do anything: to send to nobody counts as an exception, too.
        """
        try:
            step = with_tuples(self._semantics.system.processes[pid].step(before, input))
            if step is not None:
                self._semantics.envelopes(pid, step.sends)
            return step
        except MemoryError:
            raise
        except Exception as error:
            return error

    def _verify(self, row: int, message: int, step: Step | Exception | None, renaming: int) -> None:
        """Raise ModelError unless the renamed process does the same: one renaming in turn, as nothing is explored."""
        pid, before, input = self._delivery(row, message, renaming)
        renamed = self._execute(pid, before, input)
        if isinstance(step, Exception) or isinstance(renamed, Exception):
            is_same = isinstance(step, Exception) and isinstance(renamed, Exception)
        elif step is not None and renamed is not None and does_nothing(renamed, before):
            is_same = does_nothing(step, self._delivery(row, message, 0)[1])
        else:
            is_same = self._symmetry.is_renamed(step, self._symmetry.permutations[renaming], renamed)
        if not is_same:
            self._symmetry.refuse(f"process {pid} in {before!r} does with {input!r} other than its renamings")

    def _is_remarkable(self, row: int, message: int, step: Step) -> bool:
        """Tell whether a property is broken by the step, or a missing witness found, under any name.

        A predicate that raises is remarkable, too: if the step is ever really taken, it will raise there.
        """
        _, before, input = self._delivery(row, message, 0)
        try:
            remarks = self._monitor.remark_on_step(before, input, step, named_alike=True)
            if self._monitor.steps_tell_names_apart:
                for renaming in self._probes:
                    remarks |= self._remarks_on_renamed(row, message, step, renaming)
        except (MemoryError, ModelError):
            raise
        except Exception:
            return True
        if remarks.witness and not remarks.broken:
            self._awaited.append((row, int(self._tables.places.array[message])))
        return remarks.witness or remarks.broken

    def _remarks_on_renamed(self, row: int, message: int, step: Step, renaming: int) -> Remarks:
        pid, before, input = self._delivery(row, message, renaming)
        taken = self._execute(pid, before, input)
        if not isinstance(taken, Step):
            self._symmetry.refuse(f"process {pid} in {before!r} does with {input!r} other than its renamings")
        return self._monitor.remark_on_step(before, input, taken, named_alike=False)

    def _number(self, pid: int, before: Value, input: Deliver, step: Step) -> int:
        """Return the number of an effect: the same for what leads to the same state, sends and notice."""
        notice = None
        if isinstance(self._scenario, NoticingScenario):
            try:
                notice = self._scenario.notice(pid, before, input, step)
            except MemoryError:
                raise
            except Exception:
                return self._new_effect(is_reply=False)
        stays = step.state == before
        sent = frozenset(self._semantics.envelopes(pid, step.sends))
        if stays and notice is None and not sent:
            return kernels.NOTHING
        key = (stays, None if stays else step.state, sent, notice)
        if key not in self._effects:
            known = UNKNOWN if notice is None else self._tables.known_notice(notice)
            self._effects[key] = self._new_effect(stays and notice is None, known, sent)
        return self._effects[key]

    def _new_effect(self, is_reply: bool, notice: int = UNKNOWN, sent: frozenset[Envelope] = frozenset()) -> int:
        words = sorted(map(self._word, sent)) if is_reply else []
        self._notices.append(notice)
        self._word_starts.append(self._words.count)
        self._word_counts.append(len(words))
        for word in words:
            self._words.append(word)
        return self._is_reply.append(is_reply)

    def _word(self, envelope: Envelope) -> int:
        if envelope not in self._word_numbers:
            self._tables.number_orbit(self._word_numbers, self._renamed_words, envelope, self._symmetry.envelope)
        return self._word_numbers.number(envelope)


def does_nothing(step: Step, before: Value) -> bool:
    """Tell whether a step leaves the state as it is and sends nothing."""
    return not step.sends and step.state == before
