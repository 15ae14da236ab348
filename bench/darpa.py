"""Detection on a stream of connections: DARPA 1998, 4.5M edges with minute resolution, no labels seen.

    TOCSIN_DATA=../shared/data python bench/darpa.py

Tocsin reads the file with `examples/mappings/darpa.toml` and scores it in journal order; nothing is fitted. Peers in
the same run: MIDAS-R (Bhatia et al. 2020, formulas of sections 4 and 5, retention 0.5, exact counts in place of its
sketches) and an isolation forest fitted on 100,000 edges drawn from the whole stream, on the counts that MIDAS-R keeps.
Settings were chosen with the figures of the first third in view, and the shape of false alarms of all of it (a name
server's storm on day 52, a nightly job) was looked at: the whole is not a blind test. Attacks are 60% of the rows.
"""

from __future__ import annotations

import tempfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from measures import HEADER, data, row
from numba import njit
from sklearn.ensemble import IsolationForest

from tocsin.behaviour.columns import Encoded, encode
from tocsin.behaviour.model import Model
from tocsin.config import Settings
from tocsin.sources import Enrichment, gather

MAPPING = Path(__file__).resolve().parents[1] / "examples" / "mappings" / "darpa.toml"
KEY = (np.uint64(1), np.uint64(2))
RETENTION = 0.5


def labels(archive: Path) -> np.ndarray:
    """Whether each line of the file, in its own order, is an attack."""
    with zipfile.ZipFile(archive) as z, z.open("darpa_original.csv") as lines:
        return np.array([not line.rstrip().endswith(b",-") for line in lines])


def ours(archive: Path) -> tuple[Encoded, np.ndarray, np.ndarray, np.ndarray]:
    """The stream as numbers, the line of every event, and its tail and surprise."""
    model, parts, lines, tails, surprises = Model(Settings()), [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(archive) as z:
            path = z.extract("darpa_original.csv", folder)
        gathering = gather(
            [path], enrichment=Enrichment(), now=datetime(1999, 1, 1, tzinfo=UTC), spill=Path(folder), mapping=MAPPING
        )
        done = 0
        for batch in gathering.batches():
            parts.append(encode(batch, KEY))
            observed = model.observe(parts[-1], done)
            tails.append(observed.out.tail)
            surprises.append(observed.out.surprise)
            lines.append(batch.column("source_line").to_numpy())
            done += batch.num_rows
    whole = Encoded(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return whole, np.concatenate(lines), np.concatenate(tails), np.concatenate(surprises)


@njit
def midas_r(tick: np.ndarray, key: np.ndarray, keys: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Score, current count and total of one role of every edge."""
    current, total, last = np.zeros(keys), np.zeros(keys), np.zeros(keys)
    score, now, ever = np.zeros(len(tick)), np.zeros(len(tick)), np.zeros(len(tick))
    for i in range(len(tick)):
        k, t = key[i], tick[i]
        current[k] = current[k] * RETENTION ** (t - last[k]) + 1.0
        total[k] += 1.0
        last[k] = t
        if t > 1:
            score[i] = (current[k] - total[k] / t) ** 2 * t * t / (total[k] * (t - 1))
        now[i], ever[i] = current[k], total[k]
    return score, now, ever


def main() -> None:
    archive = data("edge-stream-darpa") / "darpa_original.zip"
    stream, lines, tail, surprise = ours(archive)
    label = labels(archive)[lines - 1]
    tick = ((stream.times_s - stream.times_s[0]) // 60).astype(np.int64) + 1
    roles = [np.unique(stream.rate_keys[:, j], return_inverse=True)[1] for j in range(3)]
    kept = [midas_r(tick, role, int(role.max()) + 1) for role in roles]
    counts = np.log1p(np.stack([c for _, now, ever in kept for c in (now, ever)], axis=1))
    rng = np.random.default_rng(7)
    forest = IsolationForest(random_state=7).fit(counts[rng.choice(len(counts), 100_000, replace=False)])
    methods = {
        "Tocsin, tail bits": np.nan_to_num(tail),
        "Tocsin, surprise bits": np.nan_to_num(surprise),
        "MIDAS-R, exact counts": np.max([score for score, _, _ in kept], axis=0),
        "isolation forest on its counts": -forest.score_samples(counts),
    }
    third = len(label) // 3
    print(f"{len(label):,} edges, {label.mean():.0%} attacks, late {np.isnan(tail).sum():,}")
    for title, part in (("first third", slice(third)), ("the rest", slice(third, None)), ("whole", slice(None))):
        print(f"\n{title}\n{HEADER}")
        for name, score in methods.items():
            print(row(name, score[part], label[part]))


if __name__ == "__main__":
    main()
