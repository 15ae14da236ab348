"""Every route of the server, gathered from the files that speak one protocol each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tocsin.service import authzen, forward_auth, health, ingest, openapi, operations

if TYPE_CHECKING:
    from tocsin.service.house import House
    from tocsin.service.route import Route

__all__ = ["routes"]


def routes(house: House) -> list[Route]:
    """List what the server answers."""
    return [
        route
        for protocol in (authzen, forward_auth, ingest, operations, health, openapi)
        for route in protocol.routes(house)
    ]
