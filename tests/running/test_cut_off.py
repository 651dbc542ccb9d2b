"""A server that reaches none of the others."""

import time
from pathlib import Path

from raftcheck.cli.cluster import launch
from tests.etcd.ports import free_ports
from tests.running.processes import PATIENCE, Running


def test_a_server_that_cannot_reach_the_others_raises_its_term(tmp_path: Path) -> None:
    client, *peers = free_ports(4)
    url, urls = f"http://127.0.0.1:{client}", [f"http://127.0.0.1:{port}" for port in peers]
    initial = ",".join(f"s{number}={url}" for number, url in enumerate(urls, 1))
    options = ("--name", "s1", "--data-dir", str(tmp_path / "s1"), "--listen-peer-urls", urls[0],
               "--listen-client-urls", url, "--initial-cluster", initial, "--election-timeout", "100",
               "--heartbeat-interval", "10")  # fmt: skip
    alone = Running([launch("s1", url, tmp_path / "s1.log", options)])
    try:
        deadline = time.monotonic() + PATIENCE
        terms: set[object] = set()
        while len(terms) < 3 and time.monotonic() < deadline:
            terms = {record.get("term") for record in alone.logs(0) if record.get("role") == "candidate"}
            time.sleep(0.05)
        assert terms >= {1, 2, 3}
    finally:
        alone.kill(0)
