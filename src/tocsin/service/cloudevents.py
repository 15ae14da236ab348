"""CloudEvents 1.0 over HTTP: structured, batch and binary, each carrying one event or one record of a known log.

What `data` is, `dataschema` says, else `type`: `urn:tocsin:cloudtrail` and `tocsin.cloudtrail` both name a record of
CloudTrail; everything else is an event of ours. A record that is text stands in `data` as a JSON string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, NamedTuple
from urllib.parse import unquote

import msgspec

from tocsin.errors import RecordError
from tocsin.sources import FORMATS
from tocsin.sources.lines import to_utf8

if TYPE_CHECKING:
    from tocsin.service.request import Request

__all__ = ["BATCH", "OURS", "STRUCTURED", "Carried", "carried", "from_headers", "is_binary"]

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
OURS: Final = "tocsin"
"""The format of an event of ours."""
KNOWN: Final = frozenset(FORMATS) - {"csv", "jsonl", "parquet", "cert"}
"""Formats of which one record alone makes sense."""
_JSON: Final = frozenset({OURS, "cloudtrail", "office365"})
_VERSION: Final = "1.0"
_HINT: Final = f"one of {', '.join(sorted(KNOWN))}, as in `urn:tocsin:cloudtrail`"
_PREFIXES: Final = ("urn:tocsin:", "tocsin.")
_EVENT: Final = frozenset({"event", OURS})
_HEADERS: Final = ("specversion", "id", "source", "type", "time", "dataschema")

Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Envelope(msgspec.Struct):
    """The attributes that count here; extensions are passed over."""

    specversion: str
    id: Text
    source: Annotated[str, msgspec.Meta(pattern=r"^\S+$")]
    type: Text
    time: str | None = None
    dataschema: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    data_base64: bytes | None = None


_DECODER: Final = msgspec.json.Decoder(_Envelope)
_TEXT: Final = msgspec.json.Decoder(str)
_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Carried(NamedTuple):
    """What one CloudEvent carries: a record on one line, its format, and the event's uid."""

    format: str
    record: bytes
    uid: str


def is_binary(request: Request) -> bool:
    """Whether the request is one CloudEvent whose attributes are headers."""
    return request.header(b"ce-specversion") is not None


def carried(raw: bytes | msgspec.Raw) -> Carried:
    """Open a structured CloudEvent; raises `RecordError`."""
    try:
        return _opened(_DECODER.decode(raw))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = "a CloudEvent 1.0 has `specversion`, `id`, `source`, `type` and `data`"
        raise RecordError(f"no CloudEvent: {error}", hint=hint) from None


def from_headers(request: Request, body: bytes) -> Carried:
    """Open a binary CloudEvent; raises `RecordError`."""
    named = {name: request.header(b"ce-" + name.encode()) for name in _HEADERS}
    attributes = {name: unquote(value, errors="replace") for name, value in named.items() if value is not None}
    try:
        envelope = msgspec.convert(attributes, _Envelope)
    except msgspec.ValidationError as error:
        hint = "a binary CloudEvent has the headers `ce-specversion`, `ce-id`, `ce-source` and `ce-type`"
        raise RecordError(f"no CloudEvent: {error}", hint=hint) from None
    media = (request.header(b"content-type") or "application/json").partition(";")[0].strip().lower()
    if media != "application/json" and not media.endswith("+json"):
        return _opened(envelope, body)
    envelope.data = msgspec.Raw(body)
    return _opened(envelope)


def _opened(envelope: _Envelope, text: bytes | None = None) -> Carried:
    if envelope.specversion != _VERSION:
        raise RecordError("`specversion` is not 1.0", hint="send CloudEvents 1.0")
    name = _format(envelope)
    record = text if text is not None else _record(envelope)
    record = to_utf8(record).replace(b"\n", b" ").strip()
    if name in _JSON and not record.startswith(b"{"):
        raise RecordError(f"`data` is no JSON object, as a record of {name} is", hint="send it as it was logged")
    if not record:
        raise RecordError("`data` is empty", hint="put the event into `data`")
    if name == OURS:
        record = _timed(record, envelope.time)
    return Carried(name, record, f"{envelope.source} {envelope.id}")


def _format(envelope: _Envelope) -> str:
    for said in (envelope.dataschema, envelope.type):
        prefix = next((p for p in _PREFIXES if said is not None and said.startswith(p)), None)
        if said is not None and prefix is not None:
            name = said[len(prefix) :]
            if name in _EVENT:
                return OURS
            if name not in KNOWN:
                raise RecordError("`dataschema` or `type` names no known format", hint=_HINT)
            return name
    return OURS


def _record(envelope: _Envelope) -> bytes:
    if envelope.data_base64 is not None:
        return envelope.data_base64
    raw = bytes(envelope.data).strip()
    return _TEXT.decode(raw).encode() if raw.startswith(b'"') else raw


def _timed(record: bytes, time: str | None) -> bytes:
    """Let an event that says no time have the CloudEvent's."""
    if time is None or b'"time"' in record:
        return record
    try:
        fields = _FIELDS.decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return record  # the source says what is wrong with it
    return msgspec.json.encode(fields | {"time": time})
