"""The store behind the log: batches of writes, each applied once, in the log's order.

A server gathers its clients' writes to batches and numbers them. What a network or an impatient server has repeated is
recognised by its number and changes nothing (thesis, section 6.3).
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from raftimpl.errors import InvariantViolationError, MalformedInputError
from raftimpl.store.errors import RequestError
from raftimpl.store.frames import frame, records
from raftimpl.store.freezing import Base, Changes, End, Frozen, Header, Record, thaw_records
from raftimpl.store.requests import Message, Response, Write
from raftimpl.store.store import Store

ENCODER = msgspec.msgpack.Encoder()


class Batch(Message, frozen=True):
    """What one entry of the log holds: writes that a server has gathered.

    `origin` is the server, `incarnation` grows with each of its starts, `sequence` numbers the batches of one
    incarnation 1, 2, ...
    """

    origin: int
    incarnation: int
    sequence: int
    requests: tuple[Write, ...]


BATCH_DECODER: msgspec.msgpack.Decoder[Batch] = msgspec.msgpack.Decoder(Batch)


def encode_batch(batch: Batch) -> bytes:
    """Return a batch as bytes."""
    return ENCODER.encode(batch)


def decode_batch(encoded: bytes) -> Batch:
    """Return the batch. Raises MalformedInputError, saying what is wrong, for bytes that are none."""
    try:
        return BATCH_DECODER.decode(encoded)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedInputError(f"not a batch: {error}") from error


class Applied(NamedTuple):
    """What became of a batch: for each request, in order, its answer or its refusal. A repeated one has none."""

    origin: int
    incarnation: int
    sequence: int
    answers: tuple[Response | RequestError, ...]
    is_repeated: bool


class Sessions(Record, frozen=True):
    """What stands before a frozen store: the last index applied, and (origin, incarnation, sequence) of each server."""

    applied_index: int
    sessions: tuple[tuple[int, int, int], ...]


DECODER = msgspec.msgpack.Decoder(Sessions | Header | Base | Changes | End)


class Machine:
    """The replicated state machine: the store, and which batch of each server was the last.

    All servers that have applied the same log have equal machines.
    """

    def __init__(self) -> None:
        self.store = Store()
        self.sessions: dict[int, tuple[int, int]] = {}
        self.applied_index = 0

    def apply(self, index: int, command: bytes | None) -> Applied | None:
        """Apply the log's entry at an index, the one after `applied_index`; None for a no-op, and its bytes otherwise.

        Returns None for a no-op and for bytes that are no batch, which all servers alike pass over. Raises
        InvariantViolationError for any other index: applying an entry twice, or leaving one out, would make this
        server's store differ from the others'.
        """
        if index != self.applied_index + 1:
            raise InvariantViolationError(f"entry {index} is to be applied after entry {self.applied_index}")
        self.applied_index = index
        if command is None:
            return None
        try:
            batch = decode_batch(command)
        except MalformedInputError:
            return None
        return self._apply_once(batch)

    def _apply_once(self, batch: Batch) -> Applied:
        number = batch.incarnation, batch.sequence
        is_repeated = batch.origin in self.sessions and number <= self.sessions[batch.origin]
        answers: tuple[Response | RequestError, ...] = ()
        if not is_repeated:
            self.sessions[batch.origin] = number
            answers = tuple(map(self._answer, batch.requests))
        return Applied(batch.origin, *number, answers, is_repeated)

    def _answer(self, request: Write) -> Response | RequestError:
        try:
            return self.store.apply(request)
        except RequestError as error:
            return error.with_traceback(None)  # whose frames would hold what they refer to

    def freeze(self) -> "FrozenMachine":
        """Return the machine as it is now, to be encoded while it goes on changing. Takes some 0.1 us a key."""
        sessions = tuple((origin, *number) for origin, number in self.sessions.items())
        return FrozenMachine(Sessions(self.applied_index, sessions), self.store.freeze())


class FrozenMachine(NamedTuple):
    """A machine as it was."""

    sessions: Sessions
    store: Frozen

    def chunks(self) -> Iterator[bytes]:
        """Return the machine as bytes, in pieces of bounded size. Equal machines have equal bytes."""
        yield frame(self.sessions)
        yield from self.store.chunks()


def thaw(chunks: Iterable[bytes]) -> Machine:
    """Return the machine that was frozen, from its bytes in pieces of any size.

    Raises MalformedInputError for bytes that are none.
    """
    stream = records(chunks, DECODER)
    first = next(stream, None)
    if not isinstance(first, Sessions):
        raise MalformedInputError("not a state machine: it does not begin as one")
    machine = Machine()
    machine.store = Store(thaw_records(stream))
    machine.applied_index = first.applied_index
    machine.sessions = {origin: (incarnation, sequence) for origin, incarnation, sequence in first.sessions}
    return machine
