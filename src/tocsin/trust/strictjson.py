"""JSON as a stranger may send it: one reading only, no deeper than needed.

Two readers that disagree about a document are how a check is walked around: so no name twice, no NaN, no half
surrogate, UTF-8 only.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

__all__ = ["MAX_DEPTH", "read_object"]

MAX_DEPTH: Final = 12
"""Levels of lists and objects; claims that issuers nest go four or five deep."""


def read_object(raw: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Read one JSON object; raises `ValueError` for whatever is not exactly that."""
    try:
        text = raw.decode("utf-8")
        value = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the caller refuses a document, whatever is wrong with it
    _check_depth(value, max_depth)
    if "\\u" in text:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a name stands twice")
    return made


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is not JSON")


def _check_depth(value: dict[str, Any], max_depth: int) -> None:
    level: list[Any] = [value]
    for _ in range(max_depth):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise ValueError("nested too deeply")


def _children(node: Any) -> list[Any]:  # noqa: ANN401 - whatever JSON holds
    held = node.values() if isinstance(node, dict) else node
    return [child for child in held if isinstance(child, dict | list)]
