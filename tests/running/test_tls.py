"""TLS between servers: whose authority is given must show a certificate of it, on both sides."""

import asyncio
import ssl
from pathlib import Path

from raftimpl.running import tls
from raftimpl.running.configuration import tls_files
from tests.etcd.test_front import certificates

__all__ = ["certificates"]


async def answer(listen: ssl.SSLContext | None, dial: ssl.SSLContext | None) -> bytes:
    """Return what a listening server says to one who connects: nothing if one of them does not want the other."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"welcome")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0, ssl=listen) as server:
        try:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=dial)
        except (ssl.SSLError, ConnectionError):
            return b""
        try:
            return await reader.read()
        except (ssl.SSLError, ConnectionError):
            return b""
        finally:
            writer.close()


def test_a_trusted_authority_alone_asks_for_a_certificate(certificates: Path) -> None:
    """As in etcd, where --peer-client-cert-auth adds nothing to --peer-trusted-ca-file."""
    cert, key, ca = (str(certificates / name) for name in ("server.crt", "server.key", "ca.crt"))
    files = tls_files("peer-", cert, key, ca, requires_certificate=False)
    without_certificate = ssl.create_default_context(cafile=ca)
    assert asyncio.run(answer(tls.listening(files), tls.dialling(files))) == b"welcome"
    assert asyncio.run(answer(tls.listening(files), without_certificate)) == b""


def test_without_an_authority_anybody_may_connect(certificates: Path) -> None:
    cert, key, ca = (str(certificates / name) for name in ("server.crt", "server.key", "ca.crt"))
    files = tls_files("peer-", cert, key, "", requires_certificate=False)
    assert asyncio.run(answer(tls.listening(files), ssl.create_default_context(cafile=ca))) == b"welcome"
    # The system's authorities do not know it.
    assert asyncio.run(answer(tls.listening(files), tls.dialling(files))) == b""
