"""Alerts, explanations and restrictions through the real command line over a real home."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from tocsin.record import Alert, Finding, Reason, Restriction
from tocsin.store import Control, Home

NOW = datetime.now(UTC).replace(microsecond=0)
EVIL = "\x1b[31mred\u202e"


def reasons(text="first time from network AS64500"):
    return (
        Reason(feature="network", bits=9, share=0.7, text=text),
        Reason(feature="hour", bits=7, share=0.3, text="03:12 is outside the usual hours"),
    )


def finding(number, alert):
    return Finding(
        id=f"F-{number:06}",
        seq=number,
        time=NOW,
        entity="user:ada",
        kind="api",
        action="ReadRows",
        resource="s3/customers",
        address="203.0.113.9",
        surprise_bits=40.0,
        tail_bits=18.0,
        accumulated_bits=19.0,
        reasons=reasons(EVIL),
        source_file="audit.json",
        source_line=number + 1,
        alert_id=alert,
    )


def alert(name, severity, bits, title="ada: ReadRows"):
    return Alert(
        id=name,
        severity=severity,
        title=title,
        entities=("user:ada",),
        first_time=NOW,
        last_time=NOW,
        findings=2,
        tail_bits=bits,
        reasons=reasons(),
        absolute=False,
    )


def restriction(name, **changes):
    fields = {
        "id": name,
        "entity": "user:ada",
        "rung": "limit",
        "cause": "privileged",
        "alert_id": "A-000001",
        "time": NOW - timedelta(hours=1),
        "expires": NOW + timedelta(hours=4),
        "enforced": False,
    }
    return Restriction(**(fields | changes))


@pytest.fixture
def home(tmp_path):
    path = tmp_path / "tocsin-home"
    with Home.open(path, writer=True) as opened:
        opened.records.put_alerts([alert("A-000001", "low", 12.0, EVIL), alert("A-000002", "critical", 18.0)])
        opened.records.put_findings([finding(1, "A-000001"), finding(2, "A-000001"), finding(3, "A-000002")])
        opened.records.put_restrictions(
            [
                restriction("R-000001"),
                restriction("R-000002", expires=NOW - timedelta(minutes=1), state="expired"),
                restriction("R-000003", entity="user:bo", state="held", note="blast radius"),
            ]
        )
    return path


def controls(path):
    with Home.open(path, writer=False) as opened:
        return [(e.kind, json.loads(e.body)) for e in opened.journal.read() if isinstance(e, Control)]


def test_alerts_are_listed_worst_first(tocsin, home):
    ran = tocsin("alerts", "list")
    assert (ran.status, ran.err) == (0, "")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["ALERT", "A-000002", "A-000001"]
    assert "\\x1b[31mred\\u202e" in ran.out
    assert [a["id"] for a in json.loads(tocsin("alerts", "list", "--json").out)] == ["A-000002", "A-000001"]
    assert len(tocsin("alerts", "list", "-o", "jsonl", "--limit", "1").out.splitlines()) == 1
    assert home.exists()


@pytest.mark.usefixtures("home")
def test_an_alert_is_explained_down_to_the_line_of_the_log(tocsin):
    shown = tocsin("alerts", "show", "a-000001")
    assert (shown.status, shown.err) == (0, "")
    assert "audit.json:2 (journal record 1)" in shown.out
    assert "R-000001  limit user:ada until" in shown.out
    explained = tocsin("explain", "A-000001")
    assert explained.out.startswith(shown.out)
    assert "accumulated  19.00 bits" in explained.out
    case = json.loads(tocsin("explain", "A-000001", "--json").out)
    assert [f["id"] for f in case["findings"]] == ["F-000001", "F-000002"]
    assert json.loads(tocsin("explain", "F-000003", "--json").out)["alert_id"] == "A-000002"
    assert "\x1b" not in shown.out + explained.out


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "arguments",
    [
        ("alerts", "show", "A-999999"),
        ("explain", "F-999999"),
        ("alerts", "verdict", "A-999999", "true"),
        ("restrictions", "lift", "R-999999"),
        ("restrictions", "lift", "R-000002"),
    ],
    ids=" ".join,
)
def test_what_is_not_there(tocsin, arguments):
    ran = tocsin(*arguments)
    assert (ran.status, ran.out) == (5, "")
    assert ran.err.count("\n") == 2


def test_a_verdict_is_kept_journaled_and_audited(tocsin, home):
    ran = tocsin("alerts", "verdict", "A-000001", "false", "--by", "bo", "--known-at", "2026-03-04T00:00:00Z")
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "A-000001: false, 2 events learn it\n"
    kind, body = controls(home)[0]
    assert (kind, len(controls(home))) == ("verdict", 2)
    assert body == {"finding": "F-000001", "seq": 1, "bad": False, "known_at": "2026-03-04T00:00:00Z", "by": "bo"}
    assert json.loads(tocsin("alerts", "show", "A-000001", "--json").out)["alert"]["verdict"] == "false"
    assert [a["id"] for a in json.loads(tocsin("alerts", "list", "--open", "--json").out)] == ["A-000002"]
    with Home.open(home, writer=False) as opened:
        assert (opened.records.audit_rows(1)[0].action, opened.records.verify_audit()) == ("verdict", None)


@pytest.mark.usefixtures("home")
def test_restrictions_in_force_and_those_that_wait(tocsin):
    ran = tocsin("restrictions", "list")
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == ["R-000001", "R-000003"]
    assert ran.err == "1 expired or lifted; --all shows them, --at TIME those of that time\n"
    assert len(json.loads(tocsin("restrictions", "list", "--all", "--json").out)) == 3
    assert tocsin("restrictions", "list", "--at", "2020-01-01", "--json").out == "[]\n"
    then = tocsin("restrictions", "list", "--at", (NOW - timedelta(minutes=30)).isoformat())
    assert [line.split()[0] for line in then.out.splitlines()[1:]] == ["R-000001", "R-000002", "R-000003"]


def test_lifting_ends_a_restriction_once(tocsin, home):
    ran = tocsin("restrictions", "lift", "R-000001", "--by", "bo", "--json")
    assert ran.status == 0
    assert json.loads(ran.out)["state"] == "lifted"
    assert tocsin("restrictions", "lift", "R-000001").status == 5
    assert [kind for kind, _ in controls(home)] == ["lift"]


def test_a_person_restricts_and_it_acts(tocsin, home):
    ran = tocsin("restrictions", "add", "user:cy", "suspend", "--for", "2h", "--cause", "phoned in", "--json")
    assert (ran.status, ran.err) == (0, "")
    added = json.loads(ran.out)
    assert (added["enforced"], added["rung"], added["cause"]) == (True, "suspend", "phoned in")
    assert controls(home) == [("restrict", added)]
    assert added["id"] in tocsin("restrictions", "list").out


def test_break_glass_is_refused_with_its_own_exit_code_and_leaves_no_trace(tocsin, home):
    ran = tocsin("restrictions", "add", "user:root", "limit", TOCSIN_RESPOND__BREAK_GLASS="user:root")
    assert (ran.status, ran.out) == (6, "")
    assert "break-glass" in ran.err
    assert controls(home) == []


def test_two_writers_are_told_apart(tocsin, home):
    with Home.open(home, writer=True):
        assert tocsin("restrictions", "add", "user:cy", "watch").status == 4
        assert tocsin("restrictions", "lift", "R-000001").status == 4
        assert tocsin("alerts", "verdict", "A-000001", "true").status == 4
        assert tocsin("audit", "list", "--json").out == "[]\n", "what is refused changes nothing"
        assert tocsin("alerts", "list").status == 0


def test_erasing_needs_a_yes_and_empties_what_names_the_entity(tocsin, home):
    ran = tocsin("entity", "erase", "user:ada")
    assert (ran.status, ran.out) == (2, "")
    assert "--yes" in ran.err
    ran = tocsin("entity", "erase", "user:ada", "--yes", "--by", "bo")
    assert (ran.status, ran.out) == (0, "user:ada: erased, 0 journaled events with it\n")
    everything = tocsin("alerts", "list", "--json").out + tocsin("restrictions", "list", "--all", "--json").out
    assert "user:ada" not in everything
    with Home.open(home, writer=False) as opened:
        assert {row.actor for row in opened.records.audit_rows(2)} == {"bo", ""}
