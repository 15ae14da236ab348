from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tocsin.config import RespondSettings
from tocsin.errors import NotFound, Refused
from tocsin.record import LADDER, RISK_BANDS, Finding, Reason, Risk
from tocsin.response import Responder, by_person
from tocsin.response.restrictions import rung_for

NOW = datetime(2026, 1, 1, 3, 12, tzinfo=UTC)


def hours(n):
    return timedelta(hours=n)


def decide(responder, entity="user:ada", *, seq=1, band="critical", absolute=True, now=NOW, population=0):  # noqa: PLR0913 - what a test may vary
    finding = Finding(
        id=f"F-{seq}",
        seq=seq,
        time=now,
        entity=entity,
        kind="api",
        action="ReadRows",
        resource=None,
        address=None,
        surprise_bits=40.0,
        tail_bits=18.0,
        accumulated_bits=18.0,
        reasons=(Reason(feature="network", bits=9, share=0.7, text="first time from network AS64500"),),
        source_file=None,
        source_line=None,
        alert_id="A-000001",
    )
    return responder.respond(
        finding,
        privileged=True,
        sensitive=False,
        absolute=absolute,
        risk=Risk(entity=entity, band=band, bits=25.0, causes=(), lapses=None),
        now=now,
        population=population,
    )


@pytest.mark.parametrize("absolute", [False, True])
def test_a_higher_band_never_means_a_lower_rung(absolute):
    rungs = [LADDER.index(rung_for(band, absolute=absolute)) for band in RISK_BANDS]
    assert rungs == sorted(rungs)


def test_only_the_absolute_rule_suspends_and_it_limits_at_least():
    assert rung_for("critical", absolute=False) == "limit"
    assert rung_for("critical", absolute=True) == "suspend"
    assert rung_for("low", absolute=True) == "limit"


def test_shadow_decides_the_same_and_enforces_nothing():
    (shadow,) = decide(Responder(RespondSettings()))
    (acted,) = decide(Responder(RespondSettings(enforce=True)))
    assert not shadow.enforced
    assert msgspec.structs.replace(shadow, enforced=True) == acted
    assert (acted.rung, acted.expires, acted.id) == ("suspend", NOW + hours(4), "R-000001")
    assert acted.cause == "privileged, risk critical (25 bits), first time from network AS64500"


def test_the_same_rung_again_extends_and_does_not_pile_up():
    responder = Responder(RespondSettings())
    (first,) = decide(responder)
    (again,) = decide(responder, seq=2, now=NOW + hours(1))
    assert again.id == first.id
    assert again.expires == NOW + hours(5)
    assert len(responder.in_force("user:ada", NOW + hours(1))) == 1


def test_a_lower_rung_runs_beside_and_outlasts_the_higher():
    responder = Responder(RespondSettings())
    decide(responder)
    decide(responder, seq=2, band="low", absolute=False)
    assert [r.rung for r in responder.in_force("user:ada", NOW)] == ["suspend", "watch"]
    assert [r.rung for r in responder.in_force("user:ada", NOW + hours(5))] == ["watch"]


def test_what_ran_out_is_returned_once_as_expired():
    responder = Responder(RespondSettings())
    decide(responder)
    assert responder.expire(NOW + hours(4) - timedelta(seconds=1)) == []
    (expired,) = responder.expire(NOW + hours(4))
    assert expired.state == "expired"
    assert responder.expire(NOW + hours(9)) == []
    ended, new = (*decide(responder, seq=2), *decide(responder, "user:bo", seq=3, now=NOW + hours(4)))[-2:]
    assert (ended.state, new.state) == ("expired", "active")


def test_break_glass_is_stepped_up_at_most():
    responder = Responder(RespondSettings(enforce=True, break_glass=("user:ada",)))
    (restriction,) = decide(responder)
    assert restriction.rung == "step_up"
    assert "break-glass" in restriction.note


def test_a_share_of_the_population_and_then_a_person_is_asked():
    responder = Responder(RespondSettings(enforce=True, blast_share=0.05, blast_floor=1))
    states = [decide(responder, f"user:{n}", seq=n, population=100)[0] for n in range(1, 8)]
    assert [r.state for r in states] == ["active"] * 5 + ["held"] * 2
    assert not states[-1].enforced
    assert "5 of 100 entities" in states[-1].note


def test_the_floor_holds_for_small_populations_and_the_window_moves_on():
    responder = Responder(RespondSettings(blast_floor=2))
    assert [decide(responder, f"user:{n}", seq=n)[0].state for n in range(1, 4)] == ["active", "active", "held"]
    assert decide(responder, "user:9", seq=9, now=NOW + hours(25))[-1].state == "active"


def test_an_entity_restricted_already_adds_nothing_to_the_radius():
    responder = Responder(RespondSettings(blast_floor=1))
    assert [decide(responder, seq=n)[0].state for n in range(1, 4)] == ["active"] * 3


def test_noise_cannot_use_up_what_the_absolute_rule_needs():
    responder = Responder(RespondSettings(blast_floor=1))
    noise = [decide(responder, f"user:{n}", seq=n, absolute=False)[0] for n in range(1, 5)]
    assert noise[-1].state == "held"
    assert decide(responder, "user:admin", seq=9)[0].state == "active"


def test_watching_is_never_held():
    responder = Responder(RespondSettings(blast_floor=0))
    assert decide(responder, band="low", absolute=False)[0].state == "active"
    assert decide(responder, "user:bo", seq=2)[0].state == "held"


def test_after_a_lift_automation_asks_until_it_would_have_run_out():
    responder = Responder(RespondSettings(enforce=True))
    (restriction,) = decide(responder)
    lifted = responder.lift(restriction.id, by="bo")
    assert (lifted.state, lifted.note) == ("lifted", "lifted by bo")
    assert responder.in_force("user:ada", NOW) == ()
    for seq in (2, 3):
        (held,) = decide(responder, seq=seq, now=NOW + hours(1))
        assert (held.state, held.enforced) == ("held", False)
    assert decide(responder, seq=4, now=NOW + hours(6))[-1].state == "active"


def test_lifting_what_is_not_there():
    with pytest.raises(NotFound):
        Responder(RespondSettings()).lift("R-1", by="bo")


def test_a_person_is_enforced_in_shadow_mode_and_bounded():
    decided = by_person("user:ada", "suspend", hours=1e9, cause="call", by="bo", now=NOW, settings=RespondSettings())
    assert decided.enforced
    assert decided.expires == NOW + hours(24 * 366)
    assert decided.note == "by bo"


def test_a_person_may_not_suspend_break_glass_either():
    settings = RespondSettings(break_glass=("user:ada",))
    with pytest.raises(Refused):
        by_person("user:ada", "limit", hours=1, cause="", by="", now=NOW, settings=settings)
    assert by_person("user:ada", "step_up", hours=1, cause="", by="", now=NOW, settings=settings).rung == "step_up"


def test_a_person_s_decision_is_not_weakened_by_automation():
    responder = Responder(RespondSettings())
    mine = by_person("user:ada", "suspend", hours=48, cause="x", by="bo", now=NOW, settings=RespondSettings())
    responder.take(mine)
    (renewed,) = decide(responder)
    assert (renewed.id, renewed.expires, renewed.enforced, renewed.state) == (mine.id, mine.expires, True, "active")


def test_a_snapshot_carries_everything_on():
    settings = RespondSettings(blast_floor=2)
    through, stopped = Responder(settings), Responder(settings)
    for n in range(1, 4):
        decide(through, f"user:{n}", seq=n)
        decide(stopped, f"user:{n}", seq=n)
    through.lift("R-000001", by="bo")
    stopped.lift("R-000001", by="bo")
    resumed = Responder(settings, msgspec.json.decode(msgspec.json.encode(stopped.state())))
    for n in range(1, 9):
        now = NOW + hours(n)
        assert decide(resumed, f"user:{n}", seq=10 + n, now=now) == decide(through, f"user:{n}", seq=10 + n, now=now)
    assert resumed.state() == through.state()
