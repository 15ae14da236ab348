"""Sealing a batch: each row's cells are XORed in place with a keystream of that row's subject.

On disk a row keeps in the clear only its key's number, its file's number and its line. Times,
numbers, flags and text are sealed; what stays visible is how long each text is and which cells
are null. Columns that are null in the whole batch are left out, and `mask` says which are there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.errors import StoreError
from tocsin.event import EVENT_SCHEMA, KINDS, OUTCOMES
from tocsin.store.cipher import compiled, keystreams, stream_lengths

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["CLEAR", "ERASED", "SEALED", "check_batch", "erase_rows", "open_sealed", "seal", "sealed_schema"]

ERASED: Final = "erased:subject"
"""What stands as the subject of a row whose key was destroyed."""
CLEAR: Final = (
    pa.field("key", pa.uint32(), nullable=False),
    pa.field("file", pa.int32(), nullable=False),
    pa.field("line", pa.int64()),
)
SEALED: Final = tuple(f for f in EVENT_SCHEMA if f.name not in {"source_file", "source_line"})
_CODES: Final = {"kind": pa.array(KINDS), "outcome": pa.array(OUTCOMES)}
_PLACEHOLDERS: Final = {"kind": "change", "subject": ERASED, "action": "erased", "outcome": "unknown"}


@dataclass(slots=True)
class _Cells:
    """One column as bytes: numbers as words, flags and codes as bytes, text as bytes and offsets."""

    data: NDArray[Any]
    offsets: NDArray[np.int32] | None
    valid: pa.Buffer | None
    nulls: int


def check_batch(batch: pa.RecordBatch) -> None:
    """Refuse a batch that is not in `EVENT_SCHEMA` or lacks a value it must have; raises `StoreError`."""
    if not batch.schema.equals(EVENT_SCHEMA):
        raise StoreError("a batch for the journal is not in `EVENT_SCHEMA`", hint="build it with `to_batch`")
    for index, field in enumerate(EVENT_SCHEMA):
        if not field.nullable and batch.column(index).null_count:
            raise StoreError(f"a batch for the journal has a null `{field.name}`", hint="set such records aside")
    for name, words in _CODES.items():
        if pc.index_in(batch.column(name), value_set=words).null_count:
            raise StoreError(f"a batch for the journal has an unknown `{name}`", hint="build it with `to_batch`")


@lru_cache(maxsize=256)
def sealed_schema(mask: int) -> pa.Schema:
    """Give the schema on disk of a batch whose sealed columns are those with a bit in `mask`."""
    kept = [f for i, f in enumerate(SEALED) if mask >> i & 1]
    return pa.schema([*CLEAR, *(pa.field(f.name, _stored_type(f), f.nullable) for f in kept)])


def _stored_type(field: pa.Field) -> pa.DataType:
    if field.name in _CODES or pa.types.is_boolean(field.type):
        return pa.uint8()
    return pa.binary() if pa.types.is_string(field.type) else pa.uint64()


def _to_stored(field: pa.Field, column: pa.Array) -> pa.Array:
    if field.name in _CODES:
        return pc.index_in(column, value_set=_CODES[field.name]).cast(pa.uint8())
    return column.cast(pa.uint8()) if pa.types.is_boolean(field.type) else column


def _from_stored(field: pa.Field, column: pa.Array, erased: NDArray[np.bool_] | None) -> pa.Array:
    if field.name in _CODES:
        codes = np.asarray(column) if erased is None else np.where(erased, 0, column)
        return pa.DictionaryArray.from_arrays(pa.array(codes, pa.uint8()), _CODES[field.name]).dictionary_decode()
    return column.cast(pa.bool_()) if pa.types.is_boolean(field.type) else column


def _cells(column: pa.Array) -> _Cells:
    size, at, nulls = len(column), column.offset, column.null_count
    valid = None
    if nulls:
        present = column.is_valid().to_numpy(zero_copy_only=False)
        valid = pa.py_buffer(np.packbits(present, bitorder="little"))
    buffers = column.buffers()
    if pa.types.is_binary(column.type) or pa.types.is_string(column.type):
        offsets = np.frombuffer(buffers[1], np.int32)[at : at + size + 1]
        text = np.frombuffer(buffers[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
        return _Cells(_read_only(text), offsets - offsets[0], valid, nulls)
    kind = np.uint8 if column.type.bit_width == 8 else np.uint64  # noqa: PLR2004 - a byte's bits
    return _Cells(_read_only(np.frombuffer(buffers[1], kind)[at : at + size]), None, valid, nulls)


def _column(cells: _Cells, kind: pa.DataType, size: int) -> pa.Array:
    buffers = [cells.valid, pa.py_buffer(cells.data)]
    if cells.offsets is not None:
        buffers.insert(1, pa.py_buffer(cells.offsets))
    return pa.Array.from_buffers(kind, size, buffers, cells.nulls)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Numba compiles a kernel once more for arrays that may be written to; this keeps it at one."""
    view = array.view()
    view.flags.writeable = False
    return view


@compiled
def _add_lengths(offsets: NDArray[np.int32], lengths: NDArray[np.int64]) -> None:
    for i in range(lengths.size):
        lengths[i] += offsets[i + 1] - offsets[i]


@compiled
def _xor_words(
    data: NDArray[np.uint64], words: NDArray[np.uint64], starts: NDArray[np.int64], at: int, out: NDArray[np.uint64]
) -> None:
    for i in range(data.size):
        out[i] = data[i] ^ words[(starts[i] + at) >> 3]


@compiled
def _xor_bytes(
    data: NDArray[np.uint8], stream: NDArray[np.uint8], starts: NDArray[np.int64], at: int, out: NDArray[np.uint8]
) -> None:
    for i in range(data.size):
        out[i] = data[i] ^ stream[starts[i] + at]


@compiled
def _xor_text(
    data: NDArray[np.uint8],
    offsets: NDArray[np.int32],
    stream: NDArray[np.uint8],
    cursor: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> None:
    for i in range(cursor.size):
        first = np.uintp(offsets[i])  # unsigned: a signed index would be tested for wrapping round
        size = np.uintp(offsets[i + 1]) - first
        at = np.uintp(cursor[i])
        for j in range(size):
            out[first + j] = data[first + j] ^ stream[at + j]
        cursor[i] = at + size


def _xor(
    columns: list[_Cells], records: NDArray[np.uint8], ids: NDArray[np.uint32], seqs: NDArray[np.int64], salt: bytes
) -> None:
    """Replace every column's data by its XOR with the rows' keystreams: words first, then bytes, then text."""
    words = [c for c in columns if c.data.dtype == np.uint64]
    flags = [c for c in columns if c.data.dtype == np.uint8 and c.offsets is None]
    texts = [(c, c.offsets) for c in columns if c.offsets is not None]
    fixed = 8 * len(words) + len(flags)
    lengths = np.full(ids.size, fixed, np.int64)
    for _, offsets in texts:
        _add_lengths(offsets, lengths)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(stream_lengths(lengths))])
    stream = keystreams(_read_only(records), _read_only(ids), seqs, salt, starts)
    for index, cells in enumerate(words):
        out = np.empty_like(cells.data)
        _xor_words(cells.data, stream.view(np.uint64), starts, 8 * index, out)
        cells.data = out
    for index, cells in enumerate(flags):
        out = np.empty_like(cells.data)
        _xor_bytes(cells.data, stream, starts, 8 * len(words) + index, out)
        cells.data = out
    cursor = starts[:-1] + fixed
    for cells, offsets in texts:
        out = np.empty_like(cells.data)
        _xor_text(cells.data, offsets, stream, cursor, out)
        cells.data = out


def seal(  # noqa: PLR0913, PLR0917 - the row's clear columns, and what the nonce is made of
    batch: pa.RecordBatch,
    records: NDArray[np.uint8],
    ids: NDArray[np.uint32],
    files: NDArray[np.int32],
    first_seq: int,
    salt: bytes,
) -> tuple[pa.RecordBatch, int]:
    """Seal a checked batch; returns it as it goes to disk, and the mask of its columns."""
    size = batch.num_rows
    kept = [i for i, f in enumerate(SEALED) if batch.column(f.name).null_count < size]
    mask = sum(1 << i for i in kept)
    fields = [SEALED[i] for i in kept]
    cells = [_cells(_to_stored(f, batch.column(f.name))) for f in fields]
    _xor(cells, records, ids, np.arange(first_seq, first_seq + size), salt)
    schema = sealed_schema(mask)
    sealed = [_column(c, schema.field(f.name).type, size) for c, f in zip(cells, fields, strict=True)]
    return pa.RecordBatch.from_arrays(
        [pa.array(ids), pa.array(files), batch.column("source_line"), *sealed], schema=schema
    ), mask


def open_sealed(
    sealed: pa.RecordBatch, records: NDArray[np.uint8], seqs: NDArray[np.int64], salt: bytes
) -> tuple[list[pa.Array], NDArray[np.bool_]]:
    """Open the sealed columns of a batch from disk, in `SEALED` order, and which rows are erased."""
    size = sealed.num_rows
    ids = sealed.column("key").to_numpy()
    fields = [f for f in SEALED if f.name in sealed.schema.names]
    cells = [_cells(sealed.column(f.name)) for f in fields]
    _xor(cells, records, ids, seqs, salt)
    gone = np.logical_not(records[ids, :8].any(axis=1)).astype(np.bool_)
    erased = gone if gone.any() else None
    plain = {}
    for field, cell in zip(fields, cells, strict=True):
        stored = field.type if _stored_type(field) != pa.uint8() else pa.uint8()
        plain[field.name] = _from_stored(field, _column(cell, stored, size), erased)
    columns = [plain[f.name] if f.name in plain else pa.nulls(size, f.type) for f in SEALED]
    return (columns if erased is None else erase_rows(columns, erased)), gone


def erase_rows(columns: list[pa.Array], erased: NDArray[np.bool_]) -> list[pa.Array]:
    """Put nulls, and where a value must stand a placeholder, into the rows that no key can open."""
    told = pa.array(erased)
    blanks = [pa.scalar(0 if f.name == "time" else _PLACEHOLDERS.get(f.name), f.type) for f in SEALED]
    return [pc.if_else(told, blank, column) for blank, column in zip(blanks, columns, strict=True)]
