"""A machine whose clock is wrong, and that stands still."""

import asyncio

from raftcheck.torture.host import Host, HostLoop
from raftcheck.torture.virtual_time import run


def test_a_clock_that_goes_twice_as_fast() -> None:
    async def main() -> None:
        host = Host(asyncio.get_running_loop())
        host.set_rate(2.0)
        fired: list[float] = []
        HostLoop(host).call_later(3.0, lambda: fired.append(asyncio.get_running_loop().time()))
        await asyncio.sleep(2)
        assert host.time() == 4.0
        assert fired == [1.5]
        host.set_rate(1.0)
        host.jump(10.0)
        await asyncio.sleep(1)
        assert host.time() == 15.0

    run(main())


def test_a_paused_machine_does_nothing_until_it_is_resumed() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        host, done = Host(loop), []

        async def work() -> None:
            for _ in range(3):
                await asyncio.sleep(1)
                done.append(loop.time())

        async def on_host() -> None:
            await host.run(work())

        task = asyncio.create_task(on_host())
        HostLoop(host).call_later(2.0, lambda: done.append(-loop.time()))
        await asyncio.sleep(1.5)
        host.pause()
        await asyncio.sleep(5)
        assert done == [1.0]
        host.resume()
        await task
        assert done == [1.0, -6.5, 6.5, 7.5] or done == [1.0, 6.5, -6.5, 7.5]

    run(main())


def test_a_coroutine_on_a_paused_machine_can_be_cancelled() -> None:
    async def main() -> None:
        host, unwound = Host(asyncio.get_running_loop()), []

        async def work() -> None:
            try:
                await asyncio.sleep(1)
            finally:
                unwound.append(True)

        async def on_host() -> None:
            await host.run(work())

        task = asyncio.create_task(on_host())
        await asyncio.sleep(0)
        host.pause()
        await asyncio.sleep(2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert unwound == [True]

    run(main())


def test_nothing_fires_when_a_life_is_over() -> None:
    async def main() -> None:
        loop, fired = HostLoop(Host(asyncio.get_running_loop())), []
        loop.call_later(1.0, fired.append, True)
        loop.end()
        await asyncio.sleep(2)
        assert fired == []

    run(main())
