"""One visitor of a server that runs for nobody else: it begins when the server is ready, which ends with it."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Visit"]


class Visit:
    """Runs `visit` in a thread of its own, then asks this process's server to stop as an operator would."""

    def __init__(self, visit: Callable[[str], None]) -> None:
        self._visit = visit
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None

    def begin(self, address: str) -> None:
        """Start; the server calls this with its address."""
        self._thread = threading.Thread(target=self._run, args=(address,), name="tocsin-visit")
        self._thread.start()

    def finish(self) -> None:
        """Wait for its end; raises what it raised."""
        if self._thread is not None:
            self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self, address: str) -> None:
        try:
            self._visit(address)
        except BaseException as error:  # noqa: BLE001 - it is raised again where the server was started
            self._error = error
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
