from __future__ import annotations

import numpy as np
import pytest

from tocsin.errors import StoreError
from tocsin.store.keys import KeyRing


@pytest.fixture
def ring(tmp_path):
    ring = KeyRing(tmp_path, writer=True)
    ring.cut(0)
    return ring


def reopened(ring, folder, count=None):
    ring.close()
    again = KeyRing(folder, writer=True)
    again.cut(ring.count if count is None else count)
    return again


def hashes(*values):
    return np.array(values, np.uint64)


def test_a_subject_keeps_its_key(ring, tmp_path):
    first = ring.numbers(hashes(7, 9, 7, 0, 8))
    assert first.tolist() == [0, 1, 0, 2, 3]
    keys = ring.records.copy()
    again = reopened(ring, tmp_path)
    assert again.numbers(hashes(8, 7, 9, 0, 5)).tolist() == [3, 0, 1, 2, 4]
    assert (again.records[:4] == keys).all()
    assert len({bytes(r[8:]) for r in again.records}) == 5
    again.close()


@pytest.mark.parametrize("state", ["closed", "killed", "table lost", "table of another size"])
def test_the_table_is_right_however_the_last_writer_ended(ring, tmp_path, state):
    wanted = np.random.default_rng(1).integers(1, 2**63, 9_000).astype(np.uint64)
    numbers = ring.numbers(wanted)
    if state != "killed":
        ring.close()
    if state == "table lost":
        (tmp_path / "subjects.table").unlink()
    if state == "table of another size":
        (tmp_path / "subjects.table").write_bytes(b"\1" * 64)
    again = KeyRing(tmp_path, writer=True)
    again.cut(9_000)
    assert (again.numbers(wanted) == numbers).all()
    assert again.numbers_of(5) == set()
    again.close()


def test_keys_no_commit_knows_of_are_cut_off(ring, tmp_path):
    ring.numbers(hashes(1, 2, 3))
    with (tmp_path / "subjects.keys").open("ab") as file:
        file.write(b"half")
    again = reopened(ring, tmp_path, count=2)
    assert again.count == 2
    assert again.numbers_of(3) == set()
    assert again.numbers(hashes(4, 3)).tolist() == [2, 3]
    again.close()


def test_a_destroyed_key_is_zeros_and_its_subject_gets_a_new_one(ring, tmp_path):
    ring.numbers(hashes(1, 2, 3))
    ring.destroy(1)
    assert (tmp_path / "subjects.keys").read_bytes()[40:80] == bytes(40)
    assert ring.numbers_of(2) == set()
    again = reopened(ring, tmp_path)
    assert again.numbers(hashes(3, 2, 1)).tolist() == [2, 3, 0]
    again.close()


def test_a_key_file_shorter_than_the_journal_needs_is_told(ring):
    with pytest.raises(StoreError, match="needs 1"):
        ring.covering(1)
