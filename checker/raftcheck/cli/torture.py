"""`raftproof torture`: clusters of whole servers under faults."""

from collections.abc import Iterator
from importlib import import_module
from math import inf
from pathlib import Path
from typing import Annotated

import typer

from raftcheck.cli import options as o
from raftcheck.cli.output import require_folder, require_writable
from raftcheck.cli.server_extra import server_modules
from raftcheck.model import ModelError
from raftimpl.cluster import MAX_SERVERS

SecondsOption = Annotated[
    float,
    typer.Option(help="How long faults happen in a run. With --simulated: begin no run later."),
]
SeedOption = Annotated[int | None, typer.Option(help="The first run's seed; others follow. Without it, drawn.")]
TortureServersOption = Annotated[int, typer.Option(help="Servers in the cluster.")]
SimulatedOption = Annotated[
    bool,
    typer.Option("--simulated", help="Virtual time, disks and network, in one process."),
]
RunsOption = Annotated[int | None, typer.Option(help="So many runs. By default 1; with --simulated, as many as fit.")]
FaultsOption = Annotated[int | None, typer.Option(help="With --simulated: only the first so many faults of the seed.")]
KeepOption = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Where to keep files if something is found."),
]
BrokenOption = Annotated[
    str | None, typer.Option(metavar="NAME", help='Torture this broken variant ("list" lists them).')
]


def torture(
    seconds: SecondsOption = 60.0,
    seed: SeedOption = None,
    servers: TortureServersOption = 3,
    simulated: SimulatedOption = False,
    mutant: BrokenOption = None,
    runs: RunsOption = None,
    faults: FaultsOption = None,
    keep: KeepOption = None,
    json: o.JsonOption = None,
) -> int:
    """Run clusters under faults, with clients at all servers, and judge what clients saw and what servers did.

    Real processes, with proxies between them: killed (kill -9), stopped for a while, links cut one way or both, slow,
    broken; disks full (where this process may mount a small file system, as root can); the end of a log torn, which
    must not matter; a byte of it damaged that was synced, which must be refused. A seed repeats what is done to them,
    not what comes of it.

    With --simulated, whole servers run on virtual disks and a virtual network, about half a second a run: also lost,
    repeated and overtaken messages, crashes in the middle of a sync, wrong clocks. The same seed gives the same run, to
    the byte. A run that breaks something is shortened to its first faults.

    In the end all faults are over, and everything must work. If something is found, the files for raftproof judge are
    kept.

    Exit codes: 0 nothing found (which proves nothing), 1 violated, 2 a bad request, 3 undecided.

    \b
    Examples:
      raftproof torture --seconds 60 --seed 1
      raftproof torture --simulated --seed 1 --runs 100
      raftproof torture --simulated --seconds 600 --servers 5
      raftproof torture --simulated --mutant sends-before-sync --seed 1
    """
    for fault in faulty(seconds, servers, runs, faults):
        raise ModelError(fault)
    require_writable(json)
    require_folder(keep, "--keep")
    server_modules()
    torturing = import_module("raftcheck.cli.torturing")
    if mutant == "list":
        torturing.print_mutants()
        return 0
    code: int = torturing.torture_and_report(seconds, seed, servers, simulated, mutant, runs, faults, keep, json)
    return code


def faulty(seconds: float, servers: int, runs: int | None, faults: int | None) -> Iterator[str]:
    """Yield what is wrong with single options, in words."""
    if not 1 <= servers <= MAX_SERVERS:
        yield f"--servers must be from 1 to {MAX_SERVERS}, not {servers}"
    if not 0 < seconds < inf:
        yield f"--seconds must be a number above 0, not {seconds:g}"
    if runs is not None and runs < 1:
        yield f"--runs must be at least 1, not {runs}"
    if faults is not None and faults < 0:
        yield f"--faults must be at least 0, not {faults}"
