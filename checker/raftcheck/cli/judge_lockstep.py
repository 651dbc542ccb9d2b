"""`raftproof judge lockstep`: drive another implementation, and judge every step that it takes."""

from pathlib import Path
from random import SystemRandom
from typing import Annotated

import typer

from raftcheck.cli import options as o
from raftcheck.cli.judge import report
from raftcheck.cli.judge_trace import one_of
from raftcheck.cli.output import counter_on_stderr, require_folder, require_writable
from raftcheck.cli.simulate import SEEDS
from raftcheck.oracle.lockstep.api import judge_lockstep, replay_lockstep
from raftcheck.oracle.trace.network import NETWORKS, NetworkName


def lockstep(
    peer: Annotated[str, typer.Option(metavar="COMMAND", help="What starts the peer's adapter (docs/lockstep.md).")],
    servers: o.ServersOption = 3,
    steps: Annotated[int, typer.Option(help="Requests in all.")] = 2_000,
    runs: Annotated[
        int | None,
        typer.Option(help="In so many runs, each beginning with empty disks; without it, one for each 200 steps."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Ask for the same again; without it, one is drawn.")] = None,
    network: Annotated[
        str | None,
        typer.Option(
            metavar="NETWORK",
            help="any (may lose, repeat, reorder), at-most-once (may lose, reorder) or fifo (may lose). By default "
            "what the peer says that it was built for.",
        ),
    ] = None,
    max_seconds: o.MaxSecondsOption = None,
    answer_seconds: Annotated[float, typer.Option(help="How long the peer may take for one answer.")] = 10.0,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the shortest rejected schedule and its trace there.")
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run a schedule again that --save has written, nothing else.")
    ] = None,
    json: o.JsonOption = None,
) -> int:
    """Drive another implementation step by step through elections, losses, crashes; judge every step that it takes.

    A step that the specification does not allow is told with the rule that it breaks, and a short schedule that leads
    there. What was achieved is shown beside what the reference achieves: a peer that does nothing is not accepted.

    Exit codes: 0 accept, 1 reject, 2 a bad request or an adapter that does not keep to the protocol, 3 undecided.

    \b
    Examples:
      raftproof judge lockstep --peer "python -m raftcheck.oracle.lockstep.reference_peer" --seed 1
      raftproof judge lockstep --peer ./adapter --servers 5 --steps 20000 --network at-most-once --save found.json
      raftproof judge lockstep --peer ./adapter --replay found.json
    """
    require_writable(json)
    require_folder(save.parent if save else None, "--save")
    if replay is not None:
        return report(replay_lockstep(peer, replay, answer_seconds=answer_seconds), json)
    named: NetworkName | None = None if network is None else one_of("--network", network, NETWORKS)
    with counter_on_stderr("judge lockstep", "requests") as progress:
        judgement = judge_lockstep(
            peer,
            servers,
            steps,
            SystemRandom().randrange(SEEDS) if seed is None else seed,
            runs=runs,
            network=named,
            max_seconds=max_seconds,
            answer_seconds=answer_seconds,
            save=save,
            progress=progress,
        )
    return report(judgement, json)
