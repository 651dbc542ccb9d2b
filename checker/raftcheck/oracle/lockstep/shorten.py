"""From a run that breaks a rule to a short one that breaks the same rule: every event that is not needed goes."""

import time
from collections.abc import Callable, Sequence

from raftcheck.explore.shorten import halves
from raftcheck.oracle.lockstep.events import BEGIN, Event
from raftcheck.oracle.lockstep.mail import delivery
from raftcheck.oracle.lockstep.run import Run

Begin = Callable[[], Run]
"""Begins a run anew, with empty disks."""


class Shortening:
    """Runs of the same peer that break one rule, ever shorter. `runs` counts them; `ended` tells if a limit did."""

    def __init__(self, begin: Begin, rule: str, max_runs: int, max_seconds: float) -> None:
        self._begin, self._rule = begin, rule
        self._left, self._end = max_runs, time.monotonic() + max_seconds
        self.runs = 0

    @property
    def ended(self) -> bool:
        """Tell whether there is no time for another run."""
        return self.runs >= self._left or time.monotonic() > self._end

    def breaking(self, events: Sequence[Event]) -> Run | None:
        """Let events happen; return the run if it breaks the rule. What is not possible is left out of it."""
        self.runs += 1
        run = repeat(self._begin, events)
        return run if run.broken is not None and run.broken.rule == self._rule else None

    def without_chunks(self, run: Run, size: int) -> Run:
        """Leave out so many events at once, from the last to the first, wherever the rule is still broken."""
        end = len(run.taken)
        while end > 0 and not self.ended:
            start = max(0, end - size)
            shorter = self.breaking([*run.taken[:start], *run.taken[end:]])
            if shorter is not None and len(shorter.taken) < len(run.taken):
                run = shorter
            end = min(start, len(run.taken))
        return run


def repeat(begin: Begin, events: Sequence[Event]) -> Run:
    """Begin a run and let events happen, or their like, up to the first that is rejected.

    Those that do nothing are left out.
    """
    run = begin()
    done: list[Event] = []
    for event in events:
        if run.broken is not None:
            break
        possible = event if event.do != "deliver" or is_sent(run, event) else alike(run, event)
        if possible is not None and run.take(possible):
            done.append(possible)
    run.taken = done
    return run


def is_sent(run: Run, event: Event) -> bool:
    """Tell whether the message that an event delivers can be."""
    return run.mail.find(event.source or BEGIN, event.server, event.position) is not None


def alike(run: Run, event: Event) -> Event | None:
    """Return the delivery of another message on the same link: that of the event may never have been sent."""
    sent = run.mail.like(event.sender, event.server)
    return None if sent is None else delivery(event.number, sent)


def shortened(shortening: Shortening, events: Sequence[Event]) -> Run | None:
    """Return a run from which no event can be left out, or what is reached within the limits.

    None if the events do not break the rule again: then the peer does not always do the same.
    """
    run = shortening.breaking(events)
    if run is None:
        return None
    before = len(run.taken) + 1
    while len(run.taken) < before and not shortening.ended:
        before = len(run.taken)
        for size in halves(len(run.taken)):
            run = shortening.without_chunks(run, size)
    return run
