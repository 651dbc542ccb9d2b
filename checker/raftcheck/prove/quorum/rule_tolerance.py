"""What a quorum rule costs: in which clusters there is a quorum at all, and how many failures leave one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import z3

from raftcheck.prove.quorum.functions import formula
from raftcheck.prove.quorum.rule_sizes import CHECKED_UP_TO, Sizes, least_size, n
from raftcheck.prove.quorum.solving import Query, ask
from raftspec.quorum import fault_tolerance

ROWS = 9
"""Cluster sizes of the table of tolerances."""

FITTED_UP_TO = 60
GREATEST_DIVISOR = 6


@dataclass(frozen=True)
class Progress:
    """In which clusters a quorum can be met: by all servers together, if by any.

    `sizes` is "all" (proved), "none" (proved), "some", or "unknown" (Z3 does not know; true of all or of none that were
    executed). `without` are the sizes up to CHECKED_UP_TO without a quorum, or the first beyond. If `from_on` is a
    number, it is proved that all clusters of so many servers and more have one.
    """

    sizes: Literal["all", "some", "none", "unknown"]
    without: tuple[int, ...] = ()
    from_on: int | None = None

    def in_words(self) -> str:
        """Return a sentence for what is missing; empty if nothing is."""
        if self.sizes == "all":
            return ""
        if self.sizes == "none":
            return "No cluster has a quorum: nobody can ever be elected, or nothing committed."
        if not self.without:
            return f"There is a quorum for n <= {CHECKED_UP_TO:,}; beyond that, Z3 does not know."
        first = ", ".join(f"{size:,}" for size in self.without[:5]) + (", ..." if len(self.without) > 5 else "")
        after = f" From n = {self.from_on:,} on there always is one." if self.from_on else ""
        return f"There is no quorum, hence never any progress, with n = {first}.{after}"


@dataclass(frozen=True)
class Row:
    """A cluster of so many servers: the sizes of its quorums, and how many failures leave such (None: none exist).

    An election needs an election quorum, a leader that there is a commit quorum; what `survives` has both.
    """

    servers: int
    election: int
    commit: int
    elections_survive: int | None
    commits_survive: int | None
    survives: int | None
    majority_survives: int


@dataclass(frozen=True)
class Tolerance:
    """How many failures a rule survives, whichever servers fail: the others can still elect a leader and commit.

    `formula` gives it for every n, proved, if a simple one was found. `compared` is what is proved against a majority:
    "the same" for every n, "never more", or None.
    """

    rows: tuple[Row, ...]
    formula: str | None
    compared: Literal["the same", "never more"] | None
    first_fewer: int | None

    def in_words(self) -> str:
        """Return in words what is proved, in one or two lines."""
        known = f"It survives {self.formula} failures, for every n >= 1 (proved).\n" if self.formula else ""
        if self.compared == "the same":
            return f"{known}It survives as many failures as a majority does, for every n >= 1 (proved)."
        if self.compared is None:
            return f"{known}Whether it survives fewer failures than a majority does, is not known for every n."
        fewer = f", and fewer first with n = {self.first_fewer:,}" if self.first_fewer else ""
        return f"{known}It never survives more failures than a majority does (proved){fewer}."


def greater(a: Any, b: Any) -> Any:
    """Return the greater of two terms."""
    return z3.If(a >= b, a, b)


def progress_of(election: Sizes, commit: Sizes) -> Progress:
    """Tell in which clusters both kinds of quorums exist."""
    exists = greater(election.formula, commit.formula) <= n
    without = tuple(size for size in range(1, CHECKED_UP_TO + 1) if max(election.at(size), commit.at(size)) > size)
    if not without:
        answer = ask(Query("there is a quorum", exists, (n >= 1,), (("n", n),)))
        if answer.status == "refuted":
            return Progress("some", (least_size(z3.Not(exists), dict(answer.values)["n"]),))
        return Progress("all" if answer.status == "proved" else "unknown")
    if len(without) == CHECKED_UP_TO:
        answer = ask(Query("there is no quorum", z3.Not(exists), (n >= 1,), (("n", n),)))
        if answer.status == "proved":
            return Progress("none", without)
        return Progress("some" if answer.status == "refuted" else "unknown", without)
    from_on = without[-1] + 1
    answer = ask(Query("there is a quorum from then on", exists, (n >= from_on,)))
    return Progress("some", without, from_on if answer.status == "proved" else None)


def tolerance_of(election: Sizes, commit: Sizes, progress: Progress) -> Tolerance:
    """Tell how many failures leave an election quorum and a commit quorum."""
    survived = n - greater(greater(election.formula, commit.formula), z3.IntVal(0))
    majority_survives = formula(fault_tolerance, n)
    rows = tuple(row_of(election, commit, servers) for servers in range(1, CHECKED_UP_TO + 1))
    fewer = [row.servers for row in rows if (-1 if row.survives is None else row.survives) < row.majority_survives]
    compared: Literal["the same", "never more"] | None = None
    if not fewer and is_proved(survived == majority_survives):
        compared = "the same"
    elif is_proved(survived <= majority_survives):
        compared = "never more"
    simple = simple_formula(rows, survived) if progress.sizes == "all" else None
    return Tolerance(rows[:ROWS], simple, compared, fewer[0] if fewer else None)


def row_of(election: Sizes, commit: Sizes, servers: int) -> Row:
    """Return the line of the table for a cluster of so many servers."""
    elections, commits = election.at(servers), commit.at(servers)
    return Row(
        servers,
        elections,
        commits,
        elections_survive=left_over(servers, elections),
        commits_survive=left_over(servers, commits),
        survives=left_over(servers, max(elections, commits)),
        majority_survives=fault_tolerance(servers),
    )


def left_over(servers: int, needed: int) -> int | None:
    """Return how many servers a quorum can do without; None if all are too few."""
    return servers - max(needed, 0) if needed <= servers else None


def is_proved(claim: Any) -> bool:
    """Tell whether a claim is proved for every n >= 1."""
    return ask(Query("compared with a majority", claim, (n >= 1,))).status == "proved"


def simple_formula(rows: tuple[Row, ...], survived: Any) -> str | None:
    """Return the tolerance as (a n - r) // d, if it is one: guessed from small clusters, then proved for every n."""
    for a, r, d in candidates():
        if all(row.survives == (a * row.servers - r) // d for row in rows[:FITTED_UP_TO]):
            return written(a, r, d) if is_proved(survived == (a * n - r) / d) else None
    return None


def candidates() -> Iterator[tuple[int, int, int]]:
    """Yield the numbers a, r, d of the formulas that are tried, simple ones first."""
    for d in range(1, GREATEST_DIVISOR + 1):
        for a in range(d + 1):
            for r in range(2 * d + 1):
                yield a, r, d


def written(a: int, r: int, d: int) -> str:
    """Return (a n - r) // d as one writes it."""
    if a == 0:
        return str(-r // d)
    product = "n" if a == 1 else f"{a}*n"
    dividend = f"{product} - {r}" if r else product
    if d == 1:
        return dividend
    return f"({dividend}) // {d}" if r or a > 1 else f"{dividend} // {d}"
