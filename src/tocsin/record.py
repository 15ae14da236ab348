"""The nouns that rooms hand to one another. Frozen, slotted, and free of behaviour.

Times are aware UTC datetimes; bits are base-2 logarithms of probabilities.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 - msgspec reads the annotations at run time
from typing import Final, Literal, get_args

import msgspec

__all__ = [
    "LADDER",
    "RISK_BANDS",
    "ROLES",
    "SEVERITIES",
    "Alert",
    "Band",
    "Evidence",
    "Finding",
    "Reason",
    "Restriction",
    "Risk",
    "Role",
    "Rung",
    "Score",
    "SetAside",
    "Severity",
    "Verdict",
    "record_id",
    "record_seq",
]

Band = Literal["low", "elevated", "high", "critical"]
RISK_BANDS: Final[tuple[str, ...]] = get_args(Band)
Rung = Literal["watch", "step_up", "limit", "suspend"]
LADDER: Final[tuple[str, ...]] = get_args(Rung)
Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: Final[tuple[str, ...]] = get_args(Severity)
Role = Literal["pep", "ingest", "reader", "admin", "subject"]
"""What the holder of a key may do: ask, report, read, administer, or act for a subject."""
ROLES: Final[tuple[str, ...]] = get_args(Role)

_ID_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ID_WIDTH: Final = 6
_PAIRS: Final = tuple(a + b for a in _ID_DIGITS for b in _ID_DIGITS)
_ID_MOST: Final = 13


def record_id(kind: Literal["A", "D", "F", "R"], seq: int) -> str:
    """Name an alert, a decision, a finding or a restriction after the journal record that caused it.

    The digits are Crockford's base 32, which has no letters that read as digits.

    >>> record_id("A", 41_337)
    'A-0018BS'
    """
    digits = _PAIRS[seq >> 20 & 1023] + _PAIRS[seq >> 10 & 1023] + _PAIRS[seq & 1023]
    seq >>= 5 * _ID_WIDTH
    while seq:
        seq, digit = divmod(seq, len(_ID_DIGITS))
        digits = _ID_DIGITS[digit] + digits
    return f"{kind}-{digits}"


def record_seq(name: str) -> int:
    """Give the place in the journal that an id names; raises ValueError for what is no id.

    >>> record_seq("D-0018BS")
    41337
    """
    kind, dash, digits = name.upper().partition("-")
    if not (len(kind) == 1 and dash and _ID_WIDTH <= len(digits) <= _ID_MOST):
        raise ValueError(f"not an id: `{name[:40]}`")
    seq = 0
    for digit in digits:
        seq = seq * len(_ID_DIGITS) + _ID_DIGITS.index(digit)
    return seq


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every record shares: frozen, keyword-only, compared by value."""


class SetAside(_Record, frozen=True):
    """An input record that could not be used: where it stood, why, and what may help."""

    source_file: str
    source_line: int
    """0 when the whole file is meant."""
    reason: str
    hint: str = ""
    excerpt: str = ""
    """First bytes of the record, made printable; secrets redacted."""


class Reason(_Record, frozen=True):
    """One feature's share in a surprise, in bits and in words."""

    feature: str
    """Name of the feature: `address`, `hour`, `bytes_out`, `rate`…"""
    bits: float
    """How improbable this feature's value was, calibrated."""
    share: float
    """Part of the whole surprise, 0 to 1; the shares of an event add to 1."""
    text: str
    """What a colleague would say: `first time from network AS64500`."""


class Score(_Record, frozen=True):
    """What the model says of one event."""

    seq: int
    surprise_bits: float
    """Sum over features of calibrated bits to the power 1.5, learned weights applied."""
    tail_bits: float
    """`-log2` of how often an event of this kind is at least as surprising; beyond what was seen, extrapolated."""
    accumulated_bits: float
    """Leaky sum of `tail_bits` over this entity's last hours."""
    alert: bool
    reasons: tuple[Reason, ...] = ()


class Finding(_Record, frozen=True):
    """An event whose surprise was worth telling."""

    id: str
    seq: int
    """Place of the event in the journal."""
    time: datetime
    entity: str
    kind: str
    action: str
    resource: str | None
    address: str | None
    surprise_bits: float
    tail_bits: float
    accumulated_bits: float
    reasons: tuple[Reason, ...]
    source_file: str | None
    source_line: int | None
    alert_id: str


class Evidence(_Record, frozen=True):
    """Why an entity's standing should change; comes from behaviour, network, pool or a person."""

    entity: str
    cause: str
    bits: float
    source: Literal["behaviour", "network", "pool", "person"]
    time: datetime
    expires: datetime


class Risk(_Record, frozen=True):
    """An entity's standing now, with its causes and the time it lapses."""

    entity: str
    band: Band
    bits: float
    causes: tuple[Evidence, ...]
    lapses: datetime | None


class Alert(_Record, frozen=True):
    """What a person sees: the findings of one story."""

    id: str
    severity: Severity
    title: str
    entities: tuple[str, ...]
    """The subject of the first finding stands first; addresses and resources that bind the story follow."""
    first_time: datetime
    last_time: datetime
    findings: int
    tail_bits: float
    """Of the most surprising finding."""
    reasons: tuple[Reason, ...]
    """Of the most surprising finding."""
    absolute: bool
    """Rung by the absolute rule, outside the budget."""
    verdict: Literal["open", "true", "false"] = "open"


class Restriction(_Record, frozen=True):
    """What an entity may not do, until when, why, and whether it is enforced or only recorded."""

    id: str
    entity: str
    rung: Rung
    cause: str
    alert_id: str | None
    time: datetime
    expires: datetime
    enforced: bool
    """False in shadow mode: decided and recorded, not acted on."""
    state: Literal["active", "held", "lifted", "expired"] = "active"
    """`held` waits for a person because a guard would not let automation act."""
    note: str = ""


class Verdict(_Record, frozen=True):
    """What became known of an event, and when: an analyst's word, or a chargeback days later."""

    seq: int
    bad: bool
    known_at: datetime
    by: str = ""
