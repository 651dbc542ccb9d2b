"""What random walks found, as text and as a JSON document."""

from collections.abc import Iterator
from typing import Any

from raftcheck.explore.simulate import SimulatedProperty, Simulation
from raftcheck.model import Kind
from raftcheck.report.document import SCHEMA, counterexample_document
from raftcheck.report.labels import Labels
from raftcheck.report.text import MARKS, counted
from raftcheck.version import __version__

MARKS_OF_WALKS = {"violated": MARKS["violated"], "not violated": "-", "met": MARKS["holds"], "never met": "✗"}


def simulation_document(
    found: Simulation, labels: Labels, counterexample: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return what was found as plain JSON values.

    `counterexample` replaces the generic form of the counterexample, for models whose inputs can be read back.
    """
    if counterexample is None and found.counterexample is not None:
        counterexample = counterexample_document(found.counterexample, labels)
    return {
        "schema": SCHEMA,
        "kind": "simulation",
        "version": __version__,
        "verdict": found.verdict,
        "exhaustive": False,
        "limit": found.limit,
        "bounds": found.bounds,
        "seed": found.seed,
        "steps_per_walk": found.steps_per_walk,
        "walks": found.walks,
        "ended_early": found.ended_early,
        "steps": found.steps,
        "changes": found.changes,
        "seconds": round(found.seconds, 3),
        "steps_per_second": round(found.steps_per_second),
        "peak_memory": found.peak_memory,
        "figures": {name: figure._asdict() for name, figure in found.figures.items()},
        "properties": [
            {
                "name": checked.name,
                "kind": checked.kind.value,
                "status": checked.status,
                "source": checked.source,
                "walks": checked.walks if checked.kind is Kind.SOMETIMES else None,
            }
            for checked in found.properties
        ],
        "walk": found.walk,
        "walk_seed": found.walk_seed,
        "found_after": found.found_after,
        "counterexample": counterexample,
    }


def simulation_text(found: Simulation, bounds: str) -> str:
    """Return what was found as text, without the counterexample. `bounds` says in words where the walks went."""
    return "\n".join(_lines(found, bounds))


def _lines(found: Simulation, bounds: str) -> Iterator[str]:
    yield _first_line(found)
    if found.limit:
        yield f"  limit     {found.limit}"
    yield f"  bounds    {bounds}"
    early = f", of which {found.ended_early:,} had nothing new left to do" if found.ended_early else ""
    yield f"  walked    {counted(found.walks, 'walk')} of at most {counted(found.steps_per_walk, 'step')}{early}"
    yield f"            {counted(found.steps, 'step')} in all, of which {found.changes:,} changed something"
    yield f"  seed      {found.seed}"
    yield f"  took      {found.seconds:.1f} s, {found.steps_per_second:,.0f} steps a second, " + (
        f"peak memory {found.peak_memory / 2**20:.0f} MiB"
    )
    if found.walk is not None:
        needed = f"; {found.counterexample.length} are enough" if found.counterexample else ""
        yield f"  found     in walk {found.walk}, after {counted(found.found_after or 0, 'step')}{needed}"
        yield f"            (--seed {found.walk_seed} --walks 1 is this walk alone)"
    if found.figures:
        yield "  happened"
    for name, figure in found.figures.items():
        yield f"    {figure.total:7,} {name}, at most {figure.greatest:,} in one walk"
    for kind in (Kind.ALWAYS, Kind.SOMETIMES):
        of_kind = [checked for checked in found.properties if checked.kind is kind]
        if of_kind:
            yield f"  {kind.value}"
        for checked in of_kind:
            yield f"    {MARKS_OF_WALKS[checked.status]} {checked.name}{_status(checked, found.walks)}"


def _first_line(found: Simulation) -> str:
    if found.verdict == "violated":
        return "VIOLATED: a property is violated."
    walks = f"no violation found in {counted(found.walks, 'walk')}; a simulation proves nothing."
    if found.verdict == "inconclusive":
        return f"INCONCLUSIVE: the simulation was cut short; {walks}"
    return f"NOT VIOLATED: {walks}"


def _status(checked: SimulatedProperty, walks: int) -> str:
    if checked.status == "met":
        return f": in {checked.walks:,} of {counted(walks, 'walk')}"
    return "" if checked.status == "not violated" else f": {checked.status}"
