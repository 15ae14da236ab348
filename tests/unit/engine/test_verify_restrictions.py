"""What stands against a question is found however it is named, and whatever breaks."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from made_up import START

from tocsin import Engine, Event, Origin, Settings
from tocsin.config import DecideSettings, Entities
from tocsin.engine.ruling import Rulings
from tocsin.engine.verify import Verifier
from tocsin.question import Identity, Party, Question
from tocsin.record import Restriction
from tocsin.trust.policy import PolicyStore

NOW = START + timedelta(hours=1)


@pytest.fixture
def engine(tmp_path):
    entities = Entities(canonical={"user:ada.alias": "user:ada"})
    with Engine.open(tmp_path / "home", Settings(), entities=entities, clock=lambda: NOW) as opened:
        opened.hosted = True
        yield opened
        opened.hosted = False


def verifier(engine, **settings):
    return Verifier(engine, PolicyStore.open(None), DecideSettings(**settings))


def asked(subject="ada", **parts):
    named = {"session": None, "address": None} | parts
    return Question(
        time=NOW,
        subject=Party(type="user", id=subject),
        action="GET",
        resource=Party(type="route", id="/public/x"),
        identity=Identity(
            subject=f"user:{subject}", assurance=2, method="oidc", session=named.get("proven_session"), proven_at=NOW
        ),
        caller="gate",
        session=named["session"],
        origin=Origin(address=named["address"]),
        counterparty=named.get("counterparty"),
    )


def suspend(engine, entity):
    return Rulings(engine).restrict(entity, "suspend", hours=8, cause="test", by="", now=START)


@pytest.mark.parametrize(
    ("entity", "question"),
    [
        ("session:s1", asked(session="another", proven_session="s1")),
        ("session:s1", asked(session="s1", proven_session="another")),
        ("user:ada.alias", asked("ada")),
        ("user:ada", asked("ada.alias")),
        ("user:ada.alias", asked("bob", counterparty="user:ada.alias")),
        ("ip:2001:DB8:0::1", asked(address="2001:db8::1")),
        ("ip:::ffff:192.0.2.7", asked(address="192.0.2.7")),
        ("ip:192.0.2.7", asked(address="::FFFF:192.0.2.7")),
    ],
)
def test_a_restriction_counts_by_whatever_name_its_entity_comes(engine, entity, question):
    assert verifier(engine).ask(question).answer == "allow"
    suspend(engine, entity)
    assert verifier(engine).ask(question).answer == "deny"


def test_what_is_let_through_undecided_is_still_held_to_restrictions(engine):
    judge = verifier(engine, degrade=("GET route//public/*",))
    assert judge.undecided(asked(), "issuer-unavailable", "away").answer == "allow"
    suspend(engine, "user:ada")
    told = judge.undecided(asked(), "issuer-unavailable", "away")
    assert (told.answer, told.obligations) == ("deny", {})
    assert judge.undecided(asked("bob"), "issuer-unavailable", "away").obligations == {"degraded": True}


def test_what_stands_against_it_unknown_nothing_is_let_through(engine):
    judge = verifier(engine, degrade=("*",))
    engine.story.standing = None
    assert judge.undecided(asked(), "error", "unexpected").answer == "deny"


def test_an_event_from_the_future_ends_no_restriction(engine):
    suspend(engine, "user:ada")
    engine.observe_one(
        Event(time=NOW + timedelta(hours=23), kind="api", subject="user:x", action="a", outcome="success")
    )
    engine.flush()
    assert verifier(engine).ask(asked()).answer == "deny"
    (kept,) = engine.home.records.restrictions()
    assert kept.state == "active"


def test_one_person_has_one_rate_under_all_names(engine):
    Rulings(engine).restrict("user:ada", "limit", hours=8, cause="test", by="", now=START)
    judge = verifier(engine, limit_per_min=2)
    questions = [asked("ada"), asked("ada.alias"), msgspec.structs.replace(asked("ada"), session="s")]
    assert [judge.ask(question).answer for question in questions] == ["limit", "limit", "deny"]


@pytest.mark.parametrize("lifted", [False, True])
def test_what_a_person_decided_is_in_the_records_again_after_a_crash_before_they_were_written(
    tmp_path, monkeypatch, lifted
):
    home = tmp_path / "crashed"
    engine = Engine.open(home, Settings(), clock=lambda: NOW)
    engine.hosted = True
    added = suspend(engine, "user:ada")
    engine.hand_over().write()
    if lifted:
        Rulings(engine).lift(added.id, by="", now=NOW)
    else:
        added = suspend(engine, "user:bob")
    work = engine.hand_over()
    monkeypatch.setattr(engine.home, "records", None)
    with pytest.raises(AttributeError):  # the journal is written, and there it ends
        work.write()
    engine.home.close()
    with Engine.open(home, Settings(), clock=lambda: NOW) as again:
        again.flush()
        found = {r.id: r.state for r in again.home.records.restrictions()}
        assert found[added.id] == ("lifted" if lifted else "active")


def test_nor_does_one_that_stands_in_the_journal_when_it_is_read_again(tmp_path):
    home = tmp_path / "ahead"
    engine = Engine.open(home, Settings(), clock=lambda: NOW)
    engine.observe_one(Event(time=NOW + timedelta(hours=23), kind="api", subject="user:x", action="a"))
    suspend(engine, "user:ada")
    engine.flush()
    engine.home.close()  # as a crash leaves it: without a snapshot
    with Engine.open(home, Settings(), clock=lambda: NOW) as again:
        again.flush()
        assert verifier(again).ask(asked()).answer == "deny"


def by_automation(entity):
    return Restriction(
        id="R-000001", entity=entity, rung="suspend", cause="rang", alert_id="A-000001",
        time=START, expires=START + timedelta(hours=8), enforced=True,
    )  # fmt: skip


def test_who_shares_an_address_with_an_attacker_is_not_locked_out(engine):
    engine.story.restrict(by_automation("ip:192.0.2.7"))
    judge = verifier(engine)
    assert judge.ask(asked(address="192.0.2.7")).answer == "allow"
    nobody = msgspec.structs.replace(asked(address="192.0.2.7"), subject=Party(type="ip", id="192.0.2.7"))
    assert judge.ask(nobody).answer == "deny"
    suspend(engine, "ip:192.0.2.7")
    assert judge.ask(asked(address="192.0.2.7")).answer == "deny"
