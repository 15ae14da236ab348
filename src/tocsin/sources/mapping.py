"""The mapping file: a few lines of TOML that say which column of a table is which field of an event.

`examples/mappings/README.md` documents every key, with examples. Reading is strict: an unknown key,
field, column option or time format is a `MappingError` that names it.
"""

from __future__ import annotations

import re
import zoneinfo
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations
from pathlib import Path
from typing import Final, Literal

import msgspec

from tocsin.errors import MappingError
from tocsin.event import EVENT_SCHEMA, KINDS, OWN_FIELDS

__all__ = ["ColumnRule", "Filter", "Mapping", "TimeRule", "Value", "load_mapping", "placeholders"]

Value = str | int | float | bool
_PLACEHOLDER: Final = re.compile(r"\{([^{}]+)\}")
_FIELDS: Final = frozenset(f.name for f in EVENT_SCHEMA) - OWN_FIELDS - {"time"}
_STEP: Final = re.compile(r"^(\d+)\s*(d|h|m|s|ms|us)$")
_STEP_US: Final = {"d": 86_400_000_000, "h": 3_600_000_000, "m": 60_000_000, "s": 1_000_000, "ms": 1_000, "us": 1}
_OVERFLOWING: Final = frozenset("YmdHMS")
_MAX_FILE_BYTES: Final = 1 << 20


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shared by all parts of a mapping file."""


class InputRule(_Strict, frozen=True):
    """What the table looks like."""

    format: Literal["csv", "jsonl", "parquet"] | None = None
    header: bool = True
    columns: tuple[str, ...] = ()
    """Names in order, for a CSV without header."""
    delimiter: str = ","


class ColumnRule(_Strict, frozen=True):
    """What to do to a column before it is used."""

    address: Literal["zero-padded"] | None = None
    lower: bool = False
    strip: bool = False


class TimeRule(_Strict, frozen=True):
    """How the time is written."""

    column: str
    format: str = "iso"
    """`iso`, `epoch`, `step`, or a `strptime` pattern."""
    zone: str = "UTC"
    """For times that carry none."""
    unit: Literal["s", "ms", "us", "ns"] = "s"
    """Of `epoch`."""
    origin: datetime | None = None
    """When step 0 was."""
    step: str = "1d"
    overflow_days: bool = False
    """Day 32 is the first of the next month."""

    @property
    def step_us(self) -> int:
        """Length of one step in microseconds."""
        match = _STEP.match(self.step)
        if match is None:
            raise MappingError(f"`time.step` is `{self.step}`", hint="write a number and d, h, m, s, ms or us: `1d`")
        return int(match[1]) * _STEP_US[match[2]]


class Filter(_Strict, frozen=True):
    """Rows to keep; every filter must hold."""

    column: str
    one_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None


class Mapping(_Strict, frozen=True):
    """A whole mapping file."""

    time: TimeRule
    fields: dict[str, Value | dict[str, Value]]
    """Field of the event to a constant, or to a template in which `{column}` stands for a column's value."""
    input: InputRule = InputRule()
    columns: dict[str, ColumnRule] = {}
    units: dict[str, float] = {}
    """Numeric field to the factor that turns the column's unit into the field's."""
    values: dict[str, dict[str, str]] = {}
    """Field to a translation of its values; what is not listed becomes empty."""
    filter: tuple[Filter, ...] = ()
    description: str = ""

    @property
    def templates(self) -> dict[str, Value]:
        """Fields with nested tables written flat: `origin.address`."""
        flat: dict[str, Value] = {}
        for name, value in self.fields.items():
            if isinstance(value, dict):
                flat |= {f"{name}.{inner}": v for inner, v in value.items()}
            else:
                flat[name] = value
        return flat

    @property
    def needed(self) -> list[str]:
        """Columns the input must have, in order of first use."""
        names = [self.time.column, *(f.column for f in self.filter)]
        for value in self.templates.values():
            names += placeholders(value)
        return list(dict.fromkeys(names))


def placeholders(value: Value) -> list[str]:
    """Return the columns a template names.

    >>> placeholders("card:{CUSTOMER_ID}")
    ['CUSTOMER_ID']
    """
    return _PLACEHOLDER.findall(value) if isinstance(value, str) else []


def load_mapping(path: Path | str) -> Mapping:
    """Read and check a mapping file; raises `MappingError`."""
    try:
        data = Path(path).read_bytes()
        if len(data) > _MAX_FILE_BYTES:
            raise MappingError(f"`{path}` is longer than {_MAX_FILE_BYTES:,} bytes")
        mapping = msgspec.toml.decode(data, type=Mapping)
    except OSError as error:
        raise MappingError(f"cannot read `{path}`: {error.strerror}", hint="check the path") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        hint = "see examples/mappings/README.md for the keys of a mapping"
        raise MappingError(f"`{path}`: {_lower_first(str(error))}", hint=hint) from None
    _check(mapping)
    return mapping


def _check(mapping: Mapping) -> None:
    templates = mapping.templates
    unknown = [name for name in (*templates, *mapping.units, *mapping.values) if name not in _FIELDS]
    if unknown:
        raise MappingError(f"an event has no field `{unknown[0]}`", hint=f"one of {', '.join(sorted(_FIELDS))}")
    missing = [name for name in ("kind", "subject", "action") if name not in templates]
    if missing:
        raise MappingError(f"`fields` lacks `{missing[0]}`", hint="every event needs kind, subject and action")
    kind = templates["kind"]
    if not placeholders(kind) and kind not in KINDS:
        raise MappingError(f"`{kind}` is no kind of event", hint=f"one of {', '.join(KINDS)}")
    if not mapping.input.header and not mapping.input.columns:
        raise MappingError("a table without header needs `input.columns`", hint="name its columns in order")
    if len(mapping.input.delimiter) != 1:
        raise MappingError("`input.delimiter` is not one character")
    _check_time(mapping.time)


def _check_time(rule: TimeRule) -> None:
    if rule.format == "step" and rule.origin is None:
        raise MappingError(
            "`time.format` is `step` without `time.origin`", hint="say when step 0 was: `origin = 2020-01-01T00:00:00Z`"
        )
    if rule.origin is not None and rule.origin.tzinfo is None:
        raise MappingError("`time.origin` has no zone", hint="end it with `Z`")
    _ = rule.step_us
    directives = set(re.findall(r"%(.)", rule.format))
    if rule.overflow_days and not {"Y", "m", "d"} <= directives <= _OVERFLOWING:
        raise MappingError("`overflow_days` needs a numeric format", hint="use only %Y %m %d %H %M %S")
    if not directives and rule.format not in {"iso", "epoch", "step"}:
        raise MappingError(
            f"`time.format` is `{rule.format}`", hint="iso, epoch, step, or a pattern such as `%m/%d/%Y %H:%M`"
        )
    try:
        zoneinfo.ZoneInfo(rule.zone)
    except (ValueError, zoneinfo.ZoneInfoNotFoundError, OSError):
        raise MappingError(f"`{rule.zone}` is no time zone", hint="an IANA name: `Europe/Amsterdam`, `UTC`") from None


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
