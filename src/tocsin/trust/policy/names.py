"""AuthZEN's type names as Cedar's: a type of the same name where Cedar can say it, else a reversible escape.

Cedar takes `user`, `todo` and `App::User`. It does not take `us-er`, `été`, `in` or `__cedar`, and a type that it does
not take leaves it without any decision. In such a name every character that Cedar does not know is written `_xHH_`,
its code point in hexadecimal: `us-er` is `us_x2d_er`, and so it stands in policies and in `entities.json`.

INVARIANT: `plain_type(cedar_type(name)) == name` for every name, so no two types ever meet.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from tocsin.errors import BadValue

__all__ = ["MAX_ID_CHARS", "MAX_TYPE_CHARS", "cedar_type", "checked_id", "plain_type"]

MAX_TYPE_CHARS: Final = 256
MAX_ID_CHARS: Final = 4096

_RESERVED: Final = frozenset({"true", "false", "if", "then", "else", "in", "is", "like", "has", "__cedar"})
_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPE: Final = re.compile(r"_x([0-9a-f]{1,6})_")
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9_]|_(?=x)")
"""What is escaped in a name that needs it; `_` before `x`, so that nothing of the name itself reads as an escape."""


@lru_cache(maxsize=4096)
def cedar_type(name: str) -> str:
    """Give the Cedar type of an AuthZEN type; raises BadValue for an empty or overlong one.

    >>> cedar_type("App::User"), cedar_type("us-er"), cedar_type("in")
    ('App::User', 'us_x2d_er', '_x69_n')
    """
    if not name or len(name) > MAX_TYPE_CHARS or not _encodable(name):
        raise BadValue(f"`{name[:80]!r}` cannot be a type", hint=f"a type is 1 to {MAX_TYPE_CHARS} characters")
    parts = name.split("::")
    if all(parts) and all(map(_is_plain, parts)) and not _ESCAPE.search(name):
        return name
    return "::".join(map(_escaped, parts if all(parts) else [name]))


def plain_type(cedar: str) -> str:
    """Give back the AuthZEN type; the inverse of `cedar_type`.

    >>> plain_type("us_x2d_er")
    'us-er'
    """
    return _ESCAPE.sub(_character, cedar)


def checked_id(text: str, what: str) -> str:
    """Take an id or an action's name of any characters, up to a length; raises BadValue."""
    if len(text) > MAX_ID_CHARS or not _encodable(text):
        raise BadValue(f"{what} is too long or not Unicode", hint=f"at most {MAX_ID_CHARS} characters")
    return text


def _is_plain(part: str) -> bool:
    return _IDENTIFIER.fullmatch(part) is not None and part not in _RESERVED


def _escaped(part: str) -> str:
    text = _FOREIGN.sub(lambda match: _escape(match[0]), part)
    return text if _is_plain(text) else _escape(text[0]) + text[1:]


def _escape(character: str) -> str:
    return f"_x{ord(character):x}_"


def _character(match: re.Match[str]) -> str:
    code = int(match[1], 16)
    return chr(code) if code <= 0x10FFFF else match[0]  # noqa: PLR2004 - the last code point of Unicode


def _encodable(text: str) -> bool:
    """Say whether UTF-8 can write it, which a lone surrogate it cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
