from __future__ import annotations

import json
import re

import pytest

from tocsin.store import Home
from tocsin.trust.keys import TOKEN, well_formed

ID = re.compile(r"key ([0-9A-Z]{8}) ")


def made(tocsin, *more):
    done = tocsin("keys", "create", "--home", "h", *more)
    assert done.status == 0, done.err
    return ID.search(done.err)[1], done.out.strip()


def test_the_secret_stands_alone_on_standard_output_before_a_server_ever_ran(tocsin, tmp_path):
    done = tocsin("keys", "create", "--role", "pep", "--home", "h")
    assert done.status == 0
    assert re.fullmatch(TOKEN + "\n", done.out)
    assert well_formed(done.out.strip())
    assert done.out.strip() not in done.err
    assert "role pep" in done.err
    assert (tmp_path / "h" / "records.sqlite").exists()


def test_as_json_it_is_one_object(tocsin):
    done = tocsin(
        "keys", "create", "--role", "subject", "--subject", "user:ada", "--scope", "a", "--scope", "b",
        "--expires", "90d", "--label", "edge", "--home", "h", "--json",
    )  # fmt: skip
    told = json.loads(done.out)
    assert well_formed(told["secret"])
    assert (told["role"], told["subject"], told["scopes"], told["state"]) == (
        "subject",
        "user:ada",
        ["a", "b"],
        "active",
    )
    assert told["expires"] > told["created"]


def test_a_key_is_made_and_ended_while_another_process_writes_to_the_home(tocsin, tmp_path):
    made(tocsin, "--role", "pep")
    with Home.open(tmp_path / "h", writer=True):
        key_id, _ = made(tocsin, "--role", "admin")
        assert tocsin("keys", "revoke", key_id, "--home", "h").status == 0
        assert tocsin("keys", "list", "--home", "h").status == 0


def test_a_list_shows_how_keys_stand_and_no_secret(tocsin):
    first, secret = made(tocsin, "--role", "pep", "--label", "edge")
    second, _ = made(tocsin, "--role", "ingest", "--expires", "1h")
    tocsin("keys", "revoke", first.lower(), "--home", "h", "--by", "ada")
    listed = tocsin("keys", "list", "--home", "h")
    rows = {line.split()[0]: line for line in listed.out.splitlines()[1:]}
    assert "revoked" in rows[first]
    assert "edge" in rows[first]
    assert "active" in rows[second]
    assert secret[13:] not in listed.out
    lines = tocsin("keys", "list", "--home", "h", "-o", "jsonl").out.splitlines()
    by_id = {row["id"]: row for row in map(json.loads, lines)}
    assert by_id[first]["state"] == "revoked"
    assert "digest" not in by_id[first]
    audit = tocsin("audit", "list", "--home", "h")
    assert "key-revoke" in audit.out
    assert "ada" in audit.out


def test_rotation_prints_the_new_secret_alone_and_names_the_old_one(tocsin):
    old, secret = made(tocsin, "--role", "pep")
    done = tocsin("keys", "rotate", old, "--grace", "2h", "--home", "h")
    assert done.status == 0
    assert re.fullmatch(TOKEN + "\n", done.out)
    assert done.out.strip() != secret
    assert f"{old} works for 2h more" in done.err
    assert "replaced" in tocsin("keys", "list", "--home", "h").out
    assert tocsin("keys", "rotate", old, "--home", "h").status == 5


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("create", "--role", "root"), 2, "'root' is not one of"),
        (("create",), 2, "--role"),
        (("create", "--role", "subject"), 2, "acts for somebody"),
        (("create", "--role", "pep", "--subject", "ada"), 2, "not an entity"),
        (("create", "--role", "pep", "--expires", "soon"), 2, "not a duration"),
        (("create", "--role", "pep", "--expires", "0s"), 2, "cannot be"),
        (("create", "--role", "pep", "--expires", "999999999w"), 2, "cannot be"),
        (("create", "--role", "pep", "--scope", "a b"), 2, "not a scope"),
        (("revoke", "NOBODY00"), 5, "no key `NOBODY00`"),
        (("rotate", "\x1b[2J"), 5, r"no key `\x1b[2J`"),
    ],
)
def test_what_cannot_be_is_said_in_words_and_prints_no_secret(tocsin, arguments, status, words):
    made(tocsin, "--role", "pep")
    done = tocsin("keys", *arguments, "--home", "h")
    assert (done.status, done.out) == (status, "")
    assert words in done.err
    assert "hint:" in done.err


@pytest.mark.parametrize("verb", [("list",), ("revoke", "X"), ("rotate", "X")])
def test_only_making_a_key_makes_a_home(tocsin, tmp_path, verb):
    assert tocsin("keys", *verb, "--home", "none").status == 4
    assert not (tmp_path / "none").exists()
    (tmp_path / "empty").mkdir()
    assert tocsin("keys", *verb, "--home", "empty").status == 4
    assert not list((tmp_path / "empty").iterdir())


def test_an_empty_list_says_so(tocsin, tmp_path):
    Home.open(tmp_path / "h", writer=True).close()
    done = tocsin("keys", "list", "--home", "h")
    assert (done.status, done.out) == (0, "")
    assert "no keys" in done.err
    assert json.loads(tocsin("keys", "list", "--home", "h", "--json").out) == []
