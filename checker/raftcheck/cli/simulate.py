"""`raftproof simulate`: random walks of clusters that are too large to explore."""

import shlex
from pathlib import Path
from random import SystemRandom
from typing import Any

import typer

from raftcheck.cli import options as o
from raftcheck.cli.check import chosen
from raftcheck.cli.exits import SIMULATION_EXIT_CODES
from raftcheck.cli.output import (
    json_lines,
    progress_on_stderr,
    require_folder,
    require_writable,
    walks_line,
    write_file,
    write_json,
)
from raftcheck.cli.saving import save_counterexample
from raftcheck.explore.simulate import Simulation
from raftcheck.explore.simulate import simulate as walk
from raftcheck.model import Network
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.build import raft_system
from raftcheck.raft.counterexample import recorded
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.mutants import mutant_named
from raftcheck.raft.properties import raft_properties
from raftcheck.raft.recording import Recorder
from raftcheck.raft.simulation import RATES, SHARES, budgets, figures
from raftcheck.report import counterexample_text, simulation_document, simulation_text
from raftcheck.version import __version__

STEPS_IN_ALL = 50_000
"""How many steps all walks have together if nobody says how many walks there are to be."""

SEEDS = 2**32


def simulate(
    servers: o.ServersOption = 5,
    terms: o.TermsOfWalkOption = None,
    entries: o.EntriesOfWalkOption = None,
    crashes: o.CrashesOfWalkOption = None,
    reads: o.ReadsOfWalkOption = None,
    heartbeats: o.HeartbeatsOfWalkOption = None,
    compactions: o.CompactionsOfWalkOption = None,
    transfers: o.TransfersOfWalkOption = None,
    quorum_timeouts: o.QuorumTimeoutsOfWalkOption = None,
    forwarding: o.ForwardingOption = False,
    torn_steps: o.TornStepsOption = False,
    batch: o.BatchOption = 2,
    network: o.NetworkOption = Network.LOSSY_DUPLICATING,
    lossy: o.LossyOption = True,
    mutant: o.MutantOption = None,
    only: o.OnlyOption = None,
    seed: o.SeedOption = None,
    steps: o.StepsOption = 1_000,
    walks: o.WalksOption = None,
    max_seconds: o.MaxSecondsOption = None,
    json: o.JsonOption = None,
    save: o.SaveOption = None,
    trace: o.TraceOption = None,
) -> int:
    """Walk at random through the behaviours of a cluster, and check Raft's properties at every state and step.

    Far beyond what can be explored: many servers, terms and crashes, with messages lost, repeated and
    reordered, and partitions. A violation is shortened to a few steps that raftproof replay executes. A simulation
    proves nothing: it finds a violation or it does not. The same seed gives the same walks.

    Exit codes: 0 not violated, 1 violated, 2 a bad request, 3 interrupted, or no time for a single step.

    \b
    Examples:
      raftproof simulate --servers 7 --seed 1 --steps 20000
      raftproof simulate --torn-steps --forwarding --max-seconds 60
      raftproof simulate --mutant truncate-always --seed 1 --save found
    """
    rules = mutant_named(mutant).rules if mutant else None
    given = (terms, entries, crashes, reads, heartbeats, compactions, transfers, quorum_timeouts)
    numbers: dict[str, Any] = dict(zip(SHARES, map(given_or, given, budgets(steps).values()), strict=True))
    bounds = Bounds(
        servers=servers,
        **numbers,
        forwarding=forwarding,
        torn_steps=torn_steps,
        batch=batch,
        network=network,
        lossy=lossy,
    )
    properties = chosen(raft_properties(bounds), only or [])
    require_places(json, trace, save)
    seed = given_or(seed, SystemRandom().randrange(SEEDS))
    recorder = Recorder(bounds, rules, source_of(seed, mutant)) if trace else None
    with progress_on_stderr("simulate", walks_line) as progress:
        found = walk(
            raft_system(bounds, rules),
            properties,
            seed=seed,
            steps=steps,
            walks=given_or(walks, max(1, STEPS_IN_ALL // max(steps, 1))),
            rates=RATES,
            measure=figures,
            max_seconds=max_seconds,
            progress=progress,
            bounds=bounds.to_dict(),
            record=recorder,
        )
    write_trace(recorder, trace)
    report(found, bounds, mutant, json, save)
    return SIMULATION_EXIT_CODES[found.verdict]


def require_places(json: str | None, trace: Path | None, save: Path | None) -> None:
    """Raise ModelError now if something could not be written after a long run."""
    require_writable(json)
    require_writable(str(trace) if trace else None)
    require_folder(save, "--save")


def source_of(seed: int, mutant: str | None) -> str:
    """Return what a trace says of where it comes from."""
    return f"raftproof {__version__} simulate, seed {seed}" + (f", mutant {mutant}" if mutant else "")


def write_trace(recorder: Recorder | None, file: Path | None) -> None:
    """Write what was recorded, if it was to be."""
    if recorder and file:
        write_file(file, json_lines(recorder.lines))


def given_or(given: int | None, usual: int) -> int:
    """Return what was given, else what is usual."""
    return usual if given is None else given


def report(found: Simulation, bounds: Bounds, mutant: str | None, json: str | None, save: Path | None) -> None:
    """Write everything that was asked for."""
    shown = found.counterexample
    document: dict[str, Any] | None = recorded(shown, bounds, mutant, __version__) if shown else None
    path = save_counterexample(save, shown, document, RaftLabels()) if save and shown and document else None
    if json:
        write_json({**simulation_document(found, RaftLabels(), document), "mutant": mutant}, json)
    if json == "-":
        return
    typer.echo(simulation_text(found, bounds.in_words() + (f", mutant {mutant}" if mutant else "")))
    if shown:
        again = shlex.join(["raftproof", "replay", str(path)]) if path else o.HOW_TO_SAVE
        typer.echo(f"\n{counterexample_text(shown, RaftLabels())}\n\nTo see it again: {again}")
