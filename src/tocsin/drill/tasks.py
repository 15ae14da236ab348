"""A day of people as tasks: who turns to which sort of work, when, from where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.drill.columns import Array, mix, pick
from tocsin.drill.places import CARRIER, GUEST, HOME, OFFICE, usual_place
from tocsin.drill.roles import ADMIN, FINANCE, SALES, THEMES

if TYPE_CHECKING:
    from tocsin.drill.calendar import Calendar
    from tocsin.drill.town import Town

__all__ = ["Tasks", "day_of_tasks"]

Tasks = dict[str, Array]
"""Columns `person, theme, start_s, size, place, phone, bulk, whose`, one row for each task.

`start_s` counts from midnight UTC; `whose` is the person whose projects the task is on.
"""

_NAMES: Final = [theme.name for theme in THEMES]
_MAIL: Final = _NAMES.index("mail")
_DRIVE: Final = _NAMES.index("drive")
_INCIDENT_THEMES: Final = {True: ("admin", "table", "crm", "ticket"), False: ("repo", "table", "ticket", "table")}
_TIDY_D: Final = 5
_MEAN_SIZE: Final = 3.4
_BULK_ODDS: Final = 0.006
_BULK_ODDS_CLOSING: Final = 0.06
_COVER_ODDS: Final = 0.008


def day_of_tasks(town: Town, calendar: Calendar, day: int, rng: np.random.Generator) -> Tasks:
    """All tasks that people begin on a day."""
    parts = [
        _work(town, calendar, day, rng),
        _out_of_hours(town, calendar, day, rng),
        _phones(town, calendar, day, rng),
        _incidents(town, calendar, day, rng),
        _tidying(town, calendar, day, rng),
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _tasks(rng: np.random.Generator, town: Town, person: Array, local_h: Array, **given: Array | bool | int) -> Tasks:
    tasks: dict[str, Array | bool | int] = {
        "person": person,
        "theme": pick(rng, town.themes[person]),
        "start_s": (local_h - town.utc_offset_h[person]) * 3600.0,
        "size": rng.geometric(1 / _MEAN_SIZE, len(person)),
        "place": HOME,
        "phone": False,
        "bulk": False,
        "whose": person,
    }
    return {name: np.broadcast_to(given.get(name, value), person.shape) for name, value in tasks.items()}


def _work(town: Town, calendar: Calendar, day: int, rng: np.random.Generator) -> Tasks:
    staff = np.flatnonzero(calendar.working[day])
    busy = np.isin(town.department[staff], (FINANCE, SALES)) & calendar.closing[day]
    place_today = usual_place(town, calendar, staff, day, rng)
    covering = rng.random(len(staff)) < _COVER_ODDS
    colleague = _colleague(town, staff, day)
    start = town.start_h[staff] + rng.normal(0, 0.35, len(staff))
    length = town.length_h[staff] * np.clip(rng.normal(1.0, 0.12, len(staff)), 0.5, 1.5) + 2.0 * busy
    each = rng.poisson(town.tasks_a_day[staff] * np.where(busy, 1.6, 1.0) * np.where(covering, 1.6, 1.0))
    at = np.repeat(np.arange(len(staff)), each)
    half = rng.random(len(at)) < 0.5
    within = 0.5 * rng.beta(1.6, 1.6, len(at)) + 0.5 * half
    odds = np.where(busy[at], _BULK_ODDS_CLOSING, _BULK_ODDS)
    return _tasks(
        rng,
        town,
        staff[at],
        start[at] + length[at] * within,
        place=place_today[at],
        bulk=rng.random(len(at)) < odds,
        whose=np.where(covering[at] & (rng.random(len(at)) < 0.6), colleague[at], staff[at]),
    )


def _colleague(town: Town, person: Array, day: int) -> Array:
    """Somebody of the same department for whom each could stand in today."""
    order = np.argsort(town.department, kind="stable")
    first = np.searchsorted(town.department[order], town.department[person])
    heads = np.bincount(town.department)[town.department[person]]
    return order[first + mix(town.seed, 40, person, day) % heads]


def _out_of_hours(town: Town, calendar: Calendar, day: int, rng: np.random.Generator) -> Tasks:
    """Evenings and weekends with the laptop at home."""
    odds = np.where(calendar.working[day], 0.05, 0.025) * calendar.present[day]
    staff = np.flatnonzero(rng.random(town.people) < odds)
    person = np.repeat(staff, rng.integers(1, 4, len(staff)))
    free = ~calendar.working[day, person]
    local_h = np.where(free, rng.uniform(9, 22, len(person)), rng.uniform(19.5, 23.8, len(person)))
    away = calendar.guest[day, person] >= 0
    return _tasks(rng, town, person, local_h, place=np.where(away, GUEST, HOME))


def _phones(town: Town, calendar: Calendar, day: int, rng: np.random.Generator) -> Tasks:
    """Mail and chat on the phone, from the carrier's pool or the home's wireless network."""
    mean = town.phone * np.where(calendar.working[day], 1.0, 0.5) * calendar.present[day]
    person = np.repeat(np.arange(town.people), rng.poisson(mean))
    shape = person.shape
    place = np.where(rng.random(shape) < 0.65, CARRIER, np.where(calendar.guest[day, person] >= 0, GUEST, HOME))
    theme = _MAIL + (rng.random(shape) < 0.4)
    size = rng.geometric(0.5, shape)
    return _tasks(
        rng, town, person, 6.5 + 17.0 * rng.beta(1.4, 1.4, shape), theme=theme, place=place, phone=True, size=size
    )


def _incidents(town: Town, calendar: Calendar, day: int, rng: np.random.Generator) -> Tasks:
    """Nights on which those on call are woken: late, often from elsewhere, sometimes moving much."""
    woken = np.flatnonzero(calendar.incident[day])
    person = np.repeat(woken, rng.integers(2, 7, len(woken)))
    shape = person.shape
    choices = np.array([[_NAMES.index(n) for n in _INCIDENT_THEMES[admin]] for admin in (False, True)])
    theme = choices[(town.department[person] == ADMIN).astype(np.int64), rng.integers(0, 4, shape)]
    begins = mix(town.seed, 41, person, day) % 800 / 100.0 + 21.5
    place = np.where(mix(town.seed, 42, person, day) % 5 == 0, CARRIER, HOME)
    place = np.where(calendar.guest[day, person] >= 0, GUEST, place)
    bulk = rng.random(shape) < 0.2
    return _tasks(rng, town, person, begins + rng.exponential(0.6, shape), theme=theme, place=place, bulk=bulk)


def _tidying(town: Town, calendar: Calendar, day: int, rng: np.random.Generator) -> Tasks:
    """Honest leavers hand over: in the last days they download what they worked on."""
    last = (
        (town.leaves - day <= _TIDY_D) & calendar.working[day] & (mix(town.seed, 43, np.arange(town.people)) % 2 == 0)
    )
    staff = np.flatnonzero(last)
    person = np.repeat(staff, rng.integers(1, 4, len(staff)))
    place = np.where(town.remote[person] > 0.5, HOME, OFFICE)
    local_h = town.start_h[person] + rng.uniform(0.5, 8.0, person.shape)
    return _tasks(rng, town, person, local_h, theme=_DRIVE, place=place, bulk=True)
