"""The events that etcd's raft records (state_trace.go in go.etcd.io/raft/v3, built with the tag with_tla)."""

from collections.abc import Container
from typing import Annotated, Any, Literal

import msgspec

from raftcheck.oracle.lines import Lines

NOBODY = "0"
"""How a vote for nobody is written."""

FOLLOWER, PRE_CANDIDATE = "StateFollower", "StatePreCandidate"
INIT_STATE, BECOME_FOLLOWER, APPLY_CHANGE = "InitState", "BecomeFollower", "ApplyConfChange"

Number = Annotated[int, msgspec.Meta(ge=0)]

ROLES = {
    FOLLOWER: "follower",
    PRE_CANDIDATE: "follower",  # in the specification a pre-candidate is a follower that asks around
    "StateCandidate": "candidate",
    "StateLeader": "leader",
}


class HardState(msgspec.Struct, frozen=True):
    """Term, vote, commit index."""

    term: Number
    vote: str
    commit: Number


class EtcdMessage(msgspec.Struct, frozen=True, rename={"source": "from", "log_term": "logTerm", "hint": "rejectHint"}):
    """A message. `entries` counts them; of MsgSnap it is the snapshot's index."""

    type: str
    term: Number
    source: str
    to: str
    entries: Number
    log_term: Number
    index: Number
    commit: Number
    vote: str
    reject: bool
    hint: Number

    def __str__(self) -> str:
        fields = ("term", "index", "log_term", "entries", "commit", "reject", "hint")
        told = ", ".join(f"{name} {getattr(self, name)}" for name in fields if getattr(self, name))
        return f"{self.type}({told}) from {self.source} to {self.to}"


class SingleChange(msgspec.Struct, frozen=True):
    """One server that is added, removed, or made a learner."""

    nid: str
    action: Literal["AddNewServer", "RemoveServer", "AddLearner"]


class Changes(msgspec.Struct, frozen=True):
    """A change that is proposed, or the voters after one that is applied."""

    changes: tuple[SingleChange, ...] = ()
    newconf: tuple[str, ...] = ()


class Properties(msgspec.Struct, frozen=True):
    """What an event has beside; of a leader that sends entries, `match` is how far it knows itself to have them."""

    cc: Changes = Changes()
    match: Number | None = None
    next: Number | None = None


class Event(msgspec.Struct, frozen=True):
    """One event of one server. `conf` are the voters, and in joint consensus those that were."""

    name: str
    nid: str
    state: HardState
    role: str
    log: Number
    conf: tuple[tuple[str, ...], tuple[str, ...]]
    msg: EtcdMessage | None = None
    prop: Properties = Properties()

    def __str__(self) -> str:
        told = f" {self.msg}" if self.msg else ""
        return f"{self.name} of server {self.nid}{told}"

    def shown(self) -> dict[str, Any]:
        """Return the state that the event shows, for people."""
        voters, outgoing = self.conf
        return {
            "term": self.state.term,
            "vote": "none" if self.state.vote == NOBODY else self.state.vote,
            "role": self.role.removeprefix("State").lower(),
            "commit": self.state.commit,
            "log": f"up to {self.log}",
            "configuration": f"{list(voters)}" + (f" and {list(outgoing)}" if outgoing else ""),
        }


class Line(msgspec.Struct, frozen=True):
    """A line of the trace: other keys are of the logger."""

    tag: str
    event: Event


class EtcdChange(msgspec.Struct, frozen=True):
    """A change of the membership as it stands in a log. None at all: joint consensus is left."""

    changes: tuple[SingleChange, ...] = ()

    def voters_after(self, voters: frozenset[str]) -> frozenset[str]:
        """Return the voters when all changes are made. A learner does not vote."""
        for change in self.changes:
            voters = voters | {change.nid} if change.action == "AddNewServer" else voters - {change.nid}
        return voters


KINDS: dict[str, tuple[str | None, ...]] = {
    "AppendEntriesRequest": ("MsgApp", "MsgHeartbeat", "MsgSnap"),
    "AppendEntriesResponse": ("MsgAppResp", "MsgHeartbeatResp"),
    "RequestVoteRequest": ("MsgVote",),
    "RequestVoteResponse": ("MsgVoteResp",),
}
"""Which messages are sent and received in events of which names."""

DECODER = msgspec.json.Decoder(Line)


def read_event(lines: Lines, text: str, names: Container[str]) -> Event:
    """Return an event, of those names. Raises UnreadableError for a line that is none."""
    try:
        line = DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise lines.fault(f"no event of etcd's raft: {error}") from error
    event = line.event
    if line.tag != "trace":
        raise lines.fault(f"the tag is {line.tag!r}, not 'trace': leave out other lines of the log")
    if event.name not in names:
        raise lines.fault(f"unknown event {event.name!r}")
    if event.role not in ROLES:
        raise lines.fault(f"unknown role {event.role!r}")
    kinds = KINDS.get(event.name.removeprefix("Send").removeprefix("Receive"), (None,))
    kind = event.msg.type if event.msg else None
    if kind not in kinds:
        raise lines.fault(f"{event.name} with {kind or 'no message'}")
    if event.name == "ChangeConf" and not event.prop.cc.changes:
        raise lines.fault("ChangeConf without a change")
    return event
