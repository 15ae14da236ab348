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
    home.records.audit(by or "cli", "restrict", msgspec.to_builtins(added))
    return added


def free(home: Home, restriction_id: str, *, by: str, now: datetime) -> Restriction:
    """Lift a restriction; raises NotFound when none of that id waits or is in force."""
    wanted = restriction_id.upper()
    found = next((r for r in home.records.restrictions() if r.id == wanted), None)
    if found is None or found.state not in {"active", "held"}:
        raise NotFound(
            f"no restriction `{restriction_id}` is in force", hint="`tocsin restrictions list --all` names them"
        )
    lifted = lift(found, by=by)
    home.journal.append_control("lift", msgspec.json.encode({"restriction": wanted, "by": by, "time": now}))
    home.journal.commit()
    home.records.put_restrictions([lifted])
    home.records.audit(by or "cli", "lift", {"restriction": wanted})
    return lifted
