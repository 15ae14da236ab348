from __future__ import annotations

import os
import stat

import pytest

from tocsin.errors import HomeLocked, StoreError


def test_everything_belongs_to_its_owner_alone(tmp_path, made):
    with made.open_home(tmp_path / "h") as home:
        made.append(home, made.events(3))
        home.journal.commit()
        paths = [tmp_path / "h", *(tmp_path / "h").rglob("*")]
        modes = {p: stat.S_IMODE(p.stat().st_mode) for p in paths}
        assert len(modes) > 8
        assert all(mode == (0o700 if path.is_dir() else 0o600) for path, mode in modes.items()), modes


def test_the_hash_key_is_made_once(tmp_path, made):
    with made.open_home(tmp_path / "h") as home:
        key = home.hash_key
    assert len(key) == 16
    with made.open_home(tmp_path / "h") as home:
        assert home.hash_key == key
    with made.open_home(tmp_path / "other") as home:
        assert home.hash_key != key


def test_a_second_writer_is_refused_by_name_and_readers_are_not(tmp_path, made):
    with made.open_home(tmp_path / "h"):
        with pytest.raises(HomeLocked, match=f"process {os.getpid()} is writing") as caught:
            made.open_home(tmp_path / "h")
        assert caught.value.hint
        made.open_home(tmp_path / "h", writer=False).close()
    made.open_home(tmp_path / "h").close()


def test_a_reader_makes_no_home(tmp_path, made):
    with pytest.raises(StoreError, match="is not a home"):
        made.open_home(tmp_path / "h", writer=False)
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize("left", [None, b"short"])
@pytest.mark.parametrize("name", ["chain.key", "hash.key"])
def test_a_lost_key_is_told_and_frees_the_lock(tmp_path, made, name, left):
    made.open_home(tmp_path / "h").close()
    key = tmp_path / "h/keys" / name
    key.unlink()
    if left is not None:
        key.write_bytes(left)
    for _ in range(2):
        with pytest.raises(StoreError, match="not a key of this home"):
            made.open_home(tmp_path / "h")
