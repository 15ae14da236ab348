"""Forgetting a person: profile, open alerts, risk, restrictions, scores; then the key that opens their events.

The order makes a crash harmless. First a control stands in the journal and everything is forgotten in memory; then
that state becomes the only snapshot; only then is the key destroyed. Whoever finds an erasure cut off orders it again.
What many made together (how common a value is, calibration) holds no name and stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tocsin.behaviour.hashing import hash_text

if TYPE_CHECKING:
    from tocsin.engine.loop import Engine

__all__ = ["Erasure", "erase", "forget"]


class Erasure(msgspec.Struct, frozen=True):
    """The control: the keyed hash of a subject, since its name must not stay in the journal."""

    subject: int


def forget(engine: Engine, subject: int) -> None:
    """Drop from memory, and from idle profiles on disk, whatever is kept of a subject."""
    engine.model.forget(subject, lasting=not engine.reader)
    for name in engine.story.names():
        if hash_text(name, engine.key) == subject:
            engine.story.forget(name)


def erase(engine: Engine, entity: str, by: str) -> int:
    """Forget an entity for good; returns how many of its events can no longer be opened."""
    home, subject = engine.home, hash_text(entity, engine.key)
    seqs = home.journal.seqs_of(entity)
    engine.controls.write("erase", msgspec.json.encode(Erasure(subject)))
    engine.snapshot(alone=True)
    events = home.journal.erase(entity)
    home.scores.blank(seqs)
    home.records.audit(by, "erase-ordered", {"events": events})  # whom it named must not stay in the audit
    return events
