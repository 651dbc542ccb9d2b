"""A ring of processes that pass a token on; who holds it may enter the critical section."""

from typing import Any, NamedTuple

from raftcheck import Deliver, Network, Property, Send, Step, System, always, recoverable, sometimes


class Place(NamedTuple):
    pid: int
    holds: bool


class Ring:
    def __init__(self, size: int) -> None:
        self.size = size

    def initial(self, pid: int) -> Place:
        return Place(pid, pid == 0)

    def inputs(self, place: Place) -> tuple[str, ...]:
        return ("pass on",) if place.holds else ()

    def step(self, place: Place, input: Any) -> Step | None:
        if isinstance(input, Deliver):
            return Step(place._replace(holds=True))
        return Step(place._replace(holds=False), (Send((place.pid + 1) % self.size, "token"),))


PROPERTIES: tuple[Property, ...] = (
    always("Mutual Exclusion", lambda a, b: not (a.holds and b.holds), over="pair"),
    sometimes("The last one has its turn", lambda states, _: states[-1].holds, over="cluster"),
)

RECOVERABLE = recoverable("The first one has its turn again", lambda states, _: states[0].holds, over="cluster")


def token_ring(size: int, network: Network, lossy: bool) -> System:
    return System([Ring(size)] * size, network, lossy)
