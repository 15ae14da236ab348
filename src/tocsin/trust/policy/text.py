"""Cedar text cut into statements, so that what is wrong with one is told with its file and line.

Cedar's own errors name no place. A parser that has read only the beginning of something right says that the text ends
too early; the first token after which it says something else is the wrong one, and that token's line is the place.

The limits here are a guard too: Cedar's parser ends the whole process on text that is nested some hundreds deep.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["MAX_BRACKETS", "MAX_OPERATORS", "Statement", "Token", "blame", "statements", "strain", "tokens"]

MAX_BRACKETS: Final = 64
"""Brackets open at once."""
MAX_OPERATORS: Final = 1000
"""Operators in one statement, each of which may nest what follows it."""

_TOKEN: Final = re.compile(
    r"(?P<blank>\s+|//[^\n\r]*)"
    r'|(?P<string>"(?:\\.|[^"\\])*")'
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[0-9]+)"
    r"|(?P<mark>::|&&|\|\||[=!<>]=|.)",
    re.DOTALL,
)
_OPERATORS: Final = frozenset(
    {".", "&&", "||", "!", "+", "-", "*", "if", "has", "like", "is", "in", "==", "!=", "<", ">", "<=", ">="}
)
_ENDED: Final = "unexpected end of input"


class Token(NamedTuple):
    """One word, text, number or mark, and where it stands."""

    kind: str
    text: str
    start: int
    end: int


class Statement(NamedTuple):
    """One policy as written, with the file and the line on which its first token stands."""

    file: str
    line: int
    text: str
    first_line: int
    """Line on which `text` begins, blanks and comments included."""

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"

    def place_of(self, offset: int) -> str:
        """`file:line` of a position within the text."""
        return f"{self.file}:{self.first_line + self.text.count(chr(10), 0, offset)}"


def tokens(text: str) -> Iterator[Token]:
    """Cut text into tokens; blanks and comments are left out."""
    for match in _TOKEN.finditer(text):
        if match.lastgroup is not None and match.lastgroup != "blank":
            yield Token(match.lastgroup, match[0], match.start(), match.end())


def statements(file: str, text: str) -> Iterator[Statement]:
    """Cut a file into its policies, each up to and with its `;`; what follows the last one comes too."""
    begun, line, first = 0, 1, None
    for token in tokens(text):
        first = token.start if first is None else first
        if token.text == ";":
            yield _statement(file, text[begun : token.end], line, first - begun)
            line += text.count("\n", begun, token.end)
            begun, first = token.end, None
    if first is not None:
        yield _statement(file, text[begun:], line, first - begun)


def _statement(file: str, text: str, line: int, first: int) -> Statement:
    return Statement(file, line + text.count("\n", 0, first), text, line)


def strain(text: str) -> str:
    """Say what in a text is too much for Cedar's parser; empty when nothing is."""
    depth = operators = 0
    for token in tokens(text):
        depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
        operators = 0 if token.text == ";" else operators + (token.text in _OPERATORS)
        if depth > MAX_BRACKETS:
            return f"more than {MAX_BRACKETS} brackets are open at once"
        if operators > MAX_OPERATORS:
            return f"more than {MAX_OPERATORS} operators in one statement"
    return ""


def blame(text: str, message: str, parse: Callable[[str], str]) -> int:
    """Find the offset of what is wrong in a text that does not parse; `parse` gives an error's message, or nothing.

    Where grammar is broken it is the first token that no continuation can put right (parsers of Cedar's kind never
    take such a token in); where only meaning is, the token the message quotes; else the first token.
    """
    every = list(tokens(text))
    if not every:
        return 0
    if message.endswith(_ENDED):
        return every[-1].start
    wrong = bisect_left(every, 1, key=lambda token: _broken(parse(text[: token.end])))
    whole = wrong >= len(every) - 1 and "token" not in message
    return _quoted(every, message) if whole else every[min(wrong, len(every) - 1)].start


def _broken(message: str) -> int:
    return int(bool(message) and not message.endswith(_ENDED))


def _quoted(every: Sequence[Token], message: str) -> int:
    quoted = {part for part in re.split(r"[`\s]", message) if part}
    return next((t.start for t in every if t.kind == "word" and t.text in quoted), every[0].start)
