"""Office 365 unified audit: the CSV export with JSON in `AuditData`, and the JSON of the management API.

`subject` is `user:` and the sign-in name in lower case (the log spells one name in several ways), or
`workload:` where `UserType` says that a service, an application or Microsoft's own system acted, or the
address where the record names no account that exists.
`resource` is what the record is about, made general enough to recur: a mailbox, a site and its folder, the
application signed in to, an object of the directory with ids left out. Times are UTC (Microsoft's schema).

Facts taken as given: `UserType` 2 (administrator) is privileged when a person; `_SENSITIVE` lists what is
sensitive: rights, rules and forwarding of mailboxes, application consents and credentials, the audit log,
passwords, sharing with anyone.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.addresses import canonical
from tocsin.errors import RecordError
from tocsin.sources.documents import in_tables, json_records
from tocsin.sources.lines import record_blocks
from tocsin.sources.source import Head, Source
from tocsin.sources.tables import csv_header, read_csv

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tocsin.sources.documents import Record
    from tocsin.sources.intake import Intake
    from tocsin.sources.opening import Stream

__all__ = ["SOURCE"]

_NAMES: Final = (
    "time", "kind", "subject", "action", "resource", "counterparty", "origin.address", "origin.device", "origin.agent",
    "outcome", "count", "session", "privileged", "sensitive", "uid",
)  # fmt: skip
_PEOPLE: Final = frozenset({0, 2, 5, 6, 7})
"""UserType: regular, administrator, application on someone's behalf, service principal and custom policy names."""
_ADMINISTRATOR: Final = 2
_EXCHANGE_ADMIN, _DIRECTORY = 1, 8
_SENSITIVE: Final = re.compile(
    r"""(?ix) ^ (?:
        (?: New | Set | Enable | Remove ) - (?: InboxRule | TransportRule | JournalRule ) | UpdateInboxRules
      | Add-MailboxPermission | Add-RecipientPermission | (?: Add- )? MailboxFolderPermission
      | AddFolderPermissions | ModifyFolderPermissions
      | Set-AdminAuditLogConfig | Set-MailboxAuditBypassAssociation | .*AuditLogRetentionPolicy | Set-OrganizationConfig
      | New-ManagementRoleAssignment | Add-RoleGroupMember | New-MailboxExportRequest | New-ComplianceSearch(?:Action)?
      | Add\ (?: delegated\ permission\ grant | app\ role\ assignment.* | owner\ to\ .* )\.?
      | Add\ (?:eligible\ )?member\ to\ role\.?
      | Consent\ to\ application\.? | Add\ service\ principal(?:\ credentials)?\.?
      | .*Certificates\ and\ secrets\ management.*
      | (?:Reset|Change)\ user\ password\.? | Disable\ Strong\ Authentication\.? | Set\ (?:domain|federation).*
      | Set\ Company\ Information\.? | (?:Add|Update|Delete|Disable)\ policy\.?
      | AnonymousLink(?:Created|Updated|Used) | SharingPolicyChanged | SiteCollectionAdminAdded | CompanyLinkCreated
      | HardDelete | FileVersionsAllDeleted | MailItemsAccessed | SearchExported
    ) $"""
)
_OWN_MAIL: Final = frozenset({"MailItemsAccessed", "HardDelete"})
"""Sensitive in another person's mailbox only."""
_GUID: Final = re.compile(r"\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?", re.IGNORECASE)
_LONG_ID: Final = re.compile(r"[0-9a-f]{16,}", re.IGNORECASE)
_FORWARDS: Final = frozenset(
    {"ForwardTo", "RedirectTo", "ForwardAsAttachmentTo", "BlindCopyTo", "ForwardingSmtpAddress"}
)
_NOBODY: Final = frozenset({"", "not-found", "not available", "unknown"})
_MAX_RESOURCE: Final = 200


class _Pair(msgspec.Struct):
    name: str = msgspec.field(default="", name="Name")
    value: Any = msgspec.field(default=None, name="Value")


class _Record(msgspec.Struct, rename="pascal"):
    creation_time: datetime
    operation: str
    workload: str = ""
    record_type: int = 0
    id: str | None = None
    user_id: str | None = None
    user_key: str | None = None
    user_type: int = 0
    object_id: str | None = None
    result_status: str | None = None
    client_ip: str | None = msgspec.field(default=None, name="ClientIP")
    client_ip_address: str | None = msgspec.field(default=None, name="ClientIPAddress")
    actor_ip_address: str | None = None
    user_agent: str | None = None
    client_info_string: str | None = None
    application_id: str | None = None
    mailbox_owner_upn: str | None = msgspec.field(default=None, name="MailboxOwnerUPN")
    item_type: str | None = None
    operation_count: int | None = None
    extended_properties: list[_Pair] | None = None
    device_properties: list[_Pair] | None = None
    parameters: list[_Pair] | str | None = None
    """A list of pairs from Exchange, one string from the compliance centre."""


_DECODER: Final = msgspec.json.Decoder(_Record, strict=False)


def _parse(raw: bytes | str | msgspec.Raw) -> tuple[Any, ...]:
    if not raw:
        raise RecordError("`AuditData` is empty", hint="the export cut this record off; export it again")
    record = _DECODER.decode(raw)
    subject = _subject(record)
    device = _pairs(record.device_properties)
    counterparty = _counterparty(record, subject)
    return (
        record.creation_time if record.creation_time.tzinfo else record.creation_time.replace(tzinfo=UTC),
        _kind(record),
        subject,
        record.operation.strip(),
        _resource(record),
        counterparty,
        _address(record),
        device.get("DisplayName") or device.get("Id") or device.get("OS"),
        _agent(record),
        _outcome(record),
        record.operation_count,
        device.get("SessionId"),
        True if record.user_type == _ADMINISTRATOR and subject.startswith("user:") else None,
        True if _is_sensitive(record, counterparty) else None,
        record.id,
    )


def _subject(record: _Record) -> str:
    name = (record.user_id or record.user_key or "").strip()
    if name.lower() in _NOBODY and (address := _address(record)) is not None:
        return f"ip:{address}"
    if not name:
        raise RecordError("neither `UserId` nor `UserKey` names anybody")
    local, at, _ = name.partition("@")
    if record.user_type in _PEOPLE and ((at and local.lower() != "app") or _GUID.fullmatch(name)):
        return f"user:{name.lower()}"
    return f"workload:{name.lower()}"


def _kind(record: _Record) -> str:
    if record.operation in {"UserLoggedIn", "UserLoginFailed", "MailboxLogin"}:
        return "authentication"
    administers = record.record_type in {_EXCHANGE_ADMIN, _DIRECTORY}
    return "change" if administers and not record.operation.startswith("Get-") else "api"


def _address(record: _Record) -> str | None:
    for said in (record.client_ip, record.client_ip_address, record.actor_ip_address):
        if said and (address := canonical(said)):
            return str(address)
    return None


def _agent(record: _Record) -> str | None:
    agent = record.user_agent or _pairs(record.extended_properties).get("UserAgent") or record.client_info_string
    if agent and agent.startswith("Client=OWA;Mozilla/"):
        agent = agent.removeprefix("Client=OWA;")
    return agent or None


def _outcome(record: _Record) -> str:
    failed = record.operation.endswith("Failed") or (record.result_status or "").lower() in {
        "failed",
        "failure",
        "false",
    }
    return "failure" if failed else "success"


def _resource(record: _Record) -> str:
    workload = record.workload.lower() or "office365"
    if _kind(record) == "authentication":
        return f"application/{(record.application_id or 'unknown').lower()}"
    if record.mailbox_owner_upn:
        return f"mailbox/{record.mailbox_owner_upn.lower()}"
    named = (record.object_id or "").strip()
    if named.startswith(("https://", "http://")) and ";" not in named:
        site = named.partition("://")[2].partition("?")[0]
        folder = site.rpartition("/")[0] if record.item_type == "File" else site
        return f"{workload}/{_general(folder)}"
    tail = (
        named.replace("\\", "/").rpartition("/")[2] if "/Microsoft Exchange Hosted Organizations/" in named else named
    )
    tail = tail.partition(";")[0]
    return f"{workload}/{_general(tail)}" if tail else workload


def _general(name: str) -> str:
    """Leave ids out, so that the same kind of thing has the same name."""
    return _LONG_ID.sub("{id}", _GUID.sub("{id}", name)).lower()[:_MAX_RESOURCE]


def _counterparty(record: _Record, subject: str) -> str | None:
    for pair in _listed(record.parameters):
        if pair.name in _FORWARDS and isinstance(pair.value, str) and pair.value:
            return f"mailbox:{pair.value.lower().removeprefix('smtp:')[:_MAX_RESOURCE]}"
    owner = (record.mailbox_owner_upn or "").lower()
    return f"mailbox:{owner}" if owner and subject != f"user:{owner}" else None


def _is_sensitive(record: _Record, counterparty: str | None) -> bool:
    if record.operation in _OWN_MAIL:
        return counterparty is not None
    if record.operation == "Set-Mailbox":
        return any(p.name in _FORWARDS for p in _listed(record.parameters))
    return _SENSITIVE.match(record.operation.strip()) is not None


def _listed(parameters: list[_Pair] | str | None) -> list[_Pair]:
    return parameters if isinstance(parameters, list) else []


def _pairs(pairs: list[_Pair] | None) -> dict[str, str]:
    return {p.name: p.value for p in pairs or () if isinstance(p.value, str) and p.value}


def _recognise(head: Head) -> bool:
    if head.text[:1] in (b"{", b"["):
        return all(key in head.text for key in (b'"CreationTime"', b'"Operation"', b'"Workload"'))
    return "AuditData" in csv_header(head.lines[0] if head.lines else b"")


def _read(stream: Stream, intake: Intake) -> Iterator[pa.Table]:
    if stream.peek(64).lstrip(b"\xef\xbb\xbf \r\n\t")[:1] in (b"{", b"["):
        records = json_records(stream, intake, ("value",))
    else:
        records = _csv_records(stream, intake)
    return in_tables(records, intake, _NAMES, _parse)


def _csv_records(stream: Stream, intake: Intake) -> Iterator[Record]:
    header: list[str] = []
    for block in record_blocks(stream, intake, offset=1):
        header = header or csv_header(block.data)
        if "AuditData" not in header:
            intake.put_aside(0, "the header has no `AuditData`", hint="export with Search-UnifiedAuditLog")
            return
        table = read_csv(block, header, ["AuditData"], intake, offset=1)
        for line, data in zip(table["source_line"].to_pylist(), table["AuditData"].to_pylist(), strict=True):
            if line > 0:
                yield line, data.encode()


SOURCE: Final = Source("office365", _recognise, _read)
