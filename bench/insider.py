"""Detection of an insider's days: one employee of CERT r4.2, 230 labelled days, 28 of them anomalous; no labels seen.

    TOCSIN_DATA=../shared/data python bench/insider.py

A day's score is the sum over its events of what `tocsin replay --scores` writes for each; the greatest of the day
stands beside it. Peers see the same days as counts of each action, of distinct resources and of events outside office
hours: the sum of absolute z-scores against all days before (at least ten), and an isolation forest fitted on all days.
One employee has no peers and the anomalous days come late in the year, so whatever grows with time looks good here: the
number of events alone is a peer too. Twenty-eight days make these figures uncertain by about 0.03 of AUC.
"""

from __future__ import annotations

import csv
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from measures import HEADER, data, row
from sklearn.ensemble import IsolationForest

from tocsin.behaviour.columns import encode
from tocsin.behaviour.model import Model
from tocsin.config import Settings
from tocsin.sources import Enrichment, gather

KEY = (np.uint64(1), np.uint64(2))
OFFICE = (7, 18)


def events(folder: Path) -> pa.RecordBatch:
    """Everything the employee did, in journal order."""
    with tempfile.TemporaryDirectory() as spill:
        gathering = gather([folder], enrichment=Enrichment(), now=datetime(2012, 1, 1, tzinfo=UTC), spill=Path(spill))
        return pa.Table.from_batches(list(gathering.batches())).combine_chunks().to_batches()[0]


def daily_counts(batch: pa.RecordBatch, day: np.ndarray, days: int) -> np.ndarray:
    """float64[days, columns]: each action, distinct resources, events outside office hours."""
    inside = day >= 0
    actions = batch.column("action").to_pylist()
    columns = [
        np.bincount(day[inside & np.array([a == action for a in actions])], minlength=days)
        for action in sorted(set(actions))
    ]
    resources = {(d, r) for d, r in zip(day, batch.column("resource").to_pylist(), strict=True) if d >= 0}
    columns.append(np.bincount([d for d, _ in resources], minlength=days))
    hour = pc.hour(batch.column("time")).to_numpy()
    columns.append(np.bincount(day[inside & ((hour < OFFICE[0]) | (hour >= OFFICE[1]))], minlength=days))
    return np.stack(columns, axis=1).astype(float)


def z_scores(counts: np.ndarray, least: int = 10) -> np.ndarray:
    """Sum of absolute z-scores of every day against the days before it."""
    score = np.zeros(len(counts))
    for d in range(least, len(counts)):
        past = counts[:d]
        score[d] = np.abs((counts[d] - past.mean(axis=0)) / np.maximum(past.std(axis=0), 0.5)).sum()
    return score


def main() -> None:
    folder = data("insider-cert-r4.2")
    with next(folder.glob("*/days.csv")).open() as file:
        truth = {line["day"]: int(line["anomalous"]) for line in csv.DictReader(file)}
    place = {name: d for d, name in enumerate(sorted(truth))}
    label = np.array([truth[name] for name in place])
    batch = events(folder)
    day = np.array([place.get(name, -1) for name in pc.strftime(batch.column("time"), "%Y-%m-%d").to_pylist()])
    observed = Model(Settings()).observe(encode(batch, KEY), 0)
    inside = day >= 0
    print(f"{batch.num_rows:,} events, {len(label)} days, {label.sum()} anomalous\n{HEADER}")
    bits = {"surprise": observed.out.surprise, "tail": observed.out.tail, "accumulated": observed.accumulated}
    for name, raw in bits.items():
        score, most = np.nan_to_num(raw), np.zeros(len(label))
        np.maximum.at(most, day[inside], score[inside])
        print(row(f"Tocsin, {name} bits, sum of the day", np.bincount(day[inside], score[inside], len(label)), label))
        print(row(f"Tocsin, {name} bits, most of the day", most, label))
    counts = daily_counts(batch, day, len(label))
    print(row("daily z-scores", z_scores(counts), label))
    print(
        row(
            "isolation forest on daily counts",
            -IsolationForest(random_state=7).fit(counts).score_samples(counts),
            label,
        )
    )
    print(row("number of events", np.bincount(day[inside], minlength=len(label)), label))


if __name__ == "__main__":
    main()
