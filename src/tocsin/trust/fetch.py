"""One small JSON document from an issuer, over HTTPS, and nothing else: bounded in time, size and where it leads.

Plain HTTP is taken only to and from loopback. Redirects are followed within one origin. The document is read
uncompressed, so that a few bytes cannot unfold into many.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

import httpx

from tocsin.errors import ConfigError, IssuerUnavailable
from tocsin.trust.strictjson import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_DOCUMENT_BYTES", "Fetcher", "allowed_url", "is_loopback"]

MAX_DOCUMENT_BYTES: Final = 256 << 10
MAX_REDIRECTS: Final = 3
KEPT_CONNECTIONS: Final = 16
"""Left open between requests. Those in use are bounded by who asks: a few for each issuer."""

_OK: Final = 200
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "tocsin"}


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine, by name or by address.

    >>> is_loopback("http://[::1]:8080/jwks"), is_loopback("http://127.0.0.1.example/")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def allowed_url(url: str, *, loopback: bool) -> bool:
    """Whether a document may be fetched from here; `loopback` says that plain HTTP to this machine will do."""
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port != 0
    except ValueError:
        return False
    if not parts.hostname or parts.username is not None or not port_is_valid:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and loopback and is_loopback(url))


class Fetcher:
    """Fetches documents for all issuers of one verifier."""

    def __init__(self, *, timeout_s: float, ca_file: str = "") -> None:
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            verify=_tls(ca_file),
            timeout=timeout_s,
            trust_env=False,
            follow_redirects=False,
            headers=_HEADERS,
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=KEPT_CONNECTIONS),
        )

    async def get(self, url: str, *, loopback: bool) -> dict[str, Any]:
        """Fetch a JSON object; raises IssuerUnavailable, whatever it was that failed."""
        for _ in range(MAX_REDIRECTS + 1):
            answer = await self._send("GET", url, loopback=loopback)
            if isinstance(answer, bytes):
                return _object(answer, url)
            url = answer
        raise IssuerUnavailable(f"`{url}` redirects in circles", hint="check the URL in the settings")

    async def post(
        self, url: str, form: Mapping[str, str], auth: tuple[str, str] | None, *, loopback: bool
    ) -> dict[str, Any]:
        """Send a form and read a JSON object; a redirect is refused, as it would carry the form elsewhere."""
        answer = await self._send("POST", url, loopback=loopback, data=form, auth=auth)
        if not isinstance(answer, bytes):
            raise IssuerUnavailable(f"`{url}` redirects a form", hint="check the URL in the settings")
        return _object(answer, url)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _send(self, method: str, url: str, *, loopback: bool, **sent: Any) -> bytes | str:  # noqa: ANN401 - httpx's
        """Return a document, or the URL that it redirects to."""
        if not allowed_url(url, loopback=loopback):
            raise IssuerUnavailable(f"`{url}` is not an https URL", hint="only https is fetched, except on loopback")
        try:
            async with asyncio.timeout(self._timeout_s), self._client.stream(method, url, **sent) as response:
                if response.status_code in _REDIRECTS:
                    return _within(url, response.headers.get("location", ""))
                if response.status_code != _OK:
                    raise IssuerUnavailable(f"`{url}` answered {response.status_code}", hint="ask who runs the issuer")
                return await _body(response, url)
        except TimeoutError as error:
            raise IssuerUnavailable(f"`{url}` did not answer within {self._timeout_s:g} s") from error
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, UnicodeError) as error:
            raise IssuerUnavailable(f"`{url}` cannot be reached: {type(error).__name__}") from error


@functools.cache
def _tls(ca_file: str) -> ssl.SSLContext:
    """Read the authorities; it takes tens of milliseconds, so once in a process."""
    try:
        return ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"`identity.ca_file` cannot be read: {error}", hint="name a PEM file of authorities"
        ) from error


def _within(url: str, location: str) -> str:
    """Where a redirect leads; raises IssuerUnavailable when that is another origin."""
    target = urljoin(url, location)
    if urlsplit(target)[:2] != urlsplit(url)[:2]:
        raise IssuerUnavailable(f"`{url}` redirects to another host", hint="put the final URL in the settings")
    return target


async def _body(response: httpx.Response, url: str) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise IssuerUnavailable(f"`{url}` answers compressed, although asked not to")
    received = bytearray()
    async for chunk in response.aiter_raw():
        received += chunk
        if len(received) > MAX_DOCUMENT_BYTES:
            raise IssuerUnavailable(f"`{url}` answers with more than {MAX_DOCUMENT_BYTES} bytes")
    return bytes(received)


def _object(body: bytes, url: str) -> dict[str, Any]:
    try:
        return read_object(body)
    except ValueError as error:
        raise IssuerUnavailable(f"`{url}` did not answer with a JSON object") from error
