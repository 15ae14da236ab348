"""One answer from all that bears on a question: what policies say, who asks, and what stands against them.

1. *Policy* speaks first, and always counts. An error in it denies.
2. *Restrictions* in force can only make the answer harder: `suspend` denies; `limit` lets reading through, at a rate,
   where neither who reads is privileged nor what is read sensitive, and denies the rest; `step_up` asks for a proof
   of identity newer than the restriction, of the class that the settings name; `watch` changes nothing. One that is not
   enforced (shadow mode) changes only `would`, what would have been answered.
3. *Reliance*: the more stands against someone, the sooner must be asked again; never beyond the credential's life.

Everything here is a pure function of the question, the state it met and the policies' answer, so that a question kept
in the journal can be put to other policies later.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations at run time
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.question import ANSWERS, Answer, Decision, Question, Reliance, Why
from tocsin.record import LADDER, Band, Rung

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.config import DecideSettings
    from tocsin.trust.policy import PolicyAnswer

__all__ = ["FACTS", "Asked", "Facts", "Held", "State", "decide", "harder", "reads_only"]

_HASTE: Final[dict[Band, float]] = {"low": 1.0, "elevated": 0.25, "high": 0.1, "critical": 0.02}
"""Part of the usual reliance that an answer keeps by risk."""
_LEAST_S: Final = 1.0


class Held(msgspec.Struct, frozen=True, omit_defaults=True):
    """A restriction that the question met, on its subject or on something it came with."""

    id: str
    entity: str
    rung: Rung
    since: datetime
    enforced: bool
    cause: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was known when the question was asked, besides what it says itself."""

    band: Band = "low"
    causes: tuple[str, ...] = ()
    held: tuple[Held, ...] = ()
    sensitive: bool = False
    privileged: bool = False
    network: str | None = None
    country: str | None = None
    evidence: int = 0
    """Members of a pool that reported something the question came with; none so far."""

    @property
    def rung(self) -> Rung | None:
        """The hardest restriction that is enforced."""
        return _hardest([h for h in self.held if h.enforced])


class Asked(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One question as the journal keeps it."""

    question: Question
    state: State
    decision: Decision


FACTS: Final[dict[str, Callable[[Question, State], Any]]] = {
    "acr": lambda q, _: q.identity.acr,
    "address": lambda q, _: q.origin.address,
    "amount": lambda q, _: None if q.amount is None else float(q.amount),
    "assurance": lambda q, _: q.identity.assurance,
    "bytes": lambda q, _: q.bytes_out,
    "caller": lambda q, _: q.caller,
    "causes": lambda _, s: list(s.causes),
    "claims": lambda q, _: q.identity.claims,
    "count": lambda q, _: q.count,
    "country": lambda q, s: s.country or q.origin.country,
    "currency": lambda q, _: q.currency,
    "device": lambda q, _: q.origin.device,
    "evidence": lambda _, s: s.evidence,
    "hour": lambda q, _: q.time.hour,
    "kind": lambda q, _: q.kind,
    "method": lambda q, _: q.identity.method,
    "network": lambda q, s: s.network or q.origin.network,
    "privileged": lambda _, s: s.privileged,
    "proof_age_s": lambda q, _: _proof_age_s(q),
    "restriction": lambda _, s: s.rung or "none",
    "risk": lambda _, s: s.band,
    "scopes": lambda q, _: list(q.identity.scopes),
    "sensitive": lambda _, s: s.sensitive,
    "time": lambda q, _: q.time,
    "weekday": lambda q, _: q.time.isoweekday(),
}
"""Context fields that Tocsin fills, whatever the caller sends under these names; None leaves a field out."""


def _proof_age_s(question: Question) -> int:
    proven = question.identity.proven_at
    return -1 if proven is None else max(0, int((question.time - proven).total_seconds()))


class Facts(Mapping[str, Any]):
    """Context fields of one question, each made when it is read: Tocsin's own, then what the caller sent besides."""

    __slots__ = ("_question", "_state")

    def __init__(self, question: Question, state: State) -> None:
        self._question, self._state = question, state

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - a caller may send anything that JSON can say
        make = FACTS.get(name)
        value = self._question.context.get(name) if make is None else make(self._question, self._state)
        if value is None:
            raise KeyError(name)
        return value

    def __iter__(self) -> Iterator[str]:
        names = (*FACTS, *(name for name in self._question.context if name not in FACTS))
        return (name for name in names if self.get(name) is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def harder(one: Answer, other: Answer) -> Answer:
    """Of two answers, the one that lets less through."""
    return max(one, other, key=ANSWERS.index)


def reads_only(action: str, settings: DecideSettings) -> bool:
    """Whether an action only reads, as far as the settings know."""
    return any(fnmatchcase(action, pattern) for pattern in settings.read_actions)


def decide(question: Question, state: State, policy: PolicyAnswer, version: str, settings: DecideSettings) -> Decision:
    """Answer a question; what is not journaled has no id, and what was not scored no surprise."""
    enforced = [h for h in state.held if h.enforced] if state.held else []
    answer, why, obligations = policy.answer, policy.why, policy.obligations
    if enforced:
        answer, met, more = _restricted(question, state, enforced, settings)
        answer, why, obligations = harder(policy.answer, answer), (*met, *why), _joined(obligations, more)
    beyond = _beyond(question, answer, obligations, settings)
    if beyond is not None:
        answer, why = "deny", (beyond, *why)
    would = None
    if len(enforced) < len(state.held):
        alone = harder(policy.answer, _restricted(question, state, state.held, settings)[0])
        would = alone if alone != answer else None
    return Decision(
        answer=answer,
        policy_version=version,
        reliance=_reliance(question, state, policy.reliance, obligations, settings),
        why=why,
        obligations={} if answer == "deny" else obligations,
        band=state.band,
        restriction=_hardest(enforced),
        would=would,
    )


def _hardest(held: list[Held]) -> Rung | None:
    return max((h.rung for h in held), key=LADDER.index, default=None)


def _restricted(
    question: Question, state: State, held: tuple[Held, ...] | list[Held], settings: DecideSettings
) -> tuple[Answer, tuple[Why, ...], dict[str, Any]]:
    """Say what restrictions alone would answer, and what they ask for."""
    answer: Answer = "allow"
    why: list[Why] = []
    obligations: dict[str, Any] = {}
    for restriction in sorted(held, key=lambda h: -LADDER.index(h.rung)):
        one, more = _one_restricted(question, state, restriction, settings)
        if one != "allow":
            text = f"`{restriction.entity}` is on `{restriction.rung}`: {restriction.cause}"
            why.append(Why(source="restriction", id=restriction.id, text=text))
            obligations = _joined(obligations, more)
            answer = harder(answer, one)
    return answer, tuple(why), obligations


def _one_restricted(
    question: Question, state: State, held: Held, settings: DecideSettings
) -> tuple[Answer, dict[str, Any]]:
    match held.rung:
        case "suspend":
            return "deny", {}
        case "limit" if reads_only(question.action, settings) and not (state.privileged or state.sensitive):
            return "limit", {"read_only": True, "rate_per_min": settings.limit_per_min}
        case "limit":
            return "deny", {}
        case "step_up":
            identity, classes = question.identity, settings.step_up_acr.split()
            anew = identity.proven_at is not None and identity.proven_at > held.since
            if anew and (not classes or identity.acr in classes):
                return "allow", {}
            needed = {"acr_values": settings.step_up_acr} if classes else {}
            return "step_up", {**needed, "max_age": max(0, int((question.time - held.since).total_seconds()))}
    return "allow", {}


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Obligations of two: of numbers the lower, of anything else both."""
    joined = dict(one)
    for name, value in other.items():
        mine = joined.get(name)
        numbers = isinstance(mine, int | float) and isinstance(value, int | float) and not isinstance(value, bool)
        joined[name] = min(mine, value) if numbers else value
    return joined


def _beyond(question: Question, answer: Answer, obligations: dict[str, Any], settings: DecideSettings) -> Why | None:
    """Say what a limited answer does not reach."""
    if answer != "limit":
        return None
    if obligations.get("read_only") and not reads_only(question.action, settings):
        return Why(source="policy", id="limit-read-only", text=f"`{question.action}` does more than read")
    for name, asked in (("amount", question.amount), ("bytes", question.bytes_out)):
        most = obligations.get(name)
        if most is not None and asked is not None and asked > most:
            return Why(source="policy", id=f"limit-{name}", text=f"{asked:,} asked, {most:,} is the limit")
    return None


def _reliance(
    question: Question,
    state: State,
    said: Reliance | None,
    obligations: dict[str, Any],
    settings: DecideSettings,
) -> Reliance:
    seconds = settings.seconds if said is None else min(said.seconds, settings.seconds)
    if state.band != "low" or state.held:
        seconds *= _HASTE[state.band] if state.band != "low" else _HASTE["elevated"]
    seconds = max(seconds, _LEAST_S)
    expires = question.identity.expires
    if expires is not None:
        seconds = min(seconds, max(0.0, (expires - question.time).total_seconds()))
    return Reliance(
        seconds=round(seconds, 3),
        bytes=_least(settings.bytes, said.bytes if said else None, obligations.get("bytes")),
        amount=_least(settings.amount, said.amount if said else None, obligations.get("amount")),
    )


def _least(usual: Any, *others: Any) -> Any:  # noqa: ANN401 - bytes are whole, amounts are not
    return min([usual, *(value for value in others if value is not None)])
