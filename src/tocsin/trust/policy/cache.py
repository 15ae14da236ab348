"""Answers kept for questions that policies cannot tell apart: bounded, and forgetting what was not asked for lately."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["Cache"]

V = TypeVar("V")


class Cache(Generic[V]):
    """Two generations of a dictionary: a hit in the old one moves to the new, and a full new one becomes the old.

    Never more than `entries` are held, an entry asked for within the last half of them is kept, and both finding and
    keeping are a dictionary's one look-up.
    """

    __slots__ = ("_half", "_new", "_old")

    def __init__(self, entries: int) -> None:
        self._half = entries // 2
        self._new: dict[bytes, V] = {}
        self._old: dict[bytes, V] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def get(self, key: bytes) -> V | None:
        """Find what was kept under `key`; None when nothing is."""
        found = self._new.get(key)
        if found is None and (found := self._old.pop(key, None)) is not None:
            self.keep(key, found)
        return found

    def keep(self, key: bytes, value: V) -> None:
        """Keep `value`; with no room for any, it is let go."""
        if not self._half:
            return
        if len(self._new) >= self._half:
            self._old, self._new = self._new, {}
        self._new[key] = value
