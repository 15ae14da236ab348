"""Credential stuffing: stolen lists tried on many accounts from a few networks, and the few that open."""

from __future__ import annotations

from typing import Final

import numpy as np

from tocsin.drill.columns import Array, Columns, concatenate, make_columns
from tocsin.drill.ordinary import DAY_US, resource_of, session_of
from tocsin.drill.places import HOME, release
from tocsin.drill.roles import THEMES
from tocsin.drill.sizes import draw_sizes
from tocsin.drill.stories.plot import ROLES, Plot, Stage, intruder_address, spread, verbs
from tocsin.drill.town import favourite
from tocsin.drill.vocabulary import BROWSERS, LOGIN, VERSION_STRIDE, Family, resource_code

__all__ = ["credential_stuffing"]

_USE: Final = {"mail.read": 4.0, "drive.list": 1.0, "drive.read": 2.0, "drive.export": 1.0}
_THEME_NAMES: Final = [theme.name for theme in THEMES]


def credential_stuffing(stage: Stage, rng: np.random.Generator, day: int, strength: float) -> Plot:
    """Put one on the stage: a burst of an hour or a drizzle of ten, then the use of what opened."""
    accounts = rng.permutation(np.flatnonzero(stage.calendar.present[day]))
    accounts = accounts[: max(8, int(min(350, 0.12 * len(accounts)) * strength))]
    exits = np.array([intruder_address(rng, stage, None) for _ in range(int(rng.integers(2, 7)))])
    begin_s, span_s = rng.uniform(0, 86_400), rng.choice([3_600.0, 36_000.0])
    tries = rng.integers(1, 4, len(accounts))
    hits = np.arange(len(accounts)) < max(2, int(0.015 * len(accounts) * strength))
    first_s = begin_s + rng.uniform(0, span_s, len(accounts))
    exit_of = exits[rng.integers(0, len(exits), len(accounts))]
    parts = [_knocks(stage, rng, day, accounts, tries, hits, first_s, exit_of)]
    for n in np.flatnonzero(hits):
        begin_use_s = first_s[n] + 40.0 * tries[n] + rng.uniform(60, 14_400)
        parts.append(_use(stage, rng, day, int(accounts[n]), begin_use_s, int(exit_of[n])))
    return Plot("credential-stuffing", strength, concatenate(parts))


def _agent(stage: Stage, person: Array, day: int) -> Array:
    """Agent code of a browser the tool pretends to be, another for each account."""
    browser = np.array(BROWSERS)[person % len(BROWSERS)]
    return np.asarray(browser * VERSION_STRIDE + release(stage.town, person, day))


def _time(stage: Stage, day: int, seconds: Array) -> Array:
    return np.asarray(stage.town.start_us + day * DAY_US + (seconds * 1e6).astype(np.int64))


def _knocks(
    stage: Stage,
    rng: np.random.Generator,
    day: int,
    accounts: Array,
    tries: Array,
    hits: Array,
    first_s: Array,
    exit_of: Array,
) -> Columns:
    at = np.repeat(np.arange(len(accounts)), tries)
    nth = np.arange(len(at)) - np.repeat(np.cumsum(tries) - tries, tries)
    opened = hits[at] & (nth == tries[at] - 1)
    person = accounts[at]
    return make_columns(
        len(at),
        time=_time(stage, day, first_s[at] + nth * rng.uniform(3, 40, len(at))),
        subject=person,
        action=LOGIN,
        resource=resource_code(Family.APP, 0),
        address=exit_of[at],
        agent=_agent(stage, person, day),
        failed=~opened,
        session=np.where(opened, session_of(stage.town, person, day, HOME + 4, phone=False), -1),
        role=np.where(opened, ROLES.index("enter"), ROLES.index("try")),
    )


def _use(stage: Stage, rng: np.random.Generator, day: int, person: int, begin_s: float, address: int) -> Columns:
    town, size = stage.town, int(rng.integers(5, 25))
    action = verbs(rng, _USE, size)
    who = np.full(size, person)
    mail = np.isin(action, verbs(rng, {"mail.read": 1.0}, 1))
    theme = np.where(mail, _THEME_NAMES.index("mail"), _THEME_NAMES.index("drive"))
    number = favourite(town, stage.pools, who, theme, rng.integers(0, 10, size), day)
    return make_columns(
        size,
        time=_time(stage, day, begin_s + 3600.0 * spread(rng, size, 50.0)),
        subject=person,
        action=action,
        resource=resource_of(town, theme, town.department[who], number, who, who, day),
        address=address,
        agent=_agent(stage, who, day),
        session=session_of(town, who, day, HOME + 4, phone=False),
        role=ROLES.index("take"),
        **draw_sizes(rng, action, 1.5),
    )
