"""Where events come from: one file per log format, one way out, in one order.

>>> from tocsin.sources import parse_event
>>> event = parse_event('{"time":"2026-03-01T09:00:00Z","kind":"api","subject":"user:ada","action":"GetObject"}')
>>> event.subject, event.action
('user:ada', 'GetObject')
"""

from __future__ import annotations

from tocsin.sources.detection import FORMATS
from tocsin.sources.enrichment import Enrichment
from tocsin.sources.gathering import ALREADY_JOURNALED, Gathering, Journaled, gather
from tocsin.sources.intake import FileReport, Progress
from tocsin.sources.jsonlines import parse_event
from tocsin.sources.mapping import Mapping, load_mapping

__all__ = [
    "ALREADY_JOURNALED",
    "FORMATS",
    "Enrichment",
    "FileReport",
    "Gathering",
    "Journaled",
    "Mapping",
    "Progress",
    "gather",
    "load_mapping",
    "parse_event",
]
