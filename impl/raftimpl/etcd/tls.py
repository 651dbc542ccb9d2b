"""TLS for clients, with flags of etcd's meaning."""

import ssl
from pathlib import Path
from typing import NamedTuple


class ClientTls(NamedTuple):
    """The server's certificate and key, and whose clients it trusts: files in PEM.

    If there is a `trusted_ca`, a client must have a certificate that it has signed, as in etcd.
    """

    cert: Path
    key: Path
    trusted_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Return what a listening socket needs.

        Raises OSError for a file that cannot be read, ssl.SSLError (which is one) for one that is no certificate or
        key.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert, self.key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        if self.trusted_ca is not None:
            context.load_verify_locations(self.trusted_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context
