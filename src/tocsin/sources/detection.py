"""Who reads an input: decided by what it holds, never by what it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.errors import UsageError
from tocsin.sources import cert, cloudtrail, jsonlines, mapped, office365, sshd, weblog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

    from tocsin.sources.finding import Found
    from tocsin.sources.intake import Intake
    from tocsin.sources.mapping import Mapping
    from tocsin.sources.opening import Stream
    from tocsin.sources.source import Head, Source

__all__ = ["FORMATS", "Choice", "choose"]

_SOURCES: Final = (
    jsonlines.SOURCE,
    cloudtrail.SOURCE,
    office365.SOURCE,
    cert.SOURCE,
    sshd.SOURCE,
    weblog.SOURCE,
)
_BY_NAME: Final[dict[str, Source]] = {s.name: s for s in _SOURCES} | {
    "nginx": weblog.SOURCE,
    "apache": weblog.SOURCE,
}
_MAPPED: Final = ("csv", "jsonl", "parquet")
FORMATS: Final = frozenset(_BY_NAME) | frozenset(_MAPPED)
"""Every name that `format` may take."""


class Choice(msgspec.Struct, frozen=True):
    """The format of an input and the way to read it."""

    format: str
    read: Callable[[Stream, Intake], Iterator[pa.Table]]


def choose(head: Head, found: Found, name: str | None, mapping: Mapping | None) -> Choice | str:
    """Choose a source for an input; a string says why there is none."""
    if name in _MAPPED and mapping is None:
        raise UsageError(f"format `{name}` needs a mapping", hint="describe its columns in a TOML file, see `--map`")
    if mapping is not None and (name is None or name in _MAPPED):
        reader = mapped.reader(mapping, head, found, name)
        if not isinstance(reader, str):
            return Choice(*reader)
        refusal = reader
    else:
        refusal = "no source recognises its content"
    if name is not None and name not in _MAPPED:
        return "binary, not text" if head.binary else Choice(_BY_NAME[name].name, _BY_NAME[name].read)
    if head.binary:
        return "binary, not text" if mapping is None else refusal
    source = next((s for s in _SOURCES if s.recognise(head)), None)
    return Choice(source.name, source.read) if source is not None else refusal
