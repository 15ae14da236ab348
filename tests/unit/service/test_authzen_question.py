"""What a context tells Tocsin, and what it may not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.service.authzen_question import asserted, told
from tocsin.service.authzen_wire import Entity
from tocsin.service.problems import Problem

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KNOWN = [
    *("ip", "ip_address", "device", "device_id", "user_agent", "session", "session_id"),
    *("amount", "currency", "bytes", "count", "kind", "counterparty"),
]
CONTEXTS = st.dictionaries(st.sampled_from(KNOWN) | st.text(max_size=5), JSON, max_size=4)


def test_the_subject_s_own_properties_tell_where_it_is():
    origin = told({}, {"ip_address": "172.16.22.14", "device_id": "8:65"}).origin
    assert (origin.address, origin.device) == ("172.16.22.14", "8:65")


def test_the_context_goes_before_the_subject_s_properties():
    origin = told({"ip": "192.0.2.1", "device": "a"}, {"ip_address": "192.0.2.2", "device_id": "b"}).origin
    assert (origin.address, origin.device) == ("192.0.2.1", "a")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("192.0.2.1", "192.0.2.1"), ("2001:DB8:0::1", "2001:db8::1"), ("::ffff:192.0.2.1", "192.0.2.1")],
)
def test_an_address_is_written_in_one_way(sent, kept):
    assert told({"ip_address": sent}, {}).origin.address == kept


@pytest.mark.parametrize(
    ("context", "kind"),
    [
        ({}, "api"),
        ({"bytes": 5}, "api"),
        ({"amount": 5}, "payment"),
        ({"amount": 0, "bytes": 5}, "payment"),
        ({"amount": 5, "kind": "change"}, "change"),
    ],
)
def test_the_kind_follows_from_what_is_moved(context, kind):
    assert told(context, {}).kind == kind


@pytest.mark.parametrize("sent", ["account:7", {"type": "account", "id": "7"}, {"type": "account", "id": "7", "x": 1}])
def test_a_counterparty_is_an_entity(sent):
    assert told({"counterparty": sent}, {}).counterparty == "account:7"


def test_numbers_keep_their_value():
    found = told({"amount": 12, "bytes": 1e3, "count": 0}, {})
    assert (found.amount, found.bytes_out, found.count) == (12.0, 1000, 0)


@pytest.mark.parametrize(
    "context",
    [
        {"ip": "nowhere"},
        {"ip": 5},
        {"ip": ""},
        {"ip": "1" * 1000},
        {"ip": "192.0.2.1", "ip_address": None},
        {"device": {"os": "x"}},
        {"user_agent": ["x"]},
        {"user_agent": "x" * 1025},
        {"session": ""},
        {"amount": "12"},
        {"amount": True},
        {"amount": 1e300},
        {"amount": None},
        {"currency": 978},
        {"bytes": -1},
        {"bytes": 1.5},
        {"bytes": 1 << 63},
        {"count": "many"},
        {"count": False},
        {"kind": "web"},
        {"kind": []},
        {"counterparty": "nobody"},
        {"counterparty": ":x"},
        {"counterparty": "x:"},
        {"counterparty": {"type": "a:b", "id": "c"}},
        {"counterparty": {"type": "a"}},
        {"counterparty": {"type": "a", "id": 5}},
        {"counterparty": {"type": "a" * 257, "id": "c"}},
    ],
)
def test_a_member_of_the_wrong_kind_is_never_taken_for_missing(context):
    with pytest.raises(Problem) as refused:
        told(context, {})
    assert refused.value.status == 400
    assert any(f"`{name}`" in refused.value.detail for name in context)


def test_a_credential_is_taken_out_and_the_sender_s_own_is_left():
    context = {"credential": "s3cret", "purpose": "x"}
    assert told(context, {}).context == {"purpose": "x"}
    assert context["credential"] == "s3cret"


@given(CONTEXTS, st.dictionaries(st.text(), JSON))
def test_whatever_is_told_is_checked_or_refused(context, properties):
    try:
        found = told(context, properties)
    except Problem as problem:
        refused = problem.status
    else:
        refused = 400
        assert found.amount is None or math.isfinite(found.amount)
        assert found.bytes_out is None or 0 <= found.bytes_out < 1 << 63
        assert found.count is None or 0 <= found.count < 1 << 63
        assert found.counterparty is None or ":" in found.counterparty
        assert found.context == context
    assert refused == 400


def test_two_subjects_never_share_a_name():
    one, other = asserted(Entity(type="user:a", id="b")), asserted(Entity(type="user", id="a:b"))
    assert one.subject != other.subject


def test_negative_money_is_no_amount():
    with pytest.raises(Problem):
        told({"amount": -1}, {})
