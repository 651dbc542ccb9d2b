"""What the events of a trace have shown of a cluster, as far as the laws need it."""

from dataclasses import dataclass, field
from typing import Any

Event = dict[str, Any]

LEADER, CANDIDATE, FOLLOWER = "StateLeader", "StateCandidate", "StateFollower"
PRE_CANDIDATE = "StatePreCandidate"
NOBODY = "0"

ENTRIES = ("MsgApp", "MsgHeartbeat")


def key_of(message: Event) -> tuple[Any, ...]:
    """What makes two messages the same: all that is recorded of them."""
    return tuple(message[name] for name in FIELDS)


FIELDS = ("type", "term", "from", "to", "entries", "logTerm", "index", "commit", "vote", "reject", "rejectHint")


@dataclass
class Seen:
    """What the events of a server have shown; `terms` are those of its log, `conf` its voters, then the former ones.

    `confs` are the configurations that it may be in: after a change, the event that tells which is the next one.
    """

    name: str
    term: int = 0
    vote: str = NOBODY
    commit: int = 0
    role: str = FOLLOWER
    terms: list[int] = field(default_factory=list)
    confs: list[tuple[frozenset[str], frozenset[str]]] = field(default_factory=lambda: [(frozenset(), frozenset())])
    changes_applied: int = 0
    received: Event | None = None
    answered: tuple[int, int] = (0, 0)
    """The latest term in which it has acknowledged entries, and up to where."""
    proposed: list[Event] = field(default_factory=list)
    votes: set[str] = field(default_factory=set)
    acknowledged: dict[str, int] = field(default_factory=dict)
    boots: bool = False

    @property
    def log(self) -> int:
        return len(self.terms)


class Cluster:
    """All servers, and what they have sent."""

    def __init__(self) -> None:
        self.servers: dict[str, Seen] = {}
        self.sent: set[tuple[Any, ...]] = set()
        self.elections: set[int] = set()
        self.leaders: dict[int, str] = {}
        self.logs: dict[int, list[int]] = {}
        """By term, the log of its leader: the terms of its entries."""
        self.changes: list[tuple[int, Event]] = []
        """The changes of the membership, by index, as the leaders have appended them: the lowest that they may have."""
        self.first_members: list[str] = []
        self.relied: dict[str, int] = {}
        """What each server has acknowledged, as far as somebody has received it."""

    def after(self, seen: Seen, message: Event | None) -> tuple[list[int], int]:
        """Log and commit index of a follower that has handled a message of entries: section 5.3, Figure 2."""
        terms, commit = seen.terms, seen.commit
        if message is None or message["type"] not in ENTRIES or message["term"] != seen.term or seen.role == LEADER:
            return terms, commit
        if message["type"] == "MsgHeartbeat":
            return terms, max(commit, min(message["commit"], len(terms)))
        last = message["index"] + message["entries"]
        if not has_entry(terms, message["index"], message["logTerm"]):
            return terms, commit
        sent = self.logs[message["term"]][:last]
        if terms[:last] != sent:
            terms = sent
        return terms, max(commit, min(message["commit"], last))


def has_entry(terms: list[int], index: int, term: int) -> bool:
    return index == 0 or (index <= len(terms) and terms[index - 1] == term)


def boots(seen: Seen, event: Event) -> bool:
    """Whether an event belongs to setting up a server with its first members."""
    begins = event["name"] == "BecomeFollower" and (seen.term, event["state"]["term"], seen.log) == (0, 1, 0)
    return seen.boots or (begins and seen.received is None)


def is_sent(event: Event, kind: str) -> bool:
    return event["name"].startswith("Send") and event["msg"]["type"] == kind


def is_own_acknowledgement(seen: Seen, event: Event) -> bool:
    return is_sent(event, "MsgAppResp") and event["msg"]["to"] == event["msg"]["from"] == seen.name


def voters_after(voters: frozenset[str], change: Event) -> frozenset[str]:
    for one in change["prop"]["cc"]["changes"]:
        voters = voters | {one["nid"]} if one["action"] == "AddNewServer" else voters - {one["nid"]}
    return voters


# What events say, once no law is broken


def watch(cluster: Cluster, seen: Seen, event: Event) -> None:
    """Take note of an event."""
    name, state = event["name"], event["state"]
    seen.confs = [(frozenset(event["conf"][0]), frozenset(event["conf"][1]))]
    if boots(seen, event):
        watch_boot(cluster, seen, event)
    elif is_own_acknowledgement(seen, event):
        append(cluster, seen, event)
    elif event["log"] >= seen.log:
        terms, _ = cluster.after(seen, seen.received)
        if len(terms) == event["log"]:
            seen.terms = terms
    if name.startswith("Become"):
        watch_role(cluster, seen, event)
    seen.term, seen.vote, seen.commit, seen.role = state["term"], state["vote"], state["commit"], event["role"]
    if name in ("Replicate", "ChangeConf"):
        seen.proposed.append(event)
    if name == "ApplyConfChange":
        watch_change(seen, event)
    if name.startswith("Send"):
        watch_sent(cluster, seen, event["msg"])
    if name.startswith("Receive"):
        watch_received(cluster, seen, event["msg"])


def watch_sent(cluster: Cluster, seen: Seen, message: Event) -> None:
    cluster.sent.add(key_of(message))
    if message["type"].endswith("Resp") and message["to"] != seen.name:
        seen.received = None
    if message["reject"]:
        return
    if message["type"] == "MsgVoteResp":
        seen.vote = message["to"]
    if message["type"] == "MsgAppResp":
        seen.answered = max(seen.answered, (message["term"], message["index"]))


def watch_received(cluster: Cluster, seen: Seen, message: Event) -> None:
    seen.received = message
    if message["type"] == "MsgAppResp" and not message["reject"]:
        sender = message["from"]
        cluster.relied[sender] = max(cluster.relied.get(sender, 0), message["index"])
    count(seen, message)


def watch_boot(cluster: Cluster, seen: Seen, event: Event) -> None:
    seen.boots = True
    if event["name"] != "ApplyConfChange":
        return
    seen.terms = [1] * event["log"]
    (added,) = frozenset(event["prop"]["cc"]["newconf"]) - seen.confs[0][0]
    if len(event["prop"]["cc"]["newconf"]) > len(cluster.first_members):
        cluster.first_members.append(added)
        change = {"changes": [{"nid": added, "action": "AddNewServer"}]}
        cluster.changes.append((len(cluster.first_members), {"prop": {"cc": change}}))


def watch_role(cluster: Cluster, seen: Seen, event: Event) -> None:
    if event["name"] == "BecomeCandidate":
        cluster.elections.add(event["state"]["term"])
        seen.votes = set()
    if event["name"] == "BecomeLeader":
        cluster.logs[event["state"]["term"]] = seen.terms
        seen.acknowledged = {seen.name: seen.log}


def append(cluster: Cluster, seen: Seen, event: Event) -> None:
    """A leader has appended what was proposed."""
    cluster.changes += [(seen.log + 1, change) for change in seen.proposed if change["name"] == "ChangeConf"]
    seen.terms = cluster.logs[seen.term] = seen.terms + [seen.term] * (event["log"] - seen.log)
    seen.proposed = []


def watch_change(seen: Seen, event: Event) -> None:
    new = frozenset(event["prop"]["cc"].get("newconf", ()))
    old, _ = seen.confs[0]
    if seen.boots:
        seen.confs = [(new, frozenset())]
        seen.boots = len(new) < event["log"]
    elif seen.term or seen.log:
        seen.changes_applied += 1
        seen.confs = [(new, frozenset()), (new, old)]


def count(seen: Seen, message: Event) -> None:
    """A candidate counts votes, a leader acknowledgements: of its own term."""
    if message["term"] != seen.term or message["reject"]:
        return
    if message["type"] == "MsgVoteResp":
        seen.votes.add(message["from"])
    if message["type"] == "MsgAppResp" and seen.role == LEADER:
        known = seen.acknowledged.get(message["from"], 0)
        seen.acknowledged[message["from"]] = max(known, message["index"])
