"""Whole servers with their clients: examples, and random schedules on five servers."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raftimpl import replica as r
from raftimpl.errors import InvariantViolationError
from raftimpl.keyvalue import Answer, Store, apply_command, decode_command
from raftimpl.messages import AppendEntries, Entry
from raftimpl.step import Receive
from raftspec import keyvalue as spec
from raftspec.keyvalue import CompareAndSet, Get, ListPrefix, Put, Result, document
from tests.impl.simulated import SimulatedCluster

ONE, TWO = document(1), document(2)


def with_leader(servers: int = 3) -> SimulatedCluster:
    cluster = SimulatedCluster(servers)
    cluster.timeout(0)
    cluster.settle(set(range(servers)))
    assert cluster.leaders() == [0]
    return cluster


def test_a_write_at_a_follower_is_answered_when_a_majority_has_it() -> None:
    cluster = with_leader()
    request = cluster.write(2, "alice", Put("a", ONE))
    assert cluster.answer(request) is None
    cluster.settle({0, 2})
    assert cluster.answer(request) == Answer(Result(True), 2)
    cluster.heartbeat(0)
    cluster.settle({0, 1, 2})
    assert len({replica.store for replica in cluster.replicas}) == 1


def test_without_a_majority_nothing_is_answered_and_local_reads_still_work() -> None:
    cluster = with_leader()
    done = cluster.write(0, "alice", Put("a", ONE))
    cluster.settle({0, 1, 2})
    waiting, read = cluster.write(0, "alice", Put("a", TWO)), cluster.read(0, Get("a"))
    cluster.settle({0})
    assert (cluster.answer(done) is None, cluster.answer(waiting), cluster.answer(read)) == (False, None, None)
    local = cluster.read_locally(0, Get("a"))
    assert cluster.answer(local) == Answer(Result(True, (("a", ONE),)), 2)


def test_a_server_that_knows_no_leader_says_so() -> None:
    cluster = SimulatedCluster(3)
    assert {cluster.write(1, "alice", Put("a", ONE)), cluster.read(2, Get("a"))} == cluster.refused
    assert not cluster.replicas[1].waiting_writes
    assert not cluster.replicas[2].waiting_reads


def test_losing_one_of_three_loses_nothing() -> None:
    cluster = with_leader()
    for number in range(3):
        request = cluster.write(number, f"client {number}", Put(f"key {number}", document(number)))
        cluster.settle({0, 1, 2})
        assert cluster.answer(request) is not None
    for lost in range(3):
        rest = {0, 1, 2} - {lost}
        for server in rest:
            cluster.crash(server)
        cluster.under_way.clear()
        while not rest & set(cluster.leaders()):
            for candidate in rest:
                cluster.timeout(candidate)
                cluster.settle(rest)
        found = cluster.read(max(rest), ListPrefix("key"))
        cluster.settle(rest)
        assert cluster.answer(found).result.documents == tuple((f"key {n}", document(n)) for n in range(3))


def test_two_conflicting_writes_at_two_servers_end_in_one_order_everywhere() -> None:
    cluster = with_leader()
    first = cluster.write(1, "alice", CompareAndSet("a", None, ONE))
    second = cluster.write(2, "bob", CompareAndSet("a", None, TWO))
    cluster.settle({0, 1, 2})
    cluster.heartbeat(0)
    cluster.settle({0, 1, 2})
    answers = [cluster.answer(first), cluster.answer(second)]
    assert [answer.result.succeeded for answer in answers].count(True) == 1
    values = {dict(replica.store.records.items())["a"].document for replica in cluster.replicas}
    assert values == {ONE if answers[0].result.succeeded else TWO}


def test_documents_under_different_keys_are_independent() -> None:
    cluster = with_leader()
    cluster.write(0, "alice", Put("a", ONE))
    cluster.write(1, "bob", Put("b", TWO))
    cluster.settle({0, 1, 2})
    cluster.write(2, "carol", Put("b", ONE))
    cluster.settle({0, 1, 2})
    assert cluster.replicas[0].store.records["a"].mod_revision == 2
    assert cluster.replicas[0].store.records["b"].version == 2


def test_a_forward_that_arrives_twice_is_applied_once() -> None:
    cluster = with_leader()
    request = cluster.write(2, "alice", Put("a", ONE))
    cluster.deliver(0, keep=True)
    cluster.settle({0, 1, 2})
    assert sum(entry.command is not None for entry in cluster.replicas[0].server.log.entries) == 2
    assert cluster.answer(request) == Answer(Result(True), 2)
    assert cluster.replicas[0].store.revision == 2


def test_a_client_that_gave_up_is_not_answered() -> None:
    cluster = with_leader()
    write, read = cluster.write(0, "alice", Put("a", ONE)), cluster.read(0, Get("a"))
    for request in (write, read):
        cluster.take(0, r.GiveUp(request))
    cluster.settle({0, 1, 2})
    assert (cluster.answer(write), cluster.answer(read)) == (None, None)
    assert cluster.replicas[0].store.revision == 2


def test_a_client_that_has_moved_on_is_told_so() -> None:
    cluster = with_leader()
    for _ in range(2):
        cluster.write(0, "alice", Put("a", ONE))
        cluster.settle({0, 1, 2})
    cluster.sequences["alice"] = 0
    stale = cluster.write(0, "alice", Put("a", TWO))
    cluster.settle({0, 1, 2})
    assert stale in cluster.superseded
    assert cluster.replicas[0].store.records["a"].document == ONE


def test_bytes_that_are_no_command_are_passed_over_by_all() -> None:
    cluster = with_leader(1)
    replica = cluster.replicas[0]
    after, answers = r.apply_entry(replica, Entry(1, b"nonsense"))
    assert (after, answers) == (replica, ())


def test_a_leader_that_would_overwrite_what_is_committed_stops_the_server() -> None:
    cluster = with_leader()
    with pytest.raises(InvariantViolationError, match="Committed Entries Stay"):
        cluster.take(1, Receive(2, AppendEntries(9, 0, 0, (Entry(9),))))


ACTIONS = st.one_of(
    st.tuples(st.just("timeout"), st.integers(0, 4), st.just(0)),
    st.tuples(st.just("elect"), st.integers(0, 4), st.integers(0, 9)),
    st.tuples(st.just("heartbeat"), st.integers(0, 4), st.just(0)),
    st.tuples(st.just("crash"), st.integers(0, 4), st.just(0)),
    st.tuples(st.sampled_from(["deliver", "repeat", "lose"]), st.integers(0, 99), st.just(0)),
    st.tuples(st.just("settle"), st.integers(0, 9), st.just(0)),
    st.tuples(st.sampled_from(["put", "swap", "get"]), st.integers(0, 4), st.integers(0, 3)),
)
GROUPS = [
    {0, 1, 2, 3, 4},
    {0, 1, 2},
    {2, 3, 4},
    {0, 2, 4},
    {1, 3},
    {0, 1, 3, 4},
    {1, 2, 3},
    {0, 4, 1},
    {3, 4},
    {2, 3, 0},
]
"""Who can talk to whom while everything is delivered: all, majorities, minorities."""


def act(cluster: SimulatedCluster, action: str, a: int, b: int) -> None:
    match action:
        case "deliver":
            cluster.deliver(a)
        case "repeat":
            cluster.deliver(a, keep=True)
        case "elect":
            cluster.timeout(a)
            cluster.settle(GROUPS[b])
        case "settle":
            cluster.settle(GROUPS[a])
        case "put":
            cluster.write(a, f"client {a}", Put(f"key {b % 2}", document([a, len(cluster.requests)])))
        case "swap":
            cluster.write(a, f"client {a}", CompareAndSet("key 0", None if b else ONE, document(b)))
        case "get":
            cluster.read(a, ListPrefix())
        case _:
            getattr(cluster, action)(a)


def check(cluster: SimulatedCluster) -> None:
    """All that a client or a reader of the paper may expect of a cluster at any moment."""
    servers = [replica.server for replica in cluster.replicas]
    leaders = [server for server in servers if server.id in cluster.leaders()]
    assert len({leader.current_term for leader in leaders}) == len(leaders)
    longest = cluster.committed
    stores, answers = [Store()], {}
    for entry in longest:
        store = stores[-1]
        if entry.command is not None:
            command = decode_command(entry.command)
            store, answer = apply_command(store, command)
            answers.setdefault((command.client, command.sequence), answer)
        stores.append(store)
    for replica in cluster.replicas:
        server = replica.server
        assert server.log.entries[: server.commit_index] == longest[: server.commit_index]
        assert replica.store == stores[server.commit_index]
        assert cluster.disks[server.id].log == server.log
    for request in cluster.requests.values():
        check_request(request, stores, answers)


def check_request(request: Any, stores: list[Store], answers: dict[Any, Any]) -> None:
    for told in request.answers:
        if isinstance(request.input, r.WriteRequest):
            assert told.answer == answers[request.input.client, request.input.sequence]
        else:
            assert told.answer.revision >= request.committed_before
            seen = next(store for store in stores if store.revision == told.answer.revision)
            model = {key: record.document for key, record in seen.records.items()}
            assert told.answer.result == spec.apply(model, request.input.operation)[1]


@settings(max_examples=150)
@given(st.lists(ACTIONS, min_size=20, max_size=80))
def test_random_schedules_on_five_servers(actions: list[tuple[str, int, int]]) -> None:
    cluster = SimulatedCluster(5)
    for action in actions:
        act(cluster, *action)
        check(cluster)
    heal(cluster)


def heal(cluster: SimulatedCluster) -> None:
    """When all messages arrive again, some server is elected, a write goes through and all copies are the same."""
    everyone = set(range(5))
    for server in everyone:
        cluster.crash(server)
    while not cluster.leaders():
        for candidate in everyone:
            cluster.timeout(candidate)
            cluster.settle(everyone)
    [leader] = cluster.leaders()
    request = cluster.write((leader + 1) % 5, "the last", Put("last", ONE))
    cluster.settle(everyone)
    cluster.heartbeat(leader)
    cluster.settle(everyone)
    assert cluster.answer(request) is not None
    assert len({replica.store for replica in cluster.replicas}) == 1
    check(cluster)
