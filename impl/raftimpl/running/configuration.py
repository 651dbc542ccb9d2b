"""How a server is told what to do: options under etcd's names, on the command line or in a file."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
import yaml

from raftimpl.cluster import MAX_SERVERS
from raftimpl.errors import RaftError
from raftimpl.running.logs import LEVELS
from raftimpl.running.timing import Limits, Timing

LONGEST_ELECTION_TIMEOUT = 50_000
"""Milliseconds, as in etcd."""


class ConfigurationError(RaftError):
    """Options that make no server. The text says which, what is wrong with it, and what it could be."""


class Options(msgspec.Struct, frozen=True, kw_only=True, rename="kebab", forbid_unknown_fields=True):
    """The options of a server; the names and meanings are etcd's. Lists of URLs are separated by commas.

    Times are in milliseconds, sizes in bytes. What is "" has a default that depends on other options. `trace` is our
    own: a file to which the server writes all its steps.
    """

    name: str = "default"
    data_dir: str = ""
    listen_peer_urls: str = "http://localhost:2380"
    listen_client_urls: str = "http://localhost:2379"
    initial_advertise_peer_urls: str = "http://localhost:2380"
    advertise_client_urls: str = ""
    initial_cluster: str = ""
    initial_cluster_token: str = "etcd-cluster"
    heartbeat_interval: int = 100
    election_timeout: int = 1000
    snapshot_count: int = Limits().snapshot_entries
    cert_file: str = ""
    key_file: str = ""
    client_cert_auth: bool = False
    trusted_ca_file: str = ""
    peer_cert_file: str = ""
    peer_key_file: str = ""
    peer_client_cert_auth: bool = False
    peer_trusted_ca_file: str = ""
    log_level: str = "info"
    trace: str = ""


class Url(NamedTuple):
    """A place to listen at or to connect to."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Tell whether only this machine can reach it."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class ServerAddress(NamedTuple):
    """A server: its number in the core, its name, its id for clients, and where other servers find it."""

    number: int
    name: str
    member_id: int
    peer_urls: tuple[Url, ...]


class TlsFiles(NamedTuple):
    """Files for TLS; `trusted_ca` is "" where nobody's certificate is asked for."""

    cert: str
    key: str
    trusted_ca: str


class Configuration(NamedTuple):
    """What a server is to do, checked and complete."""

    me: ServerAddress
    servers: tuple[ServerAddress, ...]
    cluster_id: int
    data_dir: Path
    listen_peers: tuple[Url, ...]
    listen_clients: tuple[Url, ...]
    client_urls: tuple[Url, ...]
    timing: Timing
    limits: Limits
    client_tls: TlsFiles | None
    peer_tls: TlsFiles | None
    log_level: str
    trace: Path | None

    def warnings(self) -> Iterator[str]:
        """Yield what whoever runs the server should know."""
        for what, urls in (("clients", self.listen_clients), ("other servers", self.listen_peers)):
            for url in urls:
                if url.scheme == "http" and not url.is_loopback:
                    yield f"{url} ({what}) is open to other machines without TLS: whoever reaches it can read and write"


def read_options(path: Path) -> Mapping[str, Any]:
    """Return the options in a file (YAML, as etcd's --config-file). Raises ConfigurationError."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"--config-file {path}: {error}") from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"--config-file {path}: it has no options; write them as lines like 'name: s1'")
    return found


def options_of(given: Mapping[str, Any], source: str) -> Options:
    """Return options from their names and values. Raises ConfigurationError, naming the option."""
    try:
        return msgspec.convert(dict(given), Options)
    except msgspec.ValidationError as error:
        raise ConfigurationError(f"{source}: {error}") from error


def configuration_of(options: Options) -> Configuration:
    """Return what the options mean. Raises ConfigurationError, naming the option and what it could be."""
    for fault in faults(options):
        raise ConfigurationError(fault)
    servers = tuple(servers_of(options))
    me = next((server for server in servers if server.name == options.name), None)
    if me is None:
        names = ", ".join(server.name for server in servers)
        raise ConfigurationError(f"--initial-cluster names {names}, but not this server, --name {options.name}")
    o = options
    client_tls = tls_files("", o.cert_file, o.key_file, o.trusted_ca_file, o.client_cert_auth)
    peer_tls = tls_files("peer-", o.peer_cert_file, o.peer_key_file, o.peer_trusted_ca_file, o.peer_client_cert_auth)
    if o.initial_cluster:  # without it there is nobody to connect to
        require_scheme("initial-cluster", (url for server in servers for url in server.peer_urls), peer_tls, "peer-")
    return Configuration(
        me=me,
        servers=servers,
        cluster_id=id_of(o.initial_cluster_token, *(server.name for server in servers)),
        data_dir=Path(o.data_dir or f"{o.name}.raftproof"),
        listen_peers=listen_urls("listen-peer-urls", o.listen_peer_urls, peer_tls, "peer-"),
        listen_clients=listen_urls("listen-client-urls", o.listen_client_urls, client_tls, ""),
        client_urls=urls_of("advertise-client-urls", o.advertise_client_urls or o.listen_client_urls),
        timing=Timing(
            heartbeat_interval=o.heartbeat_interval / 1000,
            election_timeout=o.election_timeout / 1000,
            request_timeout=5 + 2 * o.election_timeout / 1000,
        ),
        limits=Limits(snapshot_entries=o.snapshot_count, catch_up_entries=max(1, o.snapshot_count // 10)),
        client_tls=client_tls,
        peer_tls=peer_tls,
        log_level=o.log_level,
        trace=Path(o.trace) if o.trace else None,
    )


def faults(options: Options) -> Iterator[str]:
    """Yield what is wrong with single options, in words."""
    if not options.name:
        yield "--name is empty: give each server of the cluster a name of its own"
    for name in ("heartbeat_interval", "election_timeout", "snapshot_count"):
        if getattr(options, name) < 1:
            yield f"--{name.replace('_', '-')} must be at least 1, not {getattr(options, name)}"
    if options.election_timeout < 5 * options.heartbeat_interval:
        yield (
            f"--election-timeout {options.election_timeout} must be at least 5 times --heartbeat-interval "
            f"{options.heartbeat_interval}: a single heartbeat that is late must not cost the leader its office"
        )
    if options.election_timeout > LONGEST_ELECTION_TIMEOUT:
        yield f"--election-timeout must be at most {LONGEST_ELECTION_TIMEOUT}, not {options.election_timeout}"
    if "/" in options.name and not options.data_dir:
        yield f"--name {options.name} would be part of a path: give --data-dir, or a name without a slash"
    if options.log_level not in LEVELS:
        yield f"--log-level must be one of {', '.join(LEVELS)}, not {options.log_level!r}"


def servers_of(options: Options) -> Iterator[ServerAddress]:
    """Yield the servers of the cluster, in the order of their names: the same numbers everywhere."""
    initial = options.initial_cluster or f"{options.name}={options.initial_advertise_peer_urls}"
    option = "initial-cluster" if options.initial_cluster else "initial-advertise-peer-urls"
    found: dict[str, list[Url]] = {}
    for part in initial.split(","):
        name, separator, url = part.partition("=")
        if not separator or not name.strip():
            raise ConfigurationError(f"--initial-cluster: {part!r} is not of the form name=http://host:port")
        found.setdefault(name.strip(), []).append(url_of(option, url))
    everywhere = [place for urls in found.values() for place in urls]
    for place in everywhere:
        if everywhere.count(place) > 1:
            raise ConfigurationError(f"--initial-cluster has {place} twice: every server listens somewhere else")
    if len(found) > MAX_SERVERS:
        raise ConfigurationError(f"--initial-cluster has {len(found)} servers; there can be 1 to {MAX_SERVERS}")
    for number, (name, urls) in enumerate(sorted(found.items())):
        yield ServerAddress(number, name, id_of(options.initial_cluster_token, "member", name), tuple(urls))


def id_of(*texts: str) -> int:
    """Return a number from 1 to 2^64 - 1 for these texts, always the same."""
    digest = hashlib.sha256("\0".join(texts).encode()).digest()
    return int.from_bytes(digest[:8]) or 1


def urls_of(option: str, text: str) -> tuple[Url, ...]:
    """Return the URLs of a list that is separated by commas."""
    return tuple(url_of(option, part) for part in text.split(","))


def url_of(option: str, text: str) -> Url:
    """Return a URL. Raises ConfigurationError, naming the option."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"--{option}: {text!r}: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or port is None or parts.path not in ("", "/"):
        raise ConfigurationError(f"--{option}: {text!r} is not of the form http://host:port or https://host:port")
    if not is_host(parts.hostname):
        raise ConfigurationError(
            f"--{option}: {text!r}: {parts.hostname!r} is no address and no name of a host, "
            "whose parts between dots have 1 to 63 characters each"
        )
    return Url(parts.scheme, parts.hostname, port)


def is_host(text: str) -> bool:
    """Tell whether a text can be looked up as an address or a name: what cannot raises no OSError when it is tried."""
    try:
        text.encode("idna")
    except UnicodeError:
        return False
    return text.isprintable()


def tls_files(prefix: str, cert: str, key: str, trusted_ca: str, requires_certificate: bool) -> TlsFiles | None:
    """Return the files for TLS; None if there are none. Raises ConfigurationError if some are missing."""
    if not (cert or key or trusted_ca or requires_certificate):
        return None
    if not (cert and key):
        raise ConfigurationError(f"TLS needs both --{prefix}cert-file and --{prefix}key-file")
    if requires_certificate and not trusted_ca:
        raise ConfigurationError(f"--{prefix}client-cert-auth needs --{prefix}trusted-ca-file: who signs certificates?")
    for option, path in (
        (f"{prefix}cert-file", cert),
        (f"{prefix}key-file", key),
        (f"{prefix}trusted-ca-file", trusted_ca),
    ):
        if path and not Path(path).is_file():
            raise ConfigurationError(f"--{option} {path}: there is no such file")
    return TlsFiles(cert, key, trusted_ca)


def listen_urls(option: str, text: str, tls: TlsFiles | None, prefix: str) -> tuple[Url, ...]:
    """Return where to listen. Raises ConfigurationError if TLS is asked for and not there, or the other way round."""
    urls = urls_of(option, text)
    require_scheme(option, urls, tls, prefix)
    return urls


def require_scheme(option: str, urls: Iterable[Url], tls: TlsFiles | None, prefix: str) -> None:
    """Raise ConfigurationError if URLs say something else about TLS than the files do, which decide."""
    for url in urls:
        if url.scheme == "https" and tls is None:
            raise ConfigurationError(f"--{option} {url} needs --{prefix}cert-file and --{prefix}key-file")
        if url.scheme == "http" and tls is not None:
            raise ConfigurationError(f"--{option} {url}: with --{prefix}cert-file it must be https")
