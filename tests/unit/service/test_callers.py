"""Who calls: keys, tokens with a role, certificates the settings know."""

from __future__ import annotations

import pytest

from tocsin.config import Settings
from tocsin.config.settings import CallerRule, ServeSettings
from tocsin.errors import InvalidCredential, IssuerUnavailable
from tocsin.question import Identity
from tocsin.service.request import Response
from tocsin.service.route import Route


async def who(request):
    return Response(200, f"{request.caller.id} {request.caller.role}".encode(), b"text/plain")


ROUTES = [Route(frozenset({"GET"}), "/who", who, frozenset({"reader", "admin"}))]


class Verifier:
    """Believes the token `good`, with the claims given."""

    def __init__(self, claims=None, error=None, *, cached=False):
        self.claims, self.error, self.cached, self.asked = claims or {}, error, cached, []

    def _identity(self):
        return Identity(subject="user:ada", assurance=2, method="oidc", claims=self.claims)

    def recall(self, credentials):
        self.asked.append(credentials)
        return self._identity() if self.cached else None

    async def verify(self, credentials, _now):
        if self.error:
            raise self.error
        if credentials.authorization != "Bearer good":
            raise InvalidCredential("the token is not good", challenge='Bearer error="invalid_token"', nonce="n-1")
        return self._identity()


def settings(**serve):
    return Settings(serve=ServeSettings(**serve))


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({"roles": "reader"}, (200, "user:ada reader")),
        ({"roles": ["pep", "admin"]}, (200, "user:ada admin")),
        ({"roles": ["pep"]}, (403, "wrong-role")),
        ({"roles": ["root", 5, None, {}]}, (403, "no-role")),
        ({"roles": 5}, (403, "no-role")),
        ({"roles": {"reader": True}}, (403, "no-role")),
        ({}, (403, "no-role")),
        ({"other": "reader"}, (403, "no-role")),
    ],
)
@pytest.mark.parametrize("cached", [True, False])
def test_a_token_calls_with_the_role_that_its_claim_names(make_house, ask, claims, told, cached):
    house = make_house(settings=settings(role_claim="roles"), identity=Verifier(claims, cached=cached))
    answer = ask(house, ROUTES, "GET", "/who", key="good")
    assert answer.status_code == told[0]
    assert told[1] in answer.text


def test_without_a_claim_set_no_token_calls(make_house, ask):
    house = make_house(identity=Verifier({"": "reader", "roles": "reader"}))
    assert ask(house, ROUTES, "GET", "/who", key="good").status_code == 401


def test_the_settings_may_name_the_role_of_a_subject(make_house, ask):
    rule = CallerRule(subject="user:ada", role="reader")
    house = make_house(settings=settings(callers=(rule,)), identity=Verifier())
    assert ask(house, ROUTES, "GET", "/who", key="good").text == "user:ada reader"
    other = make_house(
        settings=settings(callers=(CallerRule(subject="user:bob", role="reader"),)),
        identity=Verifier({"": "reader"}),
    )
    assert ask(other, ROUTES, "GET", "/who", key="good").status_code == 403


def test_what_the_settings_say_wins_over_the_claim(make_house, ask):
    rule = CallerRule(subject="user:ada", role="pep")
    house = make_house(settings=settings(callers=(rule,), role_claim="roles"), identity=Verifier({"roles": "admin"}))
    assert ask(house, ROUTES, "GET", "/who", key="good").status_code == 403


def test_a_bad_token_is_told_as_its_issuer_would(make_house, ask):
    house = make_house(settings=settings(role_claim="roles"), identity=Verifier())
    answer = ask(house, ROUTES, "GET", "/who", key="bad")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert answer.headers["dpop-nonce"] == "n-1"


def test_an_issuer_out_of_reach_is_no_pass(make_house, ask):
    error = IssuerUnavailable("the issuer cannot be reached")
    house = make_house(settings=settings(role_claim="roles"), identity=Verifier(error=error))
    answer = ask(house, ROUTES, "GET", "/who", key="good")
    assert answer.status_code == 503
    assert answer.headers["retry-after"]


@pytest.mark.parametrize("shown", ["Basic YTpi", "tsn_reader", "Bearer", "Bearer ", ""])
def test_what_is_no_bearer_is_refused(make_house, ask, shown):
    answer = ask(make_house(), ROUTES, "GET", "/who", headers={"Authorization": shown})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_a_key_wins_over_a_token_beside_it(make_house, ask):
    headers = {"X-Tocsin-Key": "tsn_wrong", "Authorization": "Bearer tsn_reader"}
    assert ask(make_house(), ROUTES, "GET", "/who", headers=headers).status_code == 401
