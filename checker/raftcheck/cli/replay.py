"""`raftproof replay`: execute a saved counterexample again."""

from pathlib import Path
from typing import Annotated

import typer

from raftcheck.cli.exits import EXIT_CODES
from raftcheck.raft import counterexample
from raftcheck.raft.bounds import Bounds
from raftcheck.raft.labels import RaftLabels
from raftcheck.report import counterexample_text


def replay(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A counterexample that check, simulate or mutants saved.")
    ],
) -> int:
    """Execute a saved counterexample on this implementation, and say whether it still fails.

    Exit code 1 if it does, 0 if the property is no longer violated, 3 if the behaviour is no longer possible.
    """
    read = counterexample.load(file)
    replayed = counterexample.replay(read)
    labels = RaftLabels()
    what = f"mutant {read.mutant}" if read.mutant else "the implementation"
    typer.echo(f"Executed {file} on {what}: {Bounds.from_dict(read.bounds).in_words()}.")
    if replayed.impossible is not None:
        event = read.events[replayed.impossible - 1]
        typer.echo(
            f"INCONCLUSIVE: event {replayed.impossible} of {len(read.events)} ({event.text}) is no longer possible, "
            "so this says nothing of the property; run raftproof check."
        )
        return EXIT_CODES["inconclusive"]
    if replayed.violated is None:
        typer.echo(f"NO LONGER VIOLATED: {read.property}, by this one behaviour of {len(read.events)} events.")
        return EXIT_CODES["holds"]
    typer.echo(f"VIOLATED: it still fails.\n\n{counterexample_text(replayed.found, labels)}")
    return EXIT_CODES["violated"]
