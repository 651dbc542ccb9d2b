"""A system: processes, the network between them, and a scenario that watches and limits them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from raftcheck.model.network import Network
from raftcheck.model.process import Process, Step, Value


class ModelError(Exception):
    """The model or the request cannot be checked as it is; the text says what is wrong and what to do."""


class Scenario(Protocol):
    """A deterministic observer of all steps. Its ghost is part of the global state; it may forbid steps.

    Budgets (at most two crashes) and history (what was ever acknowledged) are kept here.
    """

    @property
    def initial(self) -> Value:
        """The ghost before the first step; not None."""

    def observe(self, ghost: Any, pid: int, before: Any, input: Any, step: Step) -> Value | None:
        """Return the ghost after the step, or None if this scenario does not allow the step."""


class NoticingScenario(ABC):
    """A scenario in two halves, which explorers can call much less often than `observe`.

    `notice` says what of a step matters, without knowing the ghost; `update` what that makes of a ghost.
    """

    initial: Value

    @abstractmethod
    def notice(self, pid: int, before: Any, input: Any, step: Step) -> Value | None:
        """Return all that `update` needs to know of a step; None if it is always allowed and changes no ghost."""

    @abstractmethod
    def update(self, ghost: Any, notice: Any) -> Value | None:
        """Return the ghost after a step, or None if this scenario does not allow the step."""

    def observe(self, ghost: Any, pid: int, before: Any, input: Any, step: Step) -> Value | None:
        """Return the ghost after the step, or None if this scenario does not allow the step."""
        notice = self.notice(pid, before, input, step)
        return ghost if notice is None else self.update(ghost, notice)


@dataclass(frozen=True)
class System:
    """A closed system of processes; pids are the positions in `processes`.

    `lossy` says whether UNORDERED and ORDERED networks may drop messages (an ORDERED network drops the head
    of a queue: a loss further back is the same loss, later). LOSSY_DUPLICATING always may.

    `relabel(value, permutation)` renames the pids in a state, input, message or ghost: pid i becomes
    permutation[i]. Giving it declares the processes interchangeable, so that the checker may explore states
    up to renaming.
    """

    processes: Sequence[Process]
    network: Network = Network.LOSSY_DUPLICATING
    lossy: bool = True
    scenario: Scenario | None = None
    relabel: Callable[[Any, tuple[int, ...]], Any] | None = None

    def __post_init__(self) -> None:
        if not self.processes:
            raise ModelError("a system needs at least one process")
        if self.scenario is not None and self.scenario.initial is None:
            raise ModelError("a scenario's ghost cannot be None: that is how it forbids a step; begin with () instead")
        if not isinstance(self.network, Network):
            raise ModelError(f"network must be one of {', '.join(map(str, Network))}, not {self.network!r}")
