"""What an operator may set: one TOML file, `TOCSIN_*` variables and flags, read into frozen settings."""

from __future__ import annotations

from tocsin.config.entities import Entities, EntityFacts, Sensitive, load_entities
from tocsin.config.loading import Loaded, find_file, load
from tocsin.config.settings import (
    AlertSettings,
    BehaviourSettings,
    DecideSettings,
    EnrichSettings,
    EntitiesSettings,
    HomeSettings,
    IdentitySettings,
    IngestSettings,
    PolicySettings,
    RespondSettings,
    ServeSettings,
    Settings,
)

__all__ = [
    "AlertSettings",
    "BehaviourSettings",
    "DecideSettings",
    "EnrichSettings",
    "Entities",
    "EntitiesSettings",
    "EntityFacts",
    "HomeSettings",
    "IdentitySettings",
    "IngestSettings",
    "Loaded",
    "PolicySettings",
    "RespondSettings",
    "Sensitive",
    "ServeSettings",
    "Settings",
    "find_file",
    "load",
    "load_entities",
]
