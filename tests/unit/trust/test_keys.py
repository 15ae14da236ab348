from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.errors import NotFound, StoreError, UsageError
from tocsin.record import ROLES
from tocsin.store import Home, open_api_keys
from tocsin.trust.issuing import issue, revoke, rotate
from tocsin.trust.keys import TOKEN, ApiKeys, new_secret, well_formed

NOW = datetime(2026, 3, 4, 3, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Watch:
    """A monotonic clock that a test moves."""

    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def desk(tmp_path):
    """A home, its keys as a server holds them, and the table as another process would change it."""
    watch = Watch()
    path = tmp_path / "h"
    with Home.open(path, writer=True, clock=lambda: NOW) as home:
        keys = ApiKeys(home.api_keys, monotonic=watch)
        with open_api_keys(path, make=False, clock=lambda: NOW) as table:
            yield SimpleNamespace(home=home, keys=keys, table=table, watch=watch, path=path)
        keys.close()


def known(desk, secret, at=NOW):
    return desk.keys.caller(secret, at)


# --- what a key looks like


def test_a_key_matches_the_published_expression_and_its_checksum():
    secret = new_secret("7K3MZQ4D")
    assert re.fullmatch(TOKEN, secret)
    assert secret.startswith("tsn_7K3MZQ4D_")
    assert well_formed(secret)


@given(st.integers(min_value=0, max_value=61), st.characters(min_codepoint=33, max_codepoint=0x24F))
def test_one_character_changed_is_noticed_without_asking_anybody(place, character):
    secret = new_secret("7K3MZQ4D")
    changed = secret[:place] + character + secret[place + 1 :]
    assert well_formed(changed) == (changed == secret)


@given(st.text(max_size=80) | st.from_regex(TOKEN, fullmatch=True))
def test_what_is_no_key_is_refused_without_a_look(text):
    assert not well_formed(text)


def test_secrets_never_repeat_and_are_all_of_one_length():
    secrets = {new_secret("7K3MZQ4D") for _ in range(500)}
    assert len(secrets) == 500
    assert {len(secret) for secret in secrets} == {62}


# --- who holds one


@pytest.mark.parametrize("role", ROLES)
def test_a_key_names_its_caller(desk, role):
    issued = issue(desk.table, role, now=NOW, subject="user:ada", scopes=("read", "write"), label="x")
    desk.keys.refresh()
    caller = known(desk, issued.secret)
    assert (caller.id, caller.role, caller.subject) == (issued.key.id, role, "user:ada")
    assert caller.scopes == ("read", "write")


def test_only_a_key_of_role_subject_acts_for_somebody(desk):
    acting = issue(desk.table, "subject", now=NOW, subject="user:ada", scopes=("read",), life=HOUR)
    owned = issue(desk.table, "pep", now=NOW, subject="user:ada")
    desk.keys.refresh()
    identity = desk.keys.identity(acting.secret, NOW)
    assert (identity.subject, identity.assurance, identity.method) == ("user:ada", 2, "api_key")
    assert identity.credential == f"key:{acting.key.id}"
    assert identity.scopes == ("read",)
    assert (identity.proven_at, identity.expires) == (NOW, NOW + HOUR)
    assert desk.keys.identity(owned.secret, NOW) is None


@pytest.mark.parametrize("role", ["", "root", "Admin", "pep "])
def test_an_unknown_role_makes_no_key(desk, role):
    with pytest.raises(UsageError):
        issue(desk.table, role, now=NOW)
    assert desk.table.every() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": "ada"}, {"subject": "user:"}, {"subject": "user:a b"}, {"subject": "user:\x1b[2J"},
        {"subject": "u:" + "x" * 400}, {"scopes": ("a b",)}, {"scopes": ('"',)}, {"scopes": ("",)},
        {"scopes": tuple(map(str, range(33)))}, {"label": "two\nlines"}, {"label": "x" * 201},
        {"life": timedelta(0)}, {"life": timedelta(seconds=-1)}, {"life": timedelta.max},
    ],
)  # fmt: skip
def test_what_cannot_be_makes_no_key(desk, wrong):
    with pytest.raises(UsageError):
        issue(desk.table, "pep", now=NOW, **wrong)
    assert desk.table.every() == []


def test_a_key_for_a_subject_names_it(desk):
    with pytest.raises(UsageError, match="acts for somebody"):
        issue(desk.table, "subject", now=NOW)


# --- when it ends


def test_a_key_ends_when_it_expires(desk):
    secret = issue(desk.table, "pep", now=NOW, life=HOUR).secret
    desk.keys.refresh()
    assert known(desk, secret, NOW + HOUR - timedelta(microseconds=1))
    assert known(desk, secret, NOW + HOUR) is None


def test_another_key_under_the_same_id_is_nobodys(desk):
    issued = issue(desk.table, "admin", now=NOW)
    desk.keys.refresh()
    assert known(desk, new_secret(issued.key.id)) is None
    assert known(desk, issued.secret)


def test_rotation_leaves_the_old_key_its_time_of_grace(desk):
    old = issue(desk.table, "ingest", now=NOW, scopes=("a",), label="edge", life=10 * HOUR)
    new = rotate(desk.table, old.key.id.lower(), grace=HOUR, now=NOW + 2 * HOUR)
    desk.keys.refresh()
    within, after = NOW + 3 * HOUR - timedelta(seconds=1), NOW + 3 * HOUR
    assert known(desk, old.secret, within)
    assert known(desk, old.secret, after) is None
    assert known(desk, new.secret, after).scopes == ("a",)
    assert new.key.expires == NOW + 12 * HOUR
    kept = {key.id: key for key in desk.table.every()}
    assert kept[old.key.id].replaced_by == new.key.id
    assert kept[old.key.id].state(within) == "replaced"
    assert kept[old.key.id].state(after) == "revoked"


def test_without_grace_the_old_key_ends_at_once(desk):
    old = issue(desk.table, "pep", now=NOW)
    rotate(desk.table, old.key.id, grace=timedelta(0), now=NOW)
    desk.keys.refresh()
    assert known(desk, old.secret) is None


def test_a_key_that_has_ended_or_was_replaced_cannot_be_rotated_or_ended_again(desk):
    old = issue(desk.table, "pep", now=NOW, life=10 * HOUR)
    rotate(desk.table, old.key.id, grace=HOUR, now=NOW)
    with pytest.raises(NotFound, match="replaced already"):
        rotate(desk.table, old.key.id, grace=HOUR, now=NOW)
    revoke(desk.table, old.key.id, now=NOW)
    with pytest.raises(NotFound, match="revoked already"):
        revoke(desk.table, old.key.id, now=NOW)
    late = issue(desk.table, "pep", now=NOW, life=HOUR)
    with pytest.raises(NotFound, match="expired already"):
        rotate(desk.table, late.key.id, grace=HOUR, now=NOW + HOUR)
    with pytest.raises(NotFound, match="no key"):
        revoke(desk.table, "NOBODY00", now=NOW)


def test_a_grace_beyond_bounds_changes_nothing(desk):
    old = issue(desk.table, "pep", now=NOW)
    with pytest.raises(UsageError):
        rotate(desk.table, old.key.id, grace=timedelta(days=31), now=NOW)
    assert desk.table.every() == [old.key]


def test_a_rotation_never_brings_back_what_somebody_revoked_meanwhile(desk):
    old = issue(desk.table, "pep", now=NOW)
    stale = desk.table.key(old.key.id)
    revoke(desk.table, old.key.id, now=NOW)
    with pytest.raises(NotFound, match="first"):
        desk.table.replace(stale, msgspec.structs.replace(stale, id="NEWNEWNE"), b"", by="")
    assert [key.id for key in desk.table.every()] == [old.key.id]
    desk.keys.refresh()
    assert known(desk, old.secret) is None


# --- what another process does


def test_a_key_made_elsewhere_is_taken_at_once(desk):
    secret = issue(desk.table, "pep", now=NOW).secret
    desk.watch.now_s += 0.03
    assert known(desk, secret)


def test_a_key_revoked_elsewhere_is_refused_after_a_quarter_of_a_second(desk):
    issued = issue(desk.table, "pep", now=NOW)
    desk.keys.refresh()
    revoke(desk.table, issued.key.id, now=NOW)
    assert known(desk, issued.secret), "a look at the table at every call would cost too much"
    desk.watch.now_s += 0.25
    assert known(desk, issued.secret) is None


class Follower:
    """Counts looks at a real table, and fails while it is told to."""

    def __init__(self, table):
        self.pepper, self.follower = table.pepper, table.follow()
        self.looks, self.broken = 0, False

    def follow(self):
        return self

    def news(self):
        self.looks += 1
        if self.broken:
            raise StoreError("the disk is gone")
        return self.follower.news()

    def close(self):
        self.follower.close()


@pytest.fixture
def followed(desk):
    table = Follower(desk.table)
    desk.keys.close()
    desk.keys = ApiKeys(table, monotonic=desk.watch)
    desk.follower = table
    return desk


def test_strangers_cannot_make_us_look_often(followed):
    for _ in range(1000):
        followed.watch.now_s += 0.001
        assert known(followed, new_secret("AAAAAAAA")) is None
    assert followed.follower.looks <= 51


def test_other_records_written_do_not_make_the_keys_be_read_again(desk):
    follower = desk.table.follow()
    assert follower.news() == []
    desk.home.records.audit("", "anything", {})
    assert follower.news() is None
    issue(desk.table, "pep", now=NOW)
    assert len(follower.news()) == 1
    assert follower.news() is None
    follower.close()


def test_no_key_is_accepted_once_the_table_could_not_be_looked_at_for_long(followed):
    secret = issue(followed.table, "pep", now=NOW).secret
    followed.keys.refresh()
    followed.follower.broken = True
    followed.watch.now_s += 1
    assert known(followed, secret), "one failed look refuses nobody"
    followed.watch.now_s += 9
    with pytest.raises(StoreError):
        known(followed, secret)
    followed.follower.broken = False
    followed.watch.now_s += 1
    assert known(followed, secret)


# --- what is kept


def test_neither_table_nor_audit_holds_a_secret(desk):
    old = issue(desk.table, "pep", now=NOW, label="edge", by="ada")
    new = rotate(desk.table, old.key.id, grace=HOUR, now=NOW, by="ada")
    with sqlite3.connect(desk.path / "records.sqlite") as raw:
        everything = "\n".join(raw.iterdump())
    raw.close()
    for secret in (old.secret, new.secret):
        assert secret not in everything
        assert secret[13:] not in everything
        assert secret.encode().hex().upper() not in everything.upper()


def test_the_same_secret_has_another_digest_in_another_home(desk, tmp_path):
    with open_api_keys(tmp_path / "other", make=True, clock=lambda: NOW) as other:
        assert other.pepper != desk.table.pepper


def test_every_change_is_audited_with_its_author(desk):
    first = issue(desk.table, "pep", now=NOW, by="ada").key.id
    second = rotate(desk.table, first, grace=HOUR, now=NOW, by="bob").key.id
    revoke(desk.table, second, now=NOW, by="eve")
    rows = [(r.actor, r.action, r.detail["key"]) for r in reversed(desk.home.records.audit_rows())]
    assert rows == [("ada", "key-create", first), ("bob", "key-rotate", second), ("eve", "key-revoke", second)]
    assert desk.home.records.verify_audit() is None


def test_erasing_a_person_removes_the_keys_that_act_for_them(desk):
    hers = issue(desk.table, "subject", now=NOW, subject="user:ada").secret
    others = issue(desk.table, "subject", now=NOW, subject="user:bob").secret
    desk.home.journal.erase("user:ada")
    desk.keys.refresh()
    assert known(desk, hers) is None
    assert known(desk, others)
    assert "user:ada" not in str(desk.table.every())


def test_a_home_made_before_there_were_keys_gets_the_table(tmp_path):
    path = tmp_path / "h"
    Home.open(path, writer=True).close()
    with sqlite3.connect(path / "records.sqlite") as raw:
        raw.execute("DROP TABLE api_keys")
    raw.close()
    with open_api_keys(path, make=False) as table:
        assert table.every() == []


def test_no_home_is_made_by_looking(tmp_path):
    with pytest.raises(StoreError, match="not a home"), open_api_keys(tmp_path / "none", make=False):
        pass
    assert not (tmp_path / "none").exists()
