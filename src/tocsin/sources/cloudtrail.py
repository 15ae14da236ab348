"""AWS CloudTrail: `Records` envelopes as delivered to S3 (gzip or not), or one event a line.

Who acted (`subject`), from `userIdentity`:

=================  =====================================================================================
IAM user           `user:NAME`
root               `user:root/ACCOUNT`
assumed role       `workload:ROLE`; `user:SESSION` for IAM Identity Center roles and sessions named like
                   an e-mail address, because those are people
federated, SAML    `user:NAME`
AWS service        `workload:SERVICE`
other account      `account:ID`
none of these      `key:ACCESS-KEY`, else the principal
=================  =====================================================================================

`session` is the access key (a leaked key is a session from elsewhere), for assumed roles the session name,
which for an instance is its id. `sourceIPAddress` may be the name of a service: that is the counterparty,
never an address. `resource` is the service and the first of `_MAIN_PARAMETERS` that the request names.

Facts taken as given: root is privileged; what `_SENSITIVE` lists is sensitive (secrets, identities and
their rights, the audit trail itself, sharing outside the account). The reading follows AWS's "CloudTrail
record contents" and "userIdentity element".
"""

from __future__ import annotations

import re
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.addresses import canonical
from tocsin.errors import RecordError
from tocsin.sources.documents import in_tables, json_records
from tocsin.sources.source import Head, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tocsin.sources.intake import Intake
    from tocsin.sources.opening import Stream

__all__ = ["SOURCE"]

_NAMES: Final = (
    "time", "kind", "subject", "action", "resource", "counterparty", "origin.address", "origin.agent", "outcome",
    "bytes_in", "bytes_out", "session", "privileged", "sensitive", "uid",
)  # fmt: skip
_MAIN_PARAMETERS: Final = (
    "bucketName", "secretId", "roleName", "roleArn", "userName", "groupName", "policyArn", "functionName", "instanceId",
    "dBInstanceIdentifier", "dBSnapshotIdentifier", "keyId", "tableName", "queueUrl", "topicArn", "trailName", "name",
    "snapshotId", "volumeId", "imageId", "groupId", "resourceId", "vpcId", "subnetId", "instancesSet", "logGroupName",
    "stackName", "repositoryName", "clusterName", "instanceProfileName", "policyName", "resourceArn", "documentName",
)  # fmt: skip
_IDENTITY_SERVICES: Final = frozenset({"iam", "sso", "sso-directory", "identitystore", "organizations"})
_SENSITIVE: Final = {
    "secretsmanager": r"GetSecretValue|BatchGetSecretValue|PutResourcePolicy|DeleteSecret",
    "ssm": r"GetParameter.*|SendCommand|StartSession|PutParameter|DeleteParameters?",
    "kms": r"PutKeyPolicy|ScheduleKeyDeletion|DisableKey|CreateGrant",
    "cloudtrail": r"StopLogging|DeleteTrail|UpdateTrail|PutEventSelectors|PutInsightSelectors|DeleteEventDataStore",
    "guardduty": r"Delete.*|Disassociate.*|StopMonitoringMembers|UpdateDetector",
    "config": r"DeleteConfigurationRecorder|StopConfigurationRecorder|DeleteDeliveryChannel",
    "s3": r"PutBucketPolicy|DeleteBucketPolicy|PutBucketAcl|.*PublicAccessBlock|PutBucketReplication"
    r"|PutBucketLifecycle.*",
    "ec2": r"GetPasswordData|ModifySnapshotAttribute|ModifyImageAttribute|DeleteFlowLogs|GetConsole.*"
    r"|AuthorizeSecurityGroup.*|ReplaceIamInstanceProfileAssociation|AssociateIamInstanceProfile",
    "rds": r"ModifyDB(?:Cluster)?SnapshotAttribute|StartExportTask",
    "lambda": r"AddPermission.*|UpdateFunctionCode.*|CreateFunction.*|UpdateFunctionConfiguration.*",
    "sts": r"GetFederationToken",
    "rolesanywhere": r"Create.*|Enable.*",
    "logs": r"DeleteLogGroup|DeleteLogStream|PutRetentionPolicy",
}
_SENSITIVE_RE: Final = {service: re.compile(f"^(?:{names})$") for service, names in _SENSITIVE.items()}
_READS: Final = re.compile(r"^(?:Get|List|Describe|Simulate|Generate)")
_SIGN_INS: Final = re.compile(
    r"^(?:ConsoleLogin|SwitchRole|ExitRole|Assume.*|GetSessionToken|GetFederationToken|CheckMfa)$"
)
_ASSUMED: Final = re.compile(r":assumed-role/([^/]+)/(.+)$")
_ROLE: Final = re.compile(r":role/(?:.*/)?([^/]+)$")
_PERSON_ROLE: Final = "AWSReservedSSO_"
_MAX_PARAMETER: Final = 200


class _Record(msgspec.Struct, rename="camel"):
    event_time: datetime
    event_name: str
    event_source: str = ""
    user_identity: dict[str, Any] | None = None
    source_ip_address: str | None = msgspec.field(default=None, name="sourceIPAddress")
    user_agent: str | None = None
    request_parameters: Any = None
    response_elements: Any = None
    additional_event_data: Any = None
    error_code: str | None = None
    error_message: str | None = None
    read_only: bool | str | None = None
    event_type: str | None = None
    event_id: str | None = msgspec.field(default=None, name="eventID")


_DECODER: Final = msgspec.json.Decoder(_Record)


def _parse(raw: bytes | msgspec.Raw) -> tuple[Any, ...]:
    record = _DECODER.decode(raw)
    identity = record.user_identity or {}
    service = record.event_source.removesuffix(".amazonaws.com")
    parameters = record.request_parameters if isinstance(record.request_parameters, dict) else {}
    extra = record.additional_event_data if isinstance(record.additional_event_data, dict) else {}
    address = canonical(record.source_ip_address or "")
    return (
        record.event_time,
        _kind(record),
        _subject(identity),
        record.event_name,
        _resource(service, parameters),
        _counterparty(record, parameters, known_address=address is not None),
        str(address) if address else None,
        (record.user_agent or "").strip("[]") or None,
        _outcome(record),
        _whole(extra.get("bytesTransferredIn")),
        _whole(extra.get("bytesTransferredOut")),
        _session(identity),
        True if identity.get("type") == "Root" else None,
        True if _is_sensitive(service, record.event_name) else None,
        record.event_id,
    )


def _kind(record: _Record) -> str:
    if record.event_type == "AwsConsoleSignIn" or _SIGN_INS.match(record.event_name):
        return "authentication"
    reads = record.read_only if isinstance(record.read_only, bool) else record.read_only == "true"
    return "api" if record.read_only is None or reads else "change"


def _subject(identity: dict[str, Any]) -> str:  # noqa: PLR0911 - one return a row of the table above
    kind = identity.get("type")
    arn = _text(identity.get("arn"))
    tail = arn.rpartition("/")[2]
    name = _text(identity.get("userName")) or tail
    if kind == "Root":
        return f"user:root/{_text(identity.get('accountId')) or 'unknown'}"
    if kind == "AssumedRole":
        return _of_role(arn)
    if kind == "AWSService" or (kind is None and identity.get("invokedBy")):
        return f"workload:{_text(identity.get('invokedBy')) or 'aws'}"
    if kind == "AWSAccount":
        return f"account:{_text(identity.get('accountId')) or 'unknown'}"
    if name:
        return f"user:{name}"
    if key := _text(identity.get("accessKeyId")):
        return f"key:{key}"
    if principal := _text(identity.get("principalId")) or _text(identity.get("accountId")):
        return f"principal:{principal}"
    raise RecordError("`userIdentity` names nobody")


def _of_role(arn: str) -> str:
    match = _ASSUMED.search(arn)
    if match is None:
        return f"workload:{arn or 'unknown'}"
    role, session = match[1], match[2]
    if role.startswith(_PERSON_ROLE) or "@" in session:
        return f"user:{session}"
    return f"workload:{role}"


def _session(identity: dict[str, Any]) -> str | None:
    if identity.get("type") == "AssumedRole" and (match := _ASSUMED.search(_text(identity.get("arn")))):
        return match[2]
    return _text(identity.get("accessKeyId")) or None


def _resource(service: str, parameters: dict[str, Any]) -> str:
    for name in _MAIN_PARAMETERS:
        if value := _first_text(parameters.get(name)):
            return f"{service}/{_short(value)[:_MAX_PARAMETER]}"
    return service


def _short(name: str) -> str:
    """Take an ARN down to the part that names the thing."""
    return name.split(":", 5)[-1] if name.startswith("arn:") else name.lstrip("/")


def _counterparty(record: _Record, parameters: dict[str, Any], *, known_address: bool) -> str | None:
    if match := _ROLE.search(_text(parameters.get("roleArn"))):
        return f"workload:{match[1]}"
    service = (record.source_ip_address or "").strip()
    return f"service:{service[:_MAX_PARAMETER]}" if service and not known_address else None


def _outcome(record: _Record) -> str:
    said = record.response_elements.get("ConsoleLogin") if isinstance(record.response_elements, dict) else None
    return "failure" if record.error_code or record.error_message or said == "Failure" else "success"


def _is_sensitive(service: str, action: str) -> bool:
    if service in _IDENTITY_SERVICES:
        return not _READS.match(action)
    known = _SENSITIVE_RE.get(service)
    return known is not None and known.match(action) is not None


def _first_text(value: Any) -> str:  # noqa: ANN401 - whatever JSON held
    """Return the first string inside, for request parameters wrapped as `{"items": [{"instanceId": …}]}`."""
    for _ in range(4):
        if isinstance(value, dict):
            value = next(iter(value.values()), "")
        elif isinstance(value, list):
            value = value[0] if value else ""
    return value if isinstance(value, str) else ""


def _text(value: Any) -> str:  # noqa: ANN401 - whatever JSON held
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:  # noqa: ANN401 - whatever JSON held
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**53 else None


def _recognise(head: Head) -> bool:
    return head.text[:1] in (b"{", b"[") and all(
        key in head.text for key in (b'"eventSource"', b'"eventName"', b'"userIdentity"')
    )


def _read(stream: Stream, intake: Intake) -> Iterator[pa.Table]:
    return in_tables(json_records(stream, intake, ("Records",)), intake, _NAMES, _parse)


SOURCE: Final = Source("cloudtrail", _recognise, _read)
