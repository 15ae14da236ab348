"""Questions that stand in the journal, with what they met and what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np
import pyarrow.compute as pc

from tocsin.errors import NotFound
from tocsin.store import Events
from tocsin.trust.decision import Asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tocsin.store import Home

__all__ = ["Journaled", "journaled", "question_at"]

_DECODER: Final = msgspec.json.Decoder(Asked)


class Journaled(NamedTuple):
    """A question, and its place."""

    seq: int
    asked: Asked


def journaled(home: Home, since: datetime | None = None) -> Iterator[Journaled]:
    """Iterate over the questions in the journal, from `since` on; those of erased subjects are gone."""
    for entry in home.journal.read():
        if not isinstance(entry, Events):
            continue
        column = entry.batch.column("decision")
        if column.null_count == len(column):
            continue
        for row in pc.indices_nonzero(column.is_valid()).to_pylist():
            asked = _DECODER.decode(column[row].as_py())
            if since is None or asked.question.time >= since:
                yield Journaled(entry.first_seq + row, asked)


def question_at(home: Home, seq: int) -> Asked:
    """Find the question at a place of the journal; raises NotFound when none stands there."""
    hint = "ids of decisions are in the answers given, and in the server's log"
    try:
        table = home.journal.take(np.array([seq], np.int64))
    except NotFound as error:
        raise NotFound("no such decision", hint=hint) from error
    text = table.column("decision")[0].as_py()
    if text is None:
        raise NotFound("no such decision", hint=hint)
    return _DECODER.decode(text)
