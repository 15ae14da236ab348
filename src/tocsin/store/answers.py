"""Answers given under an idempotency key, so that the same request sent again is answered and not done twice.

Neither the key nor the body is kept, only digests of them.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from tocsin.store.tables import ANSWERS

if TYPE_CHECKING:
    from tocsin.store.tables import Database

__all__ = ["Answer", "Answers"]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered to one request."""

    key: bytes
    """Digest of the idempotency key and of who sent it."""
    request: bytes
    """Digest of the request."""
    time: datetime
    status: int
    body: bytes


class Answers:
    """The answers in a home's records."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keep(self, answer: Answer, *, most: int) -> None:
        """Keep an answer, durably, and forget all but the newest `most`; one of the same key is replaced."""
        row = {"id": answer.key, "request": answer.request, "time": _text(answer.time), "status": answer.status}
        newest = sa.select(ANSWERS.c.id).order_by(ANSWERS.c.time.desc(), ANSWERS.c.id).limit(most)
        with self._database.write() as connection:
            connection.execute(ANSWERS.insert().prefix_with("OR REPLACE").values(**row, body=answer.body))
            if connection.execute(sa.select(sa.func.count()).select_from(ANSWERS)).scalar_one() > most:
                connection.execute(ANSWERS.delete().where(ANSWERS.c.id.not_in(newest)))

    def since(self, time: datetime) -> list[Answer]:
        """Give the answers from a time on, the oldest first, and forget those from before it."""
        with self._database.write() as connection:
            connection.execute(ANSWERS.delete().where(ANSWERS.c.time < _text(time)))
            rows = connection.execute(sa.select(ANSWERS).order_by(ANSWERS.c.time, ANSWERS.c.id)).all()
        return [
            Answer(
                key=bytes(row.id),
                request=bytes(row.request),
                time=datetime.fromisoformat(row.time),
                status=row.status,
                body=bytes(row.body),
            )
            for row in rows
        ]


def _text(time: datetime) -> str:
    """Write a time as text that sorts as times do."""
    return time.astimezone(UTC).isoformat(timespec="microseconds")
