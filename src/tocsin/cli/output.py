"""What commands print: data on standard output as text, JSON or JSON lines; messages on standard error.

INVARIANT: every line meant for a person passes `safe`, and Rich's markup is off, so nothing that a
log said can move the cursor, forge a line or change a colour.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from tocsin.cli.safe import safe, safe_json

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Output", "Printer", "ReaderGone", "fail", "say"]

T = TypeVar("T")


class Output(StrEnum):
    """How data is written."""

    human = "human"
    json = "json"
    jsonl = "jsonl"


class ReaderGone(Exception):  # noqa: N818 - an end, not a failure
    """The reader of our output (`head`) has left; not an OSError, which Typer would answer with exit code 1."""


class _Stdout(Console):
    """Rich's console, leaving a reader that went away (`head`) to the one place that handles it."""

    def on_broken_pipe(self) -> None:
        """Let the error through; Rich would end the process with an exit code of its own."""
        raise ReaderGone


class Printer:
    """Writes one command's data to standard output."""

    def __init__(self, output: Output, *, as_json: bool = False) -> None:
        self.output = Output.json if as_json else output
        self._console = _Stdout(soft_wrap=True, markup=False, highlight=False, emoji=False)

    @property
    def human(self) -> bool:
        """Whether a person reads."""
        return self.output is Output.human

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line for a person, made safe."""
        self._console.print(Text(safe(text), style=style))

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print aligned columns; nothing is wrapped or cut, so that a pipe loses nothing."""
        made_safe = [[safe(cell) for cell in row] for row in rows]
        widths = [max(cell_len(cell) for cell in column) for column in zip(header, *made_safe, strict=True)]
        for number, row in enumerate([list(header), *made_safe]):
            cells = (set_cell_size(cell, width) for cell, width in zip(row, widths, strict=True))
            self.line("  ".join(cells).rstrip(), "bold" if number == 0 else "")

    def one(self, item: T, human: Callable[[Printer, T], None], *, data: object = None) -> None:
        """Print one record: `human` draws it, or it (or `data`) is written as one JSON object."""
        if self.human:
            human(self, item)
        else:
            self._json(item if data is None else data, pretty=self.output is Output.json)

    def many(self, items: Sequence[T], human: Callable[[Printer, Sequence[T]], None]) -> None:
        """Print records: drawn by `human`, as one JSON array, or as a JSON object a line."""
        if self.human:
            human(self, items)
        elif self.output is Output.json:
            self._json(list(items), pretty=True)
        else:
            for item in items:
                self._json(item, pretty=False)

    @staticmethod
    def _json(item: Any, *, pretty: bool) -> None:  # noqa: ANN401 - whatever can be written as JSON
        encoded = msgspec.json.encode(item)
        text = (msgspec.json.format(encoded, indent=2) if pretty else encoded).decode()
        try:
            sys.stdout.write(safe_json(text) + "\n")
            sys.stdout.flush()
        except BrokenPipeError as error:
            raise ReaderGone from error


def say(text: str) -> None:
    """Tell the person something on standard error."""
    sys.stderr.write(safe(text) + "\n")


def fail(message: str, hint: str = "") -> None:
    """Tell what went wrong and what may help."""
    say(f"error: {message}")
    if hint:
        say(f"hint: {hint}")
