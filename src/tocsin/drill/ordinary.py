"""A day of people as events: tasks unfold into actions, and sign-ins come before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.drill.columns import Array, Columns, concatenate, make_columns, mix, pick
from tocsin.drill.places import CARRIER, VPN, address_at, agent_on, device_on, release
from tocsin.drill.roles import ADMIN, ENGINEERING, THEMES, theme_actions
from tocsin.drill.sizes import draw_sizes
from tocsin.drill.tasks import Tasks, day_of_tasks
from tocsin.drill.town import Town, favourite, stream
from tocsin.drill.vocabulary import (
    LOGIN,
    PROJECT_STRIDE,
    TOOL_AGENTS,
    VERSION_STRIDE,
    Family,
    action_code,
    resource_code,
)

if TYPE_CHECKING:
    from tocsin.drill.calendar import Calendar

__all__ = ["DAY_US", "day_of_people", "resource_of", "session_of"]

DAY_US: Final = 86_400_000_000
_ACTIONS: Final = theme_actions()
_FAMILY: Final = np.array([theme.family for theme in THEMES])
_EXPORTS: Final = {
    "drive": "drive.export",
    "crm": "crm.export",
    "ledger": "ledger.report",
    "table": "table.export",
    "repo": "repo.clone",
    "admin": "admin.log.export",
}
_EXPORT: Final = np.array([action_code(_EXPORTS[t.name])[0] if t.name in _EXPORTS else -1 for t in THEMES])
_TOOL_THEMES: Final = np.array([t.name in ("repo", "table", "admin") for t in THEMES])
_RANKS: Final = 14
_EXPLORES: Final = 0.035
_STRAYS: Final = 0.006
_REFUSED: Final = 0.004
_SESSION_SHIFT: Final = 22


def session_of(town: Town, person: Array | int, day: int, place: Array | int, *, phone: Array | bool) -> Array:
    """Session number of a person on a device from a place that day."""
    return mix(town.seed, 50, person, day, place, np.asarray(phone, np.int64)) >> _SESSION_SHIFT


def day_of_people(town: Town, calendar: Calendar, pools: Array, day: int) -> Columns:
    """Everything people do of their own accord on a day."""
    rng = stream(town.seed, 2, day)
    tasks = day_of_tasks(town, calendar, day, rng)
    return concatenate([_actions(town, calendar, pools, day, tasks, rng), _logins(town, calendar, day, tasks, rng)])


def _actions(town: Town, calendar: Calendar, pools: Array, day: int, tasks: Tasks, rng: np.random.Generator) -> Columns:
    size = tasks["size"] * np.where(tasks["bulk"], 6, 1)
    at = np.repeat(np.arange(len(size)), size)
    person, theme, place = tasks["person"][at], tasks["theme"][at], tasks["place"][at]
    bulk, phone = tasks["bulk"][at], tasks["phone"][at]
    action = pick(rng, _ACTIONS[theme])
    action = np.where(bulk & (_EXPORT[theme] >= 0) & (rng.random(len(at)) < 0.55), _EXPORT[theme], action)
    resource, strayed = _choose_resource(town, pools, day, tasks, at, rng)
    factor = town.volume[person] * np.where(bulk, np.exp(rng.exponential(0.9, len(size)))[at], 1.0)
    return make_columns(
        len(at),
        time=_unfold(town, day, tasks["start_s"], size, np.where(tasks["bulk"], 30.0, 55.0), rng),
        subject=person,
        action=action,
        resource=resource,
        address=address_at(town, calendar, place, person, day, at * (place == CARRIER)),
        device=device_on(town, person, day, place, phone),
        agent=_agents(town, person, day, theme, phone, at),
        failed=rng.random(len(at)) < np.where(strayed, 0.25, _REFUSED),
        session=session_of(town, person, day, place, phone=phone),
        **draw_sizes(rng, action, factor),
    )


def _unfold(town: Town, day: int, start_s: Array, size: Array, gap_s: Array, rng: np.random.Generator) -> Array:
    """Unfold tasks into the times of their events: exponential gaps after its start."""
    gaps = rng.exponential(np.repeat(gap_s, size))
    total = np.cumsum(gaps)
    ends = np.cumsum(size)
    before = np.where(ends - size > 0, total[np.maximum(ends - size, 1) - 1], 0.0)
    seconds = np.repeat(start_s - before, size) + total
    return town.start_us + day * DAY_US + (seconds * 1e6).astype(np.int64)


def _agents(town: Town, person: Array, day: int, theme: Array, phone: Array, task: Array) -> Array:
    """Browsers and phones, and for a third of technical tasks a tool."""
    technical = np.isin(town.department[person], (ADMIN, ENGINEERING)) & _TOOL_THEMES[theme]
    tool = np.array(TOOL_AGENTS)[mix(town.seed, 51, person, theme) % len(TOOL_AGENTS)]
    uses = technical & (mix(town.seed, 52, day, task) % 3 == 0)
    return np.where(uses, tool * VERSION_STRIDE + release(town, person, day), agent_on(town, person, day, phone))


def _choose_resource(
    town: Town, pools: Array, day: int, tasks: Tasks, at: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Choose what each event touches, and tell whether that lies outside the person's own department."""
    person, theme, whose = tasks["person"][at], tasks["theme"][at], tasks["whose"][at]
    once = rng.random((2, len(tasks["size"])))
    rank = np.minimum(rng.geometric(0.33, len(tasks["size"])) - 1, _RANKS)[at]
    rank = np.where(rng.random(len(at)) < 0.25, np.minimum(rng.geometric(0.33, len(at)) - 1, _RANKS), rank)
    own = town.department[person]
    strays = (once[0] < _STRAYS)[at]
    department = np.where(strays, rng.integers(0, len(pools), len(once[0]))[at], own)
    number = favourite(town, pools, whose, theme, rank, day)
    roam = strays | (once[1] < _EXPLORES)[at]
    number = np.where(roam, rng.integers(0, 1 << 30, len(at)) % pools[department, theme], number)
    owner = np.where(strays | (rng.random(len(at)) < 0.004), rng.integers(0, town.people, len(at)), person)
    return resource_of(town, theme, department, number, owner, person, day), strays & (department != own)


def resource_of(
    town: Town, theme: Array, department: Array, number: Array, owner: Array, person: Array, day: int
) -> Array:
    """Code of a theme's resource: a project of a department, or a mailbox of its owner."""
    family = _FAMILY[theme]
    renamed = (family == Family.DRIVE) & town.moves[person] & (day >= town.migration_day)
    within = np.select(
        [family == Family.DRIVE, family == Family.CHANNEL, family == Family.MAILBOX],
        [department * PROJECT_STRIDE + number, department * 1000 + number, owner],
        number,
    )
    return resource_code(np.where(renamed, Family.FILES, family), within)


def _logins(town: Town, calendar: Calendar, day: int, tasks: Tasks, rng: np.random.Generator) -> Columns:
    """One sign-in before the first task from each place (phones stay signed in), mistyped now and then."""
    key = (tasks["person"] * 8 + tasks["place"]) * 2 + tasks["phone"]
    order = np.lexsort((tasks["start_s"], key))
    first = order[np.flatnonzero(np.diff(key[order], prepend=-1))]
    kept = first[~tasks["phone"][first] | (rng.random(len(first)) < 0.15)]
    mistypes = np.where(rng.random(len(kept)) < 0.06, np.minimum(rng.geometric(0.6, len(kept)), 5), 0)
    at = np.repeat(kept, mistypes + 1)
    tries_left = np.repeat(np.cumsum(mistypes + 1), mistypes + 1) - np.arange(len(at)) - 1
    person, place, phone = tasks["person"][at], tasks["place"][at], tasks["phone"][at]
    seconds = tasks["start_s"][at] - rng.uniform(4, 9, len(at)) - 12.0 * tries_left
    app = np.select([phone, place == VPN, town.department[person] == ADMIN], [1, 3, 2], 0)
    return make_columns(
        len(at),
        time=town.start_us + day * DAY_US + (seconds * 1e6).astype(np.int64),
        subject=person,
        action=LOGIN,
        resource=resource_code(Family.APP, app),
        address=address_at(town, calendar, place, person, day, at * (place == CARRIER)),
        device=device_on(town, person, day, place, phone),
        agent=agent_on(town, person, day, phone),
        failed=tries_left > 0,
        session=np.where(tries_left > 0, -1, session_of(town, person, day, place, phone=phone)),
    )
