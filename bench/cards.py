"""Card payments (June and July 2018): without labels, and with labels that arrive seven days late.

    python bench/cards.py        TOCSIN_DATA names the data folder; ../shared/data otherwise

Everything is scored in the order of time by the model as it ships. Its constants were chosen on April and May; the
figures are of June and July. The forests are trained on April and May: the isolation forest without labels, the
random forest with all of theirs and with counts of known fraud made for this data set, so it is a hard peer.
"""

from __future__ import annotations

import os
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sklearn.ensemble import IsolationForest, RandomForestClassifier

from tocsin.behaviour import Encoded, Model, encode
from tocsin.config import Settings
from tocsin.event import EVENT_SCHEMA

DELAY_D = 7
FIRST_DAY, REPORT_DAY = 14, 61
HOUR_S = 3_600
TRACE = 8


def read() -> tuple[pa.Table, Encoded]:
    folder = Path(os.environ.get("TOCSIN_DATA", Path(__file__).parents[1] / "../shared/data")) / "card-payments"
    files = sorted(folder.glob("*.parquet"))
    if not files:
        sys.exit(f"no card payments in {folder}")
    rows = pq.read_table(files[0]).sort_by([("TX_DATETIME", "ascending"), ("TRANSACTION_ID", "ascending")])
    said = {
        "time": rows["TX_DATETIME"].cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
        "kind": pa.repeat("payment", rows.num_rows),
        "action": pa.repeat("pay", rows.num_rows),
        "outcome": pa.repeat("success", rows.num_rows),
        "subject": pc.binary_join_element_wise("card", rows["CUSTOMER_ID"].cast(pa.string()), ":"),
        "counterparty": pc.binary_join_element_wise("terminal", rows["TERMINAL_ID"].cast(pa.string()), ":"),
        "amount": rows["TX_AMOUNT"],
    }
    columns = [said.get(f.name, pa.nulls(rows.num_rows, f.type)).cast(f.type) for f in EVENT_SCHEMA]
    table = pa.table(columns, schema=pa.schema([f.with_nullable(True) for f in EVENT_SCHEMA]))
    return rows, encode(table.combine_chunks().to_batches()[0], (np.uint64(1), np.uint64(2)))


def cut(events: Encoded, start: int, stop: int) -> Encoded:
    return Encoded(*(column[start:stop] for column in events))


def tocsin(events: Encoded, bad: np.ndarray, *, labels: bool) -> tuple[np.ndarray, np.ndarray, float]:
    """Tail and surprise of every event, an hour at a time, and the seconds of processor time it took."""
    model, began = Model(Settings()), time.process_time()
    trace, tail, surprise = np.zeros((len(bad), 0)), np.zeros(len(bad)), np.zeros(len(bad))
    known = 0
    edges = np.flatnonzero(np.r_[True, np.diff(events.hour) != 0, True])
    for start, stop in pairwise(edges):
        hour = int(events.hour[start])
        due = int(np.searchsorted(events.times_s, (hour - 24 * DELAY_D) * HOUR_S, side="right"))
        if labels and due > known:
            x = trace[known:due].astype(np.float32) / TRACE
            model.learn(cut(events, known, due), x, bad[known:due], hour)
            known = due
        out = model.observe(cut(events, int(start), int(stop)), int(start)).out
        if not start:
            trace = np.zeros((len(bad), out.x.shape[1]), np.uint8)
        trace[start:stop] = np.minimum(out.x * TRACE, 255)
        tail[start:stop], surprise[start:stop] = out.tail, out.surprise
    return tail, surprise, time.process_time() - began


def running_z(card: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Amount against the mean and deviation of all the card's amounts before it."""
    order = np.argsort(card, kind="stable")
    c, a = card[order], amount[order]
    first = np.flatnonzero(np.r_[True, c[1:] != c[:-1]])
    start = np.repeat(first, np.diff(np.r_[first, len(c)]))
    n = np.arange(len(c)) - start
    sums, squares = np.r_[0, np.cumsum(a)], np.r_[0, np.cumsum(a * a)]
    at = np.arange(len(c))
    mean = (sums[at] - sums[start]) / np.maximum(n, 1)
    spread = np.sqrt(np.maximum((squares[at] - squares[start]) / np.maximum(n, 1) - mean**2, 1.0))
    z = np.empty(len(c))
    z[order] = np.where(n > 1, (a - mean) / spread, 0.0)
    return z


def past(key: np.ndarray, day: np.ndarray, weight: np.ndarray, days: int, lag: int) -> np.ndarray:
    """Sum of `weight` over the key's rows of `days` whole days that ended `lag` days before."""
    daily = np.zeros((key.max() + 1, day.max() + 2))
    np.add.at(daily, (key, day + 1), weight)
    summed = daily.cumsum(axis=1)
    return summed[key, np.maximum(day - lag, 0)] - summed[key, np.maximum(day - lag - days, 0)]


def forest_columns(rows: pa.Table, z: np.ndarray, bad: np.ndarray | None) -> np.ndarray:
    names = ("CUSTOMER_ID", "TERMINAL_ID", "TX_TIME_DAYS", "TX_TIME_SECONDS", "TX_AMOUNT")
    card, terminal, day, second, amount = (rows[name].to_numpy() for name in names)
    ones = np.ones(len(day))
    columns = [amount, z, second % 86_400 / HOUR_S, day % 7]
    columns += [past(card, day, weight, days, 0) for days in (1, 7, 30) for weight in (ones, amount)]
    if bad is not None:
        for key in (card, terminal):
            for days in (1, 7, 30):
                columns += [past(key, day, bad.astype(float), days, DELAY_D), past(key, day, ones, days, DELAY_D)]
    return np.stack(columns, axis=1).astype(np.float32)


def figures(score: np.ndarray, bad: np.ndarray) -> tuple[float, float, float]:
    """Average precision (ties are one threshold) and the true-positive rates at 0.1% and 1% false positives."""
    order = np.argsort(-score, kind="stable")
    hits, falls = np.cumsum(bad[order]), np.cumsum(~bad[order])
    last = np.r_[np.diff(score[order]) != 0, True]
    rate, false = hits[last] / hits[-1], falls[last] / falls[-1]
    precision = hits[last] / (hits[last] + falls[last])
    at = [float(rate[false <= share].max(initial=0.0)) for share in (0.001, 0.01)]
    return float(np.sum(np.diff(np.r_[0.0, rate]) * precision)), at[0], at[1]


def main() -> None:
    rows, events = read()
    bad = rows["TX_FRAUD"].to_numpy().astype(bool)
    day = rows["TX_TIME_DAYS"].to_numpy()
    told = day >= REPORT_DAY
    early = (day >= FIRST_DAY) & ~told
    z = running_z(rows["CUSTOMER_ID"].to_numpy(), rows["TX_AMOUNT"].to_numpy())
    rng = np.random.default_rng(0)
    table: list[tuple[str, str, np.ndarray]] = []
    for labels, words in ((False, "none"), (True, f"{DELAY_D} days late")):
        tail, surprise, seconds = tocsin(events, bad, labels=labels)
        table += [(f"tocsin, tail ({seconds:.0f} s)", words, tail), ("tocsin, surprise", words, surprise)]
    table.append(("running z-score of the amount", "none", z))
    plain = forest_columns(rows, z, None)
    some = rng.choice(np.flatnonzero(early), 100_000, replace=False)
    alone = IsolationForest(random_state=0).fit(plain[some])
    table.append(("isolation forest", "none", np.r_[np.zeros((~told).sum()), -alone.score_samples(plain[told])]))
    informed = forest_columns(rows, z, bad)
    some = np.union1d(some, np.flatnonzero(early & bad))
    forest = RandomForestClassifier(100, min_samples_leaf=3, random_state=0).fit(informed[some], bad[some])
    table.append(
        ("random forest", "April, May", np.r_[np.zeros((~told).sum()), forest.predict_proba(informed[told])[:, 1]])
    )
    print(f"card payments: {len(bad):,} read, {told.sum():,} reported on (June, July 2018), {bad[told].mean():.2%} bad")
    print(f"{'method':34}{'labels':14}{'AP':>8}{'TPR@0.1%':>10}{'TPR@1%':>10}")
    for name, words, score in table:
        ap, low, high = figures(score[told], bad[told])
        print(f"{name:34}{words:14}{ap:8.3f}{low:10.3f}{high:10.3f}")


if __name__ == "__main__":
    main()
