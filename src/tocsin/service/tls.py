"""TLS of the server itself: its certificate, and whose client certificates are believed."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from tocsin.errors import ConfigError

if TYPE_CHECKING:
    from tocsin.config.settings import ServeSettings

__all__ = ["load_certificate", "tls_context"]


def tls_context(serve: ServeSettings) -> ssl.SSLContext | None:
    """Make the context that the settings name; None without a certificate; raises `ConfigError`.

    Client certificates are asked for once `serve.client_ca` is set, and never required: those who come without one
    show another credential, and one that does not verify ends the handshake.
    """
    if not serve.tls_certificate:
        if serve.tls_key or serve.client_ca:
            raise ConfigError("TLS is set without `serve.tls_certificate`", hint="name the PEM chain of this server")
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    load_certificate(context, serve)
    if serve.client_ca:
        _believe(context, serve.client_ca)
    return context


def load_certificate(context: ssl.SSLContext, serve: ServeSettings) -> None:
    """Read certificate and key, at start and again when they were renewed; raises `ConfigError`."""
    try:
        context.load_cert_chain(serve.tls_certificate, serve.tls_key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"`serve.tls_certificate` and `serve.tls_key` cannot be used: {error}",
            hint="both are PEM files; the key has no password and fits the certificate",
        ) from error


def _believe(context: ssl.SSLContext, path: str) -> None:
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        context.load_verify_locations(path)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"`serve.client_ca` cannot be used: {error}", hint="it is a PEM file") from error
