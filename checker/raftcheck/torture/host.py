"""The machine that a server runs on, as far as it can fail: its clock may be wrong, and it may stand still."""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any


class Host:
    """One machine. Its clock goes `rate` times as fast as the true one, and can be set forward."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.true_loop = loop
        self.rate = 1.0
        self._since = self._shown = loop.time()
        self._awake = asyncio.Event()
        self._awake.set()

    # The clock

    def time(self) -> float:
        """Return the time that this machine's clock shows."""
        return self._shown + (self.true_loop.time() - self._since) * self.rate

    def set_rate(self, rate: float) -> None:
        """Let the clock go faster or slower from now on."""
        self._shown, self._since, self.rate = self.time(), self.true_loop.time(), rate

    def jump(self, seconds: float) -> None:
        """Set the clock forward, as when a machine has slept; timers that are set do not notice."""
        self._shown += seconds

    # Pauses

    @property
    def is_paused(self) -> bool:
        """Tell whether nothing happens here."""
        return not self._awake.is_set()

    def pause(self) -> None:
        """Do nothing from now on. What arrives waits."""
        self._awake.clear()

    def resume(self) -> None:
        """Go on."""
        self._awake.set()

    async def awake(self) -> None:
        """Wait as long as the machine is paused."""
        while self.is_paused:
            await self._awake.wait()

    def run(self, coroutine: Coroutine[Any, Any, None]) -> "Running":
        """Return a coroutine's run on this machine: it stands still while the machine is paused."""
        return Running(coroutine, self)


class Running:
    """A coroutine that goes on only while its machine does. Whatever it waits for, it is told later."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], host: Host) -> None:
        self._coroutine, self._host = coroutine, host

    def __await__(self) -> Generator[Any, Any, None]:
        go_on: Callable[[Any], Any] = self._coroutine.send
        told: Any = None
        while True:
            try:
                waits_for = go_on(told)
            except StopIteration:
                return
            try:
                told, go_on = (yield waits_for), self._coroutine.send
                yield from self._host.awake().__await__()
            except BaseException as error:
                told, go_on = error, self._coroutine.throw


class HostLoop:
    """An event loop as one life of a server sees it: with its machine's clock, still while that is paused.

    It has what a `raftimpl.running.node.Node` needs of a loop.
    """

    def __init__(self, host: Host) -> None:
        self._host, self._is_over = host, False
        self.create_future = host.true_loop.create_future
        self.create_task = host.true_loop.create_task
        self.time = host.time

    def call_later(self, delay: float, callback: Callable[..., object], *arguments: Any) -> asyncio.TimerHandle:
        """Call back after a delay by the machine's clock, and not before it is awake."""
        return self._host.true_loop.call_later(delay / self._host.rate, self._fire, callback, arguments)

    def end(self) -> None:
        """Call nothing back any more: the server is gone."""
        self._is_over = True

    def _fire(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self._is_over:
            return
        if self._host.is_paused:
            self.create_task(self._fire_when_awake(callback, arguments))
        else:
            callback(*arguments)

    async def _fire_when_awake(self, callback: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        await self._host.awake()
        self._fire(callback, arguments)
