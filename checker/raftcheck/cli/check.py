"""`raftproof check`: explore every behaviour of a small cluster."""

import shlex
from functools import partial
from pathlib import Path
from typing import Any

import typer

from raftcheck.cli import arguments
from raftcheck.cli import options as o
from raftcheck.cli.exits import EXIT_CODES
from raftcheck.cli.graphs import require_graph, save_graph
from raftcheck.cli.output import progress_on_stderr, require_folder, require_writable, write_json
from raftcheck.cli.saving import save_counterexample
from raftcheck.explore import MODES, Mode, Result, explore
from raftcheck.model import Kind, ModelError, Network, Property
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.build import raft_system
from raftcheck.raft.counterexample import recorded
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.mutants import mutant_named
from raftcheck.raft.properties import raft_properties
from raftcheck.report import counterexample_text, result_document, result_text
from raftcheck.version import __version__


def check(
    servers: o.ServersOption = 3,
    terms: o.TermsOption = 2,
    entries: o.EntriesOption = 2,
    crashes: o.CrashesOption = 2,
    reads: o.ReadsOption = 0,
    heartbeats: o.HeartbeatsOption = 0,
    compactions: o.CompactionsOption = 0,
    transfers: o.TransfersOption = 0,
    quorum_timeouts: o.QuorumTimeoutsOption = 0,
    forwarding: o.ForwardingOption = False,
    torn_steps: o.TornStepsOption = False,
    batch: o.BatchOption = 8,
    candidates: o.CandidatesOption = None,
    cut: o.CutOption = None,
    network: o.NetworkOption = Network.LOSSY_DUPLICATING,
    lossy: o.LossyOption = True,
    mutant: o.MutantOption = None,
    only: o.OnlyOption = None,
    mode: o.ModeOption = None,
    symmetry: o.SymmetryOption = True,
    workers: o.WorkersOption = None,
    max_states: o.MaxStatesOption = None,
    max_depth: o.MaxDepthOption = None,
    max_seconds: o.MaxSecondsOption = None,
    max_memory: o.MaxMemoryOption = None,
    json: o.JsonOption = None,
    save: o.SaveOption = None,
    graph: o.GraphOption = None,
    graph_max_states: o.GraphMaxStatesOption = 2_000,
) -> int:
    """Explore every behaviour of a small cluster of the implementation, and check Raft's properties on all of them.

    Within the bounds nothing is left out: every order of timeouts, requests, deliveries, losses, duplications and
    crashes. The verdict is about these bounds only, and it names them.

    \b
    Examples:
      raftproof check --servers 5 --terms 1 --entries 0 --crashes 0
      raftproof check --servers 2 --network ordered
      raftproof check --mutant vote-for-whoever-asks-first --property "Leader Completeness" --save found
      raftproof check --servers 2 --terms 1 --mode exact --graph states.dot
      raftproof check --entries 1 --crashes 0 --compactions 1
    """
    numbers = (servers, terms, entries, crashes, reads, heartbeats, compactions, transfers, quorum_timeouts)
    bounds = Bounds(
        *numbers,
        forwarding=forwarding,
        torn_steps=torn_steps,
        batch=batch,
        network=network,
        lossy=lossy,
        candidates=arguments.candidates(candidates),
        cut=arguments.cut(cut),
    )
    system = raft_system(bounds, mutant_named(mutant).rules if mutant else None)
    claims, wanted = chosen(raft_properties(bounds), only or []), mode_for(network, mode)
    require_graph(graph, wanted, graph_max_states)
    require_places(json, save)
    memory = arguments.memory(max_memory)
    within = partial(explore, max_states=max_states, max_depth=max_depth, max_seconds=max_seconds, max_memory=memory)
    with progress_on_stderr("check") as progress:
        drawn = save_graph(graph, system, claims, symmetry, graph_max_states, progress)
        result = within(
            system, claims, mode=wanted, symmetry=symmetry, workers=workers, progress=progress, bounds=bounds.to_dict()
        )
    report(result, bounds, mutant, json, save, drawn)
    return EXIT_CODES[result.verdict]


def require_places(json: str | None, save: Path | None) -> None:
    """Raise ModelError now if something could not be written after a long run."""
    require_writable(json)
    require_folder(save, "--save")


def chosen(properties: tuple[Property, ...], names: list[str]) -> tuple[Property, ...]:
    """Return the named properties, all if none is named; always all witnesses, so that nothing holds vacuously.

    Raises ModelError for an unknown name.
    """
    known = {checked.name: checked for checked in properties}
    for name in names:
        if name not in known:
            raise ModelError(f"there is no property {name!r} within these bounds; there are: {', '.join(known)}")
    return tuple(p for p in properties if not names or p.name in names or p.kind is Kind.SOMETIMES)


def mode_for(network: Network, wanted: str | None) -> Mode:
    """Return the mode that was asked for, or the fastest that is exact on this network."""
    if wanted is None:
        return "covering" if network is Network.LOSSY_DUPLICATING else "exact"
    for mode in MODES:
        if mode == wanted:
            return mode
    raise ModelError(f"there is no mode {wanted!r}; there are: {', '.join(MODES)}")


def report(
    result: Result, bounds: Bounds, mutant: str | None, json: str | None, save: Path | None, drawn: str | None
) -> None:
    """Write everything that was asked for; `drawn` says in words what graph there is."""
    found = result.counterexample
    document: dict[str, Any] | None = None
    if found:
        document = recorded(found, bounds, mutant, __version__)
    if save and found and document:
        path = save_counterexample(save, found, document, RaftLabels())
    if json:
        write_json({**result_document(result, RaftLabels(), document), "mutant": mutant}, json)
    if json == "-":
        return
    typer.echo(result_text(result, bounds.in_words() + (f", mutant {mutant}" if mutant else "")))
    if found:
        typer.echo(f"\n{counterexample_text(found, RaftLabels())}")
        command = shlex.join(["raftproof", "replay", str(path)]) if save else o.HOW_TO_SAVE
        typer.echo(f"\nTo see it again: {command}")
    if drawn:
        typer.echo(f"\n{drawn}")
