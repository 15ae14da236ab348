"""Control records: whatever else changes a score or a restriction, in its place in the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from tocsin.config import Settings
from tocsin.errors import NotFound
from tocsin.record import Restriction, Verdict

if TYPE_CHECKING:
    from tocsin.engine.loop import Engine

__all__ = ["Controls", "Verdicts"]


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
        self._settings: dict[str, Any] = {}
        self._groups: dict[str, str] = {}

    def state(self) -> dict[str, Any]:
        """Give what a snapshot keeps."""
        return {"at_seq": self.at_seq, "settings": self._settings, "groups": self._groups}

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` gave."""
        self.at_seq = int(state.get("at_seq", 0))
        self._settings = state.get("settings", {})
        if self._settings:
            self._engine.model.configure(msgspec.convert(self._settings, Settings, strict=False))
        self._groups = state.get("groups", {})
        self._engine.model.group(self._groups, self._engine.key)

    def write(self, kind: str, body: bytes) -> None:
        """Journal a control record, then apply it."""
        self._engine.home.journal.append_control(kind, body)
        self._engine.home.journal.commit()
        self.apply(kind, body)
        self.at_seq += 1

    def settle(self, settings: Settings, groups: dict[str, str]) -> None:
        """Journal the settings that scores depend on, and the operator's groups, where they changed."""
        scoring = {name: msgspec.to_builtins(getattr(settings, name)) for name in ("alerts", "behaviour")}
        if scoring != self._settings:
            self.write("settings", msgspec.json.encode(scoring))
        if groups != self._groups:
            self.write("groups", msgspec.json.encode(groups))

    def apply(self, kind: str, body: bytes) -> None:
        """Let one control record take effect; kinds of a later version are passed over."""
        engine = self._engine
        if kind == "settings":
            self._settings = msgspec.json.decode(body)
            engine.model.configure(msgspec.convert(self._settings, Settings, strict=False))
        elif kind == "groups":
            self._groups = msgspec.json.decode(body)
            engine.model.group(self._groups, engine.key)
        elif kind == "verdict":
            engine.learn(msgspec.json.decode(body, type=Verdict))
        elif kind == "verdicts":
            told = msgspec.msgpack.decode(body, type=Verdicts)
            engine.learn_many(np.frombuffer(told.seqs, np.int64), np.frombuffer(told.bad, bool), told.known_hour)
        elif kind == "lift":
            self._lift(msgspec.json.decode(body, type=_Lift))
        elif kind == "restrict":
            engine.story.responder.take(msgspec.json.decode(body, type=Restriction))

    def _lift(self, lift: _Lift) -> None:
        try:
            self._engine.story.responder.lift(lift.restriction, by=lift.by)
        except NotFound:
            return  # it ran out before the person's word reached this place of the journal
