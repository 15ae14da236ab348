"""A person's decisions on restrictions: kept in the journal, which a replay repeats, the records and the audit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.errors import NotFound
from tocsin.response.restrictions import by_person, lift

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.config import RespondSettings
    from tocsin.record import Restriction, Rung
    from tocsin.store import Home

__all__ = ["free", "restrict"]


def restrict(
    home: Home, entity: str, rung: Rung, *, hours: float, cause: str, by: str, now: datetime, settings: RespondSettings
) -> Restriction:
    """Add a restriction; raises Refused for a break-glass entity, before anything is written."""
    added = by_person(entity, rung, hours=hours, cause=cause, by=by, now=now, settings=settings)
    home.journal.append_control("restrict", msgspec.json.encode(added))
    home.journal.commit()
    home.records.put_restrictions([added])
    home.records.audit(by, "restrict", msgspec.to_builtins(added))
    return added


def free(home: Home, restriction_id: str, *, by: str, now: datetime) -> Restriction:
    """Lift a restriction; raises NotFound when none of that id waits or is in force."""
    found = home.records.restriction(restriction_id.upper())
    if found.state not in {"active", "held"}:
        raise NotFound(
            f"restriction `{found.id}` is {found.state} already", hint="`tocsin restrictions list` names those in force"
        )
    home.journal.append_control("lift", msgspec.json.encode({"restriction": found.id, "by": by, "time": now}))
    home.journal.commit()
    home.records.put_restrictions([lift(found, by=by)])
    return home.records.lift(found.id, by)
