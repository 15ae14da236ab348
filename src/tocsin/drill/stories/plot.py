"""What every story needs: the stage it plays on, the roles its events have, and where intruders come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from tocsin.drill.machines import provider_of
from tocsin.drill.ordinary import DAY_US
from tocsin.drill.plan import NETWORKS, TOWN_COUNTRIES, address_code, networks
from tocsin.drill.vocabulary import action_code

if TYPE_CHECKING:
    from tocsin.drill.calendar import Calendar
    from tocsin.drill.columns import Array, Columns
    from tocsin.drill.town import Town

__all__ = [
    "HARMFUL_ROLES",
    "KINDS",
    "ROLES",
    "Plot",
    "Stage",
    "at_local",
    "intruder_address",
    "one_of",
    "spread",
    "verbs",
]

KINDS: Final = ("admin-at-night", "leaked-key", "bulk-export", "credential-stuffing", "slow-poisoning")
ROLES: Final = ("none", "tidy", "try", "enter", "groom", "look", "take")
"""What an event does in its story; `tidy` is the honest part of a dishonest leaver's last days."""
HARMFUL_ROLES: Final = ("try", "enter", "groom", "look", "take")


class Stage(msgspec.Struct, frozen=True):
    """The town with its calendar, as a story may read it."""

    town: Town
    calendar: Calendar
    pools: Array


class Plot(msgspec.Struct, frozen=True):
    """One instance of a story."""

    kind: str
    strength: float
    """Around 1; how much louder or quieter than usual this instance is."""
    columns: Columns


def at_local(town: Town, person: int, day: int, local_h: Array | float) -> Array:
    """Microseconds since 1970 of hours by a person's clock."""
    seconds = (np.asarray(local_h) - town.utc_offset_h[person]) * 3600.0
    return np.asarray(town.start_us + day * DAY_US + (seconds * 1e6).astype(np.int64))


def spread(rng: np.random.Generator, size: int, mean_gap_s: float) -> Array:
    """Hours after a beginning at which `size` events follow one another."""
    return np.cumsum(rng.exponential(mean_gap_s, size)) / 3600.0


def one_of(rng: np.random.Generator, *preferences: Array) -> int:
    """Draw from the first of the preferences that is not empty; the last never is in a town of the least size."""
    candidates = next(array for array in preferences if len(array))
    return int(candidates[rng.integers(len(candidates))])


def verbs(rng: np.random.Generator, odds: dict[str, float], size: int) -> Array:
    """Draw actions by name with given odds."""
    weights = np.array(list(odds.values()))
    return rng.choice(action_code(*odds), size, p=weights / weights.sum())


def intruder_address(rng: np.random.Generator, stage: Stage, person: int | None, *, nearby: float = 0.3) -> int:
    """Draw an address the victim never had, in a network that other people of the town use too.

    With odds `nearby` it is a home in the victim's own country (a rented proxy), else a hosting
    provider or a home anywhere.
    """
    town = stage.town
    lived_in = np.intersect1d(np.concatenate([town.home, stage.calendar.guest.ravel()]), networks("home"))
    hosting = np.unique(provider_of(town, np.arange(town.keys)))
    if person is not None:
        lived_in = lived_in[lived_in != town.home[person]]
        near = np.intersect1d(lived_in, networks("home", TOWN_COUNTRIES[int(town.country[person])]))
        if len(near) and rng.random() < nearby:
            lived_in = hosting = near
    network = one_of(rng, hosting if rng.random() < 0.45 else lived_in, hosting)
    host = int(rng.integers(1, 1 << NETWORKS[network].host_bits))
    return int(address_code(network, host))
