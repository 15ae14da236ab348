"""One spelling for one route: a request target is brought to the form that policies are written for, or refused.

A policy that forbids `/admin` must hold for `/%61dmin`, `//admin` and `/x/../admin` as well, so all of these are
judged as `/admin` (RFC 3986, section 6.2.2). What two servers would read in two ways is refused instead: the one
judged and the one reached could differ.

INVARIANT: what `normalise` returns, it returns unchanged when given again.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_plus

from tocsin.errors import UsageError

__all__ = ["MAX_PATH_CHARS", "MAX_QUERY_KEYS", "MAX_TARGET_BYTES", "AmbiguousRequest", "normalise", "query_keys"]

MAX_TARGET_BYTES: Final = 8192
"""Path and query as sent; what servers take by default."""
MAX_PATH_CHARS: Final = 2000
MAX_QUERY_KEYS: Final = 256
MAX_QUERY_KEY_CHARS: Final = 256

_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,=:@")
"""RFC 3986 `pchar` without `;`: these mean the same whether encoded or not."""
_REFUSED: Final = {
    ord("/"): "an encoded slash",
    ord("\\"): "a backslash",
    ord("#"): "a fragment",
    ord(";"): "path parameters, which some servers cut off and others keep",
    0x7F: "a control character",
} | dict.fromkeys(range(0x20), "a control character")
_TOKEN: Final = re.compile(rb"%[0-9A-Fa-f]{2}|.", re.DOTALL)
_RAW_REFUSED: Final = re.compile(rb"[\x00-\x20\x7f\\#]")
_TWICE: Final = re.compile(r"%25(?:2[ef]|5c|0[0-9a-f]|1[0-9a-f])", re.IGNORECASE)
"""A dot, slash, backslash or control character encoded twice: harmless unless something behind decodes twice."""
_EMPTY: Final = frozenset(("", "."))
_KEPT: Final = frozenset(b"?#;%")
"""Delimiters that stay encoded where they were sent so."""


class AmbiguousRequest(UsageError):  # noqa: N818 - says what is wrong with the request
    """What was asked for cannot be told for certain, so it is refused."""

    code = "ambiguous-request"


def normalise(path: bytes) -> str:
    """Return the one spelling of an absolute path, without query; raises `AmbiguousRequest`.

    >>> normalise(b"/a/./b//%7Eada/%2e%2e/c")
    Traceback (most recent call last):
    ...
    tocsin.service.paths.AmbiguousRequest: the path has `..` beside an empty segment
    >>> normalise(b"/a/./b/%7Eada/%2e%2e/c")
    '/a/b/c'
    """
    if not path.startswith(b"/"):
        raise AmbiguousRequest("the request target is not an absolute path", hint="send path and query only")
    if len(path) > MAX_TARGET_BYTES:
        raise AmbiguousRequest(f"the path is longer than {MAX_TARGET_BYTES} bytes")
    if _RAW_REFUSED.search(path):
        raise AmbiguousRequest("the path has a space, a control character, a backslash or a fragment")
    if b"%" not in path and not path.translate(None, bytes(_PLAIN) + b"/"):
        spelt = path.decode("ascii")
    else:
        spelt = _spell(path)
    spelt = _resolve(spelt)
    if len(spelt) > MAX_PATH_CHARS:
        raise AmbiguousRequest(f"the path is longer than {MAX_PATH_CHARS} characters")
    return spelt


def query_keys(query: bytes) -> tuple[str, ...]:
    """Return the distinct names in a query, in order of first appearance, without their values.

    >>> query_keys(b"page=2&full%5Fname=ada&page=3")
    ('page', 'full_name')
    """
    if not query:
        return ()
    if len(query) > MAX_TARGET_BYTES or _RAW_REFUSED.search(query.replace(b"\\", b"")):
        raise AmbiguousRequest("the query is too long or has a space, a control character or a fragment")
    pairs = query.split(b"&")
    keys = dict.fromkeys(unquote_plus(pair.partition(b"=")[0].decode("latin-1")) for pair in pairs if pair)
    if len(keys) > MAX_QUERY_KEYS or any(len(key) > MAX_QUERY_KEY_CHARS for key in keys):
        raise AmbiguousRequest(f"the query has more than {MAX_QUERY_KEYS} names, or one too long")
    return tuple(keys)


def _spell(path: bytes) -> str:
    """Decode what means the same decoded, encode the rest in capitals."""
    spelt: list[str] = []
    octets = bytearray()
    for match in _TOKEN.finditer(path):
        token = match.group()
        if token == b"%":
            raise AmbiguousRequest("the path has `%` without two hexadecimal digits")
        encoded = len(token) > 1
        octet = int(token[1:], 16) if encoded else token[0]
        if (encoded or token != b"/") and octet in _REFUSED and not (encoded and octet in _KEPT):
            raise AmbiguousRequest(f"the path has {_REFUSED[octet]}")
        octets.append(octet)
        spelt.append(chr(octet) if octet in _PLAIN or octet == ord("/") else f"%{octet:02X}")
    try:
        octets.decode()
    except UnicodeDecodeError:
        raise AmbiguousRequest("the path is not UTF-8 when decoded") from None
    whole = "".join(spelt)
    if _TWICE.search(whole):
        raise AmbiguousRequest("the path has a delimiter that is encoded twice")
    return whole


def _resolve(path: str) -> str:
    """Remove dot segments and merge slashes (RFC 3986, section 5.2.4)."""
    if "//" not in path and "/." not in path:
        return path
    segments = path.split("/")[1:]
    if ".." in segments and "" in segments[:-1]:
        raise AmbiguousRequest("the path has `..` beside an empty segment")
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if not kept:
                raise AmbiguousRequest("the path climbs above its root")
            kept.pop()
        elif segment not in _EMPTY:
            kept.append(segment)
    ends_open = segments[-1] in _EMPTY or segments[-1] == ".."
    return "/" + "/".join(kept) + ("/" if kept and ends_open else "")
