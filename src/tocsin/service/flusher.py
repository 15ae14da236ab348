"""The one writer behind a server: what was observed becomes durable together, soon, and off the loop."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from tocsin.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Flusher", "Source", "Work"]


class Work(Protocol):
    """Something to be made durable by the writer thread."""

    def write(self) -> None:
        """Make it durable."""


class Source(Protocol):
    """Where work comes from: the engine."""

    def hand_over(self) -> Work | None:
        """Give what waits; None when nothing does."""


class Flusher:
    """Hands over what the engine holds to one writer thread, in order, soon, and together.

    INVARIANT: one hand-over is written before the next is taken, so the journal keeps the order of scoring.
    """

    def __init__(self, engine: Source, every_s: float, on_failure: Callable[[str], None]) -> None:
        self.failed = ""
        self._engine, self._every_s, self._on_failure = engine, every_s, on_failure
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tocsin-writer")
        self._waiters: list[asyncio.Future[None]] = []
        self._wake, self._writing = asyncio.Event(), asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._writing_since: float | None = None

    def start(self) -> None:
        """Begin flushing; call it on the loop that scores."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="tocsin-flusher")

    async def stop(self) -> None:
        """Write what waits, then end; what could not be written is told by `failed`."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._flush()
        self._thread.shutdown()

    @property
    def writing_s(self) -> float:
        """For how long the writer has been at the same hand-over; what waits grows meanwhile."""
        since = self._writing_since
        return 0.0 if since is None else asyncio.get_running_loop().time() - since

    async def durable(self) -> None:
        """Wait for the flush that covers everything observed so far."""
        self._insist()
        covered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(covered)
        self._wake.set()
        await covered

    def error(self) -> StoreError:
        """Say what failed as an error."""
        return StoreError(f"nothing can be made durable: {self.failed}", hint="mend the disk, then restart")

    def _insist(self) -> None:
        if self.failed:
            raise self.error()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            timer = loop.call_later(self._every_s, self._wake.set)
            await self._wake.wait()
            self._wake.clear()  # only now: whoever asked during the last flush is not kept waiting for the timer
            timer.cancel()
            # A flush under way is finished even when this task is cancelled: half of one would lose its place.
            await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        async with self._writing:  # a stop may come while one is under way; what follows a failure is never written
            await self._write()

    async def _write(self) -> None:
        waiters, self._waiters = self._waiters, []
        loop = asyncio.get_running_loop()
        try:
            self._insist()
            handed = self._engine.hand_over()
            if handed is not None:
                self._writing_since = loop.time()
                await loop.run_in_executor(self._thread, handed.write)
        except Exception as error:  # noqa: BLE001 - whatever it was, what was observed is not on disk
            self._tell(waiters, error)
        else:
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
        finally:
            self._writing_since = None

    def _tell(self, waiters: list[asyncio.Future[None]], error: Exception) -> None:
        first, self.failed = not self.failed, self.failed or str(error) or type(error).__name__
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(self.error())
        if first:
            self._on_failure(self.failed)
