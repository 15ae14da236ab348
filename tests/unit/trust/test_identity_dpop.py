"""Tokens bound to a key: every request proves the key anew, and no proof counts twice or elsewhere."""

from __future__ import annotations

import asyncio

import pytest
from identity_parties import AT, Prover
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from tocsin.errors import InvalidCredential

EC = ECKey.generate_key("P-256")


def bound(issuer, prover, **changes):
    return issuer.token(cnf={"jkt": prover.jkt}, **changes)


def test_a_proof_is_worth_more_and_never_answered_from_memory(issuer, door, prover):
    async def scene():
        async with door(issuer.settings()) as opened:
            token = bound(issuer, prover)
            identity = await opened.verify(**prover.shown(token))
            assert (identity.subject, identity.assurance, identity.method) == ("user:ada", 3, "dpop")
            assert identity.credential == f"key:{prover.jkt}"
            assert opened.recall(**prover.shown(token)) is None
            assert opened.recall(authorization=f"DPoP {token}") is None
            assert (await opened.verify(**prover.shown(token))) == identity
        assert issuer.asked == ["/jwks"]

    asyncio.run(scene())


def refused(door, settings, **shown):
    async def scene():
        async with door(settings) as opened:
            with pytest.raises(InvalidCredential) as caught:
                await opened.verify(**shown)
            return caught.value

    return asyncio.run(scene())


BAD_PROOFS = {
    "another method": {"htm": "POST"},
    "the method in small letters": {"htm": "get"},
    "no method": {"htm": None},
    "another URL": {"htu": "https://api.example/accounts/8"},
    "another host": {"htu": "https://evil.example/accounts/7"},
    "another scheme": {"htu": "http://api.example/accounts/7"},
    "another port": {"htu": "https://api.example:8443/accounts/7"},
    "a password in the URL": {"htu": "https://ada@api.example/accounts/7"},
    "a path alone": {"htu": "/accounts/7"},
    "no URL": {"htu": None},
    "a URL that is a list": {"htu": ["https://api.example/accounts/7"]},
    "another token": {"ath": "x"},
    "no token": {"ath": None},
    "too old": {"iat": AT - 91},
    "from the future": {"iat": AT + 31},
    "no time": {"iat": None},
    "a time that is true": {"iat": True},
    "a time in words": {"iat": "now"},
    "no name": {"jti": None},
    "an empty name": {"jti": ""},
    "a name without end": {"jti": "x" * 300},
    "a name that is a number": {"jti": 7},
    "another type": {"header": {"typ": "JWT"}},
    "no type": {"header": {"typ": None}},
    "no key": {"header": {"jwk": None}},
    "a key that is text": {"header": {"jwk": "x"}},
    "the private key": {"header": {"jwk": EC.as_dict(private=True)}, "key": EC},
    "another key": {"header": {"jwk": EC.as_dict(private=False)}, "key": EC},
    "another's signature": {"key": EC},
    "critical extensions": {"header": {"crit": ["x"], "x": 1}},
}


@pytest.mark.parametrize("changes", BAD_PROOFS.values(), ids=BAD_PROOFS)
def test_a_bad_proof_is_refused(issuer, door, prover, changes):
    token = bound(issuer, prover)
    proof = by_hand(prover, token, **changes)
    error = refused(door, issuer.settings(), **prover.shown(token, proof))
    assert error.status == 401
    assert error.challenge.startswith('DPoP error="invalid_dpop_proof"')
    assert proof not in error.challenge + error.message


def by_hand(prover, token, *, header=None, key=None, **changes):
    """Make a proof that a library would not make."""
    from identity_parties import b64, b64json, decoded  # noqa: PLC0415 - used here alone
    from joserfc.jws import JWSRegistry  # noqa: PLC0415 - see above

    head, claims = (decoded(part) for part in prover.proof(token).split(".")[:2])
    head = {n: v for n, v in (head | (header or {})).items() if v is not None}
    claims = {n: v for n, v in (claims | changes).items() if v is not None}
    message = f"{b64json(head)}.{b64json(claims)}"
    return f"{message}.{b64(JWSRegistry.algorithms['ES256'].sign(message.encode(), key or prover.key))}"


def test_a_proof_by_hand_with_nothing_wrong_is_taken(issuer, door, prover):
    async def scene():
        token = bound(issuer, prover)
        async with door(issuer.settings()) as opened:
            assert (await opened.verify(**prover.shown(token, by_hand(prover, token)))).assurance == 3

    asyncio.run(scene())


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("Ed25519", OKPKey.generate_key("Ed25519")),
        ("RS256", RSAKey.generate_key(2048)),
        ("PS256", RSAKey.generate_key(2048)),
        ("ES384", ECKey.generate_key("P-384")),
    ],
)
def test_proofs_may_be_signed_in_several_ways(issuer, door, algorithm, key):
    async def scene():
        prover = Prover()
        prover.key, prover.jkt = key, key.thumbprint()
        token = bound(issuer, prover)
        async with door(issuer.settings()) as opened:
            shown = prover.shown(token, prover.proof(token, header={"alg": algorithm}))
            assert (await opened.verify(**shown)).method == "dpop"

    asyncio.run(scene())


def test_a_shared_secret_proves_nothing(issuer, door, prover):
    secret = OctKey.generate_key(256)
    token = issuer.token(cnf={"jkt": secret.thumbprint()})
    proof = prover.proof(token, header={"alg": "HS256", "jwk": secret.as_dict(private=True)}, key=secret)
    assert "algorithm" in refused(door, issuer.settings(), **prover.shown(token, proof)).message


def test_a_proof_counts_once(issuer, door, prover, clock):
    async def scene():
        async with door(issuer.settings()) as opened:
            token = bound(issuer, prover)
            shown = prover.shown(token)
            await opened.verify(**shown)
            for wait_s in (0, 1, 88):
                clock.advance(wait_s)
                with pytest.raises(InvalidCredential, match="used before"):
                    await opened.verify(**shown)
            clock.advance(2)
            with pytest.raises(InvalidCredential, match="too old"):
                await opened.verify(**shown)

    asyncio.run(scene())


def test_two_holders_may_use_the_same_name(issuer, door, prover):
    async def scene():
        other = Prover()
        async with door(issuer.settings()) as opened:
            for holder in (prover, other):
                token = bound(issuer, holder)
                assert (await opened.verify(**holder.shown(token, jti="same"))).assurance == 3

    asyncio.run(scene())


def test_a_bound_token_is_worthless_as_bearer(issuer, door, prover):
    token = bound(issuer, prover)
    error = refused(door, issuer.settings(), authorization=f"Bearer {token}")
    assert error.challenge.startswith('DPoP error="invalid_token"')
    shown = prover.shown(token) | {"authorization": f"Bearer {token}"}
    assert "sent as Bearer" in refused(door, issuer.settings(), **shown).message


def test_a_bound_token_needs_exactly_one_proof(issuer, door, prover):
    token = bound(issuer, prover)
    for proofs in ((), (prover.proof(token), prover.proof(token))):
        assert "exactly one" in refused(door, issuer.settings(), **prover.shown(token) | {"dpop": proofs}).message


def test_a_token_that_is_not_bound_cannot_come_as_dpop(issuer, door, prover):
    token = issuer.token()
    assert "not bound" in refused(door, issuer.settings(), **prover.shown(token)).message


def test_an_issuer_may_require_proofs_or_do_without(issuer, door, prover):
    assert (
        "not bound" in refused(door, issuer.settings(dpop="require"), authorization=f"Bearer {issuer.token()}").message
    )
    shown = prover.shown(bound(issuer, prover))
    assert "DPoP is off" in refused(door, issuer.settings(dpop="off"), **shown).message


def test_the_url_may_be_spelt_differently(issuer, door, prover):
    async def scene():
        async with door(issuer.settings()) as opened:
            token = bound(issuer, prover)
            for spelling in ("HTTPS://API.example:443/accounts/%37", "https://api.example/x/../accounts/./7?q#f"):
                assert (await opened.verify(**prover.shown(token, htu=spelling))).assurance == 3

    asyncio.run(scene())


def test_a_nonce_is_asked_for_and_counts_for_a_while(issuer, door, prover, clock):
    async def scene():
        async with door(issuer.settings({"dpop_nonce": True})) as opened:
            token = bound(issuer, prover)
            with pytest.raises(InvalidCredential) as caught:
                await opened.verify(**prover.shown(token))
            assert caught.value.challenge.startswith('DPoP error="use_dpop_nonce"')
            nonce = caught.value.nonce
            assert nonce == opened.verifier.nonce(clock())
            assert (await opened.verify(**prover.shown(token, nonce=nonce))).assurance == 3
            clock.advance(59)
            assert (await opened.verify(**prover.shown(token, nonce=nonce, iat=AT + 59))).assurance == 3
            clock.advance(61)
            for bad in (nonce, "x", "", 7, nonce[:-1] + ("A" if nonce[-1] != "A" else "B")):
                with pytest.raises(InvalidCredential, match="needs the nonce"):
                    await opened.verify(**prover.shown(token, nonce=bad, iat=AT + 120))

    asyncio.run(scene())


def test_a_nonce_of_another_server_does_not_count(issuer, door, prover, clock):
    async def scene():
        async with door(issuer.settings({"dpop_nonce": True})) as opened, door(issuer.settings()) as other:
            assert other.verifier.nonce(clock()) == ""
            token = bound(issuer, prover)
            stranger = type(opened.verifier)(issuer.settings({"dpop_nonce": True}), clock=clock, secret=b"another")
            with pytest.raises(InvalidCredential, match="needs the nonce"):
                await opened.verify(**prover.shown(token, nonce=stranger.nonce(clock())))
            await stranger.aclose()

    asyncio.run(scene())


def test_when_no_more_proofs_fit_none_is_taken(issuer, door, prover):
    async def scene():
        async with door(issuer.settings({"dpop_proofs": 1000})) as opened:
            token = bound(issuer, prover)
            for _ in range(250):
                await opened.verify(**prover.shown(token))
            with pytest.raises(InvalidCredential, match="too many"):
                await opened.verify(**prover.shown(token))
            other = Prover()
            assert (await opened.verify(**other.shown(bound(issuer, other)))).assurance == 3

    asyncio.run(scene())
