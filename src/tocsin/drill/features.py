"""The events of a town as four simple features, ready-made, for the methods graded beside Tocsin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from tocsin.drill.writing import EVENTS_FOLDER
from tocsin.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.drill.columns import Array

__all__ = ["FEATURES", "HOUR_US", "Features", "hour_distance", "read_features", "usual_hours"]

FEATURES: Final = ("log_bytes", "hour_distance", "count_in_hour", "new_address")
HOUR_US: Final = 3_600_000_000
_DAY_US: Final = 24 * HOUR_US
_WANTED: Final = pa.schema(
    [
        ("time", pa.string()),
        ("subject", pa.string()),
        ("bytes_in", pa.int64()),
        ("bytes_out", pa.int64()),
        ("origin", pa.struct([("address", pa.string())])),
    ]
)
_BLOCK: Final = 32 << 20


class Features(msgspec.Struct, frozen=True):
    """One row an event, in the order of the files."""

    files: tuple[str, ...]
    """Names of the day files, without folder."""
    first_row: Array
    """Row at which each file begins; one more than there are files."""
    entity: Array
    day: Array
    """Index of the file, so of the day."""
    hour: Array
    """Hour of the day, UTC, 0 to 24."""
    log_bytes: Array
    count_in_hour: Array
    """Logarithm of the entity's events in the hour that ends with this one."""
    new_address: Array
    """1 where the entity was never seen at this address, else 0."""

    def row(self, file: str, line: int) -> int:
        """Row of an event by its place in the files."""
        return int(self.first_row[self.files.index(file)]) + line - 1


def read_features(drill: Path) -> Features:
    """Read `drill/events`; raises `SourceError` when there are none."""
    files = sorted((drill / EVENTS_FOLDER).glob("*.jsonl.gz"))
    if not files:
        raise SourceError(
            f"no events beside the truth in `{drill.name}`", hint="keep `events/` and `truth.parquet` together"
        )
    options = pj.ParseOptions(explicit_schema=_WANTED, unexpected_field_behavior="ignore")
    tables = [pj.read_json(file, pj.ReadOptions(block_size=_BLOCK), options) for file in files]
    first_row = np.cumsum([0] + [len(table) for table in tables])
    table = pa.concat_tables(tables)
    entity = _codes(table["subject"])
    address = _codes(pc.struct_field(table["origin"], "address"))
    time_us = _microseconds(table["time"])
    moved = pc.add(pc.fill_null(table["bytes_in"], 0), pc.fill_null(table["bytes_out"], 0)).to_numpy()
    return Features(
        files=tuple(file.name for file in files),
        first_row=first_row,
        entity=entity,
        day=np.repeat(np.arange(len(files)), np.diff(first_row)),
        hour=time_us % _DAY_US / HOUR_US,
        log_bytes=np.log1p(moved),
        count_in_hour=np.log(_count_in_hour(entity, time_us)),
        new_address=_first_times(entity, address).astype(np.float64),
    )


def _codes(values: pa.ChunkedArray) -> Array:
    return np.asarray(values.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy(), np.int64)


def _microseconds(text: pa.ChunkedArray) -> Array:
    stamps = text.cast(pa.timestamp("us", tz="UTC"))
    return np.asarray(stamps.cast(pa.int64()).to_numpy())


def _count_in_hour(entity: Array, time_us: Array) -> Array:
    """Events of the same entity in the hour up to and with each event."""
    offset = time_us - time_us.min() + HOUR_US
    key = entity * (int(offset.max()) + 1) + offset
    ordered = np.sort(key)
    return np.asarray(
        np.searchsorted(ordered, key, side="right") - np.searchsorted(ordered, key - HOUR_US, side="right")
    )


def _first_times(entity: Array, value: Array) -> Array:
    """Mark where a pair is met for the first time; rows stand in order of time."""
    first = np.zeros(len(entity), bool)
    first[np.unique(entity * (int(value.max()) + 2) + value + 1, return_index=True)[1]] = True
    return first


def usual_hours(features: Features, rows: Array, entities: int) -> Array:
    """Mean direction of each entity's hours over the given rows, in hours; 12 where nothing is known."""
    angle = features.hour[rows] * (2 * np.pi / 24)
    who = features.entity[rows]
    east = np.bincount(who, np.cos(angle), entities)
    north = np.bincount(who, np.sin(angle), entities)
    known = np.bincount(who, minlength=entities) > 0
    return np.where(known, np.arctan2(north, east) * (24 / (2 * np.pi)) % 24, 12.0)


def hour_distance(hour: Array, usual: Array) -> Array:
    """Hours between two hours of the day, the short way round."""
    apart = np.abs(hour - usual) % 24
    return np.asarray(np.minimum(apart, 24 - apart))
