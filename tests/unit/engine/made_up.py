"""Made-up events, and what an engine kept of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from tocsin import Event, Origin

START = datetime(2026, 1, 5, tzinfo=UTC)


def made_up(count, seed=3):
    """Events of a few people with habits; some far off, a few late."""
    chance = random.Random(seed)  # noqa: S311 - made-up events, no secret
    events = []
    for i in range(count):
        who, odd = chance.randrange(8), chance.random() < 0.02
        events.append(
            Event(
                time=START + timedelta(minutes=7 * i - (300 if chance.random() < 0.01 else 0)),
                kind=chance.choice(["api", "authentication"]),
                subject=f"user:{who}",
                action=f"act{chance.randrange(3)}",
                resource=f"table/{chance.randrange(10_000) if odd else who}",
                origin=Origin(address=f"10.{chance.randrange(250) if odd else 1}.0.{who}", agent="curl/8.0"),
                outcome="success",
                bytes_out=chance.randrange(1_000) * (10_000 if odd else 1),
                privileged=True if who == 0 else None,
                sensitive=True if odd else None,
            )
        )
    return events


def kept(engine):
    return [column.tolist() for column in engine.home.scores.read(0, engine.seq)[1:]]


def records(engine):
    stored = engine.home.records
    return stored.alerts(), stored.findings(), stored.restrictions()
