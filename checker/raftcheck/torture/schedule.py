"""What goes wrong when: drawn from a seed."""

from collections.abc import Mapping
from random import Random
from typing import NamedTuple


class Fault(NamedTuple):
    """Something that goes wrong at some time, for some seconds.

    `victim` is a server's number; the leader of that time if it is None. What `amount`, between 0 and 1, says depends
    on the kind.
    """

    at: float
    kind: str
    victim: int | None
    other: int
    seconds: float
    amount: float

    def __str__(self) -> str:
        victim = "the leader" if self.victim is None else f"s{self.victim}"
        return f"{self.at:.2f} s: {self.kind} ({victim}, s{self.other}; {self.seconds:.2f} s, {self.amount:.2f})"


def schedule(seed: object, servers: int, seconds: float, faults: int, weights: Mapping[str, int]) -> tuple[Fault, ...]:
    """Draw faults for so many seconds, in the order of their times. Kinds are drawn by their weights."""
    random = Random(f"{seed}/faults")
    times = sorted(random.uniform(0.5, seconds) for _ in range(faults))
    drawn = []
    for at in times:
        victim = random.randrange(servers)
        other = random.choice([server for server in range(servers) if server != victim] or [victim])
        aims_at_leader = random.random() < 0.5
        drawn.append(
            Fault(
                at,
                random.choices(list(weights), list(weights.values()))[0],
                None if aims_at_leader else victim,
                other,
                random.uniform(0.1, 2.5),
                random.random(),
            )
        )
    return tuple(drawn)
