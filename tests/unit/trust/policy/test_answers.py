from __future__ import annotations

from datetime import UTC, datetime

import cedarpy
import pytest

from tocsin.errors import BadValue
from tocsin.question import Party, Reliance
from tocsin.trust import decision
from tocsin.trust.policy import FACTS, PolicyStore, with_request
from tocsin.trust.policy.facts import PARTIES

PERMIT = "permit (principal, action, resource)"
FORBID = "forbid (principal, action, resource)"


def ids(answer):
    return answer.answer, [why.id for why in answer.why]


def test_nothing_permits_nothing(policies, ask):
    answer = ask(policies('permit (principal, action == Action::"write", resource);'))
    assert ids(answer) == ("deny", ["no-permit"])
    assert answer.errors == ()


def test_all_that_matched_are_the_reasons(policies, ask):
    loaded = policies(f'@id("a") @reason("because") {PERMIT};\n{PERMIT};\n@id("c") {PERMIT} when {{ false }};')
    answer = ask(loaded)
    assert ids(answer) == ("allow", ["a", "policy1"])
    assert answer.why[0].text == "because"
    assert answer.reliance is None


def test_reasons_stand_in_file_order(policies, ask):
    answer = ask(policies(f"{PERMIT};\n" * 12))
    assert [why.id for why in answer.why] == [f"policy{number}" for number in range(12)]


@pytest.mark.parametrize(
    "condition",
    ["context.missing == 1", 'context.risk + 1 == 2 && context.risk == "low"', "principal.level > 1"],
)
@pytest.mark.parametrize("effect", [PERMIT, FORBID])
def test_a_policy_that_errs_denies(policies, ask, effect, condition):
    answer = ask(policies(f'{PERMIT};\n@id("wrong") {effect} when {{ {condition} }};'), {"risk": "low"})
    assert ids(answer) == ("deny", ["policy-error"])
    assert answer.errors[0].startswith("policies.cedar:2: ")
    assert "`wrong`" in answer.errors[0]


def test_an_engine_that_breaks_denies(policies, ask, monkeypatch):
    loaded = policies(f"{PERMIT};")

    def broken(*_):
        raise RuntimeError("out of order")

    monkeypatch.setattr(cedarpy, "is_authorized", broken)
    assert ask(loaded).errors == ("RuntimeError: out of order",)
    assert ids(ask(loaded)) == ("deny", ["policy-error"])


def test_no_decision_denies(policies, ask, monkeypatch):
    loaded = policies(f"{PERMIT};")
    none = {"decision": "NoDecision", "diagnostics": {"reason": ["policy0"], "errors": []}, "correlation_id": None}
    monkeypatch.setattr(cedarpy, "is_authorized", lambda *_: cedarpy.AuthzResult(none))
    assert ids(ask(loaded)) == ("deny", ["policy-error"])


STEP = f'@outcome("step_up") @acr_values("phr phrh") @max_age("300") @id("s1") {FORBID} when {{ context.age > 5 }};'
STEP2 = f'@outcome("step_up") @acr_values("phr hw") @max_age("60") @id("s2") {FORBID} when {{ context.age > 9 }};'


def test_a_step_up_wants_every_proof_and_the_freshest(policies, ask):
    loaded = policies(f'@id("p") {PERMIT};\n{STEP}\n{STEP2}')
    assert ids(ask(loaded, {"age": 1})) == ("allow", ["p"])
    assert ask(loaded, {"age": 6}).obligations == {"acr_values": "phr phrh", "max_age": 300}
    both = ask(loaded, {"age": 10})
    assert ids(both) == ("step_up", ["s1", "s2"])
    assert both.obligations == {"acr_values": "phr phrh hw", "max_age": 60}


def test_a_step_up_is_offered_only_where_it_would_help(policies, ask):
    loaded = policies(f'permit (principal, action == Action::"write", resource);\n{STEP}')
    assert ids(ask(loaded, {"age": 6})) == ("deny", ["s1", "no-permit"])
    assert ask(loaded, {"age": 6}, action="write").answer == "step_up"
    hard = policies(f'{PERMIT};\n{STEP}\n@id("hard") {FORBID} when {{ context.age > 7 }};')
    assert ids(ask(hard, {"age": 8})) == ("deny", ["s1", "hard"])
    assert ask(hard, {"age": 8}).obligations == {}


def limited(*limits):
    return "\n".join(f'@outcome("limit") {limit} {PERMIT};' for limit in limits)


@pytest.mark.parametrize(
    ("limits", "merged"),
    [
        (['@amount("100")'], {"amount": 100.0}),
        (['@amount("100")', '@amount("50")'], {"amount": 100.0}),
        (['@read_only("true") @rate_per_min("5")', '@rate_per_min("30")'], {"rate_per_min": 30}),
        (['@read_only("true")', '@rate_per_min("30")'], {"read_only": True, "rate_per_min": 30}),
        (['@amount("9") @bytes("5")', '@amount("5") @bytes("9")'], {"amount": 5.0, "bytes": 5}),
        (['@bytes("5")', '@bytes("5")'], {"bytes": 5}),
    ],
)
def test_the_mildest_limits_hold_and_no_mix_is_milder_than_each(policies, ask, limits, merged):
    answer = ask(policies(limited(*limits)))
    assert answer.answer == "limit"
    assert answer.obligations == merged
    assert ask(policies(limited(*limits) + f"{PERMIT};")).answer == "allow"


def test_reliance_is_the_tightest_of_the_permits_that_carry_the_answer(policies, ask):
    loaded = policies(
        f'@seconds("30") @bytes("1000") {PERMIT};\n@seconds("60.5") @amount("5") {PERMIT};\n'
        + limited('@amount("1") @seconds("2")')
    )
    assert ask(loaded).reliance == Reliance(seconds=30.0, bytes=1000, amount=5.0)
    assert ask(policies(limited('@amount("1") @seconds("2")'))).reliance == Reliance(seconds=2.0, amount=1.0)
    assert ask(policies(f'@bytes("7") {PERMIT};')).reliance == Reliance(seconds=86_400.0, bytes=7)


def test_obligations_of_all_that_matched_are_gathered(policies, ask):
    loaded = policies(
        f'@obligation("log=full; mask=iban") {PERMIT};\n@obligation("log=short") {PERMIT};\n'
        f'@obligation("tell = owner=a") {FORBID} when {{ context.tell }};'
    )
    assert ask(loaded, {"tell": False}).obligations == {"log": ["full", "short"], "mask": "iban"}
    assert ask(loaded, {"tell": True}).obligations == {"tell": "owner=a"}


def test_stored_attributes_are_overlaid_by_what_is_sent_where_that_is_let(policies, ask):
    stored = [
        {"uid": {"type": "user", "id": "ada"}, "attrs": {"role": "clerk", "level": 3}, "parents": []},
        {"uid": {"type": "Action", "id": "read"}, "attrs": {}, "parents": []},
    ]
    loaded = policies(
        f'{PERMIT} when {{ context.subject.role == "chief" && context.subject.level == 3 }};\n'
        f"{PERMIT} when {{ context.action has soft && context.resource has owner }};",
        entities=stored,
    )
    chief = Party(type="user", id="ada", properties={"role": "chief"})
    assert ask(loaded, subject=chief).answer == "allow"
    assert ask(loaded, subject=chief, overlay=False).answer == "deny"
    assert ask(loaded).answer == "deny"
    owned = Party(type="doc", id="1", properties={"owner": "x"})
    assert ask(loaded, resource=owned, sent={"soft": True}).answer == "allow"
    assert ask(loaded, resource=owned, sent={"soft": True}, overlay=False).answer == "deny"
    assert loaded.overlaid(chief) == {"role": "chief", "level": 3}
    assert loaded.matches(chief, "read", {}, owned, {})[1] == {
        "subject": {"role": "chief", "level": 3},
        "resource": {"owner": "x"},
        "action": {},
    }


def test_a_caller_cannot_take_the_place_of_a_party_or_a_fact(policies, ask):
    loaded = policies(f'{PERMIT} when {{ context.subject has admin || context.risk == "low" }};')
    facts = with_request({"risk": "high"}, {"risk": "low", "subject": {"admin": True}, "own": 1})
    assert facts == {"risk": "high", "own": 1}
    assert ask(loaded, facts | {"subject": {"admin": True}}).answer == "deny"


def test_ids_and_types_of_any_characters_are_asked_about(policies, ask):
    loaded = policies(
        'permit (principal is us_x2d_er, action, resource in App::Box::"b");',
        entities=[
            {"uid": {"type": "_x69_n", "id": 'a"\n\\'}, "attrs": {}, "parents": [{"type": "App::Box", "id": "b"}]}
        ],
    )
    subject, resource = Party(type="us-er", id='\0é\n"'), Party(type="in", id='a"\n\\')
    assert ask(loaded, subject=subject, resource=resource, action='é"\n').answer == "allow"
    assert ask(loaded, subject=subject, resource=Party(type="in", id="b")).answer == "deny"


@pytest.mark.parametrize(
    "party",
    [
        Party(type="", id="a"),
        Party(type="x" * 257, id="a"),
        Party(type="u", id="x" * 4097),
        Party(type="u", id="\ud800"),
    ],
)
def test_names_beyond_measure_are_refused(policies, ask, party):
    loaded = policies(f"{PERMIT};")
    for question in ({"subject": party}, {"resource": party}):
        with pytest.raises(BadValue):
            ask(loaded, **question)


def nested(depth):
    return [nested(depth - 1)] if depth else 1


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        922337203685477.6,
        1 << 63,
        -(1 << 63) - 1,
        {"__entity": {"type": "user", "id": "root"}},
        {"a": [{"__extn": {"fn": "ip", "arg": "::1"}}]},
        {"a": {"__expr": "1"}},
        {1: 2},
        "\ud800",
        {"\ud800": 1},
        b"bytes",
        datetime(2026, 1, 1),  # noqa: DTZ001 - a time without a zone is what is refused
        nested(40),
        nested(900),
        [1] * 20_000,
        "x" * 300_000,
    ],
    ids=lambda value: repr(value)[:30],
)
def test_values_that_policies_cannot_be_asked_about_are_refused_where_they_are_read(policies, ask, value):
    loaded = policies(f"{PERMIT} when {{ context has x }};\n{PERMIT} when {{ context.resource has x }};")
    with pytest.raises(BadValue):
        ask(loaded, {"x": value})
    with pytest.raises(BadValue):
        ask(loaded, {"x": 1}, resource=Party(type="doc", id="1", properties={"x": value}))
    assert ask(loaded, {"x": 1, "y": value}).answer == "allow"


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        ('context.x == decimal("1.0000")', 1.00005),
        ('context.x == decimal("1.0002")', 1.00015),
        ('context.x == decimal("0.0")', -0.00001),
        ('context.x == decimal("-0.1235")', -0.12345000001),
        ('context.x == decimal("922337203685477.5")', 922337203685477.5),
        ('context.x == [1, "a", {"k": 1}]', [1, None, "a", {"k": 1, "n": None}, 1]),
        ('context.x == {"a": {}}', {"a": {"b": None}}),
        ("!(context has x)", None),
        ('context.x == datetime("2026-03-04T03:12:00Z")', datetime(2026, 3, 4, 3, 12, tzinfo=UTC)),
        ("context.x == 9223372036854775807", (1 << 63) - 1),
        ("context.x == true", True),
        ("context.x == 1", 1),
        ('context.x == "\\u{0}"', "\0"),
        ('context.x == ["a"]', frozenset({"a"})),
    ],
)
def test_values_mean_what_they_say(policies, ask, condition, value):
    assert ask(policies(f"{PERMIT} when {{ {condition} }};"), {"x": value}).answer == "allow"


@pytest.mark.parametrize(
    ("address", "condition"),
    [
        ("203.0.113.9", 'context.address.isInRange(ip("203.0.113.0/24"))'),
        ("::ffff:203.0.113.9", 'context.address == ip("203.0.113.9")'),
        ("2001:db8::1%eth0", 'context.address.isInRange(ip("2001:db8::/32"))'),
        ("not an address", "!(context has address)"),
        (None, "!(context has address)"),
    ],
)
def test_an_address_is_one_to_policies(policies, ask, address, condition):
    assert ask(policies(f"{PERMIT} when {{ {condition} }};"), {"address": address}).answer == "allow"


@pytest.mark.parametrize("amount", [150, 150.0, 150.00004])
def test_an_amount_is_a_decimal_however_it_was_written(policies, ask, amount):
    assert (
        ask(policies(f'{PERMIT} when {{ context.amount == decimal("150.0") }};'), {"amount": amount}).answer == "allow"
    )


@pytest.mark.parametrize("amount", [10**400, -(10**20), float("nan"), 1e300])
def test_an_amount_beyond_measure_is_refused_though_only_compared(policies, ask, amount):
    loaded = policies(f'{PERMIT} when {{ context.amount.lessThan(decimal("5.0")) }};')
    for _ in range(2):
        with pytest.raises(BadValue):
            ask(loaded, {"amount": amount})


def test_the_facts_offered_to_schemas_are_those_that_decisions_give():
    assert set(FACTS) == set(decision.FACTS) | set(PARTIES)


DAY = {"assurance": 2, "sensitive": False, "privileged": False, "proof_age_s": -1}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, ("allow", ["verified"])),
        ({"assurance": 0}, ("deny", ["anonymous"])),
        ({"assurance": 1}, ("allow", ["verified"])),
        ({"sensitive": True, "privileged": True}, ("allow", ["verified"])),
        ({"sensitive": True, "privileged": True, "proof_age_s": 43_200}, ("allow", ["verified"])),
        ({"sensitive": True, "privileged": True, "proof_age_s": 43_201}, ("step_up", ["fresh-proof"])),
        ({"sensitive": True, "proof_age_s": 99_999}, ("allow", ["verified"])),
        ({"amount": 10_000.01}, ("allow", ["verified"])),
        ({"amount": 10_000.01, "proof_age_s": 901}, ("step_up", ["large-amount"])),
        ({"amount": 10_000, "proof_age_s": 901}, ("allow", ["verified"])),
        ({"bytes": (1 << 30) + 1, "proof_age_s": 3601}, ("step_up", ["bulk-data"])),
        ({"bytes": 1 << 30, "proof_age_s": 3601}, ("allow", ["verified"])),
        ({"assurance": 0, "amount": 20_000, "proof_age_s": 901}, ("deny", ["anonymous", "large-amount"])),
    ],
)
def test_the_default_policies_on_day_one(ask, facts, expected):
    assert ids(ask(PolicyStore.open(None).current, DAY | facts)) == expected
