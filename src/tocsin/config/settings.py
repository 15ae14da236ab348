"""Every setting, its default, its bounds and its unit; the loader and `tocsin config show` read it from here."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

__all__ = [
    "AlertSettings",
    "BehaviourSettings",
    "DecideSettings",
    "EnrichSettings",
    "EntitiesSettings",
    "HomeSettings",
    "IdentitySettings",
    "IngestSettings",
    "PolicySettings",
    "RespondSettings",
    "ServeSettings",
    "Settings",
]

Share = Annotated[float, Meta(gt=0, le=1)]
Bits = Annotated[float, Meta(gt=0, le=256)]
Hours = Annotated[float, Meta(gt=0, le=24 * 366)]
Days = Annotated[float, Meta(gt=0, le=3660)]


class _Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every section shares: frozen, keyword-only, no unknown key."""


class HomeSettings(_Section, frozen=True):
    """Where everything that must not be lost is kept."""

    path: Annotated[str, Meta(min_length=1)] = "tocsin-home"


class AlertSettings(_Section, frozen=True):
    """How much the team can look at."""

    per_day: Annotated[float, Meta(gt=0, le=1_000_000)] = 10.0
    """Alerts a day that the threshold is steered to deliver."""
    mute_h: Hours = 24.0
    """An entity that rang joins its open alert for so long."""
    story_h: Hours = 24.0
    """Findings further apart than this are different stories."""


class BehaviourSettings(_Section, frozen=True):
    """How profiles learn, forget and stay bounded."""

    half_life_d: Days = 30.0
    """A habit not repeated weighs half after so many days."""
    quarantine_bits: Bits = 14.0
    """An event at least this surprising for its entity teaches nothing until released."""
    release_days: Annotated[int, Meta(ge=2, le=366)] = 3
    """Distinct days on which a quarantined value must return before it is learned."""
    absolute_bits: Bits = 13.0
    """Tail bits from which privileged or sensitive events are restricted, whatever the budget."""
    late_s: Annotated[int, Meta(ge=0, le=366 * 86_400)] = 3600
    """An event older than the newest one by more than this is late: kept and counted, not scored."""
    max_entities: Annotated[int, Meta(ge=1, le=1 << 31)] = 1_000_000
    """Profiles held in memory; idle ones go to disk."""
    max_values: Annotated[int, Meta(ge=8, le=1 << 20)] = 2048
    """Distinct values one entity's profile may hold."""
    group_refresh_h: Annotated[int, Meta(ge=1, le=24 * 366)] = 24
    """Hours between refreshes of learned peer groups."""
    snapshot_events: Annotated[int, Meta(ge=1)] = 2_000_000
    """Events between snapshots of the profiles."""
    batch_rows: Annotated[int, Meta(ge=1, le=1 << 22)] = 65_536
    """Events scored at once; never changes a score."""


class RespondSettings(_Section, frozen=True):
    """What happens by itself, for how long, and what holds it back."""

    enforce: bool = False
    """False is shadow mode: restrictions are decided and recorded, not acted on."""
    blast_share: Share = 0.05
    """Share of the population that automation may restrict within the window."""
    blast_window_h: Hours = 24.0
    blast_floor: Annotated[int, Meta(ge=0)] = 3
    """Entities that may always be restricted, however small the population."""
    break_glass: tuple[Annotated[str, Meta(pattern="^[^:]+:.+$")], ...] = ()
    """Entities (`type:id`) that are never limited or suspended by automation."""
    watch_h: Hours = 24.0
    step_up_h: Hours = 12.0
    limit_h: Hours = 8.0
    suspend_h: Hours = 4.0


class EnrichSettings(_Section, frozen=True):
    """Address databases (MMDB); empty leaves prefixes standing in."""

    asn_mmdb: str = ""
    country_mmdb: str = ""


class EntitiesSettings(_Section, frozen=True):
    """The operator's file of roles, departments, aliases and sensitive things; empty is none."""

    file: str = ""


class ServeSettings(_Section, frozen=True):
    """The server: where it listens, and what it takes from a stranger."""

    listen: Annotated[str, Meta(pattern=r"^\S+:\d{1,5}$")] = "127.0.0.1:8440"


class PolicySettings(_Section, frozen=True):
    """The policies (Cedar) that every question is put to."""

    folder: str = ""
    """Holds `*.cedar`, `entities.json` and optionally `schema.cedarschema`; empty takes the default policies."""


class IdentitySettings(_Section, frozen=True):
    """Whose credentials are believed, and what makes them good enough."""


class DecideSettings(_Section, frozen=True):
    """How far an answer may be relied on, and what happens when there can be none."""

    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    """Seconds for which an answer may be relied on."""
    bytes: Annotated[int, Meta(ge=1)] = 64 << 20
    """Bytes that may be moved on one answer."""
    amount: Annotated[float, Meta(gt=0)] = 10_000.0
    """Money that may be moved on one answer."""
    read_actions: tuple[str, ...] = (
        "GET", "HEAD", "OPTIONS", "get*", "read*", "view*", "list*", "can_read*", "can_view*",
    )  # fmt: skip
    """Patterns of actions that only read; under a `limit` restriction nothing else is let through."""
    limit_per_min: Annotated[int, Meta(ge=1)] = 30
    """Requests a minute that a `limit` restriction leaves."""
    degrade: tuple[str, ...] = ()
    """Patterns `ACTION TYPE/ID` of questions let through, audited, when they cannot be decided; no others are."""


class IngestSettings(_Section, frozen=True):
    """`POST /events`."""


class Settings(_Section, frozen=True):
    """All settings, section by section."""

    home: HomeSettings = HomeSettings()
    alerts: AlertSettings = AlertSettings()
    behaviour: BehaviourSettings = BehaviourSettings()
    respond: RespondSettings = RespondSettings()
    enrich: EnrichSettings = EnrichSettings()
    entities: EntitiesSettings = EntitiesSettings()
    serve: ServeSettings = ServeSettings()
    policy: PolicySettings = PolicySettings()
    identity: IdentitySettings = IdentitySettings()
    decide: DecideSettings = DecideSettings()
    ingest: IngestSettings = IngestSettings()
