"""The program: one command each for what the project does, and the exit codes that all of them share."""

import io
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Annotated

import typer

from raftcheck.cli.check import check
from raftcheck.cli.cluster import cluster
from raftcheck.cli.exits import INCONCLUSIVE, INTERNAL_ERROR, INTERRUPTED_BY_TYPER, USAGE_ERROR
from raftcheck.cli.failures import failures
from raftcheck.cli.judge import judge
from raftcheck.cli.judge_history import history
from raftcheck.cli.judge_lockstep import lockstep
from raftcheck.cli.judge_trace import trace
from raftcheck.cli.mutants import mutants
from raftcheck.cli.prove import prove
from raftcheck.cli.replay import replay
from raftcheck.cli.serve import serve
from raftcheck.cli.simulate import simulate
from raftcheck.cli.spec import spec
from raftcheck.cli.torture import torture
from raftcheck.cli.vectors import vectors
from raftcheck.model import ModelError
from raftcheck.version import __version__

ClickException = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""The base of typer's complaints about the command line; where it lives depends on the version of typer."""

app = typer.Typer(
    name="raftproof",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="A Raft that you can trust, and test yours against.\n\n"
    "Exit codes: 0 holds (of simulate: not violated, which proves nothing), proved or accepted, 1 violated, refuted or "
    "rejected, 2 usage or configuration error, 3 inconclusive or undecided (a limit was reached), "
    "4 vacuous (a situation that should occur never did), 70 internal error.",
)
app.command()(check)
app.command()(simulate)
app.command()(mutants)
app.command()(failures)
app.command()(torture)
app.command()(prove)
app.command()(replay)
app.command()(spec)
judge.command()(history)
judge.command()(trace)
judge.command()(lockstep)
app.command()(vectors)
app.command()(serve)
app.command()(cluster)
app.add_typer(judge)


def print_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"raftproof {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character must not cost a verdict
    try:
        code = app(args=arguments, prog_name="raftproof", standalone_mode=False)
    except ModelError as error:
        return complain(str(error))
    except KeyboardInterrupt:
        print("raftproof: interrupted", file=sys.stderr)
        return INCONCLUSIVE
    except BrokenPipeError:
        sys.stderr.close()
        return INCONCLUSIVE
    except OSError as error:
        return complain(f"cannot write the output: {error.strerror}")
    except Exception as error:
        if isinstance(error, ClickException):
            describe: Callable[[], str] = getattr(error, "format_message", error.__str__)
            return complain(describe())
        traceback.print_exc()
        print("raftproof: internal error: please report it with the lines above", file=sys.stderr)
        return INTERNAL_ERROR
    if code == INTERRUPTED_BY_TYPER:
        print("raftproof: interrupted", file=sys.stderr)
        return INCONCLUSIVE
    return int(code or 0)


def complain(message: str) -> int:
    """Print one line that says what is wrong with the request."""
    print(f"raftproof: {' '.join(message.split())}", file=sys.stderr)
    return USAGE_ERROR
