from __future__ import annotations

import numpy as np
import pytest

from tocsin.errors import StoreError
from tocsin.store import Scores


def columns(count, features=4, first=0):
    base = np.arange(first, first + count, dtype=np.float32)
    trace = np.tile(np.arange(features, dtype=np.uint8), (count, 1))
    return base, base + 0.5, base * 2, base % 2 == 0, base % 3 == 0, trace


def same(read, wanted):
    return all((a == b).all() and a.dtype == b.dtype for a, b in zip(read, wanted, strict=True))


def test_scores_read_back_and_survive(tmp_path):
    scores = Scores(tmp_path / "s", writer=True)
    scores.append(0, *columns(10))
    scores.append(10, *columns(5, first=10))
    assert scores.next_seq == 15
    assert same(scores.read(0, 15), columns(15))
    scores.durable()
    scores.close()
    reader = Scores(tmp_path / "s", writer=False)
    assert reader.next_seq == 15
    assert same(reader.read(3, 99), columns(12, first=3))
    assert len(reader.read(20, 30).surprise) == 0
    with pytest.raises(StoreError, match="for reading"):
        reader.append(15, *columns(1))
    reader.close()


def test_scores_must_follow_and_can_be_truncated(tmp_path):
    scores = Scores(tmp_path / "s", writer=True)
    scores.append(0, *columns(10))
    for wrong in (9, 11):
        with pytest.raises(StoreError, match="do not follow"):
            scores.append(wrong, *columns(1))
    scores.truncate(4)
    scores.truncate(8)
    assert scores.next_seq == 4
    scores.append(4, *columns(2, first=4))
    assert same(scores.read(0, 6), columns(6))
    with pytest.raises(StoreError, match="does not fit"):
        scores.append(6, *columns(1, features=5))
    scores.truncate(0)
    scores.append(0, *columns(3, features=5))
    assert scores.read(0, 3).trace.shape == (3, 5)
    scores.close()


def test_a_reader_before_the_first_score_sees_none_then_sees_them(tmp_path):
    reader = Scores(tmp_path / "s", writer=False)
    assert len(reader.read(0, 5).surprise) == 0
    scores = Scores(tmp_path / "s", writer=True)
    scores.append(0, *columns(3))
    scores.durable()
    assert len(reader.read(0, 5).surprise) == 3
    scores.close()
    reader.close()


def test_a_half_written_record_is_not_read_and_is_written_over(tmp_path):
    scores = Scores(tmp_path / "s", writer=True)
    scores.append(0, *columns(3))
    scores.close()
    with (tmp_path / "s").open("ab") as file:
        file.write(b"half")
    scores = Scores(tmp_path / "s", writer=True)
    assert scores.next_seq == 3
    scores.append(3, *columns(2, first=3))
    assert same(scores.read(0, 5), columns(5))
    scores.close()


def test_a_file_that_is_no_scores_is_refused(tmp_path):
    (tmp_path / "s").write_bytes(bytes(100))
    with pytest.raises(StoreError, match="not one"):
        Scores(tmp_path / "s", writer=True)
