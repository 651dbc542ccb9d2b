"""Where clients come in: the addresses that listen, and no more connections than there are file descriptors for.

asyncio's own servers accept whatever comes; when descriptors run out, the disk and the other servers get none either.
"""

import asyncio
import resource
import socket
import ssl
from collections.abc import Callable
from functools import partial

from raftimpl.etcd.connections import Connections
from raftimpl.etcd.failures import SeldomWarning, report_failure
from raftimpl.etcd.front import Front

BACKLOG = 100
"""Connections that the system keeps until they are accepted; as in asyncio."""

RESERVE = 150
"""File descriptors that clients' connections leave to the disk, the other servers and the process itself."""

REST = 1.0
"""Seconds without new connections when the system has no descriptor or no memory for one."""

Address = tuple[str, int]


def room_for_connections() -> int:
    """Return how many connections clients may have: as many as the process may have descriptors, less `RESERVE`."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if limit == resource.RLIM_INFINITY else max(limit - RESERVE, 1)


class Listener:
    """Accepts connections and gives each a protocol of its own, with TLS if there is a context for it."""

    def __init__(
        self, connections: Connections, protocol: Callable[[], Front], context: ssl.SSLContext | None = None
    ) -> None:
        self._connections = connections
        self._protocol = protocol
        self._context = context
        self._sockets: list[socket.socket] = []
        self._beginning: set[asyncio.Task[None]] = set()
        self._resting: dict[socket.socket, asyncio.TimerHandle] = {}
        self._tell_refused = SeldomWarning("a connection was refused: there are too many")
        self._tell_failed = SeldomWarning("a connection failed before it could be used")
        self._tell_resting = SeldomWarning("no connection can be accepted")

    async def listen(self, host: str, port: int) -> None:
        """Listen at an address as well. Raises OSError if it cannot be had."""
        loop = asyncio.get_running_loop()
        bound = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
        self._sockets += (sockets := [each.dup() for each in bound.sockets])
        bound.close()
        for listening in sockets:
            listening.setblocking(False)
            listening.listen(BACKLOG)
            loop.add_reader(listening, self._accept, listening)

    @property
    def addresses(self) -> list[Address]:
        """Where it listens: hosts and real ports."""
        return [listening.getsockname()[:2] for listening in self._sockets]

    def close(self) -> None:
        """Accept nothing more; drop connections that are not ready yet."""
        for resting in self._resting.values():
            resting.cancel()
        for listening in self._sockets:
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        self._sockets.clear()
        for task in self._beginning:
            task.cancel()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(BACKLOG):
            try:
                connected, remote = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._rest(listening, error)
                return
            if len(self._connections) < self._connections.most:
                self._begin(connected, remote)
            else:
                self._refuse(connected)

    def _rest(self, listening: socket.socket, error: OSError) -> None:
        """Accept nothing for a while."""
        self._tell_resting(error=str(error))
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        self._resting[listening] = loop.call_later(REST, loop.add_reader, listening, self._accept, listening)

    def _refuse(self, connected: socket.socket) -> None:
        connected.close()
        self._connections.refused += 1
        self._tell_refused(most=self._connections.most, refused=self._connections.refused)

    def _begin(self, connected: socket.socket, remote: Address) -> None:
        connected.setblocking(False)
        front = self._protocol()
        task = asyncio.get_running_loop().create_task(self._make_ready(connected, front, remote))
        self._beginning.add(task)
        task.add_done_callback(partial(self._begun, connected, front))

    async def _make_ready(self, connected: socket.socket, front: Front, remote: Address) -> None:
        """Hand a connection over to its protocol, after the handshake of TLS."""
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: front, connected, ssl=self._context)
        except OSError as error:
            front.forget()
            self._tell_failed(remote=f"{remote[0]}:{remote[1]}", error=str(error) or type(error).__name__)

    def _begun(self, connected: socket.socket, front: Front, task: asyncio.Task[None]) -> None:
        self._beginning.discard(task)
        report_failure(task)
        if task.cancelled() or task.exception() is not None:
            front.forget()
            connected.close()
