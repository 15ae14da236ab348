"""From what the model said of events to findings and explained scores."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa

from tocsin.behaviour import FLAG_PRIVILEGED, FLAG_SENSITIVE, reasons
from tocsin.engine.story import Rung
from tocsin.record import Score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.behaviour import Encoded, Observed
    from tocsin.engine.loop import Engine
    from tocsin.event import Event
    from tocsin.record import Finding, Reason

__all__ = ["findings", "row_of", "score_of"]

_TOLD_FROM: Final = 5.0
"""Tail bits from which a live event is explained though nobody is rung: one in 32. Words cost more than scores."""


def findings(  # noqa: PLR0913, PLR0917 - a batch, what was said of it, and where it stands
    engine: Engine,
    events: pa.RecordBatch | Sequence[Event],
    encoded: Encoded,
    observed: Observed,
    first_seq: int,
    before_s: float,
) -> list[Finding]:
    """Hand every event that rang to the story; `before_s` is the newest time before the batch."""
    rang = np.flatnonzero(observed.alert_seq >= 0)
    if not len(rang):
        return []
    rows = (
        events.take(rang).to_pylist()
        if isinstance(events, pa.RecordBatch)
        else [row_of(events[i]) for i in rang.tolist()]
    )
    newest = np.maximum.accumulate(np.maximum(encoded.times_s, before_s))
    newcomers = engine.model.newcomers
    known = engine.model.population - len(newcomers) + np.searchsorted(newcomers, rang, "right")
    told = []
    for i, row, population in zip(rang.tolist(), rows, known.tolist(), strict=True):
        rung = Rung(
            seq=first_seq + i,
            alert_seq=int(observed.alert_seq[i]),
            row=row,
            surprise_bits=float(observed.out.surprise[i]),
            tail_bits=float(observed.out.tail[i]),
            accumulated_bits=float(observed.accumulated[i]),
            reasons=_reasons(engine, encoded, observed, i, row),
            absolute=bool(observed.absolute[i]),
            privileged=bool(encoded.flags[i] & FLAG_PRIVILEGED),
            sensitive=bool(encoded.flags[i] & FLAG_SENSITIVE),
            now=datetime.fromtimestamp(float(newest[i]), UTC),
            population=population,
        )
        told.append(engine.story.take(rung))
    return told


def _reasons(engine: Engine, encoded: Encoded, observed: Observed, i: int, row: dict[str, Any]) -> tuple[Reason, ...]:
    weights = engine.model.calib.weights[encoded.kind[i]]
    return reasons(observed.out.x[i], observed.out.facts[i], weights, float(observed.extra[i]), row)


def row_of(event: Event) -> dict[str, Any]:
    """Turn an event into a row by column name, as a batch has them."""
    row = msgspec.structs.asdict(event)
    origin = row.pop("origin")
    return row | {f"origin.{name}": value for name, value in msgspec.structs.asdict(origin).items()}


def score_of(  # noqa: PLR0913, PLR0917 - one event and what was said of it
    engine: Engine, event: Event, encoded: Encoded, observed: Observed, seq: int, found: list[Finding]
) -> Score:
    """Make one live event's score; explained where it is at all out of the ordinary."""
    tail = float(observed.out.tail[0])
    told = found[0].reasons if found else ()
    if not found and tail >= _TOLD_FROM:
        told = _reasons(engine, encoded, observed, 0, row_of(event))
    return Score(
        seq=seq,
        surprise_bits=float(observed.out.surprise[0]),
        tail_bits=tail,
        accumulated_bits=float(observed.accumulated[0]),
        alert=bool(observed.alert_seq[0] >= 0),
        reasons=told,
    )
