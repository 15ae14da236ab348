"""Which stories play, when, and how loudly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from tocsin.drill.stories.admin_at_night import admin_at_night
from tocsin.drill.stories.bulk_export import bulk_export
from tocsin.drill.stories.credential_stuffing import credential_stuffing
from tocsin.drill.stories.leaked_key import leaked_key
from tocsin.drill.stories.plot import Plot, Stage
from tocsin.drill.stories.slow_poisoning import POISONING_D, slow_poisoning
from tocsin.drill.town import stream

__all__ = ["QUIET_DAYS", "stage_all"]

QUIET_DAYS: Final = 14
"""No story begins earlier, so that everybody has a past."""
_Story = Callable[[Stage, np.random.Generator, int, float], Plot]
_STORIES: Final[tuple[tuple[_Story, int], ...]] = (
    (admin_at_night, 2),
    (leaked_key, 2),
    (bulk_export, 8),
    (credential_stuffing, 2),
    (slow_poisoning, POISONING_D),
)
"""Each story and the days it may need."""


def stage_all(stage: Stage, each: int) -> list[Plot]:
    """Play `each` instances of every kind, none before the quiet days are over."""
    plots = []
    for place, (story, needs_d) in enumerate(_STORIES):
        for instance in range(each):
            rng = stream(stage.town.seed, 4, place, instance)
            latest = max(QUIET_DAYS + 1, stage.town.days - needs_d)
            day = int(rng.integers(QUIET_DAYS, latest))
            plots.append(story(stage, rng, day, float(rng.uniform(0.6, 1.5))))
    return plots
