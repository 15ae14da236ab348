"""A body cut into records: lines, the members of a list, one document, or what CloudEvents carry.

Records of one format go together as lines, which is how sources read them; each remembers its place in the body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
import numpy as np

from tocsin.errors import RecordError
from tocsin.service import cloudevents
from tocsin.service.cloudevents import OURS, Carried
from tocsin.service.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from tocsin.service.request import Request

__all__ = ["Parcel", "Parcels", "cut"]

_LINES: Final = frozenset(
    {"application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"}
)
_JSON: Final = frozenset({"application/json", "", "text/json"})
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ONE: Final = msgspec.json.Decoder(msgspec.Raw)
_BROKEN: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_MEDIA_HINT: Final = "application/json, application/x-ndjson, application/cloudevents+json and its batch are"


class Parcel(NamedTuple):
    """Records of one format, one a line; record `i` stands at `places[i]` of the body and may have a uid."""

    format: str
    lines: bytes
    places: NDArray[np.int64] | None = None
    """None where line `i`, counted from 1, is place `i`."""
    uids: tuple[str, ...] = ()
    """One a record; empty where the records have their own or none."""


class Parcels(NamedTuple):
    """A whole body."""

    parcels: list[Parcel]
    first: int
    """What the first place is called: lines are counted from 1, members of a list from 0."""
    refused: list[tuple[int, RecordError]] = []  # noqa: RUF012 - made afresh by whoever has some
    """Places, counted from 1, at which there was no record to hand on, and why."""


def cut(request: Request, body: bytes, most: int) -> Parcels:
    """Cut a body into records, at most `most`; raises `Problem` where there is nothing to cut."""
    if not body.strip():
        raise Problem(400, "no-event", "the body is empty")
    media = (request.header(b"content-type") or "").partition(";")[0].strip().lower()
    if media == cloudevents.STRUCTURED:
        return _opened([body], cloudevents.carried)
    if media == cloudevents.BATCH:
        return _opened(_members(body, most), cloudevents.carried)
    if cloudevents.is_binary(request):
        return _opened([body], lambda raw: cloudevents.from_headers(request, bytes(raw)))
    if media not in _LINES | _JSON:
        raise Problem(415, "content-type", f"this content type is not taken; {_MEDIA_HINT}")
    if media not in _LINES and body.lstrip()[:1] == b"[":
        return Parcels([Parcel(OURS, _joined(_members(body, most)))], 0)
    if media not in _LINES and _whole(body):
        return Parcels([Parcel(OURS, _joined([body]))], 0)
    if body.count(b"\n") >= most and body.rstrip().count(b"\n") >= most:
        raise _too_many(most)
    return Parcels([Parcel(OURS, body)], 1)


def _whole(body: bytes) -> bool:
    """Whether a body is one JSON document; what is not may still be lines of them."""
    try:
        _ONE.decode(body)
    except _BROKEN:
        return False
    return True


def _members(body: bytes, most: int) -> list[msgspec.Raw]:
    try:
        members = _LIST.decode(body)
    except _BROKEN as error:
        raise Problem(400, "no-event", f"the body is no JSON list: {error}") from None
    if not members:
        raise Problem(400, "no-event", "the list is empty")
    if len(members) > most:
        raise _too_many(most)
    return members


def _too_many(most: int) -> Problem:
    return Problem(413, "too-many-events", f"one request may hold {most} records; send the rest in another")


def _joined(records: Iterable[bytes | msgspec.Raw]) -> bytes:
    """Put every record on a line of its own; outside strings a line end is a blank, and inside there is none."""
    return b"\n".join(bytes(record).replace(b"\n", b" ") for record in records)


def _opened(raws: list[bytes] | list[msgspec.Raw], carried: Callable[[bytes | msgspec.Raw], Carried]) -> Parcels:
    """Open CloudEvents and sort what they carry by format."""
    groups: dict[str, list[tuple[int, Carried]]] = {}
    refused: list[tuple[int, RecordError]] = []
    for place, raw in enumerate(raws, 1):
        try:
            one = carried(raw)
        except RecordError as error:
            refused.append((place, error))
        else:
            groups.setdefault(one.format, []).append((place, one))
    return Parcels([_parcel(name, group) for name, group in groups.items()], 0, refused)


def _parcel(name: str, group: list[tuple[int, Carried]]) -> Parcel:
    places = np.array([place for place, _ in group], np.int64)
    lines = b"\n".join(one.record for _, one in group)
    return Parcel(name, lines, places, tuple(one.uid for _, one in group))
