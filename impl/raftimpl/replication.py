"""Log replication (section 5.3): from the client's request to the commit index on every server."""

from msgspec.structs import replace

from raftimpl.cluster import Cluster
from raftimpl.errors import InvariantViolationError
from raftimpl.messages import AppendEntries, AppendEntriesResponse, Entry, ForwardedRequest, InstallSnapshot
from raftimpl.reading import confirm_reads
from raftimpl.sending import broadcast_append_entries, send_what_is_missing
from raftimpl.state import Role, ServerState
from raftimpl.step import ClientRequest, Effects, HeartbeatTimeout, Send
from raftimpl.values import with_item

# The leader


def client_request(cluster: Cluster, state: ServerState, request: ClientRequest) -> Effects:
    """Append a client's command, or hand it on to the leader (section 8)."""
    if state.role is Role.LEADER:
        return lead_request(cluster, state, request.command)
    if state.leader_id is None:
        return Effects(state, refused=True)
    return Effects(state, (Send(state.leader_id, ForwardedRequest(state.current_term, request.command)),))


def forwarded_request(cluster: Cluster, state: ServerState, _: int, request: ForwardedRequest) -> Effects:
    """Append a command that a follower handed on; if this server no longer leads, the command is lost.

    Whoever waits for its result learns of that by a timeout, as with any lost message.
    """
    return lead_request(cluster, state, request.command) if state.role is Role.LEADER else Effects(state)


def lead_request(cluster: Cluster, state: ServerState, command: bytes) -> Effects:
    """Append a command to the leader's log and replicate it (Figure 2, Leaders)."""
    leader = append_to_own_log(cluster, state, Entry(state.current_term, command))
    return Effects(leader, broadcast_append_entries(cluster, leader))


def append_to_own_log(cluster: Cluster, state: ServerState, entry: Entry) -> ServerState:
    """Append to the leader's own log, which counts for the quorum (and is all of it in a cluster of one)."""
    log = cluster.rules.appended_log(state, entry)
    match_index = with_item(state.match_index, state.id, log.last_index)
    leader = replace(state, log=log, match_index=match_index)
    return replace(leader, commit_index=cluster.rules.leader_commit_index(leader))


def heartbeat_timeout(cluster: Cluster, state: ServerState, _: HeartbeatTimeout) -> Effects:
    """Send every follower what it lacks, if only a heartbeat: this also repeats what was lost (section 5.2)."""
    if state.role is not Role.LEADER:
        return Effects(state)
    return Effects(state, broadcast_append_entries(cluster, state))


def append_entries_response(
    cluster: Cluster, state: ServerState, follower: int, response: AppendEntriesResponse
) -> Effects:
    """Take note of a follower's answer: it confirms the leader's term, and says how far the logs match."""
    if not cluster.rules.counts_response(state, response):
        return Effects(state)
    state, read_answers = confirm_reads(cluster, state, follower, response.read_round)
    replicate = entries_accepted if response.success else entries_refused
    replicated = replicate(cluster, state, follower, response)
    return Effects(replicated.state, read_answers + replicated.sends)


def entries_accepted(cluster: Cluster, state: ServerState, follower: int, response: AppendEntriesResponse) -> Effects:
    """Advance match_index and next_index, and with them the commit index, which the followers learn at once."""
    if response.index > state.log.last_index:
        raise InvariantViolationError(
            f"server {follower} acknowledges index {response.index} to server {state.id}, "
            f"whose log in term {state.current_term} ends at {state.log.last_index}"
        )
    known = state.match_index[follower]
    match_index = cluster.rules.advanced_match_index(known, response.index)
    if match_index == known:
        return Effects(state)
    leader = replace(
        state,
        match_index=with_item(state.match_index, follower, match_index),
        next_index=with_item(state.next_index, follower, match_index + 1),
    )
    leader = replace(leader, commit_index=cluster.rules.leader_commit_index(leader))
    if leader.commit_index != state.commit_index:
        return Effects(leader, broadcast_append_entries(cluster, leader))
    if match_index < leader.log.last_index:
        return Effects(leader, (send_what_is_missing(cluster, leader, follower),))
    return Effects(leader)


def entries_refused(cluster: Cluster, state: ServerState, follower: int, response: AppendEntriesResponse) -> Effects:
    """Back up next_index and try again, if the refusal answers the last request."""
    if not cluster.rules.counts_refusal(state, follower, response):
        return Effects(state)
    next_index = cluster.rules.backed_up_next_index(state, response)
    leader = replace(state, next_index=with_item(state.next_index, follower, next_index))
    return Effects(leader, (send_what_is_missing(cluster, leader, follower),))


# The follower


def append_entries(cluster: Cluster, state: ServerState, leader: int, request: AppendEntries) -> Effects:
    """Answer the leader (Figure 2, AppendEntries)."""
    if request.term < state.current_term:
        return Effects(state, (Send(leader, AppendEntriesResponse(state.current_term, False)),))
    rules = cluster.rules
    follower = hear_from_leader(cluster, state, leader, request)
    if not rules.log_matches(follower.log, request.prev_log_index, request.prev_log_term):
        return Effects(follower, (Send(leader, refusal(cluster, follower, request)),), reset_election_timer=True)
    last_new_index = request.prev_log_index + len(request.entries)
    follower = replace(
        follower,
        log=rules.merged_log(follower.log, request.prev_log_index, request.entries),
        commit_index=rules.follower_commit_index(follower.commit_index, request.leader_commit, last_new_index),
    )
    response = AppendEntriesResponse(
        follower.current_term,
        success=True,
        index=rules.acknowledged_index(request, follower.log),
        read_round=request.read_round,
    )
    return Effects(follower, (Send(leader, response),), reset_election_timer=True)


def hear_from_leader(
    cluster: Cluster, state: ServerState, leader: int, request: AppendEntries | InstallSnapshot
) -> ServerState:
    """Follow the leader of the own term; there is no second one (section 5.2)."""
    if state.role is Role.LEADER:
        raise InvariantViolationError(
            f"server {leader} sent {type(request).__name__} as leader of term {request.term}, "
            f"which server {state.id} leads"
        )
    return cluster.rules.follower_of_leader(state, leader)


def refusal(cluster: Cluster, follower: ServerState, request: AppendEntries) -> AppendEntriesResponse:
    """Refuse entries that do not follow on the own log, and say where the logs may part."""
    conflict_index, conflict_term = cluster.rules.conflict_hint(follower.log, request.prev_log_index)
    return AppendEntriesResponse(
        follower.current_term,
        success=False,
        index=request.prev_log_index,
        conflict_index=conflict_index,
        conflict_term=conflict_term,
        read_round=request.read_round,
    )
