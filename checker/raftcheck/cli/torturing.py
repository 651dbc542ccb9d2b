"""The runs of `raftproof torture`. What they need is in the extra `server`: so only that command loads this."""

import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import count
from pathlib import Path
from random import SystemRandom

import typer

from raftcheck.cli.exits import SIMULATION_EXIT_CODES
from raftcheck.cli.output import progress_on_stderr, require_folder, temporary_folder, write_json
from raftcheck.explore import Progress
from raftcheck.model import ModelError
from raftcheck.torture.mutants import MUTANTS, mutant_named
from raftcheck.torture.report import document_of, text_of, verdict_of
from raftcheck.torture.runs import Run
from raftcheck.torture.simulated import FAULTS_OF_A_RUN, Plan, simulate, with_fewest_faults
from raftcheck.torture.virtual_world import VirtualDisk

SEEDS = 2**32

OneRun = Callable[[int, Path], Run]
"""Does the run of a seed, with its files in a folder."""


def torture_and_report(
    seconds: float,
    seed: int | None,
    servers: int,
    simulated: bool,
    mutant: str | None,
    runs: int | None,
    faults: int | None,
    keep: Path | None,
    json: str | None,
) -> int:
    """Do what the options of `raftproof torture` ask for, report it, and return the exit code."""
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
    """Return what runs real processes. Raises ModelError if they cannot be broken in this way."""
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
            run = in_new_folder(one, seed + number, keep)
            progress(Progress(number + 1, sum(run.operations.values()), seed + number, 0, time.monotonic() - started))
            yield run
            if run.findings:
                return


def in_new_folder(one: OneRun, seed: int, keep: Path | None) -> Run:
    """Do a run with its files in a folder of its own, which stays only if something is found, or the run fails."""
    folder = new_folder(keep, seed)
    try:
        run = one(seed, folder)
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception:
        print(f"raftproof: the files of the run of seed {seed}, which failed, are in {folder}", file=sys.stderr)
        raise
    if not run.findings:
        shutil.rmtree(folder)
    return run


def new_folder(keep: Path | None, seed: int) -> Path:
    """Return a folder for the files of a run."""
    if keep is None:
        return temporary_folder(f"raftproof-torture-{seed}-", "--keep")
    folder = keep / f"seed-{seed}"
    require_folder(folder, "--keep")
    return folder


def line(progress: Progress) -> str:
    """Return how far it is, in one line."""
    return f"{progress.states:,} runs, the last of seed {progress.depth}, {progress.seconds:.0f} s"


def print_mutants() -> None:
    """Print the mutants."""
    for mutant in MUTANTS.values():
        typer.echo(f"{mutant.name:34} {mutant.description}")
