"""What is read of one story together, and which restrictions hold, as the records tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.record import Alert, Finding, Restriction  # noqa: TC001 - msgspec reads the annotations at run time

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.store import Records

__all__ = ["Case", "alert_with_evidence", "in_force"]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """An alert, the findings it rests on, and the restrictions it led to."""

    alert: Alert
    findings: list[Finding]
    restrictions: list[Restriction]


def alert_with_evidence(records: Records, alert_id: str) -> Case:
    """Gather a story; raises NotFound when there is no such alert."""
    alert = records.alert(alert_id.upper())
    return Case(
        alert=alert,
        findings=records.findings(alert_id=alert.id),
        restrictions=[r for r in records.restrictions() if r.alert_id == alert.id],
    )


def in_force(every: list[Restriction], active: list[Restriction], at: datetime) -> list[Restriction]:
    """Pick those that act at a time, as the records tell, and those that did, or waited for a person, then."""
    names = {r.id for r in active}
    return [r for r in every if r.id in names or (r.state in {"held", "expired"} and r.time <= at < r.expires)]
