"""The administration API, `/admin/v1/`: how it goes, restrictions, alerts, policies, audit.

A person's decisions are made in the thread that scores and answered once they are durable. Lists are read from the
records in a thread of their own. Keys have a file of their own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tocsin import __version__
from tocsin.engine.ruling import Rulings
from tocsin.response import ranked
from tocsin.response.cases import alert_with_evidence, in_force
from tocsin.service.administration import CHANGE, actor, answer, get, named, post
from tocsin.service.key_operations import KeyOperations
from tocsin.service.orders import (
    AddRestriction,
    AlertsAsked,
    ById,
    GiveVerdict,
    Nothing,
    Page,
    RestrictionsAsked,
    asked,
    ordered,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.service.house import House
    from tocsin.service.request import Request, Response
    from tocsin.service.route import Route
    from tocsin.store import Records

__all__ = ["routes"]


def routes(house: House) -> list[Route]:
    """Routes of the administration API."""
    do, keys = Operations(house), KeyOperations(house)
    return [
        get("status", do.status),
        get("restrictions", do.restrictions),
        post("restrictions", do.restrict),
        post("restrictions/", do.lift, prefix=True),
        get("alerts", do.alerts),
        get("alerts/", do.alert, prefix=True),
        post("alerts/", do.verdict, prefix=True),
        post("policy/reload", do.reload),
        get("audit", do.audit),
        get("audit/verify", do.verify_audit),
        get("keys", keys.list, roles=CHANGE),
        post("keys", keys.create),
        post("keys/", keys.change, prefix=True),
    ]


class Operations:
    """Handlers over one house."""

    def __init__(self, house: House) -> None:
        self._house, self._rulings = house, Rulings(house.engine)
        self._began = house.clock()
        self._one_at_a_time = asyncio.Lock()

    @property
    def _records(self) -> Records:
        records: Records = self._house.engine.home.records
        return records

    async def _decide(self, decision: Callable[[], Any]) -> Any:  # noqa: ANN401 - what the decision gives
        """Take a decision behind all earlier ones, whose records it reads, and wait until it is durable."""
        async with self._one_at_a_time:
            await self._house.durable()
            made = decision()
            await self._house.durable()
            return made

    # --- how it goes

    async def status(self, request: Request) -> Response:
        """Say how the server stands."""
        asked(request, Nothing)
        house, now = self._house, self._house.clock()
        return answer(
            {
                "version": __version__,
                "started": self._began,
                "time": now,
                "mode": "enforce" if house.settings.respond.enforce else "shadow",
                "policy_version": house.policies.current.version,
                "events": house.engine.seq,
                "failed": house.failed,
                **await asyncio.to_thread(self._counts),
            }
        )

    def _counts(self) -> dict[str, Any]:
        now, records = self._house.clock(), self._records
        return {
            "open_alerts": len(records.alerts(state="open")),
            "restrictions": len(in_force(records.restrictions(), records.restrictions(active_at=now), now)),
            "keys": sum(key.state(now) in {"active", "replaced"} for key in self._house.engine.home.api_keys.every()),
        }

    # --- restrictions

    async def restrictions(self, request: Request) -> Response:
        """List restrictions in force, and those that wait for a person."""
        query = asked(request, RestrictionsAsked)
        at = query.at or self._house.clock()

        def read() -> list[Any]:
            every = self._records.restrictions()
            return every if query.all else in_force(every, self._records.restrictions(active_at=at), at)

        return answer({"restrictions": await asyncio.to_thread(read)})

    async def restrict(self, request: Request) -> Response:
        """Restrict an entity by a person's decision."""
        order, now = ordered(request, AddRestriction), self._house.clock()
        by = actor(request, order.by)
        added = await self._decide(
            lambda: self._rulings.restrict(
                order.entity, order.rung, hours=order.hours, cause=order.cause, by=by, now=now
            )
        )
        return answer(added, 201)

    async def lift(self, request: Request) -> Response:
        """End a restriction."""
        name, _ = named(request, "restrictions", "lift")
        by, now = actor(request, ordered(request, ById).by), self._house.clock()
        return answer(await self._decide(lambda: self._rulings.lift(name, by=by, now=now)))

    # --- alerts

    async def alerts(self, request: Request) -> Response:
        """List alerts, worst first."""
        query = asked(request, AlertsAsked)
        found = await asyncio.to_thread(lambda: ranked(self._records.alerts(state="open" if query.open else None)))
        return answer({"alerts": found[: query.limit], "total": len(found)})

    async def alert(self, request: Request) -> Response:
        """Show one alert with its evidence and what it led to."""
        asked(request, Nothing)
        name, _ = named(request, "alerts")
        return answer(await asyncio.to_thread(alert_with_evidence, self._records, name))

    async def verdict(self, request: Request) -> Response:
        """Say whether an alert, or one finding, was right."""
        name, _ = named(request, "alerts", "verdict")
        order = ordered(request, GiveVerdict)
        by, known = actor(request, order.by), order.known_at or self._house.clock()
        bad = order.verdict == "true"
        given = await self._decide(lambda: self._rulings.verdict(name, bad=bad, by=by, now=known))
        return answer({"verdicts": given})

    # --- policies and audit

    async def reload(self, request: Request) -> Response:
        """Read the policies again; a bad change is refused and the good ones stay."""
        by = actor(request, ordered(request, ById).by)
        policies = self._house.policies
        changed = await asyncio.to_thread(policies.reload)
        version = policies.current.version
        if changed:
            self._house.engine.note(by, "policy-reload", {"version": version})
            await self._house.durable()
        return answer({"changed": changed, "version": version})

    async def audit(self, request: Request) -> Response:
        """List what was done, the newest first."""
        query = asked(request, Page)
        return answer({"audit": await asyncio.to_thread(self._records.audit_rows, query.limit)})

    async def verify_audit(self, request: Request) -> Response:
        """Check the chain of the audit log."""
        asked(request, Nothing)
        bad = await asyncio.to_thread(self._records.verify_audit)
        return answer({"whole": bad is None, "first_bad": bad})
