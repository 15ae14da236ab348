"""Opaque tokens: their issuer is asked, as seldom as can be and never with somebody else's token."""

from __future__ import annotations

import asyncio
import base64

import pytest
from identity_parties import AT, Issuer, running

from tocsin.config.settings import IdentitySettings, IssuerSettings
from tocsin.errors import ConfigError, InvalidCredential, IssuerUnavailable
from tocsin.trust.identity import IdentityVerifier


def asked(issuer, secret_file="", **changes):
    url = issuer.url + "/introspect"
    client = (
        {"introspection_client": "tocsin pep", "introspection_secret_file": str(secret_file)} if secret_file else {}
    )
    return issuer.settings(**({"introspection_url": url} | client | changes))


def live(issuer, **changes):
    return {"active": True, "token_type": "Bearer", **issuer.claims(**changes)}


def test_a_live_token_says_who_acts_and_is_asked_about_once(issuer, door, clock, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("p:s%t\n")

    async def scene():
        issuer.tokens["opaque"] = live(issuer, sid="s-1")
        async with door(asked(issuer, secret)) as opened:
            identity = await opened.verify("opaque")
            assert (identity.subject, identity.method, identity.session) == ("user:ada", "opaque", "s-1")
            assert opened.recall("opaque") == identity
            clock.advance(30)
            assert opened.recall("opaque") is None
            await opened.verify("opaque")
        assert issuer.asked == ["/introspect"] * 2
        expected = base64.b64encode(b"tocsin%20pep:p%3As%25t").decode()
        assert issuer.authorizations == [f"Basic {expected}"] * 2

    asyncio.run(scene())


def test_many_who_show_one_token_ask_once(issuer, door):
    async def scene():
        issuer.tokens["opaque"] = live(issuer)
        async with door(asked(issuer)) as opened:
            await asyncio.gather(*(opened.verify("opaque", scopes=scopes) for scopes in ((), ("read",), ("write",))))
        assert len(issuer.asked) == 1

    asyncio.run(scene())


NOT_LIVE = {
    "not live": {"active": False},
    "live in words": {"active": "true"},
    "another issuer's": {"iss": "https://evil.example"},
    "another audience's": {"aud": "other"},
    "expired": {"exp": AT - 31},
    "nobody's": {"sub": None},
}


@pytest.mark.parametrize("changes", NOT_LIVE.values(), ids=NOT_LIVE)
def test_a_token_that_does_not_hold_is_refused(issuer, door, changes):
    async def scene():
        issuer.tokens["opaque"] = live(issuer, **changes)
        async with door(asked(issuer)) as opened:
            for _ in range(2):
                with pytest.raises(InvalidCredential) as caught:
                    await opened.verify("opaque")
                assert 'error="invalid_token"' in caught.value.challenge

    asyncio.run(scene())


def test_a_dead_token_is_not_asked_about_again_for_a_while(issuer, door, clock):
    async def scene():
        async with door(asked(issuer)) as opened:
            for _ in range(5):
                with pytest.raises(InvalidCredential, match="not live"):
                    await opened.verify("dead")
            assert len(issuer.asked) == 1
            clock.advance(10)
            issuer.tokens["dead"] = live(issuer)
            assert (await opened.verify("dead")).subject == "user:ada"

    asyncio.run(scene())


def test_an_issuer_is_not_asked_too_much_at_once(issuer, door):
    async def scene():
        issuer.delay.clear()
        async with door(asked(issuer)) as opened:
            waiting = [asyncio.ensure_future(opened.verify(f"t-{n}")) for n in range(40)]
            await asyncio.sleep(0.05)
            done = [task for task in waiting if task.done()]
            assert len(done) == 8
            assert all(isinstance(task.exception(), IssuerUnavailable) for task in done)
            issuer.delay.set()
            await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(scene())


def test_an_outage_believes_nothing(issuer, door):
    async def scene():
        issuer.down = True
        async with door(asked(issuer)) as opened:
            with pytest.raises(IssuerUnavailable):
                await opened.verify("opaque")
            issuer.down = False
            issuer.tokens["opaque"] = live(issuer)
            assert (await opened.verify("opaque")).subject == "user:ada"

    asyncio.run(scene())


def test_a_revoked_jwt_is_noticed_where_its_issuer_is_always_asked(issuer, door, clock):
    async def scene():
        token = issuer.token()
        issuer.tokens[token] = live(issuer)
        async with door(asked(issuer, introspect="always")) as opened:
            assert (await opened.verify(token)).method == "oidc"
            del issuer.tokens[token]
            assert opened.recall(token) is not None
            clock.advance(30)
            assert opened.recall(token) is None
            with pytest.raises(InvalidCredential, match="not live"):
                await opened.verify(token)

    asyncio.run(scene())


def test_a_token_without_an_end_is_believed_shortly(issuer, door, clock):
    async def scene():
        issuer.tokens["opaque"] = live(issuer, exp=None)
        async with door(asked(issuer)) as opened:
            identity = await opened.verify("opaque")
            assert (identity.expires - clock()).total_seconds() == 30

    asyncio.run(scene())


def test_a_client_alone_is_a_workload(issuer, door):
    async def scene():
        issuer.tokens["opaque"] = live(issuer, sub=None, client_id="nightly")
        async with door(asked(issuer)) as opened:
            assert (await opened.verify("opaque")).subject == "workload:nightly"

    asyncio.run(scene())


def test_an_opaque_token_goes_to_its_own_issuer_only(door):
    async def scene(first, second):
        settings = IdentitySettings(
            issuers=tuple(
                IssuerSettings(
                    issuer=issuer.url,
                    audience=("api",),
                    introspection_url=issuer.url + "/introspect",
                    opaque_prefix=prefix,
                )
                for issuer, prefix in ((first, "one_"), (second, ""))
            )
        )
        first.tokens["one_x"], second.tokens["x"] = live(first), live(second)
        async with door(settings) as opened:
            assert (await opened.verify("one_x")).issuer == first.url
            assert (await opened.verify("x")).issuer == second.url
        assert (len(first.asked), len(second.asked)) == (1, 1)

    with running(Issuer) as first, running(Issuer) as second:
        asyncio.run(scene(first, second))


def test_two_issuers_cannot_be_asked_about_the_same_tokens(issuer, clock):
    (one,) = asked(issuer).issuers
    other = IssuerSettings(issuer=issuer.url + "/2", audience=("api",), introspection_url=one.introspection_url)
    with pytest.raises(ConfigError, match="same opaque tokens"):
        IdentityVerifier(IdentitySettings(issuers=(one, other)), clock=clock)


def test_an_opaque_token_is_refused_where_nobody_can_be_asked(issuer, door):
    async def scene():
        async with door(issuer.settings()) as opened:
            with pytest.raises(InvalidCredential, match="no issuer can be asked"):
                await opened.verify("opaque")

    asyncio.run(scene())


def test_a_token_with_dots_is_opaque_where_its_prefix_says_so(issuer, door):
    async def scene():
        issuer.tokens["op.aq.ue"] = live(issuer)
        async with door(asked(issuer, opaque_prefix="op.")) as opened:
            assert (await opened.verify("op.aq.ue")).method == "opaque"
            assert (await opened.verify(issuer.token())).method == "oidc"

    asyncio.run(scene())


def test_an_issuer_that_is_only_asked_is_ready_until_it_does_not_answer(issuer, door, clock):
    async def scene():
        issuer.pages["/jwks"] = (404, {}, b"{}")
        async with door(asked(issuer)) as opened:
            assert [status.ready for status in await opened.verifier.warm(clock())] == [True]
            issuer.down = True
            with pytest.raises(IssuerUnavailable):
                await opened.verify("opaque")
            assert [status.ready for status in opened.verifier.status(clock())] == [False]

    asyncio.run(scene())


def test_what_nobody_waits_for_any_more_fails_in_silence(issuer, door):
    async def scene():
        issuer.delay.clear()
        issuer.down = True
        async with door(asked(issuer)) as opened:
            impatient = asyncio.ensure_future(opened.verify("opaque"))
            await asyncio.sleep(0.05)
            impatient.cancel()
            issuer.delay.set()
            await asyncio.gather(impatient, *(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)

    asyncio.run(scene())
