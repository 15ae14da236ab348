"""Whatever the columns hold, sealing and opening give it back."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tocsin.event import EVENT_SCHEMA, KINDS, OUTCOMES
from tocsin.store import Control, Home
from tocsin.store.cipher import keystreams
from tocsin.store.seal import SEALED, open_sealed, seal

TEXT = st.text(max_size=40)
WORDS = {"kind": st.sampled_from(KINDS), "outcome": st.sampled_from(OUTCOMES)}
BY_TYPE = {
    pa.string(): TEXT,
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
    pa.timestamp("us", tz="UTC"): st.datetimes(datetime(1, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - Hypothesis wants bounds without a zone
}


@st.composite
def batches(draw):
    count = draw(st.integers(1, 12))
    columns = []
    for field in EVENT_SCHEMA:
        values = WORDS.get(field.name, BY_TYPE[field.type])
        if field.nullable and draw(st.booleans()):
            values = st.none() | values
        elif field.nullable and draw(st.booleans()):
            values = st.none()
        columns.append(pa.array(draw(st.lists(values, min_size=count, max_size=count)), field.type))
    batch = pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)
    start = draw(st.integers(0, count - 1))
    return batch.slice(start, draw(st.integers(1, count - start)))


KEYS = np.random.default_rng(3).integers(0, 255, (4, 40), np.uint8)


@given(batches(), st.integers(0, 2**47), st.binary(min_size=6, max_size=6), st.data())
@settings(max_examples=60, deadline=None)
def test_opening_gives_back_what_was_sealed(batch, first_seq, salt, data):
    size = batch.num_rows
    ids = np.array(data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), np.uint32)
    sealed, _ = seal(batch, KEYS, ids, np.zeros(size, np.int32), first_seq, salt)
    sealed.validate(full=True)
    columns, erased = open_sealed(sealed, KEYS, np.arange(first_seq, first_seq + size), salt)
    assert not erased.any()
    for field, column in zip(SEALED, columns, strict=True):
        column.validate(full=True)
        assert column.equals(batch.column(field.name)), field.name


@given(st.integers(0, 2**47), st.binary(min_size=6, max_size=6), st.lists(st.integers(0, 600), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_keystreams_are_chacha20_of_key_salt_and_seq(first_seq, salt, lengths):
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = (np.arange(len(lengths)) % 4).astype(np.uint32)
    stream = keystreams(KEYS, ids, np.arange(first_seq, first_seq + len(lengths)), salt, starts)
    for row, length in enumerate(lengths):
        nonce = salt + (first_seq + row).to_bytes(6, "little")
        cipher = Cipher(ChaCha20(KEYS[ids[row], 8:].tobytes(), bytes(4) + nonce), mode=None)
        assert stream[starts[row] : starts[row + 1]].tobytes() == cipher.encryptor().update(bytes(length))


STEPS = st.lists(
    st.one_of(
        batches(),
        st.tuples(st.text("abc", min_size=1, max_size=5), st.binary(max_size=50)),
        st.sampled_from(["commit", "reopen"]),
    ),
    max_size=12,
)


@given(STEPS)
@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_a_journal_is_the_list_of_what_was_committed(tmp_path_factory, steps):
    path = tmp_path_factory.mktemp("home")
    home = Home.open(path, writer=True, segment_bytes=3000)
    kept, waiting = [], []
    for step in steps:
        if isinstance(step, pa.RecordBatch):
            home.journal.append_events(step, np.arange(step.num_rows, dtype=np.uint64))
            waiting += step.to_pylist()
        elif isinstance(step, tuple):
            home.journal.append_control(*step)
            waiting.append(step)
        else:
            if step == "commit":
                home.journal.commit()
                kept += waiting
            else:
                home.close()
                home = Home.open(path, writer=True, segment_bytes=3000)
            waiting = []
    found = []
    for item in home.journal.read():
        found += [(item.kind, item.body)] if isinstance(item, Control) else item.batch.to_pylist()
    home.close()
    assert found == kept
