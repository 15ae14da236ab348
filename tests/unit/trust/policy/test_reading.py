from __future__ import annotations

import pytest

ANY = "permit (principal, action, resource)"


@pytest.mark.parametrize(
    ("condition", "reads"),
    [
        ("true", set()),
        ('context.risk == "low"', {"risk"}),
        ('context["risk"] like "l*"', {"risk"}),
        ("context has risk.band", {"risk"}),
        ("[context.a, {b: context.b}].contains(principal) && context.c.d.e", {"a", "b", "c"}),
        ("principal.risk == resource.risk", set()),
        ('"context" == "context"', set()),
        ('{Var: "context"} == {"context": 1}', set()),
        ("if context has a then context.b else context.c", {"a", "b", "c"}),
        ('context.address.isInRange(ip("10.0.0.0/8"))', {"address"}),
    ],
)
def test_the_fields_that_policies_read(policies, condition, reads):
    loaded = policies(f"{ANY} when {{ {condition} }};")
    assert loaded.reads == reads
    assert not loaded.reads_everything
    assert policies(f"{ANY} unless {{ {condition} }};").reads == reads


@pytest.mark.parametrize(
    "condition",
    [
        "context == {a: 1}",
        "[context].contains({a: 1})",
        "(if true then context else context).a == 1",
        "{x: context}.x has a",
        'context has a && {".": context} has b',
    ],
)
def test_context_as_a_whole_reads_everything(policies, ask, condition):
    loaded = policies(f"{ANY} when {{ {condition} }};")
    assert loaded.reads_everything
    assert {"a", "risk", "proof_age_s"} - {"a"} <= loaded.reads
    assert ask(loaded, {"a": 1}).errors == ()


@pytest.mark.parametrize(
    ("condition", "same", "other"),
    [
        ("context.n > 5", (6, 7), (5, 6)),
        ("5 <= context.n && context.n != 9", (10, 11), (9, 10)),
        ("context.n > -3 || context.n == -7", (-5, -4), (-7, -6)),
        ("context.n < 9223372036854775807", (1, 2), ((1 << 63) - 1, 0)),
    ],
)
def test_numbers_only_compared_with_thresholds_share_their_answers(policies, ask, condition, same, other):
    loaded = policies(f"{ANY} when {{ {condition} }};")
    kept = loaded._cache  # noqa: SLF001 - how much is kept shows what is shared
    first, second = (ask(loaded, {"n": n}) for n in same)
    assert first is second
    assert len(kept) == 1
    assert ask(loaded, {"n": other[0]}).answer != ask(loaded, {"n": other[1]}).answer


@pytest.mark.parametrize(
    ("name", "same", "other"),
    [
        ("amount", (5.1, 6), (5.0, 5.1)),
        ("amount", (5.00004, 5), (5.00006, 5)),
        ("amount", (-1, 2.5), (9.4, 9.5)),
        ("price", (5.1, 6.0), (5.0, 5.1)),
    ],
)
def test_decimals_too(policies, ask, name, same, other):
    text = f'context.{name}.greaterThan(decimal("5.0")) && context.{name} != decimal("9.5")'
    loaded = policies(f"{ANY} when {{ {text} }};")
    first, second = (ask(loaded, {name: value}) for value in same)
    assert first is second
    assert len(loaded._cache) == 1  # noqa: SLF001 - see above
    assert ask(loaded, {name: other[0]}).answer != ask(loaded, {name: other[1]}).answer


@pytest.mark.parametrize(
    "condition", ["context.n > 5 && context.n + 1 != 9", "context.n > 5 && [8].contains(context.n)"]
)
def test_numbers_used_otherwise_count_as_they_are(policies, ask, condition):
    loaded = policies(f"{ANY} when {{ {condition} }};")
    assert ask(loaded, {"n": 7}).answer != ask(loaded, {"n": 8}).answer
    assert len(loaded._cache) == 2  # noqa: SLF001 - see above


def test_what_reads_the_time_is_not_kept(policies, ask):
    loaded = policies(f'{ANY} when {{ context has time || context.risk == "low" }};')
    assert loaded._cache is None  # noqa: SLF001 - see above
    assert ask(loaded, {"risk": "low"}).answer == "allow"
