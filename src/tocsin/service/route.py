"""Which handler answers which path, and who may ask."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from tocsin.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tocsin.service.request import Handler

__all__ = ["ANY_METHOD", "JSON", "PUBLIC", "Route", "Router"]

PUBLIC: Final[frozenset[str]] = frozenset()
"""Roles of a route that anybody may call; such a route never sees a caller."""
ANY_METHOD: Final = frozenset({"*"})
JSON: Final = frozenset({b"application/json"})


class Route(NamedTuple):
    """One path and its handler."""

    methods: frozenset[str]
    """`ANY_METHOD` takes whatever comes; `GET` takes `HEAD` too."""
    path: str
    handler: Handler
    roles: frozenset[str]
    """Roles of which the caller must have one; `PUBLIC` asks for no caller."""
    prefix: bool = False
    """Whether `path` only begins the paths answered; an exact route wins over a prefix, a longer over a shorter."""
    body_limit: int | None = None
    """Bytes a body may have; None takes `serve.body_bytes`."""
    media: frozenset[bytes] = frozenset()
    """Content types taken; empty takes any. A body without a type counts as the right one."""
    key_header_only: bool = False
    """Whether `Authorization` is somebody else's here, so that the caller must use `X-Tocsin-Key`."""
    gate: Callable[[], None] | None = None
    """Called before the body is read; raises `Problem` to turn the request away."""
    name: str = ""
    """What metrics and the log call it; empty takes `path`."""

    @property
    def label(self) -> str:
        """Name for metrics: never what a client sent."""
        return self.name or self.path


class Router:
    """Finds the route of a request; two routes for one method and path are a mistake."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._exact: dict[str, dict[str, Route]] = {}
        prefixes: dict[str, dict[str, Route]] = {}
        for route in routes:
            table = (prefixes if route.prefix else self._exact).setdefault(route.path, {})
            for method in route.methods | ({"HEAD"} if "GET" in route.methods else set()):
                if table.setdefault(method, route) is not route:
                    raise ValueError(f"two routes for {method} {route.path}")
        self._prefixes = sorted(prefixes.items(), key=lambda item: -len(item[0]))

    def find(self, method: str, path: str) -> Route:
        """Route for a method and path; raises `Problem` 404 or 405."""
        table = self._exact.get(path)
        if table is None:
            table = next((found for start, found in self._prefixes if path.startswith(start)), None)
            if table is None:
                raise Problem(404, "no-such-path", "there is nothing at this path")
        route = table.get(method) or table.get("*")
        if route is None:
            allow = ", ".join(sorted(table)).encode()
            raise Problem(405, "wrong-method", "this path is not called with this method", headers=((b"allow", allow),))
        return route
