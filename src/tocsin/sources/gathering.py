"""Everything a person pointed at, read, checked, enriched and handed out in one order.

`gather` looks at the inputs (names, digests, formats); `batches` reads them all, then hands out events in
`EVENT_SCHEMA`, sorted by time, then file, then line. What comes out depends only on the inputs and `now`,
never on batch size, memory or what an earlier run had already journaled.
"""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import msgspec
import numpy as np

from tocsin.errors import MappingError, UnknownFormat, UsageError
from tocsin.sources.admission import admit
from tocsin.sources.detection import FORMATS, Choice, choose
from tocsin.sources.finding import STANDARD_INPUT, Found, find
from tocsin.sources.handout import Handout
from tocsin.sources.intake import DeadLetters, FileReport, Intake, Progress
from tocsin.sources.mapping import load_mapping
from tocsin.sources.opening import CHUNK_BYTES, digest, open_stream
from tocsin.sources.order import Orderer
from tocsin.sources.source import HEAD_BYTES, head_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import pyarrow as pa

    from tocsin.record import SetAside
    from tocsin.sources.enrichment import Enrichment
    from tocsin.sources.mapping import Mapping as Reading

__all__ = ["ALREADY_JOURNALED", "Gathering", "Journaled", "gather"]

Journaled = Literal["all"] | np.ndarray | None
"""What the journal holds of a file: nothing, everything, or these lines."""
ALREADY_JOURNALED: Final = "already journaled"
_MEMORY_BYTES: Final = 512 << 20


class _Input(msgspec.Struct):
    found: Found
    report: FileReport
    choice: Choice | None = None
    size: int = 0
    journaled: np.ndarray | None = None


class Gathering:
    """Inputs found and recognised; iterate `batches` once for their events.

    `files` is complete from the start in names, digests and formats; its counts are final after the last
    batch. Mark files as done in the journal only then, all together: duplicates are recognised across the
    files of one gathering.
    """

    def __init__(  # noqa: PLR0913 - built by `gather` alone
        self,
        inputs: list[_Input],
        *,
        enrichment: Enrichment,
        now: datetime,
        dead: DeadLetters,
        spill: Path,
        memory_bytes: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._inputs = inputs
        self._now = now
        self._clocks: Mapping[str, datetime] = {}
        self._dead = dead
        self._orderer = Orderer(spill, memory_bytes)
        self._handout = Handout([i.report for i in inputs], {n: i.journaled for n, i in enumerate(inputs)}, enrichment)
        self._progress = progress
        self._bytes_done = 0

    @property
    def files(self) -> list[FileReport]:
        """What became of each input, in order."""
        return [i.report for i in self._inputs]

    @property
    def set_aside(self) -> int:
        """How many records were set aside so far."""
        return self._dead.count

    @property
    def set_aside_examples(self) -> list[SetAside]:
        """The first hundred records set aside."""
        return self._dead.examples

    def continue_from(self, clocks: Mapping[str, datetime], dead_letter: Path) -> None:
        """Before `batches`: read files, by digest, under the clock with which an earlier run began them.

        A continued run must judge what lies in the future as the first one did. `dead_letter` is where records set
        aside go in place of what `gather` was told.
        """
        self._clocks = clocks
        self._dead.path = dead_letter

    def batches(self, rows: int = 65_536) -> Iterator[pa.RecordBatch]:
        """Yield every event not yet journaled, at most `rows` at a time."""
        try:
            for ordinal, one in enumerate(self._inputs):
                if one.choice is not None:
                    self._read(ordinal, one, one.choice)
                self._bytes_done += one.size
            self._tell("ordering", "")
            yield from self._handout.batches(self._orderer.windows(), rows)
        finally:
            self._orderer.close()
            self._dead.close()

    def _read(self, ordinal: int, one: _Input, choice: Choice) -> None:
        report = one.report
        modified = datetime.fromtimestamp(Path(one.found.path).stat().st_mtime, UTC)
        now = self._clocks.get(report.digest, self._now)
        intake = Intake(report, ordinal, self._dead, now=now, modified=modified, again=lambda: open_stream(one.found))
        stream = open_stream(one.found)
        try:
            for table in choice.read(stream, intake):
                self._orderer.add(admit(table, intake))
                self._tell("reading", report.source_file)
        finally:
            stream.close()
        if stream.damage:
            report.damage = stream.damage
            intake.put_aside(0, f"the file is damaged: {stream.damage}", hint="what stood before the damage was kept")
        report.complete = stream.damage is None

    def _tell(self, phase: Literal["reading", "ordering"], name: str) -> None:
        if self._progress is not None:
            self._progress(
                Progress(
                    phase=phase,
                    source_file=name,
                    files_done=sum(f.complete for f in self.files),
                    files=len(self.files),
                    bytes_done=self._bytes_done,
                    bytes_total=sum(i.size for i in self._inputs),
                    events=sum(f.read for f in self.files),
                )
            )


def gather(  # noqa: PLR0913 - what a run is told, all by name
    paths: Iterable[str | os.PathLike[str]],
    *,
    enrichment: Enrichment,
    now: datetime,
    spill: Path,
    format: str | None = None,  # noqa: A002 - the word the command line uses
    mapping: Path | Reading | None = None,
    dead_letter: Path | None = None,
    memory_bytes: int = _MEMORY_BYTES,
    skip: Callable[[str], Journaled] | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Gathering:
    """Find and recognise every input below `paths`.

    `now` decides what lies in the future and guesses missing years; `spill` is a folder for temporary
    runs; `skip` tells what the journal already holds of a file, by digest.

    Raises `SourceError` for a missing path, `UnknownFormat` when nothing is readable, `UsageError` for an
    unknown format name, `MappingError` for a mapping that fits nothing.
    """
    if format is not None and format not in FORMATS:
        raise UsageError(f"unknown format `{format[:40]}`", hint=f"one of {', '.join(sorted(FORMATS))}")
    loaded = load_mapping(mapping) if isinstance(mapping, str | Path) else mapping
    dead = DeadLetters(dead_letter)
    inputs = [_Input(found, FileReport(source_file=found.source_file)) for found in find(paths)]
    known: dict[str, str] = {}
    for one in inputs:
        _examine(one, known, format, loaded, spill)
        if skip is not None and one.choice is not None:
            _leave_out_journaled(one, skip(one.report.digest))
    _refuse_nothing(inputs, loaded)
    return Gathering(
        inputs, enrichment=enrichment, now=now, dead=dead, spill=spill, memory_bytes=memory_bytes, progress=progress
    )


def _examine(one: _Input, known: dict[str, str], name: str | None, mapping: Reading | None, spill: Path) -> None:
    """Name the content of one input and choose who reads it, or say why nobody does."""
    report = one.report
    if one.found.trouble is not None:
        report.skipped = one.found.trouble
        return
    try:
        if one.found.streamed:
            one.found = _copied(one.found, spill)
        one.size = Path(one.found.path).stat().st_size
        report.digest = digest(one.found)
        stream = open_stream(one.found)
        head = head_of(stream.peek(HEAD_BYTES))
        stream.close()
    except OSError as error:
        report.skipped = (error.strerror or str(error)).lower()
        return
    if not head.raw:
        report.skipped, report.complete = f"empty{': ' + stream.damage if stream.damage else ''}", True
    elif report.digest in known:
        report.skipped = f"the same content as `{known[report.digest]}`"
    else:
        known[report.digest] = report.source_file
        chosen = choose(head, one.found, name, mapping)
        if isinstance(chosen, str):
            report.skipped = chosen
        else:
            one.choice, report.format = chosen, chosen.format


def _copied(found: Found, spill: Path) -> Found:
    """Copy a pipe to the spill folder, so that it can be looked at before it is read."""
    spill.mkdir(parents=True, exist_ok=True)
    target = spill / "standard-input"
    with target.open("wb") as kept:
        if found.path == STANDARD_INPUT:
            shutil.copyfileobj(sys.stdin.buffer, kept, CHUNK_BYTES)
        else:
            with open(found.path, "rb") as pipe:  # noqa: PTH123 - path as typed
                shutil.copyfileobj(pipe, kept, CHUNK_BYTES)
    return Found(found.source_file, str(target))


def _leave_out_journaled(one: _Input, journaled: Journaled) -> None:
    if isinstance(journaled, str):
        one.choice, one.report.skipped, one.report.complete = None, ALREADY_JOURNALED, True
    else:
        one.journaled = journaled


def _refuse_nothing(inputs: list[_Input], mapping: Reading | None) -> None:
    """Raise when not one input can be read, with the first reason."""
    if any(one.choice is not None or one.report.complete for one in inputs):
        return
    if not inputs:
        raise UnknownFormat("there is no file to read", hint="give a file, a folder, a glob or `-`")
    first = inputs[0].report
    message = f"no input can be read; `{first.source_file}`: {first.skipped}"
    if mapping is not None:
        raise MappingError(message, hint="compare the mapping's columns with the file's header")
    raise UnknownFormat(message, hint="force a format with `--format`, or describe the columns with `--map`")
