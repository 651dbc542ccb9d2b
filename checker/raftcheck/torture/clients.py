"""Clients that ask at all servers, and write down what they asked and what they were told."""

import asyncio
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple, Protocol

import msgspec

from raftcheck.oracle.history.json_history import JsonEvent, event_line
from raftcheck.torture import requests
from raftcheck.torture.requests import Asked, Draw
from raftimpl.store.requests import LeaseGrant, LeaseKeepAlive, LeaseRevoke, Range, Write

HEADER = msgspec.json.encode({"schema": "raftproof/history/1"}) + b"\n"
"""The first line of a history."""


class RefusedError(Exception):
    """A request had no effect: it was refused, or nobody was there to take it."""


class UnknownOutcomeError(Exception):
    """Nobody can say whether a request had, or will have, an effect."""


class Access(Protocol):
    """The way to the servers."""

    servers: int

    async def ask(self, server: int, request: Write | Range) -> Any:
        """Ask a server and return its answer. Raises RefusedError or UnknownOutcomeError."""


class Acknowledged(NamedTuple):
    """What a client was told that it has written: what the keys have since that revision, None where deleted."""

    line: int
    revision: int
    keys: dict[str, str | None]


class Seen(NamedTuple):
    """What a read told: that the store was so at that revision."""

    line: int
    revision: int
    asked: Asked
    told: Any


class History:
    """What all clients asked and were told, in its order."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self.lines: list[bytes] = []
        self.acknowledged: list[Acknowledged] = []
        self.seen: list[Seen] = []
        self.outcomes: Counter[str] = Counter()
        self.functions: Counter[str] = Counter()
        self._values = 0

    @property
    def file(self) -> bytes:
        """The history as a file, in the format `json` of `raftproof judge history`."""
        return HEADER + b"".join(self.lines)

    def value(self) -> str:
        """Return a value that nobody else writes."""
        self._values += 1
        return f"v{self._values}"

    def invoked(self, process: int | str, asked: Asked) -> None:
        """Note that a process asks."""
        self.functions[asked.function + (" (serializable)" if asked.is_stale else "")] += 1
        self._add("invoke", process, asked, value=asked.value, serializable=asked.is_stale)

    def told(self, process: int | str, asked: Asked, answer: Any) -> None:
        """Note an answer."""
        told = asked.told(answer)
        self._add("ok", process, asked, result=told, revision=answer.revision)
        line = len(self.lines)
        if isinstance(asked.request, Range):
            self.seen.append(Seen(line, answer.revision, asked, told))
        elif keys := requests.written(asked, told):
            self.acknowledged.append(Acknowledged(line, answer.revision, keys))

    def ended(self, process: int | str, asked: Asked, outcome: str, error: Exception) -> None:
        """Note that an operation failed, or that nobody knows."""
        self._add(outcome, process, asked, error=str(error))

    def _add(self, what: Any, process: int | str, asked: Asked, **more: Any) -> None:
        self.outcomes[what] += what != "invoke"
        event = JsonEvent(what, process, asked.function, asked.key, **more, time=round(self._time(), 6))
        self.lines.append(event_line(event))


class Habits(NamedTuple):
    """How clients behave: seconds between two requests, at most; seconds that they wait for an answer."""

    pause: float = 0.2
    patience: float = 2.0
    leases: int = 4


class Client:
    """One client: one request at a time, at servers that it draws by lot."""

    def __init__(self, number: int, random: Random, access: Access, history: History, habits: Habits) -> None:
        self.number, self._random, self._access = number, random, access
        self._history, self._habits = history, habits
        self._draw = Draw(random, history.value)
        self._known = "v1"
        self._leases: list[int] = []

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Ask until it is over."""
        while not is_over():
            await asyncio.sleep(self._random.uniform(0, self._habits.pause))
            action = self._random.choices(ACTIONS, WEIGHTS)[0]
            await action(self)

    async def ask(self, asked: Asked, server: int | None = None) -> Any:
        """Ask a server; write down what comes of it. Returns the answer, None if there was none."""
        if server is None:
            server = self._random.randrange(self._access.servers)
        self._history.invoked(self.number, asked)
        try:
            async with asyncio.timeout(self._habits.patience):
                answer = await self._access.ask(server, asked.request)
        except RefusedError as error:
            self._history.ended(self.number, asked, "fail", error)
        except (UnknownOutcomeError, TimeoutError) as error:
            self._history.ended(self.number, asked, "fail" if isinstance(asked.request, Range) else "info", error)
        else:
            self._history.told(self.number, asked, answer)
            self._note_value(answer)
            return answer
        return None

    def _note_value(self, answer: Any) -> None:
        """Remember a value that was read, to compare with."""
        kvs = getattr(answer, "kvs", ())
        if kvs:
            self._known = kvs[0].value.decode()

    async def write(self, server: int) -> bool:
        """Write a key at a server; tell whether that was acknowledged."""
        return await self.ask(requests.put(self._draw), server) is not None

    async def _replace(self) -> None:
        await self.ask(requests.replace(self._draw, self._known))

    # Leases

    async def _grant(self) -> None:
        """Write a key that goes away by itself.

        When it does, is not known; so its end is an operation that nobody ever hears of: "if the key still has this
        value, delete it". It can be known by its value, which nobody else writes.
        """
        if len(self._leases) >= self._habits.leases:
            return
        lease = (self.number + 1) * 1_000 + len(self._leases) + 1
        self._leases.append(lease)
        if await self._ask_quietly(LeaseGrant(lease, 2)):
            asked = requests.put_of(self._draw.key(), self._history.value(), lease)
            condition = {"key": asked.key, "target": "value", "sign": "=", "value": asked.value}
            end = requests.txn_of([condition], [{"f": "delete", "key": asked.key}], [])
            self._history.invoked(f"lease {lease}", end)
            await self.ask(asked)

    async def _keep_alive(self) -> None:
        if self._leases:
            await self._ask_quietly(LeaseKeepAlive(self._random.choice(self._leases)))

    async def _revoke(self) -> None:
        if self._leases:
            await self._ask_quietly(LeaseRevoke(self._random.choice(self._leases)))

    async def _ask_quietly(self, request: Write) -> bool:
        """Ask what the history does not know of; tell whether it was done."""
        try:
            async with asyncio.timeout(self._habits.patience):
                await self._access.ask(self._random.randrange(self._access.servers), request)
        except (RefusedError, UnknownOutcomeError, TimeoutError):
            return False
        return True


def drawn(draw: Callable[[Draw], Asked]) -> Callable[[Client], Any]:
    """Return the action of a client that asks what is drawn."""
    return lambda client: client.ask(draw(client._draw))


TABLE: tuple[tuple[int, Callable[[Client], Any]], ...] = (
    (20, drawn(requests.put)),
    (20, drawn(requests.get)),
    (8, drawn(requests.delete)),
    (8, drawn(requests.create)),
    (10, Client._replace),
    (10, drawn(requests.txn)),
    (6, drawn(requests.list_all)),
    (6, drawn(requests.stale_get)),
    (3, drawn(requests.stale_list)),
    (4, Client._grant),
    (3, Client._keep_alive),
    (1, Client._revoke),
)
"""How often clients do what."""

WEIGHTS = [weight for weight, _ in TABLE]
ACTIONS = [action for _, action in TABLE]
