from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.behaviour.features import FEATURE_COUNT
from tocsin.behaviour.feedback import Feedback

HOUR = 400_000
TOLD = st.lists(st.tuples(st.integers(1, 6), st.booleans(), st.integers(0, 40)), min_size=1, max_size=60)


def learned(rows):
    """Rates after all of `rows` (terminal, bad, eighths of bits), which became known in one hour, in one call."""
    feedback = Feedback()
    columns = _columns([terminal for terminal, _, _ in rows])
    x = np.tile(np.array([[bits / 8] for *_, bits in rows], np.float32), (1, FEATURE_COUNT))
    feedback.learn(x=x, **columns, bad=np.array([bad for _, bad, _ in rows]), known_hour=HOUR + 168)
    return feedback


def _columns(terminals):
    n = len(terminals)
    values = np.zeros((n, 9), np.uint64)
    values[:, 2] = terminals
    return {
        "values": values,
        "subject": np.full(n, 77, np.uint64),
        "kind": np.full(n, 3, np.int8),
        "hour": np.full(n, HOUR, np.int32),
    }


@settings(deadline=None, max_examples=50)
@given(TOLD)
def test_rarer_never_means_safer_and_the_past_never_clears(rows):
    feedback = learned(rows)
    asked = _columns([1, 2, 3, 4, 5, 6]) | {"hour": np.full(6, HOUR + 200, np.int32)}
    extra = feedback.extra(**asked)
    assert (feedback.weights >= 0).all()
    assert (extra >= 0).all()
    assert np.isfinite(feedback.weights).all()
    assert np.isfinite(extra).all()


@settings(deadline=None, max_examples=50)
@given(TOLD, st.randoms(use_true_random=False))
def test_the_order_in_one_hour_does_not_change_the_rates(rows, rng):
    mixed = list(rows)
    rng.shuffle(mixed)
    one, other = learned(rows).arrays(), learned(mixed).arrays()
    for name in ("keys", "days", "base"):
        assert np.array_equal(
            np.sort(one[f"outcomes.{name}"], axis=None), np.sort(other[f"outcomes.{name}"], axis=None)
        )
