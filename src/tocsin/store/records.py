"""Findings, alerts, restrictions, audit and settings of a home, in SQLite.

Any process may write here, whoever writes the journal: a verdict or a lift never waits for it.
INVARIANT: writing an alert or a restriction again never undoes what a person decided about it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from tocsin.errors import NotFound
from tocsin.record import Alert, Finding, Restriction
from tocsin.store.audit import Audit, AuditRow
from tocsin.store.tables import ALERTS, FINDINGS, META, RESTRICTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tocsin.store.tables import Database

__all__ = ["Records"]

_LIST_HINT: Final = "`tocsin {} list` names those there are"


def _stamp(time: datetime) -> str:
    """Write a time as text that sorts as times do."""
    return f"{time.timestamp():020.6f}"


class Records:
    """The records of one home."""

    def __init__(self, database: Database, key: bytes, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock
        self._audit = Audit(database, key, clock)

    def put_findings(self, findings: Sequence[Finding]) -> None:
        """Keep findings; one of the same id is replaced."""
        rows = [
            {"id": f.id, "alert_id": f.alert_id, "entity": f.entity, "seq": f.seq, "body": msgspec.json.encode(f)}
            for f in findings
        ]
        self._put(FINDINGS, rows, ("alert_id", "entity", "seq", "body"))

    def put_alerts(self, alerts: Sequence[Alert]) -> None:
        """Keep alerts; one of the same id is replaced, but a verdict given by a person stays."""
        rows = [
            {
                "id": a.id,
                "last_time": _stamp(a.last_time),
                "tail_bits": a.tail_bits,
                "verdict": a.verdict,
                "body": msgspec.json.encode(a),
            }
            for a in alerts
        ]
        self._put(ALERTS, rows, ("last_time", "tail_bits", "verdict", "body"))

    def put_restrictions(self, restrictions: Sequence[Restriction]) -> None:
        """Keep restrictions; one of the same id is replaced, unless it was lifted."""
        if not restrictions:
            return  # most flushes have none, and even a condition on a column takes a while to write
        rows = [
            {
                "id": r.id,
                "entity": r.entity,
                "time": _stamp(r.time),
                "expires": _stamp(r.expires),
                "state": r.state,
                "body": msgspec.json.encode(r),
            }
            for r in restrictions
        ]
        unlifted = RESTRICTIONS.c.lifted_at.is_(None)
        self._put(RESTRICTIONS, rows, ("entity", "time", "expires", "state", "body"), unlifted)

    def _put(
        self,
        table: sa.Table,
        rows: list[dict[str, Any]],
        names: tuple[str, ...],
        where: Any = None,  # noqa: ANN401 - an SQL condition
    ) -> None:
        if not rows:
            return
        query = insert(table)
        fresh: dict[str, Any] = {name: query.excluded[name] for name in names}
        if "verdict" in fresh:
            decided = table.c.verdict_at.is_not(None)
            fresh["verdict"] = sa.case((decided, table.c.verdict), else_=query.excluded.verdict)
        with self._database.write() as connection:
            connection.execute(query.on_conflict_do_update(index_elements=["id"], set_=fresh, where=where), rows)

    def alerts(self, limit: int | None = None, state: Literal["open", "true", "false"] | None = None) -> list[Alert]:
        """Alerts, the latest first; `state` keeps those of one verdict."""
        query = sa.select(ALERTS.c.body, ALERTS.c.verdict).order_by(ALERTS.c.last_time.desc(), ALERTS.c.id.desc())
        if state is not None:
            query = query.where(ALERTS.c.verdict == state)
        with self._database.read() as connection:
            return [_alert(row) for row in connection.execute(query.limit(limit))]

    def alerts_since(self, seq: int) -> list[Alert]:
        """Alerts that took in any event from `seq` on, the latest first."""
        took = sa.select(FINDINGS.c.alert_id).where(FINDINGS.c.seq >= seq)
        query = sa.select(ALERTS.c.body, ALERTS.c.verdict).where(ALERTS.c.id.in_(took))
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(ALERTS.c.last_time.desc(), ALERTS.c.id.desc()))
            return [_alert(row) for row in rows]

    def alert(self, alert_id: str) -> Alert:
        """One alert; raises `NotFound`."""
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(ALERTS.c.body, ALERTS.c.verdict).where(ALERTS.c.id == alert_id)
            ).one_or_none()
        if row is None:
            raise NotFound(f"no alert `{alert_id[:80]}`", hint=_LIST_HINT.format("alerts"))
        return _alert(row)

    def findings(self, alert_id: str | None = None) -> list[Finding]:
        """List findings in journal order, of one alert or of all."""
        query = sa.select(FINDINGS.c.body).order_by(FINDINGS.c.seq)
        if alert_id is not None:
            query = query.where(FINDINGS.c.alert_id == alert_id)
        with self._database.read() as connection:
            return [msgspec.json.decode(body, type=Finding) for body in connection.execute(query).scalars()]

    def finding(self, finding_id: str) -> Finding:
        """One finding; raises `NotFound`."""
        with self._database.read() as connection:
            body = connection.execute(sa.select(FINDINGS.c.body).where(FINDINGS.c.id == finding_id)).scalar()
        if body is None:
            raise NotFound(f"no finding `{finding_id[:80]}`", hint=_LIST_HINT.format("alerts"))
        return msgspec.json.decode(body, type=Finding)

    def restrictions(self, active_at: datetime | None = None) -> list[Restriction]:
        """Restrictions in the order they were made; with `active_at`, those in force at that time."""
        query = sa.select(RESTRICTIONS.c.body, RESTRICTIONS.c.state).order_by(RESTRICTIONS.c.time, RESTRICTIONS.c.id)
        if active_at is not None:
            at = _stamp(active_at)
            in_time = sa.and_(RESTRICTIONS.c.time <= at, RESTRICTIONS.c.expires > at)
            in_force = sa.or_(RESTRICTIONS.c.state == "active", RESTRICTIONS.c.lifted_at > at)
            query = query.where(in_time, in_force)
        with self._database.read() as connection:
            return [_restriction(row) for row in connection.execute(query)]

    def restriction(self, restriction_id: str) -> Restriction:
        """One restriction; raises `NotFound`."""
        query = sa.select(RESTRICTIONS.c.body, RESTRICTIONS.c.state).where(RESTRICTIONS.c.id == restriction_id)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise NotFound(f"no restriction `{restriction_id[:80]}`", hint=_LIST_HINT.format("restrictions"))
        return _restriction(row)

    def set_verdict(self, alert_id: str, verdict: Literal["open", "true", "false"], by: str = "") -> Alert:
        """Say what an alert turned out to be; audited. Raises `NotFound`."""
        given = {"verdict": verdict, "verdict_by": by, "verdict_at": _stamp(self._clock())}
        with self._database.write() as connection:
            if not connection.execute(ALERTS.update().where(ALERTS.c.id == alert_id).values(**given)).rowcount:
                raise NotFound(f"no alert `{alert_id[:80]}`", hint=_LIST_HINT.format("alerts"))
            self._audit.add(connection, by, "verdict", {"alert": alert_id, "verdict": verdict})
        return self.alert(alert_id)

    def lift(self, restriction_id: str, by: str = "") -> Restriction:
        """End a restriction now; audited. Raises `NotFound`."""
        lifted = {"state": "lifted", "lifted_by": by, "lifted_at": _stamp(self._clock())}
        query = RESTRICTIONS.update().where(RESTRICTIONS.c.id == restriction_id)
        with self._database.write() as connection:
            if not connection.execute(query.values(**lifted)).rowcount:
                raise NotFound(f"no restriction `{restriction_id[:80]}`", hint=_LIST_HINT.format("restrictions"))
            self._audit.add(connection, by, "lift", {"restriction": restriction_id})
        return self.restriction(restriction_id)

    def audit(self, actor: str, action: str, detail: dict[str, Any]) -> None:
        """Add a row to the audit log."""
        self._audit.write(actor, action, detail)

    def audit_rows(self, limit: int | None = None) -> list[AuditRow]:
        """List the audit log, the newest row first."""
        return self._audit.rows(limit)

    def verify_audit(self) -> int | None:
        """Find the first row of the audit log whose chain does not hold, or `None`."""
        return self._audit.verify()

    def meta(self, name: str) -> bytes | None:
        """Give the small value kept under a name."""
        with self._database.read() as connection:
            value: bytes | None = connection.execute(sa.select(META.c.value).where(META.c.name == name)).scalar()
        return value

    def set_meta(self, name: str, value: bytes) -> None:
        """Keep a small value under a name."""
        with self._database.write() as connection:
            connection.execute(META.insert().prefix_with("OR REPLACE").values(name=name, value=value))


def _alert(row: sa.Row[Any, Any]) -> Alert:
    return msgspec.structs.replace(msgspec.json.decode(row.body, type=Alert), verdict=row.verdict)


def _restriction(row: sa.Row[Any, Any]) -> Restriction:
    return msgspec.structs.replace(msgspec.json.decode(row.body, type=Restriction), state=row.state)
