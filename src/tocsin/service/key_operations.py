"""API keys over the administration API; a secret is in the answer that makes it and nowhere else."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from tocsin.service.administration import actor, answer, named
from tocsin.service.orders import ById, CreateKey, Nothing, RotateKey, asked, ordered
from tocsin.trust.issuing import issue, revoke, rotate

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.service.house import House
    from tocsin.service.request import Request, Response
    from tocsin.store import ApiKeyTable
    from tocsin.trust.issuing import Issued

__all__ = ["KeyOperations"]


class KeyOperations:
    """Handlers over one house."""

    def __init__(self, house: House) -> None:
        self._house = house

    @property
    def _table(self) -> ApiKeyTable:
        table: ApiKeyTable = self._house.engine.home.api_keys
        return table

    async def list(self, request: Request) -> Response:
        """List keys, without secrets."""
        asked(request, Nothing)
        keys, now = await asyncio.to_thread(self._table.every), self._house.clock()
        return answer({"keys": [key.described(now) for key in keys]})

    async def create(self, request: Request) -> Response:
        """Make a key."""
        order, now = ordered(request, CreateKey), self._house.clock()
        by = actor(request, order.by)
        issued = await asyncio.to_thread(
            issue,
            self._table,
            order.role,
            now=now,
            subject=order.subject,
            scopes=order.scopes,
            label=order.label,
            life=None if order.expires_s is None else timedelta(seconds=order.expires_s),
            by=by,
        )
        return self._handed_out(issued, now)

    async def change(self, request: Request) -> Response:
        """End a key, or make one that takes its place."""
        name, verb = named(request, "keys", "revoke", "rotate")
        now = self._house.clock()
        if verb == "revoke":
            by = actor(request, ordered(request, ById).by)
            revoked = await asyncio.to_thread(revoke, self._table, name, now=now, by=by)
            self._house.keys.refresh()
            return answer(revoked.described(now))
        order = ordered(request, RotateKey)
        by, grace = actor(request, order.by), timedelta(seconds=order.grace_s)
        issued = await asyncio.to_thread(rotate, self._table, name, grace=grace, now=now, by=by)
        return self._handed_out(issued, now)

    def _handed_out(self, issued: Issued, now: datetime) -> Response:
        self._house.keys.refresh()
        return answer(issued.key.described(now) | {"secret": issued.secret}, 201)
