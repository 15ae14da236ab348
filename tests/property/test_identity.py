"""Whatever a stranger sends, reading it ends in an answer or a refusal, never in anything else."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.config.settings import CertificateRule, IdentitySettings, IssuerSettings
from tocsin.errors import InvalidCredential
from tocsin.trust.certificates import identity_of_certificate, spiffe_entity
from tocsin.trust.challenges import challenge
from tocsin.trust.claims import confirmation_of, identity_of, terms_of
from tocsin.trust.credentials import Credentials, read_authorization
from tocsin.trust.dpop import ProofRequest, Proofs
from tocsin.trust.forwarded import read_certificate, read_forwarded
from tocsin.trust.identity import IdentityVerifier
from tocsin.trust.keyset import PublicKeys
from tocsin.trust.seen import Seen
from tocsin.trust.signed import take_apart
from tocsin.trust.strictjson import read_object
from tocsin.trust.targets import normal_target, same_target

sys.path.insert(0, str(Path(__file__).parents[1] / "e2e"))

from certificates import Authority, der

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AT = NOW.timestamp()
ISSUER = IssuerSettings(issuer="https://issuer.example", audience=("api",), claims=("groups", "/a/b"))
SETTINGS = IdentitySettings(
    issuers=(ISSUER,), trust_domains=("a.example",), certificates=(CertificateRule(name="dns", pattern="*"),)
)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
CERTIFICATE = der(Authority(now=NOW).leaf("x", [x509.DNSName("a"), x509.RFC822Name("ada@a.example")])[1])


def object_of(*names):
    return st.dictionaries(st.sampled_from(names) | st.text(max_size=6), anything, max_size=8)


def b64(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def encoded(value):
    return b64(json.dumps(value).encode("utf-8", "surrogatepass"))


compact = st.builds(
    lambda header, claims, signature: f"{encoded(header)}.{encoded(claims)}.{b64(signature)}",
    object_of("alg", "kid", "typ", "jwk", "crit", "b64"),
    object_of("iss", "sub", "aud", "exp"),
    st.binary(min_size=1, max_size=80),
)
mangled = st.builds(
    lambda token, at, with_: token[: at % len(token)] + with_ + token[at % len(token) + 1 :],
    compact,
    st.integers(0, 10_000),
    st.text(max_size=3),
)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200) | compact | mangled)
def test_taking_a_token_apart_ends_in_a_value_error_or_in_what_was_put_together(token):
    try:
        signed = take_apart(token)
    except ValueError:
        return
    assert signed.signing_input.decode() == token.rpartition(".")[0]
    assert "crit" not in signed.header


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
@example(b'{"a":1,"a":1}')
@example(b'{"a":"\\udc00"}')
@example(b"[" * 100_000)
@example(b"\xef\xbb\xbf{}")
def test_json_is_read_as_everybody_else_reads_it_or_not_at_all(raw):
    try:
        value = read_object(raw)
    except ValueError:
        return
    assert json.loads(raw) == value
    json.dumps(value, ensure_ascii=False).encode("utf-8")


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=200))
@example("Bearer a")
@example("bearer  a==")
def test_an_authorization_header_is_read_or_refused(header):
    try:
        shown = read_authorization(header)
    except InvalidCredential:
        return
    assert shown.scheme in {"bearer", "dpop"}
    assert header.endswith(shown.token)


CLAIMS = (
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "auth_time",
    "acr",
    "sid",
    "jti",
    "scope",
    "scp",
    "cnf",
    "groups",
    "a",
    "azp",
)


@settings(deadline=None, max_examples=60)
@given(object_of(*CLAIMS), st.booleans())
def test_claims_of_any_shape_make_a_sound_identity_or_are_refused(claims, good):
    if good:
        claims |= {"exp": AT + 60, "aud": "api"}
    try:
        terms = terms_of(claims, ISSUER, Credentials(), AT, 30)
        identity = identity_of(claims, ISSUER, terms, method="oidc", fallback_session="x")
        confirmation_of(claims)
    except InvalidCredential:
        return
    kind, colon, name = identity.subject.partition(":")
    assert kind in {"user", "workload"}
    assert colon
    assert name.isprintable()
    assert identity.assurance == 2
    assert identity.session


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300) | st.binary(max_size=200).map(lambda raw: base64.b64encode(raw).decode()))
@example('Cert="' + "%2D" * 100 + '"')
@example('By="\\')
@example(",,,;;;===")
def test_a_header_with_a_certificate_is_read_or_refused(text):
    for read in (read_certificate, read_forwarded):
        try:
            der = read(text)
        except InvalidCredential:
            continue
        assert der is None or 0 < len(der) <= 16 << 10


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(["By", "Hash", "Subject", "URI"]), st.text(max_size=20)), max_size=4), st.text()
)
def test_nothing_written_before_the_nearest_element_is_believed(before, raw):
    """Whatever stands before, the certificate of the last element is found, or nothing is."""
    der = b"certificate"
    nearest = f'Cert="{base64.b64encode(der).decode()}"'
    written = ";".join(f'{name}="{value}"' for name, value in before) or raw
    try:
        found = read_forwarded(f"{written},{nearest}")
    except InvalidCredential:
        return
    assert found == der


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300))
def test_noise_is_no_certificate(raw):
    with pytest.raises(InvalidCredential):
        identity_of_certificate(raw, SETTINGS, NOW)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_certificate_changed_anywhere_is_read_or_refused(changes):
    raw = bytearray(CERTIFICATE)
    for at, value in changes:
        raw[at % len(raw)] = value
    try:
        identity = identity_of_certificate(bytes(raw), SETTINGS, NOW)
    except InvalidCredential:
        return
    assert identity.subject.startswith("workload:")


@settings(deadline=None, max_examples=60)
@given(st.from_regex(r"spiffe://[a-z./%:@?#]{0,30}") | st.text(max_size=60))
def test_a_spiffe_id_is_read_only_in_its_one_spelling(text):
    entity = spiffe_entity(text, ["a.example"])
    assert entity is None or text == "spiffe://" + entity.removeprefix("workload:")


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=60) | st.from_regex(r"https?://[a-zA-Z.:@0-9/%?#]{0,40}", fullmatch=True))
def test_a_target_has_one_spelling(url):
    try:
        normal = normal_target(url)
    except ValueError:
        assert not same_target(url, url)
        return
    assert normal_target(normal) == normal
    assert same_target(url, normal)


@settings(deadline=None, max_examples=60)
@given(anything | object_of("keys"))
def test_a_key_set_of_any_shape_is_read_or_refused(document):
    try:
        keys = PublicKeys.read(document if isinstance(document, dict) else {"keys": document})
    except ValueError:
        return
    assert len(keys) > 0


JWKS = st.fixed_dictionaries(
    {"kty": st.sampled_from(["EC", "RSA", "OKP", "oct"])},
    optional={
        name: anything | st.sampled_from(["P-256", "Ed25519", "AQAB"]) for name in ("crv", "x", "y", "n", "e", "k")
    },
)


@settings(deadline=None, max_examples=60)
@given(JWKS, object_of("htm", "htu", "iat", "jti", "ath"), st.sampled_from(["ES256", "RS256", "Ed25519", "none"]))
def test_a_proof_nobody_signed_is_refused(jwk, claims, algorithm):
    header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": jwk}
    proofs = Proofs(window_s=60, leeway_s=30, seen=Seen(100, 120, b"k"), nonces=None)
    request = ProofRequest((f"{encoded(header)}.{encoded(claims)}.AAAA",), "GET", "https://a.example/", "t")
    with pytest.raises(InvalidCredential):
        proofs.check(request, "x" * 43, AT)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300), st.text(max_size=50))
def test_a_challenge_is_one_line_of_ascii(description, scope):
    written = challenge("Bearer", "invalid_token", error_description=description, scope=scope)
    assert written.isascii()
    assert written.isprintable()
    assert written.count('"') % 2 == 0


@settings(deadline=None, max_examples=30)
@given(
    st.none() | st.text(max_size=100) | (compact | mangled).map(lambda token: f"Bearer {token}"),
    st.lists(compact | st.text(max_size=30), max_size=2).map(tuple),
    st.none() | st.binary(max_size=60),
)
def test_the_front_door_lets_nobody_in_with_noise(verifier, authorization, dpop, certificate):
    shown = Credentials(authorization=authorization, dpop=dpop, certificate=certificate, url="https://a.example/")
    assert verifier.recall(shown) is None
    with pytest.raises(InvalidCredential):
        asyncio.run(verifier.verify(shown, NOW))


@pytest.fixture(scope="module")
def verifier():
    made = IdentityVerifier(SETTINGS, clock=lambda: NOW, secret=b"test")
    yield made
    asyncio.run(made.aclose())
