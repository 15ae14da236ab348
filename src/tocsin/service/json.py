"""JSON bodies with one meaning: no name twice, no NaN, UTF-8 only, no deeper than a request needs.

Two readers that disagree about a document are how a check is walked around, so whatever could be read in two ways is
refused (RFC 8259, section 4; AuthZEN Authorization API 1.0, section 11.5).
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeVar

import msgspec

from tocsin.service.problems import Problem

__all__ = ["MAX_DEPTH", "convert", "decode", "decode_any"]

MAX_DEPTH: Final = 64
"""Levels of objects and lists in a body."""

_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_Read = TypeVar("_Read")


def decode(body: bytes, kind: type[_Read]) -> _Read:
    """Read a body as `kind`; raises `Problem` 400 that names the member and quotes nothing of the body."""
    return convert(decode_any(body), kind)


def convert(value: object, kind: type[_Read]) -> _Read:
    """Take plain values as `kind`; raises `Problem` 400 in the same words."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise Problem(400, "invalid-request", _plain(str(error))) from None


def decode_any(body: bytes) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Read a body as plain values; raises `Problem` 400."""
    try:
        value = msgspec.json.decode(body)
        # A body written as this encoder writes it, as most clients' are, names no member twice.
        twice = msgspec.json.encode(value) != body and _names_a_member_twice(body, value)
        deep = body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH
    except RecursionError:
        raise Problem(400, "malformed-json", "the body is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise Problem(400, "malformed-json", _plain(str(error))) from None
    except ValueError:  # an encoding's error would quote the body, so it does not get to speak
        raise Problem(400, "malformed-json", "a string is not UTF-8") from None
    if deep:
        raise Problem(400, "malformed-json", "the body is nested too deeply")
    if twice:
        raise Problem(400, "malformed-json", "an object names a member twice")
    return value


def _names_a_member_twice(body: bytes, value: object) -> bool:
    """Compare the colons between strings, one for each member sent, with the members that are left."""
    return _STRING.sub(b"", body).count(b":") != _members(value)


def _members(value: object) -> int:
    count, level = 0, [value]
    while level:
        node = level.pop()
        if isinstance(node, dict):
            count += len(node)
            level.extend(node.values())
        elif isinstance(node, list):
            level.extend(node)
    return count


def _depth(value: object) -> int:
    depth, level = 0, [value]
    while level := [node for node in level if isinstance(node, dict | list)]:
        depth += 1
        level = [child for node in level for child in (node.values() if isinstance(node, dict) else node)]
    return depth


def _plain(message: str) -> str:
    """Say where it is wrong without the value that stood there."""
    what, at, place = message.partition(" - at ")
    if "'" in what or "enum" in what:
        what = "not one of the values that may stand here"
    return f"{what[:1].lower()}{what[1:]}{at}{place}"
