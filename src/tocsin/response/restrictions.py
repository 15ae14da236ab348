"""Restrictions: which rung an entity stands on, until when, and what holds automation back.

What is decided depends only on the findings given, in their order, and on the times given with
them: there is no clock here. In shadow mode everything is decided and recorded alike; only
`enforced` differs.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from tocsin.addresses import canonical_text
from tocsin.errors import NotFound, Refused
from tocsin.record import LADDER, Band, Finding, Restriction, Risk, Rung, record_id
from tocsin.response.blast import BlastGuard, Lane

if TYPE_CHECKING:
    from tocsin.config import RespondSettings

__all__ = ["MAX_HOURS", "Responder", "by_person", "lift", "rung_for"]

MAX_HOURS: Final = 24.0 * 366
"""No restriction lasts longer, not even one set by a person: nothing is for ever."""
MAX_CAUSE_CHARS: Final = 240

_RUNG_OF_BAND: Final[dict[Band, Rung]] = {"low": "watch", "elevated": "watch", "high": "step_up", "critical": "limit"}
_BREAK_GLASS_RUNG: Final[Rung] = "step_up"
_HARD_RUNGS: Final = frozenset({"limit", "suspend"})


def rung_for(band: Band, *, absolute: bool) -> Rung:
    """Choose the rung: by band `watch`, `watch`, `step_up`, `limit`; by the absolute rule at least `limit`.

    Only the absolute rule suspends, and only an entity whose risk is `critical`.
    """
    if absolute:
        return "suspend" if band == "critical" else "limit"
    return _RUNG_OF_BAND[band]


def by_person(  # noqa: PLR0913 - a restriction has so many parts, all named by keyword
    entity: str, rung: Rung, *, hours: float, cause: str, by: str, now: datetime, settings: RespondSettings
) -> Restriction:
    """Restrict by a person's decision, which is always enforced.

    Its id follows from the microsecond of the decision, a number no journal's count comes near.
    An address is kept in the one spelling in which questions and events name it.
    Raises Refused for a break-glass entity at `limit` or `suspend`.
    """
    kind, _, name = entity.partition(":")
    if kind == "ip":
        entity = f"ip:{canonical_text(name) or name}"
    if rung in _HARD_RUNGS and entity in settings.break_glass:
        raise Refused(
            f"`{entity}` is a break-glass entity and may not be put on `{rung}`",
            hint="take it off `respond.break_glass` first, or use `step_up`",
        )
    return Restriction(
        id=record_id("R", round(now.timestamp() * 1_000_000)),
        entity=entity,
        rung=rung,
        cause=cause[:MAX_CAUSE_CHARS],
        alert_id=None,
        time=now,
        expires=now + timedelta(hours=min(hours, MAX_HOURS)),
        enforced=True,
        note=f"by {by}" if by else "by a person",
    )


def lift(restriction: Restriction, *, by: str) -> Restriction:
    """End a restriction before its time; until its expiry automation asks before it restricts that entity again."""
    return msgspec.structs.replace(restriction, state="lifted", note=f"lifted by {by or 'a person'}")


class _Memory(msgspec.Struct):
    """What the responder must remember between runs."""

    held: dict[str, list[Restriction]] = msgspec.field(default_factory=dict)
    """Per entity at most one restriction a rung, active or held."""
    lifted: dict[str, tuple[datetime, str]] = msgspec.field(default_factory=dict)
    """Entities a person freed: until when automation asks before it restricts them again, and why."""
    guard: BlastGuard = msgspec.field(default_factory=BlastGuard)


class Responder:
    """Decides restrictions finding by finding and remembers those in force.

    INVARIANT: an entity has at most one restriction per rung. The same rung decided again extends
    it; a higher one is added; a lower one runs beside and outlasts it, so that suspicion fades in steps.
    """

    def __init__(self, settings: RespondSettings, state: dict[str, Any] | None = None) -> None:
        self._settings = settings
        self._memory = msgspec.convert(state, _Memory) if state else _Memory()

    def configure(self, settings: RespondSettings) -> None:
        """Take on settings; from the next finding on."""
        self._settings = settings

    def names(self) -> set[str]:
        """Entities of which anything is remembered."""
        guarded = {entity for lane in self._memory.guard.restricted.values() for entity in lane}
        return guarded | set(self._memory.held) | set(self._memory.lifted)

    def forget(self, entity: str) -> None:
        """Drop all that is remembered of an entity."""
        self._memory.held.pop(entity, None)
        self._memory.lifted.pop(entity, None)
        for lane in self._memory.guard.restricted.values():
            lane.pop(entity, None)

    def state(self) -> dict[str, Any]:
        """Everything remembered, as plain JSON values for a snapshot; give it back to the constructor."""
        plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self._memory))
        return plain

    def respond(  # noqa: PLR0913 - what decides a restriction, all named by keyword
        self,
        finding: Finding,
        *,
        privileged: bool,
        sensitive: bool,
        absolute: bool,
        risk: Risk,
        now: datetime,
        population: int = 0,
    ) -> list[Restriction]:
        """Decide what a finding leads to and return the restrictions that changed, ready to be written.

        `population` is how many entities were seen within the guard's window.
        """
        changed = self.expire(now)
        rung, note = self._rung(finding.entity, risk.band, absolute=absolute)
        earlier = self._find(finding.entity, rung)
        lane: Lane = "absolute" if absolute else "graded"
        state, why = self._permission(finding.entity, rung, lane, population, now)
        decided = Restriction(
            id=record_id("R", finding.seq),
            entity=finding.entity,
            rung=rung,
            cause=_cause(finding, risk, privileged=privileged, sensitive=sensitive),
            alert_id=finding.alert_id,
            time=now,
            expires=now + timedelta(hours=self._hours(rung)),
            enforced=self._settings.enforce and state == "active",
            state=state,
            note="; ".join(part for part in (note, why) if part),
        )
        changed.append(self._put(_renewed(earlier, decided) if earlier else decided))
        return changed

    def expire(self, now: datetime) -> list[Restriction]:
        """Forget what has run out and return what was still active or held, now `expired`."""
        self._memory.lifted = {e: freed for e, freed in self._memory.lifted.items() if freed[0] > now}
        lapsed = [r for rs in self._memory.held.values() for r in rs if r.expires <= now]
        for restriction in lapsed:
            self._forget(restriction)
        return [msgspec.structs.replace(r, state="expired") for r in sorted(lapsed, key=lambda r: (r.expires, r.id))]

    def take(self, restriction: Restriction) -> None:
        """Remember a restriction that a person decided."""
        self._put(restriction)

    def lift(self, restriction_id: str, *, by: str) -> Restriction:
        """End a restriction; raises NotFound when none of that id is in force."""
        every = (r for restrictions in self._memory.held.values() for r in restrictions)
        found = next((r for r in every if r.id == restriction_id), None)
        if found is None:
            raise NotFound(f"no restriction `{restriction_id}` is in force", hint="see `tocsin restrictions list`")
        self._forget(found)
        lifted = lift(found, by=by)
        until = max(found.expires, self._memory.lifted.get(found.entity, (found.expires, ""))[0])
        self._memory.lifted[found.entity] = (until, lifted.note)
        return lifted

    @property
    def restricts(self) -> bool:
        """Whether anything at all is restricted."""
        return bool(self._memory.held)

    def knows(self, entity: str) -> bool:
        """Whether anything is held against an entity."""
        return entity in self._memory.held

    def in_force(self, entity: str, now: datetime) -> tuple[Restriction, ...]:
        """List the active restrictions of an entity, hardest first, enforced or not."""
        active = [r for r in self._memory.held.get(entity, ()) if r.state == "active" and r.expires > now]
        return tuple(sorted(active, key=lambda r: -LADDER.index(r.rung)))

    def _rung(self, entity: str, band: Band, *, absolute: bool) -> tuple[Rung, str]:
        rung = rung_for(band, absolute=absolute)
        if rung in _HARD_RUNGS and entity in self._settings.break_glass:
            return _BREAK_GLASS_RUNG, f"break-glass entity: `{_BREAK_GLASS_RUNG}` in place of `{rung}`"
        return rung, ""

    def _permission(
        self, entity: str, rung: Rung, lane: Lane, population: int, now: datetime
    ) -> tuple[Literal["active", "held"], str]:
        """Ask the guards; `held` waits for a person."""
        if rung == "watch":
            return "active", ""
        if entity in self._memory.lifted:
            return "held", f"{self._memory.lifted[entity][1]}: a person must decide again"
        guard = self._memory.guard
        if guard.admits(entity, lane, population, now, self._settings):
            return "active", ""
        return "held", (
            f"blast radius: {guard.count(lane)} of {population} entities restricted"
            f" within {self._settings.blast_window_h:g} h: a person must decide"
        )

    def _hours(self, rung: Rung) -> float:
        hours: float = getattr(self._settings, f"{rung}_h")
        return hours

    def _find(self, entity: str, rung: Rung) -> Restriction | None:
        return next((r for r in self._memory.held.get(entity, ()) if r.rung == rung), None)

    def _put(self, restriction: Restriction) -> Restriction:
        others = [r for r in self._memory.held.get(restriction.entity, ()) if r.rung != restriction.rung]
        self._memory.held[restriction.entity] = [*others, restriction]
        return restriction

    def _forget(self, restriction: Restriction) -> None:
        rest = [r for r in self._memory.held[restriction.entity] if r.rung != restriction.rung]
        if rest:
            self._memory.held[restriction.entity] = rest
        else:
            del self._memory.held[restriction.entity]


def _renewed(earlier: Restriction, decided: Restriction) -> Restriction:
    """Carry on an earlier restriction under its own id."""
    return msgspec.structs.replace(
        earlier,
        cause=decided.cause if earlier.alert_id else earlier.cause,
        expires=max(earlier.expires, decided.expires),
        enforced=earlier.enforced or decided.enforced,
        state="active" if "active" in {earlier.state, decided.state} else "held",
        note=earlier.note if earlier.state == decided.state else decided.note,
    )


def _cause(finding: Finding, risk: Risk, *, privileged: bool, sensitive: bool) -> str:
    """Say in one line why: what makes it grave, how surprising, the heaviest reason."""
    standing = " and ".join(word for word, holds in (("privileged", privileged), ("sensitive", sensitive)) if holds)
    heaviest = max(finding.reasons, key=lambda r: (r.share, r.feature), default=None)
    parts = [standing, f"risk {risk.band} ({risk.bits:.0f} bits)", heaviest.text if heaviest else ""]
    return ", ".join(part for part in parts if part)[:MAX_CAUSE_CHARS]
