"""Whether a server's folder is still as it was: each opening leaves a mark in it, and the others remember the last.

A server that comes with a new folder, or with an older copy of its own, has forgotten votes and entries that it has
promised to keep; whoever counts on it then may lose what was acknowledged. The others know it by its marks: the last
one that they have seen is missing.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from raftimpl.running.files import Files
from raftimpl.running.sealed import read_sealed, seal
from raftimpl.values import Value

KEPT = 4_096
"""Marks that a folder keeps. A server that was opened more often while another one was off is a stranger to it."""


class Openings(Value, frozen=True):
    """How often a folder was opened, and the random marks of the last times, oldest first.

    `records` is how many the log had by the last opening: it can only have more since. A mark that nobody was shown is
    not kept: a server that cannot start may be started very often.
    """

    count: int = 0
    records: int = 0
    is_shown: bool = False
    marks: tuple[int, ...] = ()

    def with_another(self, records: int) -> "Openings":
        """Return them with one more, which finds so many records."""
        kept = self.marks if self.is_shown else self.marks[:-1]
        return Openings(self.count + 1, records, False, (*kept, secrets.randbits(63))[-KEPT:])


class Acquaintances:
    """The last marks of the other servers' folders, kept in a file. For any thread; all may raise DiskError."""

    def __init__(self, files: Files, path: Path) -> None:
        self._files, self._path = files, path
        self._last = read_sealed(files, path, dict[int, int])
        self._lock = Lock()

    def meet(self, server: int, marks: Sequence[int]) -> bool:
        """Tell whether a server may come with these marks; if so, remember the last of them, durably."""
        with self._lock:
            last = self._last.get(server)
            if last is not None and last not in marks:
                return False
            if marks[-1] != last:
                self._last[server] = marks[-1]
                self._files.replace(self._path, seal(self._last))
            return True
