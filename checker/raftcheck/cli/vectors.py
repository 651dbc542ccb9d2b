"""`raftproof vectors`: few steps of one server that take every branch of the core, for tests of other programs."""

from pathlib import Path
from typing import Annotated

import typer

from raftcheck.cli import arguments
from raftcheck.cli import options as o
from raftcheck.cli.output import json_lines, progress_on_stderr, require_writable, write_file
from raftcheck.oracle.vectors.choosing import choose
from raftcheck.oracle.vectors.document import lines
from raftcheck.oracle.vectors.transitions import transitions
from raftcheck.raft.bounds import Bounds
from raftcheck.version import __version__


def vectors(
    servers: o.ServersOption = 3,
    terms: o.TermsOption = 2,
    entries: o.EntriesOption = 1,
    crashes: o.CrashesOption = 0,
    reads: o.ReadsOption = 0,
    heartbeats: o.HeartbeatsOption = 0,
    compactions: o.CompactionsOption = 0,
    transfers: o.TransfersOption = 0,
    quorum_timeouts: o.QuorumTimeoutsOption = 0,
    forwarding: o.ForwardingOption = False,
    batch: o.BatchOption = 1,
    candidates: o.CandidatesOption = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the vectors there, not to stdout.")] = None,
) -> int:
    """Choose steps of a server, as few as seem to be needed, that show all of the core that any step shows.

    That is every branch, every combination of branches in a function, every kind of input in every role, and every
    known bug (see raftproof mutants).

    All steps are executed that a server takes in any behaviour within the bounds. The vectors are JSON, one a line: the
    state before, the input, the state after, the outputs in their order (docs/vectors.md). They are a small set, not
    proved to be a smallest one. What is not reached within the bounds is listed in the first line.

    Exit codes: 0 done, 2 a bad request, such as bounds that are too large to explore.

    \b
    Examples:
      raftproof vectors > vectors.jsonl
      raftproof vectors --servers 2 --crashes 1 --reads 1 --heartbeats 1 --forwarding --output vectors.jsonl
    """
    require_writable(str(output) if output else None)
    bounds = Bounds(
        servers=servers,
        terms=terms,
        entries=entries,
        crashes=crashes,
        reads=reads,
        heartbeats=heartbeats,
        compactions=compactions,
        transfers=transfers,
        quorum_timeouts=quorum_timeouts,
        forwarding=forwarding,
        batch=batch,
        candidates=arguments.candidates(candidates),
    )
    with progress_on_stderr("vectors") as progress:
        taken = transitions(bounds, progress)
    covering = choose(bounds, taken)
    source = f"raftproof {__version__} vectors: {bounds.in_words()}"
    text = json_lines(lines(covering, bounds, len(taken), source))
    if output:
        write_file(output, text)
    else:
        typer.echo(text, nl=False)
    shown = f"{len(covering.branches)} branches, {covering.paths} paths, {covering.situations} situations"
    typer.echo(
        f"{len(covering.chosen)} vectors show the {shown} and {len(covering.bugs)} known bugs that {len(taken):,} "
        "transitions show",
        err=True,
    )
    return 0
