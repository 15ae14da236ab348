"""Tocsin: learns what is normal for every entity, rings when it is not, and restricts by itself."""

from __future__ import annotations

__version__ = "0.1.0"
