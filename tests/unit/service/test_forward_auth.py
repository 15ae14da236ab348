from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.config import IdentitySettings, ServeSettings, Settings
from tocsin.errors import ConfigError, InvalidCredential, IssuerUnavailable
from tocsin.question import ANONYMOUS, Caller, Decision, Identity, Reliance, Why
from tocsin.service.forward_auth import routes
from tocsin.service.problems import Problem
from tocsin.service.request import Request

ADA = Identity(subject="user:ada", assurance=2, method="oidc", session="s-1")
BOUND = Identity(subject="user:ada", assurance=3, method="dpop")
NGINX = {"X-Tocsin-Key": "tsn_pep", "X-Original-Method": "GET", "X-Original-URI": "/reports/7?full=1"}
CADDY = {"X-Tocsin-Key": "tsn_pep", "X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/reports/7?full=1"}
USER = {"Authorization": "Bearer a-token"}


def decision(answer="allow", **parts):
    return Decision(
        **{"answer": answer, "policy_version": "v", "reliance": Reliance(seconds=60.0), "id": "D-1"} | parts
    )


class Verifier:
    """Answers what it was told to, and remembers what it was asked."""

    def __init__(self, answer=None):
        self.answer, self.asked, self.given_up = answer or decision(), [], []

    def ask(self, question):
        self.asked.append(question)
        return self.answer

    def undecided(self, question, reason, text):
        self.given_up.append(question)
        return decision("deny", id="", why=(Why(source="state", id=reason, text=text),))


class Identities:
    """Knows one token, and whatever it is told to raise."""

    def __init__(self, identity=ADA, error=None):
        self.identity, self.error, self.seen = identity, error, []

    def recall(self, _credentials):
        return None

    async def verify(self, credentials, _now):
        self.seen.append(credentials)
        if self.error is not None:
            raise self.error
        return self.identity

    def challenges(self):
        return 'Bearer, DPoP algs="ES256"'


class Keys:
    def caller(self, token, _now):
        return {"tsn_pep": Caller(id="pep-1", role="pep"), "tsn_reader": Caller(id="r-1", role="reader")}.get(token)

    def identity(self, token, _now):
        return Identity(subject="workload:cron", assurance=2, method="api_key") if token == "tsn_cron" else None  # noqa: S105 - made up


@pytest.fixture
def house(make_house):
    def make(answer=None, who=None, **sections):
        return make_house(
            verifier=Verifier(answer), identity=who or Identities(), keys=Keys(), settings=Settings(**sections)
        )

    return make


@pytest.fixture
def forward(ask):
    def send(house, headers, url="/forward-auth", method="GET", **body):
        return ask(house, routes(house), method, url, headers=headers, **body)

    return send


def only(house):
    (question,) = house.verifier.asked
    return question


# --- what is asked


def test_the_question_says_who_wants_what(house, forward):
    asked = house()
    sent = NGINX | USER | {"X-Forwarded-For": "203.0.113.9", "X-Original-Content-Length": "512", "User-Agent": "curl/8"}
    assert forward(asked, sent | {"X-Forwarded-Host": "api.example"}).status_code == 200
    question = only(asked)
    assert (question.subject.entity, question.action, question.caller) == ("user:ada", "GET", "pep-1")
    assert (question.resource.type, question.resource.id) == ("route", "/reports/7")
    assert question.resource.properties == {"path": "/reports/7", "host": "api.example", "query": ["full"]}
    assert (question.origin.address, question.origin.agent) == ("203.0.113.9", "curl/8")
    assert (question.bytes_out, question.session, question.identity) == (512, "s-1", ADA)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("prefix", ["/ext-authz", "/forward-auth"])
def test_envoy_puts_the_request_behind_a_prefix(house, forward, prefix, method):
    asked = house()
    sent = {"X-Tocsin-Key": "tsn_pep", "Host": "api.example", "X-Real-IP": "203.0.113.9", "X-Forwarded-For": "10.1.1.1"}
    assert forward(asked, sent | USER, f"{prefix}/a/%7Eb?c=d", method).status_code == 200
    question = only(asked)
    assert (question.action, question.resource.id) == (method, "/a/~b")
    assert question.resource.properties == {"path": "/a/~b", "host": "api.example", "query": ["c"]}
    assert question.origin.address == "203.0.113.9"


def test_credentials_are_the_users_own(house, forward):
    asked = house()
    forward(asked, CADDY | USER | {"DPoP": "a-proof", "X-Forwarded-Host": "api.example", "X-Forwarded-Proto": "https"})
    (shown,) = asked.identity.seen
    assert (shown.authorization, shown.dpop, shown.method) == ("Bearer a-token", ("a-proof",), "GET")
    assert shown.url == "https://api.example/reports/7"
    assert shown.certificate is None


def test_nobody_is_asked_about_too(house, forward):
    asked = house(decision(why=(Why(source="policy", id="public"),)))
    answer = forward(asked, CADDY | {"X-Forwarded-For": "203.0.113.9"})
    assert answer.status_code == 200
    assert answer.headers["X-Tocsin-Subject"] == ""
    assert (only(asked).subject.entity, only(asked).identity) == ("ip:203.0.113.9", ANONYMOUS)
    assert asked.identity.seen == []


def test_a_key_of_a_subject_is_a_credential(house, forward):
    asked = house()
    assert forward(asked, CADDY | {"Authorization": "Bearer tsn_cron"}).headers["X-Tocsin-Subject"] == "workload:cron"
    for other in ({"Authorization": "Bearer tsn_pep"}, {"Authorization": "Bearer tsn_cron", "DPoP": "a-proof"}):
        assert forward(asked, CADDY | other).status_code == 401


@pytest.mark.parametrize(("trusted", "address"), [((), "203.0.113.9"), (("192.0.2.0/24",), "203.0.113.9")])
def test_a_proxy_says_where_the_user_is(house, forward, trusted, address):
    asked = house(serve=ServeSettings(trusted_proxies=trusted))
    forward(asked, CADDY | USER | {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"})
    assert only(asked).origin.address == address


def test_a_proxy_that_is_not_trusted_says_nothing_of_where_the_user_is(house, forward):
    asked = house(serve=ServeSettings(trusted_proxies=("10.0.0.0/8",)))
    forward(asked, CADDY | USER | {"X-Forwarded-For": "203.0.113.9"})
    assert only(asked).origin.address is None


# --- what is answered


def test_a_permission_says_all_there_is_to_say(house, forward):
    answer = forward(house(decision("limit", obligations={"read_only": True, "note": "é\r\nX: y"})), CADDY | USER)
    assert answer.status_code == 200
    assert answer.headers["X-Tocsin-Decision"] == "D-1"
    assert answer.headers["X-Tocsin-Subject"] == "user:ada"
    assert answer.headers["X-Tocsin-Reliance-Seconds"] == "60"
    assert answer.headers["X-Tocsin-Path"] == "/reports/7"
    assert answer.headers["X-Tocsin-Obligations"] == '{"read_only":true,"note":"\\u00e9\\r\\nX: y"}'
    assert json.loads(answer.headers["X-Tocsin-Obligations"])["note"] == "é\r\nX: y"
    assert "X" not in answer.headers


def test_headers_are_there_even_when_empty(house, forward):
    answer = forward(house(decision(id="", reliance=Reliance(seconds=0.25))), CADDY)
    assert answer.headers["X-Tocsin-Decision"] == ""
    assert answer.headers["X-Tocsin-Reliance-Seconds"] == "0.25"
    assert answer.headers["X-Tocsin-Obligations"] == "{}"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), note=st.text(max_size=40))
def test_no_name_breaks_out_of_its_header(house, forward, name, note):
    identity = Identities(Identity(subject=f"user:{name}", assurance=2, method="oidc"))
    answer = forward(house(decision(obligations={"note": note}), identity), CADDY | USER)
    written = answer.headers["X-Tocsin-Subject"]
    assert written.isascii()
    assert written.isprintable()
    assert " " not in written
    assert json.loads(answer.headers["X-Tocsin-Obligations"]) == {"note": note}


def test_obligations_that_do_not_fit_are_a_denial(house, forward):
    answer = forward(house(decision(obligations={"note": "x" * 5000})), CADDY | USER)
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        (decision("deny"), 403, "denied"),
        (decision("step_up", obligations={"acr_values": "phr", "max_age": 300}), 401, "step-up"),
        (decision("deny", why=(Why(source="state", id="state", text="the disk"),)), 403, "undecided"),
    ],
)
def test_a_refusal_has_a_status_a_reason_and_its_decision(house, forward, answer, status, code):
    told = forward(house(answer), CADDY | USER)
    assert (told.status_code, told.json()["code"]) == (status, code)
    assert told.headers["X-Tocsin-Decision"] == "D-1"
    assert "X-Tocsin-Subject" not in told.headers
    assert "disk" not in told.text


@pytest.mark.parametrize(("identity", "scheme"), [(ADA, "Bearer"), (BOUND, "DPoP")])
def test_a_step_up_is_asked_for_as_rfc_9470_has_it(house, forward, identity, scheme):
    answer = decision("step_up", obligations={"acr_values": 'phr"\r\n', "max_age": 300})
    asked = forward(house(answer, Identities(identity)), CADDY | USER).headers["WWW-Authenticate"]
    assert asked.startswith(f'{scheme} error="insufficient_user_authentication"')
    assert 'acr_values="phr???"' in asked
    assert 'max_age="300"' in asked


def test_nobody_is_told_how_to_become_somebody(house, forward):
    told = forward(house(decision("deny")), CADDY)
    assert told.status_code == 401
    assert told.headers["WWW-Authenticate"] == 'Bearer, DPoP algs="ES256"'


@pytest.mark.parametrize(("status", "answered"), [(401, 401), (400, 401), (403, 403)])
def test_a_credential_that_does_not_hold(house, forward, status, answered):
    error = InvalidCredential("expired", challenge='Bearer error="invalid_token"', nonce="n-1", status=status)
    asked = house(who=Identities(error=error))
    told = forward(asked, CADDY | USER)
    assert told.status_code == answered
    assert told.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    assert told.headers["DPoP-Nonce"] == "n-1"
    assert asked.verifier.asked == []


def test_an_issuer_that_cannot_be_reached_is_a_denial_that_the_verifier_may_degrade(house, forward):
    asked = house(who=Identities(error=IssuerUnavailable("no answer")))
    told = forward(asked, CADDY | USER)
    assert (told.status_code, told.json()["code"]) == (403, "undecided")
    (question,) = asked.verifier.given_up
    assert question.identity == ANONYMOUS
    asked.verifier.undecided = lambda *_: decision(id="", obligations={"degraded": True})
    passed = forward(asked, CADDY | USER)
    assert (passed.status_code, passed.headers["X-Tocsin-Subject"]) == (200, "")


# --- what is refused before anything is asked


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer tsn_pep"}, 401),
        ({"X-Tocsin-Key": "tsn_wrong"}, 401),
        ({"X-Tocsin-Key": "tsn_reader"}, 403),
        ({"X-Tocsin-Key": "tsn_pep"}, 400),
        (CADDY | {"X-Original-URI": "/public"}, 403),
        ({"X-Tocsin-Key": "tsn_pep", "X-Original-URI": "/public"}, 403),
        (NGINX | {"X-Forwarded-Uri": "/public", "X-Forwarded-Method": "GET"}, 403),
        (NGINX | {"X-Original-URI": "/a%2fb"}, 403),
        (CADDY | {"X-Forwarded-Uri": "/a%2fb"}, 400),
        (CADDY | {"X-Forwarded-Uri": "http://evil.example/"}, 400),
        (CADDY | {"X-Forwarded-Method": "G,ET"}, 400),
    ],
)
def test_a_request_that_is_not_clear_is_not_asked_about(house, forward, headers, status):
    asked = house()
    assert forward(asked, headers).status_code == status
    assert asked.verifier.asked == []


def test_two_credentials_are_one_too_many(house):
    asked = house()
    sent = [*CADDY.items(), ("authorization", "Bearer a"), ("authorization", "Bearer b")]
    request = Request("GET", "/forward-auth", headers=[(n.lower().encode(), v.encode()) for n, v in sent])
    with pytest.raises(Problem) as refused:
        asyncio.run(routes(asked)[0].handler(request))
    assert refused.value.status == 400
    assert asked.identity.seen == []


def test_a_prefix_that_is_encoded_is_no_prefix(house, forward):
    sent = {"X-Tocsin-Key": "tsn_pep"}
    assert forward(house(), sent, "/%65xt-authz/public").status_code == 400
    assert forward(house(), sent, "/ext-authzpublic").status_code == 404


def test_a_network_that_is_none_stops_the_server(house):
    with pytest.raises(ConfigError, match=r"identity\.trusted_proxies"):
        routes(house(identity=IdentitySettings(trusted_proxies=("proxy.example",))))
