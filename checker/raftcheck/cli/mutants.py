"""`raftproof mutants`: does the checker find the bugs that it should find, and only those?"""

from pathlib import Path
from typing import Annotated, Any

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
from raftcheck.report import SCHEMA, result_document
from raftcheck.version import __version__


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

    The harmless variants must pass. Exit code 0 when every row comes out as the table says, else 1.
    """
    rows = [mutant_named(wanted) for wanted in name] if name else list(MUTANTS.values())
    if list_only:
        print_list(rows)
        return 0
    require_writable(json)
    require_folder(save)
    with progress_on_stderr("mutants") as progress:
        results = check_all(rows, progress)
    documents = [document_of(mutant, result, save) for mutant, result in results]
    decided = [(mutant, result) for mutant, result in results if result.verdict != "inconclusive"]
    wrong = [mutant.name for mutant, result in decided if not is_as_expected(mutant, result)]
    if json:
        write_json({"schema": SCHEMA, "kind": "mutants", "version": __version__, "rows": documents}, json)
    undecided = [mutant.name for mutant, result in results if result.verdict == "inconclusive"]
    if json != "-":
        print_table(results)
        typer.echo(summary(len(rows), wrong, undecided))
    return 1 if wrong else EXIT_CODES["inconclusive"] if undecided else 0


def check_all(rows: list[Mutant], progress: Any) -> list[tuple[Mutant, Result]]:
    """Check the mutants one after another, until one is interrupted."""
    results = []
    for mutant in rows:
        results.append((mutant, check_mutant(mutant, progress)))
        if results[-1][1].limit == "interrupted":
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
    properties = raft_properties(mutant.bounds)
    if mutant.violates:
        properties = tuple(checked for checked in properties if checked.name == mutant.violates)
    return explore(
        raft_system(mutant.bounds, mutant.rules), properties, progress=progress, bounds=mutant.bounds.to_dict()
    )


def is_as_expected(mutant: Mutant, result: Result) -> bool:
    """Tell whether a harmful mutant violates the property that it names, and a harmless one none."""
    if mutant.violates is None:
        return result.verdict == "holds"
    return result.counterexample is not None and result.counterexample.violated == mutant.violates


def document_of(mutant: Mutant, result: Result, save: Path | None) -> dict[str, Any]:
    """Return a row as plain JSON values; save its counterexample if that was asked for."""
    found = result.counterexample
    document = recorded(found, mutant.bounds, mutant.name, __version__) if found else None
    if save and found and document:
        save_counterexample(save, found, document, RaftLabels())
    return {
        "mutant": mutant.name,
        "description": mutant.description,
        "source": mutant.source,
        "violates": mutant.violates,
        "as_expected": is_as_expected(mutant, result),
        "result": result_document(result, RaftLabels(), document),
    }


def print_list(rows: list[Mutant]) -> None:
    """Print what each mutant changes and what it breaks."""
    table = Table(Column("mutant", no_wrap=True), "what is changed", "violates", "source", box=None, pad_edge=False)
    for mutant in rows:
        table.add_row(mutant.name, mutant.description, mutant.violates or "nothing: harmless", mutant.source)
    stdout().print(table)


def print_table(results: list[tuple[Mutant, Result]]) -> None:
    """Print the kill table."""
    table = Table(
        "",
        Column("mutant", no_wrap=True),
        "must violate",
        "bounds",
        "verdict",
        "steps",
        "states",
        "seconds",
        box=None,
        pad_edge=False,
    )
    for mutant, result in results:
        found = result.counterexample
        table.add_row(
            "✓" if is_as_expected(mutant, result) else "✗",
            mutant.name,
            mutant.violates or "nothing: harmless",
            mutant.bounds.in_short(),
            f"{result.verdict}: {found.violated}" if found else result.verdict,
            str(found.length) if found else "",
            f"{result.states:,}",
            f"{result.seconds:.1f}",
        )
    stdout().print(table)
    typer.echo("Bounds: servers/terms/entries/crashes/reads; * also limits who may be elected or which links work.")
