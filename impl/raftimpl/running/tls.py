"""TLS from files: that they fit, and the contexts that they make."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from raftimpl.running.configuration import Configuration, ConfigurationError, TlsFiles

HAS_EXPIRED = 10
"""What OpenSSL says of a certificate that is no longer valid (X509_V_ERR_CERT_HAS_EXPIRED)."""


def require_usable(configuration: Configuration) -> None:
    """Raise ConfigurationError, naming options and files, unless the files for TLS are what they are to be, and fit."""
    for prefix, files in files_of(configuration):
        cert, key = f"--{prefix}cert-file {files.cert}", f"--{prefix}key-file {files.key}"
        require_certificates(cert, files.cert)
        require_key(key, cert, files)
        if files.trusted_ca:
            require_certificates(f"--{prefix}trusted-ca-file {files.trusted_ca}", files.trusted_ca)


def warnings(configuration: Configuration) -> Iterator[str]:
    """Yield what whoever runs the server should know about certificates that it can use."""
    for prefix, files in files_of(configuration):
        if has_expired(files):
            yield f"--{prefix}cert-file {files.cert}: the certificate has expired: whoever verifies it will not connect"


def files_of(configuration: Configuration) -> list[tuple[str, TlsFiles]]:
    """Return the files that there are, each with what their options begin with."""
    both = (("", configuration.client_tls), ("peer-", configuration.peer_tls))
    return [(prefix, files) for prefix, files in both if files is not None]


def require_certificates(option: str, path: str) -> None:
    """Raise ConfigurationError unless a file holds certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        Path(path).read_bytes()  # OpenSSL does not say what is missing or forbidden
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise ConfigurationError(f"{option}: it holds no certificates in PEM that can be read: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{option}: {error.strerror}") from error
    if not context.cert_store_stats()["x509"]:
        raise ConfigurationError(f"{option}: it holds no certificates")


def require_key(option: str, cert: str, files: TlsFiles) -> None:
    """Raise ConfigurationError unless a file holds the key of the certificate. Nobody is asked for a passphrase."""
    try:
        Path(files.key).read_bytes()
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.cert, files.key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise ConfigurationError(f"{option}: it is not the key of the certificate in {cert}") from error
        raise ConfigurationError(
            f"{option}: it cannot be the key of {cert}; it has to be in PEM, without a passphrase: {error}"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"{option}: {error.strerror}") from error


def has_expired(files: TlsFiles) -> bool:
    """Tell whether a certificate has expired, by showing it to a client in this process that trusts it as it is."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(files.cert, files.key)
    client.load_verify_locations(files.cert)
    client.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    client.check_hostname = False
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)
    try:
        for end in (*ends, *ends):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLError as error:
        return isinstance(error, ssl.SSLCertVerificationError) and error.verify_code == HAS_EXPIRED
    return False


def listening(files: TlsFiles | None) -> ssl.SSLContext | None:
    """Return the context for those who connect. If there is a `trusted_ca`, they need its certificate, as in etcd."""
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _load(context, files)
    if files.trusted_ca:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def dialling(files: TlsFiles | None) -> ssl.SSLContext | None:
    """Return the context for connecting to others: the own certificate is shown, theirs is verified."""
    if files is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _load(context, files)
    if not files.trusted_ca:
        context.load_default_certs()
    return context


def _load(context: ssl.SSLContext, files: TlsFiles) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(files.cert, files.key)
    if files.trusted_ca:
        context.load_verify_locations(files.trusted_ca)
