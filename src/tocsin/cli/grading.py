"""How a drill's grade looks to a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.cli.output import Printer

__all__ = ["Graded", "graded"]


class Graded(Protocol):
    """What a grade offers: its rows, the first being the header."""

    def rows(self) -> Sequence[Sequence[str]]:
        """Give the grade as rows of text."""


def graded(printer: Printer, result: Graded) -> None:
    """Draw a grade as one table."""
    header, *rows = [[str(cell) for cell in row] for row in result.rows()]
    printer.table(header, rows)
