"""`raftproof spec`: the specification of Raft to read, or to hand to TLC."""

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from raftcheck.cli.output import write_file
from raftcheck.document import specification_markdown, specification_text, tla_config, tla_module


class Format(Enum):
    """How the specification is written down."""

    TEXT = "text"
    MARKDOWN = "markdown"
    TLA = "tla"
    TLA_CONFIG = "tla-config"


WRITERS: dict[Format, Callable[[str], str]] = {
    Format.TEXT: lambda _: specification_text(),
    Format.MARKDOWN: lambda _: specification_markdown(),
    Format.TLA: lambda name: tla_module(name=name),
    Format.TLA_CONFIG: lambda name: tla_config(name=name),
}
"""Each is given the name of the module."""


def spec(
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="text: in the signs of mathematics; markdown: with formulas that GitHub and GitLab show; tla: a TLA+ "
            "module; tla-config: a small model of it for TLC.",
        ),
    ] = Format.TEXT,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write it to a file instead of stdout. A TLA+ module gets the name of its file."
        ),
    ] = None,
) -> int:
    """Print the specification of Raft: what servers know, what may happen, what is promised and why it is true.

    It covers clusters, terms and logs of any size. What is printed is the very text that the checker computes with and
    that the proofs are about. The TLA+ module says the same to TLC, which explores a small model of it.

    \b
    Examples:
      raftproof spec | less
      raftproof spec --format tla --output Raft.tla
      raftproof spec --format tla-config --output Raft.cfg
      java -cp tla2tools.jar tlc2.TLC -config Raft.cfg Raft.tla
    """
    text = WRITERS[form](output.stem if output else "Raft")
    if output:
        write_file(output, text)
    else:
        typer.echo(text, nl=False)
    return 0
