"""Reading files line by line, so that every complaint can name its line and no file has to fit into memory."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from raftcheck.oracle.judgement import UnreadableError

STDIN = "-"

LONGEST_LINE = 16 * 2**20
"""Bytes. A line that is longer is no event, and must not fill the memory."""


class Lines:
    """The lines of a file, numbered from 1, with their line ends removed."""

    def __init__(self, name: str, stream: IO[bytes]) -> None:
        self.name, self._stream = name, stream
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._read():
            self.number += 1
            if len(line) > LONGEST_LINE:
                raise self.fault(f"longer than {LONGEST_LINE:,} bytes")
            try:
                yield line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise self.fault(f"is no text in UTF-8: {error.reason} at byte {error.start + 1}") from error

    def _read(self) -> bytes:
        try:
            return self._stream.readline(LONGEST_LINE + 1)
        except OSError as error:
            raise self.fault(f"cannot be read: {error.strerror}") from error

    def fault(self, what: str) -> UnreadableError:
        """Return the error that says what is wrong with the line that was read last."""
        return self.fault_at(self.number, what)

    def fault_at(self, line: int, what: str) -> UnreadableError:
        """Return the error that says what is wrong with a line that was read before."""
        return UnreadableError(self.name, line, what)


@contextmanager
def open_lines(name: str) -> Iterator[Lines]:
    """Open a file, or stdin for "-". Raises UnreadableError if that fails."""
    if name == STDIN:
        yield Lines("stdin", sys.stdin.buffer)
        return
    with opened(Path(name)) as stream:
        yield Lines(name, stream)


def opened(path: Path) -> IO[bytes]:
    """Return an open file. Raises UnreadableError if that fails."""
    try:
        return path.open("rb")
    except OSError as error:
        raise UnreadableError(str(path), 0, f"cannot be read: {error.strerror}") from error
