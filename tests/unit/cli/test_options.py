from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from tocsin.cli.options import duration_s, moment


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("1.5h", 5400), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_durations(text, seconds):
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-7d", "1e3s", "7dd", "9999999999d"])
def test_what_is_no_duration(text):
    with pytest.raises(typer.BadParameter):
        duration_s(text)


def test_moments_are_utc_unless_they_say_otherwise():
    expected = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)
    assert (
        moment("2026-03-04T03:12:00Z") == moment("2026-03-04 03:12") == moment("2026-03-04T05:12:00+02:00") == expected
    )
    with pytest.raises(typer.BadParameter):
        moment("yesterday")
