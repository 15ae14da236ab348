from __future__ import annotations

import pytest


@pytest.fixture
def home(tmp_path, made):
    with made.open_home(tmp_path / "h") as home:
        yield home


def test_a_file_is_known_by_its_content(home, tmp_path, made):
    assert home.files.state("d1") is None
    home.files.begin("d1", "a.log", "sshd")
    home.files.begin("d1", "renamed.log", "sshd")
    assert home.files.state("d1") == "partial"
    home.files.done("d1")
    assert home.files.state("d1") == "done"
    home.close()
    with made.open_home(tmp_path / "h") as again:
        assert again.files.state("d1") == "done"


def test_lines_already_journaled_are_known_after_reopening(home, tmp_path, made):
    made.append(home, made.events(5, source_file="other.log"))
    home.files.begin("d1", "a.log", "sshd")
    made.append(home, made.events(4, source_file="a.log"))
    made.append(home, made.events(3, source_file="other.log"))
    assert home.journal.lines("d1").tolist() == []
    home.journal.commit()
    made.append(home, made.events(4, source_file="a.log"))
    home.close()
    with made.open_home(tmp_path / "h") as again:
        assert again.journal.lines("d1").tolist() == [1, 2, 3, 4]
        assert again.journal.lines("unknown").tolist() == []
        again.files.begin("d1", "moved/a.log", "sshd")
        made.append(again, made.events(2, first=4, source_file="moved/a.log"))
        again.journal.commit()
        assert again.journal.lines("d1").tolist() == [1, 2, 3, 4, 5, 6]


def test_of_two_contents_under_one_name_rows_belong_to_the_one_begun_last(home, made):
    for digest in ("d1", "d2"):
        home.files.begin(digest, "a.log", "sshd")
        made.append(home, made.events(2, source_file="a.log"))
        home.journal.commit()
    home.files.begin("d1", "a.log", "sshd")
    made.append(home, made.events(1, first=2, source_file="a.log"))
    made.append(home, made.events(1, source_file="new.log"))
    made.append(home, made.events(1, first=3, source_file="a.log"))
    home.journal.commit()
    assert home.journal.lines("d1").tolist() == [1, 2, 3, 4]
    assert home.journal.lines("d2").tolist() == [1, 2]


def test_events_of_no_file_have_none(home, made):
    made.append(home, made.events(2, source_file=None))
    home.journal.commit()
    (run,) = home.journal.read()
    assert run.batch.column("source_file").to_pylist() == [None, None]


def test_a_reader_learns_of_files_named_since_it_opened(home, tmp_path, made):
    with made.open_home(tmp_path / "h", writer=False) as reader:
        made.append(home, made.events(2, source_file="late.log"))
        home.journal.commit()
        (run,) = reader.journal.read()
    assert run.batch.column("source_file").to_pylist() == ["late.log"] * 2
