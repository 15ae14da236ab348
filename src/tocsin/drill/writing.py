"""From columns to Tocsin's JSON lines, a gzipped file a day, in bulk."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tocsin.drill.ordinary import DAY_US
from tocsin.drill.places import device_text
from tocsin.drill.plan import HOST_BITS, NETWORKS, address_text
from tocsin.drill.town import Town, subject_text
from tocsin.drill.vocabulary import ACTIONS, agent_text, resource_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tocsin.drill.columns import Array, Columns

__all__ = ["EVENTS_FOLDER", "day_name", "write_day"]

EVENTS_FOLDER: Final = "events"
_GZIP_LEVEL: Final = 1
_SESSION_TEXT: Final = '"session":"s'


def day_name(town: Town, day: int) -> str:
    """Path of a day's file, relative to the drill's folder."""
    return f"{EVENTS_FOLDER}/{np.datetime64(town.start_us + day * DAY_US, 'us').astype('datetime64[D]')}.jsonl.gz"


def write_day(out: Path, town: Town, day: int, columns: Columns) -> int:
    """Write one day's events, already in order of time; returns the bytes written."""
    path = out / day_name(town, day)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", _GZIP_LEVEL, raw, mtime=0) as packed:
        _write_lines(packed, town, day, columns)
    return path.stat().st_size


def _write_lines(target: gzip.GzipFile, town: Town, day: int, columns: Columns) -> None:
    date = day_name(town, day)[len(EVENTS_FOLDER) + 1 :].partition(".")[0]
    millisecond = ((columns["time"] - town.start_us - day * DAY_US) // 1000).astype(np.int32)
    clock = pc.cast(pa.array(millisecond).cast(pa.time32("ms")), pa.string())
    lines = pc.binary_join_element_wise(
        pa.scalar(f'{{"time":"{date}T'),
        clock,
        pa.scalar('Z",'),
        _texts(columns["action"], _action_fragment),
        _texts(columns["subject"], lambda code: f'"subject":"{subject_text(town, code)}",'),
        _texts(columns["resource"], lambda code: f'"resource":"{resource_text(code)}",'),
        _numbers(columns["bytes_in"], '"bytes_in":', ","),
        _numbers(columns["bytes_out"], '"bytes_out":', ","),
        _numbers(columns["count"], '"count":', ","),
        _numbers(columns["session"], _SESSION_TEXT, '",'),
        _texts(columns["failed"].astype(np.int64), lambda bad: f'"outcome":"{"failure" if bad else "success"}",'),
        _texts(columns["address"], _address_fragment),
        _texts(columns["device"], lambda code: f',"device":"{device_text(code)}"'),
        _texts(columns["agent"], lambda code: f',"agent":{json.dumps(agent_text(code))}'),
        pa.scalar("}}\n"),
        pa.scalar(""),
    )
    for start in range(0, len(lines), 1 << 16):
        part = pa.concat_arrays([lines.slice(start, 1 << 16)])
        target.write(memoryview(part.buffers()[2] or b""))


def _texts(codes: Array, text: Callable[[int], str]) -> pa.Array:
    """One text for each code, written once a distinct code; nothing where the code is negative."""
    distinct, place = np.unique(codes, return_inverse=True)
    written = pa.array(["" if code < 0 else text(code) for code in distinct.tolist()], pa.string())
    return written.take(pa.array(place))


def _numbers(values: Array, before: str, after: str) -> pa.Array:
    """Numbers between two texts; nothing where the number is negative."""
    present = pa.array(values >= 0)
    joined = pc.binary_join_element_wise(before, pa.array(values).cast(pa.string()), after, "")
    return pc.if_else(present, joined, "")


def _action_fragment(code: int) -> str:
    action = ACTIONS[code]
    marks = ('"privileged":true,' if action.privileged else "") + ('"sensitive":true,' if action.sensitive else "")
    return f'"kind":"{action.kind}","action":"{action.name}",{marks}'


def _address_fragment(code: int) -> str:
    network = NETWORKS[code >> HOST_BITS]
    return f'"origin":{{"address":"{address_text(code)}","network":"{network.asn}","country":"{network.country}"'
