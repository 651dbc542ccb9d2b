"""`raftproof torture`: clusters of whole servers under faults."""

import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer

from raftcheck.cli import options as o
from raftcheck.cli.exits import SIMULATION_EXIT_CODES
from raftcheck.cli.output import progress_on_stderr, require_folder, require_writable, write_json
from raftcheck.cli.server_extra import server_modules
from raftcheck.explore import Progress
from raftcheck.model import ModelError
from raftcheck.torture.mutants import MUTANTS, mutant_named
from raftcheck.torture.report import document_of, text_of, verdict_of
from raftcheck.torture.runs import Run
from raftcheck.torture.simulated import FAULTS_OF_A_RUN, Plan, simulate, with_fewest_faults
from raftcheck.torture.virtual_world import VirtualDisk
from raftimpl.cluster import MAX_SERVERS

SEEDS = 2**32

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
    if mutant == "list":
        return print_mutants()
    require_servers(servers)
    require_writable(json)
    require_folder(keep)
    seed = SystemRandom().randrange(SEEDS) if seed is None else seed
    started = time.monotonic()
    if simulated:
        done = list(all_runs(simulated_runs(servers, mutant, faults), seed, runs, seconds, keep))
    else:
        done = list(all_runs(real_runs(servers, seconds, mutant), seed, runs or 1, seconds, keep))
    what = f"{servers} servers, {'simulated' if simulated else 'real processes'}" + (
        f", mutant {mutant}" if mutant else ""
    )
    spent = time.monotonic() - started
    if json:
        write_json(document_of(done, what, spent), json)
    if json != "-":
        typer.echo(text_of(done, what, spent))
    return SIMULATION_EXIT_CODES[verdict_of(done)]


OneRun = Callable[[int, Path], Run]
"""Does the run of a seed, with its files in a folder."""


def require_servers(servers: int) -> None:
    """Raise ModelError for a number of servers that no cluster has."""
    if not 1 <= servers <= MAX_SERVERS:
        raise ModelError(f"--servers must be from 1 to {MAX_SERVERS}, not {servers}")


def simulated_runs(servers: int, mutant: str | None, faults: int | None) -> OneRun:
    """Return what simulates a seed, and shortens what it finds."""
    broken = mutant_named(mutant) if mutant else None

    def one(seed: int, folder: Path) -> Run:
        plan = Plan(seed, servers, broken, FAULTS_OF_A_RUN if faults is None else faults)
        run = simulate(plan, folder, most_findings=1)
        if run.verdict != "violated":
            return run
        return simulate(plan, folder) if faults is not None else with_fewest_faults(plan, folder)

    return one


def real_runs(servers: int, seconds: float, mutant: str | None) -> OneRun:
    """Return what runs real processes. Raises ModelError if what they need is not installed, or cannot be broken."""
    server_modules()
    if mutant and mutant_named(mutant).build.disk is not VirtualDisk:
        raise ModelError(f"{mutant} has a broken virtual disk: give --simulated")
    processes = import_module("raftcheck.torture.processes")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: no server outlives this process

    def one(seed: int, folder: Path) -> Run:
        run: Run = processes.torture(processes.Plan(seed, servers, seconds, mutant), folder)
        return run

    return one


def all_runs(one: OneRun, seed: int, runs: int | None, seconds: float, keep: Path | None) -> Iterator[Run]:
    """Yield runs until there are enough, or one has findings, whose files are kept."""
    started = time.monotonic()
    with progress_on_stderr("torture", line) as progress:
        for number in range(runs) if runs is not None else count():
            spent = time.monotonic() - started
            if runs is None and number and spent >= seconds:
                return
            folder = new_folder(keep, seed + number)
            run = one(seed + number, folder)
            if not run.findings:
                shutil.rmtree(folder)
            progress(Progress(number + 1, sum(run.operations.values()), seed + number, 0, time.monotonic() - started))
            yield run
            if run.findings:
                return


def new_folder(keep: Path | None, seed: int) -> Path:
    """Return a folder for the files of a run."""
    if keep is None:
        return Path(tempfile.mkdtemp(prefix=f"raftproof-torture-{seed}-"))
    folder = keep / f"seed-{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def line(progress: Progress) -> str:
    """Return how far it is, in one line."""
    return f"{progress.states:,} runs, the last of seed {progress.depth}, {progress.seconds:.0f} s"


def print_mutants() -> int:
    """Print the mutants."""
    for mutant in MUTANTS.values():
        typer.echo(f"{mutant.name:34} {mutant.description}")
    return 0
