"""`raftproof judge trace`: is a recorded trace of a whole cluster one that Raft allows?"""

from collections.abc import Mapping
from typing import Annotated, TypeVar

import typer

from raftcheck.cli import options as o
from raftcheck.cli.judge import report
from raftcheck.cli.output import counter_on_stderr, require_writable
from raftcheck.model import ModelError
from raftcheck.oracle.trace.api import FORMATS, FormatName, judge_trace
from raftcheck.oracle.trace.network import NETWORKS, NetworkName

Name = TypeVar("Name", bound=str)


def trace(
    file: Annotated[str, typer.Argument(metavar="FILE", help='The trace; "-" reads stdin.')],
    format: Annotated[
        str, typer.Option(metavar="FORMAT", help="raftproof (docs/traces.md) or etcd (the traces of etcd's raft).")
    ] = "raftproof",
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="any (may lose, repeat, reorder), at-most-once (may lose, reorder) or fifo (may lose). By default "
            "what the trace says, or any.",
        ),
    ] = None,
    json: o.JsonOption = None,
) -> int:
    """Judge a recorded trace of a whole cluster: is every event one that the specification allows?

    What the trace does not say is unknown, and is searched for. The first impossible event is named, with the action of
    the specification that it would have to be, and what is known of the server before it.

    Exit codes: 0 accept, 1 reject, 2 a bad request or an unreadable file, 3 undecided.

    \b
    Examples:
      raftproof judge trace cluster.jsonl
      raftproof judge trace etcd.ndjson --format etcd --network at-most-once
      zcat huge.ndjson.gz | raftproof judge trace - --format etcd
    """
    require_writable(json)
    named_format: FormatName = one_of("--format", format, FORMATS)
    named_network: NetworkName | None = None if network is None else one_of("--network", network, NETWORKS)
    with counter_on_stderr("judge trace", "events") as progress:
        judgement = judge_trace(file, named_format, named_network, progress)
    return report(judgement, json)


def one_of(option: str, value: str, names: Mapping[Name, object]) -> Name:
    """Return a value as one of some names. Raises ModelError for others."""
    for name in names:
        if name == value:
            return name
    raise ModelError(f"{option} must be one of {', '.join(names)}, not {value!r}")
