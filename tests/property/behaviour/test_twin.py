"""The kernel against the referee, event by event."""

from __future__ import annotations

import numpy as np
import pytest

from .twin import PRECISE, Twin, one_by_one


@pytest.mark.parametrize(("seed", "subjects", "days"), [(11, 20, 6.0), (12, 60, 50.0), (13, 3, 2.0)])
def test_the_kernel_does_what_the_formulas_say(street, seed, subjects, days):
    events = street.events(3_000, seed, subjects=subjects, days=days)
    model = street.model(quarantine_bits=6.0)
    seen = model.observe(events, 0)
    twin = Twin(model.limits, model.calib.weights, 3_600.0)
    late = 0
    for i, event in enumerate(one_by_one(events)):
        surprise, tail, x = twin.observe(event)
        if x is None:
            assert np.isnan(seen.out.tail[i])
            late += 1
            continue
        np.testing.assert_allclose(seen.out.x[i], x, atol=PRECISE, err_msg=f"event {i}")
        assert seen.out.tail[i] == pytest.approx(tail, abs=PRECISE), i
        assert seen.out.surprise[i] == pytest.approx(surprise, abs=100 * PRECISE), i
    assert late > 0
    assert any(units < 0 for who in twin.profiles.values() for units, _ in who.values.values())
