"""The headers that the server reads itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.service.arrival import Arrival, request_ids
from tocsin.service.problems import Problem
from tocsin.service.route import JSON

HOST = (b"host", b"x")


def arrived(*headers):
    return Arrival([HOST, *headers], request_ids())


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([(b"host", b"y")], "repeated-header"),
        ([(b"authorization", b"a"), (b"authorization", b"a")], "repeated-header"),
        ([(b"content-type", b"a"), (b"content-type", b"b")], "repeated-header"),
        ([(b"content-length", b"1"), (b"transfer-encoding", b"chunked")], "unclear-length"),
        ([(b"content-length", b"1_0")], "unclear-length"),
        ([(b"content-length", "\u0661".encode())], "unclear-length"),
        ([(b"content-length", b"")], "unclear-length"),
        ([(b"transfer-encoding", b"gzip")], "unknown-coding"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(headers, code):
    with pytest.raises(Problem) as refused:
        arrived(*headers).check("1.1")
    assert (refused.value.status, refused.value.code) == (400, code)
    assert (b"connection", b"close") in refused.value.headers


def test_a_host_is_needed_since_http_1_1():
    with pytest.raises(Problem, match="host"):
        Arrival([], request_ids()).check("1.1")
    Arrival([], request_ids()).check("1.0")


@given(st.lists(st.binary(max_size=300), max_size=3))
def test_the_id_that_goes_back_is_always_safe(sent):
    arrival = arrived(*((b"x-request-id", value) for value in sent))
    given_back = arrival.request_id
    assert 0 < len(given_back) <= 256
    assert all(" " <= character <= "~" for character in given_back)
    printable = len(sent) == 1 and 0 < len(sent[0]) <= 256 and all(0x20 <= byte <= 0x7E for byte in sent[0])
    assert (len(sent) == 1 and given_back.encode() == sent[0]) == printable


def test_ids_made_here_differ():
    ids = request_ids()
    assert len({next(ids) for _ in range(1_000)}) == 1_000
    assert next(request_ids()) != next(request_ids())


@pytest.mark.parametrize(
    "kind", [None, b"application/json", b"application/json; charset=utf-8", b"Application/JSON", b"application/json ;x"]
)
def test_json_is_taken_however_it_is_spelt_and_when_nothing_is_said(kind):
    arrived(*([(b"content-type", kind)] if kind else [])).insist_on(JSON)


@pytest.mark.parametrize("kind", [b"", b"text/plain", b"application/jsonp", b"text/plain; application/json"])
def test_anything_else_is_not(kind):
    with pytest.raises(Problem) as refused:
        arrived((b"content-type", kind)).insist_on(JSON)
    assert refused.value.status == 415
