"""Bodies have one meaning: what is read twice the same is taken, what could be read in two ways never is."""

from __future__ import annotations

import json
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.service.json import MAX_DEPTH, decode, decode_any
from tocsin.service.problems import Problem

TEXT = st.text(alphabet=st.one_of(st.sampled_from('":\\{}[],/ é\n\u2028'), st.characters(codec="utf-8")), max_size=12)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXT)
VALUES = st.recursive(
    PLAIN, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)), max_leaves=12
)


@given(VALUES, st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", "\t:  ")]), st.booleans())
def test_however_it_is_written_it_is_read_as_it_is(value, separators, ascii_only):
    body = json.dumps(value, separators=separators, ensure_ascii=ascii_only).encode("utf-8")
    assert decode_any(body) == value


def twice(value, rng):
    """Write an object with one of its members named twice, wherever in the value it stands."""
    objects = []

    def write(node):
        if isinstance(node, dict):
            members = [f"{json.dumps(name)}: {write(child)}" for name, child in node.items()]
            objects.append(node)
            if node and len(objects) == rng:
                members.insert(rng % (len(members) + 1), f"{json.dumps(next(iter(node)))}: 0")
            return "{" + ", ".join(members) + "}"
        if isinstance(node, list):
            return "[" + ", ".join(map(write, node)) + "]"
        return json.dumps(node)

    return write(value)


@given(VALUES, st.integers(1, 6))
def test_a_member_named_twice_is_found_and_no_other_body_is_refused(value, place):
    body = twice(value, place)
    seen = []

    def note(pairs):
        seen.append(len(pairs) != len(dict(pairs)))
        return dict(pairs)

    json.loads(body, object_pairs_hook=note)
    if any(seen):
        with pytest.raises(Problem, match="twice"):
            decode_any(body.encode())
    else:
        assert decode_any(body.encode()) == value


def test_names_that_differ_only_in_how_they_are_written_are_the_same():
    with pytest.raises(Problem, match="twice"):
        decode_any(rb'{"admin": 1, "\u0061dmin": 2}')


@given(st.integers(1, 200), st.booleans())
def test_depth_is_bounded_whatever_is_nested(depth, objects):
    body = b'{"a":' * depth + b"1" + b"}" * depth if objects else b"[" * depth + b"]" * depth
    if depth <= MAX_DEPTH:
        decode_any(body)
    else:
        with pytest.raises(Problem, match="deeply"):
            decode_any(body)


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(body):
    try:
        decode_any(body)
    except Problem as problem:
        assert problem.status == 400  # noqa: PT017 - either outcome is right; any other error fails


@given(st.text(alphabet='{}[]":,\\u0019aefnrtls. -', max_size=40))
def test_what_is_taken_the_standard_library_reads_the_same(body):
    try:
        value = decode_any(body.encode())
    except Problem:
        return
    assert json.loads(body) == value


class Asked(msgspec.Struct):
    name: str
    kind: int = 0


@pytest.mark.parametrize(
    ("body", "place"),
    [(b'{"name": 5}', "$.name"), (b'{"name": "s3cret", "kind": "s3cret"}', "$.kind"), (b'{"kind": 1}', "name")],
)
def test_what_is_wrong_is_named_without_the_value(body, place):
    with pytest.raises(Problem) as refused:
        decode(body, Asked)
    assert place in refused.value.detail
    assert "s3cret" not in refused.value.detail


def test_a_long_body_is_read_in_its_own_time():
    rng = Random(1)  # noqa: S311 - made-up text
    text = "".join(rng.choice('\\"ab') for _ in range(100_000))
    body = json.dumps({"a": text, "b": [text]}, separators=(", ", ": ")).encode()
    assert decode_any(body) == {"a": text, "b": [text]}
