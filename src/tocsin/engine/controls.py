"""Control records: whatever else changes a score or a restriction, in its place in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from tocsin.config import Settings
from tocsin.engine.erasure import Erasure, forget
from tocsin.engine.learning import learn, learn_many
from tocsin.errors import NotFound
from tocsin.record import Restriction, Verdict

if TYPE_CHECKING:
    from tocsin.engine.loop import Engine

__all__ = ["Controls", "Verdicts"]

_SETTLED: Final = ("alerts", "behaviour", "respond")
"""Sections of the settings that stand in the journal."""


class _Lift(msgspec.Struct):
    restriction: str
    by: str = ""


class Verdicts(msgspec.Struct, frozen=True):
    """Many verdicts as one control record: place `i` speaks of event `seqs[i]`; arrays are little-endian bytes."""

    seqs: bytes
    """int64"""
    bad: bytes
    """bool"""
    known_hour: int
    """All were known before this hour, counted from 1970."""


class Controls:
    """Writes control records and applies them, the same way when they are new and when they are read again."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.at_seq = 0
        """Controls applied since the last event: a snapshot says how many of them it holds already."""
        self.unsaved = False
        """Whether any was applied since the last snapshot."""
        self._settings: dict[str, Any] = {}
        self._groups: dict[str, str] = {}

    def state(self) -> dict[str, Any]:
        """Give what a snapshot keeps."""
        self.unsaved = False
        return {"at_seq": self.at_seq, "settings": self._settings, "groups": self._groups}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` gave."""
        self.at_seq = int(state.get("at_seq", 0))
        self._settings = state.get("settings", {})
        if self._settings:
            self._engine.configure(msgspec.convert(self._settings, Settings, strict=False))
        self._groups = state.get("groups", {})
        self._engine.model.group(self._groups, self._engine.key)

    def write(self, kind: str, body: bytes) -> None:
        """Apply a control record and journal it behind all events observed so far.

        Durable when this returns, unless another thread writes for the engine.
        """
        self.take(kind, body)
        self._engine.waiting.add_control(kind, body)
        if not self._engine.hosted:
            self._engine.flush()

    def take(self, kind: str, body: bytes) -> None:
        """Apply a control record that stands in the journal."""
        self.apply(kind, body)
        self.at_seq += 1
        self.unsaved = True

    def settle(self, settings: Settings, groups: dict[str, str]) -> None:
        """Journal the settings that scores and restrictions depend on, and the groups, where they changed."""
        scoring = {name: msgspec.to_builtins(getattr(settings, name)) for name in _SETTLED}
        if scoring != self._settings:
            self.write("settings", msgspec.json.encode(scoring))
        if groups != self._groups:
            self.write("groups", msgspec.json.encode(groups))

    def apply(self, kind: str, body: bytes) -> None:
        """Let one control record take effect; kinds of a later version are passed over."""
        engine = self._engine
        if kind == "settings":
            self._settings = msgspec.json.decode(body)
            engine.configure(msgspec.convert(self._settings, Settings, strict=False))
        elif kind == "groups":
            self._groups = msgspec.json.decode(body)
            engine.model.group(self._groups, engine.key)
        elif kind == "verdict":
            learn(engine, msgspec.json.decode(body, type=Verdict))
        elif kind == "verdicts":
            told = msgspec.msgpack.decode(body, type=Verdicts)
            learn_many(engine, np.frombuffer(told.seqs, np.int64), np.frombuffer(told.bad, bool), told.known_hour)
        elif kind == "lift":
            self._lift(msgspec.json.decode(body, type=_Lift))
        elif kind == "restrict":
            engine.story.restrict(msgspec.json.decode(body, type=Restriction))
        elif kind == "erase":
            forget(engine, msgspec.json.decode(body, type=Erasure).subject)

    def _lift(self, lift: _Lift) -> None:
        try:
            self._engine.story.lift(lift.restriction, by=lift.by)
        except NotFound:
            return  # it ran out before the person's word reached this place of the journal
