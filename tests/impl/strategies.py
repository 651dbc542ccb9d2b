"""Random values of the core: logs, messages, states, as they occur between servers."""

from typing import Any

from hypothesis import strategies as st

from raftimpl import messages as m
from raftimpl.cluster import cluster_of
from raftimpl.log import Log, last_index, term_at
from raftimpl.state import ConfirmedRead, DurableState, PendingRead, Role, ServerState
from raftimpl.step import ClientRequest, ElectionTimeout, HeartbeatTimeout, ReadRequest, Receive

SERVERS = 3
TERMS = st.integers(1, 4)
COMMANDS = st.one_of(st.none(), st.sampled_from([b"w1", b"w2"]))


@st.composite
def logs(draw: st.DrawFn, max_term: int = 4, max_size: int = 5) -> Log:
    terms = sorted(draw(st.lists(st.integers(1, max_term), max_size=max_size)))
    return tuple(m.Entry(term, draw(COMMANDS)) for term in terms)


@st.composite
def append_entries(draw: st.DrawFn) -> m.AppendEntries:
    """A part of some leader's log."""
    term = draw(TERMS)
    log = draw(logs(term))
    prev = draw(st.integers(0, last_index(log)))
    end = draw(st.integers(prev, last_index(log)))
    return m.AppendEntries(
        term, prev, term_at(log, prev), log[prev:end], draw(st.integers(0, 6)), draw(st.integers(0, 2))
    )


@st.composite
def append_entries_responses(draw: st.DrawFn) -> m.AppendEntriesResponse:
    index, success = draw(st.integers(0, 5)), draw(st.booleans())
    if success or index == 0:
        return m.AppendEntriesResponse(draw(TERMS), success, index, read_round=draw(st.integers(0, 2)))
    return m.AppendEntriesResponse(draw(TERMS), False, index, draw(st.integers(1, index)), draw(st.integers(0, 4)))


@st.composite
def request_votes(draw: st.DrawFn) -> m.RequestVote:
    term = draw(TERMS)
    log = draw(logs(term - 1)) if term > 1 else ()
    return m.RequestVote(term, last_index(log), term_at(log, last_index(log)))


MESSAGES: st.SearchStrategy[Any] = st.one_of(
    request_votes(),
    st.builds(m.RequestVoteResponse, TERMS, st.booleans()),
    append_entries(),
    append_entries_responses(),
    st.builds(m.ForwardedRequest, TERMS, st.sampled_from([b"w1", b"w2"])),
    st.builds(m.ReadIndexRequest, TERMS, st.integers(1, 3)),
    st.builds(m.ReadIndexResponse, TERMS, st.integers(1, 3), st.integers(0, 5)),
)


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
        "commit_index": draw(st.integers(0, last_index(log))),
        "confirmed_reads": tuple(draw(st.lists(st.builds(ConfirmedRead, st.integers(1, 3), st.just(9)), max_size=1))),
    }
    if role is Role.FOLLOWER:
        voted_for, leader = draw(st.sampled_from([None, *range(SERVERS)])), draw(st.sampled_from([None, *others]))
        return ServerState(**common, voted_for=voted_for, leader_id=leader)
    if role is Role.CANDIDATE:
        return ServerState(**common, voted_for=id, votes_granted=frozenset({id}))
    match_index = [last_index(log) if s == id else draw(st.integers(0, last_index(log))) for s in range(SERVERS)]
    next_index = [0 if s == id else draw(st.integers(match_index[s] + 1, last_index(log) + 1)) for s in range(SERVERS)]
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
    sender = draw(st.sampled_from([server for server in range(SERVERS) if server != state.id]))
    input = draw(
        st.one_of(
            st.just(ElectionTimeout()),
            st.just(HeartbeatTimeout()),
            st.just(ClientRequest(b"w3")),
            st.just(ReadRequest(9)),
            st.builds(Receive, st.just(sender), MESSAGES),
        )
    )
    return state, ElectionTimeout() if is_excluded(state, input) else input


def is_excluded(state: ServerState, input: Any) -> bool:
    """Tell whether Raft excludes the input: another leader of the term, an answer to what was never sent."""
    if not isinstance(input, Receive) or state.role is not Role.LEADER or input.message.term != state.current_term:
        return False
    match input.message:
        case m.AppendEntriesResponse(success=True, index=index):
            return index > last_index(state.log)
        case message:
            return isinstance(message, m.AppendEntries)


disks = st.builds(DurableState, st.integers(0, 4), st.sampled_from([None, 0, 1, 2]), logs())
CLUSTER = cluster_of(SERVERS)
