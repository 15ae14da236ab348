"""What is normal: profiles learned from events, and how far from them each event is."""

from __future__ import annotations

from tocsin.behaviour.columns import FLAG_PRIVILEGED, FLAG_SENSITIVE, Encoded, encode
from tocsin.behaviour.explain import reasons
from tocsin.behaviour.features import FEATURES
from tocsin.behaviour.hashing import key_of
from tocsin.behaviour.judge import judge
from tocsin.behaviour.model import Model, Observed

__all__ = [
    "FEATURES",
    "FLAG_PRIVILEGED",
    "FLAG_SENSITIVE",
    "Encoded",
    "Model",
    "Observed",
    "encode",
    "judge",
    "key_of",
    "reasons",
]
