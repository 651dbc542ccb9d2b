"""What must be true of the core's functions for all arguments."""

from collections import Counter
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from raftimpl import messages as m
from raftimpl.codec import decode_durable, decode_message, encode_durable, encode_message
from raftimpl.errors import InvariantViolationError, MalformedInputError
from raftimpl.invariants import INVARIANTS, persist_first, require_invariants
from raftimpl.log import Entries, Log
from raftimpl.raft import step
from raftimpl.relabel import relabel_disk, relabel_server
from raftimpl.rules import Rules, persist_change, persisted
from raftimpl.state import DurableState, Role, ServerState, durable
from raftimpl.step import Compact, ElectionTimeout, Persist, Receive, Send, Step, TransferLeadership
from tests.impl import strategies as s

PERMUTATIONS = st.sampled_from(list(permutations(range(s.SERVERS))))
RULES = Rules()


def renamed_input(input: Any, permutation: tuple[int, ...]) -> Any:
    match input:
        case Receive(sender, _):
            return replace(input, sender=permutation[sender])
        case TransferLeadership(target):
            return TransferLeadership(permutation[target])
    return input


def renamed_output(output: Any, permutation: tuple[int, ...]) -> Any:
    match output:
        case Send(to, message):
            return Send(permutation[to], message)
        case Persist() if output.voted_for is not None:
            return replace(output, voted_for=permutation[output.voted_for])
    return output


@given(s.servers_and_inputs(), PERMUTATIONS)
def test_a_renamed_server_does_the_same_renamed(given_: tuple[ServerState, Any], p: tuple[int, ...]) -> None:
    state, input = given_
    plain = step(s.CLUSTER, state, input)
    renamed = step(s.CLUSTER, relabel_server(state, p), renamed_input(input, p))
    assert renamed.state == relabel_server(plain.state, p)
    assert Counter(renamed.outputs) == Counter(renamed_output(output, p) for output in plain.outputs)


@given(s.servers(), s.disks, PERMUTATIONS)
def test_renaming_back_gives_the_same(state: ServerState, disk: DurableState, p: tuple[int, ...]) -> None:
    back = tuple(p.index(i) for i in range(len(p)))
    assert relabel_server(relabel_server(state, p), back) == state
    assert relabel_disk(relabel_disk(disk, p), back) == disk


@given(s.servers_and_inputs())
def test_a_step_is_a_function_of_its_arguments(given_: tuple[ServerState, Any]) -> None:
    state, input = given_
    before = msgspec.structs.asdict(state)
    assert step(s.CLUSTER, state, input) == step(s.CLUSTER, state, input)
    assert msgspec.structs.asdict(state) == before


@given(s.servers_and_inputs())
def test_what_is_durable_is_persisted_first_and_the_disk_then_has_it(given_: tuple[ServerState, Any]) -> None:
    state, input = given_
    taken = step(s.CLUSTER, state, input)
    disk = durable(state)
    for output in taken.outputs:
        if isinstance(output, Persist):
            disk = persisted(disk, output)
    assert disk == durable(taken.state)
    assert persist_first(state, taken)


@given(s.disks, s.disks)
def test_persist_change_leads_from_any_log_to_any_state(old: DurableState, new: DurableState) -> None:
    """To any whose snapshot is the same or goes further."""
    if new.log.first_index <= old.log.first_index:
        new = replace(new, log=Log(new.log.entries, old.log.snapshot))
    after = ServerState(id=0, current_term=new.current_term, voted_for=new.voted_for, log=new.log)
    assert persisted(old, persist_change(old.log, after)) == new


@given(s.MESSAGES)
def test_messages_survive_the_wire(message: m.Message) -> None:
    assert decode_message(encode_message(message)) == message


@given(s.disks)
def test_durable_state_survives_the_disk(disk: DurableState) -> None:
    assert decode_durable(encode_durable(disk)) == disk


@given(st.binary(max_size=40))
def test_bytes_that_are_no_message_are_a_typed_error(encoded: bytes) -> None:
    for decode in (decode_message, decode_durable):
        try:
            decode(encoded)
        except MalformedInputError:
            continue
        except Exception as error:
            raise AssertionError("an untyped error") from error


@given(s.entries(), s.append_entries())
def test_a_log_that_matches_gets_the_entries_and_loses_only_conflicts(log: Entries, request: m.AppendEntries) -> None:
    if not RULES.log_matches(Log(log), request.prev_log_index, request.prev_log_term):
        return
    merged = RULES.merged_log(Log(log), request.prev_log_index, request.entries).entries
    end = request.prev_log_index + len(request.entries)
    assert [e.term for e in merged[request.prev_log_index : end]] == [e.term for e in request.entries]
    assert merged[: request.prev_log_index] == log[: request.prev_log_index]
    wanted = (*(e.term for e in log[: request.prev_log_index]), *(e.term for e in request.entries))
    conflict = any(entry.term != term for entry, term in zip(log, wanted, strict=False))
    assert len(merged) == (end if conflict else max(end, len(log)))


@given(s.logs(), s.logs())
def test_of_two_logs_at_least_one_is_up_to_date_for_the_other(a: Log, b: Log) -> None:
    def is_accepted(candidate: Log, voter: Log) -> bool:
        return RULES.is_log_up_to_date(m.RequestVote(9, candidate.last_index, candidate.last_term), voter)

    assert is_accepted(a, a)
    assert is_accepted(a, b) or is_accepted(b, a)
    if is_accepted(a, b) and is_accepted(b, a):
        assert (a.last_index, a.last_term) == (b.last_index, b.last_term)


@given(s.entries(), s.entries(), st.integers(1, 6))
def test_every_refusal_backs_up_and_never_below_what_the_logs_share(
    leader: Entries, follower: Entries, next_: int
) -> None:
    """Backing up ends at the first entry where the logs differ, at the latest."""
    shared = next((i for i, (a, b) in enumerate(zip(leader, follower, strict=False)) if a.term != b.term),
                  min(len(leader), len(follower)))  # fmt: skip
    state = ServerState(id=0, current_term=5, role=Role.LEADER, log=Log(leader))
    prev = min(next_, len(leader) + 1) - 1
    while not RULES.log_matches(Log(follower), prev, leader[prev - 1].term if prev else 0):
        index, term = RULES.conflict_hint(Log(follower), prev)
        response = m.AppendEntriesResponse(5, False, prev, index, term)
        backed_up = RULES.backed_up_next_index(state, response) - 1
        assert min(shared, prev - 1) <= backed_up < prev
        prev = backed_up


MALFORMED: list[tuple[Any, str]] = [
    (Receive(0, m.RequestVote(1, 0, 0)), "sender 0 is not another server"),
    (Receive(7, m.RequestVote(1, 0, 0)), "sender 7 is not another server"),
    (Receive(1, m.RequestVote(0, 0, 0)), "term 0 is below 1"),
    (Receive(1, m.RequestVote(1, 2, 0)), "index 2 with term 0 names no place"),
    (Receive(1, m.RequestVote(1, -1, 0)), "index -1"),
    (Receive(1, m.RequestVote(1, 2, 3)), "term 3 is above the message's own term 1"),
    (Receive(1, m.AppendEntries(2, 0, 0, (m.Entry(2), m.Entry(1)))), "decrease somewhere"),
    (Receive(1, m.AppendEntries(2, 0, 0, (m.Entry(3),))), "decrease somewhere"),
    (Receive(1, m.AppendEntries(2, 0, 0, (m.Entry(0),))), "below 1"),
    (Receive(1, m.AppendEntries(2, 0, 0, (), -1)), "negative"),
    (Receive(1, m.AppendEntriesResponse(2, True, -3)), "negative"),
    (Receive(1, m.AppendEntriesResponse(2, False, 3, 4)), "hints at index 4"),
    (Receive(1, m.ReadIndexResponse(2, 1, -1)), "read_index -1"),
    (Receive(1, m.InstallSnapshot(2, m.Snapshot())), "last_included_index 0 is below 1"),
    (Receive(1, m.InstallSnapshot(2, m.Snapshot(1, 1), -1)), "read_round is negative"),
    (Receive(1, m.InstallSnapshot(2, m.Snapshot(1, 0))), "index 1 with term 0 names no place"),
    (Receive(1, m.InstallSnapshot(2, m.Snapshot(1, 3))), "term 3 is above the message's own term 2"),
    (TransferLeadership(3), "server 3 cannot lead this cluster of 3"),
    (Compact(1, b""), "server 0 cannot compact up to 1: applied is 0"),
    ("restart", "not an input"),
    (Receive(1, "hello"), "not a message"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("input", "text"), MALFORMED)
def test_a_malformed_input_is_a_typed_error(input: Any, text: str) -> None:
    with pytest.raises(MalformedInputError, match=text):
        step(s.CLUSTER, s.CLUSTER.start(0), input)


def test_two_leaders_in_one_term_stop_the_server() -> None:
    lone = ServerState(id=0, current_term=1, role=Role.LEADER, log=Log((m.Entry(1),)), match_index=(1, 0, 0))
    with pytest.raises(InvariantViolationError, match="server 1 sent AppendEntries as leader of term 1"):
        step(s.CLUSTER, lone, Receive(1, m.AppendEntries(1, 0, 0)))


def test_an_acknowledgement_of_what_was_never_sent_stops_the_server() -> None:
    with pytest.raises(InvariantViolationError, match="server 1 acknowledges index 2 to server 0"):
        step(s.CLUSTER, LEADER, Receive(1, m.AppendEntriesResponse(1, True, 2)))


E1, E2 = m.Entry(1, b"w1"), m.Entry(1, b"w2")
LEADER = ServerState(id=0, current_term=1, voted_for=0, role=Role.LEADER, log=Log((E1,)), match_index=(1, 1, 0),
                     next_index=(0, 2, 2), acked_round=(0, 0, 0), commit_index=1)  # fmt: skip
BROKEN: dict[str, Step] = {
    "Terms Never Go Back": Step(replace(LEADER, current_term=0)),
    "Commit Index Never Goes Back": Step(replace(LEADER, commit_index=0)),
    "Match Index Never Goes Back": Step(replace(LEADER, match_index=(1, 0, 0))),
    "Next Index Follows Match Index": Step(replace(LEADER, next_index=(0, 1, 2))),
    "One Vote a Term": Step(replace(LEADER, voted_for=2)),
    "Leader Append-Only": Step(replace(LEADER, log=Log(), match_index=(1, 1, 0))),
    "Committed Entries Stay": Step(replace(LEADER, role=Role.FOLLOWER, log=Log((E2,)))),
    "Snapshots Only Advance": Step(replace(LEADER, log=Log((E1,), m.Snapshot(0, 0, b"another")))),
    "Persist First": Step(replace(LEADER, log=Log((E1, E2)), match_index=(2, 1, 0))),
}


@pytest.mark.parametrize("name", INVARIANTS)
def test_every_invariant_can_be_broken_and_stops_the_server(name: str) -> None:
    assert not INVARIANTS[name](LEADER, BROKEN[name])
    with pytest.raises(InvariantViolationError, match="server 0 breaks"):
        require_invariants(LEADER, BROKEN[name])


@given(s.servers_and_inputs())
def test_random_steps_of_the_core_keep_the_invariants_of_a_single_server(given_: tuple[ServerState, Any]) -> None:
    """All but those that rest on what other servers have: a random message may contradict what is committed."""
    state, input = given_
    taken = step(s.CLUSTER, state, input)
    for name, holds in INVARIANTS.items():
        if name not in {"Committed Entries Stay", "Match Index Never Goes Back"}:
            assert holds(state, taken), name


def test_an_election_timeout_of_a_leader_changes_nothing() -> None:
    assert step(s.CLUSTER, LEADER, ElectionTimeout()) == Step(LEADER)
