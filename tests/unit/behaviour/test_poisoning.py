"""How fast somebody who shares an account can make something of their own ordinary for it; the pages state the rate."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.behaviour import features as f
from tocsin.behaviour.layout import F_GROUP, R_N
from tocsin.behaviour.parents import backed_off
from tocsin.behaviour.registry import find_slots
from tocsin.behaviour.values import cell_key, own_share

from . import made

VICTIM, NEIGHBOUR, PASSER_BY = 0, 7, 8
NETWORK, DEVICE, RESOURCE = (f.NETWORK, f.NETWORK, 999), (f.DEVICE, 8, 888), (f.RESOURCE, 2, 77_000)
UNITS_AN_HOUR = 1.0
"""The stated rate: what an hour of use adds to a value at most, however often it is used in it."""
RELEASE_DAYS = 3
"""The stated wait: distinct days on which a value far out must be seen before it begins to count."""
FLOOD_BITS = 5.0
"""The stated reach of one entity's flood into what the same value costs another, in raw bits."""


def the_owner(day):
    return made.working_days(1, first_day=day, seed=day, who=[VICTIM])


def the_intruder(day, hours=(17, 18), every_s=120, **own):
    """An event every two minutes of some hours of a day."""
    starts = made.MONDAY_S + day * made.DAY_S + np.array(hours)[:, None] * made.HOUR_S
    times = (starts + np.arange(0, 3_600, every_s)).ravel()
    what = {"action": 0, "resource": 0, "size": 12.0} | own
    return made.events(VICTIM, times, **what)


def share(model, who, value):
    """Probability that an entity's own past gives a value."""
    row = made.row_of(model, who)
    own, mass = own_share(row, value[0], max(np.nan_to_num(made.units(model, who, *value)), 0.0))
    return own + mass * own


def practised(model, days, **own):
    """Share that the intruder's network has after each day of two hours, and units of it."""
    for day in range(made.DAYS, made.DAYS + days):
        mine = the_intruder(day, **own)
        owner = the_owner(day)
        model.observe(made.joined(owner, mine) if len(owner.hour) else mine, 10_000_000 + day * 10_000)
        yield day - made.DAYS + 1, model


def test_little_by_little_teaches_one_unit_an_hour_and_no_more(office):
    """A network in the first week, a device in the second, new resources in every one."""
    model, known = office(), made.row_of(office(), VICTIM)[f.NETWORK]
    for days, _ in practised(model, 7, place=999):
        hours = 2 * days
        assert np.nan_to_num(made.units(model, VICTIM, *NETWORK)) <= UNITS_AN_HOUR * (hours - 1)
        assert share(model, VICTIM, NETWORK) <= 1.5 * UNITS_AN_HOUR * hours / known
    for day in range(made.DAYS + 7, made.DAYS + 28):
        what = {"place": 999, "device": 888, "resource": 77_000 + day // 7}
        mine = the_intruder(day, **what)
        model.observe(made.joined(the_owner(day), mine), 20_000_000 + day * 10_000)
        hours = 2 * (day - made.DAYS - 6)
        assert np.nan_to_num(made.units(model, VICTIM, *DEVICE)) <= UNITS_AN_HOUR * (hours - 1)
        assert share(model, VICTIM, DEVICE) <= 1.5 * UNITS_AN_HOUR * hours / known
    for week in range((made.DAYS + 7) // 7, (made.DAYS + 28) // 7):
        of_a_week = made.units(model, VICTIM, f.RESOURCE, 2, 77_000 + week)
        assert np.nan_to_num(of_a_week) <= UNITS_AN_HOUR * 14


def test_what_is_far_out_counts_for_nothing_before_its_third_day(office):
    model = office(quarantine_bits=6.0)
    for days, _ in practised(model, 6, place=999, device=888, resource=77_000):
        for value in (NETWORK, DEVICE, RESOURCE):
            held = made.units(model, VICTIM, *value)
            if days < RELEASE_DAYS:
                assert held == -days, "in quarantine, a day counted once"
            else:
                assert held <= UNITS_AN_HOUR * (2 * (days - RELEASE_DAYS) + 1)


def test_the_owner_stays_ordinary_meanwhile(office):
    plain, shared = office(), office()
    last = made.DAYS + 11
    for day in range(made.DAYS, last):
        owner = the_owner(day)
        if len(owner.hour):
            plain.observe(owner, day * 10_000)
            shared.observe(made.joined(owner, the_intruder(day, place=999)), day * 10_000)
    told = [np.median(model.observe(the_owner(last), 10**9).out.tail) for model in (plain, shared)]
    assert told[1] < told[0] + 2.0


def raw_bits(model, who, value, hour):
    """What a value the entity does not own costs it, before calibration."""
    slots, row = np.empty(1, np.int32), made.row_of(model, who)
    find_slots(model.ents, made.hashed(10, who), slots)
    group = int(model.ents.facts[slots[0], F_GROUP])
    key = np.uint64(cell_key(made.hashed(*value[1:])[0], value[0]))
    parents = model.parents
    p, _ = backed_off(parents.table, parents.totals, value[0], key, group, hour)
    _, mass = own_share(row, value[0], 0.0)
    return -np.log2(mass * p)


def test_a_flood_of_one_entity_hardly_moves_another(office):
    start = made.MONDAY_S + made.DAYS * made.DAY_S + 9 * made.HOUR_S
    times = start + np.arange(5_000) * 2 * made.HOUR_S / 5_000
    flood = made.events(NEIGHBOUR, times, resource=21, place=999, size=12.0)
    probe = made.events(VICTIM, start + 4 * made.HOUR_S, resource=0, place=999, size=12.0)
    raw, calibrated = [], []
    for happened in (made.events(NEIGHBOUR, times[:1], resource=21, size=12.0), flood):
        model = office(quarantine_bits=256)  # in practice such a flood is far out, and teaches nothing at all
        model.observe(happened, 10**7)
        calibrated.append(float(model.observe(probe, 10**8).out.x[0, f.NETWORK]))
        raw.append(raw_bits(model, VICTIM, NETWORK, int(probe.hour[0])))
    assert made.units(model, NEIGHBOUR, *NETWORK) == UNITS_AN_HOUR
    assert 0.1 < raw[0] - raw[1] <= FLOOD_BITS
    assert calibrated[0] - calibrated[1] <= FLOOD_BITS


def test_a_flood_of_five_thousand_weighs_what_two_events_weigh(office):
    start = made.MONDAY_S + made.DAYS * made.DAY_S + 9 * made.HOUR_S
    told = []
    for count in (2, 5_000):
        model = office(quarantine_bits=256)
        times = start + np.linspace(0, 2 * made.HOUR_S - 1, count)
        model.observe(made.events(NEIGHBOUR, times, resource=21, place=999, size=12.0), 10**7)
        model.observe(made.events(PASSER_BY, start + 3 * made.HOUR_S, size=12.0), 10**8)
        told.append(raw_bits(model, VICTIM, NETWORK, int(start // 3_600) + 3))
    assert told[0] == told[1], "parents count entities"


@pytest.mark.parametrize(("minute", "units"), [(5, 0.0), (56, 1.0)])
def test_fifty_repeats_within_minutes_are_one_unit_at_most(office, minute, units):
    model = office(quarantine_bits=256)
    start = made.MONDAY_S + made.DAYS * made.DAY_S + 10 * made.HOUR_S + minute * 60
    batch = made.events(VICTIM, start + np.arange(50) * 9.6, resource=0, place=999, size=12.0)
    seen = model.observe(batch, 10**7)
    assert made.units(model, VICTIM, *NETWORK) == units
    assert share(model, VICTIM, NETWORK) <= UNITS_AN_HOUR / made.row_of(model, VICTIM)[R_N + f.NETWORK]
    within = batch.hour == batch.hour[0]
    assert np.ptp(seen.out.x[within, f.NETWORK]) < 0.5, "nothing of it is learned within the hour"
