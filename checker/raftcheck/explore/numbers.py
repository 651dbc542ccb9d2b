"""Numbers for a system's values, and what renaming the processes does to them.

The covering explorer computes with numbers: a *configuration* is the numbers of the process states and of the ghost, a
*network* an integer whose bits are the numbers of the messages under way.
"""

from raftcheck.explore.interning import Interner
from raftcheck.explore.symmetry import Symmetry
from raftcheck.model import Envelope, System, Value

Configuration = tuple[tuple[int, ...], int]
"""The numbers of the process states by pid, and that of the ghost."""


class Numbers:
    """Numbers everything that is met, and renames by tables that are filled once.

    `inbox` has for each pid the bits of all messages to it. Renamings are named by their position in
    `symmetry.permutations`; 0 is the identity.
    """

    def __init__(self, system: System, symmetry: Symmetry) -> None:
        self.symmetry = symmetry
        self.locals: Interner[Value] = Interner()
        self.ghosts: Interner[Value] = Interner()
        self.messages: Interner[Envelope] = Interner()
        self.inbox = [0] * len(system.processes)
        self._renamed: list[tuple[dict[int, int], dict[int, int], dict[int, int]]] = [
            ({}, {}, {}) for _ in symmetry.permutations
        ]
        self._canonical: dict[Configuration, tuple[Configuration, int]] = {}
        self._stabilisers: dict[Configuration, list[int]] = {}

    def message_bit(self, envelope: Envelope) -> int:
        """Return the bit of a message under way."""
        number = self.messages.number(envelope)
        self.inbox[envelope.to] |= 1 << number
        return 1 << number

    def values(self, configuration: Configuration) -> tuple[tuple[Value, ...], Value]:
        """Return the process states and the ghost of a configuration."""
        locals_, ghost = configuration
        return tuple(self.locals.values[local] for local in locals_), self.ghosts.values[ghost]

    def canonical(self, configuration: Configuration) -> tuple[Configuration, int]:
        """Return the least renaming of a configuration, and a permutation's number that leads to it."""
        known = self._canonical.get(configuration)
        if known is None:
            renamed = [self.rename(configuration, r) for r in range(len(self.symmetry.permutations))]
            least = min(renamed)
            known = self._canonical[configuration] = (least, renamed.index(least))
        return known

    def stabiliser(self, configuration: Configuration) -> list[int]:
        """Return the numbers of the permutations that leave a configuration as it is."""
        known = self._stabilisers.get(configuration)
        if known is None:
            permutations = range(len(self.symmetry.permutations))
            known = [r for r in permutations if self.rename(configuration, r) == configuration]
            self._stabilisers[configuration] = known
        return known

    def rename(self, configuration: Configuration, renaming: int) -> Configuration:
        """Return a configuration renamed."""
        if renaming == 0:
            return configuration
        locals_, ghost = configuration
        permutation = self.symmetry.permutations[renaming]
        local_table, ghost_table, _ = self._renamed[renaming]
        renamed = [0] * len(locals_)
        for pid, local in enumerate(locals_):
            if local not in local_table:
                value = self.symmetry.value(self.locals.values[local], permutation)
                local_table[local] = self.locals.number(value)
            renamed[permutation[pid]] = local_table[local]
        if ghost not in ghost_table:
            ghost_table[ghost] = self.ghosts.number(self.symmetry.value(self.ghosts.values[ghost], permutation))
        return tuple(renamed), ghost_table[ghost]

    def rename_network(self, network: int, renaming: int) -> int:
        """Return a network renamed."""
        if renaming == 0:
            return network
        table = self._renamed[renaming][2]
        renamed = 0
        while network:
            message = network & -network
            network ^= message
            if message not in table:
                envelope = self.messages.values[message.bit_length() - 1]
                permutation = self.symmetry.permutations[renaming]
                table[message] = self.message_bit(self.symmetry.envelope(envelope, permutation))
            renamed |= table[message]
        return renamed
