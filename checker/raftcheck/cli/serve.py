"""`raftproof serve`: one server of a cluster, for real."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from raftcheck.cli.exits import INTERNAL_ERROR, USAGE_ERROR
from raftcheck.cli.server_extra import server_modules
from raftcheck.model import ModelError
from raftimpl.errors import RaftError


def text(meaning: str, metavar: str = "TEXT") -> Any:
    """Return an option that takes a text."""
    return typer.Option(help=meaning, metavar=metavar, show_default=False)


Urls = "URL[,URL]"

NameOption = Annotated[str | None, text("This server's name. [default: default]", "NAME")]
DataDirOption = Annotated[str | None, text("The folder for all that must survive. [default: NAME.raftproof]", "DIR")]
ListenPeerOption = Annotated[
    str | None,
    typer.Option("--listen-peer-urls", "--listen-peer", metavar=Urls, show_default=False,
                 help="Where to listen to other servers. [default: http://localhost:2380]"),
]  # fmt: skip
ListenClientOption = Annotated[
    str | None,
    typer.Option("--listen-client-urls", "--listen-client", metavar=Urls, show_default=False,
                 help="Where to listen to clients: gRPC and HTTP. [default: http://localhost:2379]"),
]  # fmt: skip
AdvertisePeerOption = Annotated[
    str | None,
    text("Where others find this server, without --initial-cluster. [default: http://localhost:2380]", Urls),
]
AdvertiseClientOption = Annotated[
    str | None, text("Where clients find this server, for `member list`. [default: where it listens]", Urls)
]
InitialClusterOption = Annotated[
    str | None, text("All servers of the cluster, with where they find each other; the same on each.", "NAME=URL,...")
]
TokenOption = Annotated[str | None, text("Tells clusters with the same names apart. [default: etcd-cluster]")]
HeartbeatOption = Annotated[int | None, typer.Option(metavar="MS", help="[default: 100]", show_default=False)]
ElectionOption = Annotated[
    int | None, typer.Option(metavar="MS", help="At least 5 heartbeat intervals. [default: 1000]", show_default=False)
]
SnapshotCountOption = Annotated[
    int | None,
    typer.Option(metavar="N", show_default=False,
                 help="Save the state and cut the log every N entries (one may hold many writes). [default: 10000]"),
]  # fmt: skip
CertOption = Annotated[str | None, text("Certificate for clients' connections (TLS).", "FILE")]
KeyOption = Annotated[str | None, text("Its key.", "FILE")]
ClientAuthOption = Annotated[
    bool | None,
    typer.Option(
        "--client-cert-auth", help="Clients need a certificate, too: of --trusted-ca-file, which says so by itself."
    ),
]
TrustedOption = Annotated[str | None, text("Clients need a certificate, and this is who must have signed it.", "FILE")]
PeerCertOption = Annotated[str | None, text("Certificate for connections between servers (TLS).", "FILE")]
PeerKeyOption = Annotated[str | None, text("Its key.", "FILE")]
PeerAuthOption = Annotated[
    bool | None,
    typer.Option(
        "--peer-client-cert-auth",
        help="Servers that connect need a certificate, too: of --peer-trusted-ca-file, which says so by itself.",
    ),
]
PeerTrustedOption = Annotated[
    str | None, text("Servers need a certificate, and this is who must have signed it.", "FILE")
]
LogLevelOption = Annotated[str | None, text("debug, info, warn or error. [default: info]", "LEVEL")]
TraceOption = Annotated[str | None, text("Write every step here, for `raftproof torture`.", "FILE")]
ConfigFileOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Read options from here (YAML, the names as on the command line).")
]


def serve(
    name: NameOption = None,
    data_dir: DataDirOption = None,
    listen_peer_urls: ListenPeerOption = None,
    listen_client_urls: ListenClientOption = None,
    initial_advertise_peer_urls: AdvertisePeerOption = None,
    advertise_client_urls: AdvertiseClientOption = None,
    initial_cluster: InitialClusterOption = None,
    initial_cluster_token: TokenOption = None,
    heartbeat_interval: HeartbeatOption = None,
    election_timeout: ElectionOption = None,
    snapshot_count: SnapshotCountOption = None,
    cert_file: CertOption = None,
    key_file: KeyOption = None,
    client_cert_auth: ClientAuthOption = None,
    trusted_ca_file: TrustedOption = None,
    peer_cert_file: PeerCertOption = None,
    peer_key_file: PeerKeyOption = None,
    peer_client_cert_auth: PeerAuthOption = None,
    peer_trusted_ca_file: PeerTrustedOption = None,
    log_level: LogLevelOption = None,
    trace: TraceOption = None,
    config_file: ConfigFileOption = None,
) -> int:
    """Run one server of a cluster: the core that `raftproof check` explores, with a disk, a network and etcd's API.

    The options are etcd's, with etcd's names and meanings. Clients speak to it as to etcd: etcdctl, client libraries,
    or HTTP with JSON. It runs until SIGTERM or Ctrl-C; whatever ends it, nothing that was acknowledged is lost. Logs go
    to stderr, one JSON object a line.

    Exit codes: 0 stopped as asked, 2 options, a disk or an address that it cannot work with (the log tells what and
    where), 70 it found what Raft excludes, and stopped so as not to spread it.

    \b
    Examples:
      raftproof serve
      raftproof serve --name s1 --data-dir s1 --listen-client-urls http://localhost:2379 \\
        --listen-peer-urls http://localhost:2380 \\
        --initial-cluster s1=http://localhost:2380,s2=http://localhost:22380,s3=http://localhost:32380
    """
    given = {
        key.replace("_", "-"): value for key, value in locals().items() if value is not None and key != "config_file"
    }
    running = server_modules()
    try:
        from_file = running.configuration.read_options(config_file) if config_file else {}
        source = f"--config-file {config_file}" if config_file else "the options"
        options = running.configuration.options_of({**from_file, **given}, source)
        configuration = running.configuration.configuration_of(options)
    except running.configuration.ConfigurationError as error:
        raise ModelError(str(error)) from error
    running.logs.configure(configuration.log_level, server=configuration.me.name)
    try:
        asyncio.run(running.server.serve(configuration))
    except (running.configuration.ConfigurationError, running.ports.DiskError, OSError) as error:
        running.logs.logger.error(str(error), kind=type(error).__name__)
        return USAGE_ERROR
    except RaftError as error:
        running.logs.logger.error(str(error), kind=type(error).__name__)
        return INTERNAL_ERROR
    return 0
