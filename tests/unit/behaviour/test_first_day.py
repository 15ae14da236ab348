"""A brand new system on ordinary logs keeps quiet; somebody who tries sixty passwords does not pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tocsin.config import Settings
from tocsin.engine import Engine
from tocsin.event import Event, Origin, to_batch

MIDNIGHT = datetime(2023, 11, 14, tzinfo=UTC)
ATTACKER, START = "203.0.113.66", 14.0


def attempt(hour, address, user, outcome):
    """What sshd says of one attempt."""
    return Event(
        time=MIDNIGHT + timedelta(hours=float(hour)),
        kind="authentication",
        subject=f"ip:{address}",
        action="login",
        counterparty=f"user:{user}",
        outcome=outcome,
        origin=Origin(address=address, device="web-1"),
    )


def an_ordinary_day(seed, users=20):
    """Each of twenty people logs in now and then from their own address, and mistypes now and then."""
    rng = np.random.default_rng(seed)
    for user in range(users):
        begins = rng.uniform(7, 10)
        for hour in begins + np.sort(rng.uniform(0, 8, rng.integers(2, 9))):
            if rng.random() < 0.1:
                yield attempt(hour, f"192.0.2.{user + 10}", f"u{user}", "failure")
                hour += 0.003  # noqa: PLW2901 - once more, ten seconds later
            yield attempt(hour, f"192.0.2.{user + 10}", f"u{user}", "success")


def sixty_passwords(names):
    for i in range(60):
        yield attempt(START + i * 2 / 3_600, ATTACKER, names[i % len(names)], "failure")


def observed(tmp_path, events):
    events = sorted(events, key=lambda event: event.time)
    with Engine.open(tmp_path / "home", Settings(), clock=lambda: MIDNIGHT) as engine:
        return events, engine.observe(to_batch(events))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_ordinary_first_day_rings_at_most_once(tmp_path, seed):
    events, scored = observed(tmp_path, an_ordinary_day(seed))
    assert len(events) > 80
    assert scored.alert.sum() <= 1
    assert (scored.tail_bits > 9.0).mean() < 0.02


@pytest.mark.parametrize("names", [["root"], ["root", "admin", "test", "oracle", "git"]])
@pytest.mark.parametrize("seed", [1, 2])
def test_sixty_passwords_in_two_minutes_ring_on_the_first_day(tmp_path, seed, names):
    events, scored = observed(tmp_path, [*an_ordinary_day(seed), *sixty_passwords(names)])
    theirs = np.array([event.subject == f"ip:{ATTACKER}" for event in events])
    assert scored.alert[theirs].any(), "the attacker rings"
    assert np.nanmax(scored.tail_bits[theirs]) > np.nanmax(scored.tail_bits[~theirs])
