"""What policies read of the context, and what actions they name, taken from Cedar's JSON form of them.

Only fields that some policy reads are put before Cedar and into the cache's key. A policy that uses `context` as a
whole (`context == {…}`, `if … then context else …`) reads every field.

A number that is only ever compared with numbers written in policies matters only by where it lies among those: every
age of proof between two thresholds gives the same answer, and every amount. So the key takes the place and not the
number, or no two questions a second apart would ever meet in the cache.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

__all__ = ["Reads", "foreign_actions", "named_actions", "read_fields"]

_CONTEXT: Final = {"Var": "context"}
_COMPARISONS: Final = frozenset({"<", "<=", ">", ">=", "==", "!="})
_WEIGHINGS: Final = frozenset({"lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"})
_DECIMAL: Final = re.compile(r"-?[0-9]{1,15}\.[0-9]{1,4}")


class Reads(msgspec.Struct, frozen=True, kw_only=True):
    """What of the context counts."""

    fields: frozenset[str] = frozenset()
    everything: bool = False
    """`context` is used whole somewhere."""
    thresholds: dict[str, tuple[int, ...]] = {}
    """Of each field that is only compared with whole numbers, those numbers in order."""
    decimals: dict[str, tuple[int, ...]] = {}
    """Of each field that is only compared with decimals, those in order, in ten-thousandths."""


class _Found:
    """What one walk gathers."""

    def __init__(self) -> None:
        self.fields: set[str] = set()
        self.everything = False
        self.compared: dict[str, set[int]] = {}
        self.weighed: dict[str, set[int]] = {}
        """Like `compared`, with decimals, in ten-thousandths."""
        self.used: set[str] = set()
        """Fields whose value itself counts somewhere."""


def read_fields(policies: Iterable[Mapping[str, Any]]) -> Reads:
    """Walk policies in Cedar's JSON form for everything they read of the context."""
    found = _Found()
    for policy in policies:
        for condition in policy.get("conditions", ()):
            _walk(condition.get("body"), found)
    whole = {name: numbers for name, numbers in found.compared.items() if name not in found.weighed}
    weighed = {name: numbers for name, numbers in found.weighed.items() if name not in found.compared}
    return Reads(
        fields=frozenset(found.fields),
        everything=found.everything,
        thresholds={name: tuple(sorted(numbers)) for name, numbers in whole.items() if name not in found.used},
        decimals={name: tuple(sorted(numbers)) for name, numbers in weighed.items() if name not in found.used},
    )


def _walk(root: object, found: _Found) -> None:
    """Visit every node; a stack, since a chain of a thousand operators is a thousand levels deep."""
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, dict) and not _compares(node, found) and not _touches(node, found):
            if node == _CONTEXT:
                found.everything = True
            stack.extend(node.values())


def _touches(node: dict[str, Any], found: _Found) -> bool:
    """Take in `context.field` and `context has field`; False for any other node."""
    for operator in (".", "has"):
        if (name := _field(node, operator)) is not None:
            found.fields.add(name)
            if operator == ".":
                found.used.add(name)
            return True
    return False


def _compares(node: dict[str, Any], found: _Found) -> bool:
    """Take in `context.field < 5` and its kin; False for any other node."""
    if len(node) != 1:
        return False
    operator, inner = next(iter(node.items()))
    if operator in _COMPARISONS and isinstance(inner, dict):
        sides = [inner.get("left"), inner.get("right")]
    elif operator in _WEIGHINGS and isinstance(inner, list):
        sides = inner
    else:
        return False
    for side, other in (sides, sides[::-1]):
        name, whole, weight = _field(side, "."), _whole(other), _decimal(other)
        if name is not None and (whole is not None or weight is not None):
            found.fields.add(name)
            if whole is not None:
                found.compared.setdefault(name, set()).add(whole)
            if weight is not None:
                found.weighed.setdefault(name, set()).add(weight)
            return True
    return False


def _field(node: object, operator: str) -> str | None:
    """Name the field when a node is `context.field` (or `context has field`)."""
    inner = node.get(operator) if isinstance(node, dict) and len(node) == 1 else None
    if not isinstance(inner, dict) or inner.keys() != {"left", "attr"} or inner["left"] != _CONTEXT:
        return None
    return str(inner["attr"])


def _whole(node: object) -> int | None:
    """Give the number when a node is one written in the policy, a sign included."""
    if not isinstance(node, dict) or len(node) != 1:
        return None
    if isinstance(negated := node.get("neg"), dict):
        number = _whole(negated.get("arg"))
        return None if number is None else -number
    value = node.get("Value")
    return value if type(value) is int else None


def _decimal(node: object) -> int | None:
    """Give the ten-thousandths when a node is a decimal written in the policy, and well written."""
    arguments = node.get("decimal") if isinstance(node, dict) and len(node) == 1 else None
    if not isinstance(arguments, list) or len(arguments) != 1 or not isinstance(arguments[0], dict):
        return None
    text = arguments[0].get("Value")
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        return None
    return int(Decimal(text).scaleb(4))


def named_actions(policies: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Give every action that policies name in their scope or conditions, in order; repeats included."""
    for policy in policies:
        yield from _action_ids(policy.get("action", {}))
        for condition in policy.get("conditions", ()):
            yield from _action_ids(condition)


def foreign_actions(policy: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Give type and id of actions in a policy's scope that no question can have, for they stand in a namespace."""
    scope = policy["action"]
    for entity in (scope["entity"],) if "entity" in scope else scope.get("entities", ()):
        if entity["type"] != "Action":
            yield entity["type"], entity["id"]


def _action_ids(root: object) -> Iterator[str]:
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if node.get("type") == "Action" and isinstance(node.get("id"), str):
                yield node["id"]
            stack.extend(reversed(list(node.values())))
        elif isinstance(node, list):
            stack.extend(reversed(node))
