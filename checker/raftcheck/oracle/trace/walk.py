"""One server as it takes actions: what it has come to, what it has said, and which promises that keeps."""

from typing import Any

from raftcheck.oracle.trace.actions import Actions, Append, Fact
from raftcheck.oracle.trace.log import Entry
from raftcheck.oracle.trace.server import Members, Server

NO_FACTS: frozenset[Fact] = frozenset()


CHANGED_BY: dict[str, tuple[str, ...]] = {
    "Timeout": ("term", "vote", "role"),
    "UpdateTerm": ("term", "vote", "role"),
    "HandleRequestVote": ("vote",),
    "BecomeLeader": ("role",),
    "StepDown": ("role",),
    "StepAside": ("role",),
    "ClientRequest": ("last index", "log"),
    "ChangeConfiguration": ("last index", "log"),
    "HandleAppendEntries": ("last index", "log", "commit index"),
    "AdvanceCommitIndex": ("commit index",),
    "ApplyConfiguration": ("configuration",),
    "Restart": ("term", "vote", "role", "last index", "log", "commit index", "configuration"),
}
"""What actions change, in the words of reports."""

RULE_OF: dict[str, str] = {
    "term": "UpdateTerm",
    "vote": "HandleRequestVote",
    "role": "BecomeLeader",
    "last index": "HandleAppendEntries",
    "log": "HandleAppendEntries",
    "commit index": "AdvanceCommitIndex",
    "configuration": "ApplyConfiguration",
}
"""The action that would have to be the reason for a change that comes from none."""


class Walk:
    """Server n, as the actions of one step change it. Methods raise Refused if an action is not possible."""

    def __init__(self, actions: Actions, n: str, server: Server) -> None:
        self.n, self.now = n, server
        self.said: set[Fact] = set()
        self.taken: list[str] = []
        self._actions = actions

    def take(
        self, name: str, heard: frozenset[Fact] = NO_FACTS, append: Append | None = None, **arguments: Any
    ) -> list[Fact]:
        """Take an action of this server; return what it says by it."""
        self.now, said = self._actions.take(name, self.n, self.now, heard=heard, append=append, **arguments)
        self.said.update(said)
        for fact, at in said:
            if fact == "acknowledgement" and at[0] == self.n:
                self.now = self.now.acknowledging(*at[1:])  # type: ignore[arg-type]
        self.taken.append(name)
        return said

    def changer_of(self, what: str) -> str:
        """Return the action that has changed something last; if none has, the one that would have to."""
        return next((name for name in reversed(self.taken) if what in CHANGED_BY.get(name, ())), RULE_OF[what])

    # Elections

    def time_out(self) -> None:
        """Start an election."""
        self.take("Timeout")

    def update_term(self, term: int) -> None:
        """See a newer term."""
        self.take("UpdateTerm", t=term)

    def count_vote(self, voter: str, term: int) -> None:
        """Count a vote if it counts: who knows of more votes can do more, so that nothing legal is excluded."""
        if self.now.candidate and term == self.now.current_term:
            vote = frozenset([("vote", (voter, term, self.n))])
            self.take("HandleVote", heard=vote, v=voter, t=term)

    def become_leader(self) -> None:
        """Become the leader with all the votes that there are."""
        self.take("BecomeLeader", q=self.now.votes_granted)

    # Log replication

    def append_entry(self, entry: Entry) -> None:
        """Append an entry as the leader."""
        self.take("ClientRequest" if entry.change is None else "ChangeConfiguration", e=entry)

    def hear(self, append: Append) -> None:
        """As a candidate, follow the leader of the term."""
        if self.now.candidate:
            self.take("StepDown", append=append)

    def handle(self, append: Append) -> None:
        """Append what the log lacks, and learn what is committed."""
        self.take("HandleAppendEntries", append=append, k=self.now.log.first_difference(append.entries))

    def count_acknowledgement(self, follower: str, term: int, index: int) -> None:
        """Take note of an acknowledgement if it tells something: who knows more can do more."""
        now = self.now
        if now.leader and term == now.current_term and index > dict(now.match_index).get(follower, 0):
            said = frozenset([("acknowledgement", (follower, term, index))])
            self.take("HandleAcknowledgement", heard=said, p=follower, i=index, u=term)

    def acknowledged_in(self, term: int) -> int:
        """Return up to which index the server has acknowledged entries to the leader of a term, as far as is known."""
        latest, index = self.now.acknowledged
        return index if latest == term else 0

    def count_own(self) -> None:
        """As the leader, count what is on its own disk: all of its log."""
        now = self.now
        if now.leader and self.n not in now.matching(now.log.last):
            self.take("AcknowledgeOwn", i=now.log.last)
            self.count_acknowledgement(self.n, now.current_term, now.log.last)

    def commit(self, index: int) -> None:
        """Advance the commit index as the leader, by all the servers that are known to have the entry."""
        self.take("AdvanceCommitIndex", i=index, q=self.now.matching(index))

    def send(self, append: Append) -> None:
        """Send AppendEntries, as it is in the trace."""
        entries = append.entries
        self.take("AppendEntries", append=append, prev=entries.start, last=entries.last, commit=append.commit)

    # Membership

    def next_change(self) -> int:
        """Return the index of the first change of the configuration that is not in force; 0 if there is none."""
        index = self.now.configuration_index
        return next((at for at, _ in self.now.log.changes if at > index), 0)

    def apply_change(self, index: int, members: Members) -> None:
        """Put a change of the configuration in force."""
        self.take("ApplyConfiguration", i=index, g=members)
