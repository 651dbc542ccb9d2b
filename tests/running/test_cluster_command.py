"""`raftproof cluster`: what it says and how it ends, when not all goes well."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from raftcheck.cli import cluster
from raftcheck.cli.main import main
from tests.etcd.ports import free_ports
from tests.running.processes import PATIENCE, running

COMMAND = [sys.executable, "-m", "raftcheck.cli", "cluster"]


@pytest.mark.parametrize(
    ("folder", "reason"),
    [(".", r"\S+/s1 is in use by process \d+: .*"), ("other", "--listen-peer-urls .* address already in use")],
)
def test_a_cluster_in_place_of_another_is_not_taken_for_it(tmp_path: Path, folder: str, reason: str) -> None:
    with running(tmp_path, servers=1) as first:
        [options] = [server.options for server in first.servers]
        urls = dict(zip(options[::2], options[1::2], strict=True))
        client, peer = (urls[f"--listen-{whose}-urls"].rpartition(":")[2] for whose in ("client", "peer"))
        arguments = ["--servers", "1", "--client-port", client, "--peer-port", peer]
        second = subprocess.run(
            [*COMMAND, *arguments, "--data-dir", str(tmp_path / folder)],
            timeout=PATIENCE,
            capture_output=True,
            text=True,
        )
        assert (second.returncode, second.stdout) == (2, "")
        assert re.fullmatch(rf"raftproof: s1 has ended \(exit code 2\): {reason}\n", second.stderr)
        assert first.client(0).put("name", "x") > 0


def test_a_cluster_whose_servers_have_all_ended_has_failed() -> None:
    client, peer = free_ports(2)
    arguments = ["--servers", "1", "--client-port", str(client), "--peer-port", str(peer)]
    pipe = subprocess.PIPE
    with subprocess.Popen([*COMMAND, *arguments], stdout=pipe, stderr=pipe, text=True) as program:
        try:
            assert program.stdout is not None
            said = ""
            while not (server := re.search(r"process (\d+)", said)):
                line = program.stdout.readline()
                assert line, said
                said += line
            os.kill(int(server[1]), signal.SIGKILL)
            _, errors = program.communicate(timeout=PATIENCE)
        finally:
            program.terminate()
    assert program.returncode == 70
    assert re.fullmatch(r"s1 has ended \(SIGKILL\); its log: \S+/s1.log\n", errors)


def test_what_earlier_servers_have_logged_is_not_this_ones(tmp_path: Path) -> None:
    log = tmp_path / "s1.log"
    log.write_text('{"msg": "serving"}\n')
    server = cluster.launch("s1", "http://127.0.0.1:1", log, ("--name", "a,b"))
    assert not cluster.wait_for_leader([server])
    assert not cluster.serves(server)
    [line] = cluster.lines_of(server)
    assert cluster.ending(server) == f"s1 has ended (exit code 2): {line}"


BAD_PORTS: list[tuple[list[str], str]] = [
    (["--client-port", "0"], "need port 0, but ports are from 1 to 65535"),
    (["--peer-port", "70000"], "need port 70000, but ports are from 1 to 65535"),
    (["--port-spacing", "40000"], "need port 82379, but ports are from 1 to 65535"),
    (["--port-spacing", "-2000"], "need port -1621, but ports are from 1 to 65535"),
    (["--port-spacing", "0"], "need port 2379 twice"),
    (["--port-spacing", "1"], "need port 2380 twice"),
    (["--client-port", "2380"], "need port 2380 twice"),
    (["--client-port", "2380", "--servers", "1"], "need port 2380 twice"),
    (["--client-port", "22380"], "need port 22380 twice"),
]


@pytest.mark.parametrize(("options", "text"), BAD_PORTS, ids=lambda value: "".join(value))
def test_ports_that_cannot_all_be_listened_on_are_named(
    options: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cluster", *options, "--data-dir", str(tmp_path / "new")]) == 2
    [line] = capsys.readouterr().err.splitlines()
    for option in ("--client-port", "--peer-port", "--port-spacing"):
        assert option in line
    assert text in line
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("servers", [1, 4])
def test_data_of_another_number_of_servers_is_refused(
    tmp_path: Path, servers: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path, servers=2):
        pass
    before = sorted(tmp_path.iterdir())
    assert main(["cluster", "--servers", str(servers), "--data-dir", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(
        f"raftproof: --servers {servers}: {tmp_path}/s1 belongs to a cluster of 2, and the members of a cluster are "
    )
    assert sorted(tmp_path.iterdir()) == before
    cluster.require_data_of(tmp_path, 2)
