"""judge_lockstep: another implementation, driven and judged."""

import shlex
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from raftcheck.explore.simulate import seed_of_walk
from raftcheck.model import ModelError
from raftcheck.oracle.judgement import Judgement, Rejection
from raftcheck.oracle.lockstep import saved
from raftcheck.oracle.lockstep.adapter import Adapter
from raftcheck.oracle.lockstep.calm import NEEDED, ROUNDS, Calm
from raftcheck.oracle.lockstep.choosing import Chooser
from raftcheck.oracle.lockstep.protocol import Peer
from raftcheck.oracle.lockstep.reference_peer import ReferencePeer
from raftcheck.oracle.lockstep.run import FIGURES, Run
from raftcheck.oracle.lockstep.shorten import Shortening, repeat, shortened
from raftcheck.oracle.trace.api import RaftproofLines
from raftcheck.oracle.trace.network import NetworkName, UndecidedError
from raftimpl.cluster import MAX_SERVERS

STEPS_OF_A_RUN = 400
"""So many requests has a run if nobody says how many runs there are to be."""

EXCUSES: Mapping[str, tuple[str, ...]] = {
    "client entries taken": ("propose",),
    "restarts": ("crash", "restart"),
    "elections begun": ("timeout",),
    "recoveries": NEEDED,
}
"""What a peer may lack if its adapter does not support these requests."""

Progress = Callable[[int, float], None]


@dataclass(frozen=True)
class Plan:
    """What is asked of a peer: `steps` requests in all, in `runs` runs that begin with empty disks.

    `network` is what the messages travel on; None: what the peer says. `max_seconds` ends the runs,
    `shorten_seconds` and `shorten_runs` the shortening of what they have found.
    """

    servers: int = 3
    steps: int = 2_000
    seed: int = 0
    runs: int | None = None
    network: NetworkName | None = None
    max_seconds: float | None = None
    shorten_seconds: float = 60.0
    shorten_runs: int = 5_000

    def __post_init__(self) -> None:
        if not 1 <= self.servers <= MAX_SERVERS:
            raise ModelError(f"servers must be from 1 to {MAX_SERVERS}, not {self.servers}")
        for name, value in (("steps", self.steps), ("seed", self.seed + 1), ("runs", self.number_of_runs)):
            if value < 1:
                raise ModelError(f"{name} is too small: {getattr(self, name)}")
        if self.number_of_runs > self.steps:
            raise ModelError(f"{self.number_of_runs} runs need at least as many steps, not {self.steps}")

    @property
    def number_of_runs(self) -> int:
        """How many runs there are."""
        return max(1, self.steps // STEPS_OF_A_RUN) if self.runs is None else self.runs

    @property
    def names(self) -> list[str]:
        """The servers' names."""
        return [str(number) for number in range(1, self.servers + 1)]

    def each_run(self) -> Iterator[tuple[int, int]]:
        """Yield seed and number of requests of each run."""
        runs = self.number_of_runs
        for number in range(runs):
            yield seed_of_walk(self.seed, number), self.steps // runs + (number < self.steps % runs)


@dataclass
class Outcome:
    """What became of a peer's runs, or the reference's.

    `requests` counts what was asked, `calm` of them at the ends of runs, where nothing goes wrong; `checked` counts the
    steps. `stuck` are the runs that did not recover then, `last` is the run that was made last.
    """

    runs: int = 0
    requests: int = 0
    checked: int = 0
    figures: Counter[str] = field(default_factory=Counter)
    unsupported: dict[str, str] = field(default_factory=dict)
    calm: int = 0
    stuck: list[int] = field(default_factory=list)
    last: Run | None = None
    last_seed: int = 0
    last_requests: int = 0
    why: str = ""

    @property
    def broken(self) -> Rejection | None:
        """The rejection, if there was one."""
        return self.last.broken if self.last else None


def judge_lockstep(
    command: str | Sequence[str],
    servers: int = 3,
    steps: int = 2_000,
    seed: int = 0,
    *,
    runs: int | None = None,
    network: NetworkName | None = None,
    max_seconds: float | None = None,
    answer_seconds: float = 10.0,
    save: Path | None = None,
    progress: Progress | None = None,
) -> Judgement:
    """Drive a peer through `steps` requests and judge every step that it takes. The same seed asks for the same.

    `command` starts the peer's adapter (docs/lockstep.md); `answer_seconds` is how long it may take for an answer.
    `save` is a file for the shortest schedule that breaks the same rule. `progress` is called now and then with the
    number of requests and the seconds. Raises AdapterError for an adapter that does not keep to the protocol,
    ModelError for a request that makes no sense.
    """
    plan = Plan(servers, steps, seed, runs, network, max_seconds)
    with closing(Adapter(command, answer_seconds)) as peer:
        return judge_peer(peer, plan, save, progress)


def judge_peer(peer: Peer, plan: Plan, save: Path | None = None, progress: Progress | None = None) -> Judgement:
    """Judge a peer that runs already, in this process or in another: see `judge_lockstep`."""
    started = time.monotonic()
    outcome = drive(peer, plan, progress)
    if outcome.last is None:
        raise ModelError(f"there was no time for a single request within {plan.max_seconds:g} s")
    judgement = answered(outcome, plan, peer, save)
    return replace(judgement, seconds=time.monotonic() - started)


def drive(peer: Peer, plan: Plan, progress: Progress | None = None) -> Outcome:
    """Let a peer go through all runs, or up to the first rejection."""
    outcome, started = Outcome(), time.monotonic()
    for seed, requests in plan.each_run():
        if is_over(plan, started):
            outcome.why = f"the time was up after {outcome.requests:,} of {plan.steps:,} requests"
            break
        outcome.last = run = Run(peer, plan.names, seed, plan.network)
        outcome.runs += 1
        outcome.last_seed, outcome.last_requests = seed, 0
        try:
            go(run, Chooser(run, seed), requests, outcome, lambda: is_over(plan, started))
            if not is_over(plan, started):
                recover(run, requests, outcome)
        except UndecidedError as error:
            outcome.why = str(error)
        outcome.checked += run.checked
        outcome.figures.update(run.figures)
        outcome.unsupported.update(run.unsupported)
        if run.broken is not None or outcome.why:
            break
        if progress:
            progress(outcome.requests, time.monotonic() - started)
    return outcome


def is_over(plan: Plan, started: float) -> bool:
    """Tell whether the time is up."""
    return plan.max_seconds is not None and time.monotonic() - started > plan.max_seconds


def go(run: Run, chooser: Chooser, requests: int, outcome: Outcome, is_over: Callable[[], bool]) -> None:
    """Let so many events happen, until one is rejected or the time is up."""
    for _ in range(requests):
        if run.broken is not None or is_over():
            return
        outcome.requests += 1
        outcome.last_requests += 1
        run.take(chooser.next())


def recover(run: Run, requests: int, outcome: Outcome) -> None:
    """Let a run find its calm, and note whether it does."""
    calm = Calm(run, requests)
    recovers = None if run.broken is not None else calm.recovers()
    outcome.requests += calm.requests
    outcome.last_requests += calm.requests
    outcome.calm += calm.requests
    run.figures["recoveries"] += recovers is True
    if recovers is False:
        outcome.stuck.append(outcome.runs)


def answered(outcome: Outcome, plan: Plan, peer: Peer, save: Path | None) -> Judgement:
    """Return the answer that the outcome of a peer's runs gives."""
    run = outcome.last
    assert run is not None
    subject = f"{run.peer_name} in lockstep, seed {plan.seed}"
    asked = {
        "requests": f"{outcome.requests:,} in {outcome.runs} runs, {outcome.calm:,} of them at the ends, without faults"
    }
    left_out = {f"left out, because it is not supported: {do}": why for do, why in outcome.unsupported.items()}
    if outcome.broken is not None:
        rejection, details = rejected(outcome, plan, peer, save)
        return Judgement(
            "reject",
            subject,
            outcome.checked,
            "steps",
            RaftproofLines.against,
            run.assumptions,
            rejection,
            details={**asked, **left_out, **details},
        )
    time_of_reference = plan.max_seconds if outcome.why else None
    reference = drive(ReferencePeer(), replace(plan, network=run.network, max_seconds=time_of_reference))
    why = outcome.why or lacking(outcome, reference)
    return Judgement(
        "undecided" if why else "accept",
        subject,
        outcome.checked,
        "steps",
        RaftproofLines.against,
        run.assumptions,
        why=why,
        details={**asked, **left_out, **compared(outcome, reference)},
    )


def lacking(outcome: Outcome, reference: Outcome) -> str:
    """Return in which respect a peer has done nothing at all although the reference did; "" if in none."""
    for figure in FIGURES:
        excused = any(do in outcome.unsupported for do in EXCUSES.get(figure, ()))
        if not outcome.figures[figure] and reference.figures[figure] and not excused:
            return (
                f"{figure}: 0, where the reference has {reference.figures[figure]:,}; "
                "all steps are allowed, but they show nothing of this"
            )
    for number in outcome.stuck:
        if number not in reference.stuck:
            return (
                f"run {number} does not recover: after {ROUNDS} rounds and more without a fault not all servers know "
                "of a new entry that is committed, as they do in the reference; all steps are allowed"
            )
    return ""


def compared(outcome: Outcome, reference: Outcome) -> dict[str, str]:
    """Return what a peer achieved, beside what the reference did."""
    return {figure: f"{outcome.figures[figure]:,} (the reference: {reference.figures[figure]:,})" for figure in FIGURES}


def rejected(outcome: Outcome, plan: Plan, peer: Peer, save: Path | None) -> tuple[Rejection, dict[str, Any]]:
    """Shorten what was found. Return the rejection at the end of the short schedule, and what to tell of it."""
    found, seed = outcome.last, outcome.last_seed
    assert found is not None
    assert found.broken is not None
    place = f"request {outcome.last_requests:,} of run {outcome.runs}"
    shortening = Shortening(
        lambda: Run(peer, plan.names, seed, plan.network), found.broken.rule, plan.shorten_runs, plan.shorten_seconds
    )
    run = shortened(shortening, found.taken)
    details = {"found": f"{place}; shortened in {shortening.runs:,} runs"}
    if run is None:
        details["repeated"] = "it did not happen again when the same was asked: the peer does not always do the same"
        run = found
    details.update(story(run, shortening.ended))
    if save:
        saved.write(to_save(run, seed), save)
        details["saved"] = f"{save}; to run it again: {replay_command(peer, save)}"
    assert run.broken is not None
    return replace(run.broken, where=f"{place}; {run.broken.where} of the shortest schedule"), details


def story(run: Run, is_cut_short: bool) -> dict[str, str]:
    """Return the schedule in words, a line for each event."""
    length = "no request can be left out of them" if not is_cut_short else "they could perhaps be fewer"
    lines = {f"  {number}": run.story[event.number] for number, event in enumerate(run.taken, 1)}
    return {"schedule": f"{len(run.taken)} requests that break the rule; {length}", **lines}


def to_save(run: Run, seed: int) -> saved.Saved:
    """Return what is written to a file."""
    assert run.broken is not None
    return saved.Saved(
        saved.FORMAT,
        run.servers,
        run.network,
        seed,
        tuple(run.taken),
        run.broken.rule,
        run.broken.reason,
        run.peer_name,
        run.header,
        tuple(run.trace),
    )


def replay_command(peer: Peer, file: Path) -> str:
    """Return the command that runs a saved schedule again."""
    return shlex.join(["raftproof", "judge", "lockstep", "--replay", str(file), "--peer", peer.name])


def replay_lockstep(command: str | Sequence[str], file: Path, *, answer_seconds: float = 10.0) -> Judgement:
    """Run a saved schedule again, on the same peer or on another."""
    with closing(Adapter(command, answer_seconds)) as peer:
        return replay_peer(peer, saved.read(file), str(file))


def replay_peer(peer: Peer, schedule: saved.Saved, name: str) -> Judgement:
    """Let the events of a schedule happen again; those that are not possible are left out.

    Undecided if that breaks nothing, and not everything was possible.
    """
    started = time.monotonic()
    run = repeat(lambda: Run(peer, schedule.servers, schedule.seed, schedule.network), schedule.events)
    details = story(run, True) if run.broken else {}
    impossible = len(schedule.events) - len(run.taken)
    why = ""
    if impossible and run.broken is None:
        why = f"{impossible} of its {len(schedule.events)} requests were not possible or did nothing"
    return Judgement(
        "reject" if run.broken else "undecided" if why else "accept",
        f"{run.peer_name}, {name} again",
        run.checked,
        "steps",
        RaftproofLines.against,
        run.assumptions,
        run.broken,
        why,
        details,
        time.monotonic() - started,
    )
