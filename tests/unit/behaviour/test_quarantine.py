"""What lets a value out of quarantine, what keeps it there, and what a verdict does."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.behaviour import features as f
from tocsin.behaviour.judge import judge
from tocsin.behaviour.layout import CONDEMNED
from tocsin.behaviour.model import Model
from tocsin.config import BehaviourSettings, Settings

from . import made

WHO = 3
NETWORK = (f.NETWORK, f.NETWORK, 999)
FAR, NEAR = 0.01, 256.0
"""Bounds of quarantine under which all events are far out, and none."""


def strange(day, hour=10, place=999):
    """One event, all of it new to its subject but for the action."""
    time = made.MONDAY_S + (made.DAYS + day) * made.DAY_S + hour * made.HOUR_S
    return made.events(WHO, time, action=WHO % 8, resource=55_555, place=place, device=777, size=12.0)


def bound(model, bits, release_days=3):
    model.configure(Settings(behaviour=BehaviourSettings(quarantine_bits=bits, release_days=release_days)))


def held(model):
    return made.units(model, WHO, *NETWORK)


@pytest.mark.parametrize("days", [2, 3, 5])
def test_it_comes_out_on_as_many_distinct_days_as_were_set(office, days):
    model = office(quarantine_bits=FAR, release_days=days)
    for day in range(days):
        for hour in (8, 9, 15):
            model.observe(strange(day, hour), day * 100 + hour)
        assert held(model) == (-1.0 - day if day + 1 < days else 0.0)
    bound(model, NEAR)
    model.observe(strange(days), 10_000)
    assert held(model) == 1.0, "on probation it counts from its next hour"


def test_gaps_between_the_days_do_not_matter_and_quiet_returns_count_too(office):
    model = office(quarantine_bits=FAR)
    model.observe(strange(0), 1)
    bound(model, NEAR)
    model.observe(strange(9), 2)
    model.observe(strange(30), 3)
    assert held(model) == 0.0


def test_a_good_verdict_releases_at_once(office):
    model = office(quarantine_bits=FAR)
    event = strange(0)
    before = model.observe(event, 1).out.x[0, f.NETWORK]
    judge(model.ents, event, np.array([False]))
    assert held(model) == 1.0
    assert model.observe(strange(0, 11), 2).out.x[0, f.NETWORK] < before


def test_a_bad_verdict_never_lets_it_return(office):
    model = office(quarantine_bits=FAR)
    event = strange(0)
    first = model.observe(event, 1).out.x[0, f.NETWORK]
    judge(model.ents, event, np.array([True]))
    for day in range(1, 40):
        bound(model, NEAR if day % 2 else FAR)
        for hour in (8, 9):
            last = model.observe(strange(day, hour), day * 100 + hour).out.x[0, f.NETWORK]
    assert held(model) <= CONDEMNED
    assert last > first - 3.0


def test_a_bad_verdict_on_what_is_on_probation_condemns_it_and_leaves_what_is_owned(office):
    model = office(quarantine_bits=NEAR)
    event = strange(0, place=WHO // 10)
    model.observe(event, 1)
    owned = made.units(model, WHO, f.NETWORK, f.NETWORK, WHO // 10)
    judge(model.ents, event, np.array([True]))
    assert made.units(model, WHO, f.NETWORK, f.NETWORK, WHO // 10) == owned > 1
    assert made.units(model, WHO, f.DEVICE, 8, 777) == CONDEMNED


def test_good_after_bad_lets_it_out(office):
    model = office(quarantine_bits=FAR)
    event = strange(0)
    model.observe(event, 1)
    judge(model.ents, event, np.array([True]))
    judge(model.ents, event, np.array([False]))
    assert held(model) == 1.0


def test_a_verdict_on_somebody_idle_on_disk_counts_once_recalled(tmp_path):
    settings = Settings(behaviour=BehaviourSettings(quarantine_bits=FAR, max_entities=4))
    model, event = Model(settings, tmp_path / "cold"), strange(0)
    model.observe(event, 0)
    for who in range(20, 60):
        model.observe(made.events(who, event.times_s[0] + 7_200 + who * 3_600), who)
    assert np.isnan(held(model)), "on disk by now"
    judge(model.ents, event, np.array([True]))
    model.recall(event.subject)
    assert held(model) == -1.0, "a verdict passes over who is not in memory"
    judge(model.ents, event, np.array([True]))
    assert held(model) == CONDEMNED
