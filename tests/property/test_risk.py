from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tocsin.record import RISK_BANDS, Evidence
from tocsin.trust.risk import assess, band_of, keep

START = datetime(2026, 1, 1, tzinfo=UTC)
ENTITY = "user:ada"

moments = st.integers(0, 200_000).map(lambda s: START + timedelta(seconds=s))
pieces = st.builds(
    lambda cause, bits, source, time, lasts: Evidence(
        entity=ENTITY, cause=cause, bits=bits, source=source, time=time, expires=time + timedelta(seconds=lasts)
    ),
    st.sampled_from(["a", "b", "c"]),
    st.floats(0, 80),
    st.sampled_from(["behaviour", "network", "pool", "person"]),
    moments,
    st.integers(0, 200_000),
)
bundles = st.lists(pieces, max_size=8)


@given(bundles, moments, st.randoms())
def test_the_order_in_which_evidence_came_does_not_matter(evidence, now, random):
    shuffled = list(evidence)
    random.shuffle(shuffled)
    assert assess(ENTITY, evidence, now) == assess(ENTITY, shuffled, now)


@given(bundles, pieces, moments)
def test_more_evidence_never_lowers_risk(evidence, piece, now):
    assert assess(ENTITY, [*evidence, piece], now).bits >= assess(ENTITY, evidence, now).bits


@given(bundles, moments)
def test_the_same_evidence_twice_counts_once(evidence, now):
    assert assess(ENTITY, evidence * 2, now) == assess(ENTITY, evidence, now)


@given(bundles, moments, st.integers(0, 200_000))
def test_waiting_never_raises_risk(evidence, now, seconds):
    begun = [e for e in evidence if e.time <= now]
    later = assess(ENTITY, begun, now + timedelta(seconds=seconds))
    assert later.bits <= assess(ENTITY, begun, now).bits + 1e-9


@given(bundles, moments)
def test_risk_is_low_when_it_lapses_and_not_a_second_before(evidence, now):
    risk = assess(ENTITY, [e for e in evidence if e.time <= now], now)
    if risk.lapses is None:
        assert risk.band == "low"
    else:
        assert assess(ENTITY, risk.causes, risk.lapses).band == "low"
        assert assess(ENTITY, [e for e in evidence if e.time <= now], risk.lapses).band == "low"
        before = risk.lapses - timedelta(seconds=1)
        assert before <= now or assess(ENTITY, [e for e in evidence if e.time <= now], before).band != "low"


@given(bundles, moments, st.integers(0, 200_000))
def test_what_is_dropped_never_counts_again(evidence, now, seconds):
    later = now + timedelta(seconds=seconds)
    assert assess(ENTITY, keep(evidence, now), later).bits == assess(ENTITY, evidence, later).bits


@given(st.floats(0, 100), st.floats(0, 100))
def test_bands_grow_with_bits(one, other):
    low, high = sorted((one, other))
    assert RISK_BANDS.index(band_of(low)) <= RISK_BANDS.index(band_of(high))
