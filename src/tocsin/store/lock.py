"""One writer at a time: an advisory lock that the system drops when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from tocsin.errors import HomeLocked
from tocsin.store.disk import disk, open_private

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["WriterLock"]


class WriterLock:
    """The right to write to a home, held from construction to `release`.

    The file holds the process id of the last writer, for the message only: what locks is `flock`,
    so a process killed with -9 leaves nothing to clean up. Readers never take it.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise HomeLocked(
                f"process {holder} is writing to `{path.parent}`",
                hint="wait for it to end, or give this run a home of its own with `--home`",
            ) from error
        with disk("write the lock file"):
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process write; calling it twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
