"""Keys of an issuer: found, rotated, withdrawn, out of reach, and asked for by a flood."""

from __future__ import annotations

import asyncio
import json

import pytest
from joserfc.jwk import ECKey

from tocsin.config.settings import IssuerSettings
from tocsin.errors import ConfigError, InvalidCredential, IssuerUnavailable
from tocsin.trust.identity import IdentityVerifier

JWKS = "/jwks"


def run(scene):
    return asyncio.run(scene)


async def settled():
    """Let what runs in the background come to its end."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait_for(asyncio.shield(task), 5)


def new_key(name):
    return ECKey.generate_key("P-256", parameters={"kid": name})


def test_keys_are_fetched_once_for_all_who_wait(issuer, door):
    async def scene():
        async with door(issuer.settings()) as opened:
            tokens = [issuer.token(jti=str(n)) for n in range(20)]
            await asyncio.gather(*(opened.verify(token) for token in tokens))
        assert issuer.asked == [JWKS]

    run(scene())


def test_a_new_key_is_found_at_once_and_an_old_one_ends_all_it_signed(issuer, door, clock):
    async def scene():
        async with door(issuer.settings()) as opened:
            old = issuer.token()
            await opened.verify(old)
            clock.advance(15)
            issuer.keys = [new_key("ec-2")]
            new = issuer.token(issuer.keys[0])
            await opened.verify(new)
            assert issuer.asked == [JWKS, JWKS]
            assert opened.recall(old) is None
            assert opened.recall(new) is not None
            with pytest.raises(InvalidCredential, match="does not publish"):
                await opened.verify(old)

    run(scene())


def test_a_withdrawn_key_is_noticed_in_the_background(issuer, door, clock):
    async def scene():
        async with door(issuer.settings()) as opened:
            token = issuer.token(exp=int(clock.now.timestamp()) + 3600)
            await opened.verify(token)
            issuer.keys = [new_key("ec-2")]
            clock.advance(601)
            assert opened.recall(token) is None
            assert (await opened.verify(token)).subject == "user:ada"
            await settled()
            with pytest.raises(InvalidCredential, match="does not publish"):
                await opened.verify(token)

    run(scene())


def test_a_flood_of_unknown_keys_does_not_reach_the_issuer(issuer, door, clock):
    async def scene():
        async with door(issuer.settings()) as opened:
            await opened.verify(issuer.token())
            for n in range(300):
                with pytest.raises(InvalidCredential, match="does not publish"):
                    await opened.verify(issuer.token(header={"kid": f"no-{n}"}))
                clock.advance(0.1)
            assert len(issuer.asked) <= 1 + 3
            assert (await opened.verify(issuer.token(jti="2"))).subject == "user:ada"

    run(scene())


def test_a_key_that_was_not_found_is_not_looked_for_again_for_a_while(issuer, door, clock):
    async def scene():
        async with door(issuer.settings()) as opened:
            stranger = issuer.token(header={"kid": "no"})
            await opened.verify(issuer.token())
            for wait_s, asked in ((11, 2), (11, 2), (11, 2), (60, 3)):
                clock.advance(wait_s)
                with pytest.raises(InvalidCredential):
                    await opened.verify(stranger)
                assert len(issuer.asked) == asked

    run(scene())


def test_what_is_remembered_of_unknown_keys_is_bounded(issuer, door, clock):
    async def scene():
        async with door(issuer.settings({"jwks_cooldown_s": 1})) as opened:
            await opened.verify(issuer.token())
            (held,) = opened.verifier._issuers  # noqa: SLF001 - its size is the point
            for n in range(1100):
                held.keys._remember_missing(str(n), clock.now.timestamp())  # noqa: SLF001 - see above
            assert len(held.keys._missing) == 1024  # noqa: SLF001 - see above

    run(scene())


def test_keys_held_outlast_an_outage_up_to_their_age(issuer, door, clock):
    async def scene():
        async with door(issuer.settings({"jwks_max_age_s": 3600})) as opened:
            token = issuer.token(exp=int(clock.now.timestamp()) + 9000)
            await opened.verify(token)
            issuer.down = True
            clock.advance(3599)
            assert (await opened.verify(token)).subject == "user:ada"
            await settled()
            assert opened.recall(token) is not None
            clock.advance(2)
            assert opened.recall(token) is None
            with pytest.raises(IssuerUnavailable, match="cannot be fetched"):
                await opened.verify(token)
            assert opened.verifier.status(clock())[0].ready is False
            issuer.down = False
            clock.advance(31)
            assert (await opened.verify(token)).subject == "user:ada"

    run(scene())


def test_an_outage_is_not_hammered(issuer, door, clock):
    async def scene():
        issuer.down = True
        async with door(issuer.settings()) as opened:
            for _ in range(100):
                with pytest.raises(IssuerUnavailable):
                    await opened.verify(issuer.token())
                clock.advance(0.1)
        assert len(issuer.asked) <= 3

    run(scene())


def test_a_slow_issuer_holds_up_nobody_who_is_remembered(issuer, door, clock):
    async def scene():
        async with door(issuer.settings()) as opened:
            token = issuer.token(exp=int(clock.now.timestamp()) + 3600)
            await opened.verify(token)
            issuer.delay.clear()
            clock.advance(601)
            await asyncio.wait_for(opened.verify(token), 1)
            assert opened.recall(token) is not None
            issuer.delay.set()
            await settled()

    run(scene())


def test_who_gives_up_waiting_does_not_stop_the_fetch(issuer, door):
    async def scene():
        async with door(issuer.settings()) as opened:
            issuer.delay.clear()
            impatient = asyncio.ensure_future(opened.verify(issuer.token()))
            patient = asyncio.ensure_future(opened.verify(issuer.token(jti="2")))
            await asyncio.sleep(0.05)
            impatient.cancel()
            issuer.delay.set()
            assert (await patient).subject == "user:ada"
            assert issuer.asked == [JWKS]

    run(scene())


BAD_ANSWERS = {
    "no JSON": (200, {}, b"<html>"),
    "no object": (200, {}, b"[]"),
    "no keys": (200, {}, b'{"keys":[]}'),
    "keys that are no list": (200, {}, b'{"keys":{}}'),
    "only nonsense": (
        200,
        {},
        json.dumps({"keys": [1, {}, {"kty": "EC"}, {"kty": "RSA", "n": 1, "e": "AQAB"}]}).encode(),
    ),
    "too large": (200, {}, b'{"keys":[' + b" " * (300 << 10) + b"]}"),
    "compressed": (200, {"content-encoding": "gzip"}, b"\x1f\x8b"),
    "not found": (404, {}, b"{}"),
    "a redirect elsewhere": (302, {"location": "https://elsewhere.example/jwks"}, b""),
    "a redirect to a file": (302, {"location": "file:///etc/passwd"}, b""),
    "a redirect in circles": (302, {"location": JWKS}, b""),
    "a redirect to nowhere": (302, {}, b""),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_a_bad_answer_is_an_outage(issuer, door, answer):
    async def scene():
        issuer.pages[JWKS] = answer
        async with door(issuer.settings()) as opened:
            with pytest.raises(IssuerUnavailable):
                await opened.verify(issuer.token())

    run(scene())


def test_a_redirect_within_the_issuer_is_followed(issuer, door):
    async def scene():
        issuer.pages[JWKS] = (302, {"location": "/keys"}, b"")
        issuer.pages["/keys"] = (200, {}, json.dumps(issuer.documents()[JWKS]).encode())
        async with door(issuer.settings()) as opened:
            assert (await opened.verify(issuer.token())).subject == "user:ada"

    run(scene())


BAD_METADATA = {
    "another issuer's": {"issuer": "https://evil.example"},
    "nobody's": {"issuer": None},
    "keys in clear": {"jwks_uri": "http://evil.example/jwks"},
    "keys in a file": {"jwks_uri": "file:///jwks"},
    "no keys": {"jwks_uri": None},
    "keys behind a password": {"jwks_uri": "https://user:secret@evil.example/jwks"},
}


@pytest.mark.parametrize("changes", BAD_METADATA.values(), ids=BAD_METADATA)
def test_bad_metadata_is_an_outage(issuer, door, changes):
    async def scene():
        metadata = issuer.documents()["/.well-known/openid-configuration"] | changes
        issuer.pages["/.well-known/openid-configuration"] = (200, {}, json.dumps(metadata).encode())
        async with door(issuer.settings(jwks_uri="")) as opened:
            with pytest.raises(IssuerUnavailable):
                await opened.verify(issuer.token())
        assert JWKS not in issuer.asked

    run(scene())


def test_an_issuer_is_warmed_and_tells_how_it_stands(issuer, door, clock):
    async def scene():
        async with door(issuer.settings()) as opened:
            assert [(s.ready, s.keys, s.age_s) for s in opened.verifier.status(clock())] == [(False, 0, None)]
            await opened.verifier.warm(clock())
            clock.advance(5)
            assert [(s.ready, s.keys, s.age_s) for s in opened.verifier.status(clock())] == [(True, 2, 5.0)]
            issuer.down = True

    run(scene())


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://issuer.example"},
        {"issuer": "https://issuer.example", "jwks_uri": "http://issuer.example/jwks"},
        {"issuer": "https://issuer.example", "discovery": "http://127.0.0.1/metadata"},
        {"issuer": "https://issuer.example", "introspection_url": "http://issuer.example/introspect"},
        {
            "issuer": "https://issuer.example",
            "introspection_url": "https://issuer.example/i",
            "introspection_client": "x",
        },
    ],
)
def test_what_cannot_be_safe_is_refused_when_the_server_starts(changes, clock, issuer):
    settings = type(issuer.settings())(issuers=(IssuerSettings(audience=("api",), **changes),))
    with pytest.raises(ConfigError):
        IdentityVerifier(settings, clock=clock)


def test_an_issuer_stands_once(issuer, clock):
    settings = issuer.settings()
    with pytest.raises(ConfigError, match="twice"):
        IdentityVerifier(type(settings)(issuers=settings.issuers * 2), clock=clock)
