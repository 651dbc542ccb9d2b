"""Options, and what is told about those that make no server."""

from pathlib import Path

import pytest

from raftimpl.running.configuration import (
    Configuration,
    ConfigurationError,
    configuration_of,
    options_of,
    read_options,
)

THREE = "s1=http://10.0.0.1:2380,s2=http://10.0.0.2:2380,s3=http://10.0.0.3:2380"


def configured(**options: object) -> Configuration:
    return configuration_of(options_of({name.replace("_", "-"): value for name, value in options.items()}, "test"))


def test_a_server_without_options_is_a_cluster_of_one() -> None:
    found = configured()
    assert [server.name for server in found.servers] == ["default"]
    assert (found.me.number, found.data_dir) == (0, Path("default.raftproof"))
    assert [str(url) for url in found.listen_clients] == ["http://localhost:2379"]
    assert list(found.warnings()) == []


def test_all_servers_number_each_other_alike_whatever_the_order() -> None:
    one = configured(name="s2", initial_cluster=THREE)
    other = configured(name="s3", initial_cluster=",".join(reversed(THREE.split(","))))
    assert one.servers == other.servers
    assert one.cluster_id == other.cluster_id
    assert (one.me.number, other.me.number) == (1, 2)


def test_a_proxy_in_between_makes_no_other_cluster() -> None:
    one = configured(name="s1", initial_cluster=THREE)
    other = configured(name="s1", initial_cluster=THREE.replace("10.0.0.2:2380", "127.0.0.1:9"))
    assert one.cluster_id == other.cluster_id
    assert [server.member_id for server in one.servers] == [server.member_id for server in other.servers]


def test_the_token_tells_clusters_apart() -> None:
    one, other = configured(initial_cluster_token="a"), configured(initial_cluster_token="b")
    assert one.cluster_id != other.cluster_id
    assert one.me.member_id != other.me.member_id


def test_times_are_in_milliseconds() -> None:
    timing = configured(heartbeat_interval=50, election_timeout=500).timing
    assert timing == (0.05, 0.5, 6.0)


def test_who_listens_to_all_without_tls_is_warned() -> None:
    found = configured(
        listen_client_urls="http://0.0.0.0:2379,http://127.0.0.1:2379,http://127.evil.com:2379,http://[::1]:1"
    )
    assert [warning.split()[0] for warning in found.warnings()] == ["http://0.0.0.0:2379", "http://127.evil.com:2379"]


@pytest.mark.parametrize(
    "host", ["[::1]", "[fe80::1%eth0]", "[::ffff:10.0.0.1]", "10.0.0.1", "a.example.", "bücher.de", "a_b"]
)
def test_addresses_and_names_of_hosts(host: str) -> None:
    assert str(configured(listen_peer_urls=f"http://{host}:1").listen_peers[0]) == f"http://{host}:1"


def test_peers_are_reached_by_tls_if_and_only_if_there_is_a_certificate(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    tls = {"peer_cert_file": str(file), "peer_key_file": str(file), "listen_peer_urls": "https://10.0.0.1:2380"}
    with_tls = THREE.replace("http://", "https://")
    assert configured(name="s1", initial_cluster=with_tls, **tls).peer_tls is not None
    assert configured(**tls).servers[0].peer_urls[0].scheme == "http"  # nobody connects to a server that is alone
    for initial in (THREE, with_tls.replace("https://10.0.0.3", "http://10.0.0.3")):
        with pytest.raises(
            ConfigurationError, match=r"--initial-cluster http://.*: with --peer-cert-file it must be h"
        ):
            configured(name="s1", initial_cluster=initial, **tls)


FAULTS: list[tuple[dict[str, object], str]] = [
    ({"name": ""}, "--name is empty"),
    ({"name": "s9", "initial_cluster": THREE}, "--initial-cluster names s1, s2, s3, but not this server, --name s9"),
    ({"initial_cluster": "s1"}, "'s1' is not of the form name=http://host:port"),
    ({"initial_cluster": "s1=10.0.0.1:2380"}, "--initial-cluster: '10.0.0.1:2380' is not of the form"),
    ({"initial_cluster": ",".join(f"s{i}=http://h{i}:1" for i in range(10))}, "has 10 servers; there can be 1 to 9"),
    ({"listen_client_urls": "http://localhost"}, "--listen-client-urls: 'http://localhost' is not of the form"),
    ({"listen_client_urls": "http://localhost:99999"}, "--listen-client-urls: 'http://localhost:99999': Port out of"),
    ({"listen_peer_urls": "ftp://localhost:1"}, "--listen-peer-urls: 'ftp://localhost:1' is not of the form"),
    (
        {"listen_peer_urls": "http://a..b:1"},
        "--listen-peer-urls: 'http://a..b:1': 'a..b' is no address and no name of a",
    ),
    ({"listen_client_urls": "http://h:1,http://.a:1"}, "--listen-client-urls: 'http://.a:1': '.a' is no address"),
    ({"advertise_client_urls": f"http://{'a' * 64}:1"}, "aaa' is no address and no name of a host"),
    ({"initial_advertise_peer_urls": "http://a..b:1"}, "--initial-advertise-peer-urls: 'http://a..b:1': 'a..b' is no"),
    ({"initial_cluster": "default=http://h:1,b=http://a..b:1"}, "--initial-cluster: 'http://a..b:1': 'a..b' is no"),
    (
        {"initial_cluster": "default=http://h:1,b=http://\udcff:1"},
        "--initial-cluster: 'http://\\udcff:1': '\\udcff' is no",
    ),
    ({"listen_peer_urls": "http://a\0b:1"}, "'a\\x00b' is no address and no name of a host"),
    ({"listen_client_urls": "https://localhost:2379"}, "needs --cert-file and --key-file"),
    (
        {"initial_cluster": "default=http://h:1,b=https://h:2"},
        "--initial-cluster https://h:2 needs --peer-cert-file and --peer-key-file",
    ),
    ({"cert_file": "c.pem"}, "TLS needs both --cert-file and --key-file"),
    ({"peer_cert_file": "c.pem", "peer_key_file": "k.pem"}, "--peer-cert-file c.pem: there is no such file"),
    ({"client_cert_auth": True, "cert_file": "c", "key_file": "k"}, "--client-cert-auth needs --trusted-ca-file"),
    ({"initial_cluster": "=http://10.0.0.1:2380"}, "is not of the form name=http://host:port"),
    ({"initial_cluster": "default=http://h:1,b=http://h:1"}, "--initial-cluster has http://h:1 twice"),
    ({"election_timeout": 10**9}, "--election-timeout must be at most 50000, not 1000000000"),
    ({"name": "../x"}, "--name ../x would be part of a path"),
    ({"heartbeat_interval": 300}, "--election-timeout 1000 must be at least 5 times --heartbeat-interval 300"),
    ({"snapshot_count": 0}, "--snapshot-count must be at least 1, not 0"),
    ({"log_level": "loud"}, "--log-level must be one of debug, info, warn, error, not 'loud'"),
    ({"election_timeout": "soon"}, "test: Expected `int`, got `str` - at `$.election-timeout`"),
    ({"colour": "red"}, "test: Object contains unknown field `colour`"),
    ({"max_txn_ops": 1}, "test: Object contains unknown field `max-txn-ops`"),
    ({"client_transport_security": {"cert-file": "c"}}, "unknown field `client-transport-security`"),
]


@pytest.mark.parametrize(("options", "text"), FAULTS, ids=lambda value: str(value)[:50])
def test_options_that_make_no_server_are_named(options: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        configured(**options)
    assert text in str(raised.value)


def test_environment_variables_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETCD_NAME", "other")
    assert configured().me.name == "default"


def test_options_can_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "s1.yaml"
    file.write_text(f"name: s1\ninitial-cluster: {THREE}\nelection-timeout: 2000\n")
    found = configuration_of(options_of(read_options(file), str(file)))
    assert (found.me.name, found.timing.election_timeout) == ("s1", 2.0)


@pytest.mark.parametrize(("text", "said"), [("- a\n", "it has no options"), ("a: [", "s1.yaml: ")])
def test_files_that_are_no_options_are_named(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "s1.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        read_options(file)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.yaml: .*No such file"):
        read_options(tmp_path / "nowhere.yaml")
