"""The request that a proxy asks about, read from what the proxy says of it.

Three ways of saying it are understood: `X-Original-Method` with `X-Original-URI` or `X-Original-URL` (nginx),
`X-Forwarded-Method` with `X-Forwarded-Uri` (Caddy, Traefik, HAProxy), and the path behind a prefix (Envoy). A
client may have sent any of these headers too, and a proxy passes on what it was not told to replace. So every way
that is present must be complete and say the same, and no header of them may come twice.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from tocsin.service.paths import MAX_TARGET_BYTES, AmbiguousRequest, normalise, query_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tocsin.service.request import Request

__all__ = ["Network", "Original", "client_address", "original_request"]

Network = IPv4Network | IPv6Network

_METHOD: Final = re.compile(r"[A-Z][A-Z_-]{0,31}")
"""Methods are case-sensitive tokens; one in lower case would be another action here and the same to some servers."""
_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252}[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?"
)
_ABSOLUTE: Final = re.compile(r"(https?)://([^/?#]*)([/?].*)?", re.DOTALL)
_SCHEMES: Final = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
_MAX_LENGTH_DIGITS: Final = 18
_MAX_HOPS: Final = 64


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


def original_request(request: Request, suffix: bytes | None = None) -> Original:
    """Read the original request; `suffix` is the raw path behind the prefix, where there is one.

    Raises `AmbiguousRequest` for what is missing, malformed, doubled or contradictory.
    """
    ways = [way for way in (_nginx(request), _forwarded(request), _behind(request, suffix)) if way is not None]
    if not ways:
        raise AmbiguousRequest(
            "no original request was named",
            hint="let the proxy set X-Original-Method and X-Original-URI, or X-Forwarded-Method and X-Forwarded-Uri",
        )
    told = _agreed(ways)
    if not _METHOD.fullmatch(told.method):
        raise AmbiguousRequest("the original method is not a method name in capitals")
    raw, mark, query = told.target.partition("?")
    path = normalise(raw.encode("latin-1"))
    scheme, host = _place(request)
    return Original(
        method=told.method,
        path=path,
        host=host,
        url=f"{scheme}://{host}{raw if raw.isascii() else path}",
        query=query_keys(query.encode("latin-1")) if mark else (),
        length=_length(request),
    )


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
        address = _address(hop)
        if address is None or not any(ip_address(address) in network for network in trusted):
            break
    return address


def _one(request: Request, name: bytes) -> str | None:
    """Value of a header that may come once; None when it is absent or empty."""
    values = request.headers_of(name)
    if len(values) > 1:
        raise AmbiguousRequest(f"the header `{name.decode()}` came {len(values)} times")
    if not values or not values[0]:
        return None
    if len(values[0]) > MAX_TARGET_BYTES:
        raise AmbiguousRequest(f"the header `{name.decode()}` is longer than {MAX_TARGET_BYTES} bytes")
    return values[0]


def _nginx(request: Request) -> _Told | None:
    method = _one(request, b"x-original-method")
    uri, url = _one(request, b"x-original-uri"), _one(request, b"x-original-url")
    inside = _split_url(url)[1] if url is not None else None
    if uri is not None and inside is not None and uri != inside:
        raise AmbiguousRequest("X-Original-URI and X-Original-URL name different requests")
    return _whole("X-Original", method, uri if uri is not None else inside)


def _forwarded(request: Request) -> _Told | None:
    method = _one(request, b"x-forwarded-method")
    return _whole("X-Forwarded", method, _one(request, b"x-forwarded-uri"))


def _behind(request: Request, suffix: bytes | None) -> _Told | None:
    if not suffix:
        return None
    query = f"?{request.query.decode('latin-1')}" if request.query else ""
    return _Told(request.method, suffix.decode("latin-1") + query)


def _whole(name: str, method: str | None, target: str | None) -> _Told | None:
    if method is None and target is None:
        return None
    if method is None or target is None:
        raise AmbiguousRequest(f"of the {name} headers, the {'method' if method is None else 'target'} is missing")
    return _Told(method, target)


def _agreed(ways: Iterable[_Told]) -> _Told:
    first, *others = ways
    if any(other != first for other in others):
        raise AmbiguousRequest("the headers name different requests", hint="let the proxy strip those it does not set")
    return first


def _place(request: Request) -> tuple[str, str]:
    """Scheme and host of the original request."""
    url = _one(request, b"x-original-url")
    if url is not None:
        place = _split_url(url)[0]
        scheme, host = place.split("://")
    else:
        scheme = _SCHEMES.get(_one(request, b"x-forwarded-proto") or request.scheme, "")
        host = _one(request, b"x-forwarded-host") or _one(request, b"host") or ""
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


def _length(request: Request) -> int | None:
    """Bytes of the original body: proxies ask without it, so its own length says nothing when it is nought."""
    said = _one(request, b"x-original-content-length") or _one(request, b"content-length")
    if said is None or said == "0":
        return None
    if not (said.isascii() and said.isdigit()) or len(said) > _MAX_LENGTH_DIGITS:
        raise AmbiguousRequest("the original content length is not a number")
    return int(said)


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
