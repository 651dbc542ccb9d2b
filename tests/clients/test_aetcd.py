"""aetcd, a client that speaks gRPC, as it comes.

It brings the messages of etcd's API along, under the names that ours have; both live in one process here.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from raftimpl.etcd import rpc_pb2 as rpc
from tests.clients.conftest import Place

aetcd = pytest.importorskip("aetcd", reason="aetcd is not installed")

Story = Callable[[Any], Awaitable[None]]


async def get_and_put(client: Any) -> None:
    await client.put(b"a/1", b"one")
    await client.put(b"a/2", b"two")
    found = await client.get(b"a/1")
    assert (found.value, found.version) == (b"one", 1)
    assert await client.get(b"absent") is None
    assert [each.value for each in await client.get_prefix(b"a/")] == [b"one", b"two"]
    ordered = await client.get_prefix(b"a/", sort_order="descend", sort_target="mod")
    assert [each.value for each in ordered] == [b"two", b"one"]
    assert (await client.get(b"a/1", serializable=True)).value == b"one"
    assert (await client.put(b"a/1", b"eins", prev_kv=True)).prev_kv.value == b"one"
    assert await client.delete(b"a/1")
    assert not await client.delete(b"a/1")
    assert (await client.delete_prefix(b"a/")).deleted == 1


async def replace(client: Any) -> None:
    await client.put(b"r", b"1")
    assert await client.replace(b"r", b"1", b"2")
    assert not await client.replace(b"r", b"1", b"3")
    assert (await client.get(b"r")).value == b"2"


async def transaction(client: Any) -> None:
    on = client.transactions
    succeeded, _ = await client.transaction(
        compare=[on.version(b"t") == 0, on.create(b"t") == 0],
        success=[on.put(b"t", b"1"), on.put(b"u", b"2")],
        failure=[on.get(b"t")],
    )
    assert succeeded
    succeeded, [found] = await client.transaction(
        compare=[on.value(b"t") == b"2"], success=[on.delete(b"t")], failure=[on.get(b"t")]
    )
    assert not succeeded
    assert [value for value, _ in found] == [b"1"]


async def watch(client: Any) -> None:
    seen = await client.watch_prefix(b"w/", prev_kv=True)
    await client.put(b"w/1", b"one")
    await client.put(b"other", b"unseen")
    await client.delete(b"w/1")
    events = [event async for event in first(seen, 2)]
    await seen.cancel()
    assert [event.kind for event in events] == [aetcd.EventKind.PUT, aetcd.EventKind.DELETE]
    assert events[0].kv.value == b"one"
    assert events[1].prev_kv.value == b"one"


async def watch_from_a_revision(client: Any) -> None:
    await client.put(b"w", b"1")
    revision = (await client.get(b"w")).mod_revision
    await client.put(b"w", b"2")
    seen = await client.watch(b"w", start_revision=revision)
    assert [event.kv.value async for event in first(seen, 2)] == [b"1", b"2"]
    await seen.cancel()


async def lease(client: Any) -> None:
    lease = await client.lease(100)
    await client.put(b"l", b"1", lease=lease)
    assert await lease.granted_ttl() == 100
    assert 0 < await lease.remaining_ttl() <= 100
    assert list(await lease.keys()) == [b"l"]
    assert (await lease.refresh()).TTL == 100
    await lease.revoke()
    assert await client.get(b"l") is None


async def lock(client: Any) -> None:
    async with client.lock(b"mutex", ttl=100) as held:
        assert await held.is_acquired()
        other = client.lock(b"mutex", ttl=100)
        waiting = asyncio.create_task(other.acquire(timeout=20))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    assert await waiting
    assert await other.is_acquired()
    await other.release()


async def members_and_status(client: Any) -> None:
    members = [member.id async for member in client.members()]
    status = await client.status()
    assert status.leader.id in members
    assert status.version == "3.4.23"


async def errors(client: Any) -> None:
    with pytest.raises(aetcd.ClientError):
        await client.put(b"", b"no key")
    with pytest.raises(aetcd.ClientError):
        await client.put(b"k", b"1", lease=77)
    assert await client.get(b"k") is None


STORIES = [get_and_put, replace, transaction, watch, watch_from_a_revision, lease, lock, members_and_status, errors]


async def first(events: Any, count: int) -> Any:
    async for event in events:
        yield event
        count -= 1
        if not count:
            return


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_aetcd(story: Story, place: Place) -> None:
    async def told() -> None:
        async with asyncio.timeout(30), aetcd.Client(host=place.host, port=place.port, timeout=10) as client:
            await client.delete_range(b"\0", b"\0")
            await story(client)

    asyncio.run(told())


def test_its_messages_and_ours_are_two() -> None:
    theirs = aetcd.rpc.RangeRequest
    assert theirs.DESCRIPTOR.full_name == rpc.RangeRequest.DESCRIPTOR.full_name
    assert theirs is not rpc.RangeRequest
    assert theirs.FromString(rpc.RangeRequest(key=b"a", limit=3).SerializeToString()).limit == 3
