"""The front door: who is let in with a token, under which name, and who is not."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest
from identity_parties import AT, NOW, RSA, b64, b64json, signed
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from tocsin.errors import InvalidCredential
from tocsin.trust.identity import Credentials


def as_json(value):
    return json.dumps(value).encode()


def verified(door, settings, token=None, **shown):
    async def ask():
        async with door(settings) as opened:
            return await opened.verify(token, **shown)

    return asyncio.run(ask())


def refused(door, settings, token=None, **shown):
    with pytest.raises(InvalidCredential) as caught:
        verified(door, settings, token, **shown)
    assert token is None or token not in caught.value.challenge + caught.value.message + caught.value.hint
    return caught.value


@pytest.mark.parametrize("key", ["ec", "rsa"])
def test_a_good_token_says_who_acts(issuer, door, key):
    token = issuer.token(RSA if key == "rsa" else None, sid="s-1", auth_time=AT - 100, acr="phr")
    identity = verified(door, issuer.settings(), token)
    assert (identity.subject, identity.assurance, identity.method) == ("user:ada", 2, "oidc")
    assert (identity.session, identity.acr, identity.issuer) == ("s-1", "phr", issuer.url)
    assert (identity.audience, identity.scopes) == (("api",), ("read", "write"))
    assert identity.proven_at == NOW - timedelta(seconds=100)
    assert identity.expires == NOW + timedelta(seconds=600)


def test_keys_are_found_by_discovery(issuer, door):
    assert verified(door, issuer.settings(jwks_uri=""), issuer.token()).subject == "user:ada"
    assert issuer.asked == ["/.well-known/openid-configuration", "/jwks"]


def test_the_session_falls_back_to_the_token(issuer, door):
    assert verified(door, issuer.settings(), issuer.token(jti="t-1")).session == "t-1"
    nameless = verified(door, issuer.settings(), issuer.token()).session
    assert nameless.startswith("token-")
    assert len(nameless) == 38


def test_proof_is_as_old_as_the_token_where_nothing_else_is_said(issuer, door):
    assert verified(door, issuer.settings(), issuer.token()).proven_at == NOW - timedelta(seconds=10)


def test_a_strong_class_of_authentication_is_worth_more(issuer, door):
    settings = issuer.settings(strong_acr=("phr",))
    assert verified(door, settings, issuer.token(acr="phr")).assurance == 3
    assert verified(door, settings, issuer.token(acr="pwd")).assurance == 2


def test_a_client_that_acts_for_itself_is_no_user(issuer, door):
    token = issuer.token(sub="nightly", client_id="nightly")
    assert verified(door, issuer.settings(), token).subject == "workload:nightly"


def test_the_settings_name_the_subject_and_what_is_passed_on(issuer, door):
    settings = issuer.settings(
        subject_claim="email", subject_prefix="partner/", claims=("groups", "/realm/roles", "https://x.example/tier")
    )
    token = issuer.token(
        sid="s-1", email="ada@x.example", groups=["ops"], realm={"roles": ["admin"]}, other="not passed on"
    )
    identity = verified(door, settings, token)
    assert (identity.subject, identity.session) == ("user:partner/ada@x.example", "partner/s-1")
    assert identity.claims == {"groups": ["ops"], "roles": ["admin"]}


BAD_CLAIMS = {
    "expired": {"exp": AT - 31},
    "without an end": {"exp": None},
    "an end that is text": {"exp": "tomorrow"},
    "an end that is true": {"exp": True},
    "an end after all time": {"exp": 1e300},
    "not valid yet": {"nbf": AT + 31},
    "from the future": {"iat": AT + 31},
    "proven in the future": {"auth_time": AT + 31},
    "another audience": {"aud": "other"},
    "no audience": {"aud": None},
    "an empty audience": {"aud": []},
    "an audience that is a number": {"aud": 7},
    "no subject": {"sub": None},
    "an empty subject": {"sub": ""},
    "a subject with a line break": {"sub": "ada\nroot"},
    "a subject that is a list": {"sub": ["ada"]},
    "a subject without end": {"sub": "a" * 600},
    "another issuer": {"iss": "https://evil.example"},
    "an issuer that is a list": {"iss": ["https://evil.example"]},
    "scopes that are numbers": {"scope": [1, 2]},
    "bound in an unknown way": {"cnf": {"kid": "x"}},
    "bound to a list": {"cnf": ["x"]},
    "bound to nothing": {"cnf": {}},
    "too much to pass on": {"groups": ["g" * 100] * 90},
    "a session that is a list": {"sid": ["x"]},
}


@pytest.mark.parametrize("changes", BAD_CLAIMS.values(), ids=BAD_CLAIMS)
def test_a_token_with_bad_claims_is_refused(issuer, door, changes):
    error = refused(door, issuer.settings(), issuer.token(**changes))
    assert error.status == 401
    assert error.challenge.startswith('Bearer error="invalid_token", error_description="')


def test_clocks_may_differ_by_the_leeway(issuer, door):
    token = issuer.token(exp=AT - 29, nbf=AT + 29, iat=AT + 29)
    assert verified(door, issuer.settings(), token).subject == "user:ada"


BAD_HEADERS = {
    "a critical extension": {"crit": ["exp"], "exp": 1},
    "an empty list of critical extensions": {"crit": []},
    "an unencoded payload": {"b64": True},
    "an ID token": {"typ": "JWT"},
    "a proof": {"typ": "dpop+jwt"},
    "a type that is a list": {"typ": ["at+jwt"]},
    "no type": {"typ": None},
    "a key id that is a number": {"kid": 7},
    "another key's id": {"kid": "rsa-1"},
    "an unknown key": {"kid": "unknown"},
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_token_with_a_bad_header_is_refused(issuer, door, header):
    refused(door, issuer.settings(), forged(issuer, header=header))


def forged(issuer, header=None, claims=None, key=None):
    """Make a token by hand, since no library will make most of these."""
    key = key or issuer.key
    head = {"alg": "ES256", "kid": "ec-1", "typ": "at+jwt"} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    signing_input = f"{b64json(head)}.{b64json(claims or issuer.claims())}"
    return f"{signing_input}.{b64(JWSRegistry.algorithms['ES256'].sign(signing_input.encode(), key))}"


def test_a_forged_token_with_nothing_wrong_is_taken(issuer, door):
    """What the tests above change is what they are refused for."""
    assert verified(door, issuer.settings(), forged(issuer)).subject == "user:ada"


def test_an_unsigned_token_is_refused(issuer, door):
    for alg in ("none", "None", "NONE", "nOnE"):
        head = b64json({"alg": alg, "kid": "ec-1", "typ": "at+jwt"})
        for signature in ("", "AA"):
            refused(door, issuer.settings(), f"{head}.{b64json(issuer.claims())}.{signature}")


def test_a_public_key_is_no_shared_secret(issuer, door):
    """Key confusion: an HMAC made with the PEM, DER or JWK text of the public key."""
    public = RSA.as_pem(private=False), RSA.as_der(private=False), RSA.as_dict(private=False)["n"].encode()
    for secret in public:
        token = signed(
            {"alg": "HS256", "kid": "rsa-1", "typ": "at+jwt"}, issuer.claims(), OctKey.import_key(b64(secret))
        )
        refused(door, issuer.settings(), token)


def test_a_symmetric_key_in_the_key_set_signs_nothing(issuer, door):
    shared = OctKey.generate_key(256, parameters={"kid": "oct-1"})
    issuer.pages["/jwks"] = (200, {}, b'{"keys":[%s]}' % as_json(shared.as_dict(private=True)))
    token = signed({"alg": "HS256", "kid": "oct-1", "typ": "at+jwt"}, issuer.claims(), shared)
    refused(door, issuer.settings(), token)


def test_the_key_in_the_token_is_not_believed(issuer, door):
    mine = ECKey.generate_key("P-256", parameters={"kid": "ec-1"})
    header = {"alg": "ES256", "kid": "ec-1", "typ": "at+jwt", "jwk": mine.as_dict(private=False)}
    refused(door, issuer.settings(), signed(header, issuer.claims(), mine))
    header["jku"] = "https://evil.example/jwks"
    refused(door, issuer.settings(), signed(header, issuer.claims(), mine))


def test_an_algorithm_that_is_not_allowed_is_refused(issuer, door):
    settings = issuer.settings(algorithms=("RS256",))
    assert "algorithm" in refused(door, settings, issuer.token()).message
    assert verified(door, settings, issuer.token(RSA)).subject == "user:ada"


def test_a_short_rsa_key_signs_nothing(issuer, door):
    with pytest.warns(UserWarning, match="2048"):
        short = RSAKey.generate_key(1024, parameters={"kid": "short"})
    token = signed({"alg": "RS256", "kid": "short", "typ": "at+jwt"}, issuer.claims(), short)
    issuer.pages["/jwks"] = (200, {}, b'{"keys":[%s,%s]}' % (as_json(short.as_dict()), as_json(issuer.key.as_dict())))
    refused(door, issuer.settings(), token)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_token_changed_in_one_character_is_refused(issuer, door, part):
    parts = issuer.token().split(".")
    middle = len(parts[part]) // 2
    old = parts[part][middle]
    parts[part] = parts[part][:middle] + ("A" if old != "A" else "B") + parts[part][middle + 1 :]
    refused(door, issuer.settings(), ".".join(parts))


MALFORMED = {
    "not a token": "Bearer",
    "two tokens": "Bearer aaa bbb",
    "a list": "Bearer aaa, Bearer bbb",
    "another scheme": "Basic YWRhOnNlY3JldA==",
    "a line break": "Bearer aaa\n",
    "no ASCII": "Bearer äöü.äöü.äöü",
    "too large": "Bearer " + "a" * 20_000,
    "three dots": "Bearer a.b.c.d",
    "empty parts": "Bearer ..",
    "no base64": "Bearer a+/=.b.c",
    "no JSON": "Bearer YWJj.YWJj.YWJj",
    "a list in the header": f"Bearer {b64(b'[]')}.{b64(b'{}')}.YWJj",
    "a name twice": "Bearer " + b64(b'{"alg":"none","alg":"ES256"}') + f".{b64(b'{}')}.YWJj",
    "NaN": "Bearer " + b64(b'{"alg":NaN}') + f".{b64(b'{}')}.YWJj",
    "deep": "Bearer " + b64(b'{"a":' + b"[" * 500 + b"]" * 500 + b"}") + f".{b64(b'{}')}.YWJj",
    "half a surrogate": "Bearer " + b64(b'{"alg":"\\ud800"}') + f".{b64(b'{}')}.YWJj",
    "not UTF-8": "Bearer " + b64(b'{"alg":"\xff"}') + f".{b64(b'{}')}.YWJj",
    "UTF-16": "Bearer " + b64('{"alg":"ES256"}'.encode("utf-16")) + f".{b64(b'{}')}.YWJj",
    "a long number": "Bearer " + b64(b'{"alg":' + b"9" * 5000 + b"}") + f".{b64(b'{}')}.YWJj",
}


@pytest.mark.parametrize("header", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_header_is_refused(issuer, door, header):
    error = refused(door, issuer.settings(), authorization=header)
    assert error.status in {400, 401}
    assert error.challenge.isprintable()
    assert error.challenge.isascii()
    assert issuer.asked == []


def test_nothing_shown_is_answered_with_what_could_be(issuer, door):
    error = refused(door, issuer.settings())
    assert error.challenge.startswith('Bearer, DPoP algs="')
    assert refused(door, issuer.settings(dpop="off")).challenge == "Bearer"
    assert refused(door, issuer.settings(dpop="require")).challenge.startswith("DPoP ")


def test_what_is_required_here_must_be_in_the_token(issuer, door):
    settings = issuer.settings(audience=("api", "ledger"))
    token = issuer.token()
    assert verified(door, settings, token, audience="api", scopes=("read",)).subject == "user:ada"
    assert "audience" in refused(door, settings, token, audience="ledger").message
    assert "audience" in refused(door, settings, issuer.token(aud=["api", "x"]), audience="x").message
    error = refused(door, settings, token, scopes=("read", "admin"))
    assert (error.status, error.challenge.startswith('Bearer error="insufficient_scope"')) == (403, True)
    assert 'scope="read admin"' in error.challenge


def test_memory_answers_only_what_was_asked_before(issuer, door, clock):
    async def ask():
        async with door(issuer.settings(audience=("api", "ledger"))) as opened:
            token = issuer.token(aud=["api", "ledger"])
            assert opened.recall(token) is None
            identity = await opened.verify(token)
            assert opened.recall(token) == identity
            assert opened.recall(token, audience="ledger") is None
            assert opened.recall(token, scopes=("admin",)) is None
            assert opened.recall(token[:-2]) is None
            assert opened.recall(token, certificate=b"x") is None
            clock.advance(599)
            assert opened.recall(token) == identity
            clock.advance(1)
            assert opened.recall(token) is None
            opened.clock.advance(31)
            with pytest.raises(InvalidCredential, match="expired"):
                await opened.verify(token)

    asyncio.run(ask())


def test_memory_is_bounded(issuer, door):
    async def ask():
        async with door(issuer.settings({"cached_tokens": 2})) as opened:
            tokens = [issuer.token(jti=str(n)) for n in range(3)]
            for token in tokens:
                await opened.verify(token)
            assert [opened.recall(token) is None for token in tokens] == [True, False, False]

    asyncio.run(ask())


def test_memory_holds_no_token(issuer, door):
    async def ask():
        async with door(issuer.settings()) as opened:
            token = issuer.token()
            await opened.verify(token)
            assert token not in repr(vars(opened.verifier._remembered))  # noqa: SLF001 - what is kept is the point

    asyncio.run(ask())


def test_a_loose_issuer_makes_tokens_of_type_jwt(issuer, door):
    settings = issuer.settings(token_type="any")  # noqa: S106 - the name of a type
    assert verified(door, settings, issuer.token(header={"typ": "JWT"})).subject == "user:ada"
    assert verified(door, settings, issuer.token(header={"typ": None})).subject == "user:ada"
    refused(door, settings, issuer.token(header={"typ": "dpop+jwt"}))
    refused(door, settings, issuer.token(header={"typ": "logout+jwt"}))


def test_nothing_is_believed_without_issuers(door, issuer):
    settings = issuer.settings()
    nobody = type(settings)()
    assert "not believed" in refused(door, nobody, issuer.token()).message
    assert refused(door, nobody).challenge == "Bearer"
    assert Credentials().authorization is None
