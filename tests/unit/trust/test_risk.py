from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tocsin.record import Evidence
from tocsin.trust.risk import assess, band_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def evidence(bits, cause="new network", source="behaviour", entity="user:ada", hours=8.0, ago_h=0.0):  # noqa: PLR0913, PLR0917 - what a test may vary
    time = NOW - timedelta(hours=ago_h)
    return Evidence(
        entity=entity, cause=cause, bits=bits, source=source, time=time, expires=time + timedelta(hours=hours)
    )


@pytest.mark.parametrize(
    ("bits", "band"), [(0, "low"), (7.99, "low"), (8, "elevated"), (16, "high"), (24, "critical"), (900, "critical")]
)
def test_bands_begin_where_stated(bits, band):
    assert band_of(bits) == band


def test_the_heaviest_of_one_cause_counts_and_causes_add():
    risk = assess("user:ada", [evidence(10), evidence(12), evidence(5, cause="hour")], NOW)
    assert risk.bits == 17
    assert [c.bits for c in risk.causes] == [12, 5]
    assert risk.band == "high"


def test_the_same_cause_from_another_source_is_independent():
    assert assess("user:ada", [evidence(10), evidence(10, source="pool")], NOW).bits == 20


def test_evidence_halves_when_half_its_time_is_gone():
    assert assess("user:ada", [evidence(12, hours=8, ago_h=4)], NOW).bits == pytest.approx(6)


def test_what_is_not_begun_or_over_or_of_another_does_not_count():
    pieces = [evidence(20, ago_h=-1), evidence(20, ago_h=8), evidence(20, entity="user:bo"), evidence(float("nan"))]
    risk = assess("user:ada", pieces, NOW)
    assert (risk.bits, risk.band, risk.causes, risk.lapses) == (0, "low", (), None)


def test_sixteen_bits_over_eight_hours_lapse_after_four():
    lapses = assess("user:ada", [evidence(16)], NOW).lapses
    assert lapses is not None
    assert abs(lapses - NOW - timedelta(hours=4)) <= timedelta(seconds=1)


def test_no_piece_weighs_more_than_the_cap():
    assert assess("user:ada", [evidence(1e9)], NOW).bits == 64
