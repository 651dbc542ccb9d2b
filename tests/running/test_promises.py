"""What clients of a cluster of whole nodes are promised, on disks and a network that exist in memory."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from itertools import compress

import pytest

from raftimpl.errors import InvariantViolationError
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.kv import KV
from raftimpl.etcd.lease import MOST_RENEWALS, Lease
from raftimpl.etcd.maintenance import Maintenance
from raftimpl.messages import AppendEntries, Entry, ForwardedRequest
from raftimpl.running.backend import NodeBackend
from raftimpl.running.configuration import Options, configuration_of
from raftimpl.step import ClientRequest
from raftimpl.store.errors import RequestError
from raftimpl.store.requests import Compare, CompareResult, CompareTarget, KeyValue, LeaseGrant, Put, Txn, TxnResponse
from tests.running.cluster import Nodes, in_virtual_time, nodes
from tests.store.asking import all_at

KEY = b"name"


def contents(world: Nodes, server: int) -> dict[bytes, bytes]:
    return {kv.key: kv.value for kv in all_at(world.up[server].machine.store)}


def backend(world: Nodes, server: int) -> NodeBackend:
    """What the API has to do with a node."""
    initial = ",".join(f"s{number}=http://localhost:{number + 1}" for number in range(world.cluster.servers))
    configuration = configuration_of(Options(name=f"s{server}", initial_cluster=initial))

    async def ask_ttl(other: int, lease: int) -> float | None:
        return world.up[other].remaining_ttl(lease) if other in world.up else None

    return NodeBackend(configuration, world.up[server], {}, ask_ttl)


def isolate_all(world: Nodes) -> None:
    for server in world.up:
        world.isolate(server)


def holders(world: Nodes, index: int) -> set[int]:
    """The servers that have the log up to an index on disk."""
    return {server for server, disk in world.network.disks.items() if disk.durable.log.last_index >= index}


@in_virtual_time
async def test_a_write_is_answered_when_a_majority_has_it() -> None:
    async with nodes() as world:
        leader, follower = await world.leader(), await world.follower()
        (third,) = set(world.up) - {leader.state.id, follower.state.id}
        world.isolate(third)
        for node in (leader, follower):
            await node.write(Put(KEY, b"x"))
            assert holders(world, node.machine.applied_index) == {leader.state.id, follower.state.id}
        assert contents(world, third) == {}
        world.heal()
        await world.up[third].confirm_read()
        assert len({node.machine.store.hash() for node in world.up.values()}) == 1


@in_virtual_time
async def test_serializable_reads_are_answered_at_once_from_what_the_server_has() -> None:
    async with nodes() as world:
        behind, leader = await world.follower(), await world.leader()
        await behind.write(Put(KEY, b"old"))
        world.isolate(behind.state.id)
        await leader.write(Put(KEY, b"new"))
        api, began = KV(backend(world, behind.state.id)), asyncio.get_running_loop().time()
        linearizable = asyncio.create_task(api.range(rpc.RangeRequest(key=KEY)))
        local = await api.range(rpc.RangeRequest(key=KEY, serializable=True))
        assert (local.kvs[0].value, local.header.revision) == (b"old", 2)
        assert asyncio.get_running_loop().time() == began
        await asyncio.sleep(1)
        assert not linearizable.done()
        world.heal()
        found = await linearizable
        assert (found.kvs[0].value, found.header.revision) == (b"new", 3)


@in_virtual_time
async def test_losing_one_of_three_loses_nothing() -> None:
    for lost in range(3):
        async with nodes(seed=lost) as world:
            written = {b"key %d" % server: b"%d" % server for server in range(3)}
            for server, (key, value) in enumerate(written.items()):
                await world.up[server].write(Put(key, value))
            for server in range(3):
                await world.crash(server)
            for server in {0, 1, 2} - {lost}:
                world.start(server)
            for server, node in world.up.items():
                await node.confirm_read()
                assert contents(world, server) == written


@in_virtual_time
async def test_of_two_conflicting_writes_at_two_servers_one_succeeds() -> None:
    is_absent = Compare(CompareResult.EQUAL, CompareTarget.VERSION, KEY, 0)
    async with nodes() as world:
        values = (b"John", b"Joe", b"Jane")
        writes = [world.up[server].write(Txn((is_absent,), (Put(KEY, value),))) for server, value in enumerate(values)]
        answers = await asyncio.gather(*writes)
        succeeded = [isinstance(answer, TxnResponse) and answer.succeeded for answer in answers]
        (winner,) = compress(values, succeeded)
        for server, node in world.up.items():
            await node.confirm_read()
            assert contents(world, server) == {KEY: winner}


@in_virtual_time
async def test_documents_under_different_keys_are_independent() -> None:
    async with nodes() as world:
        for server, (key, value) in enumerate([(b"a", b"1"), (b"b", b"2"), (b"b", b"3")]):
            await world.up[server].write(Put(key, value))
        for node in world.up.values():
            await node.confirm_read()
            assert all_at(node.machine.store) == (KeyValue(b"a", 2, 2, 1, b"1"), KeyValue(b"b", 3, 4, 2, b"3"))


@in_virtual_time
async def test_a_forward_that_arrives_twice_is_applied_once() -> None:
    async with nodes() as world:
        follower, leader = await world.follower(), await world.leader()
        carry = world.network.send

        def twice(sender: int, to: int, message: object, clock: int) -> None:
            for _ in range(1 + isinstance(message, ForwardedRequest)):
                carry(sender, to, message, clock)  # type: ignore[arg-type]

        world.network.send = twice  # type: ignore[method-assign]
        answer = await follower.write(Put(KEY, b"x"))
        await asyncio.sleep(1)
        first, second = commands(leader.state.log.entries)
        assert first == second
        assert answer.revision == 2
        assert [node.machine.store.revision for node in world.up.values()] == [2, 2, 2]


def commands(entries: tuple[Entry, ...]) -> Iterator[bytes]:
    return (entry.command for entry in entries if entry.command is not None)


@in_virtual_time
async def test_a_server_that_knows_no_leader_says_so_and_refuses_clients_when_their_time_is_over() -> None:
    async with nodes() as world:
        isolate_all(world)
        node = world.up[0]
        status = await Maintenance(backend(world, 0)).status(rpc.StatusRequest())
        assert (status.leader, list(status.errors)) == (0, ["etcdserver: no leader"])
        for request in (node.write(Put(KEY, b"refused")), node.confirm_read()):
            began = asyncio.get_running_loop().time()
            with pytest.raises(RequestError, match="etcdserver: request timed out"):
                await request
            waited = asyncio.get_running_loop().time() - began
            assert node.timing.request_timeout <= waited <= node.timing.request_timeout + 1
        waiting = asyncio.create_task(node.write(Put(KEY, b"waited")))
        await asyncio.sleep(1)
        assert not waiting.done()
        world.heal()
        assert (await waiting).revision == 2
        assert contents(world, 0) == {KEY: b"waited"}


@in_virtual_time
async def test_a_client_that_gives_up_before_its_write_is_proposed_has_written_nothing() -> None:
    async with nodes() as world:
        isolate_all(world)
        writing = asyncio.create_task(world.up[0].write(Put(KEY, b"given up")))
        await asyncio.sleep(1)
        writing.cancel()
        world.heal()
        assert (await world.up[0].write(Put(b"next"))).revision == 2
        assert contents(world, 0) == {b"next": b""}


@in_virtual_time
async def test_a_client_that_gives_up_later_is_not_answered_and_its_write_takes_effect() -> None:
    async with nodes() as world:
        leader = await world.leader()
        asked = [asyncio.create_task(leader.write(Put(KEY, b"x"))), asyncio.create_task(leader.confirm_read())]
        before = leader.state.log.last_index
        while leader.state.log.last_index == before:
            await asyncio.sleep(0.0001)
        assert not any(task.done() for task in asked)
        for task in asked:
            task.cancel()
        assert (await leader.write(Put(b"next"))).revision == 3
        await leader.confirm_read()
        assert contents(world, leader.state.id) == {KEY: b"x", b"next": b""}


@in_virtual_time
async def test_bytes_that_are_no_batch_are_passed_over_by_all() -> None:
    async with nodes() as world:
        leader = await world.leader()
        leader.give(ClientRequest(b"nonsense"))
        assert (await leader.write(Put(KEY))).revision == 2
        assert b"nonsense" in commands(leader.state.log.entries)
        for node in world.up.values():
            await node.confirm_read()
            assert node.machine.store.revision == 2


@in_virtual_time
async def test_a_leader_that_would_overwrite_what_is_committed_stops_the_server() -> None:
    async with nodes() as world:
        follower, leader = await world.follower(), await world.leader()
        await follower.write(Put(KEY, b"kept"))
        follower.receive(leader.state.id, AppendEntries(99, 0, 0, (Entry(99),)))
        with pytest.raises(InvariantViolationError, match="Committed Entries Stay"):
            await world.tasks[follower.state.id]
        assert contents(world, follower.state.id) == {KEY: b"kept"}
        assert (await leader.write(Put(KEY, b"next"))).revision == 3


@in_virtual_time
async def test_every_server_tells_the_time_of_a_lease_by_the_leaders_clock() -> None:
    async with nodes() as world:
        leader, follower = await world.leader(), await world.follower()
        await leader.write(LeaseGrant(id=7, ttl=10))
        await asyncio.sleep(4)
        server = follower.state.id
        await world.crash(server)
        world.start(server)
        await world.up[server].confirm_read()
        told = [await backend(world, each).remaining_ttl(7) for each in world.up]
        assert all(5 < seconds < 6.1 for seconds in told)
        assert max(told) - min(told) < 0.01


@in_virtual_time
async def test_without_a_leader_nobody_tells_the_time_of_a_lease() -> None:
    async with nodes() as world:
        leader, follower = await world.leader(), await world.follower()
        await leader.write(LeaseGrant(id=7, ttl=100))
        isolate_all(world)
        await asyncio.sleep(5)
        with pytest.raises(RequestError, match="request timed out"):
            await backend(world, follower.state.id).remaining_ttl(7)


@in_virtual_time
async def test_many_renewals_of_one_stream_share_few_entries() -> None:
    """A client keeps all its leases alive on one stream: each must not take a commit of its own."""

    async def requests() -> AsyncIterator[rpc.LeaseKeepAliveRequest]:
        for id in ids:
            yield rpc.LeaseKeepAliveRequest(ID=id)

    async with nodes() as world:
        node = await world.follower()
        await node.write(LeaseGrant(7, 100))
        ids = [7, 8, *range(100, 100 + 2 * MOST_RENEWALS), 7]
        before = node.machine.applied_index
        answers = [(each.ID, each.TTL) async for each in Lease(backend(world, node.state.id)).keep_alive(requests())]
        assert answers == [(id, 100 if id == 7 else 0) for id in ids]
        assert node.machine.applied_index - before < 20
