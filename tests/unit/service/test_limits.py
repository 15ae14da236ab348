"""What callers, bodies and all requests together may take."""

from __future__ import annotations

import asyncio

import pytest

from tocsin.config import Settings
from tocsin.config.settings import ServeSettings
from tocsin.service.limits import ClientLeft, Rates, Slots, read_body
from tocsin.service.problems import Problem
from tocsin.service.request import Response
from tocsin.service.route import Route


def body_of(*parts, more=False):
    messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    if messages and not more:
        messages[-1]["more_body"] = False

    async def receive():
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        raise AssertionError

    return receive


def read(receive, *, declared=None, limit=10, timeout_s=5.0):
    return asyncio.run(read_body(receive, declared, limit, timeout_s))


def test_a_body_is_read_whole():
    assert read(body_of(b"abc", b"def", b"")) == b"abcdef"
    assert read(body_of(b"0123456789")) == b"0123456789"


def test_one_byte_more_than_allowed_is_refused_before_the_rest_arrives():
    with pytest.raises(Problem) as refused:
        read(body_of(b"01234", b"567890", more=True))
    assert refused.value.status == 413


def test_what_is_announced_too_long_is_not_even_begun():
    with pytest.raises(Problem) as refused:
        read(body_of(more=True), declared=b"11")
    assert refused.value.status == 413


def test_a_slow_body_is_given_up():
    with pytest.raises(Problem) as refused:
        read(body_of(b"0", more=True), timeout_s=0.01)
    assert refused.value.status == 408


def test_a_client_that_leaves_ends_its_request():
    async def gone():
        return {"type": "http.disconnect"}

    with pytest.raises(ClientLeft):
        read(gone)


def test_a_caller_has_a_burst_and_then_a_rate():
    rates = Rates(2.0)
    for _ in range(2):
        rates.take("a", 100.0)
    with pytest.raises(Problem) as refused:
        rates.take("a", 100.0)
    assert refused.value.status == 429
    assert dict(refused.value.headers)[b"retry-after"] == b"1"
    rates.take("b", 100.0)
    rates.take("a", 100.5)
    with pytest.raises(Problem):
        rates.take("a", 100.5)


def test_a_slow_rate_says_how_long_to_wait():
    rates = Rates(0.1)
    rates.take("a", 0.0)
    with pytest.raises(Problem) as refused:
        rates.take("a", 1.0)
    assert dict(refused.value.headers)[b"retry-after"] == b"9"


def test_without_a_rate_nobody_is_refused_or_remembered():
    rates = Rates(0.0)
    for _ in range(10_000):
        rates.take("a", 0.0)


def test_more_requests_than_allowed_are_turned_away_and_a_place_comes_back():
    slots = Slots(1)
    slots.take()
    with pytest.raises(Problem) as refused:
        slots.take()
    assert refused.value.status == 503
    slots.give()
    slots.take()


async def fine(_request):
    return Response()


def test_callers_are_slowed_each_for_themselves(make_house, ask, monkeypatch):
    monkeypatch.setattr("tocsin.service.app.perf_counter", lambda: 5.0)
    house = make_house(settings=Settings(serve=ServeSettings(caller_per_s=1.0)))
    routes = [Route(frozenset({"GET"}), "/x", fine, frozenset({"pep", "reader"}))]
    app = ask.over(house, routes)
    assert [app("GET", "/x", key="tsn_pep").status_code for _ in range(2)] == [200, 429]
    assert app("GET", "/x", key="tsn_reader").status_code == 200
