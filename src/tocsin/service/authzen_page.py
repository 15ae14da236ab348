"""Pages of search results (section 8.2): tokens that nobody can make, and that hold for one request only."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from msgspec import UNSET, json, structs

from tocsin.service.problems import Problem

if TYPE_CHECKING:
    from msgspec import UnsetType

    from tocsin.service.authzen_wire import ActionSearch, Page, ResourceSearch, SubjectSearch

__all__ = ["Pages", "Place"]

_LAYOUT: Final = struct.Struct(">QQQ")
_MAC_BYTES: Final = 18
"""With the place, a multiple of three bytes, so that base64 writes them in one way only."""
_MAX_TOKEN_CHARS: Final = 128


class Place(NamedTuple):
    """Where a page begins."""

    candidate: int
    """Index of the first candidate to be decided."""
    found: int
    """Results on the pages before."""
    limit: int
    """Results on one page."""


class Pages:
    """Makes and reads tokens; they hold as long as the server runs.

    A token is a place and a MAC over the place, the request without its token, and the caller. So the same request
    gets the same token, and another request gets none (section 8.2.1).
    """

    def __init__(self, most: int, secret: bytes | None = None) -> None:
        self._most = most
        self._secret = secret or secrets.token_bytes(32)

    def bind(self, asked: SubjectSearch | ResourceSearch | ActionSearch, caller: str) -> bytes:
        """Digest what must stay the same from page to page."""
        properties = {} if asked.page is UNSET else asked.page.properties
        whole = [type(asked).__name__, caller, structs.replace(asked, page=UNSET), properties]
        return hashlib.sha256(json.encode(whole, order="deterministic")).digest()

    def begin(self, page: Page | UnsetType, bound: bytes) -> Place:
        """Find where a request begins; raises `Problem` 400 for a token that is not this request's."""
        if page is UNSET:
            return Place(0, 0, self._most)
        limit = None if page.limit is UNSET else min(page.limit, self._most)
        if not page.token:
            return Place(0, 0, self._most if limit is None else limit)
        place = self._read(page.token, bound)
        if place is None or limit not in {None, place.limit}:
            raise Problem(400, "wrong-token", "`page.token` belongs to another request, or is none of this server's")
        return place

    def token(self, place: Place, bound: bytes) -> str:
        """Write the token of a place."""
        packed = _LAYOUT.pack(*place)
        return base64.urlsafe_b64encode(packed + self._mac(packed, bound)).decode()

    def _read(self, token: str, bound: bytes) -> Place | None:
        try:
            raw = base64.b64decode(token[:_MAX_TOKEN_CHARS].encode("ascii"), b"-_", validate=True)
        except ValueError:
            return None
        packed, mac = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        if not hmac.compare_digest(mac, self._mac(packed, bound)):
            return None
        return Place(*_LAYOUT.unpack(packed))

    def _mac(self, packed: bytes, bound: bytes) -> bytes:
        return hmac.digest(self._secret, packed + bound, "sha256")[:_MAC_BYTES]
