from __future__ import annotations

import sqlite3
from datetime import timedelta

import numpy as np
import pytest

from tocsin.errors import NotFound
from tocsin.record import Alert, Finding, Reason, Restriction
from tocsin.store import ERASED

REASON = Reason(feature="hour", bits=7.0, share=1.0, text="03:12 is unusual for user:p1")


def finding(made, number, entity="user:p1", alert="A-1"):
    return Finding(
        id=f"F-{number}", seq=number, time=made.START, entity=entity, kind="api", action="read", resource="table/9",
        address="192.0.2.1", surprise_bits=20.0, tail_bits=12.0, accumulated_bits=12.0, reasons=(REASON,),
        source_file="made-up.log", source_line=number, alert_id=alert,
    )  # fmt: skip


def alert(made, number, entity="user:p1", **more):
    return Alert(
        id=f"A-{number}", severity="high", title=f"{entity} read far more than usual",
        entities=(entity, "ip:192.0.2.1"), first_time=made.START, last_time=made.START + timedelta(minutes=number),
        findings=1, tail_bits=12.0, reasons=(REASON,), absolute=False, **more,
    )  # fmt: skip


def restriction(made, number, **more):
    values = {"state": "active", "entity": "user:p1", "expires": made.START + timedelta(hours=2)} | more
    return Restriction(
        id=f"R-{number}", rung="limit", cause="A-1: user:p1", alert_id="A-1", time=made.START, enforced=True, **values
    )


@pytest.fixture
def home(tmp_path, made):
    with made.open_home(tmp_path / "h") as home:
        yield home


def test_records_read_back_equal(home, made):
    home.records.put_findings([finding(made, 2), finding(made, 1), finding(made, 3, alert="A-2")])
    home.records.put_alerts([alert(made, 1), alert(made, 2)])
    home.records.put_restrictions([restriction(made, 1)])
    assert home.records.findings("A-1") == [finding(made, 1), finding(made, 2)]
    assert len(home.records.findings()) == 3
    assert home.records.finding("F-3").alert_id == "A-2"
    assert home.records.alerts() == [alert(made, 2), alert(made, 1)]
    assert home.records.alerts(limit=1) == [alert(made, 2)]
    assert home.records.restrictions() == [restriction(made, 1)]
    home.records.put_alerts([])


def test_writing_again_never_undoes_what_a_person_decided(home, made):
    home.records.put_alerts([alert(made, 1)])
    home.records.put_restrictions([restriction(made, 1)])
    home.records.set_verdict("A-1", "false", by="ada")
    home.records.lift("R-1", by="ada")
    home.records.put_alerts([alert(made, 1, verdict="open")])
    home.records.put_restrictions([restriction(made, 1, note="again")])
    assert home.records.alert("A-1").verdict == "false"
    assert home.records.alerts(state="open") == []
    assert home.records.restriction("R-1").state == "lifted"
    assert [r.action for r in home.records.audit_rows()] == ["lift", "verdict"]


def test_restrictions_in_force_at_a_time(home, made):
    home.records.put_restrictions(
        [restriction(made, 1), restriction(made, 2, state="held"), restriction(made, 3, state="expired")]
    )
    assert [r.id for r in home.records.restrictions(active_at=made.START)] == ["R-1"]
    assert home.records.restrictions(active_at=made.START + timedelta(hours=2)) == []
    assert home.records.restrictions(active_at=made.START - timedelta(seconds=1)) == []
    home.records.lift("R-1")
    assert home.records.restrictions(active_at=made.START + timedelta(minutes=1)) == []


def test_what_is_not_there_is_not_found(home):
    for call in (home.records.alert, home.records.finding, home.records.restriction, home.records.lift):
        with pytest.raises(NotFound):
            call("nothing")
    with pytest.raises(NotFound):
        home.records.set_verdict("nothing", "true")
    assert home.records.audit_rows() == []


def test_meta_keeps_small_values(home):
    assert home.records.meta("x") is None
    home.records.set_meta("x", b"1")
    home.records.set_meta("x", b"2")
    assert home.records.meta("x") == b"2"


@pytest.mark.parametrize(
    ("change", "first_broken"),
    [
        ("UPDATE audit SET actor = 'mallory' WHERE id = 2", 2),
        ("UPDATE audit SET detail = x'7b7d' WHERE id = 3", 3),
        ("UPDATE audit SET detail = NULL, salt = NULL WHERE id = 2", 2),
        ("DELETE FROM audit WHERE id = 1", 1),
        ("DELETE FROM audit WHERE id = 4", 4),
        ("DELETE FROM audit", 1),
    ],
)
def test_a_changed_audit_log_shows_where(home, tmp_path, change, first_broken):
    assert home.records.verify_audit() is None
    for number in range(4):
        home.records.audit("ada", "did", {"what": number})
    assert home.records.verify_audit() is None
    with sqlite3.connect(tmp_path / "h/records.sqlite") as raw:
        raw.execute(change)
    raw.close()
    assert home.records.verify_audit() == first_broken


def test_a_verdict_and_a_lift_need_no_writer_lock(home, tmp_path, made):
    home.records.put_alerts([alert(made, 1)])
    with made.open_home(tmp_path / "h", writer=False) as other:
        other.records.set_verdict("A-1", "true", by="bo")
    assert home.records.alert("A-1").verdict == "true"
    assert home.records.verify_audit() is None


def test_an_erased_person_is_gone_from_journal_and_records(home, tmp_path, made):
    made.append(home, made.events(50))
    home.records.put_findings([finding(made, 1), finding(made, 2, entity="user:p2")])
    home.records.put_alerts([alert(made, 1), alert(made, 2, entity="user:p2")])
    home.records.put_restrictions([restriction(made, 1)])
    home.records.audit("ada", "looked", {"who": "user:p1", "why": "alert"})
    home.records.audit("ada", "looked", {"who": "user:p11"})
    assert home.journal.erase("user:p1") == 10

    (run,) = home.journal.read()
    told = run.batch.column("subject").to_pylist()
    assert [s == ERASED for s in told] == run.erased.tolist() == [i % 5 == 1 for i in range(50)]
    assert run.batch.column("bytes_out").to_pylist() == [None if i % 5 == 1 else i for i in range(50)]
    assert home.journal.verify() == 2
    assert home.records.finding("F-1").entity == ERASED
    assert home.records.finding("F-2").entity == "user:p2"
    assert home.records.alert("A-1").entities[0] == ERASED
    assert home.records.alert("A-2") == alert(made, 2, entity="user:p2")
    assert home.records.restrictions()[0].entity == ERASED
    assert [r.detail for r in home.records.audit_rows()][1:] == [{"who": "user:p11"}, None]
    assert home.records.verify_audit() is None
    raw = b"".join(p.read_bytes() for p in (tmp_path / "h").glob("records.sqlite*"))
    assert b"user:p1 " not in raw
    assert b'"user:p1"' not in raw
    assert home.journal.erase("user:p1") == 0

    made.append(home, made.events(5))
    home.journal.commit()
    assert home.journal.take([51]).column("subject").to_pylist() == ["user:p1"]


def test_erasing_reaches_rows_journaled_under_another_hash_than_the_subjects_own(home, made):
    batch = made.events(10)
    home.journal.append_events(batch, np.full(10, 77, np.uint64))  # an alias table put all under one person
    made.append(home, made.events(10))
    assert home.journal.erase("user:p1") == 12
    subjects = [s for run in home.journal.read() for s in run.batch.column("subject").to_pylist()]
    assert subjects.count(ERASED) == 12
    assert "user:p1" not in subjects


def test_a_verdict_learned_by_the_engine_may_change_until_a_person_gives_one(home, made):
    home.records.put_alerts([alert(made, 1)])
    home.records.put_alerts([alert(made, 1, verdict="true")])
    assert home.records.alert("A-1").verdict == "true"
    home.records.set_verdict("A-1", "false", by="ada")
    home.records.put_alerts([alert(made, 1, verdict="true")])
    assert home.records.alert("A-1").verdict == "false"
