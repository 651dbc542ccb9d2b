"""Transcripts: the commands that a user types, and below each of them what came of it.

A transcript is a text. Its lines begin with

    #   a comment; a line that is empty separates
    >   a command (see `running`)
    <   a line of what the command reads from its standard input
    |   a line that it printed, or of the body of an HTTP answer
    !   a line that it printed to standard error
    =   how it ended, where it did not end well: an exit code or an HTTP status

Everything after the sign and one space belongs to the line. Ids, terms, times and the like stand masked (see `masks`).
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Command(NamedTuple):
    """A command, and the lines of its standard input."""

    text: str
    stdin: tuple[str, ...] = ()


class Entry(NamedTuple):
    """A command with its answer: lines that begin with |, ! or =."""

    command: Command
    answer: tuple[str, ...]


class Transcript(NamedTuple):
    """The entries in their order, and the lines around them: `above[i]` are the comments above entry i."""

    entries: tuple[Entry, ...]
    above: tuple[tuple[str, ...], ...]


def parsed(text: str) -> Transcript:
    """Read a transcript; ValueError names a line that is none."""
    commands: list[tuple[str, list[str], list[str]]] = []
    above: list[list[str]] = [[]]
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("> "):
            commands.append((line[2:], [], []))
            above.append([])
        elif line.startswith("<") and commands:
            commands[-1][1].append(line[2:])
        elif line[:1] in ("|", "!", "=") and commands:
            commands[-1][2].append(line)
        elif line.startswith("#") or not line:
            above[-1].append(line)
        else:
            raise ValueError(f"line {number} is no line of a transcript: {line}")
    entries = tuple(Entry(Command(text, tuple(stdin)), tuple(answer)) for text, stdin, answer in commands)
    return Transcript(entries, tuple(map(tuple, above)))


def written(transcript: Transcript) -> str:
    """Return the text of a transcript; `parsed` of it is the transcript again."""
    lines = list(transcript.above[0])
    for entry, above in zip(transcript.entries, transcript.above[1:], strict=True):
        lines += [*entry_lines(entry), *above]
    return "\n".join(lines) + "\n"


def entry_lines(entry: Entry) -> Iterator[str]:
    """Return the lines of one entry."""
    yield f"> {entry.command.text}"
    yield from (f"< {line}".rstrip(" ") for line in entry.command.stdin)
    yield from entry.answer


def identifiers(topic: str, commands: Iterable[Command]) -> list[str]:
    """Return a name for each command of a topic: its own text, numbered where it occurs again."""
    seen: Counter[str] = Counter()
    names = []
    for command in commands:
        seen[command.text] += 1
        again = f" ({seen[command.text]})" if seen[command.text] > 1 else ""
        names.append(f"{topic}: {command.text}{again}")
    return names
