"""What must not be lost: the journal of events, the records, the scores and the snapshots of one home."""

from __future__ import annotations

from tocsin.store.answers import Answer, Answers
from tocsin.store.apikeys import ApiKey, ApiKeyTable, Follower
from tocsin.store.audit import AuditRow
from tocsin.store.files import FileRegistry
from tocsin.store.home import Home, open_api_keys
from tocsin.store.journal import Journal
from tocsin.store.position import TornTail
from tocsin.store.reading import Control, Events
from tocsin.store.records import Records
from tocsin.store.scores import REBUILD_SCORES, ScoreColumns, Scores
from tocsin.store.seal import ERASED
from tocsin.store.snapshots import Snapshot, Snapshots, SnapshotWarning

__all__ = [
    "ERASED",
    "REBUILD_SCORES",
    "Answer",
    "Answers",
    "ApiKey",
    "ApiKeyTable",
    "AuditRow",
    "Control",
    "Events",
    "FileRegistry",
    "Follower",
    "Home",
    "Journal",
    "Records",
    "ScoreColumns",
    "Scores",
    "Snapshot",
    "SnapshotWarning",
    "Snapshots",
    "TornTail",
    "open_api_keys",
]
