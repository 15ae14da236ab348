"""One answer from policy, restrictions, identity and state."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.config import DecideSettings
from tocsin.event import Origin
from tocsin.question import ANSWERS, Identity, Party, Question, Reliance, Why
from tocsin.record import LADDER, RISK_BANDS
from tocsin.trust.decision import FACTS, Asked, Facts, Held, State, decide, harder

NOW = datetime(2026, 3, 14, 3, 12, tzinfo=UTC)
SETTINGS = DecideSettings(step_up_acr="phr")


def asked(**changes):
    plain = {
        "time": NOW,
        "subject": Party(type="user", id="ada"),
        "action": "read",
        "resource": Party(type="table", id="customers"),
        "identity": Identity(subject="user:ada", assurance=2, method="oidc", proven_at=NOW - timedelta(hours=3)),
        "caller": "k1",
    }
    return Question(**plain | changes)


def policy(answer="allow", obligations=None, reliance=None):
    why = (Why(source="policy", id="p", text=""),)
    return SimpleNamespace(answer=answer, why=why, errors=(), obligations=obligations or {}, reliance=reliance)


def held(rung, *, enforced=True, hours_ago=1.0):
    return Held("R-000001", "user:ada", rung, NOW - timedelta(hours=hours_ago), enforced, "rang")


def answer_of(question, state, told=None, settings=SETTINGS):
    return decide(question, state, told or policy(), "v1", settings)


def test_without_anything_against_it_the_policy_decides():
    for answer in ANSWERS:
        assert answer_of(asked(), State(), policy(answer)).answer == answer


def test_who_is_suspended_is_denied_whatever_the_policy():
    decision = answer_of(asked(), State(held=(held("suspend"),)))
    assert (decision.answer, decision.restriction) == ("deny", "suspend")
    assert [w.source for w in decision.why] == ["restriction", "policy"]


def test_who_is_limited_may_read_at_a_rate_and_nothing_else():
    limited = State(held=(held("limit"),))
    reading = answer_of(asked(), limited)
    assert reading.answer == "limit"
    assert reading.obligations == {"read_only": True, "rate_per_min": SETTINGS.limit_per_min}
    assert answer_of(asked(action="delete"), limited).answer == "deny"
    for grave in ({"privileged": True}, {"sensitive": True}):
        assert answer_of(asked(), State(held=(held("limit"),), **grave)).answer == "deny"


@pytest.mark.parametrize(("hours_ago", "answer"), [(1.0, "step_up"), (4.0, "allow")])
def test_a_step_up_wants_a_proof_newer_than_the_restriction(hours_ago, answer):
    proven = Identity(subject="user:ada", assurance=2, method="oidc", acr="phr", proven_at=NOW - timedelta(hours=3))
    decision = answer_of(asked(identity=proven), State(held=(held("step_up", hours_ago=hours_ago),)))
    assert decision.answer == answer
    if answer == "step_up":
        assert decision.obligations == {"acr_values": "phr", "max_age": 3600}


@pytest.mark.parametrize(("acr", "answer"), [(None, "step_up"), ("pwd", "step_up"), ("phr", "allow"), ("hwk", "allow")])
def test_a_step_up_wants_one_of_the_classes_that_it_asks_for(acr, answer):
    proven = Identity(subject="user:ada", assurance=2, method="oidc", acr=acr, proven_at=NOW)
    state, settings = State(held=(held("step_up"),)), DecideSettings(step_up_acr="phr hwk")
    assert answer_of(asked(identity=proven), state, settings=settings).answer == answer
    assert answer_of(asked(identity=proven), state, settings=DecideSettings()).answer == "allow"


def test_a_step_up_nobody_could_have_answered_stays():
    nobody = Identity(subject="user:ada", assurance=1, method="asserted")
    assert answer_of(asked(identity=nobody), State(held=(held("step_up"),))).answer == "step_up"


def test_in_shadow_mode_only_what_would_have_been_is_told():
    decision = answer_of(asked(), State(held=(held("suspend", enforced=False),)))
    assert (decision.answer, decision.would, decision.restriction) == ("allow", "deny", None)


def test_a_limit_of_money_or_bytes_is_held():
    told = policy("limit", {"amount": 100.0, "bytes": 1000})
    assert answer_of(asked(amount=99.0), State(), told).answer == "limit"
    beyond = answer_of(asked(amount=101.0), State(), told)
    assert (beyond.answer, beyond.why[0].id, beyond.obligations) == ("deny", "limit-amount", {})
    assert answer_of(asked(bytes_out=1001), State(), told).why[0].id == "limit-bytes"
    assert answer_of(asked(action="drop"), State(), policy("limit", {"read_only": True})).why[0].id == "limit-read-only"


def test_the_more_stands_against_someone_the_sooner_must_be_asked_again():
    seconds = [answer_of(asked(), State(band=band)).reliance.seconds for band in RISK_BANDS]
    assert seconds == sorted(seconds, reverse=True)
    assert seconds[0] == SETTINGS.seconds > seconds[-1] >= 1


def test_no_answer_outlives_the_credential():
    soon = Identity(subject="user:ada", assurance=2, method="oidc", expires=NOW + timedelta(seconds=5))
    assert answer_of(asked(identity=soon), State()).reliance.seconds == 5


def test_policies_tighten_reliance_and_never_widen_it():
    told = policy(reliance=Reliance(seconds=9, bytes=10, amount=1.5))
    assert answer_of(asked(), State(), told).reliance == Reliance(seconds=9, bytes=10, amount=1.5)
    wide = policy(reliance=Reliance(seconds=1e6, bytes=1 << 60, amount=1e12))
    assert answer_of(asked(), State(), wide).reliance == answer_of(asked(), State()).reliance


HELD = st.builds(
    Held,
    id=st.just("R-000001"),
    entity=st.just("user:ada"),
    rung=st.sampled_from(LADDER),
    since=st.just(NOW - timedelta(hours=1)),
    enforced=st.booleans(),
    cause=st.just("rang"),
)


@given(st.lists(HELD, max_size=4), st.sampled_from(ANSWERS), st.sampled_from(["read", "drop"]))
def test_restrictions_only_make_an_answer_harder(restrictions, answer, action):
    with_them = answer_of(asked(action=action), State(held=tuple(restrictions)), policy(answer))
    assert harder(with_them.answer, answer) == with_them.answer
    if not any(h.enforced for h in restrictions):
        assert with_them.answer == answer
    if with_them.would is not None:
        assert harder(with_them.would, answer) == with_them.would


@given(st.lists(HELD, max_size=3), HELD)
def test_one_restriction_more_never_lets_more_through(restrictions, another):
    fewer = answer_of(asked(), State(held=tuple(restrictions)))
    more = answer_of(asked(), State(held=(*restrictions, another)))
    assert harder(fewer.answer, more.answer) == more.answer


def test_a_caller_cannot_say_what_tocsin_fills():
    question = asked(context={"risk": "low", "assurance": 3, "ticket": "T-1"}, origin=Origin(address="192.0.2.1"))
    facts = Facts(question, State(band="critical"))
    assert (facts["risk"], facts["assurance"], facts["ticket"], facts["address"]) == ("critical", 2, "T-1", "192.0.2.1")
    assert set(facts) >= {"risk", "hour", "ticket"}
    assert "amount" not in facts
    assert len(facts) == len(list(facts))
    assert facts.get("acr") is None


def test_a_caller_cannot_fill_what_is_unknown_either():
    assert "mine" not in list(Facts(asked(context=dict.fromkeys(FACTS, "mine")), State()).values())


def test_a_question_stands_in_the_journal_as_it_was():
    state = State(band="high", causes=("surprise: where",), held=(held("watch"),), network="AS64500")
    question = asked(amount=1.5, context={"a": [1, None, {"b": "ü"}]}, origin=Origin(address="192.0.2.1"))
    kept = Asked(question=question, state=state, decision=answer_of(question, state))
    assert msgspec.json.decode(msgspec.json.encode(kept), type=Asked) == kept
