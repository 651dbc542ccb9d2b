"""When a node has had enough of waiting: election timeouts, heartbeats, and a leader that hears of no quorum."""

import math
from asyncio import AbstractEventLoop, TimerHandle
from collections.abc import Callable
from random import Random

from raftimpl.cluster import Cluster
from raftimpl.messages import AppendEntriesResponse
from raftimpl.running.timing import Timing
from raftimpl.state import Role, ServerState
from raftimpl.step import ElectionTimeout, HeartbeatTimeout, Input, QuorumTimeout, Receive

PATIENCE_WITH_THE_LOST = 0.3, 1.0
"""Of an election timeout, how much is left when the leader's connection has ended: it has most likely died.

Timeouts may be anything (section 5.6): short ones cost elections at worst. The leader connects again at once if it can.
"""


class Timers:
    """The timers of one node. What has run out is given to the core as an input."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        timing: Timing,
        cluster: Cluster,
        server: int,
        random: Random,
        give: Callable[[Input], None],
    ) -> None:
        self._loop, self._timing, self._cluster, self._random, self._give = loop, timing, cluster, random, give
        self._peers = cluster.peers(server)
        self._handle: TimerHandle | None = None
        self._election_due = 0.0
        self._beat_due = math.inf
        self._leads = False
        self._heard: dict[int, float] = {}
        self._tick: Callable[[], None] = lambda: None
        self._fail: Callable[[Exception], None] = lambda _: None

    def start(self, tick: Callable[[], None], fail: Callable[[Exception], None]) -> None:
        """Begin; `tick` is called about once a heartbeat, `fail` with what is raised: then nothing runs out again."""
        self._tick, self._fail = tick, fail
        self.reset_election()
        self._beat()

    def stop(self) -> None:
        """Let nothing run out any more."""
        if self._handle:
            self._handle.cancel()

    def reset_election(self) -> None:
        """Begin a new, randomly chosen election timeout (section 5.2)."""
        self._election_due = self._loop.time() + self._timing.election_timeout * (1 + self._random.random())

    def heard_from(self, sender: int, state: ServerState) -> None:
        """Note a sign of life of another server."""
        self._heard[sender] = self._loop.time()
        if state.leader_id in (None, sender):
            self.reset_election()

    def lost(self, sender: int, state: ServerState) -> None:
        """Note that the way from a server has ended. A leader that lives is back within a few heartbeats."""
        if state.leader_id == sender:
            patience = self._timing.election_timeout * self._random.uniform(*PATIENCE_WITH_THE_LOST)
            self._election_due = min(self._election_due, self._loop.time() + patience)

    def took(self, input: Input, state: ServerState) -> None:
        """Note what the core was given, and what it is now."""
        leads = state.role is Role.LEADER
        if leads and not self._leads:
            self._heard = dict.fromkeys(self._peers, self._loop.time())
        if self._leads and not leads:
            self.reset_election()
        self._leads = leads
        if isinstance(input, Receive) and isinstance(input.message, AppendEntriesResponse):
            self._heard[input.sender] = self._loop.time()

    def _beat_or_fail(self) -> None:
        """Beat; let the node know if that fails. The event loop would only log it, and no timer would be set again."""
        try:
            self._beat()
        except Exception as error:
            self._fail(error)

    def _beat(self) -> None:
        """See what has run out, and come again when the next may."""
        now = self._loop.time()
        if now - self._beat_due > self._timing.election_timeout / 2:
            self._excuse(now)
        if self._leads:
            self._give(HeartbeatTimeout())
            if not self._hears_quorum(now):
                self._give(QuorumTimeout())
        elif now >= self._election_due:
            self.reset_election()
            self._give(ElectionTimeout())
        self._tick()
        wait = self._timing.heartbeat_interval
        if not self._leads:
            wait = max(0.001, min(wait, self._election_due - now))
        self._beat_due = now + wait
        self._handle = self._loop.call_later(wait, self._beat_or_fail)

    def _excuse(self, now: float) -> None:
        """Let nobody be late: this server was held up itself, and what others have said is still to be read."""
        self.reset_election()
        self._heard = dict.fromkeys(self._peers, now)

    def _hears_quorum(self, now: float) -> bool:
        """Tell whether a quorum has answered within an election timeout (thesis 6.2)."""
        since = now - self._timing.election_timeout
        answering = 1 + sum(self._heard.get(peer, 0.0) >= since for peer in self._peers)
        return answering >= self._cluster.rules.commit_quorum(self._cluster.servers)
