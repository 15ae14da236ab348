"""The people and machines of the town and their lasting habits, drawn once from the seed."""

from __future__ import annotations

from typing import Final

import msgspec
import numpy as np

from tocsin.drill.columns import Array, mix
from tocsin.drill.plan import TOWN_COUNTRIES, UTC_OFFSETS_H, networks
from tocsin.drill.roles import ADMIN, DEPARTMENTS, ENGINEERING, THEMES
from tocsin.drill.vocabulary import BROWSERS, PHONE_AGENTS

__all__ = ["OFFICE_MOVE", "Town", "found", "pool_sizes", "stream", "subject_text"]

OFFICE_MOVE: Final = 10
"""Offices from this number on stand empty until the migration."""
PEOPLE_PER_MACHINE: Final = 10
LEAST_MACHINES: Final = 8


class Town(msgspec.Struct, frozen=True):
    """Habits as arrays, one value for each person (or for each machine, where the name says so)."""

    seed: int
    days: int
    start_us: int
    """First midnight, UTC, in microseconds since 1970."""
    weekday: int
    """Weekday of the first day; 0 is Monday."""
    people: int
    machines: int
    """Keys first, then workloads; their subject codes follow the people's."""
    keys: int
    migration_day: int
    """A day after the end where there is none."""
    department: Array
    country: Array
    utc_offset_h: Array
    office: Array
    seat: Array
    home: Array
    customer: Array
    lease_d: Array
    """Days for which a home keeps its IPv4 address."""
    carrier: Array
    start_h: Array
    length_h: Array
    tasks_a_day: Array
    remote: Array
    vpn: Array
    phone: Array
    """Moments with the phone a day."""
    unmanaged: Array
    """True where a person at home uses a computer of their own, which the log cannot name."""
    volume: Array
    """Factor on every size."""
    browser: Array
    phone_agent: Array
    release_lag_d: Array
    themes: Array
    """Cumulative odds of each theme, a row for each person."""
    joins: Array
    leaves: Array
    moves: Array
    """True for those whom the migration moves."""
    new_laptop: Array
    """Day on which each gets another laptop; after the end for most."""
    new_phone: Array


def stream(seed: int, *place: int) -> np.random.Generator:
    """Make the generator of one corner of the town, the same whatever else was drawn."""
    return np.random.default_rng([seed, *place])


def pool_sizes(people: int) -> Array:
    """How many resources each department (rows) has in each theme (columns)."""
    heads = np.array([d.share for d in DEPARTMENTS]) * people
    least = np.array([t.pool_least for t in THEMES])
    wanted = heads[:, None] * np.array([t.pool_per_person for t in THEMES])
    return np.asarray(np.maximum(least, wanted.astype(np.int64)))


def subject_text(town: Town, code: int) -> str:
    """Write a subject code as an entity."""
    if code < town.people:
        return f"user:p{code:05d}@town.example"
    machine = code - town.people
    return f"key:TK{machine:05d}" if machine < town.keys else f"workload:svc-{machine - town.keys:04d}"


def found(seed: int, *, people: int, days: int, start_us: int, weekday: int, migration_day: int | None) -> Town:
    """Draw a town."""
    rng = stream(seed, 0)
    machines = max(LEAST_MACHINES, people // PEOPLE_PER_MACHINE)
    department = _departments(rng, people)
    country = rng.choice(5, people, p=[0.34, 0.2, 0.22, 0.14, 0.1])
    office = country + 5 * (rng.random(people) < 0.4)
    it = (department == ADMIN) | (department == ENGINEERING)
    return Town(
        seed=seed,
        days=days,
        start_us=start_us,
        weekday=weekday,
        people=people,
        machines=machines,
        keys=machines // 2,
        migration_day=days if migration_day is None else migration_day,
        department=department,
        country=country,
        utc_offset_h=np.array(UTC_OFFSETS_H)[country],
        office=office,
        seat=rng.integers(1, 40, people),
        home=_local(rng, country, "home"),
        customer=rng.integers(0, 1 << 16, people),
        lease_d=rng.integers(4, 60, people),
        carrier=_local(rng, country, "carrier"),
        start_h=np.clip(rng.normal(8.6, 0.9, people) + 0.6 * it, 6.0, 12.0),
        length_h=np.clip(rng.normal(8.8, 0.9, people), 6.0, 12.0),
        tasks_a_day=np.clip(rng.lognormal(0.72, 0.45, people), 0.7, 8.0),
        remote=rng.beta(0.9, 1.4, people),
        vpn=np.where(rng.random(people) < 0.35, rng.beta(1.5, 3.0, people), 0.02),
        phone=rng.gamma(1.2, 0.45, people),
        unmanaged=rng.random(people) < 0.18,
        volume=rng.lognormal(0.0, 0.5, people),
        browser=np.array(BROWSERS)[rng.choice(5, people, p=[0.4, 0.25, 0.12, 0.05, 0.18])],
        phone_agent=rng.choice(np.array(PHONE_AGENTS), people),
        release_lag_d=rng.integers(0, 21, people),
        themes=_theme_odds(rng, department),
        joins=np.where(rng.random(people) < 0.04, rng.integers(2, max(3, days - 5), people), -1),
        leaves=np.where(rng.random(people) < 0.03, rng.integers(min(8, days), days + 1, people), days + 1),
        moves=np.isin(office, rng.permutation(OFFICE_MOVE)[:3]),
        new_laptop=np.where(rng.random(people) < 0.004 * days, rng.integers(0, days, people), days + 1),
        new_phone=np.where(rng.random(people) < 0.002 * days, rng.integers(0, days, people), days + 1),
    )


def _departments(rng: np.random.Generator, people: int) -> Array:
    """Largest remainders, so that even a small town has two administrators."""
    counts = np.maximum(2, (np.array([d.share for d in DEPARTMENTS]) * people).astype(np.int64))
    fill = np.repeat(np.arange(len(DEPARTMENTS)), counts)[:people]
    extra = rng.choice(len(DEPARTMENTS), people - len(fill), p=[d.share for d in DEPARTMENTS])
    return rng.permutation(np.concatenate([fill, extra]))


def _local(rng: np.random.Generator, country: Array, kind: str) -> Array:
    """Draw a network of a kind in everyone's own country, the first providers the largest."""
    options = [networks(kind, name) for name in TOWN_COUNTRIES]  # type: ignore[arg-type]
    chosen = np.minimum(rng.geometric(0.4, len(country)) - 1, 100)
    return np.array([options[c][n % len(options[c])] for c, n in zip(country, chosen, strict=True)])


def _theme_odds(rng: np.random.Generator, department: Array) -> Array:
    """Everyone leans their own way within the department's mix."""
    mean = np.array([[d.themes.get(theme.name, 0.0) for theme in THEMES] for d in DEPARTMENTS])[department]
    drawn = rng.gamma(np.maximum(mean * 8.0, 1e-6)) * (mean > 0) + 1e-12
    return np.cumsum(drawn / drawn.sum(axis=1, keepdims=True), axis=1)


def favourite(town: Town, pools: Array, person: Array, theme: Array, rank: Array, day: int) -> Array:
    """Look up the project at a rank of a person's list; each place of a list turns over slowly, in its own time."""
    epoch = (day + mix(town.seed, person, theme, rank) % 120) // 120
    return mix(town.seed, 7, person, theme, rank, epoch) % pools[town.department[person], theme]
