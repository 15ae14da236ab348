"""API keys: how they read, and who holds one.

A key reads `tsn_`, its id, `_`, 43 characters that are secret and six that check the rest::

    tsn_7K3MZQ4D_8mXb…Qz0a1b2c3
        id       32 random bytes in base 62, CRC-32 of all before it in base 62

so that a scanner of source code can tell a real key from a look-alike without asking anybody
(`TOKEN` is the expression, `well_formed` the check). Of the secret only a SHA-256 under a pepper of
the home is kept: 256 random bits need no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
import zlib
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations at run time
from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.errors import StoreError
from tocsin.question import Caller, Identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.store import ApiKey, ApiKeyTable

__all__ = ["ID_CHARS", "ID_DIGITS", "TOKEN", "ApiKeys", "digest_of", "new_secret", "well_formed"]

TOKEN: Final = "tsn_[0-9A-HJKMNP-TV-Z]{8}_[0-9A-Za-z]{49}"  # noqa: S105 - how keys look, not one of them
"""Regular expression of a key, for scanners of source code and logs."""
ID_CHARS: Final = 8
ID_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

_SHAPE: Final = re.compile(TOKEN)
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_BYTES: Final = 32
_SECRET_CHARS: Final = 43
_CHECK_CHARS: Final = 6
_ID: Final = slice(4, 4 + ID_CHARS)

_LOOK_S: Final = 0.25
"""Seconds within which a change of the table is seen."""
_SOON_S: Final = 0.02
"""The same when an unknown key is met: strangers cannot make us look more often."""
_BLIND_S: Final = 10.0
"""Seconds without a look at the table after which no key is accepted: one may have been revoked."""


class _Held(msgspec.Struct, frozen=True):
    digest: bytes
    until: datetime | None
    caller: Caller
    identity: Identity | None


_NOBODY: Final = _Held(secrets.token_bytes(32), None, Caller(id="", role="subject"), None)
"""Stands in for an unknown id, so that it costs what a wrong secret costs."""


def well_formed(token: str) -> bool:
    """Whether this could be a key: its shape and its checksum, nothing secret."""
    if _SHAPE.fullmatch(token) is None:
        return False
    return token[-_CHECK_CHARS:] == _check(token[:-_CHECK_CHARS])


class ApiKeys:
    """Recognises keys, from memory; what any process changes in the table is known within 250 ms.

    For the event loop's thread: a call takes a few microseconds, a look at the table as much again
    at most four times a second (fifty where unknown keys come in), and the keys are read again only
    when one has changed. Raises `StoreError` once the table could not be looked at for ten seconds.
    """

    def __init__(self, table: ApiKeyTable, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._pepper, self._monotonic = table.pepper, monotonic
        self._follower = table.follow()
        self._held: dict[str, _Held] = {}
        self._looked = self._seen = monotonic()
        self.refresh()

    def caller(self, token: str, now: datetime) -> Caller | None:
        """Give the program that holds a key; None when it is no key, a wrong one, or one that has ended."""
        held = self._find(token, now)
        return None if held is None else held.caller

    def identity(self, token: str, now: datetime) -> Identity | None:
        """Give the subject that a key of role `subject` acts for; None for any other."""
        held = self._find(token, now)
        return None if held is None else held.identity

    def refresh(self) -> None:
        """Look at the table now, after a change of one's own or to see whether it can be read; raises `StoreError`."""
        self._looked = self._monotonic()
        news = self._follower.news()
        self._seen = self._looked
        if news is not None:
            self._held = {key.id: _hold(key, digest) for key, digest in news}

    def close(self) -> None:
        """Let go of the table."""
        self._follower.close()

    def _find(self, token: str, now: datetime) -> _Held | None:
        self._look(_LOOK_S)
        key_id = token[_ID]
        if key_id not in self._held or not token.isascii():  # of a key that is held, the digest tells all
            if not well_formed(token):
                return None
            self._look(_SOON_S)
        held = self._held.get(key_id, _NOBODY)
        right = hmac.compare_digest(digest_of(self._pepper, token), held.digest)
        return held if right and (held.until is None or now < held.until) else None

    def _look(self, every_s: float) -> None:
        time_s = self._monotonic()
        if time_s - self._looked < every_s:
            return
        try:
            self.refresh()
        except StoreError:
            if time_s - self._seen >= _BLIND_S:
                raise


def _hold(key: ApiKey, digest: bytes) -> _Held:
    caller = Caller(id=key.id, role=key.role, subject=key.subject, scopes=key.scopes)
    if key.role != "subject":
        return _Held(digest, key.until(), caller, None)
    identity = Identity(
        subject=key.subject,
        assurance=2,
        method="api_key",
        credential=f"key:{key.id}",
        scopes=key.scopes,
        proven_at=key.created,
        expires=key.until(),
    )
    return _Held(digest, key.until(), caller, identity)


def digest_of(pepper: bytes, token: str) -> bytes:
    """Hash a key for the table, under the home's pepper."""
    return hashlib.sha256(pepper + token.encode()).digest()


def _base62(number: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _check(told: str) -> str:
    return _base62(zlib.crc32(told.encode()), _CHECK_CHARS)


def new_secret(key_id: str) -> str:
    """Draw the whole text of a key."""
    told = f"tsn_{key_id}_{_base62(int.from_bytes(secrets.token_bytes(_SECRET_BYTES), 'big'), _SECRET_CHARS)}"
    return told + _check(told)
