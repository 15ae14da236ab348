"""What stands between a file and its events: the report on it, and the place for records set aside."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Literal, TextIO

import msgspec

from tocsin.record import SetAside

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tocsin.sources.opening import Stream

__all__ = ["DeadLetters", "FileReport", "Intake", "Progress"]

MAX_EXAMPLES: Final = 100
MAX_EXCERPT: Final = 200
AHEAD: Final = timedelta(hours=24)
"""Logs are read that say local time for UTC; what lies further ahead is a mistake."""
MAX_DEAD_LETTER_BYTES: Final = 1 << 28
_SECRET: Final = re.compile(
    r"""(?ix) ( (?:pass(?:word|wd)?|secret|token|authorization|api[_-]?key|session[_-]?token) ["']? \s* [:=] \s* ["']? )
        [^\s"',&;]+ """
)


class FileReport(msgspec.Struct, kw_only=True):
    """What became of one input. The counts grow while it is read and are final after the last batch."""

    source_file: str
    format: str | None = None
    digest: str = ""
    """First 128 bits of SHA-256 of the raw bytes, hexadecimal; empty when the file could not be read."""
    read: int = 0
    """Events taken from it, duplicates and those journaled before included."""
    set_aside: int = 0
    filtered: int = 0
    """Records left out on purpose: a mapping's filter, log lines that are no event."""
    duplicates: int = 0
    """Events met before in this gathering under the same `uid`, with the same content."""
    journaled: int = 0
    """Events not handed out because the journal already holds them."""
    skipped: str | None = None
    """Why nothing was taken from it."""
    damage: str | None = None
    """Why it ended early; what stood before is kept."""
    complete: bool = False
    """Read to its end, without damage."""


class Progress(msgspec.Struct, frozen=True):
    """How far a gathering is; bytes are those on disk."""

    phase: Literal["reading", "ordering"]
    source_file: str
    files_done: int
    files: int
    bytes_done: int
    bytes_total: int
    events: int


class DeadLetters:
    """Records set aside, one JSON line each, in a file made when the first one arrives.

    The file is written afresh for each gathering and stops growing at 256 MiB; the counts go on.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: TextIO | None = None
        self._bytes = 0
        self.count = 0
        self.examples: list[SetAside] = []

    def write(self, letter: SetAside) -> None:
        """Count one record set aside and keep it in the file."""
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(letter)
        if self.path is None or self._bytes > MAX_DEAD_LETTER_BYTES:
            return
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="ascii")
            self.path.chmod(0o600)
        # ASCII only: whoever prints this file to a terminal must not run what an attacker put in a name.
        line = json.dumps(msgspec.to_builtins(letter), ensure_ascii=True)
        self._bytes += self._file.write(line + "\n")
        if self._bytes > MAX_DEAD_LETTER_BYTES:
            self._file.write(
                json.dumps({"reason": f"more than {MAX_DEAD_LETTER_BYTES:,} bytes: the rest is counted only"})
            )

    def close(self) -> None:
        """Finish the file."""
        if self._file is not None:
            self._file.close()
            self._file = None


class Intake:
    """One file being read: its name and clock for the source, and where its bad records go."""

    def __init__(  # noqa: PLR0913 - built by a gathering alone, all but three by name
        self,
        report: FileReport,
        ordinal: int,
        dead: DeadLetters,
        *,
        now: datetime,
        modified: datetime,
        again: Callable[[], Stream],
        ahead: timedelta = AHEAD,
    ) -> None:
        self.report = report
        self.again = again
        """Opens the same input a second time, for formats that must look ahead."""
        self.ordinal = ordinal
        self.now = now
        self.ahead = ahead
        """How far ahead of that clock the time of an event may lie."""
        self.modified = modified
        """When the file was last written: no event in it can be later."""
        self._dead = dead

    def put_aside(self, line: int, reason: str, *, hint: str = "", excerpt: bytes | str = b"") -> None:
        """Set one record aside with its position; line 0 means the whole file."""
        self.report.set_aside += 1
        self._dead.write(
            SetAside(
                source_file=self.report.source_file,
                source_line=line,
                reason=reason,
                hint=hint,
                excerpt=_printable(excerpt),
            )
        )

    def silent(self) -> Intake:
        """Return a copy that counts and keeps nothing, for looking ahead."""
        report = FileReport(source_file=self.report.source_file)
        return Intake(
            report, self.ordinal, DeadLetters(None), now=self.now, modified=self.modified, again=self.again,
            ahead=self.ahead,
        )  # fmt: skip

    def leave_out(self, count: int) -> None:
        """Count records left out on purpose."""
        self.report.filtered += count


def _printable(excerpt: bytes | str) -> str:
    text = excerpt[: MAX_EXCERPT * 2].decode("utf-8", "replace") if isinstance(excerpt, bytes) else excerpt
    text = _SECRET.sub(r"\1[redacted]", text[: MAX_EXCERPT * 2])[:MAX_EXCERPT]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
