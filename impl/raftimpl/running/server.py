"""A whole server as a process: the folder, the way to the others, the node, the API; from start to a clean end."""

import asyncio
import gc
import resource
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

from msgspec import DecodeError

from raftimpl.cluster import cluster_of
from raftimpl.etcd.api import ApiServer
from raftimpl.etcd.tls import ClientTls
from raftimpl.running import tls
from raftimpl.running.backend import NodeBackend
from raftimpl.running.configuration import Configuration, ConfigurationError, Url
from raftimpl.running.dialling import Dialler
from raftimpl.running.folder import Folder
from raftimpl.running.logs import logger
from raftimpl.running.node import Node
from raftimpl.running.recorder import Recorder, open_recorder
from raftimpl.running.transport import TcpTransport
from raftimpl.state import Role
from raftimpl.store.errors import RequestError

MAX_APPEND_ENTRIES = 32
"""Entries in one AppendEntries; each may be a batch of a megabyte."""

GRACE = 2.0
"""Seconds that clients' calls have to end when the server stops."""

STATUS_INTERVAL = 60.0

GARBAGE_THRESHOLDS = (50_000, 20, 100)
"""When Python looks for garbage in cycles: seldom, for there is little, and all keys and versions are looked at."""


async def serve(configuration: Configuration) -> None:
    """Run a server until it is told to stop (SIGTERM, SIGINT).

    Raises RaftError if it cannot start, or must not go on: ConfigurationError, DiskError, InvariantViolationError.
    """
    tls.require_usable(configuration)
    for warning in (*configuration.warnings(), *tls.warnings(configuration)):
        logger.warning(warning)
    asyncio.get_running_loop().set_exception_handler(tell_failure)
    gc.set_threshold(*GARBAGE_THRESHOLDS)
    raise_descriptor_limit()
    stopping = stop_on_signals()
    async with AsyncExitStack() as stack:
        folder = Folder.create_or_open(configuration.data_dir, configuration.cluster_id, configuration.me.member_id)
        stack.callback(folder.close)
        if folder.incarnation == 1:
            logger.info("the data folder is new", folder=str(configuration.data_dir))
        if folder.repaired:
            logger.warning("the end of the log was torn and was cut off", repaired=folder.repaired)
        transport = transport_for(configuration, folder)
        with naming("listen-peer-urls", configuration.listen_peers):
            await transport.listen([(url.host, url.port) for url in configuration.listen_peers])
        stack.push_async_callback(transport.close)
        recorder = recorder_for(configuration)
        if recorder:
            stack.callback(recorder.close)
        node = node_for(configuration, folder, transport, recorder)
        running = asyncio.create_task(node.run())
        stack.push_async_callback(end_of, node, running)
        api = api_for(configuration, NodeBackend(configuration, node, transport.client_urls, transport.remaining_ttl))
        with naming("listen-client-urls", configuration.listen_clients):
            await api.start()
        stack.push_async_callback(api.stop, GRACE)
        telling = asyncio.create_task(tell_status(node, [server.name for server in configuration.servers]))
        stack.callback(telling.cancel)
        tell_start(configuration, node)
        await asyncio.wait([running, asyncio.create_task(stopping.wait())], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await hand_over(node)
    await running  # raises what it had to stop for
    logger.info("stopped")


@contextmanager
def naming(option: str, urls: tuple[Url, ...]) -> Iterator[None]:
    """Let errors of listening say which option is to be changed."""
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"--{option} {','.join(map(str, urls))}: no listening there: {error}") from error


def raise_descriptor_limit() -> None:
    """Let this process have as many file descriptors as it may: one for each client."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError) as error:
        logger.warning("the limit of file descriptors stays as it is", limit=soft, error=str(error))


def tell_failure(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody else has caught."""
    error = context.get("exception")
    logger.error(str(context.get("message")), error=repr(error), trace="".join(traceback.format_exception(error)))


def tell_start(configuration: Configuration, node: Node) -> None:
    """Log where the server is to be found, and with what it begins."""
    logger.info(
        "serving",
        clients=[str(url) for url in configuration.listen_clients],
        peers=[str(url) for url in configuration.listen_peers],
        cluster=f"{configuration.cluster_id:x}",
        member=f"{configuration.me.member_id:x}",
        term=node.state.current_term,
        applied=node.machine.applied_index,
        log=node.state.log.last_index,
    )


def transport_for(configuration: Configuration, folder: Folder) -> TcpTransport:
    """Return the way to the other servers."""
    others = [server for server in configuration.servers if server != configuration.me]
    dialler = Dialler(
        configuration.cluster_id,
        configuration.me.number,
        {server.number: (server.peer_urls[0].host, server.peer_urls[0].port) for server in others},
        [server.name for server in configuration.servers],
        folder.show_marks,
        tuple(map(str, configuration.client_urls)),
        tls.dialling(configuration.peer_tls),
    )
    return TcpTransport(dialler, folder, tls.listening(configuration.peer_tls))


def recorder_for(configuration: Configuration) -> Recorder | None:
    """Return what writes down all steps, if that is asked for. Raises ConfigurationError if it cannot."""
    if configuration.trace is None:
        return None
    try:
        return open_recorder(configuration.trace, [s.name for s in configuration.servers])
    except OSError as error:
        raise ConfigurationError(f"--trace {configuration.trace}: {error.strerror}") from error
    except DecodeError as error:
        raise ConfigurationError(f"--trace {configuration.trace}: it has other lines than a trace: {error}") from error


def node_for(configuration: Configuration, folder: Folder, transport: TcpTransport, recorder: Recorder | None) -> Node:
    """Return the node, which does not run yet."""
    cluster = cluster_of(len(configuration.servers), None, MAX_APPEND_ENTRIES)
    return Node(
        cluster,
        configuration.me.number,
        folder,
        transport,
        configuration.timing,
        configuration.limits,
        witness=recorder,
    )


def api_for(configuration: Configuration, backend: NodeBackend) -> ApiServer:
    """Return the API, which does not listen yet."""
    files = configuration.client_tls
    listen = [(url.host, url.port) for url in configuration.listen_clients]
    if files is None:
        return ApiServer(backend, listen)
    trusted_ca = Path(files.trusted_ca) if files.trusted_ca else None
    return ApiServer(backend, listen, ClientTls(Path(files.cert), Path(files.key), trusted_ca))


def stop_on_signals() -> asyncio.Event:
    """Return what is set by SIGTERM and SIGINT. The second one ends the process at once."""
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def stop(number: int) -> None:
        logger.info("stopping", signal=signal.Signals(number).name)
        loop.remove_signal_handler(number)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    return stopping


async def hand_over(node: Node) -> None:
    """Before the end, let another server lead, so that clients need not wait for an election timeout (thesis 3.10)."""
    state = node.state
    others = [peer for peer in node.cluster.peers(state.id) if state.role is Role.LEADER]
    if not others:
        return
    best = max(others, key=lambda peer: state.match_index[peer])
    try:
        await node.move_leader(best)
    except RequestError as error:
        logger.warning("no other server has taken over", error=error.text)


async def end_of(node: Node, running: asyncio.Task[None]) -> None:
    """Let a node come to its end, whatever that is."""
    node.stop()
    await asyncio.gather(running, return_exceptions=True)


async def tell_status(node: Node, names: Sequence[str]) -> None:
    """Log who leads whenever that changes, and once a minute how it goes."""
    loop = asyncio.get_running_loop()
    told, due = None, loop.time() + STATUS_INTERVAL
    while True:
        state = node.state
        if (state.role, state.leader_id, state.current_term) != told or loop.time() >= due:
            told, due = (state.role, state.leader_id, state.current_term), loop.time() + STATUS_INTERVAL
            logger.info(
                "status",
                role=state.role.value,
                leader=None if state.leader_id is None else names[state.leader_id],
                term=state.current_term,
                committed=state.commit_index,
                applied=node.machine.applied_index,
                revision=node.machine.store.revision,
            )
        await asyncio.sleep(0.1)
