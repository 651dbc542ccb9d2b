"""Where this project's server is known to answer otherwise than etcd: a list to read, and tables made of it.

`differences.txt` is a list of reasons (## ...), and below each the commands that it is about, with our answers:

    ## why the answers differ
    > topic: command
    | our answer
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT
from tests.differential.transcripts import Entry

FILE = Path(__file__).with_name("differences.txt")
DOCUMENT = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- differences: begin -->", "<!-- differences: end -->"


class Difference(NamedTuple):
    """A command by its identifier, what we answer, and why that is not what etcd answers."""

    command: str
    answer: tuple[str, ...]
    reason: str


def parsed(text: str) -> list[Difference]:
    """Read a list of differences; ValueError names a line that does not belong there."""
    found: list[tuple[str, list[str], str]] = []
    reason = ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            reason = line[3:]
        elif line.startswith("> ") and reason:
            found.append((line[2:], [], reason))
        elif line[:1] in ("|", "!", "=") and found:
            found[-1][1].append(line)
        elif line and not line.startswith("# "):
            raise ValueError(f"line {number} is no line of a list of differences: {line}")
    return [Difference(command, tuple(answer), reason) for command, answer, reason in found]


def grouped(differences: Iterable[Difference]) -> dict[str, list[Difference]]:
    """Return the differences by reason, the reasons in the order of their first occurrence."""
    groups: dict[str, list[Difference]] = {}
    for difference in differences:
        groups.setdefault(difference.reason, []).append(difference)
    return groups


def written(above: str, differences: Iterable[Difference]) -> str:
    """Return the text of a list, with some lines above it."""
    lines = [above]
    for reason, group in grouped(differences).items():
        lines += ["", f"## {reason}"]
        for difference in group:
            lines += ["", f"> {difference.command}", *difference.answer]
    return "\n".join(lines) + "\n"


def tables(differences: Iterable[Difference], answers: dict[str, Entry]) -> str:
    """Return a table for each reason, for the document: commands with both answers, shortened."""
    lines = []
    for reason, group in grouped(differences).items():
        lines += ["", f"**{reason[0].upper()}{reason[1:]}.**", "", "| command | etcd | raftproof |", "|---|---|---|"]
        for difference in group:
            said = shortened(answers[difference.command].answer), shortened(difference.answer)
            lines.append(f"| {' | '.join(map(code, (difference.command, *said)))} |")
    return "\n".join(lines) + "\n"


def shortened(answer: tuple[str, ...]) -> str:
    """Return what of an answer tells most: the error if there is one, else its first line."""
    errors = [line[2:] for line in answer if re.match(r'! (Error|watch was)|\| \{"error"', line)]
    ending = [line[2:] for line in answer if line.startswith("=")]
    lines = errors or [line[2:] for line in answer if line.startswith("|")] or ending or ["(nothing)"]
    error = re.fullmatch(r'\{"error":"(.*?)","message":.*', lines[0])
    return error[1] if error else re.sub(r'"header":\{[^}]*\},?', "", lines[0])


def code(text: str) -> str:
    """Return text as code in a cell of a table, at most 140 characters of it."""
    short = text if len(text) <= 140 else text[:137] + "..."
    quote = "``" if "`" in short else "`"
    return f"{quote}{short}{quote}".replace("|", "\\|")


def with_tables(document: str, text: str) -> str:
    """Return the document with new tables between its two marks."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{text}\n{END}{after}"
