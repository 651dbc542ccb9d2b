"""What a node does for its clients, and in which order, on a disk and a network that exist in memory."""

import asyncio
from statistics import median
from unittest.mock import Mock

import pytest

from raftimpl.messages import AppendEntries, AppendEntriesResponse, RequestVoteResponse
from raftimpl.running.lessor import SPARE, Lessor
from raftimpl.running.node import Node
from raftimpl.running.ports import DiskError
from raftimpl.running.timing import Limits
from raftimpl.state import Role
from raftimpl.store.errors import RequestError
from raftimpl.store.requests import (
    LeaseExpire,
    LeaseGrant,
    LeaseGrantResponse,
    LeaseKeepAlive,
    LeaseKeepAliveResponse,
    LeaseRevoke,
    Put,
    PutResponse,
    Range,
    RangeResponse,
)
from raftimpl.store.store import Store
from tests.running.cluster import TIMING, Nodes, in_virtual_time, nodes

KEY = b"name"


def value_at(world: Nodes, server: int, key: bytes = KEY) -> bytes | None:
    found = world.up[server].machine.store.read(Range(key))
    assert isinstance(found, RangeResponse)
    return found.kvs[0].value if found.kvs else None


@in_virtual_time
async def test_a_write_at_any_server_is_at_every_server() -> None:
    async with nodes() as world:
        for server in range(3):
            value = b"from s%d" % server
            answer = await world.up[server].write(Put(KEY, value))
            assert isinstance(answer, PutResponse)
            assert answer.revision == server + 2
            for other in range(3):
                await world.up[other].confirm_read()
                assert value_at(world, other) == value


@in_virtual_time
async def test_two_writes_at_once_have_one_order_everywhere() -> None:
    async with nodes() as world:
        writes = [world.up[0].write(Put(KEY, b"John")), world.up[1].write(Put(KEY, b"Joe"))]
        answers = await asyncio.gather(*writes)
        assert {answer.revision for answer in answers} == {2, 3}
        for server in range(3):
            await world.up[server].confirm_read()
        assert len({value_at(world, server) for server in range(3)}) == 1


@in_virtual_time
async def test_many_clients_share_an_entry_and_a_sync() -> None:
    async with nodes() as world:
        leader = await world.leader()
        before = leader.state.log.last_index
        await asyncio.gather(*(leader.write(Put(b"%d" % number)) for number in range(100)))
        assert leader.state.log.last_index - before <= 2
        assert leader.machine.store.revision == 101


@in_virtual_time
async def test_nothing_is_sent_before_it_is_durable() -> None:
    """A vote and an acknowledgement promise what must survive."""
    async with nodes() as world:
        sent = 0
        carry = world.network.send

        def watching(sender: int, to: int, message: object, clock: int) -> None:
            nonlocal sent
            disk = world.network.disks[sender]
            if isinstance(message, RequestVoteResponse) and message.vote_granted:
                assert (disk.durable.current_term, disk.durable.voted_for) == (message.term, to)
                sent += 1
            if isinstance(message, AppendEntriesResponse) and message.success:
                assert disk.durable.log.last_index >= message.index
                sent += 1
            carry(sender, to, message, clock)  # type: ignore[arg-type]

        world.network.send = watching  # type: ignore[method-assign]
        leader = await world.leader()
        for number in range(10):
            await leader.write(Put(KEY, b"%d" % number))
        assert sent > 10


@in_virtual_time
async def test_writes_go_on_when_the_leader_dies_and_nothing_is_lost() -> None:
    async with nodes() as world:
        leader = await world.leader()
        await leader.write(Put(KEY, b"kept"))
        began = asyncio.get_running_loop().time()
        await world.crash(leader.state.id)
        await next(iter(world.up.values())).write(Put(b"next", b"x"))
        assert asyncio.get_running_loop().time() - began < 5 * leader.timing.election_timeout


async def seconds_without_a_leader(seed: int, dies: bool) -> float:
    """Take the leader away, by its end or by cutting it off; return how long a write elsewhere takes then."""
    async with nodes(seed=seed) as world:
        leader = await world.leader()
        await leader.write(Put(KEY))
        began = asyncio.get_running_loop().time()
        if dies:
            await world.crash(leader.state.id)
        else:
            world.isolate(leader.state.id)
        other = next(node for node in world.up.values() if node is not leader)
        await other.write(Put(KEY))
        return asyncio.get_running_loop().time() - began


@in_virtual_time
async def test_a_leader_that_dies_is_missed_sooner_than_one_that_is_silent() -> None:
    dead = [await seconds_without_a_leader(seed, dies=True) for seed in range(11)]
    silent = [await seconds_without_a_leader(seed, dies=False) for seed in range(11)]
    assert median(dead) < TIMING.election_timeout < median(silent)
    assert min(dead) > TIMING.heartbeat_interval  # a leader that has only lost its connection has time to come back


@in_virtual_time
async def test_a_write_under_way_when_the_leader_dies_is_applied_once() -> None:
    for seed in range(10):
        async with nodes(seed=seed) as world:
            follower, leader = await world.follower(), await world.leader()
            await follower.write(Put(KEY))
            writing = asyncio.create_task(follower.write(Put(KEY)))
            await asyncio.sleep(world.random.uniform(0, 0.01))
            await world.crash(leader.state.id)
            answer = await writing
            assert answer.revision == 3
            assert follower.machine.store.revision == 3


@in_virtual_time
async def test_without_a_quorum_writes_and_reads_time_out_and_the_leader_steps_aside() -> None:
    async with nodes() as world:
        leader = await world.leader()
        await leader.write(Put(KEY, b"old"))
        for server in [server for server in world.up if server != leader.state.id]:
            await world.crash(server)
        for request in (leader.write(Put(KEY, b"new")), leader.confirm_read()):
            with pytest.raises(RequestError, match="etcdserver: request timed out"):
                await request
        assert leader.state.role is not Role.LEADER
        assert leader.state.leader_id is None
        assert value_at(world, leader.state.id) == b"old"


@in_virtual_time
async def test_a_leader_that_is_cut_off_answers_no_read() -> None:
    async with nodes() as world:
        old = await world.leader()
        await old.write(Put(KEY, b"old"))
        world.isolate(old.state.id)
        reading = asyncio.create_task(old.confirm_read())
        others = set(world.up) - {old.state.id}
        new = await world.leader(others)
        await new.write(Put(KEY, b"new"))
        assert not reading.done()
        world.heal()
        await reading
        assert value_at(world, old.state.id) == b"new"


@in_virtual_time
async def test_a_far_behind_follower_gets_a_snapshot() -> None:
    async with nodes(limits=Limits(snapshot_entries=20, catch_up_entries=2)) as world:
        behind, leader = await world.follower(), await world.leader()
        world.isolate(behind.state.id)
        for number in range(100):
            await leader.write(Put(b"%d" % (number % 7), b"%d" % number))
        assert leader.state.log.first_index > behind.state.log.last_index + 1
        assert len(leader.state.log.entries) < 60
        world.heal()
        await behind.confirm_read()
        assert behind.machine.store.hash() == leader.machine.store.hash()


@in_virtual_time
async def test_a_restart_begins_with_the_snapshot() -> None:
    async with nodes(limits=Limits(snapshot_entries=20, catch_up_entries=2)) as world:
        leader = await world.leader()
        for number in range(100):
            await leader.write(Put(b"%d" % (number % 7), b"%d" % number))
        server = leader.state.id
        await world.crash(server)
        again = world.start(server)
        assert again.machine.applied_index > 20
        await again.confirm_read()
        assert again.machine.store.revision == 101


@in_virtual_time
async def test_a_lease_ends_after_its_time_and_not_before() -> None:
    async with nodes() as world:
        loop = asyncio.get_running_loop()
        node = world.up[0]
        granted = await node.write(LeaseGrant(id=7, ttl=3))
        assert isinstance(granted, LeaseGrantResponse)
        began = loop.time()
        await node.write(Put(KEY, b"x", lease=7))
        await asyncio.sleep(2)
        await node.write(LeaseKeepAlive(id=7))
        while value_at(world, 0):
            await asyncio.sleep(0.05)
        assert 5 <= loop.time() - began < 6.5


@in_virtual_time
async def test_a_new_leader_lets_leases_begin_again() -> None:
    async with nodes() as world:
        leader = await world.leader()
        await leader.write(LeaseGrant(id=7, ttl=3))
        await leader.write(Put(KEY, b"x", lease=7))
        await asyncio.sleep(2.5)
        await world.crash(leader.state.id)
        new = await world.leader()
        began = asyncio.get_running_loop().time()
        while value_at(world, new.state.id):
            await asyncio.sleep(0.05)
        assert asyncio.get_running_loop().time() - began > 2.5


async def lives_until(world: Nodes, server: int, time: float) -> None:
    """Watch a key until shortly before a time; it must not go away."""
    loop = asyncio.get_running_loop()
    while loop.time() < time - 0.05:
        assert value_at(world, server), f"gone {time - loop.time():.2f} s too early"
        await asyncio.sleep(0.02)


async def goes_away(world: Nodes, server: int) -> None:
    while value_at(world, server):
        await asyncio.sleep(0.05)


async def renew(node: Node) -> float:
    """Keep the lease alive; return until when it was promised to live."""
    began = asyncio.get_running_loop().time()
    answer = await node.write(LeaseKeepAlive(id=7))
    assert isinstance(answer, LeaseKeepAliveResponse)
    assert answer.ttl == 3
    return began + answer.ttl


@in_virtual_time
async def test_a_deposed_leader_does_not_end_a_lease_that_was_renewed_elsewhere() -> None:
    async with nodes() as world:
        old = await world.leader()
        await old.write(LeaseGrant(id=7, ttl=3))
        await old.write(Put(KEY, b"x", lease=7))
        await asyncio.sleep(2.5)
        world.isolate(old.state.id)
        new = await world.leader(set(world.up) - {old.state.id})
        await renew(new)
        while not old.pending:  # it is over by the old leader's clock
            await asyncio.sleep(0.05)
        end = await renew(new)
        world.heal()
        await lives_until(world, new.state.id, end)
        assert not old.pending
        await goes_away(world, new.state.id)


@in_virtual_time
async def test_a_renewal_that_is_answered_after_the_end_by_the_leaders_clock_counts() -> None:
    """It is in the log when the lease ends by the leader's clock, and the network is slow: it is applied later."""
    async with nodes() as world:
        follower, leader = await world.follower(), await world.leader()
        await leader.write(LeaseGrant(id=7, ttl=3))
        await leader.write(Put(KEY, b"x", lease=7))
        world.network.weather.fastest = world.network.weather.slowest = 0.3
        await asyncio.sleep(leader.lessor.remaining(7) - 0.4)
        renewing = asyncio.create_task(renew(follower))
        while not leader.pending:  # which is what ends the lease
            assert not renewing.done()
            await asyncio.sleep(0.02)
        end = await renewing
        await lives_until(world, leader.state.id, end)
        await goes_away(world, leader.state.id)


@in_virtual_time
async def test_a_lease_that_is_granted_again_ends_again() -> None:
    async with nodes(servers=1) as world:
        node = await world.leader()
        for _ in range(2):
            began = asyncio.get_running_loop().time()
            await node.write(LeaseGrant(id=7, ttl=3))
            await node.write(Put(KEY, b"x", lease=7))
            async with asyncio.timeout(10):
                await goes_away(world, 0)
            assert asyncio.get_running_loop().time() - began >= 3


@in_virtual_time
async def test_a_lease_that_is_granted_again_has_all_its_time() -> None:
    async with nodes() as world:
        follower, leader = await world.follower(), await world.leader()
        await leader.write(LeaseGrant(id=7, ttl=3))
        world.network.weather.fastest = world.network.weather.slowest = 0.3
        await asyncio.sleep(leader.lessor.remaining(7) - 0.4)
        began = asyncio.get_running_loop().time()
        writes = (LeaseRevoke(7), LeaseGrant(7, ttl=3), Put(KEY, b"x", lease=7))
        await asyncio.gather(*map(follower.write, writes))
        await lives_until(world, follower.state.id, began + 3)
        await goes_away(world, leader.state.id)


def test_what_ends_a_lease_is_asked_until_it_is_answered() -> None:
    now, store = 0.0, Store()
    lessor = Lessor(lambda: now)
    lessor.begin_office(store)
    lessor.applied(store.apply(LeaseGrant(id=7, ttl=3)))
    now = 2.9
    assert list(lessor.expired()) == []
    now = 3.0
    assert list(lessor.expired()) == [LeaseExpire(7, 1)]
    assert list(lessor.expired()) == []
    lessor.asked(LeaseExpire(7, 1))  # and was refused
    assert list(lessor.expired()) == [LeaseExpire(7, 1)]
    lessor.applied(store.apply(LeaseKeepAlive(id=7)))
    lessor.asked(LeaseExpire(7, 1))
    assert list(lessor.expired()) == []
    now = 6.0
    assert list(lessor.expired()) == [LeaseExpire(7, 2)]
    store.apply(LeaseExpire(7, 2))
    lessor.asked(LeaseExpire(7, 2))
    assert list(lessor.expired()) == []


def test_deadlines_are_forgotten_with_their_leases() -> None:
    now, store = 0.0, Store()
    lessor = Lessor(lambda: now)
    lessor.begin_office(store)
    for id in range(1, 20_000):
        lessor.applied(store.apply(LeaseGrant(id, ttl=86_400)))
        if id % 10:
            lessor.applied(store.apply(LeaseRevoke(id)))
        else:
            lessor.applied(store.apply(LeaseKeepAlive(id)))
    assert len(lessor._deadlines) <= len(lessor._next) <= 2 * len(store.leases()) + SPARE
    now = 86_400
    assert {request.id for request in lessor.expired()} == set(store.leases())


@in_virtual_time
async def test_leadership_is_handed_over() -> None:
    async with nodes() as world:
        leader = await world.leader()
        target = next(server for server in world.up if server != leader.state.id)
        writing = [asyncio.create_task(leader.write(Put(b"%d" % number))) for number in range(20)]
        await leader.move_leader(target)
        assert (await world.leader()).state.id == target
        await asyncio.gather(*writing)
        with pytest.raises(RequestError, match="not leader"):
            await leader.move_leader(target)


async def write_all_the_time(node: Node) -> None:
    while True:
        await node.write(Put(KEY))


@in_virtual_time
async def test_leadership_is_handed_over_while_others_forward_writes() -> None:
    for seed in range(10):
        async with nodes(seed=seed) as world:
            leader = await world.leader()
            others = [node for node in world.up.values() if node is not leader]
            writers = [asyncio.create_task(write_all_the_time(node)) for node in others for _ in range(10)]
            await asyncio.sleep(0.5)
            began = asyncio.get_running_loop().time()
            await leader.move_leader(others[0].state.id)
            assert asyncio.get_running_loop().time() - began < 3 * leader.timing.heartbeat_interval
            await asyncio.sleep(0.5)
            assert not any(writer.done() for writer in writers)
            for writer in writers:
                writer.cancel()


@in_virtual_time
async def test_leadership_cannot_be_handed_to_a_server_that_is_down() -> None:
    async with nodes() as world:
        leader = await world.leader()
        target = next(server for server in world.up if server != leader.state.id)
        await world.crash(target)
        with pytest.raises(RequestError, match="leader transfer took too long"):
            await leader.move_leader(target)
        await leader.write(Put(KEY))


@in_virtual_time
async def test_a_full_disk_stops_the_node_and_its_clients_learn_of_it() -> None:
    async with nodes(servers=1) as world:
        node = await world.leader()
        world.network.disks[0].is_full = True
        with pytest.raises(RequestError, match="etcdserver: server stopped"):
            await node.write(Put(KEY))
        with pytest.raises(DiskError, match="no space left"):
            await world.tasks[0]


@in_virtual_time
async def test_what_fails_in_a_timer_ends_the_node() -> None:
    async with nodes(servers=1) as world:
        node = await world.leader()
        node.lessor.expired = Mock(side_effect=RuntimeError("a bug"))  # type: ignore[method-assign]
        with pytest.raises(RuntimeError, match="a bug"):
            async with asyncio.timeout(5):
                await world.tasks[0]


@in_virtual_time
async def test_too_many_waiting_writes_are_refused() -> None:
    for bound in (Limits(waiting_requests=10), Limits(waiting_bytes=10_000)):
        async with nodes(limits=bound._replace(batch_requests=1)) as world:
            node = await world.leader()
            for _ in range(2):  # there is room again when they are done
                before = node.machine.store.revision
                writes = (node.write(Put(KEY, bytes(1000))) for _ in range(20))
                results = await asyncio.gather(*writes, return_exceptions=True)
                refused = [result for result in results if isinstance(result, RequestError)]
                assert {error.text for error in refused} == {"etcdserver: too many requests"}
                assert 9 <= len(refused) <= 10
                assert node.machine.store.revision == before + 20 - len(refused)


@in_virtual_time
async def test_too_many_waiting_reads_are_refused() -> None:
    async with nodes(limits=Limits(waiting_requests=10)) as world:
        follower = await world.follower()
        for _ in range(2):  # there is room again when they are done
            results = await asyncio.gather(*(follower.confirm_read() for _ in range(15)), return_exceptions=True)
            refused = [result for result in results if isinstance(result, RequestError)]
            assert {error.text for error in refused} == {"etcdserver: too many requests"}
            assert len(refused) == 5


@in_virtual_time
async def test_reads_are_answered_however_slow_the_network_is() -> None:
    """A question that is asked again before the first is answered must not make the first worthless."""
    async with nodes() as world:
        follower = await world.follower()
        world.network.weather.fastest = world.network.weather.slowest = 0.3
        began = asyncio.get_running_loop().time()
        await follower.confirm_read()
        assert asyncio.get_running_loop().time() - began < 2


@in_virtual_time
async def test_a_read_is_not_confirmed_by_the_answer_to_an_earlier_question() -> None:
    async with nodes() as world:
        old = await world.leader()
        await old.write(Put(KEY, b"old"))
        first = asyncio.create_task(old.confirm_read())
        await first
        world.isolate(old.state.id)
        new = await world.leader(set(world.up) - {old.state.id})
        await new.write(Put(KEY, b"new"))
        second = asyncio.create_task(old.confirm_read())
        await asyncio.sleep(0.05)
        assert not second.done()
        world.heal()
        await second
        assert value_at(world, old.state.id) == b"new"


@in_virtual_time
async def test_a_leader_that_is_deposed_waits_like_every_other_server() -> None:
    async with nodes() as world:
        leader = await world.leader()
        await asyncio.sleep(5)
        world.isolate(leader.state.id)
        deposed = asyncio.get_running_loop().time()
        leader.receive((leader.state.id + 1) % 3, RequestVoteResponse(leader.state.current_term + 5, False))
        while leader.state.role is not Role.CANDIDATE:
            await asyncio.sleep(0.01)
        assert asyncio.get_running_loop().time() - deposed >= leader.timing.election_timeout


@in_virtual_time
async def test_a_leader_that_was_held_up_hears_its_followers_before_it_steps_aside() -> None:
    async with nodes() as world:
        leader = await world.leader()
        term = leader.state.current_term
        timers = leader._timers
        timers._beat_due -= 10
        timers._heard = dict.fromkeys(timers._heard, -10.0)
        timers._beat()
        await asyncio.sleep(0.5)
        assert (leader.state.role, leader.state.current_term) == (Role.LEADER, term)


@in_virtual_time
async def test_a_server_that_was_held_up_hears_the_leader_before_it_starts_an_election() -> None:
    async with nodes() as world:
        follower = await world.follower()
        await follower.write(Put(KEY))
        timers = follower._timers
        timers._beat_due -= 10  # as if the next beat had come ten seconds late
        timers._election_due -= 10
        timers._beat()
        await asyncio.sleep(0.5)
        assert follower.state.role is Role.FOLLOWER


@in_virtual_time
async def test_much_that_a_follower_lacks_comes_in_pieces() -> None:
    async with nodes() as world:
        behind, leader = await world.follower(), await world.leader()
        largest = 0
        carry = world.network.send

        def watching(sender: int, to: int, message: object, clock: int) -> None:
            nonlocal largest
            if isinstance(message, AppendEntries):
                largest = max(largest, sum(len(entry.command or b"") for entry in message.entries))
            carry(sender, to, message, clock)  # type: ignore[arg-type]

        world.isolate(behind.state.id)
        for number in range(20):
            await leader.write(Put(b"%d" % number, b"x" * 300_000))
        world.network.send = watching  # type: ignore[method-assign]
        world.heal()
        await behind.confirm_read()
        assert behind.machine.store.revision == 21
        assert 300_000 < largest < 1_100_000


@in_virtual_time
async def test_the_log_is_cut_by_its_bytes_as_well() -> None:
    limits = Limits(snapshot_bytes=100_000, catch_up_bytes=20_000)
    async with nodes(limits=limits) as world:
        leader = await world.leader()
        for _ in range(100):
            await leader.write(Put(KEY, b"x" * 10_000))
        assert len(leader.state.log.entries) < 30
