from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tocsin.cli.output import Output, Printer
from tocsin.cli.portrait import Portrait, draw
from tocsin.record import Evidence, Risk

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def test_a_profile_is_drawn_with_its_commonest_values_hours_and_facts(capsys):
    cause = Evidence(
        entity="user:ada",
        cause="new network",
        bits=12.0,
        source="behaviour",
        time=NOW,
        expires=NOW + timedelta(hours=8),
    )
    portrait = Portrait(
        entity="user:ada",
        risk=Risk(entity="user:ada", band="elevated", bits=12.0, causes=(cause,), lapses=NOW + timedelta(hours=3)),
        restrictions=[],
        alerts=[],
        profile={
            "network": {f"AS6450{n}": float(n) for n in range(9)} | {"x\x1b[2J": 99.0},
            "hours": [0.0] * 8 + [1.0, 4.0, 8.0, 2.0] + [0.0] * 12,
            "features": {"action": {"GetObject": 3.0}, "country": {}},
            "known_since": "2026-01-01",
        },
    )
    draw(Printer(Output.human), portrait)
    out = capsys.readouterr().out
    assert "risk  elevated (12.0 bits, lapses 2026-03-04 03:00:00Z)" in out
    assert "12.0 bits from behaviour: new network" in out
    assert "x\\x1b[2J 99, AS64508 8, AS64507 7, AS64506 6, AS64505 5, and 5 more" in out
    assert "00         ▁▄█▂             23  (UTC)" in out
    assert "  action            GetObject 3\n" in out
    assert "  known since       2026-01-01\n" in out
    assert "country" not in out


def test_an_empty_histogram_is_drawn_empty(capsys):
    portrait = Portrait(
        entity="user:ada",
        risk=Risk(entity="user:ada", band="low", bits=0.0, causes=(), lapses=None),
        restrictions=[],
        alerts=[],
        profile={"hours": [0] * 24, "weekdays": [1, 1, 1, 1, 2, 0, 0], "action": {}, "size": {"units": 0}},
    )
    draw(Printer(Output.human), portrait)
    out = capsys.readouterr().out
    assert "  hours             00                          23  (UTC)\n" in out
    assert "  weekdays          Mon ▄▄▄▄█   Sun\n" in out
    assert "size" not in out
