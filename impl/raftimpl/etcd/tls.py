"""TLS for clients, with flags of etcd's meaning."""

import ssl
from pathlib import Path
from typing import NamedTuple


class ClientTls(NamedTuple):
    """The server's certificate and key, and whose clients it trusts: files in PEM.

    With `client_cert_auth` a client must have a certificate that `trusted_ca` has signed.
    """

    cert: Path
    key: Path
    trusted_ca: Path | None = None
    client_cert_auth: bool = False

    def context(self) -> ssl.SSLContext:
        """Return what a listening socket needs.

        Raises OSError for a file that cannot be read, ssl.SSLError (which is one) for one that is no certificate or
        key, ValueError for clients' certificates without an authority to trust.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert, self.key)
        context.set_alpn_protocols(["h2", "http/1.1"])
        if self.trusted_ca is not None:
            context.load_verify_locations(self.trusted_ca)
        if self.client_cert_auth:
            if self.trusted_ca is None:
                raise ValueError("client_cert_auth needs trusted_ca: whose signature is a client to have?")
            context.verify_mode = ssl.CERT_REQUIRED
        return context
