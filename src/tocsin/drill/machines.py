"""A day of access keys and workloads: the rhythm of machines, and the people who debug them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.drill.columns import Array, Columns, concatenate, make_columns, mix
from tocsin.drill.ordinary import DAY_US
from tocsin.drill.places import address_at, usual_place
from tocsin.drill.plan import SERVER_NETWORK, address_code, networks
from tocsin.drill.roles import ENGINEERING
from tocsin.drill.sizes import draw_sizes
from tocsin.drill.town import Town, stream
from tocsin.drill.vocabulary import TOOL_AGENTS, VERSION_STRIDE, Family, action_code, resource_code

if TYPE_CHECKING:
    from tocsin.drill.calendar import Calendar

__all__ = [
    "MACHINE_ACTIONS",
    "MACHINE_POOLS",
    "day_of_machines",
    "machine_agent",
    "owner_of",
    "provider_of",
    "resources_for",
]

MACHINE_ACTIONS: Final = action_code(
    "object.get",
    "object.put",
    "object.list",
    "queue.receive",
    "queue.send",
    "table.query",
    "secret.read",
    "identity.get",
)
_FAMILIES: Final = np.array(
    [
        Family.BUCKET,
        Family.BUCKET,
        Family.BUCKET,
        Family.STREAM,
        Family.STREAM,
        Family.TABLE,
        Family.SECRET,
        Family.WHOAMI,
    ]
)
MACHINE_POOLS: Final = np.array([60, 60, 60, 40, 40, 24, 40, 1])
_IDENTITY: Final = len(MACHINE_ACTIONS) - 1
_HOSTING: Final = networks("hosting")
_HABITS: Final = 5
_DEPLOY_D: Final = 45
_DEBUG_ODDS: Final = 0.02


def day_of_machines(town: Town, calendar: Calendar, day: int) -> Columns:
    """Everything keys and workloads do on a day."""
    rng = stream(town.seed, 3, day)
    return concatenate([_routine(town, day, rng), _debugging(town, calendar, day, rng)])


def owner_of(town: Town, machine: Array) -> Array:
    """Name the engineer who answers for a machine."""
    engineers = np.flatnonzero(town.department == ENGINEERING)
    return engineers[mix(town.seed, 60, machine) % len(engineers)]


def machine_agent(town: Town, machine: Array, day: int) -> Array:
    """Agent code of the library a machine was built with, upgraded in its own time."""
    family = np.array(TOOL_AGENTS)[mix(town.seed, 61, machine) % len(TOOL_AGENTS)]
    return family * VERSION_STRIDE + (day + mix(town.seed, 62, machine) % 60) // 60


def machine_address(town: Town, machine: Array, day: int, spot: Array) -> Array:
    """Keys come from a hosting provider, workloads from the servers' network; both are moved now and then."""
    is_key = machine < town.keys
    wide = mix(town.seed, 63, machine) % 3 == 0
    home = mix(town.seed, 64, machine, (day + machine) // 21)
    host = home + mix(town.seed, 65, spot) % np.where(wide, 60, 3)
    inside = mix(town.seed, 67, machine, (day + machine) // 5, spot % 2)
    return np.where(is_key, address_code(provider_of(town, machine), host), address_code(SERVER_NETWORK, inside))


def provider_of(town: Town, machine: Array) -> Array:
    """Network of the hosting provider that runs a key's programs."""
    return np.asarray(_HOSTING[mix(town.seed, 66, machine) % len(_HOSTING)])


def habit(town: Town, machine: Array, place: Array, day: int) -> tuple[Array, Array]:
    """Index of an action, and the resource, at a place of a machine's list; deployments change the list."""
    epoch = (day + mix(town.seed, 68, machine, place) % _DEPLOY_D) // _DEPLOY_D
    act = mix(town.seed, 69, machine, place % 3) % _IDENTITY
    number = mix(town.seed, 70, machine, place, epoch) % MACHINE_POOLS[act]
    return act, resource_code(_FAMILIES[act], number)


def resources_for(act: Array, number: Array) -> Array:
    """Resource codes for indices into `MACHINE_ACTIONS`; numbers wrap."""
    return resource_code(_FAMILIES[act], number % MACHINE_POOLS[act])


def _routine(town: Town, day: int, rng: np.random.Generator) -> Columns:
    machines = np.arange(town.machines)
    weekend = (day + town.weekday) % 7 >= 5  # Saturday and Sunday
    rate = np.exp(2.6 + mix(town.seed, 71, machines) % 180 / 100.0)
    rests = weekend & (mix(town.seed, 72, machines) % 3 == 0)
    backlog = rng.random(town.machines) < 0.015
    count = rng.poisson(rate * np.where(rests, 0.1, 1.0) * np.where(backlog, 4.0, 1.0))
    at = np.repeat(machines, count)
    nth = np.arange(len(at)) - np.repeat(np.cumsum(count) - count, count)
    place = np.minimum(rng.geometric(0.45, len(at)) - 1, _HABITS - 1)
    act, resource = habit(town, at, place, day)
    asks = (rng.random(len(at)) < 0.004) & (at < town.keys)
    act = np.where(asks, _IDENTITY, act)
    volume = np.exp(mix(town.seed, 73, at) % 250 / 100.0 - 1.0) * np.where(rng.random(len(at)) < 0.01, 12.0, 1.0)
    return make_columns(
        len(at),
        time=_rhythm(town, day, at, nth, np.repeat(count, count), rng),
        subject=town.people + at,
        action=MACHINE_ACTIONS[act],
        resource=np.where(asks, resources_for(act, act), resource),
        address=machine_address(town, at, day, nth // 6),
        agent=machine_agent(town, at, day),
        failed=rng.random(len(at)) < 0.006,  # timeouts and throttling
        **draw_sizes(rng, MACHINE_ACTIONS[act], volume),
    )


def _rhythm(town: Town, day: int, machine: Array, nth: Array, count: Array, rng: np.random.Generator) -> Array:
    """Evenly through the day, or, for a third of the machines, in one nightly batch."""
    even = (nth + rng.uniform(0.4, 0.6, len(nth))) / count * 86_400.0
    batch = mix(town.seed, 74, machine) % 86_400 * 0.9 + nth * 20.0 * rng.uniform(0.8, 1.2, len(nth))
    seconds = np.where(mix(town.seed, 75, machine) % 3 == 0, batch, even)
    return town.start_us + day * DAY_US + (seconds * 1e6).astype(np.int64)


def _debugging(town: Town, calendar: Calendar, day: int, rng: np.random.Generator) -> Columns:
    """Engineers who try a key by hand, from wherever they are, with another program and other calls."""
    keys = np.flatnonzero(rng.random(town.keys) < _DEBUG_ODDS)
    keys = keys[calendar.working[day, owner_of(town, keys)]]
    owner = owner_of(town, keys)
    place = usual_place(town, calendar, owner, day, rng)
    begins = (town.start_h[owner] + rng.uniform(0.5, 9.0, len(keys)) - town.utc_offset_h[owner]) * 3600.0
    at = np.repeat(np.arange(len(keys)), rng.integers(3, 25, len(keys)))
    act, resource = habit(town, keys[at], rng.integers(0, _HABITS, len(at)), day)
    other = rng.random(len(at)) < 0.4
    strange = rng.choice([0, 2, 2, 6, _IDENTITY], len(at))
    act = np.where(other, strange, act)
    resource = np.where(other, resources_for(strange, rng.integers(0, 1 << 20, len(at))), resource)
    agent = np.array(TOOL_AGENTS)[mix(town.seed, 76, owner[at], day) % len(TOOL_AGENTS)]
    return make_columns(
        len(at),
        time=town.start_us + day * DAY_US + ((begins[at] + rng.exponential(900, len(at))) * 1e6).astype(np.int64),
        subject=town.people + keys[at],
        action=MACHINE_ACTIONS[act],
        resource=resource,
        address=address_at(town, calendar, place[at], owner[at], day, at),
        agent=agent * VERSION_STRIDE + machine_agent(town, keys[at], day) % VERSION_STRIDE,
        failed=rng.random(len(at)) < 0.08,  # trying things out
        **draw_sizes(rng, MACHINE_ACTIONS[act], 1.0),
    )
