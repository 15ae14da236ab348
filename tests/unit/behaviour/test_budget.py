"""What was asked for is what is delivered, over tails that drift and bursts; one story rings once."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.behaviour.budget import Terms, forget_stories, new_desk, ring

DAY_S, START_S = 86_400.0, 1_699_833_600.0
PEOPLE, EVENTS_A_DAY, DAYS = 400, 30_000, 60
TERMS = Terms(per_day=10.0, mute_s=4 * 3_600.0, story_s=24 * 3_600.0)


def rung(times, slots, tails, *, terms=TERMS, absolute=None, stories=None, desk=None, first_seq=0):  # noqa: PLR0913 - as the kernel
    """Seq of the alert of each event, its own where it rings; and the desk afterwards."""
    m = len(times)
    desk = desk or new_desk(int(np.max(slots)) + 1)
    absolute = np.zeros(m, bool) if absolute is None else np.asarray(absolute, bool)
    stories = np.zeros(m, np.uint64) if stories is None else np.asarray(stories, np.uint64)
    accumulated, alert_seq = np.empty(m, np.float32), np.empty(m, np.int64)
    slots, tails = np.asarray(slots, np.int32), np.asarray(tails, np.float64)
    done = 0
    while True:
        done = ring(
            desk, terms, first_seq, slots, np.asarray(times, np.float64), tails, tails, absolute, stories,
            accumulated, alert_seq, done,
        )  # fmt: skip
        if done == m:
            return alert_seq, desk
        desk = forget_stories(desk)


def delivered(times, alert_seq):
    """Alerts of each day."""
    own = np.flatnonzero(alert_seq == np.arange(len(alert_seq)))
    return np.bincount(((times[own] - START_S) // DAY_S).astype(int), minlength=DAYS)


def drifting(seed, how):
    """Tails that are exponential, as calibrated ones are, but for what drifts."""
    rng = np.random.default_rng(seed)
    m = DAYS * EVENTS_A_DAY
    times = np.sort(START_S + rng.uniform(0, DAYS * DAY_S, m))
    slots = rng.integers(0, PEOPLE, m)
    tails = rng.exponential(1 / np.log(2), m)
    day = (times - START_S) / DAY_S
    if how == "rising":
        tails *= 1.0 + 0.5 * day / DAYS
    elif how == "migration":
        tails += np.where((slots < PEOPLE // 20) & (day >= 40) & (day < 45), 6.0, 0.0)
    elif how == "quieter":
        tails *= np.where(day > 30, 0.9, 1.0)
    return times, slots, tails


@pytest.mark.parametrize("how", ["steady", "rising", "migration", "quieter"])
@pytest.mark.parametrize("seed", [1, 2])
def test_the_mean_of_any_fortnight_is_within_a_fifth(how, seed):
    times, slots, tails = drifting(seed, how)
    a_day = delivered(times, rung(times, slots, tails)[0])
    fortnights = np.convolve(a_day[14:], np.ones(14) / 14, mode="valid")
    assert len(fortnights) == DAYS - 27
    assert 8.0 <= fortnights.min() <= fortnights.max() <= 12.0, fortnights.round(1)


@pytest.mark.parametrize("per_day", [2.0, 10.0, 50.0])
def test_a_burst_rings_at_most_twice_the_day(per_day):
    times = START_S + np.arange(5_000) * 0.5
    alert_seq, _ = rung(times, np.arange(5_000) % 900, np.full(5_000, 40.0), terms=TERMS._replace(per_day=per_day))
    rang = (alert_seq == np.arange(5_000)).sum()
    assert 1 <= rang <= 2 * per_day + 1 + per_day * 2_500 / DAY_S


def test_the_absolute_rule_rings_outside_the_cap():
    times = START_S + np.arange(300.0)
    alert_seq, _ = rung(times, np.arange(300), np.full(300, 40.0), absolute=np.ones(300, bool))
    assert (alert_seq == np.arange(300)).all()


def after_quiet(hours, tails, quiet=40):
    """Events of one entity, each after as many unremarkable ones; places of them, times and tails."""
    places = np.arange(1, len(hours) + 1) * (quiet + 1) - 1
    all_tails = np.ones(len(hours) * (quiet + 1))
    all_tails[places] = tails
    times = START_S + np.repeat(np.asarray(hours), quiet + 1) * 3_600.0
    return places, times, all_tails


def test_an_entity_that_rang_joins_its_alert_until_the_mute_is_over():
    places, times, tails = after_quiet([0.0, 1.0, 3.9, 4.1], 60.0)
    alert_seq, _ = rung(times, np.zeros(len(times)), tails, first_seq=500)
    first, last = 500 + places[0], 500 + places[3]
    assert alert_seq[places].tolist() == [first, first, first, last]


def test_others_at_the_same_address_join_the_story_until_it_is_over():
    hours, address = np.array([0.0, 1.0, 23.0, 25.0]), 77 << 8
    times = START_S + hours * 3_600
    alert_seq, _ = rung(times, np.arange(4), np.full(4, 60.0), stories=np.full(4, address), first_seq=9)
    assert alert_seq.tolist() == [9, 9, 9, 12]
    apart, _ = rung(times, np.arange(4), np.full(4, 60.0), stories=np.arange(1, 5) << 8, first_seq=9)
    assert apart.tolist() == [9, 10, 11, 12]


def test_joining_spends_nothing_of_the_budget():
    m = 200
    times, address = START_S + np.arange(m) * 10.0, np.full(m, 77 << 8)
    alert_seq, desk = rung(times, np.arange(m), np.full(m, 60.0), stories=address)
    assert set(alert_seq.tolist()) == {0}
    assert desk.control[1] > 2 * TERMS.per_day - 1.5


def test_slow_runs_add_up_and_late_events_do_not():
    _, times, tails = after_quiet([0.0], 1.0, 200)
    run = np.arange(12) * 120.0 + times[-1]
    times, tails = np.append(times, run), np.append(tails, np.full(12, 6.5))
    alert_seq, _ = rung(times, np.zeros(len(times)), tails)
    first = int(np.flatnonzero(alert_seq >= 0)[0]) - 201
    assert 1 <= first < 6, "one alone does not ring, several do"
    silent, _ = rung(times, np.zeros(len(times)), np.where(tails > 6, np.nan, tails))
    assert (silent == -1).all()


def test_a_quota_is_not_filled_with_what_is_not_rare():
    rng = np.random.default_rng(3)
    m = 30 * 500
    times = np.sort(START_S + rng.uniform(0, 30 * DAY_S, m))
    tails = rng.exponential(1 / np.log(2), m)
    alert_seq, _ = rung(times, rng.integers(0, 50, m), tails)
    own = alert_seq == np.arange(m)
    assert 0 < own.sum() / 30 < 0.3 * TERMS.per_day
    assert np.quantile(tails[own], 0.1) > 6.0


def test_nothing_unsurprising_rings_however_much_had_gathered():
    tails = np.array([8.0, 8.0, 2.9])
    alert_seq, _ = rung(START_S + np.arange(3.0), np.zeros(3), tails, terms=TERMS._replace(per_day=0.0))
    assert alert_seq[2] == -1


def test_stories_that_are_over_are_forgotten_and_open_ones_are_not():
    m, open_for = 9_000, int(TERMS.story_s / 60)
    times, keys = START_S + np.arange(m) * 60.0, (np.arange(m) + 1) << 8
    _, desk = rung(times, np.arange(m), np.full(m, 60.0), absolute=np.ones(m, bool), stories=keys)
    held = set((desk.story_keys[desk.story_keys != 0] >> np.uint64(8)).tolist())
    assert set(range(m - open_for + 2, m + 1)) <= held
    assert len(held) < m / 2
