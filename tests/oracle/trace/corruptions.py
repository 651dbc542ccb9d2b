"""Traces with one event that was changed, dropped, repeated or swapped with the next, and which of them stay legal."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.oracle.trace.shown import LEADER, PRE_CANDIDATE, Event, is_sent, key_of

REQUESTS, RESPONSES = ("MsgApp", "MsgHeartbeat", "MsgVote"), ("MsgAppResp", "MsgHeartbeatResp", "MsgVoteResp")


@dataclass(frozen=True)
class Corruption:
    """What was done to the event at a place, and the events that there are then."""

    kind: str
    place: int
    events: list[Event]

    def __str__(self) -> str:
        return f"{self.kind} of event {self.place + 1}"


# Changes of one event: each returns other events in its place


def changed(event: Event, part: str, name: str, value: Any) -> Event:
    return {**event, part: {**event[part], name: value}} if part else {**event, name: value}


def other_number(rng: random.Random, value: int) -> int:
    """Another number, most of the time near by."""
    near = [value + step for step in (-2, -1, 1, 2) if value + step >= 0]
    return rng.choice([*near, *near, value + rng.randrange(3, 40), *([0] if value else [])])


def other_of(rng: random.Random, values: list[str], value: str) -> str:
    return rng.choice([other for other in values if other != value])


def number(part: str, name: str) -> "Change":
    def change(rng: random.Random, trace: "Trace", event: Event) -> Event | None:
        if part not in event:
            return None
        return changed(event, part, name, other_number(rng, event[part][name]))

    return change


def server_in(part: str, name: str) -> "Change":
    def change(rng: random.Random, trace: "Trace", event: Event) -> Event | None:
        if part and part not in event:
            return None
        value = event[part][name] if part else event[name]
        nobody = ["0"] if name == "vote" else []
        return changed(event, part, name, other_of(rng, [*trace.names, *nobody], value))

    return change


def reject(rng: random.Random, trace: "Trace", event: Event) -> Event | None:
    if event.get("msg", {}).get("type") not in RESPONSES:
        return None
    return changed(event, "msg", "reject", not event["msg"]["reject"])


def log_length(rng: random.Random, trace: "Trace", event: Event) -> Event | None:
    return changed(event, "", "log", other_number(rng, event["log"]))


def role(rng: random.Random, trace: "Trace", event: Event) -> Event | None:
    roles = ["StateFollower", "StateCandidate", "StatePreCandidate", "StateLeader"]
    return changed(event, "", "role", other_of(rng, roles, event["role"]))


def configuration(rng: random.Random, trace: "Trace", event: Event) -> Event | None:
    voters, outgoing = event["conf"]
    name = rng.choice(trace.names)
    if rng.random() < 0.25:
        return changed(event, "", "conf", [voters, [*outgoing, name]])
    other = [server for server in voters if server != name] if name in voters else [*voters, name]
    return changed(event, "", "conf", [other, outgoing])


def new_configuration(rng: random.Random, trace: "Trace", event: Event) -> Event | None:
    """The voters that a change leads to, or who is added or removed."""
    cc = event.get("prop", {}).get("cc")
    if cc is None:
        return None
    name = rng.choice(trace.names)
    if "changes" in cc:
        (change,) = cc["changes"]
        actions = ["AddNewServer", "RemoveServer", "AddLearner"]
        kept = rng.random() < 0.5
        one = {"nid": name, "action": change["action"]} if kept else {**change, "action": rng.choice(actions)}
        return None if one == change else changed(event, "prop", "cc", {"changes": [one]})
    voters = cc.get("newconf", [])
    other = [server for server in voters if server != name] if name in voters else [*voters, name]
    return changed(event, "prop", "cc", {"newconf": other})


def progress(rng: random.Random, trace: "Trace", event: Event) -> Event | None:
    """How far a leader says that it is itself."""
    if "match" not in event.get("prop", {}):
        return None
    name = rng.choice(["match", "next"])
    return changed(event, "prop", name, other_number(rng, event["prop"][name]))


Change = Callable[[random.Random, "Trace", Event], Event | None]

CHANGES: dict[str, Change] = {
    "reject": reject,
    "commit": number("state", "commit"),
    "commit in a message": number("msg", "commit"),
    "term": number("state", "term"),
    "term in a message": number("msg", "term"),
    "vote": server_in("state", "vote"),
    "vote in a message": server_in("msg", "vote"),
    "index": number("msg", "index"),
    "logTerm": number("msg", "logTerm"),
    "entries": number("msg", "entries"),
    "rejectHint": number("msg", "rejectHint"),
    "sender": server_in("msg", "from"),
    "receiver": server_in("msg", "to"),
    "server": server_in("", "nid"),
    "log": log_length,
    "role": role,
    "configuration": configuration,
    "new configuration": new_configuration,
    "progress": progress,
}

KINDS = (*CHANGES, "dropped", "repeated", "swapped", "arrives again")


class Trace:
    """The trace that is corrupted, and what can be looked up in it."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.names = sorted({event["nid"] for event in events})
        self.sent: dict[Any, list[int]] = {}
        self.received: dict[Any, list[int]] = {}
        for place, event in enumerate(events):
            if "msg" in event:
                places = self.sent if event["name"].startswith("Send") else self.received
                places.setdefault(key_of(event["msg"]), []).append(place)

    def before(self, place: int, server: str) -> Event | None:
        """The event of a server before a place."""
        return next((event for event in reversed(self.events[:place]) if event["nid"] == server), None)

    def following(self, place: int, server: str) -> Event | None:
        """The event of a server after a place."""
        return next((event for event in self.events[place + 1 :] if event["nid"] == server), None)

    def arrives(self, place: int) -> bool:
        """Whether the message that is sent at a place has to be sent there: it arrives, and was not sent before."""
        key = key_of(self.events[place]["msg"])
        others = [sent for sent in self.sent[key] if sent != place]
        return any(place < at and not any(sent < at for sent in others) for at in self.received.get(key, []))

    def changes_nothing(self, place: int) -> bool:
        """Whether an event shows what the one before it of the same server has shown."""
        event = self.events[place]
        before = self.before(place, event["nid"])
        return (
            before is not None
            and known(before) == known(event)
            and not (
                before["name"] == "ApplyConfChange" and before["prop"]["cc"].get("newconf", []) != before["conf"][0]
            )
        )


def known(event: Event) -> tuple[Any, ...]:
    """The state that an event shows."""
    return event["state"], event["role"], event["log"], event["conf"]


def corruptions(trace: Trace, seed: int) -> Iterator[Corruption]:
    """Corruptions without end: of a kind at random, at a random place that allows it."""
    rng = random.Random(seed)
    while True:
        kind = rng.choice(KINDS)
        corruption = None
        while corruption is None:
            corruption = corrupted(trace, kind, rng.randrange(len(trace.events) - 1), rng)
        yield corruption


def corrupted(trace: Trace, kind: str, place: int, rng: random.Random) -> Corruption | None:
    """The trace with one corruption; None if there is no such at that place."""
    before, event, after = trace.events[:place], trace.events[place], trace.events[place + 1 :]
    if kind == "dropped":
        return Corruption(kind, place, [*before, *after])
    if kind == "repeated":
        return Corruption(kind, place, [*before, event, event, *after])
    if kind == "swapped":
        return None if after[0] == event else Corruption(kind, place, [*before, after[0], event, *after[1:]])
    if kind == "arrives again":
        again = arrives_again(trace, place, rng)
        return again and Corruption(kind, place + 1, [*before, event, again, *after])
    other = CHANGES[kind](rng, trace, event)
    return other and Corruption(kind, place, [*before, other, *after])


def arrives_again(trace: Trace, place: int, rng: random.Random) -> Event | None:
    """An old message that the server of an event receives after it."""
    event = trace.events[place]
    if event["name"] != "Ready":
        return None
    old = [
        sent for sent in trace.events[:place] if sent["name"].startswith("Send") and sent["msg"]["to"] == event["nid"]
    ]
    if not old:
        return None
    sent = rng.choice(old)
    return {**event, "name": sent["name"].replace("Send", "Receive"), "msg": sent["msg"]}


# Which of them are legal


def why_legal(trace: Trace, corruption: Corruption) -> str | None:
    """Why a corruption that breaks no law is legal; None if that cannot be told.

    Legal is what servers that keep to the rules of Raft can show, whoever has written them: they need not send or
    answer when etcd's do, but what they say must be true.
    """
    place = corruption.place
    if corruption.kind in ARGUMENTS:
        return ARGUMENTS[corruption.kind](trace, place)
    return why_change_is_legal(trace, trace.events[place], corruption.events[place], place)


def why_change_is_legal(trace: Trace, old: Event, new: Event, place: int) -> str | None:
    name = new["name"]
    if "msg" in new and name.startswith("Receive") and old["nid"] == new["nid"]:
        return "another message of those that were sent arrives; the receiver does only what it then still may do"
    if is_request(new) and not trace.arrives(place):
        return "it is a true thing to say, it does not arrive, and a leader or candidate says it whenever it likes"
    if is_answer(new) and not trace.arrives(place):
        return "it is a true thing to say, and does not arrive"
    if name.startswith("Send") and old["prop"] != new["prop"] and old["msg"] == new["msg"]:
        return "how far a leader counts itself and where it goes on sending is its own affair, if it is not too far"
    if new["role"] != old["role"] and new["role"] == PRE_CANDIDATE:
        return "a voter begins to ask around before an election without an event that says so"
    if name == "Ready" and old["nid"] != new["nid"]:
        return "every server that is in this state may say so"
    return None


def why_drop_is_legal(trace: Trace, place: int) -> str | None:
    event = trace.events[place]
    name, after = event["name"], trace.following(place, event["nid"])
    if name == "Ready":
        return "no action of Raft belongs to it"
    if is_request(event) and not trace.arrives(place):
        return "nobody receives it, and a leader or candidate need not send"
    if is_answer(event) and not trace.arrives(place):
        return "nobody receives it, and a server that does not answer does no harm"
    if name.startswith("Receive") and event["msg"]["type"] in RESPONSES:
        return "the message was lost; the receiver does only what it then still may do"
    if name.startswith("Receive") and (after is None or known(after) == known(event)) and not is_answer(after):
        return "the message was lost; nothing has come of it"
    if name in ("Commit", "BecomeFollower") and trace.changes_nothing(place):
        return "nothing has changed"
    if name == "ApplyConfChange" and (after is None or after["conf"] == event["conf"]):
        return "the server has not come to it; its members are the same before and after"
    return None


def why_repetition_is_legal(trace: Trace, place: int) -> str | None:
    event = trace.events[place]
    name = event["name"]
    if name == "Ready" or is_request(event):
        return "the second says what is true as well"
    if name.startswith("Receive"):
        return "the network has repeated a message"
    if name in ("Commit", "BecomeFollower"):
        return "the second changes nothing"
    if name.startswith("Send") and event["msg"]["from"] == event["msg"]["to"]:
        return "a server may tell itself twice what it has"
    if name == "InitState":
        return "the server crashed before it did anything"
    if name == "ApplyConfChange" and event["prop"]["cc"].get("newconf", []) == event["conf"][0]:
        return "the members are the same before and after"
    return None


def why_swap_is_legal(trace: Trace, place: int) -> str | None:
    one, other = trace.events[place], trace.events[place + 1]
    if one["nid"] != other["nid"]:
        return "what different servers do at the same time has no order, unless one receives what the other sends"
    if known(one) == known(other) and any(event["name"] == "Ready" for event in (one, other)):
        return "no action of Raft belongs to a Ready, and the state is the same"
    if known(one) == known(other) and one["role"] == LEADER and not any(map(is_own, (one, other))):
        return "what a leader hears, says and is asked for in one state has no order, as long as each is true"
    if all(map(is_request, (one, other))) or all(event["name"].startswith("Receive") for event in (one, other)):
        return "they were sent, or have arrived, in the other order"
    return None


def why_late_arrival_is_legal(trace: Trace, place: int) -> str | None:
    return "the network has repeated a message, and delayed it"


ARGUMENTS: dict[str, Callable[[Trace, int], str | None]] = {
    "dropped": why_drop_is_legal,
    "repeated": why_repetition_is_legal,
    "swapped": why_swap_is_legal,
    "arrives again": why_late_arrival_is_legal,
}


def is_request(event: Event | None) -> bool:
    return event is not None and any(is_sent(event, kind) for kind in REQUESTS)


def is_own(event: Event) -> bool:
    """Whether it changes what its server is, without being seen in the event."""
    return event["name"].startswith(("Become", "Apply"))


def is_answer(event: Event | None) -> bool:
    """Whether it is an answer to another server."""
    return (
        event is not None
        and any(is_sent(event, kind) for kind in RESPONSES)
        and event["msg"]["from"] != event["msg"]["to"]
    )
