"""The systems that the list of commands is run on: real etcd, and this project's server."""

import base64
import contextlib
import http.client
import json
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.conftest import ROOT

PATIENCE = 60.0
"""Seconds until a system that has been started must answer; far more than it takes."""


class Member(NamedTuple):
    """A server: its id, its name, and where clients and other servers reach it (host:port)."""

    id: int
    name: str
    client: str
    peer: str


class System(NamedTuple):
    """A running cluster: its servers in the order of their ids. The first one leads when the cluster is handed over."""

    cluster_id: int
    members: tuple[Member, ...]


class Server(NamedTuple):
    """What to start: a command, and what it will answer under."""

    name: str
    client: str
    peer: str
    command: list[str]


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def post(endpoint: str, path: str, message: dict[str, Any]) -> dict[str, Any]:
    """Ask a server through its JSON gateway; OSError if it does not answer with success."""
    host, _, port = endpoint.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    try:
        connection.request("POST", path, json.dumps(message))
        response = connection.getresponse()
        body = response.read()
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        connection.close()
    if response.status != http.client.OK:
        raise OSError(body.decode(errors="replace"))
    return json.loads(body)  # type: ignore[no-any-return]


def eventually(ask: Callable[[], None], processes: list["subprocess.Popen[bytes]"], logs: Path) -> None:
    """Ask again and again until it raises no OSError, while all processes are alive."""
    end = time.monotonic() + PATIENCE
    while True:
        for process in processes:
            if process.poll() is not None:
                raise RuntimeError(f"a server has ended with {process.returncode}: {texts(logs)}")
        try:
            ask()
            return
        except OSError as error:
            if time.monotonic() > end:
                raise RuntimeError(f"no answer: {error}; {texts(logs)}") from error
            time.sleep(0.02)


def texts(logs: Path) -> str:
    """Return the last lines that the servers have written."""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace")[-2000:] for path in logs.glob("*.log"))


def can_write(server: Server) -> None:
    """Raise OSError unless a server answers, and knows a leader. It leaves no trace in the store."""
    post(server.client, "/v3/kv/deleterange", {"key": base64.b64encode(b"none").decode()})


def members_of(servers: list[Server]) -> System:
    """Learn the ids. Whatever answers must be what was started, and not another's server on the same port."""
    answer = post(servers[0].client, "/v3/cluster/member/list", {})
    ids = {member["name"]: int(member["ID"]) for member in answer["members"]}
    if set(ids) != {server.name for server in servers}:
        raise RuntimeError(f"another cluster answers at {servers[0].client}: {sorted(ids)}")
    members = sorted(Member(ids[server.name], server.name, server.client, server.peer) for server in servers)
    return System(int(answer["header"]["cluster_id"]), tuple(members))


def lead_from_the_first(system: System) -> None:
    """Make the first server the leader; OSError until it is one, and all know it."""
    first = system.members[0]
    leaders = {int(post(each.client, "/v3/maintenance/status", {}).get("leader", 0)) for each in system.members}
    if leaders == {first.id}:
        return
    for member in system.members:
        if leaders == {member.id}:
            post(member.client, "/v3/maintenance/transfer-leadership", {"targetID": str(first.id)})
    raise OSError(f"the leaders are {leaders}")


@contextlib.contextmanager
def started(servers: list[Server], logs: Path) -> Iterator[System]:
    """Start servers, wait until all of them can write, and stop them at the end."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        for server in servers:
            with (logs / f"{server.name}.log").open("wb") as log:
                processes.append(subprocess.Popen(server.command, cwd=ROOT, stdout=log, stderr=log))
        for server in servers:
            eventually(lambda server=server: can_write(server), processes, logs)  # type: ignore[misc]
        system = members_of(servers)
        eventually(lambda: lead_from_the_first(system), processes, logs)
        yield system
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait(PATIENCE)


def names_and_places(count: int) -> list[tuple[str, str, str]]:
    """Return names that no other cluster has, and a place for clients and for peers for each."""
    tag = uuid.uuid4().hex[:4]
    ports = free_ports(2 * count)
    return [
        (f"{tag}-s{number}", f"127.0.0.1:{ports[2 * number - 2]}", f"127.0.0.1:{ports[2 * number - 1]}")
        for number in range(1, count + 1)
    ]


def cluster(
    program: list[str], options: dict[str, str], count: int, folder: Path
) -> contextlib.AbstractContextManager[System]:
    """Start a cluster, new and empty. Both programs have the same options."""
    places = names_and_places(count)
    servers = []
    for name, client, peer in places:
        flags = {
            "name": name,
            "data-dir": str(folder / name),
            "listen-client-urls": f"http://{client}",
            "advertise-client-urls": f"http://{client}",
            "listen-peer-urls": f"http://{peer}",
            "initial-advertise-peer-urls": f"http://{peer}",
            "initial-cluster": ",".join(f"{name}=http://{peer}" for name, _, peer in places),
            **options,
        }
        command = [*program, *chain(*((f"--{flag}", value) for flag, value in flags.items()))]
        servers.append(Server(name, client, peer, command))
    return started(servers, folder)


def etcd(count: int, folder: Path) -> contextlib.AbstractContextManager[System]:
    """Start a cluster of Debian's etcd."""
    return cluster(["etcd"], {"logger": "zap", "log-level": "error"}, count, folder)


def raftproof(count: int, folder: Path) -> contextlib.AbstractContextManager[System]:
    """Start a cluster of this project's servers. Skips the test where what they need is not installed."""
    pytest.importorskip("raftimpl.running.server", reason="the extra server is not installed", exc_type=ImportError)
    return cluster([sys.executable, "-m", "raftcheck.cli", "serve"], {"log-level": "warn"}, count, folder)


def local(folder: Path) -> contextlib.AbstractContextManager[System]:
    """Start this project's API and store without Raft."""
    name, client, peer = names_and_places(1)[0]
    arguments = ["-m", "tests.differential.local_server", "--name", name, "--client", client, "--peer", peer]
    return started([Server(name, client, peer, [sys.executable, *arguments])], folder)


def missing(*programs: str) -> str | None:
    """Return why there can be no run, if a program is not installed."""
    absent = [program for program in programs if shutil.which(program) is None]
    return f"not installed: {', '.join(absent)}" if absent else None
