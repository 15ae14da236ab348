"""Detection figures that several benches print, and where they find the data they are measured on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

if TYPE_CHECKING:
    import numpy as np

HEADER = f"{'method':44s} {'AUC':>6s} {'AP':>6s} {'TPR@0.1%':>9s} {'TPR@1%':>7s}"


def data(folder: str) -> Path:
    """A folder of the data named by TOCSIN_DATA; default `../shared/data` from the root of the repository."""
    root = Path(os.environ.get("TOCSIN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (root / folder).exists():
        raise SystemExit(f"no data at {root / folder}: name its folder in TOCSIN_DATA")
    return root / folder


def row(name: str, score: np.ndarray, label: np.ndarray) -> str:
    """One line of a table; ties are one threshold, rates are at or under the stated share of false positives."""
    false, true, _ = roc_curve(label, score, drop_intermediate=False)
    rates = [true[false <= most].max(initial=0.0) for most in (1e-3, 1e-2)]
    auc, ap = roc_auc_score(label, score), average_precision_score(label, score)
    return f"{name:44s} {auc:6.3f} {ap:6.3f} {rates[0]:9.3f} {rates[1]:7.3f}"
