"""What an operator may set: one TOML file, `TOCSIN_*` variables and flags, read into frozen settings."""

from __future__ import annotations

from tocsin.config.entities import Entities, EntityFacts, Sensitive, load_entities
from tocsin.config.loading import Loaded, find_file, load
from tocsin.config.settings import (
    AlertSettings,
    BehaviourSettings,
    EnrichSettings,
    EntitiesSettings,
    HomeSettings,
    RespondSettings,
    Settings,
)

__all__ = [
    "AlertSettings",
    "BehaviourSettings",
    "EnrichSettings",
    "Entities",
    "EntitiesSettings",
    "EntityFacts",
    "HomeSettings",
    "Loaded",
    "RespondSettings",
    "Sensitive",
    "Settings",
    "find_file",
    "load",
    "load_entities",
]
