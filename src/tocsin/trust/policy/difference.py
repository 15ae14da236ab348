"""Questions that were answered, put to other policies: what would have been answered instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tocsin.errors import BadValue
from tocsin.question import Answer, Decision, Question  # noqa: TC001 - msgspec reads the annotations at run time
from tocsin.trust.decision import Asked, Facts, decide

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tocsin.config import DecideSettings
    from tocsin.trust.policy.policyset import PolicySet

__all__ = ["Change", "Compared", "compare"]


class Side(msgspec.Struct, frozen=True):
    """One of the two answers."""

    answer: Answer
    why: tuple[str, ...]
    obligations: dict[str, Any]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that would be another, or would ask for something else besides."""

    seq: int
    """Place of the question in the journal."""
    question: Question
    was: Side
    would_be: Side
    decision_id: str


class Compared(msgspec.Struct):
    """How many questions were put anew; counted as `compare` goes."""

    asked: int = 0
    left_out: int = 0
    """Answered without policies at the time, because nothing could be decided."""
    changed: int = 0


def compare(
    policies: PolicySet, journal: Iterable[tuple[int, Asked]], settings: DecideSettings, count: Compared
) -> Iterator[Change]:
    """Put questions of the journal to `policies`, with all that was known when they were asked."""
    for seq, asked in journal:
        was = asked.decision
        if any(why.source == "state" and why.id != "policy-error" for why in was.why):
            count.left_out += 1
            continue
        count.asked += 1
        old, new = _side(was), _anew(policies, asked, settings)
        if (old.answer, old.obligations) != (new.answer, new.obligations):
            count.changed += 1
            yield Change(seq=seq, question=asked.question, was=old, would_be=new, decision_id=was.id)


def _anew(policies: PolicySet, asked: Asked, settings: DecideSettings) -> Side:
    question = asked.question
    facts = Facts(question, asked.state)
    try:
        told = policies.evaluate(
            question.subject, question.action, question.action_properties, question.resource, facts
        )
    except BadValue as error:
        return Side("deny", (error.code,), {})
    if told.errors:
        return Side("deny", ("policy-error",), {})
    new = _side(decide(question, asked.state, told, policies.version, settings))
    slowed = next((why.id for why in asked.decision.why if why.id == "limit-rate"), None)
    if slowed and new.answer == "limit":
        return Side("deny", (slowed, *new.why), {})
    return new


def _side(decision: Decision) -> Side:
    return Side(decision.answer, tuple(why.id for why in decision.why), decision.obligations)
