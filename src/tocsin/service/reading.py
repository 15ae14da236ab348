"""Records of one request read as files are: by the same sources, through the same door, in the order of time."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from tocsin.errors import UsageError
from tocsin.service.cloudevents import OURS
from tocsin.sources.admission import admit
from tocsin.sources.detection import choose
from tocsin.sources.finding import Found
from tocsin.sources.handout import Handout
from tocsin.sources.intake import DeadLetters, FileReport, Intake
from tocsin.sources.opening import Stream
from tocsin.sources.order import Orderer
from tocsin.sources.source import head_of
from tocsin.sources.tables import LINE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from tocsin.service.parcels import Parcel, Parcels
    from tocsin.sources import Enrichment

__all__ = ["Read", "read"]

_UNSEEN: Final = head_of(b"")
"""The format is known, so nothing has to be recognised."""
_AHEAD: Final = timedelta(minutes=5)
"""A live event further ahead would make all that is asked until then late, and so never scored."""
_NEVER_SPILLED: Final = 1 << 40
"""A body is bounded, so its events are ordered in memory."""


class Read(NamedTuple):
    """What a request holds: the counts so far, what was set aside, and the events, to be handed out once."""

    report: FileReport
    dead: DeadLetters
    orderer: Orderer

    def batches(self, enrichment: Enrichment, rows: int) -> Iterator[pa.RecordBatch]:
        """Yield the events in `EVENT_SCHEMA`, in order, without those met twice."""
        return Handout([self.report], {}, enrichment).batches(self.orderer.windows(), rows)


def read(parcels: Parcels, *, source_file: str, now: datetime, mark: str = "") -> Read:
    """Read every record; what is none is set aside. With a `mark`, events that have no uid get one made of it."""
    report, dead = FileReport(source_file=source_file), DeadLetters(None)
    orderer = Orderer(Path(), _NEVER_SPILLED)
    door = Intake(report, 0, dead, now=now, modified=now, again=lambda: _stream(b""), ahead=_AHEAD)
    for place, error in parcels.refused:
        door.put_aside(place, error.message, hint=error.hint)
    tables: list[pa.Table] = []
    for parcel in parcels.parcels:
        tables += (admit(table, door) for table in _tables(parcel, report, dead, now, mark))
    for table in _rising(tables):
        orderer.add(table)
    return Read(report, dead, orderer)


def _rising(tables: list[pa.Table]) -> Iterator[pa.Table]:
    """Put the tables in an order in which places rise, as whoever sorts them by time alone needs it."""
    if len(tables) > 1:
        joined = pa.concat_tables(tables, promote_options="default")
        yield joined.sort_by("_tie")
    else:
        yield from tables


class _Placed(Intake):
    """Reads one parcel: knows at which place of the body each of its lines stands."""

    places: NDArray[np.int64] | None = None

    def put_aside(self, line: int, reason: str, *, hint: str = "", excerpt: bytes | str = b"") -> None:
        """Set one record aside under its place in the body."""
        if self.places is not None and len(self.places):
            line = int(self.places[min(max(line, 1), len(self.places)) - 1])
        super().put_aside(line, reason, hint=hint, excerpt=excerpt)


def _tables(parcel: Parcel, report: FileReport, dead: DeadLetters, now: datetime, mark: str) -> Iterator[pa.Table]:
    lines = parcel.lines
    intake = _Placed(report, 0, dead, now=now, modified=now, again=lambda: _stream(lines), ahead=_AHEAD)
    intake.places = parcel.places
    choice = choose(_UNSEEN, Found(report.source_file, ""), parcel.format, None)
    if isinstance(choice, str):
        raise UsageError(choice)
    for table in choice.read(_stream(lines), intake):
        yield _named(table, parcel, mark)


def _stream(data: bytes) -> Stream:
    return Stream(io.BytesIO(data), lambda: None)


def _named(table: pa.Table, parcel: Parcel, mark: str) -> pa.Table:
    """Give the events their uids and the places that they have in the body."""
    lines = table[LINE].to_numpy()
    own = table["uid"].combine_chunks() if "uid" in table.column_names else pa.nulls(len(table), pa.string())
    if parcel.uids:
        carried = pa.array(parcel.uids, pa.string()).take(pa.array(lines - 1))
        own = carried if parcel.format == OURS else pc.coalesce(own, carried)
    places = lines if parcel.places is None else parcel.places[lines - 1]
    if mark:
        own = pc.coalesce(own, pa.array([f"{mark}-{place}" for place in places.tolist()], pa.string()))
    columns = {name: table[name] for name in table.column_names} | {LINE: pa.array(places, pa.int64())}
    return pa.table(columns if own.null_count == len(own) else columns | {"uid": own})
