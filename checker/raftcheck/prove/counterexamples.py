"""What the mutants of the specification do, and that the specification itself does something.

For each mutant an execution that breaks a promise, or at least an invariant; for each action of the specification an
execution in which it happens. Steps that an execution does not need are left out.
"""

from collections.abc import Callable, Mapping, Sequence

from raftcheck.prove.executions import Cluster, Run, shortened
from raftcheck.prove.mutants import Mutant
from raftcheck.prove.scripts import SCRIPTS, Script, everyday
from raftspec.concrete import Concrete, cluster
from raftspec.logic import Claim, Specification
from raftspec.proof import RAFT
from raftspec.quorum import majority

TERMS, INDEXES, MESSAGES, VALUES = 6, 3, 6, 2
"""The universe of the scripts."""


def in_universe(specification: Specification, servers: int, quorum_size: int | None = None) -> Concrete:
    """Return a specification in the universe of the scripts."""
    universe = cluster(servers, TERMS, INDEXES, MESSAGES, VALUES, quorum_size or majority(servers))
    return Concrete(specification, universe)


def performed(script: Script, concrete: Concrete) -> Cluster:
    """Return what a script does. Raises GuardError where the specification does not let it happen."""
    run = Cluster(concrete, script.initial)
    script.moves(run)
    return run


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


def witnesses() -> Mapping[str, Run]:
    """Return for each action of the specification an execution that ends with it, and changes the state by it.

    Without such executions a proof that every action keeps the invariants might be about actions that never happen.
    """
    concrete = in_universe(RAFT, servers=3)
    steps = performed(Script(everyday), concrete).steps
    found: dict[str, Run] = {}
    for length, step in enumerate(steps, 1):
        if step.action not in found:
            found[step.action] = shortened(concrete, steps[:length], ends_with(step.action), None)
    return {action.name: found[action.name] for action in RAFT.actions if action.name in found}


def ends_with(action: str) -> Callable[[Run], bool]:
    """Return what tells whether a run's last step is this action, and changes the state."""
    return lambda run: bool(run.steps) and run.steps[-1].action == action and run.state != run.before
