"""What became known of events, taught to the profiles and to the learner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tocsin.behaviour import Encoded, encode, judge
from tocsin.engine.traces import TRACE_STEPS, traces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.engine.loop import Engine
    from tocsin.record import Verdict

__all__ = ["learn", "learn_many"]

_HOUR_S: Final = 3_600


def learn(engine: Engine, verdict: Verdict) -> None:
    """Let one verdict of a person teach: the learner, and what waits in quarantine."""
    known_hour = int(verdict.known_at.timestamp()) // _HOUR_S
    learn_many(engine, np.array([verdict.seq]), np.array([verdict.bad]), known_hour)


def learn_many(engine: Engine, seqs: NDArray[np.int64], bad: NDArray[np.bool_], known_hour: int) -> None:
    """Let verdicts on events `seqs` teach, known before `known_hour` (hours since 1970)."""
    held = (seqs >= 0) & (seqs < engine.seq)
    if not held.any():
        return
    seqs, bad = seqs[held], bad[held]
    order = np.argsort(seqs, kind="stable")
    seqs, bad = seqs[order], bad[order]
    (batch,) = engine.home.journal.take(seqs).combine_chunks().to_batches()
    encoded = encode(batch, engine.key)
    trace = traces(engine.scores, seqs)
    engine.model.learn(encoded, trace.trace.astype(np.float32) / TRACE_STEPS, bad, known_hour)
    far = bad | (trace.tail >= engine.model.limits.quarantine_bits)
    if far.any():
        engine.model.recall(encoded.subject[far])
        judge(engine.model.ents, Encoded(*(column[far] for column in encoded)), bad[far])
