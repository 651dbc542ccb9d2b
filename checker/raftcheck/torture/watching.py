"""A client that watches all keys of a server: it must be told all that the store has seen, each once, in order."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from raftcheck.torture.judging import Finding
from raftimpl.etcd import mvcc_pb2 as mvcc
from raftimpl.etcd import rpc_pb2 as rpc
from raftimpl.etcd.watch import Watch
from raftimpl.etcd.watch_hub import WatchHub
from raftimpl.etcd.watch_index import FROM_KEY
from raftimpl.running.backend import NodeBackend
from raftimpl.running.configuration import Options, configuration_of
from raftimpl.running.node import Node
from raftimpl.store.store import Store

PROGRESS_INTERVAL = 600.0

FIRST_REVISION = 1
"""What happened from here on is told: clients of torture compact nothing."""


class Change(NamedTuple):
    """What happened to a key at a revision; no value stands for a deletion."""

    revision: int
    key: bytes
    value: bytes | None


class Watching:
    """A watch from the first revision on, for one life of a server. `heard` is what it was told."""

    def __init__(self, names: Sequence[str], node: Node) -> None:
        self.heard: list[Change] = []
        self._node = node
        initial = ",".join(f"{name}=http://{name}:1" for name in names)
        configuration = configuration_of(Options(name=names[node.state.id], initial_cluster=initial))
        self._backend = NodeBackend(configuration, node, {}, nobody_knows)
        self.task = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        """Note what is told, until this is cancelled."""
        hub = WatchHub(self._backend)
        responses = Watch(self._backend, hub, PROGRESS_INTERVAL).watch(all_keys())
        try:
            async for response in responses:
                self.heard += map(change, response.events)
        finally:
            await responses.aclose()
            await hub.stop()

    async def is_up_to_date(self) -> bool:
        """Tell whether it was told of the store's latest revision, or of a later one."""
        last = self.heard[-1].revision if self.heard else FIRST_REVISION
        return last >= self._node.machine.store.revision

    def findings(self, name: str) -> Sequence[Finding]:
        """Return how what it was told differs from what the store has seen."""
        return untold(name, self.heard, history(self._node.machine.store))


async def all_keys() -> AsyncIterator[rpc.WatchRequest]:
    """Ask for all keys, from the first revision on."""
    create = rpc.WatchCreateRequest(key=FROM_KEY, range_end=FROM_KEY, start_revision=FIRST_REVISION)
    yield rpc.WatchRequest(create_request=create)


async def nobody_knows(server: int, lease: int) -> float | None:
    """Return how long a lease still lasts: watches do not ask."""
    return None


def change(event: mvcc.Event) -> Change:
    """Return what a client reads in an event."""
    value = None if event.type == mvcc.Event.DELETE else event.kv.value
    return Change(event.kv.mod_revision, event.kv.key, value)


def history(store: Store) -> list[Change]:
    """Return all that a store has seen."""
    return [
        Change(revision, event.kv.key, None if event.is_deletion else event.kv.value)
        for revision, events in store.changes(FIRST_REVISION, sys.maxsize)
        for event in events
    ]


def untold(name: str, heard: Sequence[Change], seen: Sequence[Change]) -> Sequence[Finding]:
    """Return where what a watch of a server was told begins to differ from what its store has seen."""
    for number in range(max(len(heard), len(seen))):
        told, true = [next(iter(changes[number : number + 1]), None) for changes in (heard, seen)]
        if told != true:
            return [Finding("watches", f"event {number + 1} of a watch of {name} is {told}; in the store it is {true}")]
    return []
