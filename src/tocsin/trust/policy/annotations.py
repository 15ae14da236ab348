"""What a policy leads to, read from its annotations: Cedar itself knows only permit and forbid.

::

    @id("large-payment")               its name in every answer; unique
    @reason("prove yourself anew")     told with the answer
    @outcome("step_up")                on a forbid: the subject may, after proving more; else `deny`
      @acr_values("phr")                 what kind of proof (RFC 9470)
      @max_age("300")                    how old it may be, in seconds
    @outcome("limit")                  on a permit: only within what stands below; else `allow`
      @read_only("true") @rate_per_min("30") @amount("100") @bytes("1000000")
    @seconds("30") @bytes("…") @amount("…")   on any permit: how far the answer may be relied on
    @obligation("log=full; mask=iban")  what the caller must do besides
"""

from __future__ import annotations

import difflib
import math
import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from tocsin.question import Answer  # noqa: TC001 - msgspec reads the annotations at run time

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["KNOWN", "MAX_SECONDS", "BadAnnotation", "Limits", "Rule", "read_rule", "unknown"]

N = TypeVar("N", int, float)

MAX_SECONDS: Final = 86_400
MAX_CHARS: Final = 1000
MAX_DIGITS: Final = 32
KNOWN: Final = (
    "id", "reason", "outcome", "acr_values", "max_age", "read_only", "rate_per_min", "amount", "bytes", "seconds",
    "obligation",
)  # fmt: skip
_NEAR: Final = 0.75
_ID: Final = re.compile(r"[^\s\x00-\x1f\x7f]{1,128}")
_TAKEN: Final = frozenset({"no-permit", "policy-error"})
"""Ids that answers use for themselves."""
_ONLY_ON: Final[Mapping[str, Answer]] = {
    "acr_values": "step_up",
    "max_age": "step_up",
    "read_only": "limit",
    "rate_per_min": "limit",
}


class BadAnnotation(ValueError):  # noqa: N818 - what it is, told with a place by whoever catches it
    """An annotation says nothing that can be acted on."""


class Limits(msgspec.Struct, frozen=True):
    """What a `limit` leaves; None is no limit."""

    read_only: bool = False
    rate_per_min: int | None = None
    amount: float | None = None
    bytes: int | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One policy, as far as an answer needs to know it."""

    id: str
    place: str
    """`file:line`."""
    outcome: Answer
    reason: str = ""
    seconds: float | None = None
    limits: Limits = Limits()
    """On a permit without outcome `limit`, only how far the answer may be relied on."""
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    obligations: tuple[tuple[str, str], ...] = ()


def read_rule(name: str, place: str, effect: str, notes: Mapping[str, str]) -> Rule:
    """Read a policy's annotations; raises BadAnnotation in words that follow the policy's place."""
    outcome = _outcome(effect, notes)
    _check_places(outcome, effect, notes)
    limits = Limits(
        read_only=_flag(notes, "read_only"),
        rate_per_min=_whole(notes, "rate_per_min"),
        amount=_number(notes, "amount"),
        bytes=_whole(notes, "bytes"),
    )
    if outcome == "limit" and limits == Limits():
        raise BadAnnotation('`@outcome("limit")` needs `@read_only`, `@rate_per_min`, `@amount` or `@bytes`')
    return Rule(
        id=_id(notes, name),
        place=place,
        outcome=outcome,
        reason=_short(notes, "reason"),
        seconds=_number(notes, "seconds", most=MAX_SECONDS),
        limits=limits,
        acr_values=tuple(_short(notes, "acr_values").split()),
        max_age=_whole(notes, "max_age", least=0),
        obligations=tuple(_obligations(_short(notes, "obligation"))),
    )


def unknown(notes: Mapping[str, str]) -> list[str]:
    """Name annotations that mean nothing here; raises BadAnnotation for one that looks like a slip of the pen."""
    strange = [name for name in notes if name not in KNOWN]
    for name in strange:
        if near := difflib.get_close_matches(name, KNOWN, n=1, cutoff=_NEAR):
            raise BadAnnotation(f"unknown annotation `@{name}`; did you mean `@{near[0]}`?")
    return strange


def _id(notes: Mapping[str, str], name: str) -> str:
    given = notes.get("id", name)
    if not _ID.fullmatch(given) or given in _TAKEN:
        raise BadAnnotation(f"`@id` cannot be `{given[:80]}`: 1 to 128 characters without blanks, and none of ours")
    return given


def _outcome(effect: str, notes: Mapping[str, str]) -> Answer:
    ways: tuple[Answer, ...] = ("allow", "limit") if effect == "permit" else ("deny", "step_up")
    said = notes.get("outcome", ways[0])
    for way in ways:
        if said == way:
            return way
    raise BadAnnotation(f"`@outcome` of a {effect} is `{ways[0]}` or `{ways[1]}`, not `{said[:40]}`")


def _check_places(outcome: Answer, effect: str, notes: Mapping[str, str]) -> None:
    for name, needed in _ONLY_ON.items():
        if name in notes and outcome != needed:
            raise BadAnnotation(f'`@{name}` means something only beside `@outcome("{needed}")`')
    for name in ("seconds", "bytes", "amount"):
        if name in notes and effect != "permit":
            raise BadAnnotation(f"`@{name}` means something only on a permit")


def _short(notes: Mapping[str, str], name: str) -> str:
    text = notes.get(name, "")
    if len(text) > MAX_CHARS:
        raise BadAnnotation(f"`@{name}` is longer than {MAX_CHARS} characters")
    return text


def _flag(notes: Mapping[str, str], name: str) -> bool:
    text = notes.get(name, "false")
    if text not in {"true", "false"}:
        raise BadAnnotation(f"`@{name}` is `true` or `false`, not `{text[:40]}`")
    return text == "true"


def _whole(notes: Mapping[str, str], name: str, *, least: int = 1) -> int | None:
    return _parsed(notes, name, int, least, 1 << 62)


def _number(notes: Mapping[str, str], name: str, *, most: float = 1e15) -> float | None:
    return _parsed(notes, name, float, math.ulp(0), most)


def _parsed(notes: Mapping[str, str], name: str, read: Callable[[str], N], least: float, most: float) -> N | None:
    if name not in notes:
        return None
    text = notes[name]
    try:
        value = read(text) if len(text) <= MAX_DIGITS else None
    except ValueError:
        value = None
    if value is None or not least <= value <= most:
        raise BadAnnotation(f"`@{name}` is a number above 0, not `{text[:40]}`")
    return value


def _obligations(text: str) -> list[tuple[str, str]]:
    pairs = []
    for part in filter(str.strip, text.split(";")):
        key, equals, value = part.partition("=")
        if not (key.strip() and equals):
            raise BadAnnotation(f"`@obligation` is written `key=value; key=value`, not `{text[:40]}`")
        pairs.append((key.strip(), value.strip()))
    return pairs
