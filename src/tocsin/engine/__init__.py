"""The closed loop: events in; scores, explained alerts and restrictions out; everything durable on the way.

>>> from tocsin import Engine  # doctest: +SKIP
>>> with Engine.open("home", settings) as engine:  # doctest: +SKIP
...     scored = engine.observe(batch)
"""

from __future__ import annotations

from tocsin.engine.loop import Engine, Scored
from tocsin.engine.replay import ReplayReport, ReplayRequest

__all__ = ["Engine", "ReplayReport", "ReplayRequest", "Scored"]
