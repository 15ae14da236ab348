"""Every setting, its default, its bounds and its unit; the loader and `tocsin config show` read it from here."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = [
    "AlertSettings",
    "BehaviourSettings",
    "CallerRule",
    "CertificateRule",
    "DecideSettings",
    "EnrichSettings",
    "EntitiesSettings",
    "HomeSettings",
    "IdentitySettings",
    "IngestSettings",
    "IssuerSettings",
    "PolicySettings",
    "RespondSettings",
    "ServeSettings",
    "Settings",
]

Share = Annotated[float, Meta(gt=0, le=1)]
Bits = Annotated[float, Meta(gt=0, le=256)]
Hours = Annotated[float, Meta(gt=0, le=24 * 366)]
Days = Annotated[float, Meta(gt=0, le=3660)]
Name = Annotated[str, Meta(min_length=1, max_length=512)]
SigningAlgorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"
]  # fmt: skip
"""What an issuer may sign with: only public-key signatures, so that no verifying key can ever make a token."""


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


class CallerRule(_Section, frozen=True):
    """Which role a verified subject has when it calls the server itself."""

    subject: Annotated[str, Meta(pattern="^[^:]+:.+$")]
    role: Literal["pep", "ingest", "reader", "admin"]


class ServeSettings(_Section, frozen=True):
    """The server: where it listens, and what it takes from a stranger."""

    listen: Annotated[str, Meta(pattern=r"^\S+:\d{1,5}$")] = "127.0.0.1:8440"
    public_url: Annotated[str, Meta(pattern=r"^(https?://[^\s/?#]+(/[^\s?#]*[^\s/?#])?)?$", max_length=2048)] = ""
    """Where callers reach this server, for AuthZEN's metadata; empty goes by each request's `Host`."""
    tls_certificate: str = ""
    """PEM chain of this server; empty serves without TLS."""
    tls_key: str = ""
    client_ca: str = ""
    """PEM of those whose client certificates are believed; empty asks for none."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose `X-Forwarded-For` is believed."""
    callers: tuple[CallerRule, ...] = ()
    """Subjects of tokens and of client certificates that may call, and as what."""
    role_claim: str = ""
    """Claim of a verified token that names the role of a caller; empty takes API keys alone."""
    concurrency: Annotated[int, Meta(ge=1, le=100_000)] = 256
    """Requests under way at once."""
    connections: Annotated[int, Meta(ge=1, le=100_000)] = 1024
    """Connections open at once."""
    caller_per_s: Annotated[float, Meta(ge=0, le=1_000_000)] = 0.0
    """Requests a second that one caller may make; 0 is as many as it likes."""
    body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)] = 1 << 20
    """Bytes of a body, where the route sets no limit of its own."""
    header_bytes: Annotated[int, Meta(ge=1024, le=1 << 20)] = 32 << 10
    """Bytes of a request line and its headers together."""
    header_count: Annotated[int, Meta(ge=8, le=10_000)] = 100
    header_s: Annotated[float, Meta(gt=0, le=3600)] = 10.0
    """Seconds in which request line and headers must have arrived."""
    body_s: Annotated[float, Meta(gt=0, le=3600)] = 20.0
    """Seconds in which a body must have arrived."""
    evaluations: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """Questions that one AuthZEN request may hold."""
    search_page: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    """Results on one page of an AuthZEN search, at most."""
    search_scan: Annotated[int, Meta(ge=1, le=10_000_000)] = 10_000
    """Candidates decided for one page of a search; then the page ends, with a token to go on."""
    idle_s: Annotated[float, Meta(gt=0, le=3600)] = 75.0
    """Seconds for which a connection is kept between requests."""
    drain_s: Annotated[float, Meta(gt=0, le=3600)] = 20.0
    """Seconds that requests under way are given when the server is told to stop."""
    flush_ms: Annotated[int, Meta(ge=1, le=10_000)] = 100
    """Milliseconds after which what was observed is made durable."""
    metrics_open: bool = False
    """Whether `/metrics` answers without a key."""
    metric_labels: tuple[Literal["route", "status", "caller", "answer"], ...] = ("route", "status", "answer")
    """Labels of the metrics; each multiplies the number of series."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """`debug` has a line for every request."""


class PolicySettings(_Section, frozen=True):
    """The policies (Cedar) that every question is put to."""

    folder: str = ""
    """Holds `*.cedar`, `entities.json` and optionally `schema.cedarschema`; empty takes the default policies."""
    cache_entries: Annotated[int, Meta(ge=0, le=1 << 24)] = 65_536
    """Answers kept for questions that policies cannot tell apart; 0 keeps none."""
    reload_s: Annotated[float, Meta(ge=0, le=86_400)] = 2.0
    """Seconds between looks at whether the folder changed; 0 reads it again only when told to."""
    overlay_roles: tuple[str, ...] = ("pep", "admin")
    """Roles of callers whose properties stand over stored attributes; those that other callers send are not read."""


class IssuerSettings(_Section, frozen=True):
    """One issuer whose access tokens are believed, and how they are read."""

    issuer: Annotated[str, Meta(pattern=r"^https?://[^\s?#]+$", max_length=2048)]
    """As it stands in the tokens' `iss`, to the letter."""
    audience: Annotated[tuple[Name, ...], Meta(min_length=1)]
    """Names under which tokens are meant for this platform; a token must carry one of them."""
    algorithms: Annotated[tuple[SigningAlgorithm, ...], Meta(min_length=1)] = ("RS256", "PS256", "ES256", "Ed25519")
    token_type: Literal["at+jwt", "any"] = "at+jwt"  # noqa: S105 - a media type, no secret
    """`any` also takes tokens whose `typ` is `JWT` or missing, as many issuers make them."""
    discovery: str = ""
    """Where its metadata is; empty is `/.well-known/openid-configuration` under the issuer."""
    jwks_uri: str = ""
    """Where its keys are; empty asks the metadata."""
    introspection_url: str = ""
    """Where tokens that are not JWTs are asked after (RFC 7662); empty refuses them."""
    introspection_client: str = ""
    introspection_secret_file: str = ""
    """File with the secret that goes with that client id."""
    introspect: Literal["opaque", "always"] = "opaque"
    """`always` also asks after JWTs, so that a revoked one is refused before it expires."""
    opaque_prefix: str = ""
    """Opaque tokens that begin so are this issuer's; the longest prefix wins."""
    subject_claim: Name = "sub"
    subject_type: Annotated[str, Meta(pattern="^[^:]+$")] = "user"
    subject_prefix: str = ""
    """Put before the subject's and the session's name, so that two issuers cannot speak of the same one."""
    client_type: Annotated[str, Meta(pattern="^[^:]+$")] = "workload"
    """Type of the subject when a token speaks of the client itself (`sub` is `client_id`)."""
    session_claim: Name = "sid"
    claims: tuple[Name, ...] = ("roles", "groups")
    """Passed on to policies; one that begins with `/` is a JSON pointer."""
    strong_acr: tuple[Name, ...] = ()
    """Values of `acr` worth assurance 3, as a proven key is."""
    dpop: Literal["off", "allow", "require"] = "allow"


class CertificateRule(_Section, frozen=True):
    """Whom a client certificate speaks for, by a name in it."""

    name: Literal["uri", "dns", "email", "common_name"]
    pattern: Name
    """`*` stands for anything but `.`, `/` and `@`."""
    type: Annotated[str, Meta(pattern="^[^:]+$")] = "workload"
    """Type of the entity; its id is the name that matched."""


class IdentitySettings(_Section, frozen=True):
    """Whose credentials are believed, and what makes them good enough."""

    issuers: tuple[IssuerSettings, ...] = ()
    """Who makes the access tokens that are believed."""
    leeway_s: Annotated[int, Meta(ge=0, le=300)] = 30
    """By how much clocks may differ."""
    cached_tokens: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    """Verified tokens remembered until they expire."""
    jwks_refresh_s: Annotated[int, Meta(ge=10, le=86_400)] = 600
    """Age from which an issuer's keys are fetched again."""
    jwks_max_age_s: Annotated[int, Meta(ge=60, le=604_800)] = 14_400
    """Age up to which keys held are believed while their issuer cannot be reached."""
    jwks_cooldown_s: Annotated[int, Meta(ge=1, le=3600)] = 10
    """Least time between two fetches for keys that tokens name and nobody has."""
    introspection_cache_s: Annotated[int, Meta(ge=0, le=3600)] = 30
    """For how long an introspected token is believed without asking again."""
    fetch_timeout_s: Annotated[float, Meta(gt=0, le=60)] = 5.0
    """For one answer of an issuer, from the first byte sent to the last received."""
    ca_file: str = ""
    """PEM file of authorities believed when issuers are asked; empty takes the machine's."""
    dpop_window_s: Annotated[int, Meta(ge=5, le=3600)] = 60
    """Age up to which a DPoP proof counts."""
    dpop_nonce: bool = False
    """Ask every proof for a nonce of this server's making."""
    dpop_proofs: Annotated[int, Meta(ge=1000, le=100_000_000)] = 500_000
    """Proofs remembered against replay; when full, further ones are refused."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses (CIDR) of proxies whose certificate header counts, from an authenticated caller."""
    certificate_header: Annotated[str, Meta(pattern="^[A-Za-z0-9-]*$", max_length=64)] = ""
    """That header; empty believes none."""
    trust_domains: tuple[Annotated[str, Meta(pattern=r"^[a-z0-9._-]{1,255}$")], ...] = ()
    """SPIFFE trust domains whose ids are believed."""
    certificates: tuple[CertificateRule, ...] = ()
    """How other certificates name their subject; the first rule that matches holds."""


class DecideSettings(_Section, frozen=True):
    """How far an answer may be relied on, and what happens when there can be none."""

    seconds: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    """Seconds for which an answer may be relied on."""
    bytes: Annotated[int, Meta(ge=1)] = 64 << 20
    """Bytes that may be moved on one answer."""
    amount: Annotated[float, Meta(gt=0, le=1_000_000_000)] = 10_000.0
    """Money that may be moved on one answer."""
    read_actions: tuple[str, ...] = (
        "GET", "HEAD", "OPTIONS", "get*", "read*", "view*", "list*", "can_read*", "can_view*",
    )  # fmt: skip
    """Patterns of actions that only read; under a `limit` restriction nothing else is let through."""
    limit_per_min: Annotated[int, Meta(ge=1)] = 30
    """Requests a minute that a `limit` restriction leaves."""
    step_up_acr: str = ""
    """Authentication context classes (`acr_values`, with spaces between) asked for by a `step_up` restriction."""
    degrade: tuple[str, ...] = ()
    """Patterns `ACTION TYPE/ID` of questions let through, audited, when they cannot be decided; no others are."""


class IngestSettings(_Section, frozen=True):
    """`POST /events`: what one request may hold, and what is remembered of those before it."""

    body_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)] = 16 << 20
    """Bytes of one body as sent."""
    expanded_bytes: Annotated[int, Meta(ge=1024, le=1 << 30)] = 64 << 20
    """Bytes of one body once gzip or zstd is unpacked."""
    records: Annotated[int, Meta(ge=1, le=10_000_000)] = 100_000
    """Records of one request."""
    waiting_bytes: Annotated[int, Meta(ge=1024)] = 128 << 20
    """Bytes of events under way that are not yet durable; what comes beyond is turned away with 429."""
    recent_events: Annotated[int, Meta(ge=0, le=10_000_000)] = 100_000
    """Events with a `uid` that are remembered, so that they are not observed twice."""
    answers: Annotated[int, Meta(ge=0, le=1_000_000)] = 10_000
    """Requests with an `Idempotency-Key` whose answers are remembered."""
    answers_h: Hours = 24.0
    """Hours for which they are remembered."""


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
