"""How a drill's grade looks: a table of stories, then what holds for the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from tocsin.cli.output import Printer
    from tocsin.drill import Grade

__all__ = ["draw_grade", "plain_grade"]


def draw_grade(printer: Printer, grade: Grade) -> None:
    """Draw a grade for a person."""
    header, *rows = grade.rows()
    printer.table([name.upper() for name in header], rows)
    printer.line()
    pairs = grade.summary()
    width = max(len(what) for what, _ in pairs)
    for what, how_much in pairs:
        printer.line(f"{what.ljust(width)}  {how_much}")


def plain_grade(grade: Grade) -> dict[str, Any]:
    """Give a grade as plain values, with what is derived."""
    plain: dict[str, Any] = msgspec.json.decode(grade.to_json())
    return plain
