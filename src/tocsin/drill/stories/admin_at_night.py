"""The administrator at three in the morning: a stolen session reads customer data in bulk."""

from __future__ import annotations

from typing import Final

import numpy as np

from tocsin.drill.columns import concatenate, make_columns
from tocsin.drill.ordinary import session_of
from tocsin.drill.places import OFFICE, agent_on, device_on
from tocsin.drill.roles import ADMIN, THEMES
from tocsin.drill.sizes import draw_sizes
from tocsin.drill.stories.plot import ROLES, Plot, Stage, at_local, intruder_address, one_of, spread, verbs
from tocsin.drill.vocabulary import ACTIONS, BROWSERS, VERSION_STRIDE, Family, resource_code

__all__ = ["admin_at_night"]

_LOOK: Final = {"admin.user.read": 3.0, "admin.config.read": 2.0, "crm.search": 2.0}
_TAKE: Final = {"crm.read": 5.0, "crm.export": 2.0, "table.query": 2.0, "table.export": 1.0}


def admin_at_night(stage: Stage, rng: np.random.Generator, day: int, strength: float) -> Plot:
    """Put one on the stage, in the night after a working day."""
    town = stage.town
    admins = np.flatnonzero((town.department == ADMIN) & stage.calendar.present[day] & (town.joins < day - 10))
    rested = admins[~stage.calendar.incident[day, admins]]
    victim = one_of(rng, rested, admins, np.flatnonzero(town.department == ADMIN))
    looks, takes = int(rng.integers(2, 7)), int(rng.integers(18, 60) * strength)
    begin = 24 + rng.uniform(2.4, 3.9)
    hours = begin + spread(rng, looks + takes, 90.0 / strength)
    action = np.concatenate([verbs(rng, _LOOK, looks), verbs(rng, _TAKE, takes)])
    agent = agent_on(town, np.array([victim]), day, np.array([False]))[0]
    if rng.random() < 0.5:  # half of the thieves imitate the victim's browser
        agent = one_of(rng, np.array(BROWSERS)) * VERSION_STRIDE + agent % VERSION_STRIDE
    size = looks + takes
    copied = rng.random() < 0.5  # a cookie taken with its device name, or without
    device = device_on(town, np.array([victim]), day, np.array([OFFICE]), np.array([False]))[0] if copied else -1
    columns = make_columns(
        size,
        time=at_local(town, victim, day, hours),
        subject=victim,
        action=action,
        resource=_resources(stage, rng, action),
        address=intruder_address(rng, stage, victim),
        device=device,
        agent=agent,
        failed=rng.random(size) < 0.04,  # a few doors are locked
        session=session_of(town, victim, day, OFFICE, phone=False),
        role=np.where(np.arange(size) < looks, ROLES.index("look"), ROLES.index("take")),
        **draw_sizes(rng, action, np.where(np.arange(size) < looks, 1.0, 1.8 * strength)),
    )
    return Plot("admin-at-night", strength, concatenate([columns]))


def _resources(stage: Stage, rng: np.random.Generator, action: np.ndarray) -> np.ndarray:
    theme_of = {"crm": (Family.CRM, "crm"), "table": (Family.TABLE, "table"), "admin": (Family.CONSOLE, "admin")}
    themes = [theme.name for theme in THEMES]
    out = np.empty(len(action), np.int64)
    for n, code in enumerate(action):
        family, theme = theme_of[ACTIONS[code].name.partition(".")[0]]
        out[n] = resource_code(family, int(rng.integers(stage.pools[ADMIN, themes.index(theme)])))
    return out
