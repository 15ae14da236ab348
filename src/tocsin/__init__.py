"""Tocsin: learns what is normal for every entity, rings when it is not, and restricts by itself.

The public API. A home is a folder; an engine observes events and remembers::

    from tocsin import Engine, ReplayRequest, load

    with Engine.open("home", load(None, {}, {}).settings) as engine:
        report = engine.replay(ReplayRequest(paths=["logs"]))
        score = engine.observe_one(event)

Names are brought in when they are first asked for, so that `import tocsin` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tocsin.config import Entities, EntityFacts, Loaded, Sensitive, Settings, load, load_entities
    from tocsin.engine import Engine, ReplayReport, ReplayRequest, Scored
    from tocsin.errors import (
        ConfigError,
        DiskFull,
        HomeLocked,
        JournalDamaged,
        MappingError,
        NotFound,
        RecordError,
        Refused,
        SourceError,
        StoreError,
        TocsinError,
        UnknownFormat,
        UsageError,
    )
    from tocsin.event import EVENT_SCHEMA, KINDS, OUTCOMES, Entity, Event, Origin, to_batch, to_events
    from tocsin.record import Alert, Evidence, Finding, Reason, Restriction, Risk, Score, SetAside, Verdict
    from tocsin.sources import FileReport, parse_event

__version__ = "0.1.0"

__all__ = [
    "EVENT_SCHEMA",
    "KINDS",
    "OUTCOMES",
    "Alert",
    "ConfigError",
    "DiskFull",
    "Engine",
    "Entities",
    "Entity",
    "EntityFacts",
    "Event",
    "Evidence",
    "FileReport",
    "Finding",
    "HomeLocked",
    "JournalDamaged",
    "Loaded",
    "MappingError",
    "NotFound",
    "Origin",
    "Reason",
    "RecordError",
    "Refused",
    "ReplayReport",
    "ReplayRequest",
    "Restriction",
    "Risk",
    "Score",
    "Scored",
    "Sensitive",
    "SetAside",
    "Settings",
    "SourceError",
    "StoreError",
    "TocsinError",
    "UnknownFormat",
    "UsageError",
    "Verdict",
    "load",
    "load_entities",
    "parse_event",
    "to_batch",
    "to_events",
]

_ROOMS: Final = {
    "config": ("Entities", "EntityFacts", "Loaded", "Sensitive", "Settings", "load", "load_entities"),
    "engine": ("Engine", "ReplayReport", "ReplayRequest", "Scored"),
    "event": ("EVENT_SCHEMA", "KINDS", "OUTCOMES", "Entity", "Event", "Origin", "to_batch", "to_events"),
    "record": ("Alert", "Evidence", "Finding", "Reason", "Restriction", "Risk", "Score", "SetAside", "Verdict"),
    "sources": ("FileReport", "parse_event"),
}
_ROOM_OF: Final = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> object:
    """Bring in a public name from the room it lives in."""
    if name not in __all__:
        raise AttributeError(f"module `tocsin` has no attribute `{name}`")
    value = getattr(import_module(f"tocsin.{_ROOM_OF.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
