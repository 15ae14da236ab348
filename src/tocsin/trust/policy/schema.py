"""`schema.cedarschema`: Cedar's schema language, with the types of what Tocsin tells offered to it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import cedarpy
import msgspec

from tocsin.trust.policy.facts import written_schema
from tocsin.trust.policy.reading import named_actions
from tocsin.trust.policy.text import Statement, blame, strain, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["BadSchema", "read_schema", "schema_actions"]

_PREFIX: Final = "error parsing schema: "
_ACTION: Final = re.compile(r'^action ("(?:\\.|[^"\\])*")', re.MULTILINE)


class BadSchema(ValueError):  # noqa: N818 - becomes one fault among others
    """The schema does not load; `place` is `file:line`."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.place = place


def read_schema(source: tuple[str, str]) -> cedarpy.Schema:
    """Parse a schema; types of ours that it does not define may be used in it. Raises BadSchema."""
    file, text = source
    whole = Statement(file, 1, text, 1)
    if too_much := strain(text):
        raise BadSchema(file, too_much)
    ours = written_schema(frozenset(_defined(text)))
    try:
        return cedarpy.Schema.from_str(f"{text}\n{ours}")
    except ValueError as error:
        alone = _message(text)
        grammar = alone.startswith(_PREFIX)
        message = alone if grammar else str(error)
        at = blame(text, message, _message if grammar else lambda _: "")
        raise BadSchema(whole.place_of(at), message.removeprefix(_PREFIX)) from error


def schema_actions(schema: cedarpy.Schema) -> list[str]:
    """Name the actions that a schema declares outside of namespaces, in its order."""
    quoted: Sequence[str] = _ACTION.findall(str(schema))
    if not quoted:
        return []
    named = ", ".join(f"Action::{name}" for name in quoted)
    policy = msgspec.json.decode(cedarpy.policies_to_json_str(f"permit(principal, action in [{named}], resource);"))
    return list(named_actions(policy["staticPolicies"].values()))


def _defined(text: str) -> Iterator[str]:
    """Name the common types that a schema defines, in whatever namespace."""
    before = ""
    for token in tokens(text):
        if before == "type" and token.kind == "word":
            yield token.text
        before = token.text


def _message(text: str) -> str:
    try:
        cedarpy.Schema.from_str(text)
    except ValueError as error:
        return str(error)
    return ""
