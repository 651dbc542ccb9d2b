"""`raftproof failures`: how many servers of a cluster may fail for good?"""

import typer
from rich.table import Column, Table

from raftcheck.cli import options as o
from raftcheck.cli.exits import EXIT_CODES
from raftcheck.cli.output import progress_on_stderr, require_writable, stdout, write_json
from raftcheck.model import ModelError
from raftcheck.raft.bounds import counted
from raftcheck.raft.continuation import MORE_TERMS
from raftcheck.raft.failures import RUNS, FailureTable, Row, explore_failures
from raftcheck.raft.failures_report import document_of, example_lines, headline, verdict_of, wrong_cells
from raftcheck.raft.mutants import mutant_named
from raftcheck.version import __version__

MOST_SERVERS = max(RUNS)

EXPLANATION = f"""\
yes   from every situation the others can elect a leader, or still have one, and commit a new write:
      for each situation a behaviour was executed that does so
no    from no situation they can: everything was visited that they can do in {MORE_TERMS} terms more,
      with one new write and any number of heartbeats
some  from some situations they can, from others not

A situation: a run of the cluster has reached some combination of server states; then some servers
fail for good, whichever, and all messages under way are lost. All runs of so many terms and client
entries were explored, without crashes, reads and heartbeats, on a network that loses, repeats and
reorders; servers that only swap names count once. `different` situations differ in the survivors'
states; `longest` is the number of events of the longest behaviour; `hopeless` states were visited
for the answers no. The table says what is possible, not that an election ends in time."""


def failures(
    max_servers: o.MaxServersOption = MOST_SERVERS,
    mutant: o.MutantOption = None,
    max_seconds: o.MaxSecondsOption = None,
    json: o.JsonOption = None,
) -> int:
    """Explore how many servers may fail for good, so that the others can still elect a leader and commit a new write.

    Each cell of the table comes from executing the implementation: from every combination of server states that a
    bounded run reaches, for every choice of the servers that fail, with all messages under way lost. Afterwards the
    table is compared with the specification's function.

    Exit codes: 0 the table is as specified, 1 a cell differs, 2 a bad request, 3 a limit was reached.

    \b
    Examples:
      raftproof failures --max-servers 5
      raftproof failures --max-servers 2 --mutant half-rounded-up
    """
    if not 1 <= max_servers <= MOST_SERVERS:
        raise ModelError(f"--max-servers must be from 1 to {MOST_SERVERS}, not {max_servers}")
    rules = mutant_named(mutant).rules if mutant else None
    require_writable(json)
    with progress_on_stderr("failures") as progress:
        table = explore_failures(max_servers, rules, max_seconds, progress)
    if json:
        write_json(document_of(table, max_servers, mutant, __version__), json)
    if json != "-":
        print_report(table, max_servers, mutant)
    return EXIT_CODES[verdict_of(table)]


def print_report(table: FailureTable, max_servers: int, mutant: str | None) -> None:
    """Print the verdict, the table, what it rests on, and why it differs if it does."""
    typer.echo(headline(table, mutant) + "\n")
    stdout().print(answers(table, max_servers))
    typer.echo()
    stdout().print(figures(table))
    typer.echo(f"\n{EXPLANATION}")
    for row, cell, example in wrong_cells(table):
        typer.echo("\n" + "\n".join(example_lines(row, cell, example)))


def answers(table: FailureTable, max_servers: int) -> Table:
    """Return the table itself: one line for each size, one column for each number of failures."""
    shown = Table(
        Column("servers", justify="right"),
        *(f"{failures} fail" for failures in range(max_servers + 1)),
        Column("survives", justify="right"),
        box=None,
        pad_edge=False,
    )
    for row in table.rows:
        cells = [cell.answer for cell in row.cells]
        shown.add_row(str(row.bounds.servers), *cells, *[""] * (max_servers + 1 - len(cells)), survival(row))
    for servers in range(len(table.rows) + 1, max_servers + 1):
        shown.add_row(str(servers), *["?"] * (servers + 1), *[""] * (max_servers - servers), "unknown")
    return shown


def survival(row: Row) -> str:
    """Return in words what a cluster survives."""
    return "nothing" if row.survives is None else counted(row.survives, "failure", "failures")


def figures(table: FailureTable) -> Table:
    """Return what the answers rest on."""
    titles = ("servers", "terms", "entries", "states", "combinations", "situations", "different", "longest", "hopeless")
    shown = Table(*(Column(title, justify="right") for title in (*titles, "took")), box=None, pad_edge=False)
    for row in table.rows:
        numbers = (
            row.bounds.servers,
            row.bounds.terms,
            row.bounds.entries,
            row.states,
            row.combinations,
            sum(cell.situations for cell in row.cells),
            sum(cell.different for cell in row.cells),
            max(cell.longest for cell in row.cells),
            row.hopeless,
        )
        shown.add_row(*(f"{number:,}" for number in numbers), f"{row.seconds:.1f} s")
    return shown
