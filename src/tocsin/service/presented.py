"""The user's own credentials in a request that a proxy asks about, and who they prove the user to be.

`X-Tocsin-Key` is the proxy's and is checked before; `Authorization`, `DPoP` and the header named by
`identity.certificate_header` are the user's. That header is believed only from proxies named in
`identity.trusted_proxies`, for a certificate is public and a header can be written by anybody.
"""

from __future__ import annotations

import base64
import binascii
import re
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from tocsin.errors import ConfigError
from tocsin.question import ANONYMOUS
from tocsin.service.paths import AmbiguousRequest
from tocsin.trust.certificates import MAX_CERTIFICATE_BYTES
from tocsin.trust.challenges import refusal
from tocsin.trust.credentials import Credentials

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

    from tocsin.question import Identity
    from tocsin.service.house import House
    from tocsin.service.original import Original
    from tocsin.service.request import Request

__all__ = ["Presented", "networks", "read_certificate"]

_KEY: Final = re.compile(r"[Bb]earer (tsn_\S*)")
_PEM: Final = re.compile(r"-----(?:BEGIN|END) CERTIFICATE-----|\s")
_ENVOY: Final = re.compile(r"(?:By|Hash|Cert|Chain|Subject|URI|DNS)=", re.IGNORECASE)
_PAIR: Final = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^",;]*)(?:[;,]\s*|$)')
"""A name and a value of `X-Forwarded-Client-Cert`; a quoted value, such as a subject's name, may say anything."""
_MAX_HEADER_CHARS: Final = 4 * MAX_CERTIFICATE_BYTES


class Presented:
    """Verifies what users show to proxies; one for a house."""

    def __init__(self, house: House) -> None:
        settings = house.settings.identity
        self._house = house
        self._header = settings.certificate_header.lower().encode()
        self._proxies = networks("identity.trusted_proxies", settings.trusted_proxies)

    async def identity(self, request: Request, original: Original) -> Identity:
        """Say who the user is; nobody when nothing was shown; raises `IdentityError` for what does not hold."""
        house = self._house
        shown = self._credentials(request, original)
        if shown.authorization is None and shown.certificate is None and not shown.dpop:
            return ANONYMOUS
        key = _KEY.fullmatch(shown.authorization or "")
        if key is not None:
            return self._of_key(key[1], shown)
        identity: Identity = house.identity.recall(shown) or await house.identity.verify(shown, house.clock())
        return identity

    def _credentials(self, request: Request, original: Original) -> Credentials:
        sent = request.headers_of(b"authorization")
        if len(sent) > 1:
            raise AmbiguousRequest("the header `authorization` came more than once")
        return Credentials(
            authorization=sent[0] if sent and sent[0] else None,
            dpop=tuple(request.headers_of(b"dpop")),
            method=original.method,
            url=original.url,
            certificate=self._certificate(request),
        )

    def _of_key(self, key: str, shown: Credentials) -> Identity:
        """Say for whom an API key acts; a proof that comes with it proves nothing and is a mistake."""
        identity: Identity | None = None if shown.dpop else self._house.keys.identity(key, self._house.clock())
        if identity is None:
            raise refusal("this is not a key that acts for a subject")
        return identity

    def _certificate(self, request: Request) -> bytes | None:
        if not self._header:
            return None
        sent = request.headers_of(self._header)
        if not any(sent) or not self._trusts(request.socket):
            return None
        if len(sent) > 1:
            raise AmbiguousRequest("the header with the client certificate came more than once")
        return read_certificate(sent[0])

    def _trusts(self, socket: str) -> bool:
        try:
            address = ip_address(socket)
        except ValueError:
            return False
        return any(address in network for network in self._proxies)


def networks(setting: str, written: tuple[str, ...]) -> list[IPv4Network | IPv6Network]:
    """Read networks from a setting; raises `ConfigError` that names it."""
    try:
        return [ip_network(text) for text in written]
    except ValueError as error:
        raise ConfigError(f"`{setting}`: {error}", hint="write `10.0.0.5` or `10.0.0.0/24`") from error


def read_certificate(header: str) -> bytes:
    """Read the DER of a client certificate as proxies write it; raises `InvalidCredential`.

    Base64 between colons (RFC 9440), plain base64 (HAProxy, Caddy; Traefik, which adds the chain behind commas), PEM
    with its blanks escaped (nginx), or the `Cert` of one element of `X-Forwarded-Client-Cert` (Envoy).
    """
    if len(header) > _MAX_HEADER_CHARS:
        raise refusal("the client certificate is too large")
    text = unquote(_of_envoy(header) if _ENVOY.match(header) else header).partition(",")[0]
    text = _PEM.sub("", text).removeprefix(":").removesuffix(":")
    try:
        der = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        der = b""
    if not der:
        raise refusal("the client certificate cannot be read")
    return der


def _of_envoy(header: str) -> str:
    """Find the one certificate in `X-Forwarded-Client-Cert`."""
    found, place = [], 0
    while place < len(header):
        pair = _PAIR.match(header, place)
        if pair is None:
            raise refusal("X-Forwarded-Client-Cert cannot be read")
        if pair[1].lower() == "cert":
            found.append(pair[2].strip('"'))
        place = pair.end()
    if len(found) != 1:
        raise refusal(
            f"the proxy passed on {len(found)} client certificates, not one",
            hint="let Envoy SANITIZE_SET the header, with `cert: true`",
        )
    return found[0]
