"""`raftproof judge`: is what another implementation did allowed?"""

import typer

from raftcheck.cli.exits import JUDGEMENT_EXIT_CODES
from raftcheck.cli.output import write_json
from raftcheck.oracle.judgement import Judgement, document_of
from raftcheck.version import __version__

HELP = (
    "Judge another implementation: is what it did allowed?\n\n"
    "Every answer is accept (everything that was read is allowed), reject (the first impossible event is named, with "
    "the rule that it breaks) or undecided (a limit was reached, or the record does not tell enough).\n\n"
    "Exit codes: 0 accept, 1 reject, 2 a bad request or an unreadable file, 3 undecided, 70 internal error."
)


def report(judgement: Judgement, json: str | None) -> int:
    """Print a judgement, or write it as JSON; return the exit code."""
    if json:
        write_json(document_of(judgement, __version__), json)
    if json != "-":
        typer.echo(str(judgement))
    return JUDGEMENT_EXIT_CODES[judgement.answer]
