"""What stands between each server and each other: TCP that can be slow, stuck, cut, in one direction or both."""

import asyncio
from collections.abc import Iterable

CHUNK = 1 << 16

POLL = 0.02
"""Seconds between two looks at a link that is stuck."""

Link = tuple[int, int]
"""From one server to another: connections that the first one makes."""


class Proxy:
    """Takes the connections that one server makes to another, and hands on what both say.

    `is_stuck`: nothing gets through, and nobody is told; `delay`: seconds that everything takes; `rate`: bytes a
    second, 0 for no limit.
    """

    def __init__(self, target: int) -> None:
        self.is_stuck, self.delay, self.rate = False, 0.0, 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Begin to take connections; return the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def reset(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """End all connections, and take no more."""
        if self._server:
            self._server.close()
        tasks = list(self._tasks)
        self.reset()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._carry(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a connection both ways until one side ends it."""
        writers = [writer]
        try:
            await self._while_stuck()
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            writers.append(far_writer)
            ways = [
                asyncio.ensure_future(self._pump(reader, far_writer)),
                asyncio.ensure_future(self._pump(far_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
        except OSError:
            pass  # nobody is there, as if there were no proxy
        finally:
            for each in writers:
                each.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(CHUNK):
            await asyncio.sleep(self.delay + (len(data) / self.rate if self.rate else 0.0))
            await self._while_stuck()
            writer.write(data)
            await writer.drain()

    async def _while_stuck(self) -> None:
        while self.is_stuck:
            await asyncio.sleep(POLL)


class Proxies:
    """One proxy for each ordered pair of servers."""

    def __init__(self, peer_ports: list[int]) -> None:
        servers = range(len(peer_ports))
        self._all = {(one, other): Proxy(peer_ports[other]) for one in servers for other in servers if one != other}
        self.ports: dict[Link, int] = {}

    async def start(self) -> None:
        """Begin to take connections."""
        for link, proxy in self._all.items():
            self.ports[link] = await proxy.start()

    async def stop(self) -> None:
        """End everything."""
        for proxy in self._all.values():
            await proxy.stop()

    def of(self, links: Iterable[Link]) -> list[Proxy]:
        """Return the proxies of some links."""
        return [self._all[link] for link in links if link in self._all]

    def heal(self) -> None:
        """Let everything through at once. Connections that were stuck are ended, as their servers would do in time."""
        for proxy in self._all.values():
            proxy.is_stuck, proxy.delay, proxy.rate = False, 0.0, 0
