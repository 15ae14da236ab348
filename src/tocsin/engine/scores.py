"""The scores of the events of some files, as one Parquet file, made from what the home holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tocsin.errors import StoreError
from tocsin.store import Events

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tocsin.store import Home

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


def _rows(home: Home, wanted: pa.Array) -> Iterator[pa.RecordBatch]:
    for entry in home.journal.read():
        if not isinstance(entry, Events):
            continue
        batch = entry.batch
        mine = pc.is_in(batch.column("source_file"), value_set=wanted)
        kept = np.flatnonzero(mine.to_numpy(zero_copy_only=False))
        if not len(kept):
            continue
        scores = home.scores.read(entry.first_seq, entry.first_seq + batch.num_rows)
        bits = (scores.surprise[kept], scores.tail[kept], scores.accumulated[kept])
        columns = [batch.column(name).take(kept) for name in _EVENT_COLUMNS]
        late = scores.late[kept].astype(bool)
        columns += [pa.array(b.astype(np.float64), mask=late) for b in bits]
        columns.append(pa.array(scores.alert[kept].astype(bool)))
        yield pa.RecordBatch.from_arrays(columns, schema=SCORE_SCHEMA)


def write_scores(home: Home, path: Path, source_files: Sequence[str]) -> None:
    """Write one row an event of `source_files`, in the order in which they were scored.

    Late events have null bits. The file appears whole or not at all.
    """
    wanted = pa.array(sorted(set(source_files)), pa.string())
    part = path.with_name(path.name + ".part")
    try:
        with pq.ParquetWriter(part, SCORE_SCHEMA) as writer:
            for rows in _rows(home, wanted):
                writer.write_batch(rows)
        part.replace(path)
    except OSError as error:
        raise StoreError(f"the scores could not be written to `{path}`: {error}", hint="choose another file") from error
