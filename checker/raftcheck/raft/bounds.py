"""How much of Raft's infinite behaviour a check covers."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from raftcheck.model import ModelError, Network
from raftimpl.cluster import MAX_SERVERS


@dataclass(frozen=True)
class Bounds:
    """The bounds of a model of a cluster. Within them every behaviour is explored.

    servers: cluster size. terms: the greatest term that a server may start an election for. entries: how many
    client entries leaders may append, counted over all leaders (a leader's no-op is not counted).
    crashes: how often a server may crash, each time restarting from its disk. reads: linearizable reads that
    leaders begin.
    compactions: how often a server may drop entries that a snapshot of its state machine stands for.
    transfers: how often a leader may ask another server to take over. quorum_timeouts: how often a leader may step
    aside because it hears of no quorum.
    heartbeats: how often a leader's heartbeat timer may run out. Leaders send entries and commit indexes at once,
    so that without heartbeats everything can still happen that needs no repetition; each one costs states.

    forwarding: clients may ask any server, not just the leader. torn_steps: a crash may also hit between two
    outputs of one step. batch: the most entries of one AppendEntries.

    candidates: term -> the only server that may start an election for it (no entry: any server).
    cut: pairs of servers between which no message arrives.

    Raises ModelError, naming the bound, for values that make no model.
    """

    servers: int = 3
    terms: int = 2
    entries: int = 1
    crashes: int = 0
    reads: int = 0
    heartbeats: int = 0
    compactions: int = 0
    transfers: int = 0
    quorum_timeouts: int = 0
    forwarding: bool = False
    torn_steps: bool = False
    batch: int = 8
    network: Network = Network.LOSSY_DUPLICATING
    lossy: bool = True
    candidates: dict[int, int] = field(default_factory=dict)
    cut: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for fault in (*number_faults(self), *choice_faults(self), *server_faults(self)):
            raise ModelError(fault)

    @property
    def is_symmetric(self) -> bool:
        """Tell whether the bounds treat all servers alike; within a torn step, some messages leave before others."""
        return not (self.candidates or self.cut or self.torn_steps)

    def in_words(self) -> str:
        """Return the bounds as the verdict names them."""
        parts = [
            counted(self.servers, "server", "servers"),
            counted(self.terms, "term", "terms"),
            counted(self.entries, "client entry", "client entries"),
            counted(self.crashes, "crash", "crashes"),
            "crashes also within steps" if self.torn_steps else "",
            counted(self.reads, "read", "reads"),
            counted(self.heartbeats, "heartbeat", "heartbeats"),
            counted(self.compactions, "compaction", "compactions") if self.compactions else "",
            counted(self.transfers, "leadership transfer", "leadership transfers") if self.transfers else "",
            counted(self.quorum_timeouts, "quorum timeout", "quorum timeouts") if self.quorum_timeouts else "",
            "clients ask any server" if self.forwarding else "",
            f"at most {counted(self.batch, 'entry', 'entries')} a message",
            f"{self.network.value} network" + self._losses(),
            *(f"only s{server} starts elections for term {term}" for term, server in self.candidates.items()),
            *(f"s{a} and s{b} cannot talk" for a, b in self.cut),
        ]
        return ", ".join(part for part in parts if part)

    def in_short(self) -> str:
        """Return servers/terms/entries/crashes/reads; a star says that elections or links are limited as well."""
        figures = (self.servers, self.terms, self.entries, self.crashes, self.reads)
        return "/".join(map(str, figures)) + ("*" if self.candidates or self.cut else "")

    def _losses(self) -> str:
        if self.network is Network.LOSSY_DUPLICATING:
            return " (messages lost, repeated, reordered)"
        return " (messages lost)" if self.lossy else " (no message lost)"

    def to_dict(self) -> dict[str, Any]:
        """Return the bounds as plain JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["network"] = self.network.value
        plain["candidates"] = {str(term): server for term, server in self.candidates.items()}
        plain["cut"] = [list(pair) for pair in self.cut]
        return plain

    @staticmethod
    def from_dict(plain: dict[str, Any]) -> "Bounds":
        """Return the bounds that `to_dict` gave. Raises ModelError if they are none."""
        try:
            return Bounds(
                **{
                    **plain,
                    "network": Network(plain["network"]),
                    "candidates": {int(term): server for term, server in plain["candidates"].items()},
                    "cut": tuple((a, b) for a, b in plain["cut"]),
                }
            )
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise ModelError(f"these are no bounds of a Raft model: {error}") from error


RANGES = {
    "servers": (1, MAX_SERVERS),
    "terms": (1, 9_999),
    "entries": (0, 9_999),
    "crashes": (0, 9_999),
    "reads": (0, 9_999),
    "heartbeats": (0, 9_999),
    "compactions": (0, 9_999),
    "transfers": (0, 9_999),
    "quorum_timeouts": (0, 9_999),
    "batch": (1, 99),
}


def number_faults(bounds: Bounds) -> Iterator[str]:
    """Yield which numbers are out of range, in words."""
    for name, (least, most) in RANGES.items():
        value = getattr(bounds, name)
        if type(value) is not int:
            yield f"{name} must be a whole number, not {value!r}"
        elif not least <= value <= most:
            yield f"{name} must be from {least} to {most}, not {value}"


def choice_faults(bounds: Bounds) -> Iterator[str]:
    """Yield which choices make no sense, in words."""
    for name in ("forwarding", "torn_steps", "lossy"):
        if type(getattr(bounds, name)) is not bool:
            yield f"{name} must be true or false, not {getattr(bounds, name)!r}"
    if bounds.network is Network.LOSSY_DUPLICATING and not bounds.lossy:
        yield "a lossy-duplicating network may always lose messages; choose unordered or ordered"
    if bounds.torn_steps and not bounds.crashes:
        yield "steps are torn by crashes, of which there are none; allow at least one"
    for term in bounds.candidates:
        if not 1 <= term <= bounds.terms:
            yield f"no election starts for term {term}: terms are 1 to {bounds.terms}"


def server_faults(bounds: Bounds) -> Iterator[str]:
    """Yield which servers do not exist, in words."""
    for a, b in bounds.cut:
        if a == b:
            yield f"server {a} cannot be cut off from itself"
    for server in (*bounds.candidates.values(), *(server for pair in bounds.cut for server in pair)):
        if type(server) is not int or not 0 <= server < bounds.servers:
            yield f"there is no server {server} in a cluster of {bounds.servers}"


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many}"
