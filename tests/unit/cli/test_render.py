from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.cli.output import Output, Printer
from tocsin.cli.render import alert_full, alerts_ranked, alerts_table, finding_full, restrictions_table
from tocsin.record import Alert, Finding, Reason, Restriction

NOW = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)
EVIL = "x\x1b[31m\nfake\u202e[bold]"
REASONS = (
    Reason(feature="hour", bits=7.25, share=0.3, text="03:12 is outside the usual hours"),
    Reason(feature="network", bits=9.0, share=0.7, text=f"first time from {EVIL}"),
)


def alert(**changes):
    fields = {
        "id": "A-000001",
        "severity": "critical",
        "title": "ada: ReadRows",
        "entities": ("user:ada", "ip:203.0.113.9"),
        "first_time": NOW,
        "last_time": NOW,
        "findings": 2,
        "tail_bits": 18.0,
        "reasons": REASONS,
        "absolute": True,
    }
    return Alert(**(fields | changes))


def finding(number):
    return Finding(
        id=f"F-{number:06}",
        seq=number,
        time=NOW,
        entity="user:ada",
        kind="api",
        action=EVIL,
        resource="s3/customers",
        address="203.0.113.9",
        surprise_bits=40.0,
        tail_bits=18.0,
        accumulated_bits=19.0,
        reasons=REASONS,
        source_file="audit.json.gz",
        source_line=41,
        alert_id="A-000001",
    )


def restriction(**changes):
    fields = {
        "id": "R-000001",
        "entity": "user:ada",
        "rung": "suspend",
        "cause": "privileged",
        "alert_id": "A-000001",
        "time": NOW,
        "expires": NOW + timedelta(hours=4),
        "enforced": False,
    }
    return Restriction(**(fields | changes))


@pytest.fixture
def printer():
    return Printer(Output.human)


def test_ranked_alerts_give_the_heaviest_reason_first_and_the_way_to_the_rest(printer, capsys):
    alerts_ranked(printer, [alert()])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "A-000001  critical  2026-03-04 03:12:00Z  user:ada  18.0 bits  2 findings"
    assert lines[2].startswith("     70%  first time from x\\x1b[31m\\nfake\\u202e[bold]")
    assert lines[3] == "     30%  03:12 is outside the usual hours  (hour, 7.2 bits)"
    assert lines[4] == "  more: tocsin explain A-000001"


def test_nothing_a_log_said_reaches_the_terminal_raw(printer, capsys):
    alerts_table(printer, [alert(title=EVIL)])
    alert_full(printer, alert(title=EVIL, entities=(EVIL,)), [finding(1)], [restriction(cause=EVIL, entity=EVIL)])
    finding_full(printer, finding(1))
    restrictions_table(printer, [restriction(cause=EVIL, entity=EVIL)])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[bold]" in out
    assert not any(line.startswith("fake") for line in out.splitlines())


def test_an_alert_in_full_shows_evidence_with_its_place_and_what_followed(printer, capsys):
    alert_full(printer, alert(), [finding(n) for n in range(1, 31)], [restriction()])
    out = capsys.readouterr().out
    assert "audit.json.gz:41 (journal record 1)" in out
    assert "and 10 more" in out
    assert "and 19.0 bits piled up over its last hours" in out
    assert "the absolute rule" in out
    assert "R-000001  suspend user:ada until 2026-03-04 07:12:00Z, shadow: privileged" in out
    assert "why: 18.0 bits: about one event in 262,144 is so surprising" in out


@pytest.mark.parametrize(
    ("bits", "odds"), [(20.0, "about one event in 1,048,576"), (20.1, "fewer than one event in a million")]
)
def test_no_rate_is_claimed_beyond_what_is_seen(printer, capsys, bits, odds):
    alert_full(printer, alert(tail_bits=bits), [], [])
    assert f"why: {bits} bits: {odds} is so surprising\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "shown"), [({}, "shadow"), ({"enforced": True}, "enforced"), ({"state": "held"}, "held")]
)
def test_a_restriction_says_whether_it_acts(printer, capsys, changes, shown):
    restrictions_table(printer, [restriction(**changes)])
    assert capsys.readouterr().out.splitlines()[1].split()[3] == shown


def test_json_is_one_array_and_json_lines_an_object_a_line(capsys):
    Printer(Output.human, as_json=True).many([alert(), alert(id="A-000002")], alerts_table)
    assert [a["id"] for a in json.loads(capsys.readouterr().out)] == ["A-000001", "A-000002"]
    Printer(Output.jsonl).many([alert(), alert(id="A-000002")], alerts_table)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["A-000001", "A-000002"]
    assert json.loads(lines[0])["reasons"][1]["text"] == f"first time from {EVIL}"
    assert "\u202e" not in "".join(lines)
