"""What a person's verdict does to the values an event brought: let them out of quarantine, or keep them for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tocsin.behaviour.cells import find_cell
from tocsin.behaviour.features import CATEGORICAL
from tocsin.behaviour.layout import CELL_HOUR, CELL_N, CONDEMNED, R_K, R_N, Entities
from tocsin.behaviour.numeric import kernel
from tocsin.behaviour.registry import find_slots
from tocsin.behaviour.values import cell_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.behaviour.columns import Encoded

__all__ = ["judge"]


@kernel
def _judge(
    ents: Entities,
    words: np.ndarray,
    hours: np.ndarray,
    slots: np.ndarray,
    values: np.ndarray,
    bad: np.ndarray,
) -> None:
    for i in range(len(slots)):
        if slots[i] < 0:
            continue
        row = ents.rows[slots[i]]
        for feature in range(CATEGORICAL):
            if values[i, feature] == 0:
                continue
            place = find_cell(ents.cells, ents.facts, slots[i], cell_key(values[i, feature], feature))
            if place < 0 or words[place, CELL_N] > 0:
                continue
            if bad[i]:
                words[place, CELL_N] = np.float32(CONDEMNED)
            elif words[place, CELL_N] < 0:
                words[place, CELL_N] = np.float32(1.0)
                row[R_N + feature] += np.float32(1.0)
                row[R_K + feature] += np.float32(1.0)
                hours[place, CELL_HOUR] = max(hours[place, CELL_HOUR], ents.facts[slots[i], 0])


def judge(ents: Entities, batch: Encoded, bad: NDArray[np.bool_]) -> None:
    """Apply a verdict to each event of `batch`.

    Values that a good event brought leave quarantine at once. Values that a bad one brought, unless the entity owned
    them before, never become normal by coming back. Entities that are not resident are passed over.
    """
    slots = np.empty(len(batch.subject), np.int32)
    find_slots(ents, batch.subject, slots)
    _judge(ents, ents.cells.view(np.float32), ents.cells.view(np.int32), slots, batch.values, bad)
