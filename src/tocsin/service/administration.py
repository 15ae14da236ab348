"""What all routes of the administration API share: where they stand, who may, who acts, how errors are said."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.errors import StoreError, TocsinError
from tocsin.service.orders import BODY_BYTES
from tocsin.service.problems import Problem, problem_of
from tocsin.service.request import Response
from tocsin.service.route import JSON, Route

if TYPE_CHECKING:
    from tocsin.service.request import Handler, Request

__all__ = ["CHANGE", "READ", "ROOT", "actor", "answer", "get", "named", "post"]

ROOT: Final = "/admin/v1/"
READ: Final = frozenset({"reader", "admin"})
CHANGE: Final = frozenset({"admin"})
_OWNER: Final = "owner"
"""Caller on the admin socket: whoever may open it owns the home."""
_NO_STORE: Final = (b"cache-control", b"no-store")


def get(path: str, handler: Handler, *, prefix: bool = False, roles: frozenset[str] = READ) -> Route:
    """Make a route that reads."""
    return Route(frozenset({"GET"}), ROOT + path, _told(handler), roles, prefix=prefix, body_limit=0)


def post(path: str, handler: Handler, *, prefix: bool = False) -> Route:
    """Make a route that changes something."""
    return Route(
        frozenset({"POST"}), ROOT + path, _told(handler), CHANGE, prefix=prefix, body_limit=BODY_BYTES, media=JSON
    )


def _told(handler: Handler) -> Handler:
    """Let what a person did wrong be answered with its hint; what is no fault of theirs is left to the application."""

    @wraps(handler)
    async def run(request: Request) -> Response:
        try:
            return await handler(request)
        except StoreError:
            raise
        except TocsinError as error:
            return _refusal(error)

    return run


def actor(request: Request, by: str) -> str:
    """Name who decides, for the audit: the home's owner as they say, anybody else with the key or token they used."""
    caller = request.caller
    if caller is None:
        raise Problem(401, "no-caller", "nobody asks")
    if caller.id == _OWNER:
        return by
    name = caller.id if ":" in caller.id else f"key:{caller.id}"
    return f"{by} ({name})" if by else name


def named(request: Request, folder: str, *verbs: str) -> tuple[str, str]:
    """Split `…/FOLDER/ID/VERB` into both; without verbs the id stands alone. Raises `Problem` 404."""
    rest = request.path.removeprefix(f"{ROOT}{folder}/")
    name, _, verb = rest.rpartition("/") if verbs else (rest, "", "")
    if not name or (verbs and verb not in verbs):
        raise Problem(404, "no-such-path", "there is nothing at this path")
    return name, verb


def answer(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - whatever can be written as JSON
    """Write an answer that no cache may keep: it can hold a secret, and always what only administrators see."""
    return Response(status, msgspec.json.encode(value), headers=[_NO_STORE])


def _refusal(error: TocsinError) -> Response:
    """Say an error with what may help, so that the command line can pass both on."""
    response = problem_of(error).response()
    document = msgspec.json.decode(response.body) | {"hint": error.hint}
    response.body = msgspec.json.encode(document)
    return response
