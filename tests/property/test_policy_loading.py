"""Whatever stands in a folder of policies, it loads or is told what is wrong, with file and line."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.trust.policy import inspect

POLICIES = """// one; two
@id("a") @reason("b;c") @outcome("step_up") @max_age("3")
forbid (principal is user, action in [Action::"x", Action::"y"], resource)
when { context.risk == "l//w" && [1, -2].contains(context.count) } unless { principal has a.b };
permit (principal, action, resource);
"""
SCHEMA = """entity group;
entity user in [group] = { level?: Long };
action "x", y appliesTo { principal: [user], resource: [user], context: TocsinContext };
"""
ENTITIES = """[{"uid": {"type": "user", "id": "a"}, "attrs": {"level": 3}, "parents": [{"type": "group", "id": "g"}]},
{"uid": {"__entity": {"type": "group", "id": "g"}}, "attrs": {}, "parents": []}]
"""
WORDS = re.compile(r"\w+|\s+|.", re.DOTALL)
STRAY = st.sampled_from(
    [*'(){}[]";:,.@!&|<=>-+*?\\\n\r\t/', "//", "permit", "type", "if", "in", "\0", "é", "1e9", "null"]
)


@st.composite
def broken(draw, text):
    """The text with a few words taken out, doubled, or put in."""
    words = WORDS.findall(text)
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(words) - 1))
        words[at : at + draw(st.integers(0, 2))] = draw(st.lists(STRAY | st.sampled_from(words), max_size=2))
        words = words or [""]
    return "".join(words)


@settings(max_examples=120, deadline=None)
@given(broken(POLICIES), broken(SCHEMA), broken(ENTITIES))
def test_a_folder_loads_or_is_told_what_is_wrong(policies, schema, entities):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, text in (("p.cedar", policies), ("schema.cedarschema", schema), ("entities.json", entities)):
            (folder / file).write_text(text, encoding="utf-8", newline="")
        found = inspect(folder)
    assert (found.parts is None) == bool(found.faults)
    lines = {"p.cedar": policies, "schema.cedarschema": schema, "entities.json": entities}
    for fault in found.faults:
        assert fault.text
        file, _, line = fault.place.removeprefix(f"{folder}/").partition(":")
        assert not line or 1 <= int(line) <= lines[file].count("\n") + 1
