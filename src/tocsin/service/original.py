"""The request that a proxy asks about, read from what the proxy says of it.

Three ways of saying it are understood: `X-Original-Method` with `X-Original-URI` or `X-Original-URL` (nginx),
`X-Forwarded-Method` with `X-Forwarded-Uri` (Caddy, Traefik, HAProxy), and the path behind a prefix (Envoy). A
client may have sent any of these headers too, and a proxy passes on what it was not told to replace. So every way
that is present must be complete and say the same, and no header of them may come twice.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from tocsin.service.paths import MAX_TARGET_BYTES, AmbiguousRequest, normalise, query_keys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tocsin.service.request import Request

__all__ = ["Network", "Original", "client_address", "original_request"]

Network = IPv4Network | IPv6Network

_Said = dict[bytes, str]
_ONCE: Final = frozenset(
    {
        b"content-length",
        b"host",
        b"x-forwarded-host",
        b"x-forwarded-method",
        b"x-forwarded-proto",
        b"x-forwarded-uri",
        b"x-original-content-length",
        b"x-original-method",
        b"x-original-uri",
        b"x-original-url",
    }
)
_METHOD: Final = re.compile(r"[A-Z][A-Z_-]{0,31}")
"""Methods are case-sensitive tokens; one in lower case would be another action here and the same to some servers."""
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?"
)
_ABSOLUTE: Final = re.compile(r"(https?)://([^/?#]*)([/?].*)?", re.DOTALL)
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_DIGITS: Final = re.compile(r"[0-9]{1,18}")
_MAX_HOPS: Final = 64
_ADDRESS_CHARS: Final = 64
_SHORT_CHARS: Final = 512
_MOST_REMEMBERED: Final = 4096


class Original(msgspec.Struct, frozen=True):
    """The request as the client sent it to the proxy."""

    method: str
    path: str
    """In its one spelling; see `paths`."""
    host: str
    """In lower case, without a default port; empty when nobody said it."""
    url: str
    """Without the query, the path as sent: what a DPoP proof must name."""
    query: tuple[str, ...] = ()
    """Names in the query, without values."""
    length: int | None = None
    """Bytes of its body, where the proxy says it."""


class _Told(NamedTuple):
    """One way of saying it."""

    method: str
    target: str


def original_request(request: Request, suffix: bytes = b"") -> Original:
    """Read the original request; `suffix` is the raw path behind the prefix, where there is one.

    Raises `AmbiguousRequest` for what is missing, malformed, doubled or contradictory.
    """
    said = _said(request)
    inside = said.get(b"x-original-url")
    place, whole = ("", None) if inside is None else _split_url(inside)
    told = _agreed([*_nginx(said, whole), *_forwarded(said), *_behind(request, suffix)])
    if not _METHOD.fullmatch(told.method):
        raise AmbiguousRequest("the original method is not a method name in capitals")
    read = _remembered if len(told.target) <= _SHORT_CHARS else _read
    signed, path, query = read(told.target)
    scheme, host = _place(said, place, request.scheme)
    url = f"{scheme}://{host}{signed}"
    return Original(told.method, path, host, url, query, _length(said))


def client_address(request: Request, trusted: Sequence[Network], *, real_ip_first: bool = False) -> str | None:
    """Address of the client: the last that no trusted proxy has; None when the proxies do not say.

    Only what stands on the right was written by the proxy that asks, so the list is read from there. `real_ip_first`
    is for Envoy, which puts its own address there when it asks.
    """
    real = request.headers_of(b"x-real-ip")[-1:]
    hops = [hop for value in request.headers_of(b"x-forwarded-for") for hop in value.split(",")]
    hops = (real or hops) if real_ip_first else (hops or real)
    address = None
    for hop in reversed(hops[-_MAX_HOPS:]):
        address = _address(hop[:_ADDRESS_CHARS])
        if address is None or not trusted or not any(ip_address(address) in network for network in trusted):
            break
    return address


def _read(target: str) -> tuple[str, str, tuple[str, ...]]:
    """Read path and query: the path as a client signs it, as it is judged, and the names in the query."""
    raw, _, query = target.partition("?")
    path = normalise(raw.encode("latin-1"))
    return raw if raw.isascii() else path, path, query_keys(query.encode("latin-1"))


_remembered: Final = lru_cache(_MOST_REMEMBERED)(_read)
"""Most requests are for few targets; long ones are not kept, so that nobody can fill the memory."""


def _said(request: Request) -> _Said:
    """Read the headers that may come once; those that are empty were left out on purpose."""
    said: _Said = {}
    for name, value in request.headers:
        if name in _ONCE:
            if name in said:
                raise AmbiguousRequest(f"the header `{name.decode()}` came more than once")
            if len(value) > MAX_TARGET_BYTES:
                raise AmbiguousRequest(f"the header `{name.decode()}` is longer than {MAX_TARGET_BYTES} bytes")
            said[name] = value.decode("latin-1")
    return {name: value for name, value in said.items() if value}


def _nginx(said: _Said, whole: str | None) -> Iterator[_Told]:
    uri = said.get(b"x-original-uri")
    if uri is not None and whole is not None and uri != whole:
        raise AmbiguousRequest("X-Original-URI and X-Original-URL name different requests")
    return _complete("X-Original", said.get(b"x-original-method"), whole if uri is None else uri)


def _forwarded(said: _Said) -> Iterator[_Told]:
    return _complete("X-Forwarded", said.get(b"x-forwarded-method"), said.get(b"x-forwarded-uri"))


def _behind(request: Request, suffix: bytes) -> Iterator[_Told]:
    if suffix:
        query = b"?" + request.query if request.query else b""
        yield _Told(request.method, (suffix + query).decode("latin-1"))


def _complete(name: str, method: str | None, target: str | None) -> Iterator[_Told]:
    if method is not None and target is not None:
        yield _Told(method, target)
    elif method is not None or target is not None:
        raise AmbiguousRequest(f"of the {name} headers, the {'method' if method is None else 'target'} is missing")


def _agreed(ways: list[_Told]) -> _Told:
    if not ways:
        raise AmbiguousRequest(
            "no original request was named",
            hint="let the proxy set X-Original-Method and X-Original-URI, or X-Forwarded-Method and X-Forwarded-Uri",
        )
    if any(way != ways[0] for way in ways):
        raise AmbiguousRequest("the headers name different requests", hint="let the proxy strip those it does not set")
    return ways[0]


def _place(said: _Said, place: str, scheme: str) -> tuple[str, str]:
    """Scheme and host of the original request, from the URL where there is one."""
    if place:
        scheme, host = place.split("://")
    else:
        scheme = _SCHEMES.get(said.get(b"x-forwarded-proto", scheme), "")
        host = said.get(b"x-forwarded-host") or said.get(b"host", "")
    if not scheme:
        raise AmbiguousRequest("X-Forwarded-Proto is neither `http` nor `https`")
    if host and not _HOST.fullmatch(host):
        raise AmbiguousRequest("the original host is not a host name")
    return scheme, host.lower().removesuffix(_DEFAULT_PORTS[scheme])


def _split_url(url: str) -> tuple[str, str]:
    """Split an absolute URL into `scheme://host` and path with query."""
    match = _ABSOLUTE.fullmatch(url)
    if match is None:
        raise AmbiguousRequest("X-Original-URL is not an absolute URL")
    scheme, host, rest = match.groups()
    return f"{scheme}://{host}", rest if rest and rest.startswith("/") else f"/{rest or ''}"


def _length(said: _Said) -> int | None:
    """Bytes of the original body: proxies ask without it, so that a length of nought of their own says nothing."""
    own = said.get(b"content-length", "0")
    length = said.get(b"x-original-content-length", "" if own == "0" else own)
    if not length:
        return None
    if not _DIGITS.fullmatch(length):
        raise AmbiguousRequest("the original content length is not a number")
    return int(length)


@lru_cache(_MOST_REMEMBERED)
def _address(text: str) -> str | None:
    """Read an address as proxies write it, with or without a port."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)
