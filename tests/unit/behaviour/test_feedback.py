from __future__ import annotations

import numpy as np

from tocsin.behaviour.features import AMOUNT, COUNTERPARTY, FEATURE_COUNT
from tocsin.behaviour.feedback import Feedback
from tocsin.behaviour.layout import first_weights

DAY = 24
PAYMENT = 3
START = 400_000


def told(feedback, *, terminal, bad, hour, known_hour=None, bits=0.0, subject=None):  # noqa: PLR0913 - an outcome has this many sides
    """Teach outcomes of payments at `terminal` (a number or one for each), `bits` of amount each."""
    n = len(bad)
    x = np.zeros((n, FEATURE_COUNT), np.float32)
    x[:, AMOUNT] = bits
    feedback.learn(
        x=x, **columns(terminal, n, hour, subject), bad=np.array(bad), known_hour=known_hour or hour + 7 * DAY
    )


def columns(terminal, n, hour, subject=None):
    values = np.zeros((n, 9), np.uint64)
    values[:, COUNTERPARTY] = terminal
    who = np.arange(1, n + 1) if subject is None else np.full(n, subject)
    return {
        "values": values,
        "subject": who.astype(np.uint64),
        "kind": np.full(n, PAYMENT, np.int8),
        "hour": np.full(n, hour, np.int32),
    }


def test_nothing_changes_without_a_verdict():
    feedback = Feedback()
    assert (feedback.weights == first_weights()).all()
    assert not feedback.extra(**columns(5, 3, START)).any()


def test_a_terminal_with_bad_outcomes_adds_to_the_surprise_of_others_there_and_of_nobody_else():
    feedback = Feedback()
    told(feedback, terminal=np.arange(10, 110), bad=[False] * 100, hour=START)
    told(feedback, terminal=7, bad=[True] * 4, hour=START, subject=999)
    later = START + 7 * DAY
    assert feedback.extra(**columns(7, 1, later, subject=5))[0] > 10
    assert feedback.extra(**columns(8, 1, later, subject=5000))[0] == 0


def test_good_outcomes_known_later_clear_a_terminal():
    feedback = Feedback()
    told(feedback, terminal=7, bad=[True] * 4, hour=START)
    before = feedback.extra(**columns(7, 1, START + 8 * DAY, subject=5000))[0]
    told(feedback, terminal=7, bad=[False] * 8, hour=START + 4 * DAY)
    after = feedback.extra(**columns(7, 1, START + 11 * DAY, subject=5000))[0]
    assert after < before / 2


def test_a_month_later_the_past_is_forgotten():
    feedback = Feedback()
    told(feedback, terminal=7, bad=[True] * 4, hour=START)
    assert feedback.extra(**columns(7, 1, START + 60 * DAY, subject=5000))[0] == 0


def test_what_was_rare_and_bad_comes_to_count_for_more_and_the_rest_for_less():
    feedback, rng = Feedback(), np.random.default_rng(4)
    for week in range(12):
        bad = rng.random(400) < 0.05
        bits = np.where(bad, 10 + 2 * rng.random(400), rng.exponential(1.4, 400))
        told(feedback, terminal=rng.integers(1, 300, 400), bad=bad, hour=START + week * 7 * DAY, bits=bits)
    bend = feedback.weights[PAYMENT, AMOUNT]
    assert bend[0] * 10**1.5 + bend[1] * 2 > 1.1 * 10**1.5
    assert (feedback.weights >= 0).all()
    assert (feedback.weights[0] == first_weights()[0]).all()


def test_only_bad_outcomes_leave_the_weights_alone():
    feedback = Feedback()
    told(feedback, terminal=7, bad=[True] * 50, hour=START, bits=9.0)
    assert (feedback.weights == first_weights()).all()


def test_state_survives():
    feedback = Feedback()
    told(feedback, terminal=np.arange(1, 101), bad=[True] * 20 + [False] * 80, hour=START, bits=3.0)
    other = Feedback()
    other.restore({name: value.copy() for name, value in feedback.arrays().items()})
    asked = columns(3, 5, START + 8 * DAY)
    assert (other.extra(**asked) == feedback.extra(**asked)).all()
    for one in (feedback, other):
        told(one, terminal=3, bad=[True] * 5, hour=START + DAY, bits=2.0)
    assert (other.weights == feedback.weights).all()


def test_memory_is_bounded_and_what_was_bad_stays():
    feedback = Feedback(most_places=1 << 12)
    told(feedback, terminal=7, bad=[True] * 3, hour=START, subject=1)
    for k in range(8):
        told(
            feedback, terminal=np.arange(1000 * k + 10, 1000 * k + 1010), bad=[False] * 1000, hour=START + k, subject=2
        )
    assert len(feedback.arrays()["outcomes.keys"]) == 1 << 12
    assert feedback.extra(**columns(7, 1, START + 7 * DAY, subject=5000))[0] > 0
