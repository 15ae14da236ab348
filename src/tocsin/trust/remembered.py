"""Tokens that were verified, remembered by a keyed hash until they expire; never the tokens themselves.

What was required of the token (audience, scopes) and the certificate it came with are part of the key, so an answer
for one place is never given at another.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.question import Identity  # noqa: TC001 - msgspec reads the annotations at run time
from tocsin.trust.jwks import IssuerKeys  # noqa: TC001 - see above

if TYPE_CHECKING:
    from tocsin.trust.credentials import Credentials

__all__ = ["Key", "Remembered", "Verified"]

Key = tuple[bytes, str | None, tuple[str, ...]]
DIGEST_BYTES: Final = 16


class Verified(msgspec.Struct, frozen=True):
    """A credential that was verified, and for how long that holds."""

    identity: Identity
    until: float
    jkt: str | None = None
    """Thumbprint of the key that each request must prove to have; such a request is never answered from memory."""
    keys: IssuerKeys | None = None
    """Whose key signed it; None for what no key set vouches for."""
    epoch: int = 0

    def holds(self, now: float) -> bool:
        """Whether this may still be answered from memory."""
        keys = self.keys
        return now < self.until and (keys is None or (keys.epoch == self.epoch and keys.current(now)))


class Remembered:
    """A bounded memory; when full, what came first goes first."""

    def __init__(self, capacity: int, secret: bytes) -> None:
        self._capacity, self._secret = capacity, secret
        self._held: dict[Key, Verified] = {}

    def __len__(self) -> int:
        return len(self._held)

    def key(self, credentials: Credentials) -> Key:
        """Name what was shown and what is required, without keeping any of it."""
        shown = blake2b(
            (credentials.authorization or "").encode("utf-8", "replace"), digest_size=DIGEST_BYTES, key=self._secret
        )
        if credentials.certificate is not None:
            shown.update(b"\0")
            shown.update(credentials.certificate)
        return shown.digest(), credentials.audience, credentials.scopes

    def get(self, key: Key, now: float) -> Verified | None:
        """Return what holds now; what has expired is forgotten, what only waits for fresh keys is not."""
        found = self._held.get(key)
        if found is None or found.holds(now):
            return found
        if now >= found.until:
            del self._held[key]
        return None

    def put(self, key: Key, verified: Verified) -> None:
        """Remember what was just verified."""
        self._held.pop(key, None)
        while len(self._held) >= self._capacity:
            del self._held[next(iter(self._held))]
        self._held[key] = verified
