"""One event encoded alone is, bit for bit, the event encoded in a batch."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.behaviour import encode, key_of
from tocsin.behaviour.single import SingleEncoder
from tocsin.event import KINDS, OUTCOMES, Event, Origin, to_batch

KEY = key_of(bytes(range(16)))
TEXT = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ADDRESS = st.none() | st.ip_addresses().map(str)
COUNT = st.none() | st.integers(0, 2**63 - 1)
ORIGINS = st.builds(
    Origin, address=ADDRESS, network=TEXT, country=TEXT, device=TEXT, agent=TEXT, agent_family=TEXT, device_class=TEXT
)
EVENTS = st.builds(
    Event,
    time=st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - zone added by the strategy
    kind=st.sampled_from(KINDS),
    subject=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).map("user:{}".format),
    action=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
    resource=TEXT,
    counterparty=TEXT,
    origin=ORIGINS,
    outcome=st.sampled_from(OUTCOMES),
    bytes_in=COUNT,
    bytes_out=COUNT,
    count=COUNT,
    amount=st.none() | st.floats(-1e12, 1e12),
    privileged=st.none() | st.booleans(),
    sensitive=st.none() | st.booleans(),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(EVENTS, min_size=1, max_size=6))
def test_alone_as_in_a_batch(events):
    whole, alone = encode(to_batch(events), KEY), SingleEncoder(KEY)
    for i, event in enumerate(events):
        one = alone.encode(event)
        for name in whole._fields:
            expected, told = getattr(whole, name)[i : i + 1], getattr(one, name)
            assert expected.dtype == told.dtype, name
            assert expected.tobytes() == told.tobytes(), name
