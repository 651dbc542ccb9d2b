"""Broken servers, which torture must find out: the core with a broken rule, or a driver that breaks a promise."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from raftcheck.model import ModelError
from raftcheck.raft.mutants import MUTANTS as CORE_MUTANTS
from raftcheck.torture.virtual_cluster import Build
from raftcheck.torture.virtual_world import VirtualDisk
from raftimpl.running.node import Node
from raftimpl.state import Role
from raftimpl.step import Apply, Input, Output, ReadReady, Restore, Send
from raftimpl.store.machine import decode_batch, encode_batch, thaw
from raftimpl.store.requests import LeaseExpire


class Mutant(NamedTuple):
    """A broken server: its name, what is broken, and what to build it of."""

    name: str
    description: str
    build: Build


class Early(Node):
    """Some outputs are carried out before what comes before them is durable."""

    early: tuple[type[Output], ...] = ()

    def _take(self, input: Input, clock: int = 0) -> None:
        super()._take(input, clock)
        outputs, self._outputs = self._outputs, []
        later = [output for output in outputs if not isinstance(output, self.early)]
        self._outputs = [output for output in outputs if isinstance(output, self.early)]
        self._carry_out()
        self._outputs = later


class SendsBeforeSync(Early):
    """Messages leave before what they promise is on disk."""

    early = (Send,)


class AppliesBeforeSync(Early):
    """Entries are applied, and their clients answered, before the log is on disk."""

    early = (Restore, Apply)


class AnswersReadsBeforeApply(Early):
    """Reads are answered before what they wait for is applied."""

    early = (ReadReady,)


class SkipsSyncs(VirtualDisk):
    """Every other sync says that it is done, and leaves its work to the next."""

    _skipped = False

    async def sync(self) -> None:
        """Sync, or say so."""
        self._skipped = not self._skipped
        if not self._skipped:
            await super().sync()


class ForgetsVote(Node):
    """A server forgets at a restart whom it has voted for."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.state = replace(self.state, voted_for=None)


class ConfirmsReadsAtOnce(Node):
    """Linearizable reads are answered from what the server has."""

    async def confirm_read(self) -> None:
        """Ask nobody."""


class RepeatsUnderNewNumber(Node):
    """A batch that may have been lost is proposed again as another batch."""

    def _propose_again(self) -> None:
        writes = self._writes
        if writes.command is not None:
            writes._sequence += 1
            batch = decode_batch(writes.command)
            writes.command = encode_batch(
                type(batch)(batch.origin, batch.incarnation, writes._sequence, batch.requests)
            )
        super()._propose_again()


class AcknowledgesProposals(Node):
    """A leader tells its clients what will come of their writes as soon as it has proposed them."""

    def _propose(self, command: bytes) -> None:
        super()._propose(command)
        if self.state.role is Role.LEADER:
            guess = thaw(self.machine.freeze().chunks())
            applied = guess.apply(guess.applied_index + 1, command)
            if applied is not None:
                self._writes.applied(applied)


class KeepsStoreAtSnapshot(Node):
    """A server that is sent a snapshot goes on with the store that it had."""

    def _restore(self, output: Restore) -> None:
        store = self.machine.store
        super()._restore(output)
        self.machine.store = store


class ForgetsSessionsAtSnapshot(Node):
    """A server that is sent a snapshot forgets which batches are applied."""

    def _restore(self, output: Restore) -> None:
        super()._restore(output)
        self.machine.sessions.clear()


class KeepsIncarnation(VirtualDisk):
    """Every life of a server takes itself for the first one."""

    def open(self) -> VirtualDisk:
        """Count no starts."""
        self.incarnation = 1
        return self


class NeverEndsLeases(Node):
    """The leader ends no lease."""

    def _expire_later(self, request: LeaseExpire) -> None:
        pass


class TellsNoWatches(Node):
    """Whoever waits for a change, as watches do, is not told when something is applied."""

    def _notify(self) -> None:
        pass


class Unwatched(Node):
    """A server that does not look at what it does: so what others find out is seen."""

    require = staticmethod(lambda before, step: None)


def driver_mutants() -> Iterator[Mutant]:
    """Yield the mutants of what is around the core."""
    nodes: Mapping[str, type[Node]] = {
        "sends-before-sync": SendsBeforeSync,
        "applies-before-sync": AppliesBeforeSync,
        "answers-reads-before-apply": AnswersReadsBeforeApply,
        "forgets-vote": ForgetsVote,
        "confirms-reads-at-once": ConfirmsReadsAtOnce,
        "repeats-under-new-number": RepeatsUnderNewNumber,
        "acknowledges-proposals": AcknowledgesProposals,
        "keeps-store-at-snapshot": KeepsStoreAtSnapshot,
        "forgets-sessions-at-snapshot": ForgetsSessionsAtSnapshot,
        "never-ends-leases": NeverEndsLeases,
        "tells-no-watches": TellsNoWatches,
    }
    disks: Mapping[str, type[VirtualDisk]] = {"skips-syncs": SkipsSyncs, "keeps-incarnation": KeepsIncarnation}
    for name, node in nodes.items():
        yield Mutant(name, description(node), Build(node=node))
    for name, disk in disks.items():
        yield Mutant(name, description(disk), Build(disk=disk))


def core_mutants() -> Iterator[Mutant]:
    """Yield the mutants of the core's rules, harmful and harmless ones, in servers that do not look at what they do."""
    for mutant in CORE_MUTANTS.values():
        yield Mutant(mutant.name, mutant.description, Build(rules=mutant.rules, node=Unwatched))


def description(broken: type) -> str:
    """Return what is broken, in a sentence."""
    return (broken.__doc__ or "").splitlines()[0]


MUTANTS: Mapping[str, Mutant] = {mutant.name: mutant for mutant in (*driver_mutants(), *core_mutants())}


def mutant_named(name: str) -> Mutant:
    """Return the mutant with that name. Raises ModelError, listing the names, if there is none."""
    if name not in MUTANTS:
        raise ModelError(f"there is no mutant {name!r}; there are: {', '.join(MUTANTS)}")
    return MUTANTS[name]
