"""Much work of one stream: in order, bounded, and none left behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

import grpc
import pytest

from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.in_order import in_order
from raftimpl.store.errors import Code, no_leader
from raftimpl.store.requests import LeaseGrant, LeaseKeepAlive, Response, Write
from tests.etcd.running import Served, eventually, run


async def numbers(count: int, failure: Exception | None = None) -> AsyncIterator[int]:
    for number in range(count):
        yield number
    if failure is not None:
        raise failure


class Work:
    """Work that the test lets end; how much of it is under way, and was at most."""

    def __init__(self) -> None:
        self.waiting: dict[int, asyncio.Future[None]] = {}
        self.most = 0

    async def __call__(self, item: int) -> int:
        self.waiting[item] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self.waiting))
        try:
            await self.waiting[item]
        finally:
            del self.waiting[item]
        return item * item

    async def let_end(self, *items: int) -> None:
        for item in items:
            await eventually(lambda item=item: item in self.waiting)
            self.waiting[item].set_result(None)


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """Run a test that is a coroutine; no task may be left at its end."""

    def wrapped() -> None:
        async def main() -> None:
            async with asyncio.timeout(10):
                await test()
            await eventually(lambda: len(asyncio.all_tasks()) == 1)

        asyncio.run(main())

    wrapped.__name__ = test.__name__
    return wrapped


@in_a_loop
async def test_results_come_in_the_order_of_the_items_and_few_are_under_way() -> None:
    work = Work()
    ending = asyncio.ensure_future(work.let_end(2, 1, 0, 5, 4, 3, 6))
    assert [result async for result in in_order(numbers(7), work, 3)] == [0, 1, 4, 9, 16, 25, 36]
    await ending
    assert work.most == 3


@in_a_loop
async def test_a_failure_comes_in_its_place_and_ends_the_rest() -> None:
    work = Work()
    results = in_order(numbers(9), work, 4)
    ending = asyncio.ensure_future(work.let_end(2, 0))
    assert await anext(results) == 0
    await ending
    work.waiting[1].set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await anext(results)
    assert not work.waiting


@in_a_loop
async def test_items_that_fail_do_so_after_the_results() -> None:
    work = Work()
    results = in_order(numbers(2, ZeroDivisionError()), work, 4)
    ending = asyncio.ensure_future(work.let_end(1, 0))
    assert [await anext(results), await anext(results)] == [0, 1]
    await ending
    with pytest.raises(ZeroDivisionError):
        await anext(results)


@pytest.mark.parametrize("is_waiting", [True, False])
def test_nothing_goes_on_when_nobody_wants_the_results(is_waiting: bool) -> None:
    @in_a_loop
    async def test() -> None:
        work = Work()

        async def take() -> None:
            async with aclosing(in_order(numbers(9), work, 4)) as results:
                async for _ in results:
                    if not is_waiting:
                        return

        taking = asyncio.ensure_future(take())
        await work.let_end(0)
        if is_waiting:
            await eventually(lambda: 4 in work.waiting)
            taking.cancel()
        await asyncio.wait([taking])
        assert taking.cancelled() is is_waiting
        assert not work.waiting

    test()


LEASES = range(1, 6)


def test_renewals_are_under_way_at_once_and_a_refusal_ends_the_stream_in_its_place() -> None:
    """As etcd's: what came before it is answered, what came after it is not."""

    async def scenario(one: Served) -> None:
        for id in LEASES:
            one.backend.apply(LeaseGrant(id, 100))
        write, together = one.backend.write, asyncio.Barrier(len(LEASES))

        async def write_together(request: Write) -> Response:
            assert isinstance(request, LeaseKeepAlive)
            await together.wait()
            if request.id == refused:
                raise no_leader()
            return await write(request)

        one.backend.write = write_together  # type: ignore[method-assign]
        for refused in (0, 3):
            answers = await renewed(one)
            assert answers == [1, 2, *([(Code.UNAVAILABLE, "etcdserver: no leader")] if refused else [3, 4, 5])]

    run(scenario)


async def renewed(one: Served) -> list[Any]:
    """Return the leases that are answered for, and the refusal at the end if there is one."""
    answers: list[Any] = []
    requests = [rpc.LeaseKeepAliveRequest(ID=id) for id in LEASES]
    try:
        async for each in one.method("Lease/LeaseKeepAlive", one.channel.stream_stream)(iter(requests)):
            answers.append(each.ID)  # noqa: PERF401  # a comprehension would lose what came before the refusal
    except grpc.aio.AioRpcError as error:
        answers.append((error.code().value[0], error.details()))
    return answers


def test_a_client_that_goes_away_leaves_no_renewal_behind() -> None:
    async def scenario(one: Served) -> None:
        one.backend.delay = 60
        call = one.method("Lease/LeaseKeepAlive", one.channel.stream_stream)()
        for id in LEASES:
            await call.write(rpc.LeaseKeepAliveRequest(ID=id))
        await eventually(lambda: len(renewing()) == len(LEASES))
        call.cancel()
        await eventually(lambda: not renewing())

    run(scenario)


def renewing() -> list[object]:
    return [task for task in asyncio.all_tasks() if "result_of" in getattr(task.get_coro(), "__qualname__", "")]
