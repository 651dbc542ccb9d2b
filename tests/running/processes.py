"""A cluster of real server processes for a test, and a client of its JSON gateway."""

import base64
import json
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from raftcheck.cli import cluster
from raftcheck.cli.cluster import Server
from tests.etcd.ports import free_ports

PATIENCE = 60.0
"""Seconds for what takes a second on a machine that does nothing else."""


class GatewayError(Exception):
    """What a server answers to a request that it refuses: `error` and `code`."""

    def __init__(self, error: str, code: int) -> None:
        super().__init__(error)
        self.error, self.code = error, code


class Client(NamedTuple):
    """Speaks to one server."""

    url: str

    def call(self, path: str, request: dict[str, Any], timeout: float = 30) -> dict[str, Any]:
        wanted = urllib.request.Request(f"{self.url}/v3/{path}", data=json.dumps(request).encode())
        try:
            with urllib.request.urlopen(wanted, timeout=timeout) as response:
                found: dict[str, Any] = json.load(response)
                return found
        except urllib.error.HTTPError as error:
            told = json.load(error)
            raise GatewayError(told["error"], told["code"]) from error

    def put(self, key: str, value: str) -> int:
        """Put a key; return the revision."""
        answer = self.call("kv/put", {"key": encoded(key), "value": encoded(value)})
        return int(answer["header"]["revision"])

    def get(self, key: str, serializable: bool = False) -> str | None:
        answer = self.call("kv/range", {"key": encoded(key), "serializable": serializable})
        return base64.b64decode(answer["kvs"][0]["value"]).decode() if "kvs" in answer else None

    def all_keys(self) -> dict[str, str]:
        answer = self.call("kv/range", {"key": encoded("\0"), "range_end": encoded("\0")})
        pairs = [(base64.b64decode(kv["key"]), base64.b64decode(kv["value"])) for kv in answer.get("kvs", ())]
        return {key.decode(): value.decode() for key, value in pairs}

    def status(self) -> dict[str, Any]:
        return self.call("maintenance/status", {})


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class Running:
    """The servers, by their numbers; those that were killed have no process."""

    def __init__(self, servers: list[Server]) -> None:
        self.servers = servers

    def client(self, number: int) -> Client:
        return Client(self.servers[number].client_url)

    @property
    def endpoints(self) -> str:
        return ",".join(server.client_url for server in self.servers)

    def leader(self) -> int:
        """Return the number of the server that leads, as soon as there is one."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            for number, server in enumerate(self.servers):
                if server.process.poll() is None:
                    try:
                        status = self.client(number).status()
                    except OSError:
                        continue
                    if status.get("leader") == status["header"]["member_id"]:
                        return number
            time.sleep(0.05)
        raise AssertionError("no leader")

    def kill(self, number: int) -> None:
        """End a server as a crash does."""
        self.servers[number].process.kill()
        self.servers[number].process.wait()

    def terminate(self, number: int) -> int:
        """End a server cleanly; return its exit code."""
        self.servers[number].process.terminate()
        return self.exit_code(number)

    def exit_code(self, number: int) -> int:
        """Return with which code a server ends by itself."""
        return self.servers[number].process.wait(timeout=PATIENCE)

    def pause(self, number: int) -> None:
        self.servers[number].process.send_signal(signal.SIGSTOP)

    def restart(self, number: int) -> None:
        server = self.servers[number]
        self.servers[number] = cluster.launch(server.name, server.client_url, server.log, server.options)

    def wait_until_ready(self) -> None:
        assert cluster.wait_for_leader(self.servers), [server.log.read_text() for server in self.servers]

    def logs(self, number: int) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.servers[number].log.read_text().splitlines()]


@contextmanager
def running(folder: Path, servers: int = 3, options: Sequence[str] = ()) -> Iterator[Running]:
    """Run a cluster while the context lasts."""
    ports = free_ports(2 * servers)
    found = Running(cluster.start(folder, list(zip(ports[::2], ports[1::2], strict=True)), options))
    try:
        found.wait_until_ready()
        yield found
    finally:
        for server in found.servers:
            if server.process.poll() is None:
                server.process.kill()
                server.process.wait()
