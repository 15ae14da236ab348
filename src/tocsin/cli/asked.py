"""How a question and its answer look to a person: who asked for what, what was met, what was decided and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tocsin.cli.render import reasons_lines, when
from tocsin.cli.safe import shorten

if TYPE_CHECKING:
    from tocsin.cli.output import Printer
    from tocsin.question import Decision, Identity, Question
    from tocsin.trust.decision import Asked, State

__all__ = ["asked_full"]

_STYLES: Final = {"allow": "green", "limit": "yellow", "step_up": "yellow", "deny": "bold red"}


def asked_full(printer: Printer, asked: Asked) -> None:
    """Draw everything that is known of one decision."""
    question, decision = asked.question, asked.decision
    printer.line(f"{decision.id}  {decision.answer}  {when(question.time)}", _STYLES[decision.answer])
    printer.line(f"  {_asked(question)}")
    printer.line(f"  asked by  {shorten(question.caller)}")
    printer.line(f"  identity  {_identity(question.identity)}")
    printer.line(f"  standing  {_standing(asked.state)}")
    printer.line()
    _why(printer, decision)
    printer.line()
    printer.line(f"surprise of the question itself: {decision.tail_bits:.1f} bits")
    for line in reasons_lines(decision.reasons):
        printer.line(f"  {line}")


def _asked(question: Question) -> str:
    parts = [f"{shorten(question.subject.entity, 80)} {shorten(question.action, 60)}"]
    parts.append(f"on {question.resource.type} {shorten(question.resource.id, 100)}")
    if question.origin.address:
        parts.append(f"from {question.origin.address}")
    if question.amount is not None:
        parts.append(f"for {question.amount:,.2f} {question.currency or ''}".rstrip())
    if question.bytes_out is not None:
        parts.append(f"({question.bytes_out:,} bytes)")
    return " ".join(parts)


def _identity(identity: Identity) -> str:
    parts = [f"assurance {identity.assurance}, {identity.method}"]
    if identity.credential:
        parts.append(shorten(identity.credential, 60))
    if identity.proven_at:
        parts.append(f"proven {when(identity.proven_at)}")
    return ", ".join(parts)


def _standing(state: State) -> str:
    parts = [f"risk {state.band}"]
    parts += [word for word, holds in (("privileged", state.privileged), ("sensitive", state.sensitive)) if holds]
    parts += [f"{h.id} {h.rung} ({'enforced' if h.enforced else 'shadow'})" for h in state.held]
    return ", ".join(parts)


def _why(printer: Printer, decision: Decision) -> None:
    printer.line("why:")
    for why in decision.why:
        printer.line(f"  {why.source:11} {shorten(why.id, 60)}  {shorten(why.text, 160)}".rstrip())
    for name, value in decision.obligations.items():
        printer.line(f"  obligation  {shorten(name, 60)} = {shorten(str(value), 80)}")
    if decision.would:
        printer.line(f"  shadow      would have been {decision.would}")
    reliance = decision.reliance
    printer.line(
        f"  relied on   for {reliance.seconds:g} s, {reliance.bytes or 0:,} bytes, {reliance.amount or 0:,.2f}"
    )
    printer.line(f"  policies    {decision.policy_version}")
