"""Random values of the core: logs, messages, states, as they occur between servers."""

from typing import Any

from hypothesis import strategies as st

from raftcheck.raft.whole_logs import entries_in, saved, whole
from raftimpl import messages as m
from raftimpl.cluster import cluster_of
from raftimpl.log import Entries, Log
from raftimpl.state import ConfirmedRead, DurableState, PendingRead, Role, ServerState
from raftimpl.step import (
    ClientRequest,
    Compact,
    ElectionTimeout,
    HeartbeatTimeout,
    QuorumTimeout,
    ReadRequest,
    Receive,
    TransferLeadership,
)

SERVERS = 3
TERMS = st.integers(1, 4)
COMMANDS = st.one_of(st.none(), st.sampled_from([b"w1", b"w2"]))


@st.composite
def entries(draw: st.DrawFn, max_term: int = 4, max_size: int = 5, min_size: int = 0) -> Entries:
    terms = sorted(draw(st.lists(st.integers(1, max_term), min_size=min_size, max_size=max_size)))
    return tuple(m.Entry(term, draw(COMMANDS)) for term in terms)


def snapshot_of(log: Entries, index: int) -> m.Snapshot:
    """What stands for the entries up to an index."""
    return m.Snapshot(index, log[index - 1].term, saved(log[:index])) if index else m.Snapshot()


def compacted(log: Entries, index: int) -> Log:
    """The log with a snapshot in place of the entries up to an index."""
    return Log(log[index:], snapshot_of(log, index))


@st.composite
def logs(draw: st.DrawFn, max_term: int = 4, max_size: int = 5) -> Log:
    """Half of them with a snapshot in front."""
    log = draw(entries(max_term, max_size))
    return compacted(log, draw(st.one_of(st.just(0), st.integers(0, len(log)))))


@st.composite
def leaders_logs(draw: st.DrawFn, known: Entries = ()) -> tuple[int, Entries]:
    """A leader's term, and its log: any one, or one that shares its beginning with a log that is known."""
    term = draw(TERMS)
    shared = known[: draw(st.integers(0, len(known)))]
    more = draw(entries(term, max_size=5 - len(shared)))
    log = shared + tuple(e for e in more if not shared or e.term >= shared[-1].term)
    return max([term, *(e.term for e in log)]), log


@st.composite
def append_entries(draw: st.DrawFn, known: Entries = ()) -> m.AppendEntries:
    """A part of some leader's log."""
    term, log = draw(leaders_logs(known))
    prev = draw(st.integers(0, len(log)))
    end = draw(st.integers(prev, len(log)))
    prev_term = log[prev - 1].term if prev else 0
    return m.AppendEntries(term, prev, prev_term, log[prev:end], draw(st.integers(0, 6)), draw(st.integers(0, 2)))


@st.composite
def install_snapshots(draw: st.DrawFn, known: Entries = ()) -> m.InstallSnapshot:
    """A snapshot of some leader's log."""
    term, log = draw(leaders_logs(known))
    log = log or (m.Entry(term),)
    return m.InstallSnapshot(term, snapshot_of(log, draw(st.integers(1, len(log)))), draw(st.integers(0, 2)))


@st.composite
def append_entries_responses(draw: st.DrawFn) -> m.AppendEntriesResponse:
    index, success = draw(st.integers(0, 5)), draw(st.booleans())
    if success or index == 0:
        return m.AppendEntriesResponse(draw(TERMS), success, index, read_round=draw(st.integers(0, 2)))
    return m.AppendEntriesResponse(draw(TERMS), False, index, draw(st.integers(1, index)), draw(st.integers(0, 4)))


@st.composite
def request_votes(draw: st.DrawFn) -> m.RequestVote:
    term = draw(TERMS)
    log = draw(logs(term - 1)) if term > 1 else Log()
    return m.RequestVote(term, log.last_index, log.last_term)


def messages(known: Entries = ()) -> st.SearchStrategy[Any]:
    """Any message; what a leader sends may share its beginning with a log that is known."""
    return st.one_of(
        request_votes(),
        st.builds(m.RequestVoteResponse, TERMS, st.booleans()),
        append_entries(known),
        append_entries_responses(),
        install_snapshots(known),
        st.builds(m.TimeoutNow, TERMS),
        st.builds(m.ForwardedRequest, TERMS, st.sampled_from([b"w1", b"w2"])),
        st.builds(m.ReadIndexRequest, TERMS, st.integers(1, 3)),
        st.builds(m.ReadIndexResponse, TERMS, st.integers(1, 3), st.integers(0, 5)),
    )


MESSAGES = messages()


@st.composite
def servers(draw: st.DrawFn, id: int | None = None) -> ServerState:
    """A server in any role, with consistent fields."""
    id = draw(st.integers(0, SERVERS - 1)) if id is None else id
    term, role = draw(TERMS), draw(st.sampled_from(Role))
    log = draw(logs(term))
    others = [server for server in range(SERVERS) if server != id]
    common: dict[str, Any] = {
        "id": id,
        "current_term": term,
        "log": log,
        "role": role,
        "commit_index": draw(st.integers(log.snapshot.last_included_index, log.last_index)),
        "confirmed_reads": tuple(draw(st.lists(st.builds(ConfirmedRead, st.integers(1, 3), st.just(9)), max_size=1))),
    }
    if role is Role.FOLLOWER:
        voted_for, leader = draw(st.sampled_from([None, *range(SERVERS)])), draw(st.sampled_from([None, *others]))
        return ServerState(**common, voted_for=voted_for, leader_id=leader)
    if role is Role.CANDIDATE:
        return ServerState(**common, voted_for=id, votes_granted=frozenset({id}))
    last = log.last_index
    match_index = [last if s == id else draw(st.integers(0, last)) for s in range(SERVERS)]
    next_index = [0 if s == id else draw(st.integers(match_index[s] + 1, last + 1)) for s in range(SERVERS)]
    read_round = draw(st.integers(0, 2))
    pending = st.builds(PendingRead, st.integers(1, 3), st.integers(0, 2), st.just(read_round), st.integers(0, 5))
    return ServerState(
        **common,
        voted_for=id,
        leader_id=id,
        next_index=tuple(next_index),
        match_index=tuple(match_index),
        read_round=read_round,
        acked_round=tuple(read_round if s == id else draw(st.integers(0, read_round)) for s in range(SERVERS)),
        pending_reads=tuple(draw(st.lists(pending, max_size=1))) if read_round else (),
    )


@st.composite
def servers_and_inputs(draw: st.DrawFn) -> tuple[ServerState, Any]:
    """A server, and an input that it may get."""
    state = draw(servers())
    known = whole(state.log)
    index = draw(st.integers(0, state.commit_index))
    sender = draw(st.sampled_from([server for server in range(SERVERS) if server != state.id]))
    input = draw(
        st.one_of(
            st.just(ElectionTimeout()),
            st.just(HeartbeatTimeout()),
            st.just(ClientRequest(b"w3")),
            st.just(ReadRequest(9)),
            st.just(QuorumTimeout()),
            st.just(Compact(index, saved(known[:index]))),
            st.builds(TransferLeadership, st.integers(0, SERVERS - 1)),
            st.builds(Receive, st.just(sender), messages()),
            st.builds(Receive, st.just(sender), messages(known)),
        )
    )
    return state, ElectionTimeout() if is_excluded(state, input) else input


def is_excluded(state: ServerState, input: Any) -> bool:
    """Tell whether Raft excludes the input.

    That is another leader of the term, an answer to what was never sent, and what contradicts a snapshot.
    """
    if not isinstance(input, Receive):
        return False
    if state.role is not Role.LEADER or input.message.term != state.current_term:
        return contradicts_snapshot(state, input.message)
    match input.message:
        case m.AppendEntriesResponse(success=True, index=index):
            return index > state.log.last_index
        case message:
            return isinstance(message, m.AppendEntries | m.InstallSnapshot)


def contradicts_snapshot(state: ServerState, message: Any) -> bool:
    """Tell whether a message has other entries than a snapshot, its own or the server's, stands for."""
    known = whole(state.log)
    match message:
        case m.AppendEntries(_, prev, prev_term, new):
            told = {prev: prev_term, **{index: entry.term for index, entry in enumerate(new, prev + 1)}}
            return any(told.get(i, e.term) != e.term for i, e in enumerate(known[: state.log.first_index - 1], 1))
        case m.InstallSnapshot(_, snapshot):
            content, last = entries_in(snapshot.content), snapshot.last_included_index
            has_it = known[last - 1 : last] and known[last - 1].term == snapshot.last_included_term
            shared = last if has_it else min(last, state.commit_index)
            return content[:shared] != known[:shared]
    return False


disks = st.builds(DurableState, st.integers(0, 4), st.sampled_from([None, 0, 1, 2]), logs())
CLUSTER = cluster_of(SERVERS)
