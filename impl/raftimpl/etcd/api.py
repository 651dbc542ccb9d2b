"""The whole API of a server, on its client addresses."""

import asyncio
from collections.abc import Sequence

from raftimpl.etcd.backend import Backend
from raftimpl.etcd.calls import CallCounter
from raftimpl.etcd.cluster import Cluster
from raftimpl.etcd.front import Front
from raftimpl.etcd.gateway import Gateway
from raftimpl.etcd.grpc_calls import GrpcCalls
from raftimpl.etcd.http2_pages import Exchanges
from raftimpl.etcd.http2_server import Http2Connection
from raftimpl.etcd.http_server import HttpConnection
from raftimpl.etcd.kv import KV
from raftimpl.etcd.leadership import PATIENCE, Leadership
from raftimpl.etcd.lease import Lease
from raftimpl.etcd.maintenance import Maintenance
from raftimpl.etcd.metrics import Metrics
from raftimpl.etcd.pages import Pages
from raftimpl.etcd.service import Method
from raftimpl.etcd.tls import ClientTls
from raftimpl.etcd.watch import Watch
from raftimpl.etcd.watch_hub import WatchHub

Address = tuple[str, int]

PROGRESS_INTERVAL = 600.0
"""Seconds after which a watch that wants to hear of progress does, if nothing happened; as in etcd."""


GRACE_STEP = 0.01
"""Seconds after which it is looked again whether all calls have ended."""


class ApiServer:
    """Serves a backend to clients: gRPC, JSON and pages on the same addresses.

    `listen` are hosts and ports, port 0 means a free one. With `tls` all of it is encrypted. `patience` is for how many
    seconds a server may be without a leader before streams end whose clients want to know.
    """

    def __init__(
        self,
        backend: Backend,
        listen: Sequence[Address],
        tls: ClientTls | None = None,
        *,
        progress_interval: float = PROGRESS_INTERVAL,
        patience: float = PATIENCE,
    ) -> None:
        self._listen = listen
        self._tls = tls
        self._hub = WatchHub(backend)
        services = (
            KV(backend),
            Watch(backend, self._hub, progress_interval),
            Lease(backend),
            Cluster(backend),
            Maintenance(backend),
        )
        methods = [method for service in services for method in service.methods()]
        self.methods: Sequence[Method] = methods
        leadership, counter = Leadership(backend, patience), CallCounter(methods)
        self._pages = Pages(backend, Gateway(methods, leadership, counter), Metrics(backend, counter))
        self._exchanges = Exchanges(GrpcCalls(methods, leadership, counter), self._pages)
        self._servers: list[asyncio.Server] = []
        self._fresh: set[asyncio.Transport] = set()
        self._http1: set[HttpConnection] = set()
        self._http2: set[Http2Connection] = set()

    async def start(self) -> None:
        """Listen. Raises OSError if an address cannot be had, or a certificate cannot be read."""
        context = self._tls.context() if self._tls else None
        loop = asyncio.get_running_loop()
        try:
            for host, port in self._listen:
                self._servers.append(await loop.create_server(self._front, host, port, ssl=context))
        except OSError:
            await self.stop(0)
            raise

    def _front(self) -> Front:
        return Front(
            lambda: HttpConnection(self._pages, self._http1),
            lambda: Http2Connection(self._exchanges, self._http2),
            self._fresh,
        )

    def _connections(self) -> list[HttpConnection | Http2Connection]:
        return [*self._http1, *self._http2]

    @property
    def addresses(self) -> list[Address]:
        """Where it listens: hosts and real ports."""
        return [socket.getsockname()[:2] for server in self._servers for socket in server.sockets]

    async def stop(self, grace: float) -> None:
        """Take no more connections and calls; end those that are under way after at most `grace` seconds."""
        for server in self._servers:
            server.close()
        for transport in self._fresh:
            transport.close()
        for connection in self._connections():
            connection.stop()
        deadline = asyncio.get_running_loop().time() + grace
        while self._connections() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(GRACE_STEP)
        for connection in self._connections():
            connection.close()
        await self._hub.stop()
        self._servers.clear()
