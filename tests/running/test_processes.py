"""Clusters of real processes: what their users are promised."""

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from raftcheck.cli.main import main
from tests.etcd.ports import free_ports
from tests.running.processes import PATIENCE, GatewayError, running


def test_a_write_through_any_server_is_read_from_every_server(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        for writer in range(3):
            cluster.client(writer).put("name", f"by {writer}")
            assert [cluster.client(reader).get("name") for reader in range(3)] == [f"by {writer}"] * 3


def test_two_writes_at_once_have_one_order(tmp_path: Path) -> None:
    with running(tmp_path) as cluster, ThreadPoolExecutor() as threads:
        for _ in range(10):
            names = ("John", "Joe")
            revisions = list(threads.map(lambda at, name: cluster.client(at).put("name", name), (0, 1), names))
            last = names[revisions.index(max(revisions))]
            assert abs(revisions[0] - revisions[1]) == 1
            assert [cluster.client(reader).get("name") for reader in range(3)] == [last] * 3


def test_when_the_leader_is_killed_nothing_is_lost_and_writes_go_on(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        leader = cluster.leader()
        other = (leader + 1) % 3
        written = {f"key-{number}": str(number) for number in range(50)}
        for number, (key, value) in enumerate(written.items()):
            cluster.client(number % 3).put(key, value)
        cluster.kill(leader)
        began = time.monotonic()
        cluster.client(other).put("after", "x")
        seconds = time.monotonic() - began
        assert cluster.client(other).all_keys() == {**written, "after": "x"}
        cluster.restart(leader)
        cluster.wait_until_ready()
        assert cluster.client(leader).all_keys() == {**written, "after": "x"}
        print(f"writes went on after {seconds:.2f} s")  # how soon is measured by benchmarks.cluster


def test_without_a_quorum_writes_are_refused_and_what_is_there_is_still_read(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        cluster.client(0).put("name", "kept")
        assert cluster.client(0).get("name") == "kept"
        cluster.kill(1)
        cluster.kill(2)
        client = cluster.client(0)
        with ThreadPoolExecutor() as threads:
            refused = [threads.submit(client.put, "name", "lost"), threads.submit(client.get, "name")]
        for error in (each.exception() for each in refused):
            assert isinstance(error, GatewayError)
            assert (error.error, error.code) == ("etcdserver: request timed out", 14)
        assert client.get("name", serializable=True) == "kept"
        assert client.status()["errors"] == ["etcdserver: no leader"]
        cluster.restart(1)
        client.put("name", "again")
        assert client.get("name") == "again"


def test_a_server_that_is_stopped_hands_leadership_over_and_exits_with_0(tmp_path: Path) -> None:
    with running(tmp_path) as cluster:
        leader = cluster.leader()
        cluster.client(leader).put("name", "x")
        assert cluster.terminate(leader) == 0
        said = [record["msg"] for record in cluster.logs(leader) if record["msg"] != "status"]
        assert said[-2:] == ["stopping", "stopped"]
        assert cluster.client((leader + 1) % 3).get("name") == "x"


def test_a_folder_that_is_in_use_or_an_others_is_refused(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path, servers=1) as cluster:
        options = [*cluster.servers[0].options]
        assert main(["serve", *options]) == 2
        assert "is in use by process" in last_message(capfd)
        cluster.terminate(0)
        assert main(["serve", *options, "--initial-cluster-token", "another"]) == 2
        assert "belongs to cluster" in last_message(capfd)


def test_a_server_with_a_folder_of_another_time_does_not_stop_the_others(tmp_path: Path) -> None:
    """Two of three have begun anew. The third one knows other folders of theirs, but they are the majority."""
    with running(tmp_path) as cluster:
        cluster.client(0).put("name", "x")
        for server in range(3):
            cluster.terminate(server)
        for server in range(2):
            shutil.rmtree(tmp_path / cluster.servers[server].name)
            cluster.restart(server)
        cluster.client(cluster.leader()).put("name", "y")
        cluster.restart(2)
        deadline = time.monotonic() + PATIENCE
        while not any("has met s1 with another data folder" in str(line) for line in cluster.logs(2)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        time.sleep(3)
        cluster.client(0).put("name", "z")
        assert cluster.client(1).get("name") == "z"


@pytest.mark.parametrize("folder", ["new", "older"])
def test_a_server_that_has_forgotten_what_it_promised_stops(tmp_path: Path, folder: str) -> None:
    with running(tmp_path) as cluster:
        cluster.client(0).put("name", "x")
        data, copy = tmp_path / cluster.servers[1].name, tmp_path / "copy"
        cluster.terminate(1)
        if folder == "older":
            shutil.copytree(data, copy)
            cluster.restart(1)
            cluster.wait_until_ready()
            cluster.client(1).put("name", "y")
            cluster.terminate(1)
        data.rename(tmp_path / "kept")
        if folder == "older":
            shutil.copytree(copy, data)
        for _ in range(2):
            cluster.restart(1)
            assert cluster.exit_code(1) == 2
            assert "has met s2 with another data folder, or with a later" in str(cluster.logs(1)[-1]["msg"])
        shutil.rmtree(data)
        (tmp_path / "kept").rename(data)
        cluster.restart(1)
        cluster.wait_until_ready()
        cluster.client(1).put("name", "z")


def test_a_port_that_is_taken_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with running(tmp_path, servers=1) as cluster:
        url = cluster.servers[0].client_url
        assert main(["serve", "--data-dir", str(tmp_path / "other"), "--listen-peer-urls", url]) == 2
        said = last_message(capfd)
        assert "address already in use" in said
        assert said.startswith(f"--listen-peer-urls {url}: ")


def test_a_trace_that_cannot_be_written_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    [port] = free_ports(1)
    serve = ["serve", "--data-dir", str(tmp_path / "s1"), "--listen-peer-urls", f"http://127.0.0.1:{port}"]
    assert main([*serve, "--trace", str(tmp_path / "nowhere" / "trace")]) == 2
    assert last_message(capfd) == f"--trace {tmp_path}/nowhere/trace: No such file or directory"
    (tmp_path / "notes").write_text("a line\na line without an end")
    assert main([*serve, "--trace", str(tmp_path / "notes")]) == 2
    assert last_message(capfd).startswith(f"--trace {tmp_path}/notes: it has other lines than a trace: ")
    assert (tmp_path / "notes").read_text() == "a line\na line without an end"


def test_a_folder_that_cannot_be_made_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cluster", "--data-dir", "/proc/x"]) == 2
    assert capsys.readouterr().err == "raftproof: --data-dir: cannot write to /proc/x: No such file or directory\n"


def last_message(capfd: pytest.CaptureFixture[str]) -> str:
    line = capfd.readouterr().err.splitlines()[-1]
    return str(json.loads(line)["msg"])


BAD_OPTIONS: list[tuple[list[str], str]] = [
    (["--name", "a,b"], "is not of the form name=http://host:port"),
    (["--heartbeat-interval", "0"], "--heartbeat-interval must be at least 1"),
    (["--log-level", "loud"], "--log-level must be one of"),
    (["--config-file", "/nowhere.yaml"], "/nowhere.yaml"),
    (["--client-cert-auth"], "TLS needs both --cert-file and --key-file"),
    (["--listen-client-urls", "http://127.0.0.1:99999"], "--listen-client-urls"),
    (["--listen-peer-urls", "http://a..b:1"], "--listen-peer-urls: 'http://a..b:1': 'a..b' is no address"),
    (["--listen-peer-urls", "https://127.0.0.1:1"], "needs --peer-cert-file"),
    (["--initial-cluster", "other=http://127.0.0.1:1"], "but not this server"),
    (["--initial-cluster-state", "new"], "No such option: --initial-cluster-state"),
    (["--quota-backend-bytes", "1"], "No such option: --quota-backend-bytes"),
]


@pytest.mark.parametrize(("options", "text"), BAD_OPTIONS, ids=lambda value: str(value)[:40])
def test_options_that_make_no_server_are_named(
    options: list[str], text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--data-dir", str(tmp_path / "data"), *options]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("raftproof: ")
    assert text in line
