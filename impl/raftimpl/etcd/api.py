"""The whole API of a server, on its client addresses."""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from raftimpl.etcd.backend import Backend
from raftimpl.etcd.calls import CallCounter
from raftimpl.etcd.cluster import Cluster
from raftimpl.etcd.front import Front
from raftimpl.etcd.gateway import Gateway
from raftimpl.etcd.grpc_server import GrpcServer
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

LONGEST_SOCKET_PATH = 100
"""A path of a socket may have 107 bytes."""

PROGRESS_INTERVAL = 600.0
"""Seconds after which a watch that wants to hear of progress does, if nothing happened; as in etcd."""


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
        self._grpc = GrpcServer(methods, leadership, counter)
        self._pages = Pages(backend, Gateway(methods, leadership, counter), Metrics(backend, counter))
        self._open: set[asyncio.Transport] = set()
        self._servers: list[asyncio.Server] = []
        self._folder = ""

    async def start(self) -> None:
        """Listen. Raises OSError if an address cannot be had, or a certificate cannot be read."""
        context = self._tls.context() if self._tls else None
        self._folder = private_folder()
        path = str(Path(self._folder) / "grpc")
        loop = asyncio.get_running_loop()
        try:
            await self._grpc.start(path)
            for host, port in self._listen:
                self._servers.append(
                    await loop.create_server(lambda: Front(path, self._http, self._open), host, port, ssl=context)
                )
        except BaseException:
            await self.stop(0)
            raise

    def _http(self) -> HttpConnection:
        return HttpConnection(self._pages, self._open)

    @property
    def addresses(self) -> list[Address]:
        """Where it listens: hosts and real ports."""
        return [socket.getsockname()[:2] for server in self._servers for socket in server.sockets]

    async def stop(self, grace: float) -> None:
        """Take no more connections, end all calls, those under way after at most `grace` seconds."""
        for server in self._servers:
            server.close()
        await self._grpc.stop(grace)
        await self._hub.stop()
        for transport in list(self._open):
            transport.close()
        self._servers.clear()
        shutil.rmtree(self._folder, ignore_errors=True)


def private_folder() -> str:
    """Make a folder that only this user may enter, with a path short enough for a socket in it."""
    folder = tempfile.mkdtemp(prefix="raftproof-")
    if len(folder.encode()) + len("/grpc") <= LONGEST_SOCKET_PATH:
        return folder
    Path(folder).rmdir()
    return tempfile.mkdtemp(prefix="raftproof-", dir="/tmp")
