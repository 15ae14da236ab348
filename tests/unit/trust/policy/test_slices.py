from __future__ import annotations

import pytest

from tocsin.trust.policy.slices import MAX_SLICES

GROUP = [{"uid": {"type": "Action", "id": "a1"}, "attrs": {}, "parents": [{"type": "Action", "id": "group"}]}]
ACTIONS = MAX_SLICES + 50


@pytest.fixture
def many(policies):
    """A policy for each of many actions, one for a group, one for all."""
    each = [f'@id("p{i}") permit (principal, action == Action::"a{i}", resource);' for i in range(ACTIONS)]
    group = '@id("group") permit (principal, action in [Action::"group", App::Action::"a2"], resource);'
    every = '@id("every") forbid (principal, action, resource) when { context.assurance < 1 };'
    return policies("\n".join([*each, group, every]), entities=GROUP)


def ids(answer):
    return [why.id for why in answer.why]


def test_an_action_meets_its_own_policies_and_those_of_its_groups(many, ask):
    for number in range(ACTIONS):
        answer = ask(many, {"assurance": 1}, action=f"a{number}")
        assert ids(answer) == ([f"p{number}", "group"] if number == 1 else [f"p{number}"])
    assert ids(ask(many, {"assurance": 0}, action="a3")) == ["every"]
    assert ids(ask(many, {"assurance": 1}, action="unheard of")) == ["no-permit"]


def test_no_more_slices_are_made_than_bounded(many, ask):
    for number in range(2 * ACTIONS):
        ask(many, {"assurance": 1}, action=f"a{number}")
    slices = many._parts.slices  # noqa: SLF001 - what is kept shows the bound
    assert len(slices._made) == MAX_SLICES  # noqa: SLF001 - see above
    assert len(slices.of("a3", "user", "doc").policies) == 2
    assert len(slices.of(f"a{ACTIONS - 1}", "user", "doc").policies) == ACTIONS + 2
    assert len(slices.of("unheard of", "user", "doc").policies) == 1
