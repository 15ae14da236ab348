"""The one ASGI application: finds the route, verifies the caller, reads the body, answers; nothing else is hot.

INVARIANT: a handler runs only after its caller was verified and holds a role of the route, and whatever goes wrong
leaves as a problem document with the request's id and without a trace.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from tocsin.errors import TocsinError
from tocsin.service.arrival import Arrival, request_ids
from tocsin.service.callers import Callers
from tocsin.service.exchange import answer, arrived_body
from tocsin.service.limits import ClientLeft, Rates, Slots, read_body, too_large
from tocsin.service.peers import Peers
from tocsin.service.problems import Problem, problem_of, unexpected
from tocsin.service.request import CERTIFICATE, OWNER, Request, Response
from tocsin.service.route import Route, Router

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from tocsin.service.house import House

__all__ = ["App"]

_NOWHERE: Final = "none"
_SERVER_ERROR: Final = 500


class App:
    """ASGI application over a house and the routes of its protocols."""

    def __init__(self, house: House, routes: Iterable[Route]) -> None:
        serve = house.settings.serve
        self._house, self._router = house, Router(routes)
        self._callers = Callers(house)
        self._slots, self._rates = Slots(serve.concurrency), Rates(serve.caller_per_s)
        self._peers = Peers(serve.trusted_proxies)
        self._body_bytes, self._body_s = serve.body_bytes, serve.body_s
        self._ids = request_ids()
        house.metrics.gauge("tocsin_requests_under_way", "Requests under way.", lambda: self._slots.taken)

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"no `{scope['type']}` here")
        began = perf_counter()
        arrival = Arrival(scope["headers"], self._ids)
        tag = _Tag()
        try:
            response = await self._answer(scope, receive, arrival, tag)
        except ClientLeft:
            return
        except Exception as error:  # noqa: BLE001 - one request's failure is its own; it is logged and answered
            response = self._refuse(error, arrival, tag)
        response = await self._send(scope, send, response, arrival, tag)
        self._tell(scope, arrival, tag, response, perf_counter() - began)

    async def _answer(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], arrival: Arrival, tag: _Tag
    ) -> Response:
        arrival.check(scope["http_version"])
        route = self._router.find(scope["method"], scope["path"])
        tag.route = route.label
        if not route.roles or scope.get(OWNER):  # a server that is full still tells so, and still obeys its owner
            return await self._handle(route, scope, receive, arrival, tag)
        self._slots.take()
        try:
            return await self._handle(route, scope, receive, arrival, tag)
        finally:
            self._slots.give()

    async def _handle(
        self, route: Route, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], arrival: Arrival, tag: _Tag
    ) -> Response:
        caller = None
        if scope.get(OWNER):
            caller = self._callers.owner
        elif route.roles:
            caller = self._callers.known(route, arrival, scope) or await self._callers.verified(route, arrival, scope)
        if caller is not None:
            tag.caller = caller.id
            self._callers.insist(route, caller)
            self._rates.take(caller.id, perf_counter())
        if route.media:
            arrival.insist_on(route.media)
        if route.gate is not None:
            route.gate()
        body = b""
        if arrival.has_body:
            limit = self._body_bytes if route.body_limit is None else route.body_limit
            body = await self._body(scope, receive, arrival, limit)
        peer, via_proxy = self._peers.of(scope["client"], arrival.forwarded_for)
        return await route.handler(
            Request(
                scope["method"],
                scope["path"],
                query=scope["query_string"],
                headers=scope["headers"],
                body=body,
                caller=caller,
                peer=peer,
                request_id=arrival.request_id,
                scheme=scope["scheme"],
                certificate=scope.get(CERTIFICATE),
                raw_path=scope.get("raw_path", b""),
                via_proxy=via_proxy,
                socket=scope["client"][0] if scope["client"] else "",
            )
        )

    async def _body(
        self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], arrival: Arrival, limit: int
    ) -> bytes:
        body = arrived_body(scope)
        if body is None:
            return await read_body(receive, arrival.content_length, limit, self._body_s)
        if len(body) > limit:
            raise too_large(limit)
        return body

    async def _send(
        self,
        scope: dict[str, Any],
        send: Callable[[dict[str, Any]], Awaitable[None]],
        response: Response,
        arrival: Arrival,
        tag: _Tag,
    ) -> Response:
        """Send an answer; one that cannot be sent gives way to a plain refusal."""
        try:
            await answer(scope, send, response, arrival.request_id)
        except ValueError as error:
            response = self._refuse(error, arrival, tag)
            await answer(scope, send, response, arrival.request_id)
        return response

    def _refuse(self, error: Exception, arrival: Arrival, tag: _Tag) -> Response:
        if isinstance(error, Problem):
            return error.response()
        problem = problem_of(error) if isinstance(error, TocsinError) else unexpected()
        if problem.status >= _SERVER_ERROR:
            log, known = self._house.log, {"request": arrival.request_id, "route": tag.route, "caller": tag.caller}
            if isinstance(error, TocsinError):
                log.warning("request-failed", **known, code=error.code, reason=error.message)
            else:
                log.error("request-failed", **known, exc_info=error)
        return problem.response()

    def _tell(self, scope: dict[str, Any], arrival: Arrival, tag: _Tag, response: Response, seconds: float) -> None:
        house = self._house
        house.metrics.request(tag.route, response.status, tag.caller, seconds)
        if house.log_requests:
            house.log.debug(
                "request",
                request=arrival.request_id,
                method=scope["method"],
                route=tag.route,
                status=response.status,
                caller=tag.caller,
                decision=response.decision,
                ms=round(seconds * 1000, 3),
            )


class _Tag:
    """What is known of a request by the time it fails."""

    __slots__ = ("caller", "route")

    def __init__(self) -> None:
        self.route = _NOWHERE
        self.caller = ""
