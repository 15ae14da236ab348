"""Slow poisoning: an intruder works for weeks to make a new network look like home, then takes the data."""

from __future__ import annotations

from typing import Final

import numpy as np

from tocsin.drill.columns import Columns, concatenate, make_columns
from tocsin.drill.ordinary import resource_of, session_of
from tocsin.drill.places import HOME, release
from tocsin.drill.roles import ADMIN, THEMES
from tocsin.drill.sizes import draw_sizes
from tocsin.drill.stories.plot import ROLES, Plot, Stage, at_local, intruder_address, one_of, spread, verbs
from tocsin.drill.town import favourite
from tocsin.drill.vocabulary import LOGIN, VERSION_STRIDE, Family, resource_code

__all__ = ["POISONING_D", "slow_poisoning"]

POISONING_D: Final = 28
_GROOM: Final = {"mail.read": 4.0, "drive.list": 1.0, "drive.read": 3.0}
_TAKE: Final = {"drive.export": 4.0, "drive.read": 3.0, "mail.read": 1.0}
_MAIL: Final = [theme.name for theme in THEMES].index("mail")
_DRIVE: Final = [theme.name for theme in THEMES].index("drive")


def slow_poisoning(stage: Stage, rng: np.random.Generator, day: int, strength: float) -> Plot:
    """Put one on the stage: visits on working days for up to four weeks, the taking on the last."""
    town = stage.town
    settled = (town.department != ADMIN) & (town.joins < 0) & (town.leaves > town.days) & stage.calendar.present[day]
    last = min(day + int(rng.integers(18, POISONING_D + 1)), town.days)
    settled &= stage.calendar.working[day:last].sum(axis=0) >= min(2, last - day)
    victim = one_of(rng, np.flatnonzero(settled), np.arange(town.people))
    visits = np.flatnonzero(stage.calendar.working[day:last, victim]) + day
    visits = visits[(rng.random(len(visits)) < 0.7) | (visits == visits[-1:])]  # most working days
    address = intruder_address(rng, stage, victim, nearby=0.75)
    parts = [
        _visit(stage, rng, victim, int(d), address, n / max(1, len(visits) - 1), strength) for n, d in enumerate(visits)
    ]
    return Plot("slow-poisoning", strength, concatenate(parts))


def _visit(
    stage: Stage,
    rng: np.random.Generator,
    victim: int,
    day: int,
    address: int,
    progress: float,
    strength: float,
) -> Columns:
    """One sitting in the victim's hours: bolder as weeks go by, and the last one takes."""
    town, final = stage.town, progress >= 1.0
    size = int(rng.integers(25, 60) * strength) if final else int(rng.integers(2, 6))
    who = np.full(size, victim)
    action = verbs(rng, _TAKE if final else _GROOM, size)
    theme = np.where(action == verbs(rng, {"mail.read": 1.0}, 1)[0], _MAIL, _DRIVE)
    beyond = rng.random(size) < (0.7 if final else 0.35 * progress)
    known = favourite(town, stage.pools, who, theme, rng.integers(0, 8, size), day)
    abroad = (town.department[victim] + 1 + (rng.random(size) < 0.3)) % len(stage.pools)  # two neighbours
    department = np.where(beyond, abroad, town.department[victim])
    number = np.where(beyond, rng.integers(0, 12, size), known) % stage.pools[department, theme]
    hours = town.start_h[victim] + rng.uniform(0.5, 7.5) + spread(rng, size, 80.0)
    browser = town.browser[who] * VERSION_STRIDE + release(town, who, day)
    session = session_of(town, who, day, HOME + 4, phone=False)
    body = make_columns(
        size,
        time=at_local(town, victim, day, hours),
        subject=victim,
        action=action,
        resource=resource_of(town, theme, department, number, who, who, day),
        address=address,
        agent=browser,
        session=session,
        role=ROLES.index("take" if final else "groom"),
        **draw_sizes(rng, action, (2.5 * strength if final else 1.0) * town.volume[victim]),
    )
    door = make_columns(
        1,
        time=at_local(town, victim, day, hours[:1] - 0.01),
        subject=victim,
        action=LOGIN,
        resource=resource_code(Family.APP, 0),
        address=address,
        agent=browser[:1],
        session=session[:1],
        role=ROLES.index("enter"),
    )
    return concatenate([door, body])
