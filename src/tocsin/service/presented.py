"""The user's own credentials in a request that a proxy asks about, and who they prove the user to be.

`X-Tocsin-Key` is the proxy's and is checked before; `Authorization`, `DPoP` and the header named by
`identity.certificate_header` are the user's. A certificate of the connection itself is the proxy's, never the user's.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tocsin.question import ANONYMOUS
from tocsin.service.paths import AmbiguousRequest
from tocsin.trust.challenges import refusal
from tocsin.trust.credentials import Credentials
from tocsin.trust.forwarded import ProxyCertificates

if TYPE_CHECKING:
    from tocsin.question import Identity
    from tocsin.service.house import House
    from tocsin.service.original import Original
    from tocsin.service.request import Request

__all__ = ["Presented"]

_KEY: Final = re.compile(r"(?i:(bearer)|dpop) +(tsn_\S*)")
"""However it is written, a key of ours is never shown to an issuer."""


class Presented:
    """Verifies what users show to proxies; one for a house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._certificates = ProxyCertificates(house.settings.identity)

    async def identity(self, request: Request, original: Original) -> Identity:
        """Say who the user is; nobody when nothing was shown; raises `IdentityError` for what does not hold."""
        house = self._house
        shown = self._credentials(request, original)
        if shown.authorization is None and shown.certificate is None and not shown.dpop:
            return ANONYMOUS
        key = _KEY.fullmatch(shown.authorization or "")
        if key is not None:
            return self._of_key(key[2] if key[1] else "", shown)
        identity: Identity = house.identity.recall(shown) or await house.identity.verify(shown, house.clock())
        return identity

    def _credentials(self, request: Request, original: Original) -> Credentials:
        sent = request.headers_of(b"authorization")
        if len(sent) > 1:
            raise AmbiguousRequest("the header `authorization` came more than once")
        certificate = self._certificates.certificate(
            request.headers, request.socket, authenticated=request.caller is not None
        )
        return Credentials(
            authorization=sent[0] if sent and sent[0] else None,
            dpop=tuple(request.headers_of(b"dpop")),
            method=original.method,
            url=original.url,
            certificate=certificate,
        )

    def _of_key(self, key: str, shown: Credentials) -> Identity:
        """Say for whom an API key acts; a proof that comes with it proves nothing and is a mistake."""
        identity: Identity | None = None if shown.dpop else self._house.keys.identity(key, self._house.clock())
        if identity is None:
            raise refusal("this is not a key that acts for a subject")
        return identity
