"""Laws that the events of no legal cluster break: small ones, that need nothing of the judge or the checker.

They hold for clusters of which every event of the kinds of etcd's tracer is recorded, that start with nothing, and
whose servers do not crash after they have answered anybody. What a law says of what a server does with a message, it
says of the one that the server has received last: raft.go handles one after the other (Step).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from tests.oracle.trace.shown import (
    CANDIDATE,
    ENTRIES,
    FIELDS,
    FOLLOWER,
    LEADER,
    NOBODY,
    PRE_CANDIDATE,
    Cluster,
    Event,
    Seen,
    boots,
    has_entry,
    is_own_acknowledgement,
    is_sent,
    key_of,
    voters_after,
    watch,
)


class BrokenError(Exception):
    """Raised when an event breaks a law. The name of the law is that of its function."""


def require(condition: object, what: str) -> None:
    if not condition:
        raise BrokenError(what)


Law = Callable[[Cluster, Seen, Event], None]


# Messages


def a_message_is_sent_by_its_sender_and_received_by_its_receiver(_: Cluster, seen: Seen, event: Event) -> None:
    message = event.get("msg")
    if message:
        end = "from" if event["name"].startswith("Send") else "to"
        require(message[end] == seen.name, f"{end} {message[end]}")


def the_name_of_an_event_fits_its_message(_: Cluster, __: Seen, event: Event) -> None:
    """state_trace.go, traceSendMessage and traceReceiveMessage."""
    verb = next((verb for verb in ("Send", "Receive") if event["name"].startswith(verb)), None)
    require((verb is None) == ("msg" not in event), "a message, or none")
    if verb:
        what, kind = KINDS[event["msg"]["type"]]
        require(event["name"] == f"{verb}{what}{kind}", event["msg"]["type"])


KINDS = {
    "MsgApp": ("AppendEntries", "Request"),
    "MsgHeartbeat": ("AppendEntries", "Request"),
    "MsgAppResp": ("AppendEntries", "Response"),
    "MsgHeartbeatResp": ("AppendEntries", "Response"),
    "MsgVote": ("RequestVote", "Request"),
    "MsgVoteResp": ("RequestVote", "Response"),
}

USED = {
    "MsgApp": ("entries", "logTerm", "index", "commit"),
    "MsgHeartbeat": ("commit",),
    "MsgAppResp": ("index",),
    "MsgHeartbeatResp": (),
    "MsgVote": ("logTerm", "index"),
    "MsgVoteResp": ("reject",),
}
"""The fields that each kind of message uses (raft.go, every r.send); a refused append has a hint besides."""


def what_a_message_does_not_use_is_zero(_: Cluster, __: Seen, event: Event) -> None:
    if event["name"].startswith("Send"):
        message = event["msg"]
        used = USED[message["type"]]
        if message["type"] == "MsgAppResp":
            used = ("index", "reject", "rejectHint", "logTerm") if message["reject"] else ("index", "reject")
            used += ("commit",) if message["commit"] == event["state"]["commit"] else ()  # true, and does no harm
        for name in FIELDS[4:]:
            if name not in used:
                require(message[name] in (0, NOBODY, False), f"{name} of {message['type']}")


def a_message_has_the_term_of_its_sender(_: Cluster, __: Seen, event: Event) -> None:
    """Section 5.1: current terms are exchanged whenever servers communicate."""
    if event["name"].startswith("Send"):
        require(event["msg"]["term"] == event["state"]["term"], "another term")


def only_answers_go_to_oneself(_: Cluster, __: Seen, event: Event) -> None:
    """raft.go, send, panics otherwise."""
    if event["name"].startswith("Send") and event["msg"]["from"] == event["msg"]["to"]:
        require(event["msg"]["type"] in ("MsgAppResp", "MsgVoteResp"), event["msg"]["type"])


def what_is_received_was_sent(cluster: Cluster, _: Seen, event: Event) -> None:
    """The network loses, repeats and reorders messages; it invents none and changes none."""
    if event["name"].startswith("Receive"):
        require(key_of(event["msg"]) in cluster.sent, "never sent")


# What a server shows of itself


def the_first_event_of_a_server_is_init_state(_: Cluster, __: Seen, event: Event) -> None:
    """The one law that a trace breaks by beginning late: then it cannot be told what was before."""
    require(event["name"] == "InitState", event["name"])


def a_server_begins_with_nothing(_: Cluster, __: Seen, event: Event) -> None:
    """newRaft records InitState before it reads anything from its disk but what its log is."""
    if event["name"] == "InitState":
        term, vote, commit, role, log = shown(event)
        require((term, vote, role) == (0, NOBODY, FOLLOWER), "it shows a state")
        require(event["conf"] == [[], []], "it shows members")
        require(commit <= log, "it has committed what it has not")


def a_server_begins_with_an_empty_log(_: Cluster, __: Seen, event: Event) -> None:
    """If it does not, what is in its log was before the trace."""
    if event["name"] == "InitState":
        require(event["log"] == 0, f"its log ends at {event['log']}")


def what_was_relied_on_survives_a_crash(cluster: Cluster, seen: Seen, event: Event) -> None:
    """Thesis, section 3.8: entries and votes are on the disk before the answer is sent."""
    if event["name"] == "InitState":
        relied = cluster.relied.get(seen.name, 0)
        require(event["log"] >= relied, f"it has acknowledged {relied}")


def terms_change_with_an_event_that_says_so(cluster: Cluster, seen: Seen, event: Event) -> None:
    """Section 5.1: terms rise. raft.go, reset: they change only as a server becomes candidate or follower."""
    name, term = event["name"], event["state"]["term"]
    if name == "BecomeCandidate":
        require(term == seen.term + 1, f"from {seen.term} to {term}")
    elif name == "BecomeFollower" and term > seen.term:
        require(term in cluster.elections or boots(seen, event), f"nobody has started an election in term {term}")
    else:
        require(term == seen.term, f"from {seen.term} to {term}")


def a_vote_is_kept_for_its_term(_: Cluster, seen: Seen, event: Event) -> None:
    """Section 5.2: one vote in a term, for who has asked last; a candidate gives its own to itself.

    Whoever votes says so at once, if it does.
    """
    name, vote = event["name"], event["state"]["vote"]
    if name == "BecomeCandidate":
        require(vote == seen.name, vote)
    elif name == "BecomeFollower" and event["state"]["term"] > seen.term:
        require(vote == NOBODY, vote)
    elif vote != seen.vote:
        asked = seen.received or {}
        require(may_vote(seen, asked), f"from {seen.vote} to {vote}")
        require(vote == asked["from"], f"{asked['from']} has asked")


def roles_change_with_an_event_that_says_so(_: Cluster, seen: Seen, event: Event) -> None:
    """Figure 4. Only that a voter becomes a pre-candidate is not recorded (raft.go, becomePreCandidate)."""
    role = event["role"]
    became = {"BecomeFollower": FOLLOWER, "BecomeCandidate": CANDIDATE, "BecomeLeader": LEADER}
    known = became.get(event["name"], seen.role)
    asks = role == PRE_CANDIDATE and known in (FOLLOWER, CANDIDATE) and event["name"] not in became
    require(role == known or (asks and is_voter(seen)), f"from {seen.role} to {role}")


def log_and_commit_index_change_for_a_reason(cluster: Cluster, seen: Seen, event: Event) -> None:
    """Section 5.3: followers append and commit what their leader sends; leaders append what is proposed."""
    name, found = event["name"], (event["log"], event["state"]["commit"])
    possible = [(seen.log, seen.commit)]
    if boots(seen, event):
        count = event["log"]
        possible = [(count, count)] if seen.boots and not seen.log else possible
    elif is_own_acknowledgement(seen, event):
        possible = [(seen.log + len(seen.proposed), seen.commit)]
    elif name == "Commit" and seen.role == LEADER:
        require(found[0] == seen.log, f"its log ended at {seen.log}")
        require(found[1] >= seen.commit, f"commit from {seen.commit} to {found[1]}")
        return
    elif name != "BecomeFollower":
        terms, commit = cluster.after(seen, seen.received)
        handled = (len(terms), commit)
        possible = [handled] if answers_entries(seen, event) else [*possible, handled]
    require(found in possible, f"log and commit {found}, not of {possible}")


def answers_entries(seen: Seen, event: Event) -> bool:
    """Whether an event is an answer to a message, that says what has come of it.

    A leader that gets a message of an older term answers with index 0, whatever the message says; and what is committed
    can be acknowledged without looking at the message.
    """
    message = event.get("msg", {})
    if not event["name"].startswith("Send") or message["type"] not in ("MsgAppResp", "MsgHeartbeatResp"):
        return False
    received = seen.received or {}
    return message["type"] == "MsgHeartbeatResp" or (
        received.get("type") == "MsgApp" and message["index"] == received["index"] + received["entries"]
    )


def only_what_a_majority_has_is_committed(cluster: Cluster, seen: Seen, event: Event) -> None:
    """Section 5.3 and 5.4.2: and only entries of the leader's own term; the others with them."""
    commit = event["state"]["commit"]
    if event["name"] == "Commit" and seen.role == LEADER and commit > seen.commit:
        require(commit <= seen.log, f"the log ends at {seen.log}")
        require(seen.terms[commit - 1] == seen.term, f"the entry is of term {seen.terms[commit - 1]}")
        have = {server for server, index in seen.acknowledged.items() if index >= commit}
        require(is_majority(have, seen), f"only {sorted(have)} have acknowledged {commit}")


def is_majority(servers: set[str], seen: Seen) -> bool:
    return any(all(2 * len(servers & voters) > len(voters) for voters in conf if voters) for conf in seen.confs)


def is_voter(seen: Seen) -> bool:
    return any(seen.name in voters for conf in seen.confs for voters in conf)


# Elections


def a_candidate_is_a_voter(_: Cluster, seen: Seen, event: Event) -> None:
    if event["name"] == "BecomeCandidate":
        require(seen.role != LEADER, "it leads")
        require(is_voter(seen), "it has no vote")


def a_leader_has_the_votes_of_a_majority(cluster: Cluster, seen: Seen, event: Event) -> None:
    """Section 5.2: election safety."""
    if event["name"] == "BecomeLeader":
        require(seen.role == CANDIDATE, f"it was {seen.role}")
        require(is_majority(seen.votes, seen), f"it has the votes of {sorted(seen.votes)}")
        require(cluster.leaders.setdefault(seen.term, seen.name) == seen.name, "there is another leader")


def a_candidate_says_where_its_log_ends(_: Cluster, seen: Seen, event: Event) -> None:
    """Section 5.4.1."""
    if is_sent(event, "MsgVote"):
        require(seen.role == CANDIDATE, f"it is {seen.role}")
        last = (seen.log, seen.terms[-1] if seen.terms else 0)
        require((event["msg"]["index"], event["msg"]["logTerm"]) == last, f"its log ends at {last}")


def a_vote_is_asked_for_and_free(_: Cluster, seen: Seen, event: Event) -> None:
    """Section 5.2 and 5.4.1: once a term, and for a log that is as up to date as the voter's."""
    if not is_sent(event, "MsgVoteResp"):
        return
    message, asked = event["msg"], seen.received or {}
    if message["to"] == seen.name:
        require(seen.role == CANDIDATE and seen.vote == seen.name and not message["reject"], "it votes for itself")
        return
    require(asked.get("type") == "MsgVote" and asked["from"] == message["to"], "nobody has asked")
    if message["reject"]:
        require(seen.vote != message["to"], "it has voted for whom it refuses")
        return
    require(may_vote(seen, asked), "its vote is not free, or its log is more up to date")


def may_vote(seen: Seen, asked: Event) -> bool:
    last = (seen.terms[-1] if seen.terms else 0, seen.log)
    return (
        asked.get("type") == "MsgVote"
        and asked["term"] == seen.term
        and seen.vote in (NOBODY, asked["from"])
        and (asked["logTerm"], asked["index"]) >= last
    )


# Replication


def only_leaders_propose(_: Cluster, seen: Seen, event: Event) -> None:
    if event["name"] in ("Replicate", "ChangeConf"):
        require(seen.role == LEADER, f"it is {seen.role}")


def entries_are_those_of_the_leader(_: Cluster, seen: Seen, event: Event) -> None:
    """Section 5.3: what AppendEntries says is in the leader's log, and committed as far as it says."""
    if is_sent(event, "MsgApp"):
        message = event["msg"]
        require(seen.role == LEADER, f"it is {seen.role}")
        index, before = message["index"], message["logTerm"]
        require(has_entry(seen.terms, index, before) and (index or not before), "the entry before is not in its log")
        require(message["entries"] >= 0, "it has fewer than no entries")
        require(message["index"] + message["entries"] <= seen.log, f"its log ends at {seen.log}")
        require(0 <= message["commit"] <= seen.commit, f"it has committed {seen.commit}")


def a_leader_counts_what_it_has_acknowledged_itself(_: Cluster, seen: Seen, event: Event) -> None:
    """raft.go: the leader's own progress, which is recorded with MsgApp, comes from its answers to itself."""
    if is_sent(event, "MsgApp") and "match" in event.get("prop", {}):
        match = event["prop"]["match"]
        require(match <= seen.acknowledged.get(seen.name, 0), f"match {match}")


def a_heartbeat_commits_what_the_follower_has(_: Cluster, seen: Seen, event: Event) -> None:
    """raft.go, sendHeartbeat: it carries no place in the log, so the leader has to know."""
    if is_sent(event, "MsgHeartbeat"):
        message = event["msg"]
        require(seen.role == LEADER, f"it is {seen.role}")
        known = min(seen.commit, seen.acknowledged.get(message["to"], 0))
        require(0 <= message["commit"] <= known, f"it knows it to have {known}")


def an_answer_has_its_question(_: Cluster, seen: Seen, event: Event) -> None:
    """Each message is answered once, by whom it was for, to whom it was from."""
    kinds = {"MsgAppResp": ENTRIES, "MsgHeartbeatResp": ("MsgHeartbeat",)}
    message = event.get("msg", {})
    if event["name"].startswith("Send") and message["type"] in kinds and message["to"] != seen.name:
        asked = seen.received
        require(asked is not None, "there is nothing to answer")
        assert asked is not None
        require(asked["type"] in kinds[message["type"]] and asked["from"] == message["to"], "it answers another")


def an_acknowledgement_says_what_the_log_has(cluster: Cluster, seen: Seen, event: Event) -> None:
    """Figure 2, AppendEntries: success if the log has the entry before the new ones, and then up to the last of them.

    raft.go acknowledges what is committed instead, if that is more; every leader has that (section 5.4). Less does no
    harm either: of what it has just got, or has acknowledged to this leader before.
    """
    if not is_sent(event, "MsgAppResp"):
        return
    message, asked = event["msg"], seen.received or {}
    if message["to"] == seen.name:
        require(seen.role == LEADER, f"it is {seen.role}")
        require(0 <= message["index"] <= event["log"], f"its log ends at {event['log']}")
        return
    if message["reject"]:
        require(asked["type"] == "MsgApp" and message["index"] == asked["index"], "it refuses another index")
        require(not has_entry(seen.terms, asked["index"], asked["logTerm"]), "it refuses what it has")
        return
    term, most = seen.answered
    known = max(event["state"]["commit"], most if term == seen.term else 0)
    terms, commit = cluster.after(seen, asked)
    has_got = (
        asked.get("type") == "MsgApp"
        and asked["term"] == seen.term
        and (
            has_entry(seen.terms, asked["index"], asked["logTerm"])
            and (event["log"], event["state"]["commit"]) == (len(terms), commit)
        )
    )
    known = max(known, asked["index"] + asked["entries"] if has_got else 0)
    require(0 <= message["index"] <= known, f"it has {known} in common with its leader")


# Membership


def the_configuration_is_the_one_applied_last(_: Cluster, seen: Seen, event: Event) -> None:
    conf = (frozenset(event["conf"][0]), frozenset(event["conf"][1]))
    require(conf in seen.confs, f"{event['conf']} is shown")


def one_change_of_the_membership_at_a_time(cluster: Cluster, seen: Seen, event: Event) -> None:
    """Thesis, section 4.1; raft.go, pendingConfIndex."""
    if event["name"] == "ChangeConf":
        pending = [change for change in seen.proposed if change["name"] == "ChangeConf"]
        require(not pending and seen.changes_applied >= len(cluster.changes), "a change is not in force yet")


def changes_are_applied_in_order_when_committed(cluster: Cluster, seen: Seen, event: Event) -> None:
    """Thesis, section 4.1; etcd applies them when they are committed."""
    if event["name"] != "ApplyConfChange" or seen.boots:
        return
    new = frozenset(event["prop"]["cc"].get("newconf", ()))
    (old, _) = seen.confs[0]
    if not seen.term and not seen.log:
        members = frozenset(cluster.first_members)
        require(not new or not members or new == members, "others began with other members")
        return
    require(seen.changes_applied < len(cluster.changes), "there is no such change")
    index, change = cluster.changes[seen.changes_applied]
    require(index <= event["state"]["commit"], f"the change at {index} is not committed")
    require(new == voters_after(old, change), f"{sorted(new)} does not come of {change} in {sorted(old)}")


def the_first_members_are_the_same_everywhere(cluster: Cluster, seen: Seen, event: Event) -> None:
    """bootstrap.go: a server that is told its first members begins in term 1, with a committed entry for each."""
    if not boots(seen, event) or event["name"] != "ApplyConfChange":
        return
    (old, _), new = seen.confs[0], frozenset(event["prop"]["cc"].get("newconf", ()))
    place = len(old)
    require(len(new) == place + 1 and old < new and len(new) <= event["log"], f"{sorted(new)} after {sorted(old)}")
    (added,) = new - old
    members = cluster.first_members
    require(place >= len(members) or members[place] == added, f"{added}, and elsewhere {members}")
    if len(new) == event["log"]:
        require(len(members) <= len(new), f"{len(new)} first members, and elsewhere {members}")


def shown(event: Event) -> tuple[Any, ...]:
    state = event["state"]
    return state["term"], state["vote"], state["commit"], event["role"], event["log"]


LAWS: tuple[Law, ...] = (
    a_message_is_sent_by_its_sender_and_received_by_its_receiver,
    the_name_of_an_event_fits_its_message,
    what_a_message_does_not_use_is_zero,
    a_message_has_the_term_of_its_sender,
    only_answers_go_to_oneself,
    what_is_received_was_sent,
    what_was_relied_on_survives_a_crash,
    a_server_begins_with_nothing,
    a_server_begins_with_an_empty_log,
    terms_change_with_an_event_that_says_so,
    a_vote_is_kept_for_its_term,
    roles_change_with_an_event_that_says_so,
    a_candidate_is_a_voter,
    a_leader_has_the_votes_of_a_majority,
    a_candidate_says_where_its_log_ends,
    a_vote_is_asked_for_and_free,
    only_leaders_propose,
    an_answer_has_its_question,
    an_acknowledgement_says_what_the_log_has,
    log_and_commit_index_change_for_a_reason,
    only_what_a_majority_has_is_committed,
    entries_are_those_of_the_leader,
    a_leader_counts_what_it_has_acknowledged_itself,
    a_heartbeat_commits_what_the_follower_has,
    the_configuration_is_the_one_applied_last,
    one_change_of_the_membership_at_a_time,
    changes_are_applied_in_order_when_committed,
    the_first_members_are_the_same_everywhere,
)


@dataclass(frozen=True)
class Broken:
    """The first event that breaks a law, counted from 0; the law, and how."""

    place: int
    law: str
    how: str


BEGINNINGS = (the_first_event_of_a_server_is_init_state, a_server_begins_with_an_empty_log)
"""Laws that a legal cluster breaks if the trace begins late."""


def first_broken(events: Iterable[Event]) -> Broken | None:
    """The first law that is broken, if any is."""
    cluster = Cluster()
    for place, event in enumerate(events):
        seen = cluster.servers.get(event["nid"])
        laws = LAWS
        if seen is None:
            laws = (the_first_event_of_a_server_is_init_state, *LAWS)
        if seen is None or event["name"] == "InitState":
            seen = cluster.servers[event["nid"]] = Seen(event["nid"])
        for law in laws:
            try:
                law(cluster, seen, event)
            except BrokenError as error:
                return Broken(place, law.__name__, str(error))
        watch(cluster, seen, event)
    return None
