"""What was shown once and must not count again: bounded by time, by size, and by who shows it.

When full, nothing new is taken: to forget what still counts would let it be replayed.
"""

from __future__ import annotations

import math
from hashlib import blake2b
from typing import Final

__all__ = ["DIGEST_BYTES", "SLOTS", "Seen"]

DIGEST_BYTES: Final = 16
SLOTS: Final = 4
"""A window is cut into so many slots, each forgotten as a whole."""
SHARE_OF_ONE: Final = 0.25
"""Part of the memory that one holder may fill, so that nobody can shut the others out alone."""


class _Slot:
    """What stops to count within the same stretch of time."""

    def __init__(self) -> None:
        self.marks: set[bytes] = set()
        self.by_holder: dict[str, int] = {}


class Seen:
    """Marks of proofs shown. Times are seconds of the verifier's clock."""

    def __init__(self, capacity: int, window_s: float, secret: bytes) -> None:
        self._capacity, self._secret = capacity, secret
        self._width_s = window_s / SLOTS
        self._slots: dict[int, _Slot] = {}
        self._held = 0

    def __len__(self) -> int:
        return self._held

    def first(self, holder: str, name: str, counts_until: float, now: float) -> bool:
        """Whether `holder` shows `name` for the first time; remembered until it no longer counts.

        Raises `OverflowError` when it cannot be remembered.
        """
        self._forget(now)
        mark = self._mark(holder, name)
        if any(mark in slot.marks for slot in self._slots.values()):
            return False
        self._check_room(holder)
        slot = self._slots.setdefault(math.floor(counts_until / self._width_s), _Slot())
        slot.marks.add(mark)
        slot.by_holder[holder] = slot.by_holder.get(holder, 0) + 1
        self._held += 1
        return True

    def _mark(self, holder: str, name: str) -> bytes:
        shown = f"{len(holder)}:{holder}{name}".encode("utf-8", "surrogatepass")
        return blake2b(shown, digest_size=DIGEST_BYTES, key=self._secret).digest()

    def _forget(self, now: float) -> None:
        for number in [n for n in self._slots if (n + 1) * self._width_s <= now]:
            self._held -= len(self._slots.pop(number).marks)

    def _check_room(self, holder: str) -> None:
        if self._held >= self._capacity:
            raise OverflowError("no room for another proof")
        if sum(slot.by_holder.get(holder, 0) for slot in self._slots.values()) >= self._capacity * SHARE_OF_ONE:
            raise OverflowError("no room for another proof of this key")
