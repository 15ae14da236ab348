"""Who is at work, away, travelling, on call or closing a quarter, day by day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import numpy as np

from tocsin.drill.columns import Array, mix
from tocsin.drill.plan import ABROAD, TOWN_COUNTRIES, networks
from tocsin.drill.roles import ADMIN, DEPARTMENTS, ENGINEERING
from tocsin.drill.town import Town, stream

__all__ = ["Calendar", "draw"]

_TRIP_ODDS_A_DAY: Final = 0.006
_LEAVE_ODDS_A_DAY: Final = 0.006
_HOLIDAY_ODDS: Final = 0.02
_QUARTER_MONTHS: Final = (3, 6, 9, 12)


class Calendar(msgspec.Struct, frozen=True):
    """Facts of each day (rows) for each person (columns)."""

    working: Array
    present: Array
    """Between joining and leaving."""
    guest: Array
    """Number of the guest network where a traveller stays, -1 at home."""
    on_call: Array
    incident: Array
    """True on the nights when the one on call is woken."""
    closing: Array
    """One value a day: is a quarter being closed."""


def draw(town: Town) -> Calendar:
    """Draw the calendar of the whole town."""
    rng = stream(town.seed, 1)
    days = np.arange(town.days)
    weekend = (days + town.weekday) % 7 >= 5
    holiday = rng.random((town.days, len(TOWN_COUNTRIES))) < _HOLIDAY_ODDS
    present = (days[:, None] >= town.joins) & (days[:, None] < town.leaves)
    on_leave = _spells(rng, town, _LEAVE_ODDS_A_DAY, longest=12)[0]
    travelling, trip = _spells(rng, town, _TRIP_ODDS_A_DAY, longest=6)
    on_call = _rota(town)
    working = present & ~weekend[:, None] & ~holiday[:, town.country] & ~on_leave
    return Calendar(
        working=working,
        present=present,
        guest=np.where(travelling & present, _guest_network(town, trip), -1),
        on_call=on_call & present,
        incident=on_call & present & (rng.random((town.days, town.people)) < 0.3),
        closing=np.array([_closes(town.start_us, int(day)) for day in days]),
    )


def _spells(rng: np.random.Generator, town: Town, odds: float, longest: int) -> tuple[Array, Array]:
    """Days on which some spell (a trip, a leave) runs for a person, and the spell's number."""
    begins = np.argwhere(rng.random((town.days, town.people)) < odds)
    running = np.zeros((town.days, town.people), bool)
    number = np.zeros((town.days, town.people), np.int64)
    lengths = rng.integers(2, longest + 1, len(begins))
    for n, ((day, person), length) in enumerate(zip(begins, lengths, strict=True)):
        running[day : day + length, person] = True
        number[day : day + length, person] = n
    return running, number


def _guest_network(town: Town, trip: Array) -> Array:
    """Half of the trips stay in the traveller's country, half go elsewhere, to hotels or to somebody's home."""
    within = np.array([networks("guest", name) for name in TOWN_COUNTRIES])
    beyond = np.concatenate([networks(kind, name) for name in ABROAD for kind in ("guest", "home")])
    draw_ = mix(town.seed, 11, trip)
    near = within[town.country][np.arange(town.people)[None, :], draw_ % within.shape[1]]
    return np.where(mix(town.seed, 12, trip) % 2 == 0, near, beyond[draw_ % len(beyond)])


def _rota(town: Town) -> Array:
    """Administrators and engineers take turns, a week each."""
    weeks = np.arange(town.days)[:, None] // 7
    turn = mix(town.seed, 13, np.arange(town.people)[None, :], weeks) % 100
    share = np.zeros(len(DEPARTMENTS), np.int64)
    share[[ADMIN, ENGINEERING]] = 20, 4
    return turn < share[town.department]


def _closes(start_us: int, day: int) -> bool:
    """Tell whether a day is one of the last four of a quarter or the three that follow."""
    date = datetime.fromtimestamp(start_us / 1e6, UTC) + timedelta(days=day)
    soon = date + timedelta(days=4)
    return (date.month in _QUARTER_MONTHS and soon.month != date.month) or (date.month % 3 == 1 and date.day <= 3)
