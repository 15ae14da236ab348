"""Blocks of text lines as Arrow columns: one pattern over a whole block, distinct values mapped once.

What a pattern takes here it must take exactly as Python's `re` would. Lines with bytes on which the two
differ (control characters, backslashes, anything beyond ASCII) are told apart for a closer look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tocsin.sources.lines import Block

__all__ = ["joined", "lines_at", "mapped", "match_lines"]

_NEWLINE: Final = 10
_SPACE: Final = 32
_BACKSLASH: Final = 92
_DELETE: Final = 127


def match_lines(block: Block, pattern: str) -> tuple[pa.StructArray, np.ndarray]:
    """Return the pattern's named groups for each line, and which lines it took; the rest need a closer look.

    A group that took no part is an empty string. The newline stands at the end of what is matched.
    """
    raw = np.frombuffer(block.data, np.uint8)
    ends = np.flatnonzero(raw == _NEWLINE)[: block.count] + 1
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    lines = pa.StringArray.from_buffers(block.count, pa.py_buffer(offsets), pa.py_buffer(block.data))
    groups = pc.extract_regex(lines, pattern=pattern)
    taken = groups.is_valid().to_numpy(zero_copy_only=False)
    odd = np.flatnonzero((raw >= _DELETE) | (raw == _BACKSLASH) | ((raw < _SPACE) & (raw != _NEWLINE)))
    taken[np.searchsorted(ends, odd, "right")] = False
    return groups, taken


def mapped(column: pa.Array, meaning: Callable[[str], Any], kind: pa.DataType) -> pa.Array:
    """Map each distinct text of a column once; what means nothing becomes null."""
    encoded = column.dictionary_encode()
    return pa.array([meaning(text) for text in encoded.dictionary.to_pylist()], kind).take(encoded.indices)


def joined(prefix: str, column: pa.Array) -> pa.Array:
    """Put a prefix before every text of a column."""
    return pc.binary_join_element_wise(pa.scalar(prefix), column, "")


def lines_at(block: Block, rows: np.ndarray) -> Iterator[tuple[int, str]]:
    """Yield some lines of a block with their numbers."""
    if len(rows):
        lines = block.data.decode().split("\n")
        yield from ((block.first + row, lines[row]) for row in rows.tolist())
