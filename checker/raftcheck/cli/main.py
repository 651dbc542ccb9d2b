"""The program: one command each for what the project does, and the exit codes that all of them share."""

import io
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated

import typer

from raftcheck.cli.exits import INCONCLUSIVE, INTERNAL_ERROR, INTERRUPTED_BY_TYPER, USAGE_ERROR
from raftcheck.model import ModelError
from raftcheck.version import __version__

ClickException = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""The base of typer's complaints about the command line; where it lives depends on the version of typer."""

COMMANDS = (
    "check", "simulate", "mutants", "failures", "torture", "prove", "replay", "spec", "vectors", "serve", "cluster",
    "judge",
)  # fmt: skip
JUDGES = ("history", "trace", "lockstep")

HELP = (
    "A Raft that you can trust, and test yours against.\n\n"
    "Exit codes: 0 holds (of simulate: not violated, which proves nothing), proved or accepted, 1 violated, refuted or "
    "rejected, 2 usage or configuration error, 3 inconclusive or undecided (a limit was reached), "
    "4 vacuous (a situation that should occur never did), 70 internal error."
)


def program(arguments: Sequence[str]) -> typer.Typer:
    """Return the program with the commands that `arguments` need. Some take longer to load than others run."""
    app = typer.Typer(
        name="raftproof",
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        help=HELP,
    )
    app.callback()(options)
    for name in needed(arguments):
        if name == "judge":
            app.add_typer(judge())
        else:
            app.command()(getattr(import_module(f"raftcheck.cli.{name}"), name))
    return app


def needed(arguments: Sequence[str]) -> Sequence[str]:
    """Return the command that is asked for; none of them for the version; all, to list them, if none is asked for."""
    if arguments[:1] == ["--version"]:
        return ()
    return [name for name in COMMANDS if name in arguments[:1]] or COMMANDS


def judge() -> typer.Typer:
    """Return `raftproof judge` with its own commands."""
    group = typer.Typer(
        name="judge", no_args_is_help=True, rich_markup_mode=None, help=import_module("raftcheck.cli.judge").HELP
    )
    for name in JUDGES:
        group.command()(getattr(import_module(f"raftcheck.cli.judge_{name}"), name))
    return group


def print_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"raftproof {__version__}")
        raise typer.Exit


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
        asked = list(sys.argv[1:] if arguments is None else arguments)
        code = program(asked)(args=asked, prog_name="raftproof", standalone_mode=False)
    except ModelError as error:
        return complain(str(error))
    except KeyboardInterrupt:
        print("raftproof: interrupted", file=sys.stderr)
        return INCONCLUSIVE
    except BrokenPipeError:
        sys.stderr.close()
        return INCONCLUSIVE
    except OSError as error:
        what = "cannot write the output" if error.filename is None else error.filename
        return complain(f"{what}: {error.strerror}")
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
