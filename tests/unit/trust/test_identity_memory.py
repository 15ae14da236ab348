"""What is remembered of proofs, and how URLs and keys are read: the small parts that identity rests on."""

from __future__ import annotations

import pytest
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from tocsin.trust.challenges import challenge, printable, refusal
from tocsin.trust.keyset import PublicKeys, import_public
from tocsin.trust.nonces import Nonces
from tocsin.trust.seen import Seen
from tocsin.trust.targets import normal_target, same_target


def test_a_mark_counts_once_until_it_no_longer_counts_at_all():
    seen = Seen(capacity=100, window_s=100, secret=b"k")
    assert seen.first("ada", "1", counts_until=160, now=100)
    assert not seen.first("ada", "1", counts_until=160, now=100)
    assert not seen.first("ada", "1", counts_until=190, now=159.9)
    assert seen.first("bob", "1", counts_until=160, now=100)
    assert len(seen) == 2
    assert seen.first("ada", "1", counts_until=290, now=200)
    assert len(seen) == 1


def test_names_of_holders_do_not_run_into_names_of_proofs():
    seen = Seen(capacity=100, window_s=100, secret=b"k")
    assert seen.first("a", "bc", counts_until=160, now=100)
    assert seen.first("ab", "c", counts_until=160, now=100)


def test_when_full_nothing_is_forgotten_early():
    seen = Seen(capacity=8, window_s=100, secret=b"k")
    for n in range(8):
        assert seen.first(f"h-{n}", "1", counts_until=150, now=100)
    with pytest.raises(OverflowError):
        seen.first("h-9", "1", counts_until=150, now=100)
    assert not seen.first("h-0", "1", counts_until=150, now=100)
    assert seen.first("h-9", "1", counts_until=300, now=200)


def test_one_holder_fills_no_more_than_its_share():
    seen = Seen(capacity=8, window_s=100, secret=b"k")
    assert seen.first("ada", "1", counts_until=150, now=100)
    assert seen.first("ada", "2", counts_until=199, now=100)
    with pytest.raises(OverflowError):
        seen.first("ada", "3", counts_until=150, now=100)


def test_a_nonce_counts_in_its_period_and_the_next():
    nonces = Nonces(b"secret", period_s=60)
    made = nonces.current(600)
    assert [nonces.good(made, now) for now in (599, 600, 659, 719, 720, 0)] == [False, True, True, True, False, False]
    assert not Nonces(b"other", period_s=60).good(made, 600)


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("https://a.example", "https://a.example/"),
        ("HTTPS://A.Example:443/", "https://a.example/"),
        ("http://a.example:80/b?c=d#e", "http://a.example/b"),
        ("https://a.example:8443/b", "https://a.example:8443/b"),
        ("https://[2001:DB8::1]/b", "https://[2001:db8::1]/b"),
        ("https://a.example/%7Eb/%2f/%c3", "https://a.example/~b/%2F/%C3"),
        ("https://a.example/a/./b/../c/..", "https://a.example/a/"),
        ("https://a.example/../..", "https://a.example/"),
        ("https://a.example/a//b", "https://a.example/a//b"),
        ("https://a.example/a/", "https://a.example/a/"),
    ],
)
def test_urls_are_compared_in_one_spelling(url, normal):
    assert normal_target(url) == normal
    assert normal_target(normal) == normal


@pytest.mark.parametrize(
    "url",
    ["", "/a", "a.example/b", "ftp://a.example/", "https://", "https://u@a.example/", "https://a.example:x/",
     "https://a.example:99999/", "https://a.example/a b", "https://a.example/\n", "https://ä.example/", "https://[::1/",
     "https://a.example/" + "a" * 9000],
)  # fmt: skip
def test_what_is_no_target_matches_nothing(url):
    assert not same_target(url, url)


def test_keys_of_a_set_are_cut_down_to_those_that_may_verify():
    good = [
        ECKey.generate_key("P-256", parameters={"kid": "a"}),
        OKPKey.generate_key("Ed25519"),
        RSAKey.generate_key(2048),
    ]
    bad = [OctKey.generate_key(256).as_dict(private=True), good[0].as_dict(private=True), 7, {"kty": "PQ"}]
    keys = PublicKeys.read({"keys": [*bad, *(key.as_dict(private=False) for key in good)]})
    assert (len(keys), keys.left_out) == (3, 4)
    assert keys.knows("a")
    assert [len(keys.candidates(None, algorithm)) for algorithm in ("ES256", "Ed25519", "RS256", "ES384")] == [
        1,
        1,
        1,
        0,
    ]


def test_a_key_for_encryption_verifies_nothing():
    for changes in ({"use": "enc"}, {"key_ops": ["encrypt"]}, {"alg": "ES384"}):
        key = ECKey.generate_key("P-256").as_dict(private=False) | changes
        assert not PublicKeys.read({"keys": [key]}).candidates(None, "ES256")


def test_a_set_is_read_only_so_far():
    key = ECKey.generate_key("P-256").as_dict(private=False)
    keys = PublicKeys.read({"keys": [key | {"kid": str(n)} for n in range(100)]})
    assert (len(keys), keys.left_out) == (64, 36)
    assert len(keys.candidates(None, "ES256")) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"n": "AQAB"},
        {"n": "AA" * 2000},
        {"e": "AQAAAAAB"},
        {"e": 3},
        {"n": ""},
        {"n": "====", "e": "AQAB"},
        {"n": None},
    ],
)
def test_an_rsa_key_of_a_bad_size_is_none(changes):
    with pytest.raises(ValueError, match=r"RSA|malformed"):
        import_public(RSAKey.generate_key(2048).as_dict(private=False) | changes)


@pytest.mark.parametrize("changes", [{"x": "AAAA"}, {"crv": "P-999"}, {"crv": 7}, {"x": None}, {"use": "signing"}])
def test_a_point_off_the_curve_is_no_key(changes):
    with pytest.raises(ValueError, match="malformed"):
        import_public(ECKey.generate_key("P-256").as_dict(private=False) | changes)


def test_nothing_breaks_out_of_a_challenge():
    written = challenge("Bearer", "invalid_token", error_description='a"b\\c\r\nSet-Cookie: d=ä')
    assert written == 'Bearer error="invalid_token", error_description="a?b?c??Set-Cookie: d=?"'
    assert printable("x" * 1000, limit=5) == "xxxxx"
    assert refusal("no", "insufficient_scope").status == 403
