"""State graphs on disk."""

from collections.abc import Callable, Sequence
from pathlib import Path

from raftcheck.cli.output import require_writable, write_file
from raftcheck.explore import Mode, Progress, TooManyStatesError, state_graph
from raftcheck.model import ModelError, Property, System
from raftcheck.raft.labels import RaftLabels
from raftcheck.report import dot, graphml
from raftcheck.report.text import counted

WRITERS = {".graphml": graphml, ".dot": dot, ".gv": dot}


def require_graph(target: Path | None, mode: Mode, most: int) -> None:
    """Raise ModelError now if a graph could not be had in this mode, or not written to that file."""
    if target is None:
        return
    if target.suffix.lower() not in WRITERS:
        raise ModelError(f"--graph {target}: the name has to end in one of {', '.join(WRITERS)}")
    if mode != "exact":
        raise ModelError(f"--graph needs --mode exact, which visits every state and transition; this is {mode} mode")
    if most < 1:
        raise ModelError(f"--graph-max-states must be at least 1, not {most}")
    require_writable(str(target))


def save_graph(
    target: Path | None,
    system: System,
    properties: Sequence[Property],
    symmetry: bool,
    most: int,
    progress: Callable[[Progress], None],
) -> str | None:
    """Write the graph of a cluster's states, if it is wanted; return in words what was written.

    Raises ModelError if there are more states than `most`, or if writing fails.
    """
    if target is None:
        return None
    try:
        graph = state_graph(system, properties, symmetry=symmetry, max_states=most, progress=progress)
    except TooManyStatesError as error:
        raise ModelError(
            f"the graph may have {counted(most, 'state')}, but there are more, {error.states:,} so far: "
            "allow more with --graph-max-states, or choose smaller bounds"
        ) from error
    write_file(target, WRITERS[target.suffix.lower()](graph, RaftLabels()))
    size = f"{counted(len(graph), 'state')}, {counted(graph.number_of_edges(), 'transition')}"
    return f"The state graph is in {target}: {size}."
