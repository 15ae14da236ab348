"""From the policies that Cedar found to hold to one answer with its reasons, obligations and reach.

1. An error, or no decision: deny.
2. A forbid without outcome `step_up` holds: deny.
3. Only `step_up` forbids hold: step up, when the permits alone would allow or limit; else deny, for proving more
   would not help.
4. Permits hold: allow when one of them is without limit, else limit.
5. No permit holds: deny.

The limits of several permits: a permit whose limits another one undercuts nowhere is left out, so the mildest holds;
where neither is milder, the tighter of each limit, for what both together let through was said by neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from tocsin.question import Answer, Reliance, Why
from tocsin.trust.policy.annotations import MAX_SECONDS, Limits, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["NO_PERMIT", "POLICY_ERROR", "PolicyAnswer", "failed", "forbidden", "permitted", "stepped_up", "unpermitted"]

N = TypeVar("N", int, float)

NO_PERMIT: Final = "no-permit"
POLICY_ERROR: Final = "policy-error"


class PolicyAnswer(msgspec.Struct, frozen=True):
    """What the policies say. INVARIANT: answers are shared between questions; nobody writes into one."""

    answer: Answer
    why: tuple[Why, ...]
    errors: tuple[str, ...] = ()
    """What could not be evaluated; with any, the answer is deny."""
    obligations: dict[str, Any] = {}
    reliance: Reliance | None = None
    """None when no policy says how far the answer may be relied on."""


def failed(errors: Sequence[str]) -> PolicyAnswer:
    """Deny because the policies could not be evaluated."""
    text = "a policy could not be evaluated"
    return PolicyAnswer("deny", (Why(source="policy", id=POLICY_ERROR, text=text),), errors=tuple(errors))


def unpermitted(forbids: Sequence[Rule] = ()) -> PolicyAnswer:
    """Deny because nothing permits it, whatever else holds."""
    nothing = Why(source="policy", id=NO_PERMIT, text="no policy permits this")
    return PolicyAnswer("deny", (*_why(forbids), nothing))


def forbidden(rules: Sequence[Rule]) -> PolicyAnswer:
    """Deny because of what is forbidden outright."""
    return PolicyAnswer("deny", _why(rules), obligations=_duties(rules))


def stepped_up(rules: Sequence[Rule]) -> PolicyAnswer:
    """Ask for every proof that the forbids name, and for the freshest."""
    wanted: dict[str, Any] = {}
    if values := dict.fromkeys(value for rule in rules for value in rule.acr_values):
        wanted["acr_values"] = " ".join(values)
    if ages := [rule.max_age for rule in rules if rule.max_age is not None]:
        wanted["max_age"] = min(ages)
    return PolicyAnswer("step_up", _why(rules), obligations=_duties(rules) | wanted)


def permitted(rules: Sequence[Rule]) -> PolicyAnswer:
    """Allow, or limit when no permit is without limits."""
    free = [rule for rule in rules if rule.outcome == "allow"]
    carrying = free or list(rules)
    limits = {} if free else _written(_merged([rule.limits for rule in rules]))
    return PolicyAnswer(
        "allow" if free else "limit",
        _why(rules),
        obligations=_duties(rules) | limits,
        reliance=_reliance(carrying),
    )


def _why(rules: Iterable[Rule]) -> tuple[Why, ...]:
    return tuple(Why(source="policy", id=rule.id, text=rule.reason) for rule in rules)


def _duties(rules: Iterable[Rule]) -> dict[str, Any]:
    """Gather obligations; what several policies say differently of one key becomes a list."""
    said: dict[str, dict[str, None]] = {}
    for rule in rules:
        for key, value in rule.obligations:
            said.setdefault(key, {})[value] = None
    return {key: next(iter(values)) if len(values) == 1 else list(values) for key, values in said.items()}


def _merged(every: Sequence[Limits]) -> Limits:
    left = [one for one in dict.fromkeys(every) if not any(_milder(other, one) for other in every if other != one)]
    return Limits(
        read_only=any(one.read_only for one in left),
        rate_per_min=_least(one.rate_per_min for one in left),
        amount=_least(one.amount for one in left),
        bytes=_least(one.bytes for one in left),
    )


def _milder(one: Limits, other: Limits) -> bool:
    """Say whether `one` lets through everything that `other` does."""
    return (
        one.read_only <= other.read_only
        and _reaches(one.rate_per_min, other.rate_per_min)
        and _reaches(one.amount, other.amount)
        and _reaches(one.bytes, other.bytes)
    )


def _reaches(one: float | None, other: float | None) -> bool:
    return one is None or (other is not None and one >= other)


def _least(values: Iterable[N | None]) -> N | None:
    return min((value for value in values if value is not None), default=None)


def _written(limits: Limits) -> dict[str, Any]:
    every = msgspec.structs.asdict(limits).items()
    return {name: value for name, value in every if value is not None and value is not False}


def _reliance(rules: Sequence[Rule]) -> Reliance | None:
    seconds = _least(rule.seconds for rule in rules)
    size = _least(rule.limits.bytes for rule in rules)
    amount = _least(rule.limits.amount for rule in rules)
    if seconds is None and size is None and amount is None:
        return None
    return Reliance(seconds=MAX_SECONDS if seconds is None else seconds, bytes=size, amount=amount)
