"""Why a history is not linearizable: the first event that is impossible, and the operations that make it so."""

from dataclasses import dataclass

from raftcheck.explore.limits import Watch
from raftcheck.oracle.history.events import Call, cut, forgotten
from raftcheck.oracle.history.models import State
from raftcheck.oracle.history.parts import Part
from raftcheck.oracle.history.search import Found, Steps, search

MAX_CONFIGURATIONS = 1 << 15
"""Of one search for a smaller explanation: one that takes longer makes nothing clearer."""


@dataclass(frozen=True)
class Impossible:
    """The first event with which the operations of a part are not linearizable: the completion of `call`.

    `before` are the states that the model can be in when it comes, `order` is one of the longest beginnings of a
    linearization of the history that ends with it. `is_first`: the history that ends before it is linearizable.
    """

    part: Part
    position: int
    call: Call
    is_first: bool
    before: tuple[State, ...]
    order: tuple[Call, ...]
    configurations: int


@dataclass(frozen=True)
class Explanation:
    """What makes an event impossible.

    `needed` are operations whose outcomes contradict each other, whatever became of all others that were invoked.
    `is_minimal`: without the outcome of any one of them, the history would be linearizable.
    """

    impossible: Impossible
    needed: tuple[Call, ...]
    is_minimal: bool


def first_impossible(part: Part, whole: Found, steps: Steps, watch: Watch) -> Impossible:
    """Return the first event with which a part is not linearizable, given what a search of all of it found.

    A history that ends with an event knows nothing of later answers. The search of the whole history knew them, and
    came as far as the completion of `whole.blocked`; so what comes before that event is linearizable. As every
    beginning of a linearizable history is linearizable, halving finds the first event with which it is not.
    """
    assert whole.blocked is not None
    assert whole.blocked.completed is not None
    least = whole.blocked.completed
    ends = sorted(call.completed for call in part.calls if call.completed is not None and call.completed >= least)
    low, high = 0, len(ends) - 1  # the history that ends with ends[high] is not linearizable
    found_at_high, middle, is_first = whole, 0, True
    while low < high or found_at_high is whole:
        found = search(tuple(cut(part.calls, ends[middle])), steps, watch)
        if found.linearizable is None:
            is_first = False
            break
        if found.linearizable:
            low = middle + 1
        else:
            high, found_at_high = middle, found
        middle = (low + high) // 2
    call = next(call for call in part.calls if call.completed == ends[high])
    at = found_at_high
    return Impossible(part, ends[high], call, is_first, at.before, at.order, at.configurations)


def explain(impossible: Impossible, steps: Steps, watch: Watch) -> Explanation:
    """Return operations whose outcomes suffice to make an event impossible, as few as can be found.

    To leave one out is to forget its outcome: it may have taken effect at any time after its invocation, or never. (If
    writes were deleted, a read of what they wrote would be impossible for that reason alone.) What is needed in a
    larger set is needed in all that it contains, so every operation has to be tried alone only once.
    """
    calls = tuple(cut(impossible.part.calls, impossible.position))
    needed = [call for call in calls if call.completed is not None]
    size, is_minimal = max(1, len(needed) // 2), impossible.is_first
    while size:
        is_minimal = impossible.is_first
        for some in [needed[start : start + size] for start in range(0, len(needed), size)]:
            without = {call.number for call in some} - {impossible.call.number}
            kept = [call for call in needed if call.number not in without]
            numbers = {call.number for call in kept}
            weaker = [call if call.number in numbers else forgotten(call) for call in calls]
            answer = search(weaker, steps, watch, MAX_CONFIGURATIONS).linearizable if without else True
            if answer is False:
                needed = kept
            is_minimal &= answer is not None
        size //= 2
    return Explanation(impossible, tuple(needed), is_minimal)
