"""Whether the server lives, whether it can do its work, and its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.errors import TocsinError
from tocsin.service.request import Response
from tocsin.service.route import PUBLIC, Route

if TYPE_CHECKING:
    from tocsin.service.house import House
    from tocsin.service.request import Request

__all__ = ["Readiness", "routes"]

_GET: Final = frozenset({"GET"})
_KEPT_S: Final = 1.0
"""Seconds for which a look is good, so that asking often costs nothing."""
_STUCK_S: Final = 10.0
"""Seconds at one write from which the disk counts as gone."""


def routes(house: House) -> list[Route]:
    """List what this file answers."""
    readiness = Readiness(house)
    house.metrics.gauge("tocsin_ready", "Whether every check of /readyz passes.", readiness.as_number)
    readers = PUBLIC if house.settings.serve.metrics_open else frozenset({"reader", "admin"})

    async def alive(_request: Request) -> Response:
        return Response(200, b'{"status":"alive"}')

    async def metrics(_request: Request) -> Response:
        return Response(200, house.metrics.exposition(), b"text/plain; version=0.0.4; charset=utf-8")

    return [
        Route(_GET, "/healthz", alive, PUBLIC, body_limit=0),
        Route(_GET, "/readyz", readiness.answer, PUBLIC, body_limit=0),
        Route(_GET, "/metrics", metrics, readers, body_limit=0),
    ]


class Readiness:
    """What must work before a load balancer should send anything here; each check asks the part itself.

    Anybody may ask, so the answer names what fails and leaves why to the log.
    """

    def __init__(self, house: House) -> None:
        self._house = house
        self._checks = {
            "journal": self._journal,
            "records": house.keys.refresh,
            "policies": self._policies,
            "issuers": self._issuers,
        }
        self._looked_s = -_KEPT_S
        self._failing: dict[str, str] = {}

    async def answer(self, _request: Request) -> Response:
        """Say how each check went; 503 when one fails or the server is about to stop."""
        failing = self.look()
        ready = not (failing or self._house.draining)
        status = "stopping" if self._house.draining else "ready" if ready else "failing"
        checks = {name: "failed" if name in failing else "ok" for name in self._checks}
        return Response(200 if ready else 503, msgspec.json.encode({"status": status, "checks": checks}))

    def as_number(self) -> float:
        """Give 1 when all is well, else 0."""
        return 0.0 if self.look() or self._house.draining else 1.0

    def look(self) -> dict[str, str]:
        """Ask every part, unless that was done within the second; returns what fails and why."""
        now_s = self._house.monotonic()
        if now_s - self._looked_s >= _KEPT_S:
            self._looked_s = now_s
            failing = {name: why for name, check in self._checks.items() if (why := _why(check))}
            if failing != self._failing:
                self._house.log.warning("readiness", failing=failing)
            self._failing = failing
        return self._failing

    def _journal(self) -> None:
        if self._house.failed:
            raise TocsinError(self._house.failed)
        if self._house.flusher.writing_s > _STUCK_S:
            raise TocsinError("the disk does not answer")

    def _policies(self) -> None:
        if not self._house.policies.current.version:
            raise TocsinError("no policies are loaded")

    def _issuers(self) -> None:
        lost = [each.issuer for each in self._house.identity.status(self._house.clock()) if not each.ready]
        if lost:
            raise TocsinError(f"not reached: {', '.join(lost)}")


def _why(check: object) -> str:
    try:
        check()  # type: ignore[operator]
    except TocsinError as error:
        return error.message or error.code
    return ""
