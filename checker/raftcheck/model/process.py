"""A process: a deterministic state machine that is given inputs and sends messages."""

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple, Protocol

from msgspec import Struct

Value = Hashable
"""States, inputs, messages and ghosts: immutable values whose equality and hash cover all that they mean."""


class Send(NamedTuple):
    """A message to the process with pid `to` (which may be the sender itself)."""

    to: int
    message: Value


class Deliver(Struct, frozen=True, cache_hash=True):
    """The input that hands over a message from the process with pid `sender`.

    It equals no other kind of value: a process may have tuples among its inputs.
    """

    sender: int
    message: Value


class Step(NamedTuple):
    """What a process does with an input: its next state and the messages it sends, in order.

    `outputs` is whatever else the step did that a scenario or a step property may want to read (an answer to
    a client, say). It is not part of the global state.
    """

    state: Value
    sends: tuple[Send, ...] = ()
    outputs: tuple[Value, ...] = ()


class Process(Protocol):
    """The behaviour of a process. It must be deterministic; one object may serve many pids.

    The checker may call each method once per distinct argument and remember the answer, so nothing may
    depend on anything but the arguments.
    """

    def initial(self, pid: int) -> Value:
        """Return the state in which the process `pid` starts."""

    def inputs(self, state: Any) -> Iterable[Value]:
        """Return what may happen to a process in this state besides the delivery of a message."""

    def step(self, state: Any, input: Any) -> Step | None:
        """Return what the process does with the input, or None if the input is not enabled in this state.

        An exception raised here is reported as a violation, with the path that led to it.
        """
