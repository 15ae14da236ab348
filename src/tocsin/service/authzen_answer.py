"""From a decision to an AuthZEN answer (sections 5.5, 6.2 and 7.2): a boolean, and what goes with it in `context`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET, Struct, UnsetType, json

from tocsin.question import (
    Decision,
    Reliance,
    Why,
)

if TYPE_CHECKING:
    from tocsin.errors import IdentityError
    from tocsin.service.problems import Problem

__all__ = ["Answer", "Context", "brief", "encode", "failed", "full", "refused"]

_ENCODER: Final = json.Encoder()
_OF_NOTE: Final = frozenset({"limit", "step_up"})
_STATUS: Final = {"step_up": "401", "deny": "403"}
_TO_USER: Final = {
    "step_up": "Confirm who you are, then try again",
    "deny": "This is not allowed",
}
_MAX_REASON_CHARS: Final = 2_048


class Fault(Struct, frozen=True):
    """Why one of several questions could not be answered (section 7.2.1)."""

    status: int
    message: str


class Context(Struct, frozen=True, omit_defaults=True):
    """What goes with a decision; nothing that is not so is said."""

    id: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    """`allow`, `limit`, `step_up` or `deny`."""
    reasons: tuple[Why, ...] = ()
    reason_admin: dict[str, str] | UnsetType = UNSET
    """Not to be shown to the user."""
    reason_user: dict[str, str] | UnsetType = UNSET
    obligations: dict[str, Any] = {}
    reliance: Reliance | UnsetType = UNSET
    policy_version: str | UnsetType = UNSET
    risk: str | UnsetType = UNSET
    would: str | UnsetType = UNSET
    """In shadow mode, what would have been answered, where that differs."""
    error: Fault | UnsetType = UNSET


class Answer(Struct, frozen=True, omit_defaults=True):
    """One answer."""

    decision: bool
    context: Context | UnsetType = UNSET


def full(decision: Decision) -> Answer:
    """Say everything."""
    answer = decision.answer
    admin: dict[str, str] | UnsetType = UNSET
    user: dict[str, str] | UnsetType = UNSET
    if answer in _STATUS:
        said = "; ".join(f"{why.source} `{why.id}`: {why.text}" if why.text else why.id for why in decision.why)
        admin = {_STATUS[answer]: said[:_MAX_REASON_CHARS]}
        user = {_STATUS[answer]: _TO_USER[answer]}
    return Answer(
        decision.permitted,
        Context(
            id=decision.id or UNSET,
            outcome=answer,
            reasons=decision.why,
            reason_admin=admin,
            reason_user=user,
            obligations=decision.obligations,
            reliance=decision.reliance,
            policy_version=decision.policy_version,
            risk=decision.band,
            would=decision.would or UNSET,
        ),
    )


def brief(decision: Decision) -> Answer:
    """Say only what has to be acted upon, so that equal questions get equal answers, to the letter."""
    if decision.answer not in _OF_NOTE and not decision.obligations:
        return Answer(decision.permitted)
    return Answer(decision.permitted, Context(outcome=decision.answer, obligations=decision.obligations))


def failed(problem: Problem) -> Answer:
    """Answer one question of several that could not be put."""
    return Answer(decision=False, context=Context(error=Fault(problem.status, problem.detail)))


def refused(error: IdentityError, policy_version: str) -> Decision:
    """Answer a question whose subject showed a credential that does not hold."""
    why = Why(source="identity", id=error.code, text=error.message)
    challenge = getattr(error, "challenge", "")
    return Decision(
        answer="deny",
        policy_version=policy_version,
        reliance=Reliance(seconds=0.0),
        why=(why,),
        obligations={"challenge": challenge} if challenge else {},
    )


def encode(answer: Answer | dict[str, list[Answer]]) -> bytes:
    """Write an answer, or several as `evaluations`."""
    return _ENCODER.encode(answer)
