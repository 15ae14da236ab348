"""Erasing a person: their key, and everything the records say of them in the clear.

The journal's rows stay where they are and can no longer be opened by anyone; the chain of tags
covers the sealed bytes, so it stays whole. Findings, alerts, restrictions and audit rows that
name the subject are emptied; API keys that act for the subject are removed. Not reached: backups
made before, and the logs the events came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import nacl.bindings
import sqlalchemy as sa

from tocsin.record import Alert, Finding, Restriction
from tocsin.store.apikeys import forget_keys
from tocsin.store.audit import ERASE
from tocsin.store.seal import ERASED
from tocsin.store.tables import ALERTS, FINDINGS, RESTRICTIONS

if TYPE_CHECKING:
    from tocsin.store.audit import Audit
    from tocsin.store.tables import Database

__all__ = ["redact", "subject_hash"]


def subject_hash(key: bytes, subject: str) -> int:
    """SipHash-2-4 of a subject's text with its lowest bit set: how the engine keys what it keeps of it."""
    return int.from_bytes(nacl.bindings.crypto_shorthash_siphash24(subject.encode(), key), "little") | 1


def redact(database: Database, audit: Audit, subject: str, rows: int) -> None:
    """Empty every record that names a subject, and audit that it was done, in one transaction."""
    with database.write() as connection:
        _findings(connection, subject)
        _alerts(connection, subject)
        _restrictions(connection, subject)
        forget_keys(connection, subject)
        emptied = audit.redact(connection, subject)
        audit.add(connection, "", ERASE, {"events": rows, "audit_rows": emptied})
    database.forget_old_pages()


def _replace(connection: sa.Connection, table: sa.Table, record: Finding | Alert | Restriction, **columns: Any) -> None:  # noqa: ANN401 - column values
    body = msgspec.json.encode(record)
    connection.execute(table.update().where(table.c.id == record.id).values(body=body, **columns))


def _findings(connection: sa.Connection, subject: str) -> None:
    query = sa.select(FINDINGS.c.body).where(FINDINGS.c.entity == subject)
    for body in connection.execute(query).scalars().all():
        blank = msgspec.structs.replace(
            msgspec.json.decode(body, type=Finding),
            entity=ERASED, action="erased", resource=None, address=None, reasons=(),
        )  # fmt: skip
        _replace(connection, FINDINGS, blank, entity=ERASED)


def _alerts(connection: sa.Connection, subject: str) -> None:
    for body in connection.execute(sa.select(ALERTS.c.body)).scalars().all():
        alert = msgspec.json.decode(body, type=Alert)
        if subject in alert.entities:
            kept = tuple(e for e in alert.entities if e != subject and alert.entities[0] != subject)
            blank = msgspec.structs.replace(alert, entities=(ERASED, *kept), title="erased", reasons=())
            _replace(connection, ALERTS, blank)


def _restrictions(connection: sa.Connection, subject: str) -> None:
    query = sa.select(RESTRICTIONS.c.body).where(RESTRICTIONS.c.entity == subject)
    for body in connection.execute(query).scalars().all():
        blank = msgspec.structs.replace(
            msgspec.json.decode(body, type=Restriction), entity=ERASED, cause="erased", note=""
        )
        _replace(connection, RESTRICTIONS, blank, entity=ERASED)
