"""What Tocsin tells policies: the fields of the context that are ours, their types, and the schema of them.

A caller's own `context` adds fields beside these and can never take the name of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tocsin.trust.policy.values import ip_value, to_cedar, to_decimal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["FACTS", "PARTIES", "fact_to_cedar", "with_request", "written_schema"]

FACTS: Final[Mapping[str, str]] = {
    "risk": "String",
    "causes": "Set<String>",
    "restriction": "String",
    "assurance": "Long",
    "method": "String",
    "acr": "String?",
    "scopes": "Set<String>",
    "claims": "TocsinClaims",
    "proof_age_s": "Long",
    "evidence": "Long",
    "sensitive": "Bool",
    "privileged": "Bool",
    "amount": "decimal?",
    "currency": "String?",
    "bytes": "Long?",
    "count": "Long?",
    "kind": "String",
    "time": "datetime",
    "hour": "Long",
    "weekday": "Long",
    "address": "ipaddr?",
    "network": "String?",
    "country": "String?",
    "device": "String?",
    "caller": "String",
    "subject": "TocsinSubject",
    "resource": "TocsinResource",
    "action": "TocsinAction",
}
"""Field to Cedar type; one with `?` is absent where nothing is known, so that policies ask `context has` first."""

PARTIES: Final = ("subject", "resource", "action")
"""Fields made from the question's parties: attributes stored here, overlaid by the properties sent."""

_OPEN_TYPES: Final = ("TocsinSubject", "TocsinResource", "TocsinAction", "TocsinClaims")
"""Records whose members are the platform's own; empty unless its schema says what is in them."""


def fact_to_cedar(name: str, value: Any) -> Any:  # noqa: ANN401 - whatever a fact or a caller's context holds
    """Turn one field of the context into Cedar's JSON; None where it is to be left out. Raises BadValue."""
    if value is None:
        return None
    if name == "amount" and type(value) in {int, float}:
        return to_decimal(value)
    if name == "address" and isinstance(value, str):
        return ip_value(value)
    return to_cedar(value)


def with_request(facts: Mapping[str, Any], context: Mapping[str, Any]) -> dict[str, Any]:
    """Put a caller's own context beside the facts; a field with a fact's name is not taken."""
    return {name: value for name, value in context.items() if name not in FACTS} | dict(facts)


def written_schema(defined: frozenset[str]) -> str:
    """Write the common types that a schema may use, in Cedar's language, without those it defines itself."""
    lines = [f"type {name} = {{}};" for name in _OPEN_TYPES if name not in defined]
    if "TocsinContext" not in defined:
        fields = ",\n".join(f"  {name}{'?' * kind.endswith('?')}: {kind.rstrip('?')}" for name, kind in FACTS.items())
        lines.append(f"type TocsinContext = {{\n{fields}\n}};")
    return "\n".join(lines)
