"""Everything a handler may need, built once when the server starts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from tocsin.service.flusher import Flusher

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from structlog.typing import FilteringBoundLogger

    from tocsin.config import Settings
    from tocsin.engine import Engine
    from tocsin.engine.verify import Verifier
    from tocsin.service.metrics import Metrics
    from tocsin.trust.identity import IdentityVerifier
    from tocsin.trust.keys import ApiKeys
    from tocsin.trust.policy import PolicyStore

__all__ = ["House"]

_MS: Final = 1000


class House:
    """What is shared by all handlers of one server; one event loop, one writer thread."""

    def __init__(  # noqa: PLR0913 - the parts of a server, each made elsewhere
        self,
        *,
        engine: Engine,
        verifier: Verifier,
        policies: PolicyStore,
        identity: IdentityVerifier,
        keys: ApiKeys,
        settings: Settings,
        clock: Callable[[], datetime],
        metrics: Metrics,
        log: FilteringBoundLogger,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.engine = engine
        self.verifier = verifier
        self.policies = policies
        self.identity = identity
        self.keys = keys
        self.settings = settings
        self.clock = clock
        self.metrics = metrics
        self.log = log
        self.monotonic = monotonic
        self.log_requests = settings.serve.log_level == "debug"
        """Whether every request gets a line; asked before one is made."""
        self.flusher = Flusher(engine, settings.serve.flush_ms / _MS, self._fail)
        self.draining = False
        """Whether the server was told to stop, so that nothing new should be sent here."""

    @property
    def failed(self) -> str:
        """Why nothing can be made durable any more; empty while all is well. Only a restart mends it."""
        return self.flusher.failed

    def _fail(self, reason: str) -> None:
        self.verifier.failed = reason  # every answer is deny from here on
        self.log.error("flush-failed", reason=reason)

    async def durable(self) -> None:
        """Wait until everything observed so far is on disk; raises `StoreError` when it cannot be."""
        await self.flusher.durable()
