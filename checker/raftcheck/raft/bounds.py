"""How much of Raft's infinite behaviour a check covers."""

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
    heartbeats: how often a leader's heartbeat timer may run out; on a duplicating network heartbeats only
    repeat what is under way anyway, and each allowed one costs states.

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
    forwarding: bool = False
    torn_steps: bool = False
    batch: int = 8
    network: Network = Network.LOSSY_DUPLICATING
    lossy: bool = True
    candidates: dict[int, int] = field(default_factory=dict)
    cut: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        for name, least, most in (
            ("servers", 1, MAX_SERVERS),
            ("terms", 1, 99),
            ("entries", 0, 99),
            ("crashes", 0, 99),
            ("reads", 0, 99),
            ("heartbeats", 0, 99),
            ("batch", 1, 99),
        ):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ModelError(f"{name} must be from {least} to {most}, not {value}")
        for server in (*self.candidates.values(), *(server for pair in self.cut for server in pair)):
            if not 0 <= server < self.servers:
                raise ModelError(f"there is no server {server} in a cluster of {self.servers}")

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
            counted(self.reads, "read", "reads") if self.reads else "",
            counted(self.heartbeats, "heartbeat", "heartbeats") if self.heartbeats else "",
            "clients ask any server" if self.forwarding else "",
            f"at most {counted(self.batch, 'entry', 'entries')} a message",
            f"{self.network.value} network" + self._losses(),
            *(f"only s{server} starts elections for term {term}" for term, server in self.candidates.items()),
            *(f"s{a} and s{b} cannot talk" for a, b in self.cut),
        ]
        return ", ".join(part for part in parts if part)

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


def counted(number: int, one: str, many: str) -> str:
    """Return a number with its noun."""
    return f"{number} {one if number == 1 else many}"
