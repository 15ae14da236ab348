"""The scores of the events of some files, as one Parquet file, made from what the home holds."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tocsin.errors import StoreError
from tocsin.store import REBUILD_SCORES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from tocsin.store import Home, ScoreColumns

__all__ = ["SCORE_SCHEMA", "write_scores"]

_EVENT_COLUMNS: Final = ("source_file", "source_line", "time", "kind", "subject", "action")
SCORE_SCHEMA: Final = pa.schema(
    [
        ("source_file", pa.string()),
        ("source_line", pa.int64()),
        ("time", pa.timestamp("us", tz="UTC")),
        ("kind", pa.string()),
        ("subject", pa.string()),
        ("action", pa.string()),
        ("surprise_bits", pa.float64()),
        ("tail_bits", pa.float64()),
        ("accumulated_bits", pa.float64()),
        ("alert", pa.bool_()),
    ]
)


def _scores(home: Home, first_seq: int, count: int) -> ScoreColumns:
    """Read the scores of all of some events; raises StoreError where any are missing."""
    scores = home.scores.read(first_seq, first_seq + count)
    if len(scores.surprise) < count:
        message = f"`scores.dat` ends before event {first_seq + count - 1} of the journal"
        raise StoreError(message, hint=REBUILD_SCORES)
    return scores


def _rows(home: Home, files: Collection[int], first_seq: int) -> Iterator[pa.RecordBatch]:
    wanted = np.fromiter(files, np.int32)
    for entry in home.journal.read_files(files, first_seq):
        kept = np.flatnonzero(np.isin(entry.files, wanted))
        scores = _scores(home, entry.first_seq, entry.batch.num_rows)
        bits = (scores.surprise[kept], scores.tail[kept], scores.accumulated[kept])
        batch = entry.batch.select(_EVENT_COLUMNS)
        columns = (batch if len(kept) == len(entry.files) else batch.take(pa.array(kept))).columns
        late = scores.late[kept].astype(bool)
        columns += [pa.array(b.astype(np.float64), mask=late) for b in bits]
        columns.append(pa.array(scores.alert[kept].astype(bool)))
        yield pa.RecordBatch.from_arrays(columns, schema=SCORE_SCHEMA)


def write_scores(home: Home, path: Path, digests: Iterable[str]) -> None:
    """Write one row an event of the files named by content, in the order in which they were scored.

    Late events, and those of an erased subject, have null bits. The file appears whole or not at all. Raises
    StoreError when it cannot be written, or when the home has lost scores.
    """
    found = [place for digest in digests if (place := home.files.lookup(digest)) is not None]
    files = {number for number, _ in found}
    first_seq = min((first for _, first in found), default=0)
    part = path.with_name(path.name + ".part")
    try:
        with pq.ParquetWriter(part, SCORE_SCHEMA) as writer:
            for rows in _rows(home, files, first_seq):
                writer.write_batch(rows)
        part.replace(path)
    except OSError as error:
        raise StoreError(f"the scores could not be written to `{path}`: {error}", hint="choose another file") from error
    finally:
        with suppress(OSError):  # gone already, or never there
            part.unlink()
