"""Addresses of the internet in one spelling, however a log, a person or a header writes them."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache
from typing import Final

__all__ = ["Address", "canonical", "canonical_text", "octets_of", "unpad"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_V4_PORT: Final = re.compile(r"^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$")
_V6_PORT: Final = re.compile(r"^\[([0-9A-Fa-f:.%\w]+)\](?::\d{1,5})?$")
_PADDED: Final = re.compile(r"\b0+(?=\d)")
_PLAIN_V4: Final = re.compile(r"^(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})$")
_MAX_ADDRESS_CHARS: Final = 64
_CACHED: Final = 1 << 17


def canonical(text: str) -> Address | None:
    """Read an address as logs write it: with a port, in brackets, IPv4 inside IPv6; None when it is none."""
    text = text.strip()
    if len(text) > _MAX_ADDRESS_CHARS:
        return None
    if match := _V4_PORT.match(text) or _V6_PORT.match(text):
        text = match[1]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


@lru_cache(_CACHED)
def canonical_text(text: str) -> str | None:
    """Return an address as `ipaddress` prints it; None when the text is none."""
    if octets_of(text) is not None:
        return text
    address = canonical(text)
    return None if address is None else str(address)


def unpad(text: str) -> str:
    """Drop leading zeros of decimal parts: `172.016.112.020` is `172.16.112.20`.

    Only for logs known to pad: elsewhere a leading zero may mean octal, so `canonical` refuses it.
    """
    return _PADDED.sub("", text)


def octets_of(text: str) -> tuple[int, int, int, int] | None:
    """Read an IPv4 address in its one plain spelling; None for any other text."""
    match = _PLAIN_V4.match(text)
    if match is None:
        return None
    first, second, third, fourth = (int(part) for part in match.groups())
    return (first, second, third, fourth) if max(first, second, third, fourth) <= 255 else None  # noqa: PLR2004 - an octet
