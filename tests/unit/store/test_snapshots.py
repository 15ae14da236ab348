from __future__ import annotations

import numpy as np
import pytest

from tocsin.errors import StoreError
from tocsin.store import Snapshots

KEY = b"k" * 32


def arrays(number):
    return {
        "counts": np.full(1000, number, np.float32),
        "keys": np.arange(7, dtype=np.uint64),
        "none": np.empty((0, 3)),
        "rows": np.zeros(3, [("a", "<f4"), ("b", "u1", (4,))]),
    }


@pytest.fixture
def snapshots(tmp_path):
    return Snapshots(tmp_path / "s", KEY, writer=True)


def test_the_latest_is_read_back_and_two_are_kept(snapshots, tmp_path):
    assert snapshots.latest() is None
    for seq in (10, 10, 25):
        snapshots.write(seq, arrays(seq), {"epoch": seq, "names": ["a"]})
    found = Snapshots(tmp_path / "s", KEY, writer=False).latest()
    assert (found.seq, found.meta) == (25, {"epoch": 25, "names": ["a"]})
    assert found.arrays.keys() == arrays(25).keys()
    for name, array in arrays(25).items():
        assert found.arrays[name].dtype == array.dtype
        assert (found.arrays[name] == array).all()
    found.arrays["counts"][:] = 0
    assert snapshots.latest().arrays["counts"][0] == 25
    assert sorted(p.name for p in (tmp_path / "s").iterdir()) == ["00000002", "00000003"]


@pytest.mark.parametrize("victim", ["counts.npy", "manifest.json", "gone"])
def test_a_damaged_newest_falls_back_and_says_so(snapshots, tmp_path, made, victim):
    snapshots.write(1, arrays(1), {})
    snapshots.write(2, arrays(2), {})
    newest = tmp_path / "s/00000002"
    if victim == "gone":
        (newest / "keys.npy").unlink()
    else:
        made.flip(newest / victim, 150)
    assert snapshots.latest().seq == 1
    assert [w.folder for w in snapshots.warnings] == ["00000002"]


def test_what_a_crash_left_is_swept_away(snapshots, tmp_path):
    snapshots.write(1, arrays(1), {})
    (tmp_path / "s/00000002.new").mkdir()
    again = Snapshots(tmp_path / "s", KEY, writer=True)
    assert again.latest().seq == 1
    assert not list((tmp_path / "s").glob("*.new"))


@pytest.mark.parametrize(("name", "array"), [("../up", np.zeros(1)), ("", np.zeros(1)), ("o", np.array([object()]))])
def test_what_cannot_be_written_safely_is_refused(snapshots, tmp_path, name, array):
    snapshots.write(1, arrays(1), {})
    with pytest.raises(StoreError, match="cannot go into a snapshot"):
        snapshots.write(2, {"fine": np.zeros(3), name: array}, {})
    assert snapshots.latest().seq == 1
    assert [p.name for p in (tmp_path / "s").iterdir()] == ["00000001"]
