"""Who in a built town could be the administrator of the story told over HTTP, and what is usual for them."""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.drill.truth import STORIES_FILE, Story
from tocsin.drill.writing import EVENTS_FOLDER
from tocsin.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Administrator", "find_administrator"]

_DAY_HOURS: Final = range(7, 19)
_LEAST_EVENTS: Final = 200


class Administrator(msgspec.Struct, frozen=True, kw_only=True):
    """A person with administrative rights whom no story of the town touched."""

    subject: str
    """`user:…`"""
    address: str
    device: str | None
    agent: str | None
    action: str
    """What they do most."""
    resource: str
    last: datetime
    """Their last event in the town."""
    events: int


def find_administrator(town: Path) -> Administrator:
    """Find the administrator who keeps most to the day; raises SourceError when the town has none."""
    stories = msgspec.json.decode((town / STORIES_FILE).read_bytes(), type=list[Story])
    touched = {story.main_subject for story in stories}
    events: dict[str, list[dict[str, Any]]] = defaultdict(list)
    privileged = set()
    for event in _events(town):
        subject = event["subject"]
        events[subject].append(event)
        if event.get("privileged"):
            privileged.add(subject)
    known = {
        subject: events[subject]
        for subject in sorted(privileged - touched)
        if subject.startswith("user:") and len(events[subject]) >= _LEAST_EVENTS
    }
    if not known:
        raise SourceError("the town has no administrator of whom enough is known", hint="build a larger or longer one")
    subject = max(known, key=lambda name: sum(map(_by_day, known[name])) / len(known[name]))
    return _described(subject, known[subject])


def _described(subject: str, events: list[dict[str, Any]]) -> Administrator:
    address, _ = Counter(event["origin"]["address"] for event in events).most_common(1)[0]
    (action, resource), _ = Counter((event["action"], event["resource"]) for event in events).most_common(1)[0]
    origin = next(event["origin"] for event in reversed(events) if event["origin"]["address"] == address)
    return Administrator(
        subject=subject,
        address=address,
        device=origin.get("device"),
        agent=origin.get("agent"),
        action=action,
        resource=resource,
        last=_time(events[-1]),
        events=len(events),
    )


def _events(town: Path) -> Iterator[dict[str, Any]]:
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for path in sorted((town / EVENTS_FOLDER).iterdir()):
        with gzip.open(path, "rb") as lines:
            yield from map(decode, lines)


def _time(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"])


def _by_day(event: dict[str, Any]) -> bool:
    return _time(event).hour in _DAY_HOURS
