"""When the state machine is saved, and the log cut (section 7): so that neither grows with history."""

import asyncio
from collections.abc import Callable

from raftimpl.messages import Entry, Snapshot
from raftimpl.running.ports import Disk
from raftimpl.running.timing import Limits
from raftimpl.state import ServerState
from raftimpl.step import Compact, Input
from raftimpl.store.machine import Machine


class Saving:
    """Saves the state machine from time to time, beside what else the node does.

    The log is cut a little later, when `catch_up_entries` more were applied: followers that lag less than that need no
    snapshot.
    """

    def __init__(self, disk: Disk, limits: Limits, machine: Machine, latest: Snapshot) -> None:
        self._disk, self._limits, self._machine = disk, limits, machine
        self._saved_index = latest.last_included_index
        self._bytes = 0  # of log, since the state machine was last begun to be saved
        self._task: asyncio.Task[bytes] | None = None
        self._task_index = 0
        self._ready: Compact | None = None
        self._installed = latest

    def applied(self, entry: Entry) -> None:
        """Count an entry that was applied."""
        self._bytes += len(entry.command or b"")

    def restored(self, machine: Machine, snapshot: Snapshot) -> None:
        """Note that the state machine is now what a snapshot held."""
        self._machine, self._saved_index, self._bytes, self._ready = machine, snapshot.last_included_index, 0, None

    def after_turn(self, state: ServerState, give: Callable[[Input], None]) -> None:
        """Begin to save, or cut the log, if it is time. Raises DiskError if saving has failed."""
        if state.log.snapshot != self._installed:
            self._installed = state.log.snapshot
            self._disk.discard_before(self._installed.content)
        if self._task is not None and self._task.done():
            content = self._task.result()
            self._task = None
            if self._task_index >= self._saved_index:
                self._saved_index, self._ready = self._task_index, Compact(self._task_index, content)
        is_time = self._machine.applied_index - self._saved_index >= self._limits.snapshot_entries
        if self._task is None and self._ready is None and (is_time or self._bytes >= self._limits.snapshot_bytes):
            self._begin()
        if self._ready and self._is_kept_long_enough(self._ready):
            give(self._ready)
            self._ready = None

    def _is_kept_long_enough(self, ready: Compact) -> bool:
        """Tell whether enough was applied since a snapshot: those who lag less than that need no snapshot."""
        entries = self._machine.applied_index - ready.last_included_index
        return entries >= self._limits.catch_up_entries or self._bytes >= self._limits.catch_up_bytes

    def _begin(self) -> None:
        frozen, self._task_index = self._machine.freeze(), self._machine.applied_index
        self._bytes = 0
        self._task = asyncio.create_task(self._disk.save_snapshot(self._task_index, frozen.chunks()))

    async def finish(self) -> None:
        """Wait until nothing is being saved any more."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
