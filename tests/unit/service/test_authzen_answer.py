"""How a decision is told, and how a credential that is passed on is read."""

from __future__ import annotations

import msgspec
import pytest

from tocsin.errors import InvalidCredential, IssuerUnavailable
from tocsin.question import ANSWERS, Decision, Reliance, Why
from tocsin.service.authzen_answer import brief, encode, failed, full, refused
from tocsin.service.authzen_credential import credentials_of
from tocsin.service.problems import Problem


def decided(answer, **more):
    return Decision(answer=answer, policy_version="v1", reliance=Reliance(seconds=5.0), **more)


def told(answer):
    return msgspec.json.decode(encode(answer))


@pytest.mark.parametrize("answer", ANSWERS)
def test_only_allow_and_limit_are_true(answer):
    for write in (full, brief):
        assert told(write(decided(answer)))["decision"] is (answer in {"allow", "limit"})


def test_what_is_not_so_is_not_said():
    context = told(full(decided("allow")))["context"]
    assert context == {
        "outcome": "allow",
        "reliance": {"seconds": 5.0},
        "policy_version": "v1",
        "risk": "low",
    }


def test_shadow_mode_says_what_would_have_been():
    assert told(full(decided("allow", would="deny")))["context"]["would"] == "deny"


def test_reasons_without_words_are_named_and_many_are_cut():
    whys = tuple(Why(source="policy", id=f"policy{number}", text="x" * 100) for number in range(100))
    reason = told(full(decided("deny", why=(Why(source="policy", id="plain"), *whys))))["context"]["reason_admin"][
        "403"
    ]
    assert reason.startswith("plain; policy `policy0`")
    assert len(reason) <= 2048


@pytest.mark.parametrize("answer", ["allow", "deny"])
def test_obligations_are_never_left_out(answer):
    context = told(brief(decided(answer, obligations={"notify": "x"})))["context"]
    assert context == {"outcome": answer, "obligations": {"notify": "x"}}


def test_a_fault_is_a_denial_with_its_status():
    assert told(failed(Problem(400, "invalid-request", "it is wrong"))) == {
        "decision": False,
        "context": {"error": {"status": 400, "message": "it is wrong"}},
    }


def test_a_refused_credential_says_how_to_show_a_better_one():
    decision = refused(InvalidCredential("expired", challenge='Bearer error="invalid_token"'), "v1")
    assert not decision.permitted
    assert decision.reliance.seconds == 0
    assert decision.obligations == {"challenge": 'Bearer error="invalid_token"'}
    assert refused(IssuerUnavailable("gone"), "v1").obligations == {}


@pytest.mark.parametrize(
    ("sent", "header"),
    [
        ("abc", "Bearer abc"),
        ("Bearer abc", "Bearer abc"),
        ("dpop abc", "dpop abc"),
        ({"authorization": "DPoP abc"}, "DPoP abc"),
    ],
)
def test_a_token_may_come_alone_or_as_a_header(sent, header):
    assert credentials_of(sent).authorization == header


@pytest.mark.parametrize("proofs", ["p", ["p"]])
def test_a_proof_comes_with_what_it_was_made_for(proofs):
    found = credentials_of(
        {"authorization": "DPoP a", "dpop": proofs, "method": "POST", "url": "https://api.example/x"}
    )
    assert (found.dpop, found.method, found.url) == (("p",), "POST", "https://api.example/x")


@pytest.mark.parametrize(
    "sent", ["", "x" * 20_000, 5, [], {}, {"authorization": ""}, {"authorization": "x", "dpop": ["p"] * 5}]
)
def test_anything_else_is_a_bad_request(sent):
    with pytest.raises(Problem) as problem:
        credentials_of(sent)
    assert problem.value.status == 400
