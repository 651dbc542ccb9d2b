"""A running server: whatever happens to it goes to the core, and what the core says is carried out, in its order.

Everything happens on one event loop. What has come in since the last time is taken to the core, one input after the
other; then all that this has to make durable is written with one sync; only then is the rest carried out: messages,
entries to apply, answers. So an output never begins before the Persist outputs that come before it are durable, and
many clients share a sync (group commit).

A node that meets a broken invariant or a disk that fails stops: it raises from `run`, and answers nobody any more.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import islice
from random import Random
from typing import Any, Protocol

from raftimpl.cluster import Cluster
from raftimpl.errors import MalformedInputError
from raftimpl.invariants import require_invariants
from raftimpl.messages import ForwardedRequest, Message
from raftimpl.raft import step as raft_step
from raftimpl.running.counting import Counters
from raftimpl.running.lessor import Lessor
from raftimpl.running.ports import Disk, DiskError, Transport
from raftimpl.running.refusals import not_leader, stopped, transfer_timed_out
from raftimpl.running.saving import Saving
from raftimpl.running.timers import Timers
from raftimpl.running.timing import LIMITS, TIMING, Limits, Timing
from raftimpl.running.waiting import Reads, Writes
from raftimpl.state import Role, ServerState
from raftimpl.step import (
    Apply,
    ClientRequest,
    Input,
    Output,
    Persist,
    ReadReady,
    ReadRequest,
    Receive,
    RefuseNoLeader,
    ResetElectionTimer,
    Restore,
    Send,
    Step,
    TransferLeadership,
)
from raftimpl.store.errors import RequestError
from raftimpl.store.machine import Machine, thaw
from raftimpl.store.requests import LeaseExpire, Response, Write


class Witness(Protocol):
    """Somebody who writes down what a node does, before anybody else can know of it."""

    def started(self, state: ServerState, records: int) -> int:
        """Note a start from so many records on disk; return the logical clock to go on with."""

    def stepped(self, clock: int, before: ServerState, input: Input, step: Step, records: int) -> None:
        """Note a step at a logical time, after which the disk will have so many records."""

    def flush(self) -> None:
        """Let what was noted survive the process."""


class Node:
    """One server of a cluster. `run` serves until `stop`; the coroutines are for its clients.

    `loop` is the running one, or what looks like it and has another clock.
    """

    require = staticmethod(require_invariants)
    """What is required of every step. Whoever wants to know what others find out leaves it out."""

    def __init__(
        self,
        cluster: Cluster,
        server: int,
        disk: Disk,
        transport: Transport,
        timing: Timing = TIMING,
        limits: Limits = LIMITS,
        random: Random | None = None,
        witness: Witness | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        loop = loop or asyncio.get_running_loop()
        self.cluster, self.disk, self.transport = cluster, disk, transport
        self.state = cluster.start(server, disk.durable)
        self.machine = machine_on(disk)
        self.lessor = Lessor(loop.time)
        self.counters = Counters()
        self.timing, self.limits = timing, limits
        self._loop, self._witness, self._clock = loop, witness, 0
        self._inbox: deque[tuple[Input, int]] = deque()
        self._news = asyncio.Event()
        self._stopping = False
        self._failure: Exception | None = None
        self._outputs: list[Output] = []
        self._writes = Writes(loop, server, disk.incarnation, limits, timing.request_timeout)
        self._reads = Reads(loop, first_read_id(server, disk.incarnation), timing, limits)
        self._timers = Timers(loop, timing, cluster, server, random or Random(), self.give)
        self._saving = Saving(disk, limits, self.machine, self.state.log.snapshot)
        self._watchers: list[asyncio.Future[None]] = []
        self._transferring = False
        self._held_back: list[tuple[Input, int]] = []
        self._proposed_at = 0.0
        self._lease_tasks: set[asyncio.Task[None]] = set()

    # For clients

    async def write(self, request: Write) -> Response:
        """Carry out a write by way of the log; return its answer when this server has applied it.

        Raises RequestError for what the store refuses, and when no answer comes in time: then it may still take effect.
        """
        future = self._writes.add(request)
        self._news.set()
        try:
            return await future
        except RequestError:
            self.counters.proposals_failed += 1
            raise

    async def confirm_read(self) -> None:
        """Return when all is applied here that was acknowledged anywhere before the call (ReadIndex, thesis 6.4).

        Raises RequestError when too many reads wait, and when no answer comes in time.
        """
        future = self._reads.add()
        self._news.set()
        await future

    async def move_leader(self, target: int) -> None:
        """Hand leadership over; return when another server leads (thesis 3.10).

        Clients' writes wait meanwhile, those that others forward as well: the next leader needs all of the log first.
        """
        if self.state.role is not Role.LEADER:
            raise not_leader()
        if target == self.state.id:
            return
        self._transferring = True
        try:
            async with asyncio.timeout(self.timing.election_timeout * 2):
                while self.state.role is Role.LEADER or self.state.leader_id is None:
                    self.give(TransferLeadership(target))
                    await asyncio.sleep(self.timing.heartbeat_interval)
        except TimeoutError:
            raise transfer_timed_out() from None
        finally:
            self._transferring = False
            self._inbox.extend(self._held_back)
            self._held_back.clear()
            self._news.set()

    async def changed(self) -> None:
        """Return when something was applied, or another server leads."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._watchers.append(future)
        await future

    @property
    def pending(self) -> int:
        """How many writes of this server's clients wait."""
        return len(self._writes)

    # For what drives the node

    def give(self, input: Input, clock: int = 0) -> None:
        """Take an input, to be handled soon. `clock` is the sender's logical time, of a message."""
        self._inbox.append((input, clock))
        self._news.set()

    @property
    def has_room(self) -> bool:
        """Whether what came in is handled about as fast as it comes."""
        return len(self._inbox) < self.limits.inputs

    def receive(self, sender: int, message: Message, clock: int = 0) -> None:
        """Take a message from another server."""
        self.give(Receive(sender, message), clock)

    def heard_from(self, sender: int) -> None:
        """Note that a server is at work on something long, like sending a snapshot: it is no time for an election."""
        self._timers.heard_from(sender, self.state)

    def remaining_ttl(self, lease: int) -> float | None:
        """Return the seconds that a lease still lasts, if this is the leader: only its clock counts."""
        return self.lessor.remaining(lease) if self.state.role is Role.LEADER else None

    def lost(self, sender: int) -> None:
        """Note that the way from a server has ended: if it is the leader, there is less to wait for."""
        self._timers.lost(sender, self.state)

    def distrusted(self, by: Mapping[int, str]) -> None:
        """Let `run` raise DiskError if too few servers for a quorum still count on this one.

        A single server may itself be the one whose disk is not what it was: then the others go on without it.
        """
        if self.cluster.servers - len(by) < self.cluster.rules.commit_quorum(self.cluster.servers):
            self.fail(DiskError(f"the other servers do not trust this one's disk: {next(iter(by.values()))}"))

    def fail(self, error: Exception) -> None:
        """Let `run` raise an error."""
        self._failure = error
        self.stop()

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        """Serve until `stop`. Raises DiskError or InvariantViolationError when the server must not go on.

        Whatever else is raised on the way, also by a timer, ends it as well: half a server would be worse than none.
        """
        if self._witness:
            self._clock = self._witness.started(self.state, self.disk.records)
        self.transport.start(self)
        self._timers.start(self.tick, self.fail)
        try:
            while not self._stopping:
                await self._news.wait()
                await asyncio.sleep(0)  # whoever else has something to say now is in the same turn
                self._news.clear()
                await self._turn()
            if self._failure is not None:
                raise self._failure
        finally:
            self._timers.stop()
            await self._saving.finish()
            for waiting in (self._writes, self._reads):
                waiting.refuse_all(stopped())
            self._notify()

    async def _turn(self) -> None:
        """Take what has come in to the core; make durable what must be; carry out the rest."""
        before = self.state
        records = self.disk.records
        for _ in range(min(len(self._inbox), self.limits.inputs)):
            self._take_or_hold_back(*self._inbox.popleft())
        self._take_from_clients()
        if self._inbox:
            self._news.set()
        if self._witness:
            self._witness.flush()
        if self.disk.records != records:
            began = self._loop.time()
            await self.disk.sync()
            self.counters.syncs.add(self._loop.time() - began)
        self._carry_out()
        if (before.leader_id, before.current_term) != (self.state.leader_id, self.state.current_term):
            self._leader_changed(before)
        self._saving.after_turn(self.state, self.give)

    def _take_or_hold_back(self, input: Input, clock: int) -> None:
        """Take one input to the core, unless it has to wait until leadership is handed over."""
        is_write = isinstance(input, Receive) and isinstance(input.message, ForwardedRequest)
        if self._transferring and is_write:
            self._held_back.append((input, clock))
        else:
            self._take(input, clock)

    def _take(self, input: Input, clock: int = 0) -> None:
        """Take one step of the core."""
        before = self.state
        try:
            step = raft_step(self.cluster, before, input)
        except MalformedInputError:
            self.counters.malformed_messages += 1
            return
        self.require(before, step)
        self.state = step.state
        for output in step.outputs:
            if isinstance(output, Persist):
                self.disk.append(output)
            else:
                self._outputs.append(output)
        if self._witness:
            self._clock = max(self._clock, clock) + 1
            self._witness.stepped(self._clock, before, input, step, self.disk.records)
        self._timers.took(input, self.state)
        if (before.role is Role.LEADER) != (step.state.role is Role.LEADER):
            self._begin_or_end_office()

    def _begin_or_end_office(self) -> None:
        """Note that this server leads now, or does not any more."""
        if self.state.role is Role.LEADER:
            self.lessor.begin_office(self.machine.store)
        else:
            self.lessor.end_office()

    def _take_from_clients(self) -> None:
        """Propose the next batch of writes and ask for the next reads, if it is known whom."""
        if self.state.leader_id is None or self._transferring:
            return
        command = self._writes.next_batch()
        if command is not None:
            self._propose(command)
        question = self._reads.next_question()
        if question is not None:
            self._take(ReadRequest(question))

    def _propose(self, command: bytes) -> None:
        self._proposed_at = self._loop.time()
        self._take(ClientRequest(command))

    # Outputs

    def _carry_out(self) -> None:
        """Carry out what does not concern the disk."""
        outputs, self._outputs = self._outputs, []
        applied = self.machine.applied_index
        for output in outputs:
            CARRY_OUT[type(output)](self, output)
        if self.machine.applied_index != applied:
            self._news.set()  # the next batch may go
            self._notify()

    def _send(self, output: Send) -> None:
        self.transport.send(output.to, output.message, self._clock)

    def _reset_election_timer(self) -> None:
        self._timers.reset_election()

    def _restore(self, output: Restore) -> None:
        """Become what a snapshot holds."""
        self.machine = thaw(self.disk.read_snapshot(output.snapshot.content))
        self._saving.restored(self.machine, output.snapshot)
        self._writes.restored(self.machine.sessions.get(self.state.id, (0, 0)))

    def _apply(self, output: Apply) -> None:
        """Apply a committed entry, and answer the clients who wait here."""
        applied = self.machine.apply(output.index, output.entry.command)
        self._saving.applied(output.entry)
        if applied is None or applied.is_repeated:
            return
        if self.state.role is Role.LEADER:
            for answer in applied.answers:
                self.lessor.applied(answer)
        self._writes.applied(applied)

    def _read_ready(self, output: ReadReady) -> None:
        self._reads.ready(output.request_id)
        self._news.set()  # the next question may go

    def _refused(self) -> None:
        self._reads.ask_again()

    def _notify(self) -> None:
        watchers, self._watchers = self._watchers, []
        for future in watchers:
            if not future.done():
                future.set_result(None)

    # Time

    def tick(self) -> None:
        """Do what is due from time to time, about once a heartbeat."""
        self._writes.expire()
        self._reads.expire()
        is_late = self._loop.time() - self._proposed_at > self.timing.election_timeout
        if is_late and self.state.role is not Role.LEADER:
            self._propose_again()
        if self.state.role is Role.LEADER and not self._transferring:
            for request in islice(self.lessor.expired(), self.limits.expired_leases):
                self._expire_later(request)
        self._news.set()

    def _propose_again(self) -> None:
        """Propose the batch under way once more: it may have been lost, and is applied only once."""
        if self._writes.command is not None and self.state.leader_id is not None:
            self._proposed_at = self._loop.time()
            self.give(ClientRequest(self._writes.command))

    def _leader_changed(self, before: ServerState) -> None:
        if self.state.leader_id is not None and self.state.leader_id != before.leader_id:
            self.counters.leader_changes += 1
        self._propose_again()
        self._reads.ask_again()
        self._notify()

    def _expire_later(self, request: LeaseExpire) -> None:
        task = self._loop.create_task(self._expire(request))
        self._lease_tasks.add(task)
        task.add_done_callback(self._lease_tasks.discard)

    async def _expire(self, request: LeaseExpire) -> None:
        """End a lease whose time is over, through the log, unless it was renewed before that is applied."""
        with suppress(RequestError):
            await self.write(request)
        self.lessor.asked(request)


CARRY_OUT: dict[type, Callable[[Node, Any], None]] = {
    Send: lambda node, output: node._send(output),
    ResetElectionTimer: lambda node, _: node._reset_election_timer(),
    Restore: lambda node, output: node._restore(output),
    Apply: lambda node, output: node._apply(output),
    ReadReady: lambda node, output: node._read_ready(output),
    RefuseNoLeader: lambda node, _: node._refused(),
}


def machine_on(disk: Disk) -> Machine:
    """Return the state machine as of the snapshot on a disk; an empty one if there is none."""
    snapshot = disk.durable.log.snapshot
    return thaw(disk.read_snapshot(snapshot.content)) if snapshot.last_included_index else Machine()


def first_read_id(server: int, incarnation: int) -> int:
    """Return the first number for reads of a server's life: no other server and no other life has the same ones."""
    return (server << 59) | (incarnation << 35)
