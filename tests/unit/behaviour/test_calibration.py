"""A bit is a bit for those hardly known too: one event in a hundred has a hundredth's worth of bits, or fewer."""

from __future__ import annotations

import numpy as np
import pytest

from tocsin.behaviour.model import Model
from tocsin.config import Settings

from . import made


def newcomers(days=70, a_day=250, seed=3):
    """People who come for some events and never again, beside those who come every day; nobody does harm."""
    rng = np.random.default_rng(seed)
    m = days * a_day * 4
    day = np.sort(rng.integers(0, days, m))
    new = rng.random(m) < 0.5
    who = np.where(new, 1_000 + day * a_day + rng.integers(0, a_day, m), rng.integers(0, 200, m))
    times = made.MONDAY_S + day * made.DAY_S + np.floor(rng.uniform(8, 18, m) * made.HOUR_S)
    batch = made.events(
        who,
        times,
        action=rng.geometric(0.4, m),
        resource=rng.geometric(0.05, m),
        place=rng.geometric(0.1, m),
        host=rng.integers(0, 60, m),
        size=rng.normal(12, 2, m),
    )
    return made.joined(batch)


@pytest.fixture(scope="module")
def seen():
    batch = newcomers()
    # what the first weeks taught is forgotten with a half-life of fourteen days: until then bits are too few
    observed = Model(Settings()).observe(batch, 0)
    settled = batch.times_s > made.MONDAY_S + 50 * made.DAY_S
    return observed.out.tail[settled], observed.out.known[settled]


@pytest.mark.parametrize("nominal", [0.01, 0.05])
@pytest.mark.parametrize(("least", "most"), [(0, 5), (1, 5), (5, 1e9)])
def test_false_positives_are_near_nominal_however_little_is_known(seen, nominal, least, most):
    tail, known = seen
    those = (known >= least) & (known < most)
    assert those.sum() > 2_000
    rate = (tail[those] >= -np.log2(nominal)).mean()
    assert nominal / 4 <= rate <= nominal * 1.5, f"{rate:.4f}"


def test_all_in_all_the_rate_is_the_nominal_one(seen):
    tail, _ = seen
    for nominal in (0.1, 0.03, 0.01):
        assert (tail >= -np.log2(nominal)).mean() == pytest.approx(nominal, rel=0.5)
