"""`raftproof mutants`: does the checker find the bugs that it should find, and only those?"""

from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from rich.table import Column, Table

from raftcheck.cli.exits import EXIT_CODES
from raftcheck.cli.output import progress_on_stderr, require_folder, require_writable, stdout, write_json
from raftcheck.cli.saving import save_counterexample
from raftcheck.explore import Result, explore
from raftcheck.raft.build import raft_system
from raftcheck.raft.counterexample import recorded
from raftcheck.raft.labels import RaftLabels
from raftcheck.raft.mutants import MUTANTS, Mutant, mutant_named
from raftcheck.raft.properties import raft_properties
from raftcheck.raft.refinement import NAME, refused_at
from raftcheck.report import SCHEMA, result_document
from raftcheck.version import __version__


class Row(NamedTuple):
    """What became of a mutant. `refined`: the exploration for its refinement alone; a harmless one's is the same."""

    mutant: Mutant
    result: Result
    refined: Result

    @property
    def refused_at(self) -> str | None:
        """The action of the specification that was refused to it, None if none was."""
        found = self.refined.counterexample
        return refused_at(found) if found else None

    @property
    def is_decided(self) -> bool:
        """Tell whether nothing was cut short."""
        return "inconclusive" not in (self.result.verdict, self.refined.verdict)

    @property
    def is_as_expected(self) -> bool:
        """Tell whether everything is as the mutant says."""
        return is_as_expected(self.mutant, self.result) and is_refused_as_expected(self.mutant, self.refined)


def mutants(
    name: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Only these; all if none is given.")
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="Only list the mutants.")] = False,
    json: Annotated[
        str | None, typer.Option(metavar="FILE|-", help="Write the table as JSON to a file, or to stdout.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Save the counterexamples there; raftproof replay executes them.")
    ] = None,
) -> int:
    """Check broken variants of the implementation: each must violate the property that its row names.

    Each must also be refused an action of the specification, or the table says why that does not see it. The harmless
    variants must pass. Exit code 0 when every row comes out as the table says, else 1.
    """
    rows = [mutant_named(wanted) for wanted in name] if name else list(MUTANTS.values())
    if list_only:
        print_list(rows)
        return 0
    require_writable(json)
    require_folder(save, "--save")
    with progress_on_stderr("mutants") as progress:
        results = check_all(rows, progress)
    documents = [document_of(row, save) for row in results]
    wrong = [row.mutant.name for row in results if row.is_decided and not row.is_as_expected]
    if json:
        write_json({"schema": SCHEMA, "kind": "mutants", "version": __version__, "rows": documents}, json)
    undecided = [row.mutant.name for row in results if not row.is_decided]
    if json != "-":
        print_table(results)
        typer.echo(summary(len(rows), wrong, undecided))
    return 1 if wrong else EXIT_CODES["inconclusive"] if undecided else 0


def check_all(rows: list[Mutant], progress: Any) -> list[Row]:
    """Check the mutants one after another, until one is interrupted."""
    results: list[Row] = []
    for mutant in rows:
        result = check_mutant(mutant, progress)
        is_second_needed = mutant.violates is not None and result.limit != "interrupted"
        results.append(Row(mutant, result, check_refinement(mutant, progress) if is_second_needed else result))
        if results[-1].refined.limit == "interrupted":
            break
    return results


def summary(rows: int, wrong: list[str], undecided: list[str]) -> str:
    """Return the last line: what is not as the table says, and what could not be told."""
    if wrong:
        return f"Not as the table says: {', '.join(wrong)}"
    if undecided:
        return f"Interrupted at {', '.join(undecided)}: the rows from there on are not decided."
    return f"All {rows} rows are as the table says."


def check_mutant(mutant: Mutant, progress: Any = None) -> Result:
    """Explore a mutant within its bounds: a harmful one for its property alone, a harmless one for all."""
    return _explored(mutant, mutant.violates, progress)


def check_refinement(mutant: Mutant, progress: Any = None) -> Result:
    """Explore a mutant within its bounds for one thing: whether its steps are the specification's."""
    return _explored(mutant, NAME, progress)


def _explored(mutant: Mutant, only: str | None, progress: Any) -> Result:
    properties = tuple(checked for checked in raft_properties(mutant.bounds) if only in (None, checked.name))
    return explore(
        raft_system(mutant.bounds, mutant.rules), properties, progress=progress, bounds=mutant.bounds.to_dict()
    )


def is_as_expected(mutant: Mutant, result: Result) -> bool:
    """Tell whether a harmful mutant violates the property that it names, and a harmless one none."""
    if mutant.violates is None:
        return result.verdict == "holds"
    return result.counterexample is not None and result.counterexample.violated == mutant.violates


def is_refused_as_expected(mutant: Mutant, refined: Result) -> bool:
    """Tell whether the action that the mutant names was refused to it; nothing if it names none."""
    found = refined.counterexample
    if mutant.refused is None:
        return refined.verdict == "holds"
    return found is not None and (found.violated, refused_at(found)) == (NAME, mutant.refused)


def document_of(row: Row, save: Path | None) -> dict[str, Any]:
    """Return a row as plain JSON values; save its counterexample if that was asked for."""
    mutant, result = row.mutant, row.result
    found, refused = result.counterexample, row.refined.counterexample
    document = recorded(found, mutant.bounds, mutant.name, __version__) if found else None
    if save and found and document:
        save_counterexample(save, found, document, RaftLabels())
    return {
        "mutant": mutant.name,
        "description": mutant.description,
        "source": mutant.source,
        "violates": mutant.violates,
        "refused": mutant.refused,
        "invisible": mutant.invisible or None,
        "as_expected": row.is_as_expected,
        "refused_at": row.refused_at,
        "explanation": refused.explanation if refused else None,
        "result": result_document(result, RaftLabels(), document),
    }


def print_list(rows: list[Mutant]) -> None:
    """Print what each mutant changes and what it breaks."""
    table = Table(
        Column("mutant", no_wrap=True),
        "what is changed",
        "violates",
        "refused by the specification",
        "source",
        box=None,
        pad_edge=False,
    )
    for mutant in rows:
        refused = mutant.refused or mutant.invisible or "nothing"
        table.add_row(mutant.name, mutant.description, mutant.violates or "nothing: harmless", refused, mutant.source)
    stdout().print(table)


def print_table(results: list[Row]) -> None:
    """Print the kill table."""
    table = Table(
        "",
        Column("mutant", no_wrap=True),
        "must violate",
        "bounds",
        "verdict",
        "steps",
        Column("refused at", no_wrap=True),
        "states",
        "seconds",
        box=None,
        pad_edge=False,
    )
    for row in results:
        mutant, result = row.mutant, row.result
        found = result.counterexample
        table.add_row(
            "✓" if row.is_as_expected else "✗",
            mutant.name,
            mutant.violates or "nothing: harmless",
            mutant.bounds.in_short(),
            f"{result.verdict}: {found.violated}" if found else result.verdict,
            str(found.length) if found else "",
            row.refused_at or "",
            f"{result.states:,}",
            f"{result.seconds:.1f}",
        )
    stdout().print(table)
    typer.echo("Refused at: the first action of the specification that the implementation claims and must not take.")
    for reason in dict.fromkeys(row.mutant.invisible for row in results if row.mutant.invisible):
        names = ", ".join(row.mutant.name for row in results if row.mutant.invisible == reason)
        typer.echo(f"Not seen by the specification: {names}: {reason}.")
    typer.echo(
        "Bounds: servers/terms/entries/crashes/reads; + also has heartbeats, compactions, transfers, quorum timeouts; "
        "* also limits who may be elected or which links work."
    )
