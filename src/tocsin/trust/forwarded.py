"""A client certificate that a proxy verified and passes on in a header; believed of few, and read strictly.

A header can be written by anybody. So one header counts, named in the settings; only from a peer in `trusted_proxies`;
and only when that peer also authenticates as a caller, because an address proves nothing. Ways of writing it that are
read: `X-Forwarded-Client-Cert` (Envoy; the last element, which the nearest proxy wrote), a byte sequence between colons
(RFC 9440), escaped PEM (nginx `$ssl_client_escaped_cert`) and base64 of the DER (HAProxy `ssl_c_der,base64`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from tocsin.errors import ConfigError
from tocsin.trust.certificates import MAX_CERTIFICATE_BYTES
from tocsin.trust.challenges import refusal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from ipaddress import IPv4Network, IPv6Network

    from tocsin.config.settings import IdentitySettings

__all__ = ["MAX_HEADER_CHARS", "ProxyCertificates", "read_certificate", "read_forwarded"]

MAX_HEADER_CHARS: Final = 64 << 10
MAX_ELEMENTS: Final = 32
XFCC: Final = b"x-forwarded-client-cert"

_PEM: Final = re.compile(r"\s*-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----\s*")
_BYTES: Final = re.compile(r":([A-Za-z0-9+/]+={0,2}):")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_PAIR: Final = re.compile(r'([A-Za-z]{1,16})=("(?:[^"\\]|\\.)*"|[^",;]*)([;,]|$)')


class ProxyCertificates:
    """Finds the certificate of the client behind a proxy."""

    def __init__(self, settings: IdentitySettings) -> None:
        self._header = settings.certificate_header.lower().encode("ascii")
        try:
            self._proxies: tuple[IPv4Network | IPv6Network, ...] = tuple(map(ip_network, settings.trusted_proxies))
        except ValueError as error:
            raise ConfigError(
                f"`identity.trusted_proxies` holds what is no network: {error}",
                hint="write `192.0.2.0/24` or an address",
            ) from error

    def certificate(self, headers: Sequence[tuple[bytes, bytes]], peer: str, *, authenticated: bool) -> bytes | None:
        """Return the DER of the client's certificate; None when there is none, or none that counts.

        `headers` have lower-case names; `peer` is the address at the other end of the connection itself, whatever
        a header says of it. Raises InvalidCredential when a proxy that counts sends what cannot be read.
        """
        if not self._header or not authenticated or not self._counts(peer):
            return None
        values = [value for name, value in headers if name == self._header]
        if not values or values == [b""]:
            return None
        if len(values) > 1:
            raise refusal("the header with the client certificate came twice")
        text = values[0].decode("latin-1")
        if len(text) > MAX_HEADER_CHARS:
            raise refusal(f"the header with the client certificate is longer than {MAX_HEADER_CHARS} characters")
        return read_forwarded(text) if self._header == XFCC else read_certificate(text)

    def _counts(self, peer: str) -> bool:
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return any(address in network for network in self._proxies)


def read_forwarded(text: str) -> bytes | None:
    """Return the certificate in the last element of `X-Forwarded-Client-Cert`; raises InvalidCredential."""
    element = _last_element(text)
    written = element.get("cert", [])
    if not written:
        if {"hash", "subject", "uri", "dns"} & element.keys():
            raise refusal(
                "the proxy passes on no certificate, only names", hint="let Envoy set `cert: true` in its details"
            )
        return None
    if len(written) > 1:
        raise refusal("the proxy passes on two certificates of one client")
    der = read_certificate(written[0])
    digests = element.get("hash", [])
    if any(not hmac.compare_digest(d.lower().encode(), hashlib.sha256(der).hexdigest().encode()) for d in digests):
        raise refusal("the certificate that the proxy passes on does not match its hash")
    return der


def _last_element(text: str) -> dict[str, list[str]]:
    """Read the pairs of the last element; what stands before it was written further away, and is not believed."""
    element: dict[str, list[str]] = {}
    position = elements = 0
    while position < len(text):
        matched = _PAIR.match(text, position)
        if matched is None or matched.end() == position:
            raise refusal("the header with the client certificate cannot be read")
        name, value, ending = matched.groups()
        element.setdefault(name.lower(), []).append(_unquoted(value))
        position = matched.end()
        if ending == "," and position < len(text):
            element, elements = {}, elements + 1
        if elements > MAX_ELEMENTS:
            raise refusal("the header with the client certificate has too many elements")
    return element


def _unquoted(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value


def read_certificate(text: str) -> bytes:
    """Read one certificate as proxies write it; raises InvalidCredential for anything else."""
    shown = text.strip(" \t")
    if "%" in shown:
        shown = unquote(shown)
    for form in (_BYTES, _PEM, _BASE64):
        matched = form.fullmatch(shown)
        if matched is not None:
            return _decoded(matched[1] if form.groups else matched[0])
    raise refusal("the header with the client certificate cannot be read")


def _decoded(text: str) -> bytes:
    try:
        der = base64.b64decode("".join(text.split()), validate=True)
    except binascii.Error as error:
        raise refusal("the client certificate in the header is not base64") from error
    if not 0 < len(der) <= MAX_CERTIFICATE_BYTES:
        raise refusal(f"the client certificate in the header is larger than {MAX_CERTIFICATE_BYTES} bytes")
    return der
