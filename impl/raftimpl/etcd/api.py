"""The whole API of a server, on its client addresses."""

import asyncio
from collections.abc import Sequence

from raftimpl.etcd.backend import Backend
from raftimpl.etcd.calls import CallCounter
from raftimpl.etcd.cluster import Cluster
from raftimpl.etcd.connections import Connections
from raftimpl.etcd.front import PATIENCE as REQUEST_PATIENCE
from raftimpl.etcd.front import Front
from raftimpl.etcd.gateway import Gateway
from raftimpl.etcd.grpc_calls import GrpcCalls
from raftimpl.etcd.http2_pages import Exchanges
from raftimpl.etcd.http2_server import Http2Connection
from raftimpl.etcd.http_server import HttpConnection
from raftimpl.etcd.kv import KV
from raftimpl.etcd.leadership import PATIENCE, Leadership
from raftimpl.etcd.lease import Lease
from raftimpl.etcd.listener import Address, Listener, room_for_connections
from raftimpl.etcd.maintenance import Maintenance
from raftimpl.etcd.metrics import Metrics
from raftimpl.etcd.pages import Pages
from raftimpl.etcd.service import Method
from raftimpl.etcd.tls import ClientTls
from raftimpl.etcd.watch import Watch
from raftimpl.etcd.watch_hub import WatchHub

PROGRESS_INTERVAL = 600.0
"""Seconds after which a watch that wants to hear of progress does, if nothing happened; as in etcd."""


GRACE_STEP = 0.01
"""Seconds after which it is looked again whether all calls have ended."""


class ApiServer:
    """Serves a backend to clients: gRPC, JSON and pages on the same addresses.

    `listen` are hosts and ports, port 0 means a free one. With `tls` all of it is encrypted. `patience` is for how many
    seconds a server may be without a leader before streams end whose clients want to know. At most `most_connections`
    are accepted (by default as many as leave descriptors for all else); those that send nothing whole for
    `request_patience` seconds are closed.
    """

    def __init__(
        self,
        backend: Backend,
        listen: Sequence[Address],
        tls: ClientTls | None = None,
        *,
        progress_interval: float = PROGRESS_INTERVAL,
        patience: float = PATIENCE,
        most_connections: int | None = None,
        request_patience: float = REQUEST_PATIENCE,
    ) -> None:
        self._listen = listen
        self._request_patience = request_patience
        self._connections = Connections(room_for_connections() if most_connections is None else most_connections)
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
        metrics = Metrics(backend, counter, self._connections)
        self._pages = Pages(backend, Gateway(methods, leadership, counter), metrics)
        self._exchanges = Exchanges(GrpcCalls(methods, leadership, counter), self._pages)
        self._listener: Listener | None = None

    async def start(self) -> None:
        """Listen. Raises OSError if an address cannot be had, or a certificate cannot be read."""
        context = self._tls.context() if self._tls else None
        self._listener = Listener(self._connections, self._front, context)
        try:
            for host, port in self._listen:
                await self._listener.listen(host, port)
        except OSError:
            await self.stop(0)
            raise

    def _front(self) -> Front:
        return Front(
            lambda: HttpConnection(self._pages, self._connections.http1, self._request_patience),
            lambda: Http2Connection(self._exchanges, self._connections.http2),
            self._connections.fresh,
            self._request_patience,
        )

    @property
    def addresses(self) -> list[Address]:
        """Where it listens: hosts and real ports."""
        return self._listener.addresses if self._listener else []

    async def stop(self, grace: float) -> None:
        """Take no more connections and calls; end those that are under way after at most `grace` seconds."""
        if self._listener is not None:
            self._listener.close()
        for front in self._connections.fresh:
            front.close()
        for connection in self._connections.known():
            connection.stop()
        deadline = asyncio.get_running_loop().time() + grace
        while self._connections.known() and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(GRACE_STEP)
        for connection in self._connections.known():
            connection.close()
        await self._hub.stop()
