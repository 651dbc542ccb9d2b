"""How fast a cluster of three servers is, against etcd's: puts a second, latency, memory, and the time for a restart.

Both clusters run on this machine, one after the other, several times; what counts are the ratios. The load comes from
one program in Go, with etcd's own client library (benchmarks/etcd_load), whose clients spread over all three servers.
Needs `etcd` and `go`.

    python -m benchmarks.cluster [--rounds N] [--clients N ...] [--puts N]
    python -m benchmarks.cluster --history 1000000    the same keys again and again, compacted: does anything grow?
    python -m benchmarks.cluster --failover 20        the leader is killed: how soon is a put elsewhere done?
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from raftcheck.cli import cluster

LOAD = Path(__file__).parent / "etcd_load"
PORTS = ((23790, 23800), (23791, 23801), (23792, 23802))
ENDPOINTS = ",".join(f"127.0.0.1:{client}" for client, _ in PORTS)
PATIENCE = 60.0
KEYS = 1_000

IMPATIENCE = 0.2
"""Seconds after which a client asks again that waits for the next leader: etcd lets what was lost with one time out."""


class Member(NamedTuple):
    """A server that runs."""

    process: subprocess.Popen[bytes]
    folder: Path


class Figures(NamedTuple):
    """What the load program measured."""

    puts: int
    failed: int
    puts_per_second: float
    p50_ms: float
    p99_ms: float

    def __str__(self) -> str:
        return f"{self.puts_per_second:8,.0f} puts/s   p50 {self.p50_ms:7.1f} ms   p99 {self.p99_ms:7.1f} ms"


def start_etcd(folder: Path) -> list[Member]:
    """Start three servers of etcd."""
    initial = ",".join(f"e{n}=http://127.0.0.1:{peer}" for n, (_, peer) in enumerate(PORTS))
    return [
        Member(
            subprocess.Popen(
                [
                    "etcd", "--name", f"e{n}", "--data-dir", str(folder / f"e{n}"), "--initial-cluster", initial,
                    "--listen-client-urls", f"http://127.0.0.1:{client}",
                    "--advertise-client-urls", f"http://127.0.0.1:{client}",
                    "--listen-peer-urls", f"http://127.0.0.1:{peer}",
                    "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
                ],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            ),
            folder / f"e{n}",
        )
        for n, (client, peer) in enumerate(PORTS)
    ]  # fmt: skip


def start_ours(folder: Path) -> list[Member]:
    """Start three servers of raftproof."""
    return [Member(server.process, folder / server.name) for server in cluster.start(folder, PORTS)]


SYSTEMS: dict[str, Callable[[Path], list[Member]]] = {"etcd": start_etcd, "raftproof": start_ours}


@contextmanager
def running(name: str) -> Iterator[list[Member]]:
    """Run a cluster while the context lasts."""
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))
    members = SYSTEMS[name](folder)
    try:
        wait_until_ready()
        yield members
    finally:
        for member in members:
            member.process.kill()
            member.process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def wait_until_ready() -> None:
    """Return when every server knows a leader."""
    deadline = time.monotonic() + PATIENCE
    while not all(status(client).get("leader") for client, _ in PORTS):
        if time.monotonic() > deadline:
            sys.exit("a cluster did not come up")
        time.sleep(0.1)


def status(port: int) -> dict[str, Any]:
    """Return what a server says of itself; nothing if it does not answer."""
    try:
        return call(port, "maintenance/status", {})
    except OSError:
        return {}


def call(port: int, path: str, request: dict[str, Any], timeout: float = 10) -> dict[str, Any]:
    """Ask a server by its JSON gateway."""
    wanted = urllib.request.Request(f"http://127.0.0.1:{port}/v3/{path}", data=json.dumps(request).encode())
    with urllib.request.urlopen(wanted, timeout=timeout) as response:
        found: dict[str, Any] = json.load(response)
        return found


def built_load() -> Path:
    """Build the load program; return where it is."""
    binary = Path(tempfile.mkdtemp(prefix="etcd-load-")) / "etcd_load"
    subprocess.run(["go", "build", "-o", str(binary), "."], cwd=LOAD, check=True)
    return binary


def load(binary: Path, clients: int, puts: int) -> Figures:
    """Put from so many clients; return what it took."""
    done = subprocess.run(
        [
            str(binary), "-endpoints", ENDPOINTS, "-clients", str(clients), "-connections", str(min(clients, 50)),
            "-puts", str(puts), "-keys", str(KEYS),
        ],
        capture_output=True,
        check=True,
        timeout=600,
    )  # fmt: skip
    told = json.loads(done.stdout)
    return Figures(*(told[field] for field in Figures._fields))


def compare(rounds: int, clients: Sequence[int], puts: int) -> None:
    """Measure both systems in turn, and print medians and their ratios."""
    binary = built_load()
    measured: dict[tuple[str, int], list[Figures]] = {}
    for number in range(1, rounds + 1):
        for name in SYSTEMS:
            with running(name):
                load(binary, min(clients), puts // 10)
                for count in clients:
                    figures = load(binary, count, puts)
                    measured.setdefault((name, count), []).append(figures)
                    print(f"round {number}  {name:10} {count:5} clients  {figures}", flush=True)
    for count in clients:
        etcd, ours = (middle(measured[name, count]) for name in SYSTEMS)
        print(
            f"{count} clients: raftproof has {ours.puts_per_second / etcd.puts_per_second:.2f} of etcd's throughput, "
            f"{ours.p50_ms / etcd.p50_ms:.1f} times its median latency, {ours.p99_ms / etcd.p99_ms:.1f} times its p99"
        )


def middle(figures: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return Figures(*(median(column) for column in zip(*figures, strict=True)))


def history(puts: int) -> None:
    """Write the same keys again and again and compact; print what grows, and how long a restart takes."""
    binary = built_load()
    with running("raftproof") as members:
        done = 0
        print(f"{'puts':>10} {'memory':>12} {'folder':>12}")
        while done < puts:
            part = min(puts // 10, puts - done)
            done += load(binary, 500, part).puts
            revision = call(PORTS[0][0], "kv/range", {"key": "AA=="})["header"]["revision"]
            call(PORTS[0][0], "kv/compaction", {"revision": revision})
            time.sleep(2)
            memory = max(map(resident, members)) >> 20
            size = max(folder_size(member.folder) for member in members) >> 20
            print(f"{done:10,} {memory:8,} MiB {size:8,} MiB", flush=True)
        member = members[0]
        member.process.kill()
        member.process.wait()
        began = time.monotonic()
        members[0] = Member(subprocess.Popen(member.process.args, stderr=subprocess.DEVNULL), member.folder)
        wait_until_ready()
        print(f"a server that was killed knew the leader again after {time.monotonic() - began:.1f} s")


def failover(rounds: int) -> None:
    """Kill the leader of each system again and again, and print how long the next put at another server takes."""
    for name in SYSTEMS:
        seconds = []
        for _ in range(rounds):
            with running(name) as members:
                put(PORTS[0][0])
                leaders = [status(client)["leader"] for client, _ in PORTS]
                ids = [status(client)["header"]["member_id"] for client, _ in PORTS]
                leader = ids.index(leaders[0])
                members[leader].process.kill()
                began = time.monotonic()
                put(PORTS[leader - 1][0])
                seconds.append(time.monotonic() - began)
        print(
            f"{name:10} a put after the leader was killed: median {median(seconds):.2f} s, "
            f"longest {max(seconds):.2f} s, over 2 s {sum(each > 2 for each in seconds)} of {rounds}",
            flush=True,
        )


def put(port: int) -> None:
    """Put a key by the server at this port; ask again if it is not done soon."""
    while True:
        with suppress(OSError):
            call(port, "kv/put", {"key": "a2V5", "value": "dmFsdWU="}, IMPATIENCE)
            return


def resident(member: Member) -> int:
    """Return the bytes of memory that a server has."""
    for line in Path(f"/proc/{member.process.pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) << 10
    return 0


def folder_size(folder: Path) -> int:
    """Return the bytes in a folder."""
    sizes = []
    for path in folder.rglob("*"):
        try:
            sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue  # it was just replaced
    return sum(sizes)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="how often each system is started and measured")
    parser.add_argument("--clients", type=int, nargs="+", default=[64, 500])
    parser.add_argument("--puts", type=int, default=20_000, help="puts of each measurement")
    parser.add_argument("--history", type=int, metavar="PUTS", help="write as much, and see what grows")
    parser.add_argument("--failover", type=int, metavar="TIMES", help="kill the leader as often")
    options = parser.parse_args()
    needed = ["etcd"] if options.failover else ["go"] if options.history else ["go", "etcd"]
    for program in needed:
        if shutil.which(program) is None:
            sys.exit(f"this needs {program}, which is not installed")
    if options.failover:
        failover(options.failover)
    elif options.history:
        history(options.history)
    else:
        compare(options.rounds, options.clients, options.puts)


if __name__ == "__main__":
    main()
