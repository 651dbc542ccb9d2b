"""What the oracle knows of a server: the specification's variables, by the same names."""

from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from raftcheck.oracle.trace.log import Log
from raftcheck.oracle.trace.messages import Configuration
from raftspec.quorum import majority


class Members(NamedTuple):
    """A configuration: who votes; in joint consensus also who did before. Learners get entries and do not vote."""

    voters: frozenset[str] = frozenset()
    outgoing: frozenset[str] = frozenset()
    learners: frozenset[str] = frozenset()

    def is_voter(self, server: str) -> bool:
        """Tell whether a server has a vote."""
        return server in self.voters or server in self.outgoing

    def is_quorum(self, servers: frozenset[str]) -> bool:
        """Tell whether some servers are a quorum: of the voters, and of those that were."""
        return all(
            len(voters & servers) >= majority(len(voters)) for voters in (self.voters, self.outgoing) if voters
        ) and bool(self.voters)

    def may_lead_to(self, other: "Members") -> bool:
        """Tell whether a change is a legal one: a voter more or less, into joint consensus, or out of it.

        A server that has joined, and knows no members yet, takes them from the log as they are: the leader knew them.
        """
        if not self.voters:
            return bool(other.voters)
        if self.outgoing:
            return other.voters == self.voters and not other.outgoing
        if other.outgoing:
            return other.outgoing == self.voters and bool(other.voters)
        return len(self.voters ^ other.voters) <= 1 and bool(other.voters)

    def __str__(self) -> str:
        outgoing = f" and {in_braces(self.outgoing)}" if self.outgoing else ""
        learners = f", learners {in_braces(self.learners)}" if self.learners else ""
        return in_braces(self.voters) + outgoing + learners


def in_braces(servers: frozenset[str]) -> str:
    """Return a set of servers as text."""
    return "{" + ", ".join(sorted(servers)) + "}"


def members_of(configuration: Configuration | None) -> Members | None:
    """Return a configuration as it stands in a trace."""
    if configuration is None:
        return None
    return Members(configuration.voters, configuration.outgoing, configuration.learners)


class Server(msgspec.Struct, frozen=True):
    """The state of a server. Immutable; each field is a variable of the specification.

    `match_index` and `votes_granted` are what the server may know at most: an implementation that knows less can only
    do less. `had` are the configurations that were in force for it, by the index of the last change applied.
    `acknowledged` is the latest term in which it has acknowledged entries, and the last index of them.
    """

    current_term: int = 0
    voted_for: str | None = None
    log: Log = Log()
    candidate: bool = False
    leader: bool = False
    commit_index: int = 0
    votes_granted: frozenset[str] = frozenset()
    match_index: tuple[tuple[str, int], ...] = ()
    configuration: Members = Members()
    configuration_index: int = 0
    had: tuple[tuple[int, Members], ...] = ()
    acknowledged: tuple[int, int] = (0, 0)

    @property
    def role(self) -> str:
        """Return the role in the paper's words."""
        return "leader" if self.leader else "candidate" if self.candidate else "follower"

    def acknowledging(self, term: int, index: int) -> "Server":
        """Return the server with an acknowledgement noted."""
        return replace(self, acknowledged=max(self.acknowledged, (term, index)))

    def matching(self, index: int) -> frozenset[str]:
        """Return the servers whose logs a leader knows to match up to an index at least."""
        return frozenset([server for server, known in self.match_index if known >= index])

    def described(self) -> dict[str, Any]:
        """Return what is known, for people."""
        known: dict[str, Any] = {
            "term": self.current_term,
            "vote": self.voted_for or "none",
            "role": self.role,
            "commit": self.commit_index,
            "log": str(self.log),
            "configuration": str(self.configuration),
        }
        if self.candidate:
            known["votes"] = in_braces(self.votes_granted)
        if self.leader:
            known["match"] = "{" + ", ".join(f"{p}: {i}" for p, i in sorted(self.match_index)) + "}"
        return known
