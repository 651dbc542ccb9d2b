"""`raftproof judge history`: is what clients saw linearizable?"""

from pathlib import Path
from typing import Annotated

import typer

from raftcheck.cli.arguments import memory
from raftcheck.cli.judge import report
from raftcheck.cli.options import JsonOption, MaxMemoryOption
from raftcheck.cli.output import progress_on_stderr, require_writable, write_file
from raftcheck.explore import Progress
from raftcheck.oracle.history.formats import FORMATS, MODELS
from raftcheck.oracle.history.judging import MAX_SECONDS, examine
from raftcheck.oracle.history.picture import picture as picture_of
from raftcheck.oracle.history.picture import require_picture


def history(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The history; - is stdin.")],
    format: Annotated[
        str,
        typer.Option(
            metavar="|".join(FORMATS), help="; ".join(f"{name}: {form.title}" for name, form in FORMATS.items()) + "."
        ),
    ],
    model: Annotated[
        str | None,
        typer.Option(metavar="|".join(MODELS), help="What the store should do; by default what goes with the format."),
    ] = None,
    max_seconds: Annotated[float, typer.Option(help="Stop searching after so many seconds: undecided.")] = MAX_SECONDS,
    max_memory: MaxMemoryOption = None,
    picture: Annotated[
        str | None, typer.Option(metavar="FILE", help="Draw the operations: FILE.svg, or FILE.html with the report.")
    ] = None,
    json: JsonOption = None,
) -> int:
    """Judge the history of a store's clients: is it linearizable?

    Every operation must look as if it had taken effect at one moment between its invocation and its completion. An
    operation of unknown outcome may take effect at any time after its invocation, or never.

    Exit code 0 if it is, 1 if not (the first impossible event is named, and the operations whose outcomes contradict
    each other), 2 for a file that is no such history, 3 if a limit was reached.
    """
    require_picture(picture)
    for target in (json, picture):
        require_writable(target)
    with progress_on_stderr(file, search_line) as progress:
        examination = examine(
            file,
            format=format,
            model=model,
            max_seconds=max_seconds,
            max_memory=memory(max_memory),
            progress=progress,
        )
    if picture:
        write_file(Path(picture), picture_of(examination, picture))
    return report(examination.judgement, json)


def search_line(progress: Progress) -> str:
    """Return how far a search is, in one line."""
    return (
        f"{progress.states:,} configurations so far, event {progress.depth:,} of {progress.frontier:,}, "
        f"{progress.seconds:.0f} s"
    )
