"""Small legal traces in our own format, written by hand: one for each thing that a cluster does."""

from typing import Any

Record = dict[str, Any]

NAMES = ("a", "b", "c")
ABC = ["a", "b", "c"]


def header(**more: Any) -> Record:
    return {"format": "raftproof/trace/1", "servers": ABC, **more}


def state(term: int, vote: str | None, role: str, commit: int, last: int, **more: Any) -> Record:
    return {"term": term, "vote": vote, "role": role, "commit": commit, "last": last, **more}


def step(server: str, event: str, known: Record, *sends: Record, **more: Any) -> Record:
    return {"server": server, "event": event, "state": known, "sends": list(sends), **more}


def gets(message: Record, known: Record, *sends: Record, **more: Any) -> Record:
    return step(message["to"], "receive", known, *sends, message=message, **more)


def message(kind: str, link: str, term: int, **fields: Any) -> Record:
    return {"type": kind, "from": link[0], "to": link[1], "term": term, **fields}


def ask(link: str, term: int, last_index: int = 0, last_term: int = 0, kind: str = "RequestVote") -> Record:
    return message(kind, link, term, last_index=last_index, last_term=last_term)


def vote(link: str, term: int, kind: str = "RequestVoteResponse") -> Record:
    return message(kind, link, term, granted=True)


def append(link: str, term: int, prev: tuple[int, int], entries: list[Record], commit: int) -> Record:
    index, before = prev
    return message("AppendEntries", link, term, prev_index=index, prev_term=before, entries=entries, commit=commit)


def success(link: str, term: int, index: int) -> Record:
    return message("AppendEntriesResponse", link, term, success=True, index=index)


def refusal(link: str, term: int) -> Record:
    return message("AppendEntriesResponse", link, term, success=False)


def entry(term: int, data: str | None = None, **more: Any) -> Record:
    return {"term": term, **({} if data is None else {"data": data}), **more}


def log(keep: int, *entries: Record) -> Record:
    return {"keep": keep, "entries": list(entries)}


FIRST, SECOND = entry(1, "first"), entry(1, "second")
STARTED = [step(name, "start", state(0, None, "follower", 0, 0)) for name in NAMES]

ELECTION = [
    *STARTED,
    step("a", "timeout", state(1, "a", "candidate", 0, 0, votes=["a"]), ask("ab", 1), ask("ac", 1)),
    gets(ask("ab", 1), state(1, "a", "follower", 0, 0), vote("ba", 1)),
    gets(
        vote("ba", 1),
        state(1, "a", "leader", 0, 1, match={"b": 0, "c": 0}),
        append("ab", 1, (0, 0), [FIRST], 0),
        append("ac", 1, (0, 0), [FIRST], 0),
        log=log(0, FIRST),
    ),
]
"""a leads term 1, and has appended an entry; c has heard of nothing yet."""

COMMITMENT = [
    *ELECTION,
    gets(append("ab", 1, (0, 0), [FIRST], 0), state(1, "a", "follower", 0, 1), success("ba", 1, 1), log=log(0, FIRST)),
    gets(success("ba", 1, 1), state(1, "a", "leader", 1, 1, match={"b": 1}), append("ab", 1, (1, 1), [], 1)),
    gets(append("ab", 1, (1, 1), [], 1), state(1, "a", "follower", 1, 1), success("ba", 1, 1)),
]
"""The entry is committed, and b knows it."""

REPLACED = entry(2, "other")
TRUNCATION = [
    *ELECTION,
    step("a", "propose", state(1, "a", "leader", 0, 2), append("ac", 1, (1, 1), [SECOND], 0), log=log(1, SECOND)),
    gets(append("ac", 1, (1, 1), [SECOND], 0), state(1, None, "follower", 0, 0), refusal("ca", 1)),
    step("c", "timeout", state(2, "c", "candidate", 0, 0), ask("cb", 2)),
    gets(ask("cb", 2), state(2, "c", "follower", 0, 0), vote("bc", 2)),
    gets(vote("bc", 2), state(2, "c", "leader", 0, 1), append("ca", 2, (0, 0), [REPLACED], 0), log=log(0, REPLACED)),
    gets(
        append("ca", 2, (0, 0), [REPLACED], 0),
        state(2, None, "follower", 0, 1),
        success("ac", 2, 1),
        log=log(0, REPLACED),
    ),
    gets(success("ac", 2, 1), state(2, "c", "leader", 1, 1, match={"a": 1})),
]
"""c wins the next election with b, and replaces what only a had."""

RESTART = [
    *COMMITMENT,
    step("b", "start", state(1, "a", "follower", 0, 1)),
    step("b", "timeout", state(2, "b", "candidate", 0, 1), ask("ba", 2, 1, 1)),
]
"""b crashes, and has forgotten only what is committed."""

SNAPSHOT = [
    *COMMITMENT,
    step("a", "other", state(1, "a", "leader", 1, 1), message("InstallSnapshot", "ac", 1, index=1, index_term=1)),
    gets(
        message("InstallSnapshot", "ac", 1, index=1, index_term=1),
        state(1, None, "follower", 1, 1),
        success("ca", 1, 1),
        log=log(0, FIRST),
    ),
    gets(success("ca", 1, 1), state(1, "a", "leader", 1, 1, match={"b": 1, "c": 1})),
]

BEAT = message("Heartbeat", "ab", 1, commit=1)
HEARTBEAT = [
    *COMMITMENT[:-1],
    step("a", "heartbeat", state(1, "a", "leader", 1, 1), BEAT),
    gets(BEAT, state(1, "a", "follower", 1, 1), message("HeartbeatResponse", "ba", 1)),
]

PRE_VOTE = [
    *STARTED,
    step("a", "timeout", state(0, None, "pre-candidate", 0, 0), ask("ab", 1, kind="PreVote")),
    gets(ask("ab", 1, kind="PreVote"), state(0, None, "follower", 0, 0), vote("ba", 1, "PreVoteResponse")),
    gets(vote("ba", 1, "PreVoteResponse"), state(1, "a", "candidate", 0, 0), ask("ab", 1)),
]

TRANSFER = [
    *COMMITMENT,
    step("a", "other", state(1, "a", "leader", 1, 1), message("TimeoutNow", "ab", 1)),
    gets(message("TimeoutNow", "ab", 1), state(2, "b", "candidate", 1, 1), ask("ba", 2, 1, 1)),
    gets(ask("ba", 2, 1, 1), state(2, "b", "follower", 1, 1), vote("ab", 2)),
    gets(vote("ab", 2), state(2, "b", "leader", 1, 2), log=log(1, entry(2, "of b"))),
]

FOUR = {"voters": ["a", "b", "c", "d"]}
CHANGE = entry(1, "add d", configuration=FOUR)
OTHER_CHANGE = entry(1, "remove c", configuration={"voters": ["a", "b", "d"]})
MEMBERSHIP = [
    step("d", "start", state(0, None, "follower", 0, 0, configuration={"voters": ABC, "learners": ["d"]})),
    *COMMITMENT,
    step("a", "propose", state(1, "a", "leader", 1, 2, configuration={"voters": ABC, "learners": ["d"]}),
         append("ab", 1, (1, 1), [CHANGE], 1), append("ad", 1, (0, 0), [FIRST, CHANGE], 1), log=log(1, CHANGE)),
    gets(append("ad", 1, (0, 0), [FIRST, CHANGE], 1), state(1, None, "follower", 1, 2), success("da", 1, 2),
         log=log(0, FIRST, CHANGE)),
    gets(success("da", 1, 2), state(1, "a", "leader", 1, 2)),
    gets(append("ab", 1, (1, 1), [CHANGE], 1), state(1, "a", "follower", 1, 2), success("ba", 1, 2),
         log=log(1, CHANGE)),
    gets(success("ba", 1, 2), state(1, "a", "leader", 2, 2, configuration=FOUR)),
    step("a", "propose", state(1, "a", "leader", 2, 3, configuration=FOUR), log=log(2, OTHER_CHANGE)),
]  # fmt: skip
"""A learner becomes a voter; its acknowledgement alone did not count. Then comes the next change."""

JOINT = {"voters": ["a", "b", "d"], "outgoing": ABC}
ENTER, LEAVE = entry(1, "enter", configuration=JOINT), entry(1, "leave", configuration={"voters": ["a", "b", "d"]})
JOINT_CONSENSUS = [
    step("d", "start", state(0, None, "follower", 0, 0)),
    *COMMITMENT,
    step("a", "propose", state(1, "a", "leader", 1, 2), append("ab", 1, (1, 1), [ENTER], 1), log=log(1, ENTER)),
    gets(append("ab", 1, (1, 1), [ENTER], 1), state(1, "a", "follower", 1, 2), success("ba", 1, 2), log=log(1, ENTER)),
    gets(success("ba", 1, 2), state(1, "a", "leader", 2, 2, configuration=JOINT)),
    step("a", "other", state(1, "a", "leader", 2, 3, configuration=JOINT), append("ab", 1, (2, 1), [LEAVE], 2),
         append("ad", 1, (0, 0), [FIRST, ENTER, LEAVE], 2), log=log(2, LEAVE)),
    gets(append("ad", 1, (0, 0), [FIRST, ENTER, LEAVE], 2), state(1, None, "follower", 2, 3), success("da", 1, 3),
         log=log(0, FIRST, ENTER, LEAVE)),
    gets(success("da", 1, 3), state(1, "a", "leader", 2, 3)),
    gets(append("ab", 1, (2, 1), [LEAVE], 2), state(1, "a", "follower", 2, 3), success("ba", 1, 3), log=log(2, LEAVE)),
    gets(success("ba", 1, 3), state(1, "a", "leader", 3, 3, configuration={"voters": ["a", "b", "d"]})),
]  # fmt: skip
"""c is replaced by d at once. In between, a majority of both is needed: a and d are none of the first."""

STORIES: dict[str, list[Record]] = {
    "election": ELECTION,
    "commitment": COMMITMENT,
    "truncation": TRUNCATION,
    "restart": RESTART,
    "snapshot": SNAPSHOT,
    "heartbeat": HEARTBEAT,
    "pre-vote": PRE_VOTE,
    "transfer": TRANSFER,
    "membership": MEMBERSHIP,
    "joint consensus": JOINT_CONSENSUS,
}

LEARNERS = {"membership": ["d"]}


def file_of(name: str, **more: Any) -> list[Record]:
    """The lines of a story: its header, and its steps."""
    learners = {"learners": LEARNERS[name]} if name in LEARNERS else {}
    return [header(**learners, **more), *STORIES[name]]
