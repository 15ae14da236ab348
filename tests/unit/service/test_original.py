from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.service.original import client_address, original_request
from tocsin.service.paths import AmbiguousRequest
from tocsin.service.request import Request

NGINX = {"x-original-method": "POST", "x-original-uri": "/pay?to=mallory"}
CADDY = {"x-forwarded-method": "POST", "x-forwarded-uri": "/pay?to=mallory"}


def request(*pairs, method="GET", query=b"", **said):
    headers = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in said.items()]
    headers += [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in pairs]
    return Request(method, "/forward-auth", headers=headers, query=query)


@pytest.mark.parametrize(
    ("pairs", "method", "suffix"),
    [
        (NGINX, "GET", b""),
        (CADDY, "GET", b""),
        (NGINX | CADDY, "GET", b""),
        ({"x-original-method": "POST", "x-original-url": "https://api.example/pay?to=mallory"}, "GET", b""),
        (NGINX | {"x-original-url": "https://api.example/pay?to=mallory"}, "GET", b""),
        ({}, "POST", b"/pay"),
        (NGINX, "POST", b"/pay"),
    ],
)
def test_every_proxy_says_the_same_request(pairs, method, suffix):
    asked = request(*pairs.items(), ("host", "api.example"), method=method, query=b"to=mallory" if suffix else b"q")
    asked.scheme = "https"
    told = original_request(asked, suffix)
    assert (told.method, told.path, told.query) == ("POST", "/pay", ("to",))
    assert (told.host, told.url) == ("api.example", "https://api.example/pay")


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("x-original-uri", "/pay")],
        [("x-original-method", "GET")],
        [("x-forwarded-uri", "/pay")],
        [*NGINX.items(), ("x-original-uri", "/pay?to=mallory")],
        [*NGINX.items(), ("x-original-method", "POST")],
        [*NGINX.items(), ("x-forwarded-method", "POST")],
        [*NGINX.items(), ("x-forwarded-method", "POST"), ("x-forwarded-uri", "/public")],
        [*NGINX.items(), ("x-forwarded-method", "GET"), ("x-forwarded-uri", "/pay?to=mallory")],
        [*NGINX.items(), ("x-original-url", "https://api.example/public")],
        [*NGINX.items(), ("x-forwarded-host", "a.example"), ("x-forwarded-host", "b.example")],
        [("x-original-method", "GET"), ("x-original-uri", "http://evil.example/")],
        [("x-original-method", "GET"), ("x-original-uri", "/a\r\nx-tocsin-subject: user:root")],
        [("x-original-method", "GET"), ("x-original-uri", "/a\x00")],
        [("x-original-method", "GET"), ("x-original-uri", "/" + "a" * 9000)],
        [("x-original-method", "GET /x HTTP/1.1\r\n"), ("x-original-uri", "/")],
        [("x-original-method", "get"), ("x-original-uri", "/")],
        [("x-original-method", "G" * 40), ("x-original-uri", "/")],
        [("x-original-method", "GET"), ("x-original-url", "/no/host")],
        [("x-original-method", "GET"), ("x-original-url", "https://user@evil.example/")],
        [*CADDY.items(), ("x-forwarded-proto", "gopher")],
        [*CADDY.items(), ("x-forwarded-proto", "https, http")],
        [*CADDY.items(), ("x-forwarded-host", "a.example, b.example")],
        [*CADDY.items(), ("x-forwarded-host", "a.example/..")],
        [*CADDY.items(), ("x-original-content-length", "-1")],
        [*CADDY.items(), ("x-original-content-length", "9" * 30)],
    ],
)
def test_what_is_missing_doubled_or_contradictory_is_refused(pairs):
    with pytest.raises(AmbiguousRequest):
        original_request(request(*pairs))


def test_a_header_left_empty_was_stripped_on_purpose():
    told = original_request(request(*NGINX.items(), ("x-forwarded-uri", ""), ("x-forwarded-method", "")))
    assert told.path == "/pay"


def test_the_url_names_what_the_client_signed():
    told = original_request(
        request(
            *CADDY.items(),
            ("x-forwarded-host", "API.example:443"),
            ("x-forwarded-proto", "https"),
            ("host", "tocsin"),
        )
    )
    assert told.url == "https://api.example/pay"


@pytest.mark.parametrize(("proto", "scheme"), [("ws", "http"), ("wss", "https")])
def test_an_upgrade_has_the_url_of_its_handshake(proto, scheme):
    told = original_request(request(*CADDY.items(), ("x-forwarded-proto", proto), ("host", "h:8443")))
    assert told.url == f"{scheme}://h:8443/pay"


@pytest.mark.parametrize(
    ("pairs", "length"),
    [
        ([("x-original-content-length", "512")], 512),
        ([("content-length", "512")], 512),
        ([("x-original-content-length", "512"), ("content-length", "0")], 512),
        ([("x-original-content-length", "0"), ("content-length", "0")], 0),
        ([("x-original-content-length", ""), ("content-length", "0")], None),
        ([], None),
    ],
)
def test_how_large_its_body_is(pairs, length):
    assert original_request(request(*CADDY.items(), *pairs)).length == length


@pytest.mark.parametrize(
    ("pairs", "first", "address"),
    [
        ([("x-forwarded-for", "203.0.113.9")], False, "203.0.113.9"),
        ([("x-forwarded-for", "6.6.6.6, 203.0.113.9")], False, "203.0.113.9"),
        ([("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9, 10.0.0.7")], False, "203.0.113.9"),
        ([("x-forwarded-for", "203.0.113.9:4711")], False, "203.0.113.9"),
        ([("x-forwarded-for", "[2001:DB8::1]:80")], False, "2001:db8::1"),
        ([("x-forwarded-for", "::ffff:203.0.113.9")], False, "203.0.113.9"),
        ([("x-forwarded-for", "203.0.113.9"), ("x-real-ip", "6.6.6.6")], False, "203.0.113.9"),
        ([("x-forwarded-for", "192.0.2.2"), ("x-real-ip", "203.0.113.9")], True, "203.0.113.9"),
        ([("x-real-ip", "203.0.113.9")], False, "203.0.113.9"),
        ([("x-forwarded-for", "10.0.0.7, unknown")], False, None),
        ([("x-forwarded-for", "")], False, None),
        ([], True, None),
    ],
)
def test_the_client_is_the_last_that_no_trusted_proxy_is(pairs, first, address):
    found = client_address(request(*pairs), [ip_network("10.0.0.0/8"), ip_network("fd00::/8")], real_ip_first=first)
    assert found == address


NAMES = st.sampled_from(
    ["x-original-method", "x-original-uri", "x-original-url", "x-forwarded-method", "x-forwarded-uri", "host",
     "x-forwarded-proto", "x-forwarded-host", "x-forwarded-for", "content-length", "x-real-ip", "x-unknown"]
)  # fmt: skip
VALUES = st.sampled_from([b"GET", b"/a?b=c", b"https://a/b", b"http", b"a.example", b"12", b"1.2.3.4"]) | st.binary(
    max_size=30
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.binary(max_size=12), st.booleans())
def test_whatever_is_sent_is_read_or_refused(pairs, tail, behind):
    asked = request(*pairs)
    client_address(asked, [])
    try:
        told = original_request(asked, b"/" + tail if behind else b"")
    except AmbiguousRequest:
        return
    assert told.path.startswith("/")
    assert told.method.isupper()
