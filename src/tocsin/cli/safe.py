"""Text that an attacker may have written, made harmless for a terminal and for a reader.

A log line can carry escape codes that repaint the screen, line breaks that forge another line,
and marks that reverse the direction of reading. They are shown as escapes instead of obeyed.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

__all__ = ["safe", "safe_json", "shorten"]

MAX_VALUE_CHARS: Final = 120
"""Longest value shown to a person; `-o json` gives it whole."""

_HIDDEN_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, format marks (bidirectional, zero-width), lone surrogates, line and paragraph separators."""
_PLAIN: Final = re.compile(r"[ -~]*")


def safe(text: str) -> str:
    r"""Show controls, escape codes, direction marks and line breaks as escapes.

    >>> safe("ada\x1b[2J")
    'ada\\x1b[2J'
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN_CATEGORIES else c for c in text)


def shorten(text: str, limit: int = MAX_VALUE_CHARS) -> str:
    """Cut the middle out of a long value, keeping both ends, which tell values apart."""
    if len(text) <= limit:
        return text
    tail = limit // 3
    return f"{text[: limit - tail - 1]}…{text[-tail:]}"


def safe_json(text: str) -> str:
    r"""Escape in JSON text what JSON itself lets through: C1 controls, direction marks, separators.

    Such characters stand only inside strings, where `\u` escapes mean the same.
    """
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(c if c in "\n\t\r" or not _hidden(c) else _json_escaped(c) for c in text)


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN_CATEGORIES


def _escaped(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    if named:
        return named
    code = ord(character)
    if code <= 0xFF:  # noqa: PLR2004 - what two hexadecimal digits hold
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004 - four digits


def _json_escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
