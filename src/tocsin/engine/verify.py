"""A question from asking to answer, in one pass: what is known is read, policies speak, the question itself is scored.

The question is an event like any other. It is put to the policies with the standing its subject has; then it is scored
and learned from; and when it rang, and so changed that standing, it is put to them again. So the account that asks at
three in the morning is surprised, restricted and answered in one go.

INVARIANT: whatever breaks on the way, the answer is deny, unless the operator named the question in `decide.degrade`.
"""

from __future__ import annotations

from collections import OrderedDict
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.errors import BadValue
from tocsin.event import Event
from tocsin.question import Decision, Reliance, Why
from tocsin.record import record_id
from tocsin.trust.decision import Asked, Facts, Held, State, decide
from tocsin.trust.policy import PolicyAnswer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tocsin.config import DecideSettings
    from tocsin.engine.loop import Engine
    from tocsin.event import Outcome
    from tocsin.question import Party, Question
    from tocsin.record import Score
    from tocsin.trust.policy import PolicyStore

__all__ = ["ROUTE", "Verifier"]

ROUTE: Final = "route"
"""Type of resources that are paths of HTTP requests; their events look like those of a web server's log."""
_MAX_TEXT_CHARS: Final = 2_048
_MOST_LIMITED: Final = 100_000
_MINUTE_S: Final = 60
_ENCODER: Final = msgspec.json.Encoder()


class Verifier:
    """Answers questions over one engine, in the thread that scores."""

    def __init__(
        self,
        engine: Engine,
        policies: PolicyStore,
        settings: DecideSettings,
        tell: Callable[[Exception], None] | None = None,
    ) -> None:
        self._engine, self._policies, self._settings = engine, policies, settings
        self._tell = tell
        self._rates: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._degraded: dict[str, int] = {}
        self.failed = ""
        """Why nothing can be decided any more, once the state cannot be kept."""

    def ask(self, question: Question) -> Decision:
        """Answer a question, journal it as an event and learn from it.

        Raises BadValue, with nothing scored, for a question no policy can be asked about.
        """
        if self.failed:
            return self.undecided(question, "state", self.failed)
        try:
            return self._ask(question)
        except BadValue:
            raise
        except Exception as error:  # noqa: BLE001 - whatever breaks, the answer is deny and the operator is told
            if self._tell is not None:
                self._tell(error)
            return self.undecided(question, "error", f"unexpected {type(error).__name__}")

    def preview(self, question: Question) -> Decision:
        """Give the answer that `ask` would give but for the question's own surprise; nothing is kept."""
        if self.failed:
            return self.undecided(question, "state", self.failed)
        return self._judge(question, self._state(question, self._ready(question)))

    def undecided(self, question: Question, reason: str, text: str) -> Decision:
        """Answer what cannot be decided: deny, or what the operator chose for such questions, audited."""
        why = Why(source="state", id=reason, text=text)
        version, reliance = self._policies.current.version, Reliance(seconds=1.0)
        asked = f"{question.action} {question.resource.type}/{question.resource.id}"
        pattern = next((p for p in self._settings.degrade if fnmatchcase(asked, p)), None)
        if pattern is None:
            return Decision(answer="deny", policy_version=version, reliance=reliance, why=(why,))
        self._note_degraded(pattern, question, text)
        told = Why(source="degraded", id=pattern, text="let through because the operator said so")
        passed = PolicyAnswer("allow", (told, why), obligations={"degraded": True}, reliance=reliance)
        try:  # who is restricted gains nothing by breaking what would have decided
            state = self._state(question, self._ready(question))
        except Exception as error:  # noqa: BLE001 - what stands against the question is not known
            if self._tell is not None:
                self._tell(error)
            return Decision(answer="deny", policy_version=version, reliance=reliance, why=(why,))
        return decide(question, state, passed, version, self._settings)

    # --- one question

    def _ask(self, question: Question) -> Decision:
        event = self._ready(question)
        state = self._state(question, event)
        decision = self._limited(question, self._judge(question, state))
        final = decision

        def answer(scored: Event, score: Score) -> Event:
            nonlocal final
            met = self._state(question, scored) if score.alert else state
            told = decision if met == state else self._limited(question, self._judge(question, met))
            final = msgspec.structs.replace(
                told, id=record_id("D", score.seq), tail_bits=round(score.tail_bits, 3), reasons=score.reasons
            )
            asked = Asked(question=question, state=met, decision=final)
            return msgspec.structs.replace(scored, decision=_ENCODER.encode(asked).decode())

        outcome: Outcome = "success" if decision.permitted else "failure"
        self._engine.observe_ready(msgspec.structs.replace(event, outcome=outcome), answer)
        return final

    def _ready(self, question: Question) -> Event:
        """Make the question's event, with what is known of its address and entities."""
        subject, resource, policies = question.subject, question.resource, self._policies.current
        return self._engine.ready(
            event_of(
                question,
                privileged=_says(subject, "privileged") or policies.holds(subject.type, subject.id, "privileged"),
                sensitive=_says(resource, "sensitive") or policies.holds(resource.type, resource.id, "sensitive"),
            )
        )

    def _judge(self, question: Question, state: State) -> Decision:
        policies = self._policies.current
        told = policies.evaluate(
            question.subject, question.action, question.action_properties, question.resource, Facts(question, state)
        )
        if told.errors:
            return self.undecided(question, "policy-error", "; ".join(told.errors)[:_MAX_TEXT_CHARS])
        return decide(question, state, told, policies.version, self._settings)

    def _state(self, question: Question, event: Event) -> State:
        """Find what stands against the question now, and what is known of what it names."""
        story = self._engine.story
        band, causes = story.standing(event.subject, question.time)
        return State(
            band=band,
            causes=causes,
            held=self._held(question, event) if story.responder.restricts else (),
            sensitive=bool(event.sensitive),
            privileged=bool(event.privileged),
            network=event.origin.network,
            country=event.origin.country,
        )

    def _held(self, question: Question, event: Event) -> tuple[Held, ...]:
        """List the restrictions on anything the question comes with: each of them counts.

        What automation holds against an address counts for those who come as that address alone: many may share it,
        and one of them must not be able to lock out the others. A person may restrict it for all.
        """
        responder, origin = self._engine.story.responder, event.origin
        shared = f"ip:{origin.address}" if event.subject != f"ip:{origin.address}" else None
        names = {
            event.subject: None,
            question.subject.entity: None,
            question.identity.subject: None,
            question.identity.credential: None,
            event.counterparty: None,
            question.counterparty: None,
            f"session:{question.session}": None,
            f"session:{question.identity.session}": None,
            f"ip:{origin.address}": None,
            f"device:{origin.device}": None,
        }
        return tuple(
            Held(r.id, r.entity, r.rung, r.time, r.enforced, r.cause)
            for name in names
            if name is not None and responder.knows(name)
            for r in responder.in_force(name, question.time)
            if name != shared or r.alert_id is None
        )

    def _named(self, entity: str) -> str:
        """Give the one name of somebody who has several."""
        return self._engine.entities.canonical.get(entity, entity)

    # --- what is kept between questions

    def _limited(self, question: Question, decision: Decision) -> Decision:
        """Hold a limited subject to its rate, should the caller not."""
        rate = decision.obligations.get("rate_per_min") if decision.answer == "limit" else None
        if rate is None:
            return decision
        minute, key = int(question.time.timestamp()) // _MINUTE_S, self._named(question.subject.entity)
        since, count = self._rates.pop(key, (minute, 0))
        count = count + 1 if since == minute else 1
        self._rates[key] = (minute, count)
        if len(self._rates) > _MOST_LIMITED:
            self._rates.popitem(last=False)
        if count <= rate:
            return decision
        why = Why(source="restriction", id="limit-rate", text=f"more than {rate} within this minute")
        return msgspec.structs.replace(decision, answer="deny", why=(why, *decision.why), obligations={})

    def _note_degraded(self, pattern: str, question: Question, text: str) -> None:
        """Audit a degraded answer, for each pattern at most once a minute."""
        minute = int(question.time.timestamp()) // _MINUTE_S
        if self._degraded.get(pattern) != minute:
            self._degraded[pattern] = minute
            self._engine.note(question.caller, "degraded", {"pattern": pattern, "why": text})


def event_of(question: Question, *, privileged: bool = False, sensitive: bool = False) -> Event:
    """Make the event that the question is; its outcome is not known yet."""
    resource = question.resource
    name = resource.id if resource.type == ROUTE else f"{resource.type}/{resource.id}"
    return Event(
        time=question.time,
        kind=question.kind,
        subject=question.subject.entity,
        action=question.action[:_MAX_TEXT_CHARS],
        resource=name[:_MAX_TEXT_CHARS],
        counterparty=question.counterparty,
        origin=question.origin,
        bytes_out=question.bytes_out,
        count=question.count,
        amount=question.amount,
        currency=question.currency,
        session=question.session,
        privileged=privileged or None,
        sensitive=sensitive or None,
    )


def _says(party: Party, name: str) -> bool:
    return party.properties.get(name) is True
