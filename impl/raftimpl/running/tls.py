"""TLS contexts from files."""

import ssl

from raftimpl.running.configuration import ConfigurationError, TlsFiles


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
    try:
        context.load_cert_chain(files.cert, files.key)
        if files.trusted_ca:
            context.load_verify_locations(files.trusted_ca)
    except (OSError, ssl.SSLError) as error:
        named = f"{files.cert}, {files.key}" + (f", {files.trusted_ca}" if files.trusted_ca else "")
        raise ConfigurationError(f"these are no certificate, key and authority that fit: {named}: {error}") from error
