"""`explore`: one call for all engines."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from raftcheck.explore.limits import Limits, MemoryLimitError, peak_memory
from raftcheck.explore.reference import ReferenceSearch
from raftcheck.explore.result import Counterexample, Progress, PropertyResult, Result, Verdict, VerificationError
from raftcheck.explore.shorten import explained
from raftcheck.model import ModelError, Property, System

if TYPE_CHECKING:
    from raftcheck.explore.covering import CoveringSearch
    from raftcheck.explore.exact import ExactSearch

Search: TypeAlias = "CoveringSearch | ExactSearch | ReferenceSearch"
Mode = Literal["covering", "exact", "reference"]
MODES: tuple[Mode, ...] = get_args(Mode)


def explore(
    system: System,
    properties: Sequence[Property],
    *,
    mode: Mode = "covering",
    symmetry: bool = True,
    max_states: int | None = None,
    max_depth: int | None = None,
    max_seconds: float | None = None,
    max_memory: int | None = None,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    bounds: dict[str, Any] | None = None,
) -> Result:
    """Explore every behaviour of a system and tell whether the properties are true of all of them.

    Mode "covering" keeps only maximal networks, which is exact for safety on LOSSY_DUPLICATING networks. Mode
    "exact" visits every state in compiled code, on `workers` threads (default: one a core), finds shortest
    counterexamples and decides `recoverable`; its first run on a machine compiles. Both explore states that differ
    only in names once, if `symmetry` is wanted and the system has a `relabel`. Mode "reference" visits every state
    in the most obvious way, always without symmetry, and finds shortest counterexamples. What the limits mean is
    told in `raftcheck.explore.limits`. `progress` is called a few times a second. `bounds` is what the model says of
    its own limits; it is handed on to the result.

    Raises ModelError for a request that cannot be answered. Ctrl-C, and want of memory,
    end the exploration with the verdict "inconclusive" and the figures reached.
    """
    if mode not in MODES:
        raise ModelError(f"mode must be one of {', '.join(MODES)}, not {mode!r}")
    if not isinstance(symmetry, bool) or (workers is not None and workers < 1):
        raise ModelError(f"symmetry must be True or False and workers at least 1, not {symmetry!r} and {workers!r}")
    properties = tuple(properties)
    names = [checked.name for checked in properties]
    if len(set(names)) != len(names):
        raise ModelError(f"two properties have the same name: {', '.join(sorted(names))}")
    limits = Limits(max_states, max_depth, max_seconds, max_memory)
    search: Search
    if mode == "reference":
        search = ReferenceSearch(system, properties, limits, progress)
    else:
        search = compiled_search(mode)(system, properties, limits, progress, symmetry, workers)
    with without_garbage_collection():
        _run(search)
    return _result(search, mode, bounds or {})


def compiled_search(mode: Mode) -> "type[CoveringSearch | ExactSearch]":
    """Return an engine in compiled code; they take long to load, so only what is used is loaded."""
    if mode == "covering":
        from raftcheck.explore.covering import CoveringSearch

        return CoveringSearch
    from raftcheck.explore.recovery import CompleteSearch

    return CompleteSearch


def _run(search: Search) -> None:
    """Run a search to its end; whatever cuts it short becomes its limit."""
    try:
        search.run()
    except KeyboardInterrupt:
        search.limit = "interrupted"
    except MemoryLimitError as error:
        search.limit = str(error)
    except MemoryError:
        search.limit = "out of memory"


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Suspend the collection of reference cycles: explorers make none, and millions of objects to look through."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _result(search: Search, mode: Mode, bounds: dict[str, Any]) -> Result:
    found = search.counterexample and explained(search.counterexample, search.monitor.properties)
    complete = search.visited_all and search.limit is None
    properties = search.monitor.results(found.violated if found else None, complete)
    return Result(
        verdict=_verdict(found, complete, properties),
        mode=mode,
        complete=complete,
        limit=search.limit,
        states=search.states,
        all_states=search.all_states,
        transitions=search.transitions,
        depth=search.depth,
        local_states=search.local_states,
        local_transitions=search.local_transitions,
        local_tuples=search.local_tuples,
        seconds=search.watch.seconds,
        peak_memory=peak_memory(),
        symmetry=not isinstance(search, ReferenceSearch) and search.symmetry.is_used,
        properties=properties,
        counterexample=found,
        bounds=bounds,
    )


def _verdict(found: Counterexample | None, complete: bool, properties: tuple[PropertyResult, ...]) -> Verdict:
    if found:
        return "violated"
    if not complete:
        return "inconclusive"
    return "vacuous" if any(checked.status == "missing" for checked in properties) else "holds"


def assert_holds(result: Result) -> None:
    """Raise VerificationError unless the verdict is "holds": for use in tests of your own.

    An exploration that was cut short, or that lacks a witness, does not pass.
    """
    if result.verdict != "holds":
        faults = [f"{p.name}: {p.status}" for p in result.properties if p.status != "holds"]
        raise VerificationError(
            f"{result.verdict} after {result.states} states (limit: {result.limit}); {'; '.join(faults)}"
        )
