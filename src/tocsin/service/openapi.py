"""The description of the server's HTTP interface (OpenAPI 3.1), for people, generators and tests."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

from msgspec import json

from tocsin.service.request import Response
from tocsin.service.route import PUBLIC, Route

if TYPE_CHECKING:
    from tocsin.service.house import House
    from tocsin.service.request import Request

__all__ = ["PATH", "description", "routes"]

PATH = "/openapi.json"


def description() -> dict[str, Any]:
    """Read the description that is shipped."""
    shipped = files(__package__).joinpath("openapi.json").read_bytes()
    return json.decode(shipped, type=dict[str, Any])


def routes(house: House) -> list[Route]:
    """Name the path of the description; it holds nothing that is not public."""
    told = description()
    if house.settings.serve.public_url:
        told["servers"] = [{"url": house.settings.serve.public_url}]
    body = json.encode(told)

    async def answer(_request: Request) -> Response:
        return Response(body=body, headers=[(b"cache-control", b"max-age=3600")])

    return [Route(frozenset({"GET"}), PATH, answer, PUBLIC, body_limit=0)]
