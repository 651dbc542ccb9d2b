"""Renaming processes: states that differ only in which process is which are explored once."""

from itertools import combinations, permutations
from typing import NoReturn

from raftcheck.explore.networks import OPERATIONS, Contents, Operations
from raftcheck.model import Deliver, Envelope, ModelError, Send, Step, System, Value

Permutation = tuple[int, ...]
"""The process with pid i is renamed to permutation[i]."""

REMEDY = (
    "but relabel declares the processes interchangeable: give the system no relabel, or explore with symmetry=False"
)

ALL_STEPS_UP_TO, ALL_STATES_UP_TO = 4, 5
"""Up to so many processes, steps are executed and states are judged under every renaming.

Steps that are judged by predicates that may tell the processes apart are so as long as states are.
"""


def compose(second: Permutation, first: Permutation) -> Permutation:
    """Return the renaming that does `first`, then `second`."""
    return tuple(second[pid] for pid in first)


def exchange(identity: Permutation, a: int, b: int) -> Permutation:
    """Return the renaming that exchanges two processes."""
    return tuple({a: b, b: a}.get(pid, pid) for pid in identity)


def inverse(permutation: Permutation) -> Permutation:
    """Return the renaming that undoes this one."""
    return tuple(permutation.index(pid) for pid in range(len(permutation)))


class Symmetry:
    """All renamings of a system's processes; without `system.relabel`, or when not wanted, only the identity.

    The identity is number 0 in `permutations`. Every step is executed again under `step_probes`, and every state
    judged again under `state_probes`: under all renamings of a small system; of a larger one under all exchanges
    of two processes, so that each process takes the place of each other. `tells_steps_apart` says that steps are
    judged by predicates that may tell the processes apart.
    """

    def __init__(self, system: System, wanted: bool, tells_steps_apart: bool = False) -> None:
        count = len(system.processes)
        identity = tuple(range(count))
        self._relabel = system.relabel
        self._network = OPERATIONS[system.network]
        self.is_used = wanted and system.relabel is not None and count > 1
        self.permutations: list[Permutation] = list(permutations(identity)) if self.is_used else [identity]
        self._number_of = {permutation: number for number, permutation in enumerate(self.permutations)}
        self._products: dict[int, list[int]] = {}
        exchanges = [exchange(identity, a, b) for a, b in combinations(identity, 2)]
        all_steps_up_to = ALL_STATES_UP_TO if tells_steps_apart else ALL_STEPS_UP_TO
        self.step_probes = self.permutations[1:] if count <= all_steps_up_to or not self.is_used else exchanges
        self.state_probes = self.permutations[1:] if count <= ALL_STATES_UP_TO or not self.is_used else exchanges

    def products(self, first: int) -> list[int]:
        """Return the number of the renaming that does the one numbered `first`, then another, for each other one."""
        if first not in self._products:
            done = self.permutations[first]
            self._products[first] = [self._number_of[compose(second, done)] for second in self.permutations]
        return self._products[first]

    def value(self, value: Value, permutation: Permutation) -> Value:
        """Rename the processes in a state, input, message or ghost."""
        if self._relabel is None or permutation == self.permutations[0]:
            return value
        if isinstance(value, Deliver):
            return Deliver(permutation[value.sender], self._relabel(value.message, permutation))
        renamed: Value = self._relabel(value, permutation)
        return renamed

    def envelope(self, envelope: Envelope, permutation: Permutation) -> Envelope:
        """Rename the processes in a message under way."""
        to, sender, message = envelope
        return Envelope(permutation[to], permutation[sender], self.value(message, permutation))

    def processes(self, processes: tuple[Value, ...], permutation: Permutation) -> tuple[Value, ...]:
        """Rename the processes: the state of pid i becomes that of pid permutation[i]."""
        renamed = [processes[0]] * len(processes)
        for pid, local in enumerate(processes):
            renamed[permutation[pid]] = self.value(local, permutation)
        return tuple(renamed)

    def verify_initial(self, processes: tuple[Value, ...], ghost: Value) -> None:
        """Raise ModelError unless the initial state is the same under every renaming."""
        for permutation in self.step_probes:
            if (self.processes(processes, permutation), self.value(ghost, permutation)) != (processes, ghost):
                raise ModelError(f"the processes start differently; {REMEDY}")

    def verify_inputs(self, system: System, pid: int, local: Value, inputs: tuple[Value, ...]) -> None:
        """Raise ModelError unless a renamed process has the same inputs, renamed."""
        for permutation in self.step_probes:
            renamed = frozenset(system.processes[permutation[pid]].inputs(self.value(local, permutation)))
            if renamed != {self.value(input, permutation) for input in inputs}:
                raise ModelError(f"process {pid} in {local!r} has other inputs than its renamings; {REMEDY}")

    def refuse(self, text: str) -> NoReturn:
        """Raise ModelError: the processes are not interchangeable."""
        raise ModelError(f"{text}; {REMEDY}")

    def is_renamed(self, step: Step | None, permutation: Permutation, renamed: Step | None) -> bool:
        """Tell whether the second step is the first one, renamed, as far as it counts on the network."""
        return _comparable(self._step(step, permutation), self._network) == _comparable(renamed, self._network)

    def _step(self, step: Step | None, permutation: Permutation) -> Step | None:
        if step is None:
            return None
        sends = tuple(Send(permutation[to], self.value(message, permutation)) for to, message in step.sends)
        return Step(self.value(step.state, permutation), sends)


def _comparable(step: Step | None, operations: Operations) -> tuple[Value, Contents] | None:
    """Return what of a step counts on a network."""
    if step is None:
        return None
    return step.state, operations.add(frozenset(), tuple(Envelope(to, 0, message) for to, message in step.sends))
