"""Clients that wait: for their writes to be applied, for their reads to be confirmed."""

import math
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from raftimpl.running.refusals import timed_out, too_many_requests
from raftimpl.running.timing import Limits, Timing
from raftimpl.store.errors import RequestError
from raftimpl.store.machine import Applied, Batch, encode_batch
from raftimpl.store.requests import Response, Write

ENCODER = msgspec.msgpack.Encoder()


class Waiting(NamedTuple):
    """A client that waits until `deadline`, by the loop's clock, for what is set in `future`."""

    future: Future[Any]
    deadline: float
    request: msgspec.Raw


class Writes:
    """Writes that this server's clients have asked for, gathered into batches: one log entry for many of them.

    At most one batch is under way. So it can be proposed again whenever it may have been lost, with the same number:
    the state machine applies it once, and none overtakes another.
    """

    def __init__(self, loop: AbstractEventLoop, origin: int, incarnation: int, limits: Limits, timeout: float) -> None:
        self._loop, self._limits, self._timeout = loop, limits, timeout
        self._origin, self._incarnation, self._sequence = origin, incarnation, 0
        self._gathered: deque[Waiting] = deque()
        self._gathered_bytes = 0
        self._under_way: tuple[Waiting, ...] = ()
        self.command: bytes | None = None
        """The batch that is under way."""

    def add(self, request: Write) -> Future[Response]:
        """Take a write. Raises RequestError if too many wait already."""
        is_full = len(self._gathered) >= self._limits.waiting_requests
        if is_full or self._gathered_bytes >= self._limits.waiting_bytes:
            raise too_many_requests()
        future: Future[Response] = self._loop.create_future()
        encoded = msgspec.Raw(ENCODER.encode(request))
        self._gathered.append(Waiting(future, self._loop.time() + self._timeout, encoded))
        self._gathered_bytes += len(encoded)
        return future

    def _pop(self) -> Waiting:
        """Take the client that has waited longest."""
        waiting = self._gathered.popleft()
        self._gathered_bytes -= len(waiting.request)
        return waiting

    def next_batch(self) -> bytes | None:
        """Return the command to propose now; None if one is under way, or nobody waits."""
        if self.command is not None:
            return None
        self._under_way = tuple(self._take())
        if not self._under_way:
            return None
        self._sequence += 1
        requests: Any = tuple(waiting.request for waiting in self._under_way)
        self.command = encode_batch(Batch(self._origin, self._incarnation, self._sequence, requests))
        return self.command

    def _take(self) -> Iterator[Waiting]:
        """Take the next clients that still wait, as many as may be in a batch."""
        count, size = 0, 0
        while self._gathered and count < self._limits.batch_requests and size < self._limits.batch_bytes:
            waiting = self._pop()
            if not waiting.future.done():
                count, size = count + 1, size + len(waiting.request)
                yield waiting

    def applied(self, applied: Applied) -> None:
        """Give the clients their answers, if it is their batch that was applied."""
        is_ours = (applied.origin, applied.incarnation) == (self._origin, self._incarnation)
        if not is_ours or self.command is None or applied.sequence != self._sequence or applied.is_repeated:
            return
        for waiting, answer in zip(self._under_way, applied.answers, strict=True):
            if not waiting.future.done():
                set_answer(waiting.future, answer)
        self.command, self._under_way = None, ()

    def restored(self, latest: tuple[int, int]) -> None:
        """Note that a snapshot has brought the effects of this server's batches up to one: its answers are not known.

        `latest` is that batch's incarnation and sequence number.
        """
        if self.command is not None and latest >= (self._incarnation, self._sequence):
            refuse((waiting.future for waiting in self._under_way), timed_out())
            self.command, self._under_way = None, ()

    def expire(self) -> None:
        """Refuse those whose time is over."""
        now = self._loop.time()
        while self._gathered and self._gathered[0].deadline <= now:
            refuse([self._pop().future], timed_out())
        refuse((waiting.future for waiting in self._under_way if waiting.deadline <= now), timed_out())

    def refuse_all(self, error: RequestError) -> None:
        """Refuse everyone who waits."""
        refuse((waiting.future for waiting in (*self._gathered, *self._under_way)), error)
        self._gathered.clear()
        self._gathered_bytes = 0

    def __len__(self) -> int:
        return len(self._gathered) + len(self._under_way)


class Reader(NamedTuple):
    """A client whose read waits until `deadline`; `question` is the first that was asked after it came."""

    future: Future[None]
    deadline: float
    question: int


class Reads:
    """Linearizable reads of this server's clients. One question to the leader serves all who came before it.

    The answer to any question that was asked after a client came is good for that client. So a question that is late
    is asked once more, and both count. `first_id` is the number of the first question; no number may ever come again
    (see `raftimpl.step.ReadRequest`).
    """

    def __init__(self, loop: AbstractEventLoop, first_id: int, timing: Timing, limits: Limits) -> None:
        self._loop, self._timing, self._limits = loop, timing, limits
        self._next_id = first_id
        self._waiting: list[Reader] = []
        self._asked_at = -math.inf

    def add(self) -> Future[None]:
        """Take a read; its future is done when the server may answer it. Raises RequestError if too many wait."""
        if len(self._waiting) >= self._limits.waiting_requests:
            raise too_many_requests()
        future: Future[None] = self._loop.create_future()
        self._waiting.append(Reader(future, self._loop.time() + self._timing.request_timeout, self._next_id))
        return future

    def next_question(self) -> int | None:
        """Return the number of a question to ask now; None if nobody waits, or one is under way and not late."""
        now = self._loop.time()
        is_late = now - self._asked_at > 2 * self._timing.heartbeat_interval
        is_under_way = any(reader.question < self._next_id for reader in self._waiting)
        if not self._waiting or (is_under_way and not is_late):
            return None
        self._asked_at, self._next_id = now, self._next_id + 1
        return self._next_id - 1

    def ready(self, question: int) -> None:
        """Let those go on who came before a question was asked that is answered now."""
        for reader in self._waiting:
            if reader.question <= question and not reader.future.done():
                reader.future.set_result(None)
        self._waiting = [reader for reader in self._waiting if not reader.future.done()]

    def ask_again(self) -> None:
        """Note that the last question may not have reached a leader."""
        self._asked_at = -math.inf

    def expire(self) -> None:
        """Refuse those whose time is over."""
        now = self._loop.time()
        refuse((reader.future for reader in self._waiting if reader.deadline <= now), timed_out())
        self._waiting = [reader for reader in self._waiting if not reader.future.done()]

    def refuse_all(self, error: RequestError) -> None:
        """Refuse everyone who waits."""
        refuse((reader.future for reader in self._waiting), error)
        self._waiting.clear()


def set_answer(future: Future[Any], answer: Response | RequestError) -> None:
    """Set a response, or raise a refusal, in a future."""
    if isinstance(answer, RequestError):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def refuse(futures: Iterable[Future[Any]], error: RequestError) -> None:
    """Raise a refusal in all futures that are not done."""
    for future in futures:
        if not future.done():
            future.set_exception(error)
