"""`raftproof cluster`: a whole cluster on this machine, in one command."""

import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import typer
from rich.console import Console
from rich.live import Live

from raftcheck.cli.exits import INTERNAL_ERROR, USAGE_ERROR
from raftcheck.cli.output import require_folder, temporary_folder
from raftcheck.cli.server_extra import server_modules
from raftcheck.model import ModelError
from raftimpl.cluster import MAX_SERVERS
from raftimpl.running.files import Files
from raftimpl.running.folder import IDENTITY, Owner
from raftimpl.running.ports import DiskError
from raftimpl.running.sealed import read_sealed

PORTS_APART = 10_000
"""Between one server's ports and the next one's: 2379, 12379, 22379, and so on."""

PATIENCE = 30.0
"""Seconds that a cluster may take until it has a leader."""

STATUS_INTERVAL = 1.0

DECODER: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])
"""Of what servers answer and log."""


class Server(NamedTuple):
    """One server of the cluster: its name, where clients find it, its log, its options, its process.

    `log_begin` is how many bytes the log had when this process was started: what precedes are earlier ones' lines.
    """

    name: str
    client_url: str
    log: Path
    options: tuple[str, ...]
    log_begin: int
    process: subprocess.Popen[bytes]


ServersOption = Annotated[int, typer.Option(help=f"How many servers, 1 to {MAX_SERVERS}.")]
DataDirOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Keep the data here, one folder a server; else it is gone at the end."),
]
ClientPortOption = Annotated[int, typer.Option(help="The first server's port for clients; the others follow.")]
PeerPortOption = Annotated[int, typer.Option(help="The first server's port for other servers; the others follow.")]
SpacingOption = Annotated[int, typer.Option(help="From one server's ports to the next one's.")]


def cluster(
    servers: ServersOption = 3,
    data_dir: DataDirOption = None,
    client_port: ClientPortOption = 2379,
    peer_port: PeerPortOption = 2380,
    port_spacing: SpacingOption = PORTS_APART,
) -> int:
    """Run a cluster on this machine, and say how to talk to it. Ctrl-C ends it.

    Each server is a process of its own, as by `raftproof serve`. Kill one (its process id is shown) and see what
    happens. Each server's log is a file beside its data.

    Exit codes: 0 ended as asked, 2 it cannot be started like this, 70 it did not come to have a leader, or all its
    servers have ended by themselves.

    \b
    Examples:
      raftproof cluster
      raftproof cluster --servers 5 --data-dir my-cluster
    """
    if not 1 <= servers <= MAX_SERVERS:
        raise ModelError(f"--servers must be from 1 to {MAX_SERVERS}, not {servers}")
    ports = ports_of(servers, client_port, peer_port, port_spacing)
    server_modules()
    if data_dir is not None:
        require_data_of(data_dir, servers)
    require_folder(data_dir, "--data-dir")
    folder = data_dir or temporary_folder("raftproof-cluster-", "--data-dir")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    running: list[Server] = []
    try:
        running += start(folder, ports)
        if wait_for_leader(running):
            introduce(running, data_dir)
            watch(running)
        else:
            tell_failure(running)
        return exit_code(running)
    except KeyboardInterrupt:
        pass
    finally:
        stop(running)
        if data_dir is None:
            shutil.rmtree(folder, ignore_errors=True)
    return 0


def ports_of(servers: int, client_port: int, peer_port: int, spacing: int) -> list[tuple[int, int]]:
    """Return each server's ports, for clients and for other servers. Raises ModelError unless all can be listened on.

    That another program listens on one is found out later, by the server.
    """
    ports = [(client_port + n * spacing, peer_port + n * spacing) for n in range(servers)]
    everywhere = [port for pair in ports for port in pair]
    need = (
        f"--client-port {client_port}, --peer-port {peer_port}, --port-spacing {spacing}: {servers} servers need port"
    )
    for port in everywhere:
        if not 1 <= port <= 65535:
            raise ModelError(f"{need} {port}, but ports are from 1 to 65535")
        if everywhere.count(port) > 1:
            raise ModelError(f"{need} {port} twice, but each server needs two of its own")
    return ports


def require_data_of(folder: Path, servers: int) -> None:
    """Raise ModelError if a folder holds the data of another number of servers: a cluster's members are fixed."""
    for name in names_of(servers):
        size = size_of_cluster(folder / name)
        if size not in (None, servers):
            raise ModelError(
                f"--servers {servers}: {folder / name} belongs to a cluster of {size}, and the members of a cluster are"
                f" fixed when it starts; give --servers {size}, or another --data-dir"
            )


def size_of_cluster(data: Path) -> int | None:
    """Return how many servers the cluster has to which a data folder belongs; None if the folder does not tell."""
    configuration = server_modules().configuration
    token = configuration.Options().initial_cluster_token
    try:
        owner = read_sealed(Files(), data / IDENTITY, Owner)
    except DiskError:
        return None
    sizes = range(1, MAX_SERVERS + 1)
    return next((size for size in sizes if f"{configuration.id_of(token, *names_of(size)):x}" == owner.cluster), None)


def names_of(servers: int) -> list[str]:
    """Return the names of so many servers."""
    return [f"s{number}" for number in range(1, servers + 1)]


def start(folder: Path, ports: Sequence[tuple[int, int]], options: Sequence[str] = ()) -> list[Server]:
    """Start one server for each pair of ports (for clients, for other servers), with more options for `serve`."""
    names = names_of(len(ports))
    peers = [f"http://127.0.0.1:{peer}" for _, peer in ports]
    initial = ",".join(f"{name}={url}" for name, url in zip(names, peers, strict=True))
    found = []
    for name, (client_port, _), peer_url in zip(names, ports, peers, strict=True):
        client_url, log = f"http://127.0.0.1:{client_port}", folder / f"{name}.log"
        command = (
            "--name", name, "--data-dir", str(folder / name), "--listen-peer-urls", peer_url,
            "--listen-client-urls", client_url, "--initial-cluster", initial, *options,
        )  # fmt: skip
        found.append(launch(name, client_url, log, command))
    return found


def launch(name: str, client_url: str, log: Path, options: tuple[str, ...]) -> Server:
    """Start one server, whose log goes to the end of a file."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as lines:
        begin = lines.tell()
        process = subprocess.Popen(
            [sys.executable, "-m", "raftcheck.cli", "serve", *options],
            stdin=subprocess.DEVNULL,
            stderr=lines,
            start_new_session=True,  # Ctrl-C ends the servers through this process, one way and not two
        )
    return Server(name, client_url, log, options, begin, process)


def wait_for_leader(running: Sequence[Server]) -> bool:
    """Tell whether the cluster comes to have a leader."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if any(server.process.poll() is not None for server in running):
            return False
        if all(serves(server) and leader_of(server) for server in running):
            return True
        time.sleep(0.1)
    return False


def serves(server: Server) -> bool:
    """Tell whether a server says that it serves. Before, whoever answers at its address is another cluster's."""
    return "serving" in map(message_of, lines_of(server))


def lines_of(server: Server) -> list[str]:
    """Return what a server has logged since it was started."""
    with server.log.open("rb") as log:
        log.seek(server.log_begin)
        return log.read().decode("utf-8", "replace").splitlines()


def message_of(line: str) -> str:
    """Return what a line of a log says; all of it if it is no line of JSON, but of a traceback."""
    try:
        return str(DECODER.decode(line)["msg"])
    except (msgspec.DecodeError, KeyError):
        return line


def leader_of(server: Server) -> str | None:
    """Return the member id of the leader that a server knows; None if it knows none, or does not answer."""
    request = urllib.request.Request(f"{server.client_url}/v3/maintenance/status", data=b"{}")
    try:
        with urllib.request.urlopen(request, timeout=1) as response:
            return DECODER.decode(response.read()).get("leader")
    except (OSError, msgspec.DecodeError):
        return None


def introduce(running: Sequence[Server], data_dir: Path | None) -> None:
    """Say what is there, and how to talk to it."""
    print(f"a cluster of {len(running)} servers is running; Ctrl-C ends it")
    for server in running:
        print(f"  {server.name}  {server.client_url}  process {server.process.pid}  log {server.log}")
    if data_dir is None:
        print("its data is gone when it ends; --data-dir DIR keeps it")
    endpoints = ",".join(server.client_url for server in running)
    print(f"""
paste this:

  export ETCDCTL_API=3 ETCDCTL_ENDPOINTS={endpoints}
  etcdctl put greeting hello
  etcdctl get greeting
  etcdctl endpoint status --write-out=table
  curl {running[0].client_url}/version
""", flush=True)  # fmt: skip


def watch(running: Sequence[Server]) -> None:
    """Show how the cluster is, until it is ended or nobody is left."""
    console = Console(stderr=True)
    gone: set[str] = set()
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while len(gone) < len(running):
            for server in running:
                if server.process.poll() is not None and server.name not in gone:
                    gone.add(server.name)
                    live.console.print(
                        f"{ending(server)}; its log: {server.log}", markup=False, highlight=False, soft_wrap=True
                    )
            if console.is_terminal:
                live.update(status_line(running), refresh=True)
            time.sleep(STATUS_INTERVAL)


def status_line(running: Sequence[Server]) -> str:
    """Return who is up, and whether they know a leader."""
    parts = [f"{server.name}: {state_of(server)}" for server in running]
    return "   ".join(parts)


def state_of(server: Server) -> str:
    """Return how a server is, in a word or two."""
    if server.process.poll() is not None:
        return "down"
    return "up, knows a leader" if leader_of(server) else "up, no leader"


def ending(server: Server) -> str:
    """Return how a server's process has ended; and if that was a failure of its own, what it said last."""
    code = server.process.returncode
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    last = [message_of(line) for line in lines_of(server)[-1:] if code > 0]
    return ": ".join([f"{server.name} has ended ({how})", *last])


def tell_failure(running: Sequence[Server]) -> None:
    """Say why the cluster did not come up."""
    ended = [server for server in running if server.process.poll() is not None]
    for server in ended:
        print(f"raftproof: {ending(server)}", file=sys.stderr)
    if not ended:
        print(
            f"raftproof: no leader within {PATIENCE:g} seconds; see the logs in {running[0].log.parent}",
            file=sys.stderr,
        )


def exit_code(running: Sequence[Server]) -> int:
    """Return what the program ends with when not the user has ended the cluster."""
    return USAGE_ERROR if any(server.process.poll() == USAGE_ERROR for server in running) else INTERNAL_ERROR


def stop(running: Sequence[Server]) -> None:
    """End all servers cleanly."""
    for server in running:
        server.process.terminate()
    for server in running:
        try:
            server.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.process.kill()
