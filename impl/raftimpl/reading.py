"""Linearizable reads without a log entry: ReadIndex (thesis, section 6.4).

The leader notes what it has committed, makes sure by one round of heartbeats that it still leads, and only
then lets the server that was asked answer from its own state machine, as soon as that has applied as much.
"""

from msgspec.structs import replace

from raftimpl.cluster import Cluster
from raftimpl.messages import ReadIndexRequest, ReadIndexResponse
from raftimpl.sending import broadcast_append_entries
from raftimpl.state import ConfirmedRead, PendingRead, Role, ServerState
from raftimpl.step import Effects, ReadRequest, Send
from raftimpl.values import with_item


def read_request(cluster: Cluster, state: ServerState, request: ReadRequest) -> Effects:
    """Begin a client's read: on the leader at once, on a follower by asking the leader for the read index."""
    if state.role is Role.LEADER:
        return start_read(cluster, state, state.id, request.request_id)
    if state.leader_id is None:
        return Effects(state, refused=True)
    return Effects(state, (Send(state.leader_id, ReadIndexRequest(state.current_term, request.request_id)),))


def read_index_request(cluster: Cluster, state: ServerState, origin: int, request: ReadIndexRequest) -> Effects:
    """Begin a read for a follower's client; if this server no longer leads, the question is lost."""
    if state.role is not Role.LEADER:
        return Effects(state)
    return start_read(cluster, state, origin, request.request_id)


def start_read(cluster: Cluster, state: ServerState, origin: int, request_id: int) -> Effects:
    """On the leader: note the read index and begin a new round of heartbeats (thesis 6.4, steps 2 and 3)."""
    read_round = state.read_round + 1
    read = PendingRead(request_id, origin, read_round, cluster.rules.read_index(state))
    leader = replace(state, read_round=read_round, pending_reads=(*state.pending_reads, read))
    heartbeats = broadcast_append_entries(cluster, leader)
    leader, answers = confirm_reads(cluster, leader, leader.id, read_round)
    return Effects(leader, heartbeats + answers)


def confirm_reads(
    cluster: Cluster, state: ServerState, server: int, read_round: int
) -> tuple[ServerState, tuple[Send, ...]]:
    """Note that `server` has answered `read_round`; hand out the read indexes that this confirms."""
    if read_round <= state.acked_round[server]:
        return state, ()
    leader = replace(state, acked_round=with_item(state.acked_round, server, read_round))
    confirmed = tuple(r for r in leader.pending_reads if cluster.rules.is_read_confirmed(leader, r))
    own = tuple(ConfirmedRead(r.request_id, r.read_index) for r in confirmed if r.origin == leader.id)
    leader = replace(
        leader,
        pending_reads=tuple(r for r in leader.pending_reads if r not in confirmed),
        confirmed_reads=leader.confirmed_reads + own,
    )
    answers = tuple(
        Send(r.origin, ReadIndexResponse(leader.current_term, r.request_id, r.read_index))
        for r in confirmed
        if r.origin != leader.id
    )
    return leader, answers


def read_index_response(_: Cluster, state: ServerState, __: int, response: ReadIndexResponse) -> Effects:
    """On the server that was asked: the read index is known; wait until it is applied.

    The term does not matter: whoever gave the answer was the leader after the question was asked.
    """
    read = ConfirmedRead(response.request_id, response.read_index)
    if read in state.confirmed_reads:
        return Effects(state)
    return Effects(replace(state, confirmed_reads=(*state.confirmed_reads, read)))


def release_reads(state: ServerState) -> tuple[ServerState, tuple[int, ...]]:
    """Take out the reads whose index is applied, to be answered now (thesis 6.4, step 4); return their ids."""
    ready = tuple(r for r in state.confirmed_reads if r.read_index <= state.commit_index)
    if not ready:
        return state, ()
    waiting = tuple(r for r in state.confirmed_reads if r not in ready)
    return replace(state, confirmed_reads=waiting), tuple(r.request_id for r in ready)
