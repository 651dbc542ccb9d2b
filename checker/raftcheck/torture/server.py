"""A server as a process, as `raftproof serve` runs it, or a broken one.

    python -m raftcheck.torture.server [MUTANT] OPTIONS

It does without the rest of `raftproof`, so it starts several times faster. Exit codes are those of `raftproof serve`.
"""

import asyncio
import sys
from collections.abc import Sequence
from functools import partial

from raftcheck.torture.mutants import mutant_named
from raftcheck.torture.virtual_cluster import Build
from raftimpl.cluster import cluster_of
from raftimpl.errors import RaftError
from raftimpl.running import server
from raftimpl.running.configuration import Configuration, ConfigurationError, configuration_of, options_of
from raftimpl.running.folder import Folder
from raftimpl.running.logs import configure, logger
from raftimpl.running.node import Node
from raftimpl.running.ports import DiskError
from raftimpl.running.recorder import Recorder
from raftimpl.running.transport import TcpTransport

CANNOT_WORK, MUST_NOT_GO_ON = 2, 70


def main(arguments: Sequence[str]) -> int:
    """Run a server. Options are pairs of --name and value; the name of a mutant may precede them."""
    mutant = arguments[0] if arguments and not arguments[0].startswith("--") else None
    pairs = arguments[1:] if mutant else arguments
    configuration = configuration_from(pairs)
    configure(configuration.log_level, server=configuration.me.name)
    if mutant:
        setattr(server, "node_for", partial(broken_node, mutant_named(mutant).build))  # noqa: B010
    return ended(configuration)


def configuration_from(pairs: Sequence[str]) -> Configuration:
    """Return what options mean, given as --name and value in turn. Raises ConfigurationError."""
    given = dict(zip((name.removeprefix("--") for name in pairs[::2]), map(typed, pairs[1::2]), strict=True))
    return configuration_of(options_of(given, "options"))


def broken_node(
    build: Build, configuration: Configuration, folder: Folder, transport: TcpTransport, recorder: Recorder | None
) -> Node:
    """Return what a mutant has in the place of a node. Its disk is a real folder all the same."""
    cluster = cluster_of(len(configuration.servers), build.rules, server.MAX_APPEND_ENTRIES)
    me = configuration.me.number
    return build.node(cluster, me, folder, transport, configuration.timing, configuration.limits, None, recorder, None)


def typed(value: str) -> str | int:
    """Return a value as configurations have it."""
    return int(value) if value.isdecimal() else value


def ended(configuration: Configuration) -> int:
    """Serve; return the exit code."""
    try:
        asyncio.run(server.serve(configuration))
    except (ConfigurationError, DiskError, OSError) as error:
        logger.error(str(error), kind=type(error).__name__)
        return CANNOT_WORK
    except RaftError as error:
        logger.error(str(error), kind=type(error).__name__)
        return MUST_NOT_GO_ON
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
