"""Where reports go: stdout, files, and progress to stderr."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp
from typing import Any

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from raftcheck.explore import Progress
from raftcheck.model import ModelError

PLAIN_INTERVAL_SECONDS = 10.0


def write_json(document: dict[str, Any], target: str) -> None:
    """Write a document to a file, or to stdout if `target` is "-". Raises ModelError if that fails."""
    text = json_text(document)
    if target == "-":
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        write_file(Path(target), text)


def json_text(document: dict[str, Any]) -> str:
    """Return a document as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def json_lines(documents: Iterable[dict[str, Any]]) -> str:
    """Return documents as JSON, one a line."""
    return "".join(msgspec.json.encode(document).decode() + "\n" for document in documents)


def write_file(path: Path, text: str) -> None:
    """Write a text file, its folders too. Raises ModelError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ModelError(f"cannot write {path}: {error.strerror}") from error


def require_writable(target: str | None) -> None:
    """Raise ModelError now if a file could not be written after a long run."""
    if target is None or target == "-":
        return
    path = Path(target)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8"):
            pass
    except OSError as error:
        raise ModelError(f"cannot write {path}: {error.strerror}") from error


def require_folder(folder: Path | None, option: str) -> None:
    """Raise ModelError now if files could not be written to the folder of an option after a long run."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ModelError(f"{option}: cannot write to {folder}: {error.strerror}") from error


def temporary_folder(prefix: str, option: str) -> Path:
    """Return a new folder for what need not be kept. Raises ModelError if there is no room: `option` gives another."""
    try:
        return Path(mkdtemp(prefix=prefix))
    except OSError as error:
        raise ModelError(f"no temporary folder can be made: {error}; give {option} DIR") from error


def stdout() -> Console:
    """Return a console for tables, as wide as they need when stdout is no terminal."""
    return Console() if sys.stdout.isatty() else Console(width=160)


@contextmanager
def progress_on_stderr(
    title: str, line: Callable[[Progress], str] | None = None
) -> Iterator[Callable[[Progress], None]]:
    """Show progress while the block runs: a live line on a terminal, else a plain line now and then.

    `line` says how the figures read, `progress_line` if it is not given.
    """
    in_words = line or progress_line
    console = Console(stderr=True)
    if console.is_terminal:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            yield lambda progress: live.update(
                Text(f"{title}: {in_words(progress)}", no_wrap=True, overflow="ellipsis"), refresh=True
            )
    else:
        yield PlainProgress(title, in_words)


class PlainProgress:
    """Prints a line every PLAIN_INTERVAL_SECONDS."""

    def __init__(self, title: str, line: Callable[[Progress], str]) -> None:
        self._title, self._line = title, line
        self._printed = time.monotonic()

    def __call__(self, progress: Progress) -> None:
        """Print a line if it is time to."""
        now = time.monotonic()
        if progress.note or now - self._printed >= PLAIN_INTERVAL_SECONDS:
            self._printed = now
            print(f"{self._title}: {self._line(progress)}", file=sys.stderr, flush=True)


def progress_line(progress: Progress) -> str:
    """Return the figures in one line."""
    if progress.note:
        return f"{progress.note} ({progress.seconds:.0f} s)"
    rate = progress.states / progress.seconds if progress.seconds else 0.0
    again = f"round {progress.round}: " if progress.round > 1 else ""
    return (
        f"{again}{progress.states:,} states so far ({rate:,.0f}/s), {progress.frontier:,} to explore, "
        f"{progress.transitions:,} transitions, depth {progress.depth}, {progress.seconds:.0f} s"
    )


def walks_line(progress: Progress) -> str:
    """Return the figures of random walks in one line."""
    rate = progress.states / progress.seconds if progress.seconds else 0.0
    return (
        f"{progress.states:,} steps so far ({rate:,.0f}/s), step {progress.depth:,} of this walk, "
        f"{progress.frontier:,} walks to come, {progress.seconds:.0f} s"
    )


@contextmanager
def counter_on_stderr(title: str, unit: str) -> Iterator[Callable[[int, float], None]]:
    """Show how many things are done and how fast while the block runs."""
    with progress_on_stderr(
        title, lambda done: f"{done.states:,} {unit} ({done.states / done.seconds:,.0f}/s)"
    ) as show:
        yield lambda count, seconds: show(counted(count, seconds))


def counted(count: int, seconds: float) -> Progress:
    """Return a count as progress."""
    return Progress(states=count, transitions=0, depth=0, frontier=0, seconds=max(seconds, 1e-9))
