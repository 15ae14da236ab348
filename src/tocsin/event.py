"""One thing that happened, as a struct for programs and as an Arrow schema for batches.

Field names follow OCSF 1.x where it has one, flattened: `origin.address` is OCSF's
`src_endpoint.ip`, `origin.agent` is `http_request.user_agent`, `uid` is `metadata.uid`.
"""

from __future__ import annotations

from datetime import datetime
from operator import attrgetter
from typing import Final, Literal, get_args

import msgspec
import pyarrow as pa

__all__ = [
    "EVENT_SCHEMA",
    "KINDS",
    "OUTCOMES",
    "OWN_FIELDS",
    "Entity",
    "Event",
    "Kind",
    "Origin",
    "Outcome",
    "to_batch",
    "to_events",
]

Kind = Literal["authentication", "api", "transfer", "payment", "signup", "change"]
Outcome = Literal["success", "failure", "unknown"]
KINDS: Final[tuple[str, ...]] = get_args(Kind)
OUTCOMES: Final[tuple[str, ...]] = get_args(Outcome)
OWN_FIELDS: Final = frozenset({"decision", "source_file", "source_line"})
"""Fields of an event that Tocsin fills itself; what an input says of them is not believed."""


class Entity(msgspec.Struct, frozen=True, order=True):
    """A typed id, written `type:id`: `user:ada`, `key:AKIA…`, `ip:203.0.113.9`.

    The type is everything before the first colon, so ids may hold colons themselves.

    >>> str(Entity.parse("ip:2001:db8::1"))
    'ip:2001:db8::1'
    """

    type: str
    id: str

    @classmethod
    def parse(cls, text: str) -> Entity:
        """Read `type:id`; raises `ValueError` when either half is missing."""
        kind, colon, name = text.partition(":")
        if not (kind and colon and name):
            raise ValueError(f"not an entity: `{text[:80]}` (an entity is written `type:id`)")
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where an event came from. Enrichment fills what the log does not say."""

    address: str | None = None
    """IPv4 or IPv6 text as `ipaddress` prints it."""
    network: str | None = None
    """Autonomous system (`AS64500`) when known, else the /16 or /48 prefix; `private`, `loopback`…"""
    country: str | None = None
    """ISO 3166-1 alpha-2."""
    device: str | None = None
    """Device, host or terminal the subject acted from, as the log names it."""
    agent: str | None = None
    """Agent string as sent."""
    agent_family: str | None = None
    """What the agent string is a version of: `Firefox`, `aws-cli`, `Terraform`."""
    device_class: str | None = None
    """`desktop`, `phone`, `tablet`, `bot`, `tool`."""


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that happened: when, who, did what, to what, from where, how much, with whom, how it ended."""

    time: datetime
    """When it happened, with a zone; kept in microseconds UTC."""
    kind: Kind
    subject: str
    """Entity that acted, `type:id`."""
    action: str
    """The verb as the log names it: `UserLoggedIn`, `GetObject`, `GET`."""
    resource: str | None = None
    """What it was done to: a path, bucket, mailbox, table."""
    counterparty: str | None = None
    """Entity at the other end: payee, terminal, merchant, destination host."""
    origin: Origin = Origin()
    outcome: Outcome = "unknown"
    bytes_in: int | None = None
    bytes_out: int | None = None
    """Bytes that left towards the subject: a download, an export."""
    count: int | None = None
    """Rows, objects or messages touched."""
    amount: float | None = None
    """Money in units of `currency`."""
    currency: str | None = None
    """ISO 4217."""
    session: str | None = None
    privileged: bool | None = None
    """The log or the operator says that this subject holds administrative rights."""
    sensitive: bool | None = None
    """The log or the operator says that this action or resource is sensitive."""
    uid: str | None = None
    """Id the log gave the record; a record met twice under one uid is a duplicate."""
    decision: str | None = None
    """What was asked of Tocsin and answered, as JSON, where the event is such a question; no log may say it."""
    source_file: str | None = None
    source_line: int | None = None
    """Counted from 1; header lines not counted; the record's place where a file is one document."""


_ARROW_TYPES: Final = {
    datetime: pa.timestamp("us", tz="UTC"),
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
}


def _arrow_type(kind: msgspec.inspect.Type) -> tuple[pa.DataType, bool]:
    nullable = isinstance(kind, msgspec.inspect.UnionType)
    if isinstance(kind, msgspec.inspect.UnionType):
        (kind,) = (t for t in kind.types if not isinstance(t, msgspec.inspect.NoneType))
    plain = {
        msgspec.inspect.DateTimeType: datetime,
        msgspec.inspect.StrType: str,
        msgspec.inspect.LiteralType: str,
        msgspec.inspect.IntType: int,
        msgspec.inspect.FloatType: float,
        msgspec.inspect.BoolType: bool,
    }[type(kind)]
    return _ARROW_TYPES[plain], nullable


def _fields(struct: type[msgspec.Struct], prefix: str = "") -> list[pa.Field]:
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101 - narrows a type for mypy; cannot be false
    fields: list[pa.Field] = []
    for field in info.fields:
        if isinstance(field.type, msgspec.inspect.StructType):
            fields += _fields(field.type.cls, f"{prefix}{field.name}.")
        else:
            arrow, nullable = _arrow_type(field.type)
            fields.append(pa.field(prefix + field.name, arrow, nullable=nullable))
    return fields


EVENT_SCHEMA: Final[pa.Schema] = pa.schema(_fields(Event))
"""The same record as columns, nested names joined by a dot; derived from `Event`, so never apart from it."""


_COLUMNS: Final = tuple((attrgetter(field.name), field.type) for field in EVENT_SCHEMA)


def to_batch(events: list[Event]) -> pa.RecordBatch:
    """Turn events into one batch in `EVENT_SCHEMA`, in the order given."""
    columns = [pa.array(list(map(value, events)), kind) for value, kind in _COLUMNS]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)


def to_events(batch: pa.RecordBatch) -> list[Event]:
    """Turn a batch back into structs; for people and edges, never for the hot path."""
    events = []
    for row in batch.to_pylist():
        origin = {k.partition(".")[2]: row.pop(k) for k in list(row) if k.startswith("origin.")}
        events.append(Event(**row, origin=Origin(**origin)))
    return events
