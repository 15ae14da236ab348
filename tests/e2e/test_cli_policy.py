"""Policies through the real command line: checked, tested, explained, and compared over a journal."""

from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tocsin import Engine, Settings
from tocsin.engine.verify import Verifier
from tocsin.question import Identity, Party, Question
from tocsin.trust.policy import PolicyStore

START = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
POLICY = """\
@id("clerks-read")
permit (principal is user, action == Action::"read", resource)
when { principal.role == "clerk" };

@id("no-secrets")
@reason("secret things are the chief's")
forbid (principal, action, resource)
when { context.resource has secret && context.resource.secret };
"""
CASES = """
[[case]]
name = "clerks read"
subject = "user:ada"
action = "read"
resource = "doc:1"
answer = "allow"
why = ["clerks-read"]

[[case]]
name = "but no secrets"
subject = "user:ada"
action = { name = "read" }
resource = { type = "doc", id = "1", properties = { secret = true } }
answer = "deny"
why = ["no-secrets"]
"""
ADA = {"uid": {"type": "user", "id": "ada"}, "attrs": {"role": "clerk"}, "parents": []}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "policies"
    path.mkdir()
    (path / "docs.cedar").write_text(POLICY, encoding="utf-8")
    (path / "entities.json").write_text(json.dumps([ADA]), encoding="utf-8")
    (path / "docs.test.toml").write_text(CASES, encoding="utf-8")
    return path


def test_a_good_folder_is_told_what_is_in_it(tocsin, folder):
    ran = tocsin("policy", "check", "policies")
    version, counts, reads = (
        ran.out.replace("\n", ", ").split(", ", 2)[0],
        ran.out.splitlines()[0],
        ran.out.splitlines()[1],
    )
    assert ran.status == 0
    assert version.startswith("ok: version ")
    assert counts.endswith(", 2 policies, 1 entity")
    assert reads == "reads: resource"
    assert "warning: policies: no `schema.cedarschema`" in ran.err
    told = json.loads(tocsin("policy", "check", folder, "--json").out)
    assert told["actions"] == ["read"]
    assert told["reads"] == ["resource"]


def test_the_folder_set_is_meant_when_none_is_given_else_the_default_policies(tocsin, tmp_path):
    assert ", 5 policies, 0 entities" in tocsin("policy", "check").out
    (tmp_path / "tocsin.toml").write_text('[policy]\nfolder = "policies"\n', encoding="utf-8")
    ran = tocsin("policy", "check")
    assert (ran.status, ran.out) == (8, "")
    assert "cannot read `policies`" in ran.err


def test_every_fault_is_told_with_file_and_line(tocsin, folder):
    (folder / "a.cedar").write_text("permit (principal, action, resource)\nwhen { 1 < };\npermit;", encoding="utf-8")
    ran = tocsin("policy", "check", "policies")
    assert (ran.status, ran.out) == (8, "")
    assert ran.err.splitlines() == [
        "policies/a.cedar:2: unexpected token `}`",
        "policies/a.cedar:3: unexpected token `;`",
        "error: `policies` does not load: 2 faults",
        "hint: a running server keeps the policies it has",
    ]


@pytest.mark.usefixtures("folder")
def test_cases_that_hold_pass(tocsin):
    ran = tocsin("policy", "test", "policies")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith("2 cases in 1 file passed, version ")
    assert tocsin("policy", "test").err.startswith("8 cases in 1 file passed")


def test_cases_that_do_not_hold_are_printed(tocsin, folder, tmp_path):
    (folder / "docs.cedar").write_text(POLICY.replace("secret &&", "hidden &&"), encoding="utf-8")
    ran = tocsin("policy", "test", "policies")
    assert ran.status == 8
    assert ran.out == (
        "policies/docs.test.toml: case 2 (but no secrets): wanted `deny`, got `allow` because of `clerks-read`\n"
    )
    assert ran.err.startswith("error: 1 of 2 cases failed\nhint: ")
    case = {"subject": "user:bob", "action": "read", "resource": "doc:1", "answer": "deny", "why": ["no-permit"]}
    (tmp_path / "more.json").write_text(json.dumps({"case": [case]}), encoding="utf-8")
    ran = tocsin("policy", "test", "policies", "--file", "more.json", "--json")
    assert ran.status == 8
    assert "wanted `deny`, got an error: docs.cedar:1: " in json.loads(ran.out)[0]["failure"]


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        ("", "object missing required field `case`"),
        ("[[case]]\nsubject = 1", "expected `str | object`, got `int` - at `$.case[0].subject`"),
        ("[[case", "expected ']]'"),
        (CASES + "fakts = 1", "object contains unknown field `fakts`"),
        (CASES.replace('"allow"', '"alow"'), "invalid enum value 'alow'"),
        (CASES.replace('"user:ada"', '"ada"'), "case 1: not an entity: `ada`"),
        (CASES + "facts = { rsk = 1 }", "case 2: `rsk` is no fact that Tocsin tells policies"),
        (CASES + 'facts = { time = "soon" }', "case 2: `soon` is not a time"),
    ],
)
def test_a_wrong_test_file_is_told(tocsin_here, folder, cases, message):
    (folder / "docs.test.toml").write_text(cases, encoding="utf-8")
    ran = tocsin_here("policy", "test", "policies")
    assert (ran.status, ran.out) == (8, "")
    assert message in ran.err
    assert ran.err.startswith("error: policies/docs.test.toml: ")


def test_no_cases_are_no_pass(tocsin_here, folder):
    (folder / "docs.test.toml").unlink()
    ran = tocsin_here("policy", "test", "policies")
    assert (ran.status, ran.out) == (8, "")
    assert ran.err.startswith("error: `policies` holds no `*.test.toml` or `*.test.json`\n")


@pytest.mark.usefixtures("folder")
def test_a_question_by_options_is_explained(tocsin):
    asked = ["--subject", "user:ada", "--action", "read", "--resource", "doc:1", "--fact", "resource.secret=true"]
    ran = tocsin("policy", "explain", "policies", *asked)
    assert ran.status == 0
    assert ran.out.splitlines() == [
        "deny",
        '  subject   user:ada  {"role":"clerk"}',
        "  action    read  {}",
        '  resource  doc:1  {"secret":true}',
        "read:",
        '  resource = {"secret":true}',
        "policies that hold:",
        "  deny    no-secrets  policies/docs.cedar:5  secret things are the chief's",
        "  allow   clerks-read  policies/docs.cedar:1",
    ]
    told = json.loads(tocsin("policy", "explain", "policies", *asked, "--json").out)
    assert told["answer"] == "deny"
    assert [rule["id"] for rule in told["matched"]] == ["no-secrets", "clerks-read"]


@pytest.mark.usefixtures("folder")
def test_a_question_on_standard_input_is_explained(tocsin_here, monkeypatch):
    asked = {"subject": {"type": "user", "id": "\x1b[2J"}, "action": {"name": "read"}, "resource": "doc:1", "more": 1}
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(asked).encode())))
    ran = tocsin_here("policy", "explain", "policies")
    assert ran.status == 0
    assert ran.out.startswith("deny\n  subject   user:\\x1b[2J  {}\n")
    assert "error: docs.cedar:1: " in ran.out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    assert tocsin_here("policy", "explain", "policies").err.startswith("error: not a question: ")


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--subject", "user:ada"), 8, "the question has no action"),
        (("--subject", "ada", "--action", "a", "--resource", "doc:1"), 8, "not an entity: `ada`"),
        (("--subject", "user:ada", "--fact", "x"), 2, "`x` is not written NAME=VALUE"),
        (("--subject", "user:ada", "--action", "a", "--resource", "doc:1", "--fact", "rsk=1"), 8, "`rsk` is no fact"),
        (
            ("--subject", "user:ada", "--action", "a", "--resource", "d:1", "--fact", 'resource.x={"__entity":1}'),
            8,
            "`__entity` cannot be a key",
        ),
    ],
)
def test_a_wrong_question_is_told(tocsin_here, folder, arguments, status, message):
    ran = tocsin_here("policy", "explain", folder, *arguments)
    assert (ran.status, ran.out) == (status, "")
    assert message in ran.err


@pytest.fixture
def journal(tmp_path, folder):
    """A home in which eight questions were asked, a minute apart, half of them about what is secret."""
    settings = Settings()
    with Engine.open(tmp_path / "tocsin-home", settings, clock=lambda: START) as engine:
        verifier = Verifier(engine, PolicyStore.open(folder), settings.decide)
        return [verifier.ask(question(number)).id for number in range(8)]


def question(number):
    return Question(
        time=START + timedelta(minutes=number),
        subject=Party(type="user", id="ada"),
        action="read",
        resource=Party(type="doc", id=str(number), properties={"secret": number % 2 == 1}),
        identity=Identity(subject="user:ada", assurance=1, method="asserted"),
        caller="K-1",
    )


def test_the_same_policies_change_nothing(tocsin, journal):
    ran = tocsin("policy", "diff", "policies")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err.startswith(f"0 of {len(journal)} decisions would change under version ")
    assert json.loads(tocsin("policy", "diff", "policies", "--json").out) == []


def test_every_decision_that_would_change_is_shown(tocsin, journal, tmp_path, folder):
    new = tmp_path / "new"
    new.mkdir()
    (new / "docs.cedar").write_text(POLICY.replace("secret &&", "hidden &&"), encoding="utf-8")
    (new / "entities.json").write_text((folder / "entities.json").read_text(encoding="utf-8"), encoding="utf-8")
    ran = tocsin("policy", "diff", "new")
    lines = ran.out.splitlines()
    assert ran.status == 0
    assert ran.err.startswith("4 of 8 decisions would change under version ")
    assert [line.split()[0] for line in lines] == ["DECISION", *journal[1::2]]
    assert "user:ada read doc:1" in lines[1]
    assert lines[1].endswith("deny (no-secrets)  allow (clerks-read)")
    since = tocsin("policy", "diff", "new", "--since", "2026-03-04T12:04:00Z", "--json")
    assert [change["decision_id"] for change in json.loads(since.out)] == journal[5::2]
    assert since.err.startswith("2 of 4 decisions")


@pytest.mark.usefixtures("journal")
def test_policies_that_err_would_deny(tocsin_here, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "a.cedar").write_text(
        "permit (principal, action, resource) when { context.x };", encoding="utf-8"
    )
    ran = tocsin_here("policy", "diff", "new", "--json")
    changes = json.loads(ran.out)
    assert [change["would_be"]["why"] for change in changes] == [["policy-error"]] * 4


@pytest.mark.usefixtures("folder")
def test_without_a_home_there_is_nothing_to_compare(tocsin_here):
    ran = tocsin_here("policy", "diff", "policies")
    assert (ran.status, ran.out) == (4, "")
    assert ran.err.startswith("error: there is no home at `tocsin-home`")


def test_policies_are_kept_in_a_home_and_counted_until_better_ones_come(tocsin, folder, tmp_path):
    with Engine.open(tmp_path / "home", Settings()):
        pass
    first = tocsin("policy", "install", "policies", "--home", "home", "--by", "ops", "--json")
    assert first.status == 0
    version = json.loads(first.out)["version"]
    kept = tmp_path / "home/policies"
    assert PolicyStore.open(kept).current.version == version
    assert {path.name for path in kept.iterdir()} == {"docs.cedar", "entities.json"}
    (folder / "docs.cedar").write_text("permit (principal, action", encoding="utf-8")
    refused = tocsin("policy", "install", "policies", "--home", "home")
    assert refused.status == 8
    assert PolicyStore.open(kept).current.version == version
    (folder / "docs.cedar").write_text("permit (principal, action, resource);", encoding="utf-8")
    assert tocsin("policy", "install", "policies", "--home", "home").status == 0
    assert PolicyStore.open(kept).current.version != version
    audit = json.loads(tocsin("audit", "list", "--home", "home", "--json").out)
    assert [row["detail"]["version"] for row in audit if row["action"] == "policies-installed"][-1] == version
