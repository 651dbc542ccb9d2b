"""Leader election (section 5.2)."""

from msgspec.structs import replace

from raftimpl.cluster import Cluster
from raftimpl.messages import Entry, RequestVote, RequestVoteResponse, TimeoutNow
from raftimpl.replication import append_to_own_log
from raftimpl.sending import broadcast_append_entries, send_what_is_missing
from raftimpl.state import Role, ServerState
from raftimpl.step import Effects, ElectionTimeout, QuorumTimeout, Send, TransferLeadership


def election_timeout(cluster: Cluster, state: ServerState, _: ElectionTimeout) -> Effects:
    """Start an election: a new term, a vote for oneself, a request to all others (Figure 2, Candidates)."""
    if state.role is Role.LEADER:
        return Effects(state)
    candidate = replace(
        cluster.rules.follower_of_newer_term(state, state.current_term + 1),
        role=Role.CANDIDATE,
        voted_for=state.id,
    )
    request = RequestVote(candidate.current_term, state.log.last_index, state.log.last_term)
    requests = tuple(Send(peer, request) for peer in cluster.peers(state.id))
    elected = count_vote(cluster, candidate, state.id)
    return Effects(elected.state, requests + elected.sends, reset_election_timer=True)


def request_vote(cluster: Cluster, state: ServerState, candidate: int, request: RequestVote) -> Effects:
    """Answer a candidate (Figure 2, RequestVote).

    A refusal in the candidate's own term is not sent: it would tell the candidate nothing.
    """
    if request.term < state.current_term:
        return Effects(state, (Send(candidate, RequestVoteResponse(state.current_term, False)),))
    rules = cluster.rules
    if not (rules.has_vote_for(state, candidate) and rules.is_log_up_to_date(request, state.log)):
        return Effects(state)
    response = Send(candidate, RequestVoteResponse(state.current_term, True))
    return Effects(replace(state, voted_for=candidate), (response,), reset_election_timer=True)


def request_vote_response(cluster: Cluster, state: ServerState, voter: int, response: RequestVoteResponse) -> Effects:
    """Count a vote."""
    if not cluster.rules.counts_vote(state, response):
        return Effects(state)
    return count_vote(cluster, state, voter)


def count_vote(cluster: Cluster, state: ServerState, voter: int) -> Effects:
    """Add a vote; a quorum of votes makes the candidate the leader (section 5.2)."""
    votes = state.votes_granted | {voter}
    if len(votes) < cluster.rules.election_quorum(cluster.servers):
        return Effects(replace(state, votes_granted=votes))
    return become_leader(cluster, state)


def become_leader(cluster: Cluster, state: ServerState) -> Effects:
    """Take office: next_index after the last entry, match_index 0, and a no-op to replicate at once.

    The no-op commits what earlier terms have left (section 5.4.2, section 8).
    """
    next_index = state.log.last_index + 1
    leader = replace(
        state,
        role=Role.LEADER,
        leader_id=state.id,
        votes_granted=frozenset(),
        next_index=tuple(0 if server == state.id else next_index for server in range(cluster.servers)),
        match_index=tuple(state.log.last_index if server == state.id else 0 for server in range(cluster.servers)),
        acked_round=(0,) * cluster.servers,
    )
    leader = append_to_own_log(cluster, leader, Entry(state.current_term))
    return Effects(leader, broadcast_append_entries(cluster, leader))


def quorum_timeout(cluster: Cluster, state: ServerState, _: QuorumTimeout) -> Effects:
    """Stop leading when no quorum answers: clients should ask elsewhere (thesis 6.2)."""
    if state.role is not Role.LEADER:
        return Effects(state)
    return Effects(cluster.rules.stepped_aside(state), reset_election_timer=True)


def transfer_leadership(cluster: Cluster, state: ServerState, request: TransferLeadership) -> Effects:
    """Ask a follower to take over, or first send it what it lacks (thesis 3.10)."""
    if state.role is not Role.LEADER or request.target == state.id:
        return Effects(state)
    if not cluster.rules.may_take_over(state, request.target):
        return Effects(state, (send_what_is_missing(cluster, state, request.target),))
    return Effects(state, (Send(request.target, TimeoutNow(state.current_term)),))


def timeout_now(cluster: Cluster, state: ServerState, _: int, request: TimeoutNow) -> Effects:
    """Start an election at once, if the leader of this term asks for it (thesis 3.10)."""
    if not cluster.rules.obeys_timeout_now(state, request):
        return Effects(state)
    return election_timeout(cluster, state, ElectionTimeout())
