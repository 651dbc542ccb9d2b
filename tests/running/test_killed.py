"""kill -9, again and again, with damaged tails in between: what was synced is there, or it is said where it is damaged.

So many rounds as KILLS says, by default a few.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from raftimpl.rules import persisted
from raftimpl.running.ports import DiskError
from raftimpl.state import DurableState
from tests.conftest import ROOT
from tests.running.killed import content_of, opened, write_number

KILLS = int(os.environ.get("KILLS", "20"))


class Expected:
    """What is on disk after so many records."""

    def __init__(self) -> None:
        self._states = [DurableState()]

    def after(self, records: int) -> DurableState:
        while len(self._states) <= records:
            write = write_number(len(self._states), self._states[-1])
            self._states.append(persisted(self._states[-1], write))
        return self._states[records]


def run_and_kill(path: Path, random: Random) -> int:
    """Let a process write for a while, kill it; return how many records it was promised."""
    command = [sys.executable, "-m", "tests.running.killed", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(random.uniform(0, 0.1))
        process.kill()
        lines = first + process.stdout.read()
    assert process.returncode == -9
    complete = lines[: lines.rindex(b"\n")].splitlines()
    return int(complete[-1])


def check(path: Path, promised: int, expected: Expected) -> None:
    folder = opened(path)
    assert folder.records >= promised
    assert folder.durable == expected.after(folder.records)
    snapshot = folder.durable.log.snapshot
    if snapshot.last_included_index:
        assert b"".join(folder.read_snapshot(snapshot.content)) == content_of(snapshot.last_included_index)
    folder.close()
    assert sum(file.stat().st_size for file in path.rglob("*")) < 200_000


def flipped(content: bytes, random: Random) -> bytes:
    position = random.randrange(max(0, len(content) - 300), len(content))
    return content[:position] + bytes([content[position] ^ 1 << random.randrange(8)]) + content[position + 1 :]


DAMAGES: list[Callable[[bytes, Random], bytes]] = [
    lambda content, random: content + random.randbytes(random.randrange(1, 600)),
    lambda content, random: content + bytes(random.randrange(1, 600)),
    lambda content, random: content[: -random.randrange(1, min(len(content), 300))],
    flipped,
]


def damage_and_open(path: Path, promised: int, expected: Expected, random: Random) -> bool:
    """Damage the tail of the log; tell whether it is refused. It is put right then."""
    last = max((path / "wal").glob("*.wal"))
    content = last.read_bytes()
    last.write_bytes(random.choice(DAMAGES)(content, random))
    try:
        opened(path).close()
    except DiskError as error:
        text = str(error)
    else:
        check(path, promised, expected)
        return False
    assert text.startswith(f"{last} is damaged at offset ")
    last.write_bytes(content)
    return True


def test_kill_in_a_loop(tmp_path: Path) -> None:
    random, expected, refused, promised = Random(KILLS), Expected(), 0, 0
    for _ in range(KILLS):
        promised = run_and_kill(tmp_path, random)
        if random.random() < 0.7:
            refused += damage_and_open(tmp_path, promised, expected, random)
        check(tmp_path, promised, expected)
    assert promised > KILLS
    assert refused
    assert refused < KILLS, "garbage after the end is no reason to refuse"


@pytest.mark.parametrize("seed", range(3))
def test_what_is_expected_is_what_is_written(tmp_path: Path, seed: int) -> None:
    """The first life of a folder begins with nothing."""
    promised = run_and_kill(tmp_path / "data", Random(seed))
    check(tmp_path / "data", promised, Expected())
