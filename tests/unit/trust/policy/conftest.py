from __future__ import annotations

import json

import pytest

from tocsin.question import Party
from tocsin.trust.policy import PolicySet


@pytest.fixture
def folder(tmp_path):
    """Write a folder of policies: `folder("permit …", entities=[…], schema="…", other="permit …")`."""

    def write(text="", *, entities=None, schema=None, **others):
        for name, body in {"policies": text, **others}.items():
            if body:
                (tmp_path / f"{name}.cedar").write_text(body, encoding="utf-8")
        if entities is not None:
            body = entities if isinstance(entities, str) else json.dumps(entities)
            (tmp_path / "entities.json").write_text(body, encoding="utf-8")
        if schema is not None:
            (tmp_path / "schema.cedarschema").write_text(schema, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def policies(folder):
    """Load policies out of text."""

    def load(*arguments, cache_entries=100, **others):
        return PolicySet.load(folder(*arguments, **others), cache_entries=cache_entries)

    return load


@pytest.fixture
def ask():
    """Ask for an answer with only what matters said."""

    def put(policy_set, facts=(), *, subject=None, action="read", resource=None, sent=None, overlay=True):  # noqa: PLR0913 - the parts of a question
        return policy_set.evaluate(
            subject or Party(type="user", id="ada"),
            action,
            sent or {},
            resource or Party(type="doc", id="1"),
            dict(facts),
            overlay=overlay,
        )

    return put
