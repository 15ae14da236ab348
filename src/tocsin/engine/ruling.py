"""A person's decisions while the engine runs: in force at once, durable with the next hand-over.

Without a running engine the command line writes the same control records itself; reading the journal again applies
both in the same way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.errors import NotFound
from tocsin.record import Verdict
from tocsin.response.restrictions import by_person, lift

if TYPE_CHECKING:
    from datetime import datetime

    from tocsin.engine.loop import Engine
    from tocsin.record import Restriction, Rung

__all__ = ["Rulings"]


class Rulings:
    """Decisions by people over one engine. Call from the thread that scores, with nothing waiting for the disk."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def restrict(  # noqa: PLR0913 - what a person says of a restriction
        self, entity: str, rung: Rung, *, hours: float, cause: str, by: str, now: datetime
    ) -> Restriction:
        """Add a restriction; raises Refused for a break-glass entity, before anything is changed."""
        engine = self._engine
        entity = engine.entities.canonical.get(entity, entity)
        added = by_person(entity, rung, hours=hours, cause=cause, by=by, now=now, settings=engine.settings.respond)
        engine.settle()
        engine.controls.write("restrict", msgspec.json.encode(added))
        engine.waiting.add_deed(lambda records: records.put_restrictions([added]))
        engine.note(by, "restrict", msgspec.to_builtins(added))
        return added

    def lift(self, restriction_id: str, *, by: str, now: datetime) -> Restriction:
        """Lift a restriction; raises NotFound when none of that id waits or is in force."""
        engine = self._engine
        found = engine.home.records.restriction(restriction_id.upper())
        if found.state not in {"active", "held"}:
            raise NotFound(
                f"restriction `{found.id}` is {found.state} already",
                hint="`tocsin restrictions list` names those in force",
            )
        engine.settle()
        body = msgspec.json.encode({"restriction": found.id, "by": by, "time": now})
        engine.controls.write("lift", body)
        lifted = lift(found, by=by)
        engine.waiting.add_deed(lambda records: records.put_restrictions([lifted]))
        engine.waiting.add_deed(lambda records: records.lift(lifted.id, by))
        return lifted

    def verdict(self, record_id: str, *, bad: bool, by: str, now: datetime) -> list[Verdict]:
        """Say what an alert (`A-…`) or a finding (`F-…`) turned out to be; what is learned counts from now on."""
        engine, wanted = self._engine, record_id.upper()
        records = engine.home.records
        one = wanted.startswith("F-")
        findings = [records.finding(wanted)] if one else records.findings(alert_id=records.alert(wanted).id)
        verdicts = [Verdict(seq=f.seq, bad=bad, known_at=now, by=by) for f in findings]
        engine.settle()
        for verdict, finding in zip(verdicts, findings, strict=True):
            body = {"finding": finding.id, **msgspec.structs.asdict(verdict)}
            engine.controls.write("verdict", msgspec.json.encode(body))
        if one:
            engine.note(by, "verdict", {"finding": wanted, "bad": bad})
        else:
            engine.waiting.add_deed(lambda records: records.set_verdict(wanted, "true" if bad else "false", by))
        return verdicts
