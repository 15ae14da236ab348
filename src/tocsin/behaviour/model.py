"""The whole model: columns in, scores out, state that can be written down and read back.

One instance is one shard. It owns its arrays and grows them; the kernels never allocate.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tocsin.behaviour import layout
from tocsin.behaviour.budget import Terms, forget_stories, new_desk, ring
from tocsin.behaviour.cold import freeze, idle, places_needed, thaw, vacated
from tocsin.behaviour.columns import FLAG_LATE
from tocsin.behaviour.feedback import Feedback
from tocsin.behaviour.hashing import hash_text
from tocsin.behaviour.layout import (
    F_FLAGS,
    F_GROUP,
    F_GROUP_NEXT,
    FLAG_FIXED_GROUP,
    Columns,
    Out,
)
from tocsin.behaviour.limits import limits_of
from tocsin.behaviour.live import DONE, NO_CELLS, NO_RATES, NO_SLOT, Lane, Observed, Rules, new_observed
from tocsin.behaviour.parents import more_uses, newer_uses
from tocsin.behaviour.passing import mark_absolute, mark_late, story_keys
from tocsin.behaviour.portrait import portrait
from tocsin.behaviour.rates import larger, measure_rates, newer_half
from tocsin.behaviour.registry import BUMPED, KNOWN, USED, VACANT, admit, find_slots, grown, rebuild_index
from tocsin.behaviour.runs import Runs
from tocsin.behaviour.score import score
from tocsin.behaviour.values import group_of

if TYPE_CHECKING:
    from pathlib import Path

    from tocsin.behaviour.columns import Encoded
    from tocsin.behaviour.hashing import HashKey
    from tocsin.behaviour.runs import Frozen
    from tocsin.config import Settings

__all__ = ["Model", "Observed"]

_WITNESS_BITS: Final = 4.0
"""Calibrated bits from which a feature counts as a witness of its own in the absolute rule."""
_NOBODY: Final = np.zeros(0, np.int64)


class Model:
    """What is normal for everybody, and how far from it each event is."""

    def __init__(self, settings: Settings, cold: Path | None = None) -> None:
        self.configure(settings)
        self._runs = Runs(cold) if cold is not None else None
        self._fixed: dict[int, int] = {}
        self.ents = layout.new_entities()
        self.parents = layout.new_parents()
        self.calib = layout.new_calibration()
        self.feedback = Feedback()
        self.rates = layout.new_rates()
        self.desk = new_desk()
        self._bench = layout.new_bench()
        self._lane = Lane()
        self.vacant = np.zeros(0, np.int32)
        self.clock = np.full(1, -np.inf)
        self.newcomers = _NOBODY
        """Places in the last batch of the first events of entities not known before it."""

    def configure(self, settings: Settings) -> None:
        """Take on settings; from the next event on."""
        self.limits = limits_of(settings)
        self.terms = Terms(
            float(settings.alerts.per_day), settings.alerts.mute_h * 3600.0, settings.alerts.story_h * 3600.0
        )
        self._most_resident = settings.behaviour.max_entities
        b = settings.behaviour
        self._rules = Rules(float(b.late_s), float(b.absolute_bits), _WITNESS_BITS)

    def group(self, groups: dict[str, str], key: HashKey) -> None:
        """Put entities into the operator's groups: name of the entity to name of the group."""
        roots = {name: hash_text(f"group:{name}", key) for name in sorted(set(groups.values()))}
        for root in roots.values():  # numbered by name, so that who is in memory does not matter
            group_of(self.parents.roots, self.parents.meta, np.uint64(root))
        self._fixed = {hash_text(name, key): roots[group] for name, group in groups.items()}
        self._assign(np.arange(int(self.ents.meta[USED]), dtype=np.int32))

    def _assign(self, slots: np.ndarray) -> None:
        """Give entities that the operator grouped their group, for good."""
        if not self._fixed:
            return
        known = np.fromiter(self._fixed, np.uint64, len(self._fixed))
        for slot in slots[np.isin(self.ents.keys[slots], known)]:
            group = group_of(self.parents.roots, self.parents.meta, np.uint64(self._fixed[int(self.ents.keys[slot])]))
            self.ents.facts[slot, F_GROUP] = self.ents.facts[slot, F_GROUP_NEXT] = group
            self.ents.facts[slot, F_FLAGS] |= FLAG_FIXED_GROUP

    @property
    def population(self) -> int:
        """How many entities are known, idle ones on disk included."""
        return int(self.ents.meta[KNOWN])

    @property
    def newest(self) -> datetime | None:
        """Time of the newest event observed."""
        return datetime.fromtimestamp(float(self.clock[0]), UTC) if np.isfinite(self.clock[0]) else None

    def describe(self, entity: str, key: HashKey) -> dict[str, Any] | None:
        """What is known of an entity, in plain values; None when it was never seen."""
        slots, subject = np.empty(1, np.int32), np.array([hash_text(entity, key)], np.uint64)
        self.recall(subject)
        if find_slots(self.ents, subject, slots):
            return None
        return portrait(self.ents, int(slots[0]))

    # --- one batch

    def observe(
        self, batch: Encoded, first_seq: int, extra: np.ndarray | None = None, skip: np.ndarray | None = None
    ) -> Observed:
        """Score a batch in journal order and learn from it; `skip` marks events to be passed over like late ones."""
        if len(batch.hour) == 1 and skip is None:
            return self._observe_one(batch, first_seq, extra)
        late = self._late(batch.times_s)
        if skip is not None:
            late |= skip
        slots = self._slots(batch)
        rates = self._rates(batch, late)
        columns = Columns(
            slot=slots,
            hour=batch.hour,
            half=batch.half,
            weekday=batch.weekday,
            kind=batch.kind,
            flags=np.where(late, batch.flags | np.uint8(FLAG_LATE), batch.flags),
            values=batch.values,
            sizes=batch.sizes,
            quantity=batch.quantity,
            rates=rates,
            extra=extra if extra is not None else self._outcomes(batch),
        )
        out = self._score(columns)
        absolute = np.empty(len(late), bool)
        mark_absolute(self.ents.facts, slots, columns.flags, out.x, out.tail, self._rules, absolute)
        return self._ring(batch, first_seq, columns, out, late, absolute)

    def _observe_one(self, batch: Encoded, seq: int, extra: np.ndarray | None) -> Observed:
        """The same for one event, at a fraction of what it would cost as a batch."""
        self.newcomers = _NOBODY
        observed = self._lane.place()
        if extra is not None or self.feedback.told:
            observed.extra[:] = extra if extra is not None else self._outcomes(batch)
        step = NO_SLOT
        while True:
            state = (
                self.ents,
                self.parents,
                self.calib,
                self.rates,
                self.desk,
                self.clock,
                self.limits,
                self.terms,
                self._rules,
            )
            step = self._lane.run(state, batch, seq, step)
            if step == DONE:
                return observed
            self._find_room(step, batch)

    def _find_room(self, step: int, batch: Encoded) -> None:
        if step == NO_SLOT:
            self._slots(batch)
        elif step == NO_RATES:
            self._grow_rates()
        elif step == NO_CELLS:
            self._grow_state()
        else:
            self.desk = forget_stories(self.desk)

    def _late(self, times_s: np.ndarray) -> np.ndarray:
        """Further behind the newest event before it than the stated tolerance."""
        late = np.empty(len(times_s), bool)
        mark_late(times_s, self.clock, self._rules.late_s, late)
        return late

    def _slots(self, batch: Encoded) -> np.ndarray:
        slots = np.empty(len(batch.subject), np.int32)
        self.newcomers = _NOBODY
        if find_slots(self.ents, batch.subject, slots):
            fresh = slots < 0
            unknown, first = np.unique(batch.subject[fresh], return_index=True)
            self._evict(len(unknown), slots[~fresh])
            back = self._runs.take(unknown) if self._runs is not None else None
            self._make_room(len(unknown))
            admit(self.ents, self.vacant, batch.subject, batch.hour, slots)
            self.ents.meta[KNOWN] += len(unknown)
            new = np.ones(len(unknown), bool) if back is None else ~np.isin(unknown, back["keys"])
            self.newcomers = np.sort(np.flatnonzero(fresh)[first[new]])
            if back is not None:
                self._take_back(back)
            if self._fixed:
                self._assign(np.unique(slots[fresh]))
        return slots

    def recall(self, subjects: np.ndarray) -> None:
        """Bring those of `subjects` (uint64 keys) that are idle on disk back into memory."""
        slots = np.empty(len(subjects), np.int32)
        if self._runs is None or not find_slots(self.ents, subjects, slots):
            return
        back = self._runs.take(np.unique(subjects[slots < 0]))
        if back is not None:
            count = len(back["keys"])
            self._make_room(count)
            admit(self.ents, self.vacant, back["keys"], np.zeros(count, np.int32), np.full(count, -1, np.int32))
            self.ents.meta[KNOWN] += count
            self._take_back(back)

    def forget(self, subject: int, *, lasting: bool = True) -> None:
        """Drop the profile of a subject (its keyed hash); `lasting` rewrites idle profiles on disk too."""
        key, slots = np.array([subject], np.uint64), np.empty(1, np.int32)
        self.recall(key)
        if lasting and self._runs is not None:
            self._runs.forget(key)
        if not find_slots(self.ents, key, slots):
            freeze(self.ents, self.desk, slots.astype(np.int64))
            self.vacant = vacated(self.ents, self.vacant, slots.astype(np.int64))
            self.ents.meta[KNOWN] -= 1

    def purge(self) -> None:
        """Remove from disk the idle profiles that only earlier snapshots count on."""
        if self._runs is not None:
            self._runs.purge()

    def _evict(self, more: int, here: np.ndarray) -> None:
        """Let the entities seen longest ago go to disk, a quarter at a time, when there are too many with `more`."""
        resident = int(self.ents.meta[USED]) - int(self.ents.meta[VACANT])
        if self._runs is None or resident + more <= self._most_resident:
            return
        slots = idle(self.ents, here, max(self._most_resident // 4, resident + more - self._most_resident))
        if len(slots):
            self._runs.write(freeze(self.ents, self.desk, slots))
            self.vacant = vacated(self.ents, self.vacant, slots)

    def _take_back(self, back: Frozen) -> None:
        slots, need = np.empty(len(back["keys"]), np.int32), places_needed(back)
        find_slots(self.ents, back["keys"], slots)
        if int(self.ents.meta[BUMPED]) + need > len(self.ents.cells):
            self.ents = self.ents._replace(cells=grown(self.ents.cells, len(self.ents.cells) * 3 // 2 + need))
        thaw(self.ents, self.desk, slots, back)
        self.ents.meta[KNOWN] -= len(slots)

    def _make_room(self, more: int) -> None:
        need = int(self.ents.meta[USED]) + max(more - int(self.ents.meta[VACANT]), 0)
        if need > len(self.ents.keys):
            size = max(need, len(self.ents.keys) * 5 // 4)
            self.ents = self.ents._replace(
                **{name: grown(getattr(self.ents, name), size) for name in ("keys", "rows", "facts", "top")}
            )
            alerts = np.full(size, -1, np.int64)
            alerts[: len(self.desk.alert_of)] = self.desk.alert_of
            self.desk = self.desk._replace(entities=grown(self.desk.entities, size), alert_of=alerts)
        if need * 2 > len(self.ents.index_keys):
            size = 1 << int(np.ceil(np.log2(need * 3)))
            keys, slots = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
            self.ents = self.ents._replace(index_keys=keys, index_slots=slots)
            rebuild_index(self.ents.keys, int(self.ents.meta[USED]), self.ents.index_keys, self.ents.index_slots)

    def _rates(self, batch: Encoded, late: np.ndarray) -> np.ndarray:
        rates = np.empty((len(late), 3, 3), np.float32)
        times = np.where(late, -1.0, batch.times_s)
        done = 0
        while True:
            table = self.rates.table
            states, lasts = table.view(np.float32), table.view(np.uint32)
            most = self.limits.most_rates
            done = measure_rates(self.rates, states, lasts, batch.rate_keys, times, rates, done, most)
            if done == len(late):
                return rates
            self._grow_rates()

    def _grow_rates(self) -> None:
        full = int(self.rates.meta[0]) * 3 + 16 > len(self.rates.table) * 2
        self.rates = larger(self.rates) if full else newer_half(self.rates)

    def _score(self, columns: Columns) -> Out:
        m = len(columns.slot)
        out = new_observed(m).out
        done = 0
        while True:
            cells = self.ents.cells
            done = score(
                self.ents,
                cells.view(np.float32),
                cells.view(np.int32),
                self.parents,
                self.calib,
                columns,
                out,
                done,
                self.limits,
                self._bench,
            )
            if done == m:
                return out
            self._grow_state()

    def _grow_state(self) -> None:
        cells, bumped = self.ents.cells, int(self.ents.meta[1])
        if bumped + (4 << self.limits.max_log) > len(cells):
            self.ents = self.ents._replace(cells=grown(cells, len(cells) * 5 // 4 + (8 << self.limits.max_log)))
        elif int(self.parents.meta[0]) > self.limits.most_uses:
            self.parents = newer_uses(self.parents)
        else:
            self.parents = more_uses(self.parents)

    def _ring(
        self, batch: Encoded, first_seq: int, columns: Columns, out: Out, late: np.ndarray, absolute: np.ndarray
    ) -> Observed:
        slots, extra = columns.slot, columns.extra
        m = len(slots)
        accumulated, alert_seq = np.empty(m, np.float32), np.empty(m, np.int64)
        stories = np.empty(m, np.uint64)
        story_keys(out.x, batch.values, _WITNESS_BITS, stories)
        done = 0
        while True:
            done = ring(
                self.desk,
                self.terms,
                first_seq,
                slots,
                batch.times_s,
                out.tail,
                out.fresh,
                absolute,
                stories,
                accumulated,
                alert_seq,
                done,
            )
            if done == m:
                break
            self.desk = forget_stories(self.desk)
        return Observed(out, late, slots, accumulated, alert_seq, absolute, extra)

    def learn(self, batch: Encoded, x: np.ndarray, bad: np.ndarray, known_hour: int) -> None:
        """Let verdicts teach: `x` float32[n, F] is what was kept of the calibrated bits of these events."""
        self.feedback.learn(
            x=x,
            values=batch.values,
            subject=batch.subject,
            kind=batch.kind,
            hour=batch.hour,
            bad=bad,
            known_hour=known_hour,
        )
        self.calib.weights[:] = self.feedback.weights

    def _outcomes(self, batch: Encoded) -> np.ndarray:
        return self.feedback.extra(batch.values, batch.subject, batch.kind, batch.hour)  # noqa: S610 - not Django's

    # --- what survives

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything, by name; `restore` takes it back."""
        parts: dict[str, Any] = {
            "ents": self.ents,
            "parents": self.parents,
            "calib": self.calib,
            "rates": self.rates,
            "desk": self.desk,
        }
        named = {f"{part}.{name}": getattr(v, name) for part, v in parts.items() for name in v._fields}
        named |= {f"feedback.{name}": value for name, value in self.feedback.arrays().items()}
        if self._runs is not None:
            named["cold.runs"] = self._runs.listed()
        return named | {"vacant": self.vacant, "clock": self.clock}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Take back what `arrays` gave, on any machine."""
        for part in ("ents", "parents", "calib", "rates", "desk"):
            value = getattr(self, part)
            setattr(self, part, type(value)(*(np.array(arrays[f"{part}.{name}"]) for name in value._fields)))
        told = "feedback."
        self.feedback.restore({name.removeprefix(told): v for name, v in arrays.items() if name.startswith(told)})
        self.vacant = np.array(arrays["vacant"])
        self.clock = np.array(arrays["clock"])
        if self._runs is not None and "cold.runs" in arrays:
            self._runs.restore(arrays["cold.runs"])
