"""Many pieces of work at once, whose results come in the order in which the work was given."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


async def in_order(
    items: AsyncIterator[Item], work: Callable[[Item], Awaitable[Result]], most: int
) -> AsyncGenerator[Result, None]:
    """Yield what work makes of each item, in the order of the items, which begin in this order too.

    At most `most` have begun and are not yet yielded. What fails raises in its place, after the results before it.
    No work goes on when this generator has ended or is closed.
    """
    begun: deque[asyncio.Task[Result]] = deque()
    free, ready = asyncio.Semaphore(most), asyncio.Semaphore(0)

    async def result_of(item: Item) -> Result:
        return await work(item)

    async def begin_all() -> None:
        try:
            async for item in items:
                await free.acquire()
                begun.append(asyncio.ensure_future(result_of(item)))
                ready.release()
        finally:
            ready.release()  # what is ready without work is the end

    beginning = asyncio.ensure_future(begin_all())
    try:
        while True:
            await ready.acquire()
            if not begun:
                break
            yield await begun[0]
            begun.popleft()
            free.release()
        await beginning
    finally:
        for task in (beginning, *begun):
            task.cancel()
        await asyncio.gather(beginning, *begun, return_exceptions=True)
