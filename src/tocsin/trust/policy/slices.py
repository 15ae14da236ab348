"""The policies that can apply to a question by its scope: Cedar looks at every policy it is given, which takes a while.

INVARIANT: a policy left out names, in its scope, other actions or another type of principal or resource, so it neither
holds nor errs; the answer is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cedarpy
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Handles", "Slices"]

MAX_SLICES: Final = 1024
_PARTIES: Final = ("principal", "resource")
WORTH: Final = 0.75
"""A slice with more than this part of all policies is not worth a handle of its own."""

Bodies = dict[str, dict[str, Any]]


class Handles(NamedTuple):
    """Policies as Cedar holds them: all, and the permits alone."""

    policies: cedarpy.PolicySet
    permits: cedarpy.PolicySet


class Slices:
    """All policies, and those for each action and types of parties, made when they are first asked for."""

    def __init__(self, bodies: Bodies, above: Mapping[str, frozenset[str]]) -> None:
        self._bodies = bodies
        self._above = above
        """Every action's groups, at any height."""
        self.whole = _handles(bodies)
        """What every slice is a part of."""
        self._free = [name for name, body in bodies.items() if body["action"]["op"] == "All"]
        self._named: dict[str, list[str]] = {}
        for name, body in bodies.items():
            for action in dict.fromkeys(_actions(body["action"])):
                self._named.setdefault(action, []).append(name)
        self._types = tuple({name: _type(body[part]) for name, body in bodies.items()} for part in _PARTIES)
        """Of every policy, the type that its scope insists on; None where it insists on none."""
        self._told = tuple(frozenset(types.values()) for types in self._types)
        self._made: dict[tuple[str, ...], Handles] = {}
        self._shared: dict[frozenset[str], Handles] = {}
        self._make(("", "", ""))  # what any action and types nobody named get

    def of(self, action: str, *types: str) -> Handles:
        """Give the policies that can apply to an action, a principal and a resource of these Cedar types."""
        known = action if action in self._named or action in self._above else ""
        kinds = (kind if kind in told else "" for kind, told in zip(types, self._told, strict=True))
        scope = (known, *kinds)
        return self._made.get(scope) or self._make(scope)

    def _make(self, scope: tuple[str, ...]) -> Handles:
        action, *kinds = scope
        names = set(self._free)
        for name in {action, *self._above.get(action, ())}:
            names.update(self._named.get(name, ()))
        for kind, types in zip(kinds, self._types, strict=True):
            names = {name for name in names if types[name] in {None, kind}}
        if len(names) > WORTH * len(self._bodies) or len(self._made) >= MAX_SLICES:
            return self._keep(scope, self.whole)
        key = frozenset(names)
        if key not in self._shared:
            self._shared[key] = _handles({name: body for name, body in self._bodies.items() if name in names})
        return self._keep(scope, self._shared[key])

    def _keep(self, scope: tuple[str, ...], handles: Handles) -> Handles:
        if len(self._made) < MAX_SLICES:
            self._made[scope] = handles
        return handles


def _type(scope: Mapping[str, Any]) -> str | None:
    """Name the only type of a party that a scope can hold for, as `is` and `==` do; `in` says nothing of it."""
    if scope["op"] == "is":
        return str(scope["entity_type"])
    return str(scope["entity"]["type"]) if scope["op"] == "==" and "entity" in scope else None


def _actions(scope: Mapping[str, Any]) -> Iterator[str]:
    """Name the actions of a scope that a question can have: those without a namespace."""
    for entity in (scope["entity"],) if "entity" in scope else scope.get("entities", ()):
        if entity["type"] == "Action":
            yield entity["id"]


def _handles(bodies: Bodies) -> Handles:
    permits = {name: body for name, body in bodies.items() if body["effect"] == "permit"}
    return Handles(_handle(bodies), _handle(permits))


def _handle(bodies: Bodies) -> cedarpy.PolicySet:
    whole = {"templates": {}, "staticPolicies": bodies, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(msgspec.json.encode(whole).decode())
