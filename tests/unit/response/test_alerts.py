from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tocsin.record import Finding, Reason
from tocsin.response import join_alert, open_alert, severity_of

NOW = datetime(2026, 1, 1, 3, 12, tzinfo=UTC)


def finding(seq=41_337, bits=15.0, **changes):
    plain = Finding(
        id=f"F-{seq}",
        seq=seq,
        time=NOW,
        entity="user:ada",
        kind="api",
        action="ReadRows",
        resource="s3/customers",
        address="203.0.113.9",
        surprise_bits=40.0,
        tail_bits=bits,
        accumulated_bits=bits,
        reasons=(
            Reason(feature="hour", bits=7, share=0.3, text="03:12 is outside the usual hours"),
            Reason(feature="network", bits=9, share=0.7, text="first time from network AS64500"),
        ),
        source_file="log",
        source_line=1,
        alert_id="A-0018BS",
    )
    return msgspec.structs.replace(plain, **changes)


@pytest.mark.parametrize(
    ("bits", "accumulated", "absolute", "severity"),
    [
        (5, 0, False, "low"),
        (5, 19.9, False, "low"),
        (5, 20, False, "medium"),
        (10, 0, False, "medium"),
        (16, 0, False, "high"),
        (9, 32, False, "high"),
        (99, 99, False, "high"),
        (12, 0, True, "high"),
        (18, 0, True, "critical"),
    ],
)
def test_severity(bits, accumulated, absolute, severity):
    assert severity_of(finding(bits=bits, accumulated_bits=accumulated), absolute=absolute) == severity


def test_an_alert_says_who_did_what_and_the_heaviest_reasons_first():
    alert = open_alert(finding(), absolute=False)
    assert alert.id == "A-0018BS"
    assert alert.title == "ada: ReadRows on s3/customers (first time from network AS64500)"
    assert alert.entities == ("user:ada", "ip:203.0.113.9", "resource:s3/customers")


def test_a_worse_finding_names_and_grades_the_story():
    alert = open_alert(finding(), absolute=False)
    worse = finding(seq=50_000, bits=21.0, action="DropTable", time=NOW + timedelta(hours=1), resource=None)
    joined = join_alert(alert, worse, absolute=True)
    assert joined.id == alert.id
    assert joined.title.startswith("ada: DropTable (")
    assert (joined.severity, joined.findings, joined.tail_bits, joined.absolute) == ("critical", 2, 21.0, True)
    assert (joined.first_time, joined.last_time) == (NOW, NOW + timedelta(hours=1))


def test_a_lesser_finding_only_counts():
    alert = open_alert(finding(bits=21), absolute=True)
    joined = join_alert(alert, finding(seq=50_000, bits=5), absolute=False)
    assert (joined.title, joined.severity, joined.absolute, joined.findings) == (alert.title, "critical", True, 2)


def test_long_and_many_values_stay_bounded():
    alert = open_alert(finding(action="x" * 10_000, resource="y" * 10_000), absolute=False)
    for number in range(50):
        alert = join_alert(alert, finding(seq=number, resource=f"r{number}"), absolute=False)
    assert len(alert.title) <= 240
    assert len(alert.entities) == 16
