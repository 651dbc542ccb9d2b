"""An adapter as a process: JSON lines on its stdin and stdout, what it says on stderr kept for complaints."""

import os
import shlex
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any

import msgspec

from raftcheck.model import ModelError
from raftcheck.oracle.lines import LONGEST_LINE
from raftcheck.oracle.lockstep.protocol import AdapterError, StoppedError, shown

STDERR_LINES = 20
"""So many of the last lines on stderr are shown."""

MOST_ANSWER_SECONDS = 1e6

GRACE_SECONDS = 1.0
"""How long an adapter may take to end by itself when its stdin is closed."""


class Adapter:
    """An adapter that runs `command`. It is a peer; `answer_seconds` is how long it may take for an answer.

    A process that has failed is ended, and a new one started for the next "begin".
    """

    def __init__(self, command: str | Sequence[str], answer_seconds: float = 10.0) -> None:
        self._words = words_of(command)
        self.name = shlex.join(self._words)
        if not 0 < answer_seconds < MOST_ANSWER_SECONDS:
            raise ModelError(f"the seconds for an answer must be more than 0 and below 1,000,000, not {answer_seconds}")
        self._answer_seconds = answer_seconds
        self._start()

    def _start(self) -> None:
        self._has_answered = self._has_failed = False
        self._process = started(self._words)
        self._said: SimpleQueue[bytes] = SimpleQueue()
        self._stderr: deque[bytes] = deque(maxlen=STDERR_LINES)
        self._readers = [
            Thread(target=read_lines, args=(stream_of(self._process.stdout), self._said.put), daemon=True),
            Thread(target=read_lines, args=(stream_of(self._process.stderr), self._stderr.append), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def ask(self, request: Mapping[str, Any]) -> Any:
        """Return the answer to a request, as plain JSON values."""
        if self._has_failed and request["do"] == "begin":
            self.close()
            self._start()
        stdin = stream_of(self._process.stdin)
        with suppress(OSError):  # it has ended: that shows when it is asked for its answer
            stdin.write(msgspec.json.encode(request) + b"\n")
            stdin.flush()
        line = self._line(request)
        if len(line) > LONGEST_LINE:
            raise AdapterError(f"{self.name} gave an answer of more than {LONGEST_LINE:,} bytes to {shown(request)}")
        try:
            answer = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            said = line[:200].decode(errors="replace").strip()
            raise AdapterError(f"{self.name} gave an answer that is no JSON: {said!r} to {shown(request)}") from error
        self._has_answered = True
        return answer

    def _line(self, request: Mapping[str, Any]) -> bytes:
        """Wait for an answer. An adapter that never answered is a bad one; one that stops answering has failed."""
        try:
            line = self._said.get(timeout=self._answer_seconds)
        except Empty:
            fault = f"said nothing for {self._answer_seconds:g} s"
        else:
            if line:
                return line
            fault = self._end()
        self._has_failed = True
        complaint = f"{self.name} {fault} when it was to answer {shown(request)}{self._complaints()}"
        raise StoppedError(complaint) if self._has_answered else AdapterError(complaint)

    def _end(self) -> str:
        """Wait for a process whose stdout is closed; return how it ended."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE_SECONDS)
        self._readers[1].join(GRACE_SECONDS)
        code = self._process.returncode
        if code is None:
            return "closed its stdout"
        return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"

    def _complaints(self) -> str:
        text = b"".join(self._stderr).decode(errors="replace").strip()
        return f"; its last words on stderr: {text}" if text else ""

    def close(self) -> None:
        """End the process and those that it started: first by closing its stdin, then by force."""
        with suppress(OSError):
            stream_of(self._process.stdin).close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0 if self._has_failed else GRACE_SECONDS)
        kill(self._process)
        self._process.wait()
        for reader in self._readers:
            reader.join(GRACE_SECONDS)
        for stream in (self._process.stdout, self._process.stderr):
            stream_of(stream).close()


def words_of(command: str | Sequence[str]) -> list[str]:
    """Return the words of a command. Raises ModelError if there are none."""
    try:
        words = shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError as error:
        raise ModelError(f"--peer {command!r} is no command: {error}") from error
    if not words:
        raise ModelError("--peer is empty: it must be the command that starts an adapter")
    return words


def read_lines(stream: IO[bytes], take: Callable[[bytes], None]) -> None:
    """Hand on the lines of a pipe, and an empty one at its end."""
    with suppress(ValueError, OSError):  # closed under its hands
        while line := stream.readline(LONGEST_LINE + 1):
            take(line)
    take(b"")


def started(words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process, in a group of its own, so that all of it can be ended. Raises ModelError if that fails."""
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ModelError(f"--peer: there is no program {words[0]!r}") from error
    except OSError as error:
        raise ModelError(f"--peer: {words[0]!r} cannot be started: {error.strerror}") from error


def stream_of(stream: IO[bytes] | None) -> IO[bytes]:
    """Return a pipe to or from a process; all three are there."""
    assert stream is not None
    return stream


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and its children at once, whatever is left of them."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
