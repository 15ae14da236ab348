from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tocsin.config import RespondSettings
from tocsin.record import RISK_BANDS, Finding, Restriction, Risk, record_id
from tocsin.response import Responder

START = datetime(2026, 1, 1, tzinfo=UTC)
POPULATION = 40
BREAK_GLASS = "user:root"

steps = st.lists(
    st.tuples(
        st.sampled_from([BREAK_GLASS, *(f"user:{n}" for n in range(12))]),
        st.sampled_from(RISK_BANDS),
        st.booleans(),
        st.integers(0, 20_000),
    ),
    max_size=40,
)
settings = st.builds(
    RespondSettings,
    enforce=st.booleans(),
    blast_share=st.sampled_from([0.01, 0.1, 1.0]),
    blast_floor=st.integers(0, 4),
    break_glass=st.just((BREAK_GLASS,)),
)


def play(responder: Responder, plan, first: int = 1, now: datetime = START) -> list[list[Restriction]]:
    """Put findings one after the other; each step says how many seconds later it comes."""
    written = []
    for seq, (entity, band, absolute, later_s) in enumerate(plan, first):
        now += timedelta(seconds=later_s)
        finding = Finding(
            id=record_id("F", seq),
            seq=seq,
            time=now,
            entity=entity,
            kind="api",
            action="Read",
            resource=None,
            address=None,
            surprise_bits=1.0,
            tail_bits=1.0,
            accumulated_bits=1.0,
            reasons=(),
            source_file=None,
            source_line=None,
            alert_id="A-000001",
        )
        risk = Risk(entity=entity, band=band, bits=0.0, causes=(), lapses=None)
        written.append(
            responder.respond(
                finding,
                privileged=absolute,
                sensitive=False,
                absolute=absolute,
                risk=risk,
                now=now,
                population=POPULATION,
            )
        )
    return written


def kept(written: list[list[Restriction]]) -> dict[str, Restriction]:
    """What the store holds after every write: the last of each id."""
    return {restriction.id: restriction for step in written for restriction in step}


@given(steps, settings)
def test_shadow_and_enforced_decide_the_same(plan, chosen):
    shadow, acting = (msgspec.structs.replace(chosen, enforce=e) for e in (False, True))
    one, other = play(Responder(shadow), plan), play(Responder(acting), plan)
    assert not any(r.enforced for step in one for r in step)
    plain = [[msgspec.structs.replace(r, enforced=False) for r in step] for step in other]
    assert plain == one


@given(steps, settings)
def test_break_glass_is_never_limited_or_suspended(plan, chosen):
    written = play(Responder(chosen), plan)
    assert {r.rung for step in written for r in step if r.entity == BREAK_GLASS} <= {"watch", "step_up"}


@given(steps, settings)
def test_what_is_held_is_not_enforced_and_everything_ends(plan, chosen):
    responder = Responder(chosen)
    written = play(responder, plan)
    for restriction in (r for step in written for r in step):
        assert restriction.time < restriction.expires
        assert not (restriction.state == "held" and restriction.enforced)
    responder.expire(START + timedelta(days=400))
    assert responder.state()["held"] == {}


@given(steps, settings)
def test_no_two_of_one_entity_and_rung_at_once(plan, chosen):
    standing = [r for r in kept(play(Responder(chosen), plan)).values() if r.state in {"active", "held"}]
    assert len({(r.entity, r.rung) for r in standing}) == len(standing)


@given(steps, settings)
def test_the_blast_radius_holds_in_every_window(plan, chosen):
    written = play(Responder(chosen), plan)
    hard = [r for step in written for r in step if r.state == "active" and r.rung != "watch"]
    window = timedelta(hours=chosen.blast_window_h)
    allowed = max(chosen.blast_floor, int(chosen.blast_share * POPULATION))
    for restriction in hard:
        near = {r.entity for r in hard if restriction.time <= r.time < restriction.time + window}
        assert len(near) <= 2 * allowed  # two lanes, each with its own allowance


@given(steps, settings, st.data())
def test_stopping_anywhere_changes_nothing(plan, chosen, data):
    cut = data.draw(st.integers(0, len(plan)))
    whole = play(Responder(chosen), plan)
    first = Responder(chosen)
    before = play(first, plan[:cut])
    now = START + timedelta(seconds=sum(step[3] for step in plan[:cut]))
    resumed = Responder(chosen, msgspec.json.decode(msgspec.json.encode(first.state())))
    assert before + play(resumed, plan[cut:], first=cut + 1, now=now) == whole
