"""The policies in force, read again when their folder changes; a bad change never takes the place of a good one."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING, Final

from tocsin.errors import PolicyError
from tocsin.trust.policy.files import DEFAULT_FOLDER, Stamp, stamp_of
from tocsin.trust.policy.policyset import CACHE_ENTRIES, PolicySet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["PolicyStore"]

_SETTLED_NS: Final = 100_000_000
"""A file changed less than this before it was looked at may change again without its time showing it."""


class PolicyStore:
    """Holds the current PolicySet; any thread may reload it or read `current`."""

    def __init__(
        self,
        folder: Path,
        current: PolicySet,
        stamp: Stamp | None,
        *,
        cache_entries: int = CACHE_ENTRIES,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.folder = folder
        self.current = current
        self.fault: PolicyError | None = None
        """Why the folder as it is now is not in force; None when it is."""
        self._stamp = stamp
        self._cache_entries = cache_entries
        self._clock_ns = clock_ns
        self._reloading = Lock()

    @classmethod
    def open(
        cls,
        folder: Path | None,
        *,
        cache_entries: int = CACHE_ENTRIES,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> PolicyStore:
        """Load a folder, or the default policies; raises PolicyError."""
        path = folder or DEFAULT_FOLDER
        stamp = _settled(stamp_of(path), clock_ns())
        current = PolicySet.load(path, cache_entries=cache_entries)
        return cls(path, current, stamp, cache_entries=cache_entries, clock_ns=clock_ns)

    def reload(self) -> bool:
        """Read the folder again where it changed; say whether other policies are in force now.

        Raises PolicyError while what is there does not load, without reading it anew each time; what was in force
        stays. `fault` is the same error as before where nothing new happened, so that it need not be told again.
        """
        with self._reloading:
            return self._reload()

    def _reload(self) -> bool:
        try:
            stamp = stamp_of(self.folder)
        except PolicyError as error:
            self._stamp = None
            raise self._remembered(error) from error
        if stamp == self._stamp:
            if self.fault is not None:
                raise self.fault
            return False
        self._stamp = _settled(stamp, self._clock_ns())
        try:
            fresh = PolicySet.load(self.folder, cache_entries=self._cache_entries)
        except PolicyError as error:
            raise self._remembered(error) from error
        self.fault = None
        changed = fresh.version != self.current.version
        if changed:
            self.current = fresh
        return changed

    def _remembered(self, error: PolicyError) -> PolicyError:
        """Keep why the folder is not in force; the error that was kept already when it says the same."""
        if self.fault is None or self.fault.message != error.message:
            self.fault = error
        return self.fault


def _settled(stamp: Stamp, now_ns: int) -> Stamp | None:
    """Keep a stamp only when none of its files is so young that a second change could look the same."""
    return stamp if all(now_ns - max(entry[1], entry[2]) > _SETTLED_NS for entry in stamp) else None
