"""One entity's profile in plain values, for people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tocsin.behaviour.features import CATEGORICAL, FEATURES
from tocsin.behaviour.layout import (
    F_EVENTS,
    F_FIRST,
    F_FLAGS,
    F_GROUP,
    F_HOUR,
    F_USED,
    FLAG_KNOWN_PRIVILEGED,
    HALF_HOURS,
    R_HOURS,
    R_K,
    R_N,
    R_SIZE,
    R_TIME,
    R_WEEKDAYS,
    WEEKDAYS,
)

if TYPE_CHECKING:
    import numpy as np

    from tocsin.behaviour.layout import Entities

__all__ = ["portrait"]

_HOUR_S = 3_600
_SIZES = ("bytes", "count", "amount", "hourly_volume")


def portrait(ents: Entities, slot: int) -> dict[str, Any]:
    """What the row of an entity says: since when, how often, how many values, at what hours, how much."""
    row, facts = ents.rows[slot], ents.facts[slot]
    circle = row[R_HOURS : R_HOURS + HALF_HOURS].reshape(24, 2).sum(axis=1)
    return {
        "known_since": datetime.fromtimestamp(int(facts[F_FIRST]) * _HOUR_S, UTC),
        "last_hour": datetime.fromtimestamp(int(facts[F_HOUR]) * _HOUR_S, UTC),
        "events": int(facts[F_EVENTS]),
        "group": int(facts[F_GROUP]),
        "privileged": bool(facts[F_FLAGS] & FLAG_KNOWN_PRIVILEGED),
        "values_held": int(facts[F_USED]),
        "features": {
            FEATURES[i]: {"units": _round(row[R_N + i]), "distinct": _round(row[R_K + i])} for i in range(CATEGORICAL)
        },
        "active_hours": _round(row[R_TIME]),
        "hours_utc": [_round(v) for v in circle],
        "weekdays": [_round(v) for v in row[R_WEEKDAYS : R_WEEKDAYS + WEEKDAYS]],
        "sizes": {
            name: {"weight": _round(row[R_SIZE + 3 * i]), "usual": _round(2.0 ** float(row[R_SIZE + 3 * i + 1]) - 1.0)}
            for i, name in enumerate(_SIZES)
            if row[R_SIZE + 3 * i] > 0
        },
    }


def _round(value: float | np.floating[Any]) -> float:
    return round(float(value), 2)
