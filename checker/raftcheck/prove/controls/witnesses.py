"""That the specification does something: for each of its actions an execution in which it happens."""

from collections.abc import Callable, Mapping

from raftcheck.prove.controls.executions import Cluster, Run, shortened
from raftcheck.prove.controls.scripts import Script, everyday
from raftspec.concrete import Concrete, cluster
from raftspec.logic import Specification
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


def witnesses(specification: Specification = RAFT) -> Mapping[str, Run]:
    """Return for the actions of a specification executions that end with them, and change the state by them.

    Without such executions a proof that every action keeps the invariants might be about actions that never happen.
    Raises GuardError if the specification does not allow what usually happens.
    """
    concrete = in_universe(specification, servers=3)
    steps = performed(Script(everyday), concrete).steps
    found: dict[str, Run] = {}
    for length, step in enumerate(steps, 1):
        if step.action not in found:
            found[step.action] = shortened(concrete, steps[:length], ends_with(step.action), None)
    return {action.name: found[action.name] for action in specification.actions if action.name in found}


def ends_with(action: str) -> Callable[[Run], bool]:
    """Return what tells whether a run's last step is this action, and changes the state."""
    return lambda run: bool(run.steps) and run.steps[-1].action == action and run.state != run.before
