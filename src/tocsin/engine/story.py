"""From events that rang to findings, alerts, risk and restrictions; the part of the loop that people see.

Everything here is rare, so it is plain Python over records. What it remembers goes into the snapshot as JSON, and
ids follow from places in the journal, so scoring the same events again after a crash writes the same records.

INVARIANT: what is decided depends on events and on the newest time up to and with each of them, never on where a
batch ends: `take` is told that time, and `changes` only hands over and makes room.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from tocsin.record import Alert, Evidence, Finding, Restriction, Risk, record_id
from tocsin.response import Responder, join_alert, open_alert
from tocsin.trust.risk import assess, keep

if TYPE_CHECKING:
    from tocsin.config import Settings
    from tocsin.record import Band, Reason
    from tocsin.store import Home

__all__ = ["Changes", "Rung", "Story"]

_EVIDENCE_LIFE: Final = timedelta(hours=24)
_FINDINGS_KEPT: Final = 100
"""Findings of one alert that are written down; later ones are counted."""


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One event that rang or joined an alert, as the loop hands it over."""

    seq: int
    alert_seq: int
    row: dict[str, Any]
    """The event by column name."""
    surprise_bits: float
    tail_bits: float
    accumulated_bits: float
    reasons: tuple[Reason, ...]
    absolute: bool
    privileged: bool
    sensitive: bool
    now: datetime
    """Newest time of any event up to and with this one."""
    population: int
    """Entities known, with this event's."""


class Changes(NamedTuple):
    """Records that are new or changed, for whoever writes them."""

    findings: list[Finding]
    alerts: list[Alert]
    restrictions: list[Restriction]

    def __bool__(self) -> bool:
        return bool(self.findings or self.alerts or self.restrictions)

    def write(self, home: Home) -> None:
        """Put them where people find them."""
        home.records.put_findings(self.findings)
        home.records.put_alerts(self.alerts)
        home.records.put_restrictions(self.restrictions)


class _Memory(msgspec.Struct):
    alerts: dict[str, Alert] = {}
    evidence: dict[str, tuple[Evidence, ...]] = {}


class Story:
    """Alerts that still take in findings, what counts against whom, and the restrictions in force."""

    def __init__(self, settings: Settings, state: dict[str, Any] | None = None) -> None:
        state = state or {}
        self._memory = msgspec.convert(state.get("memory", {}), _Memory)
        self.responder = Responder(settings.respond, state.get("responder"))
        self.configure(settings)
        self._standings: dict[str, tuple[int, Band, tuple[str, ...]]] = {}
        self._findings: dict[str, Finding] = {}
        self._changed: dict[str, Alert] = {}
        self._restrictions: dict[str, Restriction] = {}

    def configure(self, settings: Settings) -> None:
        """Take on settings; from the next event on."""
        self._settings = settings
        self._open_for = timedelta(hours=settings.alerts.mute_h + settings.alerts.story_h)
        self.responder.configure(settings.respond)

    def state(self) -> dict[str, Any]:
        """Everything remembered, as plain JSON values."""
        return {"memory": msgspec.to_builtins(self._memory), "responder": self.responder.state()}

    def take(self, rung: Rung) -> Finding:
        """Write one ringing event into its alert, its subject's risk and its subject's restrictions."""
        finding = _finding(rung)
        self._join(finding, rung.now, absolute=rung.absolute)
        evidence = Evidence(
            entity=finding.entity,
            cause=f"surprise: {finding.reasons[0].feature}" if finding.reasons else "surprise",
            bits=finding.tail_bits,
            source="behaviour",
            time=finding.time,
            expires=finding.time + _EVIDENCE_LIFE,
        )
        held = keep((*self._memory.evidence.get(finding.entity, ()), evidence), rung.now)
        self._memory.evidence[finding.entity] = held
        self._standings.pop(finding.entity, None)
        for restriction in self.responder.respond(
            finding,
            privileged=rung.privileged,
            sensitive=rung.sensitive,
            absolute=rung.absolute,
            risk=assess(finding.entity, held, rung.now, until=False),
            now=rung.now,
            population=rung.population,
        ):
            self._restrictions[restriction.id] = restriction
        return finding

    def _join(self, finding: Finding, now: datetime, *, absolute: bool) -> None:
        alert = self._memory.alerts.get(finding.alert_id)
        if alert is not None and self._over(alert, now):
            alert = None
        grown = join_alert(alert, finding, absolute=absolute) if alert else open_alert(finding, absolute=absolute)
        if alert is None:
            grown = msgspec.structs.replace(grown, id=finding.alert_id)
        self._memory.alerts[grown.id] = grown
        self._changed[grown.id] = grown
        if grown.findings <= _FINDINGS_KEPT:
            self._findings[finding.id] = finding

    def _over(self, alert: Alert, now: datetime) -> bool:
        return alert.last_time + self._open_for < now

    def risk(self, entity: str, now: datetime, *, until: bool = True) -> Risk:
        """Where an entity stands; when that lapses only when asked for, since finding out takes a while."""
        return assess(entity, self._memory.evidence.get(entity, ()), now, until=until)

    def standing(self, entity: str, now: datetime) -> tuple[Band, tuple[str, ...]]:
        """Give an entity's band and causes, worked out again at most every second and whenever something is added."""
        if entity not in self._memory.evidence:
            return "low", ()
        second = int(now.timestamp())
        known = self._standings.get(entity)
        if known is None or known[0] != second:
            risk = self.risk(entity, now, until=False)
            known = self._standings[entity] = (second, risk.band, tuple(cause.cause for cause in risk.causes))
        return known[1:]

    def restrict(self, restriction: Restriction) -> None:
        """Take in a restriction that a person decided; its record is written again should a crash have lost it."""
        self.responder.take(restriction)
        self._restrictions[restriction.id] = restriction

    def lift(self, restriction_id: str, *, by: str) -> None:
        """End a restriction that a person lifted; raises NotFound when none of that id is in force."""
        self._restrictions[restriction_id] = self.responder.lift(restriction_id, by=by)

    def forget(self, entity: str) -> None:
        """Drop all that is remembered of an entity."""
        memory = self._memory
        memory.evidence.pop(entity, None)
        self._standings.pop(entity, None)
        memory.alerts = {name: alert for name, alert in memory.alerts.items() if entity not in alert.entities}
        self._findings = {name: f for name, f in self._findings.items() if f.entity != entity}
        self._changed = {name: a for name, a in self._changed.items() if entity not in a.entities}
        self._restrictions = {name: r for name, r in self._restrictions.items() if r.entity != entity}
        self.responder.forget(entity)

    def names(self) -> set[str]:
        """Entities of which anything is remembered."""
        bound = {entity for alert in self._memory.alerts.values() for entity in alert.entities}
        return bound | set(self._memory.evidence) | self.responder.names()

    def changes(self, now: datetime) -> Changes:
        """Give what changed since the last time, and make room: what is over at `now` counts no more."""
        for restriction in self.responder.expire(now):
            self._restrictions[restriction.id] = restriction
        changed = Changes(
            list(self._findings.values()), list(self._changed.values()), list(self._restrictions.values())
        )
        self._findings, self._changed, self._restrictions = {}, {}, {}
        memory = self._memory
        memory.alerts = {name: alert for name, alert in memory.alerts.items() if not self._over(alert, now)}
        self._standings.clear()
        memory.evidence = {
            name: held
            for name, every in memory.evidence.items()
            if (held := tuple(e for e in every if e.expires > now))
        }
        return changed


def _finding(rung: Rung) -> Finding:
    row = rung.row
    return Finding(
        id=record_id("F", rung.seq),
        seq=rung.seq,
        time=row["time"],
        entity=row["subject"],
        kind=row["kind"],
        action=row["action"],
        resource=row["resource"] or row["counterparty"],
        address=row["origin.address"],
        surprise_bits=rung.surprise_bits,
        tail_bits=rung.tail_bits,
        accumulated_bits=rung.accumulated_bits,
        reasons=rung.reasons,
        source_file=row["source_file"],
        source_line=row["source_line"],
        alert_id=record_id("A", rung.alert_seq),
    )
