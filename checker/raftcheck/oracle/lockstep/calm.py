"""The end of a run: nothing goes wrong any more, and the servers should find together again.

That is no question of safety, and a finite run proves nothing of liveness: a peer that does not recover is not
rejected. But a follower that is left behind for ever, or a cluster that elects nobody, is worth knowing of.
"""

from raftcheck.oracle.lockstep.events import Event, Kind
from raftcheck.oracle.lockstep.mail import delivery
from raftcheck.oracle.lockstep.run import Run

ROUNDS = 40
"""So often every message that waits is delivered, and then the leader is asked for heartbeats; and once more for each
entry of the longest log, for a leader may go back one by one to where a log departs from its own."""

MESSAGES_OF_A_ROUND = 60
"""For each server: with more, the messages would never end."""

NEEDED = ("timeout", "heartbeat", "propose", "restart")


class Calm:
    """Lets a run find its calm. `requests` counts what was asked for that."""

    def __init__(self, run: Run, number: int) -> None:
        self._run, self._number = run, number
        self.requests = 0

    def recovers(self) -> bool | None:
        """Tell whether the servers elect a leader and all learn that a new entry is committed.

        None if that cannot be told: a request was not supported, or a step was rejected.
        """
        run, goal, leader = self._run, 0, ""
        longest = max((state.last for state in run.states.values()), default=0)
        for number in range(ROUNDS + longest):
            for server in sorted(run.down):
                self._take("restart", server)
            self._deliver_all()
            if run.broken is not None or any(do in run.unsupported for do in NEEDED):
                return None
            if goal and all(run.states[server].commit >= goal for server in run.servers):
                return True
            latest = max(state.term for state in run.states.values())
            leaders = [server for server in run.leaders if run.states[server].term == latest]
            if not leaders:
                self._take("timeout", run.servers[number % len(run.servers)])
            elif not goal or leaders[0] != leader:  # whoever leads an older term may never hear of it
                leader, last = leaders[0], run.states[leaders[0]].last
                self._take("propose", leader)
                goal = last + 1 if run.states[leader].last > last else 0
            for server in leaders:
                self._take("heartbeat", server)
        return False

    def _deliver_all(self) -> None:
        """Deliver what waits, in the order of sending."""
        waiting = self._run.mail.waiting
        for _ in range(MESSAGES_OF_A_ROUND * len(self._run.servers)):
            if not waiting or self._run.broken is not None:
                return
            self._happen(delivery(self._number + 1, waiting[0]))

    def _take(self, do: Kind, server: str) -> None:
        self._happen(Event(self._number + 1, do, server))

    def _happen(self, event: Event) -> None:
        self._number += 1
        self.requests += 1
        if self._run.broken is None:
            self._run.take(event)
