"""`entities.json`: who and what is known, in Cedar's JSON form, kept for Cedar and for look-ups."""

from __future__ import annotations

import json
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import cedarpy
import msgspec

from tocsin.trust.policy.text import Statement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["BadEntities", "Stored", "read_entities"]

MAX_ENTITIES: Final = 500_000
_SPACE: Final = " \t\n\r"


class BadEntities(ValueError):  # noqa: N818 - becomes one fault among others
    """The file does not load; `place` is `file:line`."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.place = place


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """Entities as Cedar holds them, and their attributes as it understood them."""

    handle: cedarpy.Entities
    attributes: dict[str, dict[str, dict[str, Any]]]
    """By Cedar type, then id, in file order: attributes in Cedar's JSON, extension values written out."""
    above: dict[str, frozenset[str]]
    """Of each stored or declared action, the groups it is in, at any height."""
    count: int


class _Element(NamedTuple):
    start: int
    end: int
    value: Any


def read_entities(source: tuple[str, str] | None, schema: cedarpy.Schema | None) -> Stored:
    """Read and check the file against the schema; without a file only the schema's actions are known."""
    file, text = source or ("", "[]")
    whole = Statement(file, 1, text, 1)
    elements = list(_elements(whole))
    try:
        handle = cedarpy.Entities.from_json_str(text, schema, release_gil=True)
    except ValueError as error:
        raise _culprit(whole, elements, schema, str(error)) from error
    held: list[dict[str, Any]] = msgspec.json.decode(str(handle))
    return Stored(handle=handle, attributes=_attributes(held, elements), above=_above(held), count=len(elements))


def _above(held: list[dict[str, Any]]) -> dict[str, frozenset[str]]:
    """Follow actions upwards, without trusting that what Cedar writes names more than parents."""
    parents = {_uid(entity)[1]: _ids(entity["parents"]) for entity in held if _uid(entity)[0] == "Action"}
    above = {}
    for action, first in parents.items():
        found, left = set(first), list(first)
        while left:
            more = parents.get(left.pop(), set()) - found
            found |= more
            left.extend(more)
        above[action] = frozenset(found)
    return above


def _ids(uids: list[dict[str, Any]]) -> set[str]:
    return {uid["id"] for uid in (uid.get("__entity", uid) for uid in uids) if uid["type"] == "Action"}


def _attributes(held: list[dict[str, Any]], elements: list[_Element]) -> dict[str, dict[str, dict[str, Any]]]:
    """Order what Cedar holds as the file does; what only the schema says (its actions) follows."""
    known: dict[tuple[str, str], dict[str, Any]] = {_uid(entity): entity["attrs"] for entity in held}
    order = dict.fromkeys([*(_uid(element.value) for element in elements), *known])
    attributes: dict[str, dict[str, dict[str, Any]]] = {}
    for kind, name in order:
        attributes.setdefault(kind, {})[name] = known.get((kind, name), {})
    return attributes


def _uid(entity: Mapping[str, Any]) -> tuple[str, str]:
    uid = entity["uid"]
    uid = uid.get("__entity", uid)
    return uid["type"], uid["id"]


def _elements(whole: Statement) -> Iterator[_Element]:
    """Decode the list element by element, knowing where each stands; a key said twice is an error."""
    text, decoder = whole.text, json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse)
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise BadEntities(whole.place_of(at), "entities are a JSON list")
    at = _skip(text, at + 1)
    count = 0
    while text[at : at + 1] != "]":
        element = _element(whole, decoder, at)
        yield element
        count += 1
        at = _skip(text, element.end)
        if text[at : at + 1] == ",":
            at = _skip(text, at + 1)
        elif text[at : at + 1] != "]":
            raise BadEntities(whole.place_of(at), "the list of entities does not end, or lacks a comma")
        if count > MAX_ENTITIES:
            raise BadEntities(whole.file, f"more than {MAX_ENTITIES} entities")
    if _skip(text, at + 1) != len(text):
        raise BadEntities(whole.place_of(at + 1), "something follows the list of entities")


def _element(whole: Statement, decoder: json.JSONDecoder, at: int) -> _Element:
    try:
        value, end = decoder.raw_decode(whole.text, at)
    except json.JSONDecodeError as error:
        raise BadEntities(whole.place_of(error.pos), f"not JSON: {error.msg.lower()}") from error
    except (ValueError, RecursionError) as error:
        raise BadEntities(whole.place_of(at), str(error)) from error
    if not isinstance(value, dict) or not isinstance(value.get("uid"), dict):
        raise BadEntities(whole.place_of(at), "an entity is an object with `uid`, `attrs` and `parents`")
    return _Element(at, end, value)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return record


def _refuse(name: str) -> None:
    raise ValueError(f"`{name}` is not JSON")


def _culprit(whole: Statement, elements: list[_Element], schema: cedarpy.Schema | None, message: str) -> BadEntities:
    """Find the first entity with which Cedar no longer takes the list."""

    def fails(count: int) -> bool:
        return _message([element.value for element in elements[:count]], schema) != ""

    count = bisect_left(range(len(elements)), 1, lo=1, key=lambda n: int(fails(n)))
    culprit = elements[min(count, len(elements)) - 1]
    kind, name = _named(culprit.value)
    said = _message([culprit.value], schema) or _message([e.value for e in elements[:count]], schema) or message
    return BadEntities(whole.place_of(culprit.start), f'entity `{kind}::"{name}"`: {said}')


def _message(entities: list[Any], schema: cedarpy.Schema | None) -> str:
    try:
        cedarpy.Entities.from_json_str(json.dumps(entities), schema)
    except ValueError as error:
        return str(error)
    return ""


def _named(entity: Mapping[str, Any]) -> tuple[str, str]:
    try:
        return _uid(entity)
    except (KeyError, TypeError, AttributeError):
        return "?", "?"
