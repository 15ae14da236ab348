"""Small bridges between Python rows, CSV text and Arrow tables that several sources share."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tocsin.event import EVENT_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.sources.intake import Intake
    from tocsin.sources.lines import Block

__all__ = ["LINE", "csv_header", "from_rows", "read_csv", "whole_columns"]

LINE: Final = "source_line"
_MAX_HEADER: Final = 1 << 16
_TEXT: Final = pa.string()


def from_rows(names: Sequence[str], rows: list[tuple[Any, ...]], lines: Sequence[int]) -> pa.Table:
    """Build a partial event table from tuples in the order of `names`."""
    columns = zip(*rows, strict=True) if rows else [()] * len(names)
    arrays = [pa.array(c, EVENT_SCHEMA.field(n).type) for n, c in zip(names, columns, strict=True)]
    return pa.table([*arrays, pa.array(lines, pa.int64())], names=[*names, LINE])


def whole_columns(table: pa.Table) -> dict[str, pa.Array]:
    """Return each column as one array, copied only when it lies in pieces."""
    return {
        name: column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def read_csv(  # noqa: PLR0913 - two of them by name
    block: Block, columns: Sequence[str], keep: Sequence[str], intake: Intake, *, delimiter: str = ",", offset: int = 0
) -> pa.Table:
    """Read one block of records as text columns `keep` plus `source_line`.

    `offset` is how many header records come before line 1. Records with another number of fields than
    `columns` are set aside; empty ones are passed over.
    """
    wrong: list[int] = []
    first = block.first - offset

    def on_wrong(row: pyarrow.csv.InvalidRow) -> str:
        wrong.append(row.number - 1)
        if row.text.strip():
            reason = f"{row.actual_columns} fields where the header promises {row.expected_columns}"
            intake.put_aside(first + row.number - 1, reason, excerpt=row.text)
        return "skip"

    table = pyarrow.csv.read_csv(
        io.BytesIO(block.data),
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False, column_names=list(columns), block_size=len(block.data) + 1
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=delimiter,
            newlines_in_values=b'"' in block.data,
            ignore_empty_lines=False,
            invalid_row_handler=on_wrong,
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            column_types=dict.fromkeys(keep, _TEXT), include_columns=list(keep), strings_can_be_null=False
        ),
    )
    lines = np.arange(first, first + len(table) + len(wrong))
    if wrong:
        lines = np.delete(lines, wrong)
    table = table.append_column(LINE, pa.array(lines, pa.int64()))
    return _without_blanks(table, keep) if b"\n\n" in block.data or block.data[:1] == b"\n" else table


def _without_blanks(table: pa.Table, keep: Sequence[str]) -> pa.Table:
    filled = pc.not_equal(table[keep[0]], "")
    for name in keep[1:]:
        filled = pc.or_(filled, pc.not_equal(table[name], ""))
    return table.filter(filled)


def csv_header(text: bytes, delimiter: str = ",") -> list[str]:
    """Return the fields of the first record of CSV text; a repeated name gets its number."""
    text = text[:_MAX_HEADER]
    try:
        names = next(csv.reader(io.StringIO(text.decode("utf-8", "replace")), delimiter=delimiter), [])
    except csv.Error:
        return []
    return [name if name not in names[:at] else f"{name}#{at + 1}" for at, name in enumerate(names)]
