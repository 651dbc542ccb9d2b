"""Random executions of the specification: any that its guards allow, or guided ones, that get somewhere.

A guided execution is one in which messages are mostly handled and clusters mostly work: actions are weighted, and
sensible arguments are preferred. It is nevertheless an execution: what guides it only leaves steps out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from raftcheck.prove.controls.enabled import Enabled
from raftcheck.prove.controls.executions import Run, Step
from raftspec.concrete import Concrete, State
from raftspec.logic import Action, Expression, Specification, SpecificationError, all_of, for_all
from raftspec.raft import commit, commit_index, current_term, last, last_index, match_index, n, p, prev, t

WEIGHTS: Mapping[str, float] = {
    "Timeout": 0.1,
    "RequestVote": 8,
    "UpdateTerm": 8,
    "HandleRequestVote": 8,
    "HandleVote": 8,
    "BecomeLeader": 20,
    "ClientRequest": 4,
    "AppendEntries": 2,
    "StepDown": 4,
    "HandleAppendEntries": 8,
    "HandleAcknowledgement": 8,
    "AdvanceCommitIndex": 20,
    "StepAside": 0.05,
    "Restart": 0.05,
}
"""How often an action is tried in a guided execution, in proportion: failures are rare, and what is sent arrives."""

SENSIBLE: Mapping[str, Expression] = {
    "UpdateTerm": ~for_all([p], ~(current_term[p] == t)),
    "AppendEntries": all_of(
        last == last_index[n], prev < last, commit == commit_index[n], ~for_all([p], ~(match_index[n, p] == prev))
    ),
}
"""What guided executions prefer: a term that some server is in; what the leader has and a follower may lack."""


def sensible(specification: Specification) -> Specification:
    """Return the specification with more guards: it allows only what guided executions prefer."""
    for name, guard in SENSIBLE.items():
        action = specification.action(name)
        specification = specification.with_action(replace(action, guard={**action.guard, "it is sensible": guard}))
    return specification


@dataclass(frozen=True, eq=False)
class Walker:
    """Walks at random. `guided`: how often, from 0 to 1, a step is chosen as a guided execution would.

    Steps that change nothing are not taken, nor those that leave the universe.
    """

    concrete: Concrete
    guided: float = 0.0
    _any: Enabled = field(init=False)
    _sensible: Enabled = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_any", Enabled(self.concrete))
        guide = Concrete(sensible(self.concrete.specification), self.concrete.universe)
        object.__setattr__(self, "_sensible", Enabled(guide))

    def walk(self, random: Random, length: int, initial: State | None = None) -> Iterator[Run]:
        """Yield one run after each of its steps: at most `length`, fewer if nothing more can happen."""
        run = Run(self.concrete, initial)
        for _ in range(length):
            is_guided = random.random() < self.guided
            if not ((is_guided and self.advance(run, random, self._sensible)) or self.advance(run, random, self._any)):
                return
            yield run

    def advance(self, run: Run, random: Random, enabled: Enabled) -> bool:
        """Take a random step, and tell whether there was one."""
        actions = enabled.concrete.specification.actions
        weights = [WEIGHTS.get(a.name, 1.0) if enabled is self._sensible else 1.0 for a in actions]
        for action in shuffled(actions, weights, random):
            steps = list(enabled.steps(action, run.state))
            random.shuffle(steps)
            if any(is_taken(run, step) for step in steps):
                return True
        return False


def is_taken(run: Run, step: Step) -> bool:
    """Take a step unless it changes nothing or leaves the universe; tell whether it was taken."""
    before, state = run.before, run.state
    try:
        run.take(step)
    except SpecificationError:
        return False
    if run.state == state:
        run.before, run.state = before, state
        run.steps.pop()
        return False
    return True


def shuffled(items: Sequence[Action], weights: Sequence[float], random: Random) -> list[Action]:
    """Return the items in a random order in which heavy ones tend to come first."""
    keys = {index: random.random() ** (1 / weight) for index, weight in enumerate(weights)}
    return [items[index] for index in sorted(keys, key=lambda index: -keys[index])]
