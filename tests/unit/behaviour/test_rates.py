from __future__ import annotations

import numpy as np
import pytest

from tocsin.behaviour.layout import new_rates
from tocsin.behaviour.rates import measure_rates

DAY_S = 86_400.0
START_S = 20_000 * DAY_S
SUBJECT, PAIR, TARGET = range(3)


def count(rates, keys, times, out):
    table = rates.table
    return measure_rates(rates, table.view(np.float32), table.view(np.uint32), keys, times, out, 0, 1_000)


def measure(times_s, *, batch=None):
    """Bits, fast and usual counts of one subject, pair and target that meet at these times."""
    times = np.asarray(times_s, np.float64)
    keys = np.tile(np.array([11, 21, 31], np.uint64) << np.uint64(20) | np.uint64(1), (len(times), 1))
    out, rates = np.zeros((len(times), 3, 3), np.float32), new_rates()
    for start in range(0, len(times), batch or len(times)):
        part = slice(start, start + (batch or len(times)))
        assert count(rates, keys[part], times[part], out[part]) == len(times[part])
    return out


def burst(day, size):
    return START_S + day * DAY_S + 3_600.0 + np.arange(size) // 10


def test_a_first_event_is_worth_little():
    assert measure([START_S])[0, :, 0].max() < 2.5


def test_bits_grow_through_a_burst_and_keep_growing():
    bits = measure(burst(0, 5_000))[:, SUBJECT, 0]
    assert np.diff(bits).min() > -0.01, "only what fades within a second is lost"
    assert bits[-1] > bits[499] + 3.0


def test_a_nightly_job_becomes_a_habit_of_its_subject_but_a_target_has_none():
    nights = [burst(day, 500) for day in range(20)]
    out = measure(np.concatenate(nights))
    last_of_night = np.arange(1, 21) * 500 - 1
    bits = out[last_of_night, :, 0]
    assert bits[0, SUBJECT] > 12.0
    assert bits[-1, SUBJECT] < 1.0
    assert bits[-1, TARGET] > 6.0


def test_one_flood_hardly_moves_what_is_usual():
    out = measure(np.concatenate([burst(0, 3_000), burst(1, 1)]))
    assert out[-1, SUBJECT, 2] < 10.0
    again = measure(np.concatenate([burst(0, 3_000), burst(1, 3_000)]))
    assert again[-1, SUBJECT, 0] > 12.0


def test_late_events_and_missing_keys_have_no_bits():
    out, rates = np.zeros((2, 3, 3), np.float32), new_rates()
    keys = np.array([[5, 0, 7], [5, 6, 7]], np.uint64)
    count(rates, keys, np.array([START_S, -1.0]), out)
    assert out[0, PAIR, 0] == -1.0
    assert np.all(out[1, :, 0] == -1.0)
    assert rates.meta[0] == 2


@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_batches_change_nothing(batch):
    times = np.concatenate([burst(0, 700), burst(1, 700), burst(3, 50)])
    np.testing.assert_array_equal(measure(times), measure(times, batch=batch))
