"""The policies that can apply to one action: Cedar looks at every policy it is given, at about a microsecond each.

INVARIANT: a policy left out names other actions in its scope, so it neither holds nor errs; the answer is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cedarpy
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Handles", "Slices"]

MAX_SLICES: Final = 256
WORTH: Final = 0.75
"""A slice with more than this part of all policies is not worth a handle of its own."""

Bodies = dict[str, dict[str, Any]]


class Handles(NamedTuple):
    """Policies as Cedar holds them: all, and the permits alone."""

    policies: cedarpy.PolicySet
    permits: cedarpy.PolicySet


class Slices:
    """All policies, and those for each action, made when they are first asked for."""

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
        self._made: dict[str, Handles] = {}
        self._shared: dict[frozenset[str], Handles] = {}

    def of(self, action: str) -> Handles:
        """Give the policies that can apply to an action."""
        known = action if action in self._named or action in self._above else ""
        return self._made.get(known) or self._make(known)

    def _make(self, action: str) -> Handles:
        names = set(self._free)
        for name in {action, *self._above.get(action, ())}:
            names.update(self._named.get(name, ()))
        if len(names) > WORTH * len(self._bodies) or len(self._made) >= MAX_SLICES:
            return self._keep(action, self.whole)
        key = frozenset(names)
        if key not in self._shared:
            self._shared[key] = _handles({name: body for name, body in self._bodies.items() if name in names})
        return self._keep(action, self._shared[key])

    def _keep(self, action: str, handles: Handles) -> Handles:
        if len(self._made) < MAX_SLICES:
            self._made[action] = handles
        return handles


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
