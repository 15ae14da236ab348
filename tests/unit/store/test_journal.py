from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tocsin.errors import JournalDamaged, NotFound, StoreError
from tocsin.store import Control, Events


def contents(home, start=0):
    """Everything read, as a flat list of (seq, what)."""
    out = []
    for item in home.journal.read(start):
        if isinstance(item, Control):
            out.append((item.seq, item.kind, item.body))
        else:
            lines = item.batch.column("source_line").to_pylist()
            out += [(item.first_seq + i, line) for i, line in enumerate(lines)]
    return out


def test_appended_events_read_back_equal_once_committed(tmp_path, made):
    batch = made.events(100)
    with made.open_home(tmp_path / "h") as home:
        assert made.append(home, batch) == 0
        assert (home.journal.next_seq, home.journal.committed_seq) == (100, 0)
        assert list(home.journal.read()) == []
        home.journal.commit()
        (run,) = home.journal.read()
    assert run.first_seq == 0
    assert run.batch.equals(batch)
    assert run.erased is None
    assert (run.subject_hash == made.hashes(batch)).all()


def test_what_was_not_committed_is_gone_after_reopening(tmp_path, made):
    with made.open_home(tmp_path / "h") as home:
        made.append(home, made.events(5))
        home.journal.commit()
        made.append(home, made.events(5))
    with made.open_home(tmp_path / "h") as home:
        assert home.journal.next_seq == home.journal.committed_seq == 5
        assert home.journal.repaired is None


def test_controls_stand_between_events_in_order(tmp_path, made):
    with made.open_home(tmp_path / "h") as home:
        assert home.journal.append_control("first", b"") == 0
        made.append(home, made.events(3))
        assert home.journal.append_control("a", b"1") == 3
        assert home.journal.append_control("b", bytes(1000)) == 3
        made.append(home, made.events(2, first=3))
        home.journal.append_control("last", b"x")
        home.journal.commit()
        whole = [
            (0, "first", b""), (0, 1), (1, 2), (2, 3), (3, "a", b"1"), (3, "b", bytes(1000)),
            (3, 4), (4, 5), (5, "last", b"x"),
        ]  # fmt: skip
        assert contents(home) == whole
        assert contents(home, 3) == whole[4:]
        assert contents(home, 1) == whole[2:]
        assert contents(home, 5) == whole[-1:]
        assert contents(home, 6) == []


def test_segments_rotate_and_are_read_across(tmp_path, made):
    with made.open_home(tmp_path / "h", segment_bytes=4000) as home:
        for i in range(12):
            made.append(home, made.events(20, first=20 * i))
            home.journal.append_control("c", str(i).encode())
            home.journal.commit()
        whole = contents(home)
        assert len(list((tmp_path / "h/journal").glob("*.segment"))) > 3
    with made.open_home(tmp_path / "h", segment_bytes=4000) as home:
        assert contents(home) == whole
        for start in (0, 20, 40, 101, 240):
            expected = [x for x in whole if x[0] >= start]
            assert contents(home, start) == expected
        assert home.journal.verify() == 36
        taken = home.journal.take(np.array([239, 0, 77, 78, 0]))
        assert taken.column("source_line").to_pylist() == [240, 1, 78, 79, 1]


def test_large_batches_are_cut_and_small_ones_merged(tmp_path, made):
    batch = made.events(500)
    many = pa.Table.from_batches([batch] * 100).combine_chunks().to_batches()[0]
    with made.open_home(tmp_path / "h") as home:
        made.append(home, many)
        for i in range(300):
            made.append(home, batch.slice(i, 1))
        home.journal.commit()
        runs = [r for r in home.journal.read() if isinstance(r, Events)]
        assert 4 <= len(runs) <= 8
        table = pa.Table.from_batches([r.batch for r in runs])
        assert table.slice(50_000).equals(pa.Table.from_batches([batch.slice(0, 300)]))


def test_take_refuses_what_is_not_committed(tmp_path, made):
    with made.open_home(tmp_path / "h") as home:
        made.append(home, made.events(3))
        home.journal.commit()
        made.append(home, made.events(3))
        assert home.journal.take(np.array([], np.int64)).num_rows == 0
        for seqs in ([3], [-1], [0, 99]):
            with pytest.raises(NotFound):
                home.journal.take(np.array(seqs))


def test_wrong_batches_are_refused_before_anything_is_kept(tmp_path, made):
    batch = made.events(4)
    with made.open_home(tmp_path / "h") as home:
        with pytest.raises(StoreError, match="EVENT_SCHEMA"):
            home.journal.append_events(batch.select([0, 1]), made.hashes(batch))
        with pytest.raises(StoreError, match="subject hash"):
            home.journal.append_events(batch, made.hashes(batch)[:2])
        bad = batch.set_column(1, batch.schema.field(1), pa.array(["api", "nonsense", "api", "api"]))
        with pytest.raises(StoreError, match="unknown `kind`"):
            home.journal.append_events(bad, made.hashes(batch))
        with pytest.raises(StoreError, match="too large"):
            home.journal.append_control("k" * 300, b"")
        assert home.journal.next_seq == 0


def test_readers_follow_a_running_writer_and_cannot_append(tmp_path, made):
    with made.open_home(tmp_path / "h") as home, made.open_home(tmp_path / "h", writer=False) as reader:
        assert contents(reader) == []
        for i in range(5):
            made.append(home, made.events(10, first=10 * i))
            assert reader.journal.committed_seq == 10 * i
            home.journal.commit()
            assert contents(reader) == contents(home)
        assert reader.journal.take(np.array([49])).column("source_line").to_pylist() == [50]
        with pytest.raises(StoreError, match="for reading"):
            made.append(reader, made.events(1))


def segment(path):
    return path / "h/journal/00000001.segment"


def filled(path, made, commits=4):
    with made.open_home(path / "h") as home:
        for i in range(commits):
            made.append(home, made.events(30, first=30 * i))
            home.journal.commit()
    return segment(path).stat().st_size


def test_a_torn_tail_is_cut_off_and_reported(tmp_path, made):
    size = filled(tmp_path, made)
    with segment(tmp_path).open("ab") as file:
        file.write(b"TJE1 half an entry")
    with made.open_home(tmp_path / "h") as home:
        assert home.journal.repaired.offset == size
        assert home.journal.repaired.dropped_bytes == 18
        assert home.journal.next_seq == 120
        assert home.records.audit_rows()[0].action == "journal-repaired"
    assert segment(tmp_path).stat().st_size == size


def test_a_whole_but_uncommitted_entry_is_cut_off_too(tmp_path, made):
    size = filled(tmp_path, made)
    with made.open_home(tmp_path / "h") as home:
        made.append(home, made.events(7))
        home.journal.spill()
    assert segment(tmp_path).stat().st_size > size
    with made.open_home(tmp_path / "h") as home:
        assert home.journal.next_seq == 120
        assert home.journal.repaired.offset == size


@pytest.mark.parametrize("note", ["kept", "lost"])
@pytest.mark.parametrize("part", [0.05, 0.3, 0.6])
def test_damage_before_the_last_commit_is_told_not_repaired(tmp_path, made, part, note):
    size = filled(tmp_path, made)
    made.flip(segment(tmp_path), int(size * part))
    if note == "lost":
        (tmp_path / "h/journal/acknowledged").unlink()
    with pytest.raises(JournalDamaged, match=r"`00000001.segment` is damaged at byte \d+") as caught:
        made.open_home(tmp_path / "h")
    assert caught.value.hint
    assert segment(tmp_path).stat().st_size == size


def test_a_truncated_journal_is_damage(tmp_path, made):
    size = filled(tmp_path, made)
    with segment(tmp_path).open("r+b") as file:
        file.truncate(size - 1)
    with pytest.raises(JournalDamaged):
        made.open_home(tmp_path / "h")


def test_missing_or_swapped_segments_are_damage(tmp_path, made):
    with made.open_home(tmp_path / "h", segment_bytes=2000) as home:
        for i in range(6):
            made.append(home, made.events(20, first=20 * i))
            home.journal.commit()
    second, third = (tmp_path / f"h/journal/0000000{n}.segment" for n in (2, 3))
    content = second.read_bytes()
    second.write_bytes(third.read_bytes())
    with made.open_home(tmp_path / "h") as home, pytest.raises(JournalDamaged):
        home.journal.verify()
    second.write_bytes(content)
    with made.open_home(tmp_path / "h") as home:
        home.journal.verify()
    third.unlink()
    with pytest.raises(JournalDamaged, match="missing"):
        made.open_home(tmp_path / "h")


def test_damage_in_an_old_segment_shows_when_it_is_read(tmp_path, made):
    with made.open_home(tmp_path / "h", segment_bytes=2000) as home:
        for i in range(6):
            made.append(home, made.events(20, first=20 * i))
            home.journal.commit()
    made.flip(segment(tmp_path), 700)
    with made.open_home(tmp_path / "h") as home:
        assert contents(home, 100)
        with pytest.raises(JournalDamaged):
            contents(home)
        with pytest.raises(JournalDamaged):
            home.journal.take(np.array([3]))


def test_nothing_of_a_person_lies_in_the_clear(tmp_path, made):
    filled(tmp_path, made)
    raw = segment(tmp_path).read_bytes()
    for word in (b"user:p", b"192.0.2.", b"table/", b"agent ", b"read\0"):
        assert word not in raw


def test_the_same_rows_written_again_after_a_repair_share_no_keystream(tmp_path, made):
    filled(tmp_path, made, commits=1)
    size = segment(tmp_path).stat().st_size
    tails = []
    for _ in range(2):
        with made.open_home(tmp_path / "h") as home:
            assert home.journal.next_seq == 30
            made.append(home, made.events(30, first=30))
            home.journal.spill()
        tails.append(np.frombuffer(segment(tmp_path).read_bytes()[size + 3000 :], np.uint8))
    same = (tails[0][: tails[1].size] == tails[1][: tails[0].size]).mean()
    assert same < 0.6  # offsets and padding are the same, sealed bytes agree by chance only
