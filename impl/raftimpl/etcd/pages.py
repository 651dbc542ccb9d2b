"""What a server tells over HTTP beside the API: /version, /health, /metrics."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from importlib.metadata import version

from raftimpl.etcd.backend import Backend
from raftimpl.etcd.gateway import JSON, Gateway
from raftimpl.etcd.http_server import Request, Response, plain
from raftimpl.etcd.maintenance import ETCD_VERSION
from raftimpl.etcd.metrics import CONTENT_TYPE, Metrics
from raftimpl.store.errors import RequestError

VERSIONS = {"etcdserver": ETCD_VERSION, "etcdcluster": "3.4.0", "raftproof": version("raftproof")}
"""etcd's versions that clients look for, and what it really is."""

HEALTH_TIMEOUT = 1.0
"""Seconds within which a healthy server can answer a read."""


class Pages:
    """Answers requests of HTTP: the gateway's and its own."""

    def __init__(self, backend: Backend, gateway: Gateway, metrics: Metrics) -> None:
        self._backend = backend
        self._gateway = gateway
        self._metrics = metrics
        self._pages: dict[str, Callable[[], Awaitable[Response]]] = {
            "/version": self._version,
            "/health": self._health,
            "/metrics": self._metrics_page,
        }

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        if request.method == "OPTIONS":
            return Response(HTTPStatus.OK)
        page = self._pages.get(request.path)
        if page is None:
            return await self._gateway(request) or plain(HTTPStatus.NOT_FOUND, "404 page not found")
        if request.method != "GET":
            return plain(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "GET"})
        return await page()

    async def _version(self) -> Response:
        return Response(HTTPStatus.OK, json.dumps(VERSIONS, separators=(",", ":")).encode(), JSON)

    async def _metrics_page(self) -> Response:
        return Response(HTTPStatus.OK, self._metrics.text(), CONTENT_TYPE)

    async def _health(self) -> Response:
        """Tell whether the server has a leader and can confirm a read."""
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT):
                await self._backend.confirm_read()
        except (RequestError, TimeoutError):
            return plain(HTTPStatus.SERVICE_UNAVAILABLE, '{"health":"false"}')
        return Response(HTTPStatus.OK, b'{"health":"true"}')
