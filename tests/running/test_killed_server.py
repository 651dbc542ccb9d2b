"""kill -9 of a whole server while clients write, again and again, with damaged tails in between.

So many rounds as KILLS says, by default a few. What the folder alone has to keep is in test_killed.py.
"""

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

from tests.running.processes import PATIENCE, Running, running
from tests.running.test_killed import DAMAGES

KILLS = int(os.environ.get("KILLS", "5"))
WRITERS = 4
KEYS = 20
OPTIONS = ("--snapshot-count", "40", "--election-timeout", "100", "--heartbeat-interval", "10")

TAILS: list[Callable[[bytes, Random], bytes]] = [*DAMAGES, lambda content, _: content]
"""What becomes of the end of the log."""

Acknowledged = dict[str, int]
"""By key, the greatest number that its writer was told is written."""


def write_until_killed(cluster: Running, writer: int, acknowledged: Acknowledged) -> None:
    """Write ascending numbers to keys of this writer's own."""
    number = max((number for key, number in acknowledged.items() if key.startswith(f"{writer}/")), default=0)
    while True:
        number += 1
        key = f"{writer}/{number % KEYS}"
        try:
            cluster.client(0).put(key, str(number))
        except OSError:
            return
        acknowledged[key] = number


def wait_for_writes(acknowledged: Acknowledged) -> None:
    """Return when something more was acknowledged."""
    before, deadline = dict(acknowledged), time.monotonic() + PATIENCE
    while acknowledged == before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_up(cluster: Running) -> bool:
    """Tell whether the server serves, or has refused to start."""
    deadline = time.monotonic() + PATIENCE
    while cluster.servers[0].process.poll() is None and time.monotonic() < deadline:
        try:
            if cluster.client(0).status().get("leader"):
                return True
        except OSError:
            time.sleep(0.01)
    return False


def restarted_as_it_is(cluster: Running, log: Path) -> bool:
    """Start the server; if it refuses, tell so, when it has named the file and the place."""
    cluster.restart(0)
    if is_up(cluster):
        return True
    assert cluster.exit_code(0) == 2
    assert str(cluster.logs(0)[-1]["msg"]).startswith(f"{log} is damaged at offset ")
    return False


def test_kill_a_server_in_a_loop(tmp_path: Path) -> None:
    random, refused = Random(KILLS), 0
    acknowledged: Acknowledged = {}
    with running(tmp_path, servers=1, options=OPTIONS) as cluster:
        for number in range(KILLS):
            with ThreadPoolExecutor(WRITERS) as threads:
                for writer in range(WRITERS):
                    threads.submit(write_until_killed, cluster, writer, acknowledged)
                wait_for_writes(acknowledged)
                time.sleep(random.uniform(0, 0.2))
                cluster.kill(0)
            log = max((tmp_path / cluster.servers[0].name / "wal").glob("*.wal"))
            content = log.read_bytes()
            log.write_bytes(TAILS[number % len(TAILS)](content, random))
            if not restarted_as_it_is(cluster, log):
                refused += 1
                log.write_bytes(content)
                assert restarted_as_it_is(cluster, log), "the undamaged file is there again"
            found = cluster.client(0).all_keys()
            lost = {key: number for key, number in acknowledged.items() if int(found.get(key, 0)) < number}
            assert not lost
    assert refused < KILLS, "garbage after the end is no reason to refuse"
    assert refused or KILLS < 20, "damage is; but what was not synced yet may be missing"
