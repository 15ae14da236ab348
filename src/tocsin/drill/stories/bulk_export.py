"""Bulk export before leaving: the same person, place and hours, but more, and what others worked on."""

from __future__ import annotations

from typing import Final

import numpy as np

from tocsin.drill.columns import Array, Columns, concatenate, make_columns
from tocsin.drill.ordinary import resource_of, session_of
from tocsin.drill.places import HOME, OFFICE, address_at, agent_on, device_on
from tocsin.drill.roles import ADMIN, THEMES
from tocsin.drill.sizes import draw_sizes
from tocsin.drill.stories.plot import ROLES, Plot, Stage, at_local, one_of, verbs
from tocsin.drill.town import favourite

__all__ = ["bulk_export"]

_TAKE: Final = {"drive.export": 5.0, "drive.read": 3.0, "drive.list": 1.0, "crm.export": 2.0}
_THEME_NAMES: Final = [theme.name for theme in THEMES]


def bulk_export(stage: Stage, rng: np.random.Generator, day: int, strength: float) -> Plot:
    """Put one on the stage, over four to seven working days."""
    town = stage.town
    here = (
        (town.department != ADMIN)
        & (town.joins < 0)
        & (town.leaves > min(day + 7, town.days))
        & stage.calendar.present[day]
    )
    here &= stage.calendar.working[day : day + 8].any(axis=0)
    leaver = one_of(rng, np.flatnonzero(here), np.arange(town.people))
    working = np.flatnonzero(stage.calendar.working[day:, leaver])[: int(rng.integers(4, 8))] + day
    parts = [_one_day(stage, rng, leaver, int(d), strength) for d in working]
    return Plot("bulk-export", strength, concatenate(parts))


def _one_day(stage: Stage, rng: np.random.Generator, leaver: int, day: int, strength: float) -> Columns:
    town = stage.town
    takes, tidies = int(rng.integers(16, 42) * strength) + 1, int(rng.integers(2, 6))
    size = takes + tidies
    tidying = np.arange(size) >= takes
    sittings = town.start_h[leaver] + rng.uniform(0.5, town.length_h[leaver], 2)
    hours = sittings[rng.integers(0, 2, size)] + rng.exponential(0.35, size)
    action = verbs(rng, _TAKE, size)
    action = np.where(tidying, verbs(rng, {"drive.export": 1.0, "drive.read": 1.0}, size), action)
    person = np.full(size, leaver)
    place = np.full(size, HOME if rng.random() < town.remote[leaver] else OFFICE)
    return make_columns(
        size,
        time=at_local(town, leaver, day, hours),
        subject=leaver,
        action=action,
        resource=_resources(stage, rng, leaver, day, tidying, action),
        address=address_at(town, stage.calendar, place, person, day, np.zeros(size, np.int64)),
        device=device_on(town, person, day, place, np.zeros(size, bool)),
        agent=agent_on(town, person, day, np.zeros(size, bool)),
        failed=rng.random(size) < 0.05,  # not everything of others is open
        session=session_of(town, person, day, place, phone=False),
        role=np.where(tidying, ROLES.index("tidy"), ROLES.index("take")),
        **draw_sizes(rng, action, np.where(tidying, 1.0, 1.6 * strength) * town.volume[leaver]),
    )


def _resources(stage: Stage, rng: np.random.Generator, leaver: int, day: int, tidying: Array, action: Array) -> Array:
    """Their own projects while tidying; else mostly other people's, a good part of other departments."""
    town, size = stage.town, len(tidying)
    crm = np.isin(action, verbs(rng, {"crm.export": 1.0}, 1))
    theme = np.where(crm, _THEME_NAMES.index("crm"), _THEME_NAMES.index("drive"))
    own = np.full(size, town.department[leaver])
    other = rng.random(size) < 0.6  # the greater part
    department = np.where(other & ~tidying, rng.integers(0, len(stage.pools), size), own)
    number = rng.integers(0, 1 << 30, size) % stage.pools[department, theme]
    person = np.full(size, leaver)
    mine = favourite(town, stage.pools, person, theme, rng.integers(0, 5, size), day)
    return resource_of(town, theme, department, np.where(tidying, mine, number), person, person, day)
