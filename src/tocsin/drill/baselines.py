"""The simple methods graded beside Tocsin: a z-score per entity, and an isolation forest.

Both learn from the past alone: fitted on the first 14 days, then again each week on all before it,
they score the week that follows. Each day's quota goes to the entities with the highest single
score, chosen at the day's end: an advantage over anything that must decide at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from tocsin.drill.features import FEATURES, Features, hour_distance, usual_hours
from tocsin.drill.stories.programme import QUIET_DAYS
from tocsin.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tocsin.drill.columns import Array

__all__ = ["BASELINES", "flagged", "forest_scores", "z_scores"]

_REFIT_D: Final = 7
_TREES: Final = 100
_TRAIN_ROWS: Final = 200_000
_SPREAD_FLOOR: Final = 0.3
"""Least spread of an entity's feature, as a part of everybody's: an entity never seen to vary still may."""
_PRIOR_EVENTS: Final = 5.0
"""Weight of everybody's mean in an entity's, in events."""


class _Fitted(Protocol):
    def score_samples(self, x: Array, /) -> Array: ...


def z_scores(features: Features) -> Array:
    """For each event the sum of its positive z under its entity's own means and spreads; -inf before day 14.

    The sum, since it caught more than the largest z or the sum of squares when all three were tried.
    """
    scores = np.full(len(features.entity), -np.inf)
    for past, coming, table in _weeks(features):
        scores[coming] = np.maximum(_z(table, features.entity, past, coming), 0.0).sum(axis=1)
    return scores


def _z(table: Array, entity: Array, past: Array, coming: Array) -> Array:
    entities = int(entity.max()) + 1
    seen = np.bincount(entity[past], minlength=entities) + _PRIOR_EVENTS
    z = np.empty((len(coming), table.shape[1]))
    for column in range(table.shape[1]):
        x = table[past, column]
        mean_all, spread_all = x.mean(), max(float(x.std()), 1e-9)
        mean = (np.bincount(entity[past], x, entities) + _PRIOR_EVENTS * mean_all) / seen
        square = np.bincount(entity[past], (x - mean[entity[past]]) ** 2, entities) + _PRIOR_EVENTS * spread_all**2
        spread = np.maximum(np.sqrt(square / seen), _SPREAD_FLOOR * spread_all)
        who = entity[coming]
        z[:, column] = (table[coming, column] - mean[who]) / spread[who]
    return z


def forest_scores(features: Features) -> Array:
    """For each event how easily an isolation forest sets it apart; -inf before day 14."""
    make = _forest_class()
    scores = np.full(len(features.entity), -np.inf)
    for past, coming, table in _weeks(features):
        thin = past[:: max(1, len(past) // _TRAIN_ROWS)]
        forest: _Fitted = make(n_estimators=_TREES, random_state=0).fit(table[thin])
        scores[coming] = -forest.score_samples(table[coming])
    return scores


def _forest_class() -> Callable[..., Any]:
    try:
        from sklearn.ensemble import IsolationForest  # noqa: PLC0415 - the one place of the optional extra `drill`
    except ImportError as missing:
        raise UsageError(
            "grading needs scikit-learn", hint="install the extra: `pip install tocsin[drill]`"
        ) from missing
    return IsolationForest  # type: ignore[no-any-return]


def _weeks(features: Features) -> Iterator[tuple[Array, Array, Array]]:
    """Rows of the past, rows of the week to score, and the features as known at that time."""
    entities = int(features.entity.max()) + 1
    for day in range(QUIET_DAYS, len(features.files), _REFIT_D):
        cut, end = features.first_row[day], features.first_row[min(day + _REFIT_D, len(features.files))]
        past, coming = np.arange(cut), np.arange(cut, end)
        yield past, coming, _table(features, usual_hours(features, past, entities), int(end))


def _table(features: Features, usual: Array, end: int) -> Array:
    columns = {
        "log_bytes": features.log_bytes[:end],
        "hour_distance": hour_distance(features.hour[:end], usual[features.entity[:end]]),
        "count_in_hour": features.count_in_hour[:end],
        "new_address": features.new_address[:end],
    }
    return np.column_stack([columns[name] for name in FEATURES])


def flagged(features: Features, scores: Array, a_day: float) -> Iterator[tuple[int, int, Array]]:
    """Alerts at a rate a day: day, entity, and the rows of that entity over the day's threshold."""
    for nth, day in enumerate(range(QUIET_DAYS, len(features.files))):
        quota = int((nth + 1) * a_day + 1e-9) - int(nth * a_day + 1e-9)
        rows = np.arange(features.first_row[day], features.first_row[day + 1])
        best = np.full(int(features.entity.max()) + 1, -np.inf)
        np.maximum.at(best, features.entity[rows], scores[rows])
        chosen = np.argsort(-best, kind="stable")[:quota]
        for entity in chosen.tolist():
            own = rows[features.entity[rows] == entity]
            yield day, entity, own[scores[own] >= best[chosen[-1]]]


BASELINES: Final[dict[str, Callable[[Features], Array]]] = {"z-score": z_scores, "isolation forest": forest_scores}
"""Each method by the name the grade prints."""
