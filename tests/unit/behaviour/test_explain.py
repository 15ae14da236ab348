"""Words for every feature, shares that add up, and hostile text that stays data."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tocsin.behaviour import features as f
from tocsin.behaviour.explain import OUTCOMES, reasons

ROW = {
    "time": datetime(2023, 11, 14, 3, 12, tzinfo=UTC),
    "kind": "api",
    "action": "ExportTable",
    "outcome": "success",
    "resource": "customers",
    "counterparty": "host:db-7",
    "origin.address": "203.0.113.9",
    "origin.network": "AS64500",
    "origin.country": "NL",
    "origin.agent": "curl/8.4",
    "origin.agent_family": "curl",
    "origin.device": "laptop-9",
    "bytes_in": 10,
    "bytes_out": 1_000_000,
    "count": 4_000,
    "amount": 950.0,
}
WEIGHTS = np.stack([np.ones(f.FEATURE_COUNT), np.zeros(f.FEATURE_COUNT)], axis=1)


def told(x, facts=None, extra=0.0, row=ROW):
    bits, known = np.zeros(f.FEATURE_COUNT), np.zeros((f.FEATURE_COUNT, 2), np.float32)
    for feature, value in x.items():
        bits[feature] = value
    for feature, pair in (facts or {}).items():
        known[feature] = pair
    return reasons(bits, known, WEIGHTS, extra, row)


@pytest.mark.parametrize(
    ("feature", "facts", "words"),
    [
        (f.ACTION, {f.ACTION: (0, 4)}, ["first time it did ExportTable (success)", "4 of its peers"]),
        (f.RESOURCE, {f.RESOURCE: (0, 0)}, ["first time it touched customers", "none of its peers"]),
        (f.COUNTERPARTY, {f.COUNTERPARTY: (3, 0)}, ["dealt with host:db-7", "about 3 hours"]),
        (f.ADDRESS, {}, ["first time from address 203.0.113.9"]),
        (f.SUBNET, {}, ["from the subnet of 203.0.113.9"]),
        (f.NETWORK, {f.NETWORK: (0, 0)}, ["first time from network AS64500"]),
        (f.COUNTRY, {}, ["first time from country NL"]),
        (f.AGENT, {}, ["first time by agent curl"]),
        (f.DEVICE, {f.DEVICE: (12, 0)}, ["on device laptop-9", "about 12 hours"]),
        (f.HOUR, {f.HOUR: (15, 24), f.WEEKDAY: (0.992, 4_118)}, ["03:12", "99.2%", "4,118", "07:30 and 19:30"]),
        (f.WEEKDAY, {}, ["Tuesday"]),
        (f.BYTES, {f.BYTES: (10, 0)}, ["1,000,010", "978 times", "1,023"]),
        (f.COUNT, {f.COUNT: (0, 0)}, ["rows 4,000", "next to none"]),
        (f.AMOUNT, {f.AMOUNT: (5, 0)}, ["amount 950", "31 times", "for it"]),
        (f.KIND_AMOUNT, {f.KIND_AMOUNT: (5, 0)}, ["amount 950", "for everyone"]),
        (f.VOLUME, {f.VOLUME: (10, 20)}, ["1,048,575 moved within the hour", "1,023 is usual"]),
        (f.RATE_SUBJECT, {f.RATE_SUBJECT: (60, 1.5)}, ["about 60 events of this entity", "1.5 is usual"]),
        (f.RATE_PAIR, {f.RATE_PAIR: (60, 1)}, ["60 events"]),
        (f.RATE_TARGET, {f.RATE_TARGET: (60, 1)}, ["60 events against this target"]),
    ],
)
def test_a_feature_speaks_in_words_and_numbers(feature, facts, words):
    (reason,) = told({feature: 9.0}, facts)
    assert reason.feature == f.FEATURES[feature]
    assert reason.bits == 9.0
    assert reason.share == pytest.approx(1.0)
    for word in words:
        assert word in reason.text


def test_shares_are_in_order_and_never_add_to_more_than_one():
    rng = np.random.default_rng(1)
    for _ in range(200):
        x = dict(enumerate(rng.exponential(4.0, f.FEATURE_COUNT) * (rng.random(f.FEATURE_COUNT) < 0.5)))
        shares = [reason.share for reason in told(x, extra=float(rng.choice([0.0, 9.0])))]
        assert sum(shares) <= 1.0 + 1e-9
        assert shares == sorted(shares, reverse=True)


def test_past_outcomes_have_a_share_and_nothing_has_none():
    first, second = told({f.NETWORK: 4.0}, extra=24.0)
    assert first.feature == OUTCOMES
    assert first.share == pytest.approx(0.75)
    assert second.share == pytest.approx(0.25)
    assert told({}) == ()


@pytest.mark.parametrize(
    "text",
    [
        "x" * 100_000,
        "\x1b[2J\x1b]0;pwned\x07",
        "{0.__class__} %s %(n)d",
        "<script>alert(1)</script>",
        "",
        "\u202egnp.exe",
    ],
)
def test_hostile_text_is_only_data(text):
    row = ROW | {name: text for name in ROW if isinstance(ROW[name], str) and name not in {"kind", "outcome"}}
    for feature in range(f.CATEGORICAL):
        (reason,) = told({feature: 9.0}, row=row)
        assert len(reason.text) < 250
        assert text[:120] in reason.text, "shown as it came, cut; those who print it escape it"


def test_an_event_that_says_nothing_of_itself_is_still_explained():
    bare = {"time": ROW["time"], "action": "ls"}
    for feature in range(f.FEATURE_COUNT):
        (reason,) = told({feature: 9.0}, {feature: (1, 1)}, row=bare)
        assert reason.text
