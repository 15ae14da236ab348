"""TOML read with positions, so that a wrong key is named with its line."""

from __future__ import annotations

import difflib
import re
import tomllib
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from tocsin.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Document", "nearest", "read_toml"]

KeyPath = tuple[str, ...]
_HEADER: Final = re.compile(r"^\s*\[\[?(?P<key>.+?)\]\]?\s*(#.*)?$")
_KEY: Final = re.compile(r"""^\s*(?P<key>(?:[A-Za-z0-9_.\- ]|"[^"]*"|'[^']*')+?)\s*=""")
_HINT_KEY_CHARS: Final = 120


class Document:
    """A parsed TOML file, and the line on which each key stands (multi-line strings are not looked into)."""

    def __init__(self, path: Path, data: dict[str, Any], text: str) -> None:
        self.path, self.data, self._text = path, data, text

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        """Found when first asked for, which in a large file is only when something is wrong."""
        return _positions(self._text)

    def at(self, *key: str) -> str:
        """`file:line` of a key, or of the nearest table that holds it."""
        for end in range(len(key), 0, -1):
            line = self._lines.get(key[:end])
            if line is not None:
                return f"{self.path}:{line}"
        return str(self.path)


def read_toml(path: Path, *, max_bytes: int) -> Document:
    """Read a TOML file of at most `max_bytes`; raises ConfigError naming line and column."""
    try:
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except OSError as error:
        raise ConfigError(
            f"cannot read `{path}`: {error.strerror or error}", hint="check the path and its permissions"
        ) from error
    if len(raw) > max_bytes:
        raise ConfigError(f"`{path}` is larger than {max_bytes} bytes", hint="split it, or check that it is the file")
    try:
        text = raw.decode("utf-8-sig")
        data = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"`{path}` is not UTF-8 at byte {error.start}", hint="save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError(f"`{path}` is not TOML: {error}", hint="see toml.io for the syntax") from error
    return Document(path, data, text)


def nearest(name: str, known: list[str]) -> str:
    """Say which known name an unknown one is nearest to, or list them."""
    close = difflib.get_close_matches(name[:_HINT_KEY_CHARS], known, n=1, cutoff=0.5)
    return f"did you mean `{close[0]}`?" if close else "known: " + ", ".join(f"`{k}`" for k in known)


def _positions(text: str) -> dict[KeyPath, int]:
    table: KeyPath = ()
    lines: dict[KeyPath, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            table = _split(header["key"]) or table
            for end in range(1, len(table) + 1):
                lines.setdefault(table[:end], number)
        elif key := _KEY.match(line):
            lines.setdefault(table + _split(key["key"]), number)
    return lines


def _split(key: str) -> KeyPath:
    """Split a dotted, perhaps quoted key as TOML does, by letting TOML do it."""
    try:
        node: Any = tomllib.loads(f"{key} = 0")
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()
    parts: list[str] = []
    while isinstance(node, dict):
        ((part, node),) = node.items()
        parts.append(part)
    return tuple(parts)
