"""Nonces for DPoP (RFC 9449, section 9): signed, so nothing is kept; rotating, so that old proofs are worthless."""

from __future__ import annotations

import base64
import hmac
from typing import Final

__all__ = ["Nonces"]

MAC_BYTES: Final = 16
_SLOT_BYTES: Final = 6


class Nonces:
    """Makes and checks nonces; each counts for one to two times `period_s`."""

    def __init__(self, secret: bytes, period_s: float) -> None:
        self._secret, self._period_s = secret, period_s

    def current(self, now: float) -> str:
        """Return the nonce to hand out now."""
        return self._made(self._slot(now))

    def good(self, nonce: str, now: float) -> bool:
        """Whether this server made the nonce, in this period or the one before."""
        slot, shown = self._slot(now), nonce.encode("utf-8", "replace")
        return any(hmac.compare_digest(shown, self._made(s).encode()) for s in (slot, slot - 1) if s >= 0)

    def _slot(self, now: float) -> int:
        return int(now // self._period_s)

    def _made(self, slot: int) -> str:
        stamp = slot.to_bytes(_SLOT_BYTES, "big")
        mac = hmac.digest(self._secret, b"dpop-nonce" + stamp, "sha256")[:MAC_BYTES]
        return base64.urlsafe_b64encode(stamp + mac).rstrip(b"=").decode("ascii")
