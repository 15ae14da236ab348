from __future__ import annotations

import pytest

from tocsin.config import Sensitive, load_entities
from tocsin.errors import ConfigError


def written(folder, text):
    path = folder / "entities.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_facts_aliases_and_what_is_sensitive(tmp_path):
    entities = load_entities(
        written(
            tmp_path,
            """
            [entity."user:ada"]
            role = "dba"
            privileged = true
            aliases = ["user:ada@corp.example", "user:arn:aws:iam::1:user/ada"]
            [entity."user:bo"]
            department = "sales"
            [sensitive]
            resources = ["s3/customers*"]
            """,
        )
    )
    assert entities.entity["user:ada"].privileged is True
    assert entities.entity["user:bo"].privileged is None
    assert entities.canonical["user:arn:aws:iam::1:user/ada"] == "user:ada"
    assert entities.sensitive.covers("GetObject", "s3/customers/2026")


def test_sensitive_patterns_mind_case_and_missing_resources():
    sensitive = Sensitive(resources=("s3/*",), actions=("Export*",))
    assert sensitive.covers("ExportAll", None)
    assert not sensitive.covers("exportAll", None)
    assert not sensitive.covers("Get", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[entity.ada]", ":1: not an entity: `ada`"),
        ("[entity.'user:a']\nroel = 'x'", ":2: unknown key `roel`"),
        ("[entity.'user:a']\n\nrole = 1", ":3: "),
        ("[entity.'user:a']\naliases = ['b']", ":2: not an entity: `b`"),
        ("[entity.'user:a']\naliases = ['user:b']\n[entity.'user:b']", "alias `user:b` has a table of its own"),
        ("[entity.'user:a']\naliases=['user:c']\n[entity.'user:b']\naliases=['user:c']", ":4: alias `user:c` already"),
        ("[sensitive]\nresource = []", ":2: unknown key `resource`"),
        ("entity = 3", "`entity` is a table"),
        ("[people]", ":1: unknown key `people`"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        load_entities(written(tmp_path, text))
    assert message in caught.value.message
    assert caught.value.hint
