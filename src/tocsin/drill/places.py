"""Where people act from, and what they act with, on a given day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.drill.columns import Array, mix
from tocsin.drill.plan import NETWORKS, address_code, networks
from tocsin.drill.town import OFFICE_MOVE, Town
from tocsin.drill.vocabulary import VERSION_STRIDE

if TYPE_CHECKING:
    from tocsin.drill.calendar import Calendar

__all__ = [
    "CARRIER",
    "GUEST",
    "HOME",
    "OFFICE",
    "VPN",
    "address_at",
    "agent_on",
    "device_on",
    "device_text",
    "release",
    "usual_place",
]

OFFICE: Final = 0
HOME: Final = 1
GUEST: Final = 2
VPN: Final = 3
CARRIER: Final = 4

_EXITS: Final = networks("vpn")
_HOSTING: Final = networks("hosting")
_NEAREST_EXIT: Final = np.array([0, 1, 2, 3, 2])
_V6_HOMES: Final = np.array([n for n in networks("home") if NETWORKS[n].v6])
_RELEASE_D: Final = 28


def usual_place(town: Town, calendar: Calendar, person: Array, day: int, rng: np.random.Generator) -> Array:
    """Choose where each works this day: a guest network, the VPN, home or the office."""
    away = calendar.guest[day, person] >= 0
    remote = rng.random(len(person)) < town.remote[person]
    tunnel = rng.random(len(person)) < town.vpn[person] * np.where(away | remote, 1.0, 0.1)
    return np.select([tunnel, away, remote], [VPN, GUEST, HOME], OFFICE)


def address_at(town: Town, calendar: Calendar, place: Array, person: Array, day: int, spot: Array) -> Array:
    """Addresses for people at places; `spot` tells apart moments whose address may differ (phones roam)."""
    seed = town.seed
    desk = town.seat[person] * 256 + mix(seed, 20, person, (day + person % 7) // 4) % 250 + 1
    office = town.office[person] + np.where(town.moves[person] & (day >= town.migration_day), _moved(town, person), 0)
    lease = mix(seed, 21, person, (day + town.customer[person]) // town.lease_d[person]) % 4096
    home = np.where(_speaks_v6(town.home[person]), town.customer[person] << 8 | mix(seed, 22, person, day) % 256, lease)
    roaming = (mix(seed, 23, person) % 8 << 12) + mix(seed, 24, person, day, spot) % 1500
    guest = np.maximum(calendar.guest[day, person], 0)
    room = mix(seed, 25, person, guest) % 65536
    return np.select(
        [place == OFFICE, place == HOME, place == GUEST, place == CARRIER],
        [
            address_code(office, desk),
            np.where(
                _hides(town, person, day), _private_exit(town, person, day), address_code(town.home[person], home)
            ),
            address_code(guest, room),
            address_code(town.carrier[person], roaming),
        ],
        address_code(_exit(town, person, day), mix(seed, 26, person, day, spot) % 24),
    )


def _moved(town: Town, person: Array) -> Array:
    """Distance to the site people move to, in their own country."""
    return OFFICE_MOVE + town.country[person] - town.office[person]


def _hides(town: Town, person: Array, day: int) -> Array:
    """Tell who at home goes through a private tunnel that ends at a hosting provider."""
    return np.asarray((mix(town.seed, 32, person) % 10 == 0) & (mix(town.seed, 33, person, day) % 12 == 0))


def _private_exit(town: Town, person: Array, day: int) -> Array:
    provider = _HOSTING[mix(town.seed, 34, person, day // 30) % len(_HOSTING)]
    return address_code(provider, mix(town.seed, 35, person, day) % 64 + 1024)


def _speaks_v6(network: Array) -> Array:
    return np.isin(network, _V6_HOMES)


def _exit(town: Town, person: Array, day: int) -> Array:
    """Choose the nearest exit, another one now and then, and another for all on days of maintenance."""
    shifted = mix(town.seed, 27, day) % 12 == 0
    odd = mix(town.seed, 28, person, day) % 8 == 0
    return np.asarray(_EXITS[(_NEAREST_EXIT[town.country[person]] + shifted + odd) % len(_EXITS)])


def release(town: Town, person: Array, day: int) -> Array:
    """Releases of a program since the first day that have reached a person by now."""
    return (day - town.release_lag_d[person]) // _RELEASE_D + 1


def agent_on(town: Town, person: Array, day: int, phone: Array) -> Array:
    """Agent code of a person's browser, or of the mail program on their phone."""
    swapped = (day >= town.new_laptop[person]) & (mix(town.seed, 30, person) % 2 == 0)
    browser = np.where(swapped, (town.browser[person] + 1) % 5, town.browser[person])
    return np.where(phone, town.phone_agent[person], browser) * VERSION_STRIDE + release(town, person, day)


def device_on(town: Town, person: Array, day: int, place: Array, phone: Array) -> Array:
    """Device code, `4 * person + which`; -1 for a computer the organisation does not manage."""
    laptop = 4 * person + (day >= town.new_laptop[person])
    own = town.unmanaged[person] & (place == HOME) & (mix(town.seed, 31, person, day) % 3 == 0)
    return np.where(phone, 4 * person + 2 + (day >= town.new_phone[person]), np.where(own, -1, laptop))


def device_text(code: int) -> str:
    """Write a device code as an inventory would name it."""
    person, which = divmod(code, 4)
    return f"{'phone' if which >= 2 else 'laptop'}-{person:05d}-{which % 2}"  # two laptops, then two phones
