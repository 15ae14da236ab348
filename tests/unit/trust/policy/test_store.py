from __future__ import annotations

import os

import pytest

from tocsin.errors import PolicyError
from tocsin.trust.policy import PolicyStore
from tocsin.trust.policy.files import DEFAULT_FOLDER

ANY = "permit (principal, action, resource);"
LATER = 1 << 62


@pytest.fixture
def store(folder):
    return PolicyStore.open(folder(ANY), cache_entries=10, clock_ns=lambda: LATER)


def test_a_change_takes_the_place_of_what_was(store, folder, ask):
    first = store.current
    assert ask(first).answer == "allow"
    assert not store.reload()
    folder("forbid (principal, action, resource);")
    assert store.reload()
    assert store.current.version != first.version
    assert ask(store.current).answer == "deny"
    assert not store.reload()


def test_nothing_is_read_while_nothing_changed(store, monkeypatch):
    monkeypatch.setattr("tocsin.trust.policy.loading.read_folder", pytest.fail)
    assert not store.reload()


def test_the_same_texts_written_again_change_nothing(store, folder):
    first = store.current
    folder(ANY)
    assert not store.reload()
    assert store.current is first


def test_a_bad_change_is_told_and_the_good_one_stays(store, folder, ask, monkeypatch):
    first = store.current
    folder(f"{ANY} oops")
    with pytest.raises(PolicyError, match=r"policies\.cedar:1: ") as raised:
        store.reload()
    assert store.current is first
    assert store.fault is raised.value
    with monkeypatch.context() as patch:
        patch.setattr("tocsin.trust.policy.loading.read_folder", pytest.fail)
        with pytest.raises(PolicyError) as again:
            store.reload()
    assert again.value is raised.value
    folder(f"{ANY}\noops again")
    with pytest.raises(PolicyError, match=r"policies\.cedar:2: ") as other:
        store.reload()
    assert store.fault is other.value
    folder(ANY)
    assert not store.reload()
    assert store.fault is None
    assert ask(store.current).answer == "allow"


def test_a_folder_that_goes_away_leaves_its_policies_in_force(store, folder):
    (folder(ANY) / "policies.cedar").unlink()
    for _ in range(2):
        with pytest.raises(PolicyError):
            store.reload()
    assert store.current.rules
    folder(ANY + ANY)
    assert store.reload()


def test_files_added_and_taken_away_count(store, folder):
    folder(entities=[{"uid": {"type": "user", "id": "a"}, "attrs": {}, "parents": []}])
    assert store.reload()
    assert store.current.entities("user") == ("a",)
    (folder() / "entities.json").unlink()
    assert store.reload()
    assert store.current.entities("user") == ()


def test_a_second_change_in_the_same_instant_is_not_missed(folder, ask):
    now = [0]
    written = folder(ANY) / "policies.cedar"
    then = written.stat()
    now[0] = then.st_mtime_ns
    store = PolicyStore.open(folder(ANY), clock_ns=lambda: now[0])
    with written.open("r+", encoding="utf-8") as file:
        file.write(ANY.replace("permit", "forbid"))
    os.utime(written, ns=(then.st_atime_ns, then.st_mtime_ns))
    assert store.reload()
    assert ask(store.current).answer == "deny"


def test_the_default_policies_are_shipped_and_pass_their_own_checks():
    store = PolicyStore.open(None)
    assert store.folder == DEFAULT_FOLDER
    assert {rule.id for rule in store.current.rules} >= {"verified", "anonymous"}
    assert all(rule.reason for rule in store.current.rules)
