"""What the mutants of the specification do: executions that break a promise, or at least an invariant.

Steps that an execution does not need are left out.
"""

from collections.abc import Sequence

from raftcheck.prove.controls.executions import Run, shortened
from raftcheck.prove.controls.mutants import Mutant
from raftcheck.prove.controls.scripts import SCRIPTS
from raftcheck.prove.controls.witnesses import in_universe, performed
from raftspec.logic import Claim, Specification
from raftspec.proof import RAFT


def promises(specification: Specification) -> tuple[Claim, ...]:
    """Return what users rely on: of states and of steps."""
    return specification.safety + specification.steps


def counterexample(mutant: Mutant) -> Run | None:
    """Return an execution of a mutant that breaks invariants, and with its last step what the mutant violates, if any.

    No step of it can be left out. None if there is no such execution.
    """
    script = SCRIPTS.get(mutant.name)
    if script is None:
        return None
    concrete = in_universe(mutant.specification, script.servers, mutant.quorum_size(script.servers))
    promise = [claim for claim in promises(RAFT) if claim.name == mutant.violates]
    invariants = [claim for claim in RAFT.invariants if claim.name in mutant.breaks]

    def is_kept(run: Run) -> bool:
        return bool(run.broken(promise)) == bool(promise) and first_broken(run, invariants) is not None

    return shortened(concrete, performed(script, concrete).steps, is_kept, script.initial)


def first_broken(run: Run, claims: Sequence[Claim]) -> int | None:
    """Return after how many steps of a run one of these claims is broken first, None if never."""
    again = Run(run.concrete, run.initial)
    for position, step in enumerate(run.steps, 1):
        again.take(step)
        if again.broken(claims):
            return position
    return None
