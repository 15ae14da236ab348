from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tocsin.service.paths import MAX_QUERY_KEYS, AmbiguousRequest, normalise, query_keys

PIECES = st.sampled_from(
    [b"/", b"//", b".", b"..", b"%2e", b"%2E%2e", b"%2f", b"%5C", b"%25", b"25", b"2e", b"%", b"%4", b"%00", b"%7e",
     b"%41", b"%c3%a9", b"\xc3\xa9", b"%ff", b"a", b"admin", b";", b"?", b"#", b"\\", b" ", b"\r\n", b"%3b", b"|"]
)  # fmt: skip
PATHS = st.lists(PIECES, max_size=12).map(lambda pieces: b"/" + b"".join(pieces)) | st.binary(max_size=40)


@pytest.mark.parametrize(
    ("written", "spelt"),
    [
        (b"/", "/"),
        (b"/admin", "/admin"),
        (b"/admin/", "/admin/"),
        (b"/%61dmin", "/admin"),
        (b"//admin", "/admin"),
        (b"/x/../admin", "/admin"),
        (b"/x/%2e%2E/admin", "/admin"),
        (b"/./admin/.", "/admin/"),
        (b"/admin/x/..", "/admin/"),
        (b"/~ada/%7Eada", "/~ada/~ada"),
        (b"/users/%40me", "/users/@me"),
        (b"/caf\xc3\xa9/caf%c3%a9", "/caf%C3%A9/caf%C3%A9"),
        (b"/a%20b|c", "/a%20b%7Cc"),
        (b"/100%25", "/100%25"),
        (b"/a%3Fb%23c%3bd", "/a%3Fb%23c%3Bd"),
        (b"/...", "/..."),
    ],
)
def test_one_route_has_one_spelling(written, spelt):
    assert normalise(written) == spelt


@pytest.mark.parametrize(
    "written",
    [
        b"", b"*", b"admin", b"http://evil.example/admin", b"/a%2fb", b"/a%2Fb", b"/a\\b", b"/a%5cb", b"/a%00b",
        b"/a\x00b", b"/a b", b"/a\r\nb", b"/a%0ab", b"/a%7fb", b"/a#b", b"/%", b"/%4", b"/%zz", b"/%%32e", b"/..",
        b"/a/../../b", b"/a//../b", b"/../a//b", b"/x;/../admin", b"/..;/admin", b"/admin;v=1", b"/%252e%252e/admin",
        b"/%25%32e", b"/a%252fb", b"/%c0%ae%c0%ae/admin", b"/%ff", b"/\xff", b"/" + b"a" * 2001, b"/" * 8193,
    ],
)  # fmt: skip
def test_what_two_servers_could_read_in_two_ways_is_refused(written):
    with pytest.raises(AmbiguousRequest):
        normalise(written)


@given(PATHS)
@example(b"/%25%32%65")
def test_a_path_is_refused_or_has_a_spelling_that_stays(written):
    try:
        spelt = normalise(written)
    except AmbiguousRequest:
        return
    assert normalise(spelt.encode("ascii")) == spelt
    assert spelt.startswith("/")
    assert spelt.isprintable()
    assert "//" not in spelt
    assert not {".", ".."} & set(spelt.split("/"))


@given(st.text("abcXYZ019-._~", min_size=1).filter(lambda name: name not in {".", ".."}))
def test_encoding_what_needs_none_changes_nothing(name):
    encoded = "".join(f"%{ord(c):02x}" for c in name)
    assert normalise(b"/api/" + encoded.encode()) == normalise(b"/api/" + name.encode()) == f"/api/{name}"


def test_a_query_is_known_by_its_names_alone():
    assert query_keys(b"") == ()
    assert query_keys(b"b=secret&a&&b=2&c%20d=&e+f=1") == ("b", "a", "c d", "e f")


@pytest.mark.parametrize(
    "query", [b"a b", b"a\nb=1", b"a#b", b"x" * 9000, b"&".join(b"k%d" % i for i in range(MAX_QUERY_KEYS + 1))]
)
def test_a_query_out_of_all_bounds_is_refused(query):
    with pytest.raises(AmbiguousRequest):
        query_keys(query)


@given(st.binary(max_size=60))
def test_a_query_is_refused_or_read(query):
    try:
        keys = query_keys(query)
    except AmbiguousRequest:
        return
    assert len(set(keys)) == len(keys) <= MAX_QUERY_KEYS
