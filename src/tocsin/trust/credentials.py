"""What a request shows of who acts, before anything of it is believed."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from tocsin.trust.challenges import refusal

__all__ = ["MAX_TOKEN_BYTES", "Credentials", "Shown", "read_authorization"]

MAX_TOKEN_BYTES: Final = 16 << 10
"""No token is looked at beyond this size; issuers' are well under 4 KiB."""

_AUTHORIZATION: Final = re.compile(r"(?P<scheme>[A-Za-z]{1,16}) {1,4}(?P<token>[A-Za-z0-9\-._~+/]+={0,2})")


class Credentials(msgspec.Struct, frozen=True):
    """What came with a request, and what is required of it here."""

    authorization: str | None = None
    """The `Authorization` header; None without one."""
    dpop: tuple[str, ...] = ()
    """Every `DPoP` header, as sent."""
    method: str = "GET"
    url: str = ""
    """As the client addressed it, scheme and host included; needed for DPoP."""
    certificate: bytes | None = None
    """DER of a client certificate verified by TLS, or by a trusted proxy."""
    audience: str | None = None
    """A token must be meant for this; None is what the settings say."""
    scopes: tuple[str, ...] = ()
    """A token must carry all of these."""


class Shown(msgspec.Struct, frozen=True):
    """A token, and whether it came as `bearer` or as `dpop`."""

    scheme: str
    token: str


def read_authorization(header: str) -> Shown:
    """Read `Authorization: Bearer …` or `DPoP …`; raises InvalidCredential for anything else."""
    if len(header) > MAX_TOKEN_BYTES:
        raise refusal(f"the token is larger than {MAX_TOKEN_BYTES} bytes")
    matched = _AUTHORIZATION.fullmatch(header)
    if matched is None:
        raise refusal("the Authorization header is not a scheme and a token", "invalid_request")
    scheme = matched["scheme"].lower()
    if scheme not in {"bearer", "dpop"}:
        raise refusal("only the schemes `Bearer` and `DPoP` are known here", "")
    return Shown(scheme, matched["token"])
