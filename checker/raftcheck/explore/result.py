"""What an exploration tells."""

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from raftcheck.model import Deliver, Envelope, Kind, Step, Value

Verdict = Literal["holds", "violated", "inconclusive", "vacuous"]


class GlobalState(NamedTuple):
    """The state of a whole system: process states by pid, the network, the scenario's ghost.

    The network is a plain value: for LOSSY_DUPLICATING a frozenset of envelopes; for UNORDERED a frozenset of
    (envelope, how many); for ORDERED a frozenset of ((to, sender), messages in order), no queue empty.
    """

    processes: tuple[Value, ...]
    network: frozenset[Any]
    ghost: Value


class Event(NamedTuple):
    """One step of a behaviour: process `pid` takes `input`.

    With `lost` set, the network lost what `input` (a Deliver) would have handed over, and no process moved.
    """

    pid: int
    input: Value | Deliver
    lost: bool = False

    @property
    def envelope(self) -> Envelope | None:
        """The message that is delivered or lost, None for an input."""
        return Envelope(self.pid, self.input.sender, self.input.message) if isinstance(self.input, Deliver) else None


@dataclass(frozen=True)
class Counterexample:
    """A behaviour that breaks the property named `violated`.

    `states` has one item more than `events`; `steps` holds what each event's process did (None for a loss).
    If the last event's step itself is at fault because it raised, there is no state after it and `error`
    says what was raised. `explanation` is what the property says of the step that broke it, if it explains itself.
    """

    violated: str
    states: tuple[GlobalState, ...]
    events: tuple[Event, ...]
    steps: tuple[Step | None, ...]
    error: str | None = None
    explanation: str | None = None

    @property
    def length(self) -> int:
        """How many events it has."""
        return len(self.events)


@dataclass(frozen=True)
class PropertyResult:
    """What was found about one property.

    status: "holds" (for all explored states, or with a witness for `sometimes`), "violated", "missing" (no
    witness), "unknown" (a limit was reached before it could be told).
    """

    name: str
    kind: Kind
    status: Literal["holds", "violated", "missing", "unknown"]
    source: str = ""
    witness_depth: int | None = None


@dataclass(frozen=True)
class Progress:
    """How far an exploration has come; `note` says what takes long now, if it is not the exploration.

    In covering mode figures begin anew with each `round`.
    """

    states: int
    transitions: int
    depth: int
    frontier: int
    seconds: float
    note: str = ""
    round: int = 1


@dataclass(frozen=True)
class Result:
    """The verdict of an exploration, and the figures that it rests on.

    `states` counts distinct global states in modes "exact" (with symmetry: up to renaming) and "reference", kept
    ones in mode "covering". `all_states` counts renamings too: the number that any exact checker without symmetry
    finds; None in mode "covering". `local_tuples`
    counts the distinct combinations of process states and ghost, symmetric ones included: the same number in
    every mode. `complete` says that every reachable state was visited; `limit` names the limit that ended the
    exploration before that. `transitions` counts the enabled process inputs, deliveries and losses over all
    visited states, without those that change nothing; when the exploration stopped early, over those expanded
    until then. `depth` is the greatest number of steps from the initial state on a shortest path (in mode
    "covering", not counting steps that only send; of a violation, the counterexample's length). `local_states`
    and `local_transitions` count distinct process states and distinct (state, input) pairs executed.
    `peak_memory` is the Python process's in bytes. `bounds` is what the model says of its own limits.
    """

    verdict: Verdict
    mode: str
    complete: bool
    limit: str | None
    states: int
    all_states: int | None
    transitions: int
    depth: int
    local_states: int
    local_transitions: int
    local_tuples: int
    seconds: float
    peak_memory: int
    symmetry: bool
    properties: tuple[PropertyResult, ...]
    counterexample: Counterexample | None
    bounds: dict[str, Any] = field(default_factory=dict)


class VerificationError(AssertionError):
    """Raised by `assert_holds`: the verdict is not "holds". The text tells the verdict and the figures."""
