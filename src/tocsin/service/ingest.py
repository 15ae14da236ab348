"""`POST /events`: events in, acknowledged when they are durable.

A request is read off the event loop and observed on it, a slice at a time, so that questions are answered in between.
INVARIANT: every record of a request is accepted, a duplicate, late, set aside or left out, and counted once.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.service.idempotency import Answered
from tocsin.service.parcels import cut
from tocsin.service.problems import PROBLEM_TYPE, Problem
from tocsin.service.reading import read
from tocsin.service.recent import Recent
from tocsin.service.request import Response
from tocsin.service.route import Route
from tocsin.service.unpacking import unpack
from tocsin.store import Answer

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.service.house import House
    from tocsin.service.idempotency import Claim
    from tocsin.service.parcels import Parcels
    from tocsin.service.reading import Read
    from tocsin.service.request import Request

__all__ = ["Receipt", "routes"]

ROLES: Final = frozenset({"ingest", "admin"})
_SLICE_ROWS: Final = 1024
"""Events observed before the event loop is let go: about a millisecond."""
_INLINE_BYTES: Final = 16 << 10
"""Bodies up to this size are read faster than a thread is asked to."""
_WAIT: Final = ((b"retry-after", b"1"),)
_BAD_REQUEST: Final = 400


class SetAsideRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record that could not be used; exactly one of `line` and `index` tells where it stands."""

    reason: str
    hint: str = ""
    line: int | None = None
    """Counted from 1, of a body of lines."""
    index: int | None = None
    """Counted from 0, of a list."""


class Receipt(msgspec.Struct, kw_only=True):
    """What became of the records of one request; the other counts add up to `records`."""

    records: int = 0
    accepted: int = 0
    duplicates: int = 0
    """Met before, in this request or lately."""
    late: int = 0
    """Kept and not scored, being much older than the newest event."""
    set_aside: int = 0
    left_out: int = 0
    """Log lines that are no event."""
    problems: list[SetAsideRecord] = []
    """The first hundred set aside."""


def routes(house: House) -> list[Route]:
    """List what this protocol answers."""
    ingest = _Ingest(house)
    limit = house.settings.ingest.body_bytes
    return [Route(frozenset({"POST"}), "/events", ingest.post, ROLES, body_limit=limit, gate=ingest.insist_on_room)]


class _Ingest:
    """The handler, and what it remembers between requests."""

    def __init__(self, house: House) -> None:
        self._house, self._settings = house, house.settings.ingest
        self._waiting = 0
        """Bytes of bodies whose events are not yet durable."""
        self._counts = Receipt()
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="tocsin-ingest")
        self._recent = Recent(self._settings.recent_events)
        self._recent.recall(house.engine.home.journal)
        self._answered = Answered(
            house.engine.home.answers,
            most=self._settings.answers,
            hours=self._settings.answers_h,
            now=house.clock(),
        )
        self._measure()

    def _measure(self) -> None:
        metrics, counts = self._house.metrics, self._counts
        metrics.gauge("tocsin_ingest_waiting_bytes", "Bytes of events not yet durable.", lambda: self._waiting)
        for name in ("accepted", "duplicates", "late", "set_aside", "left_out"):
            what = f"Records ingested: {name.replace('_', ' ')}."
            metrics.counter(f"tocsin_ingest_{name}", what, partial(getattr, counts, name))

    def insist_on_room(self, size: int = 1) -> None:
        """Turn a request away while too much waits; raises `Problem` 429. A request that is alone always has room."""
        if self._waiting and self._waiting + size > self._settings.waiting_bytes:
            raise Problem(429, "too-much-waiting", "what waits for the disk is too much; send it again", headers=_WAIT)

    async def post(self, request: Request) -> Response:
        """Observe the events of a request and answer when they are durable."""
        size = len(request.body)
        self.insist_on_room(size)
        claim = self._answered.claim(request, self._house.clock())
        if isinstance(claim, Answer):
            return Response(claim.status, claim.body, headers=[(b"idempotency-replayed", b"true")])
        self._waiting += size
        try:
            return await self._observed(request, claim)
        finally:
            self._waiting -= size
            if claim is not None:
                self._answered.release(claim)

    async def _observed(self, request: Request, claim: Claim | None) -> Response:
        now = self._house.clock()
        mark = claim.mark if claim is not None else ""
        if len(request.body) <= _INLINE_BYTES:
            parcels, held = self._read(request, now, mark)
        else:
            loop = asyncio.get_running_loop()
            parcels, held = await loop.run_in_executor(self._threads, self._read, request, now, mark)
        receipt = await self._observe(parcels, held)
        if not receipt.accepted + receipt.duplicates + receipt.late + receipt.left_out:
            return _nothing(receipt)
        await self._house.durable()
        response = Response(200, msgspec.json.encode(receipt))
        if claim is not None:
            await self._keep(claim, response)
        return response

    def _read(self, request: Request, now: datetime, mark: str) -> tuple[Parcels, Read]:
        body = unpack(request.body, request.header(b"content-encoding"), self._settings.expanded_bytes)
        parcels = cut(request, body, self._settings.records)
        caller = request.caller.id if request.caller is not None else ""
        return parcels, read(parcels, source_file=f"POST /events by {caller}", now=now, mark=mark)

    async def _observe(self, parcels: Parcels, held: Read) -> Receipt:
        engine, receipt = self._house.engine, Receipt()
        for batch in held.batches(engine.enrichment, _SLICE_ROWS):
            fresh = self._recent.fresh(batch)
            receipt.duplicates += batch.num_rows - fresh.num_rows
            if fresh.num_rows:
                late = int(engine.take(fresh).late.sum())
                receipt.late += late
                receipt.accepted += fresh.num_rows - late
            await asyncio.sleep(0)
        report = held.report
        receipt.duplicates += report.duplicates
        receipt.set_aside, receipt.left_out = report.set_aside, report.filtered
        receipt.records = report.read + report.set_aside + report.filtered
        receipt.problems = _told(parcels, held)
        self._count(receipt)
        return receipt

    def _count(self, receipt: Receipt) -> None:
        for name in ("accepted", "duplicates", "late", "set_aside", "left_out"):
            setattr(self._counts, name, getattr(self._counts, name) + getattr(receipt, name))

    async def _keep(self, claim: Claim, response: Response) -> None:
        time = self._house.clock()
        answer = Answer(key=claim.key, request=claim.request, time=time, status=response.status, body=response.body)
        await asyncio.get_running_loop().run_in_executor(self._threads, self._answered.keep, answer)
        self._answered.learn(answer)


def _told(parcels: Parcels, held: Read) -> list[SetAsideRecord]:
    return [SetAsideRecord(one.reason, one.hint, **_place(parcels, one.source_line)) for one in held.dead.examples]


def _place(parcels: Parcels, place: int) -> dict[str, Any]:
    return {"line": place} if parcels.first else {"index": place - 1}


def _nothing(receipt: Receipt) -> Response:
    """Refuse a request that held no event at all; nothing of it was observed."""
    first = receipt.problems[0].reason if receipt.problems else "there is none in it"
    problem = {
        "type": "about:blank",
        "title": "Bad Request",
        "status": _BAD_REQUEST,
        "detail": f"no record of the body is an event: {first}",
        "code": "no-event",
    }
    return Response(_BAD_REQUEST, msgspec.json.encode(problem | msgspec.to_builtins(receipt)), PROBLEM_TYPE)
