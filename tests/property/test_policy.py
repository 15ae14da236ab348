"""Invariants of answering questions by policies: what is not read, and what was kept, never changes an answer."""

from __future__ import annotations

import itertools
import json
import tempfile
from pathlib import Path
from types import SimpleNamespace

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tocsin.errors import BadValue
from tocsin.question import ANSWERS, Party
from tocsin.trust.policy import PolicySet
from tocsin.trust.policy.annotations import Limits
from tocsin.trust.policy.loading import load
from tocsin.trust.policy.names import cedar_type, plain_type
from tocsin.trust.policy.outcome import _merged, _milder
from tocsin.trust.policy.places import place_of
from tocsin.trust.policy.reading import Reads
from tocsin.trust.policy.values import plain_value, ten_thousandths, to_cedar

FIELDS = ("a", "b", "amount", "hour")
CONDITIONS = (
    "context.a > 5",
    "context has b && context.b == 3",
    "context.a == context.b",
    'context has amount && context.amount.greaterThan(decimal("2.5"))',
    'context.a == decimal("2.5") || context.a.lessThan(decimal("2.4"))',
    'decimal("5.0").lessThanOrEqual(context.amount)',
    "context.hour >= 7 && context.hour < 19",
    "5 <= context.hour || context.hour == -2",
    'context.subject has role && context.subject.role == "x"',
    "context.resource has n && context.resource.n > 1",
    "context.action has soft",
    "context == {a: 1}",
    "context.b.contains(1)",
    "true",
)
HEADS = (
    "permit (principal, action, resource)",
    'permit (principal, action == Action::"read", resource)',
    'permit (principal, action in Action::"all", resource)',
    'forbid (principal, action in [Action::"write", Action::"some"], resource)',
    '@outcome("limit") @amount("5") permit (principal, action, resource)',
    "forbid (principal, action, resource)",
    "permit (principal is user, action, resource is doc)",
    'forbid (principal == user::"a", action == Action::"read", resource is doc)',
    'permit (principal is user in user::"b", action, resource == doc::"a")',
    "forbid (principal is other, action, resource)",
    '@outcome("step_up") @max_age("60") forbid (principal, action, resource)',
)
GROUPS = [
    {"uid": {"type": "Action", "id": name}, "attrs": {}, "parents": [{"type": "Action", "id": above}]}
    for name, above in (("read", "some"), ("some", "all"), ("else", "all"))
]
numbers = st.integers(-3, 20) | st.sampled_from(
    [1 << 63, (1 << 63) - 1, 5.0, 2.5, 2.6, 2.50004, 2.50006, float("nan"), 1e18]
)
values = st.none() | st.booleans() | numbers | st.sampled_from(["x", "y", "", [1], [1.0], {"k": 1}, {"__extn": 1}])
facts = st.dictionaries(st.sampled_from([*FIELDS, "other"]), values, max_size=5)
properties = st.dictionaries(st.sampled_from(["role", "n", "soft", "else"]), values, max_size=2)
questions = st.tuples(
    st.builds(Party, type=st.sampled_from(["user", "us-er"]), id=st.sampled_from("ab"), properties=properties),
    st.sampled_from(["read", "write", "some", "else"]),
    properties,
    st.builds(Party, type=st.just("doc"), id=st.sampled_from("ab"), properties=properties),
    facts,
)
rules = st.lists(st.tuples(st.sampled_from(HEADS), st.sampled_from(CONDITIONS)), min_size=1, max_size=5)


def loaded(chosen, *entries):
    """The same policies once for each number of answers to keep."""
    parts = parts_of(chosen)
    return [PolicySet(parts, cache_entries=number) for number in entries or (0,)]


def parts_of(chosen):
    with tempfile.TemporaryDirectory() as folder:
        text = "\n".join(f"{head} when {{ {condition} }};" for head, condition in chosen)
        Path(folder, "p.cedar").write_text(text, encoding="utf-8")
        Path(folder, "entities.json").write_text(json.dumps(GROUPS), encoding="utf-8")
        return load(Path(folder))


def outcome(policy_set, question, **how):
    try:
        answer = policy_set.evaluate(*question, **how)
    except BadValue:
        return "bad value"
    return answer.answer, answer.why, answer.errors, answer.obligations, answer.reliance


@settings(max_examples=150, deadline=None)
@given(rules, st.lists(questions, min_size=1, max_size=40), st.booleans())
def test_what_was_kept_answers_as_what_was_asked_anew(chosen, asked, overlay):
    cached, uncached = loaded(chosen, 16, 0)
    for question in asked + asked[::-1]:
        assert outcome(cached, question, overlay=overlay) == outcome(uncached, question, overlay=overlay)


@settings(max_examples=150, deadline=None)
@given(rules, st.lists(questions, min_size=1, max_size=20))
def test_fields_that_nothing_reads_never_change_an_answer(chosen, asked):
    (policy_set,) = loaded(chosen)
    if policy_set.reads_everything:
        return
    for subject, action, sent, resource, known in asked:
        less = {name: value for name, value in known.items() if name in policy_set.reads}
        bare = [Party(type=p.type, id=p.id) for p in (subject, resource)]
        question = (
            subject if "subject" in policy_set.reads else bare[0],
            action,
            sent if "action" in policy_set.reads else {},
            resource if "resource" in policy_set.reads else bare[1],
            less,
        )
        assert outcome(policy_set, question) == outcome(policy_set, (subject, action, sent, resource, known))


@settings(max_examples=150, deadline=None)
@given(rules, st.lists(questions, min_size=1, max_size=20))
def test_policies_for_other_actions_and_types_never_change_an_answer(chosen, asked):
    parts = parts_of(chosen)
    sliced = PolicySet(parts, cache_entries=0)
    every = SimpleNamespace(of=lambda *_: parts.slices.whole)
    whole = PolicySet(msgspec.structs.replace(parts, slices=every), cache_entries=0)
    for question in asked:
        assert outcome(sliced, question) == outcome(whole, question)


@settings(max_examples=100, deadline=None)
@given(rules, st.lists(questions, min_size=1, max_size=10), st.sampled_from(CONDITIONS))
def test_one_forbid_more_never_lets_more_through(chosen, asked, condition):
    [before], [after] = loaded(chosen), loaded([*chosen, (HEADS[5], condition)])
    for question in asked:
        one, other = outcome(before, question), outcome(after, question)
        if "bad value" not in (one, other):
            assert ANSWERS.index(one[0]) <= ANSWERS.index(other[0])


@settings(deadline=None)
@given(st.text(min_size=1, max_size=30) | st.from_regex(r"(_x[0-9a-f]{0,3}_?|[a-z:_-]){1,8}", fullmatch=True))
def test_a_type_is_found_again_in_its_escape(name):
    try:
        escaped = cedar_type(name)
    except BadValue:
        return
    assert plain_type(escaped) == name
    assert escaped.isascii()


plain = st.recursive(
    st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_plain_values_mean_themselves(value):
    assert plain_value(to_cedar(value)) == value


bounds = st.none() | st.integers(1, 4)
limits = st.builds(Limits, read_only=st.booleans(), rate_per_min=bounds, amount=bounds, bytes=bounds)


@given(st.lists(limits, min_size=1, max_size=4))
def test_merged_limits_let_through_only_what_one_of_them_does(several):
    merged = _merged(several)
    assert any(_milder(one, merged) for one in several)
    for ordered in itertools.islice(itertools.permutations(several), 6):
        assert _merged(ordered) == merged


near = st.builds(
    lambda threshold, off: (threshold + off) / 10_000,
    st.sampled_from([0, 1, 25_000, -25_000, 10**12, 10**15, 9 * 10**17]),
    st.floats(-3, 3) | st.sampled_from([-0.5, 0.5, 0.4999999, 0.5000001]),
)


@given(
    near | st.floats() | st.integers(), st.lists(st.sampled_from([0, 1, 25_000, -25_000, 10**12, 10**15]), unique=True)
)
def test_the_place_of_a_decimal_is_that_of_its_rounding(value, thresholds):
    place = place_of("amount", Reads(decimals={"amount": tuple(sorted(thresholds))}))
    try:
        exact = ten_thousandths(value)
    except BadValue:
        return
    assert place(value) == (sum(t < exact for t in thresholds), sum(t <= exact for t in thresholds))
