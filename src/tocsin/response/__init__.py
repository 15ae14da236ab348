"""What happens next: the alert a person sees and the restriction that holds meanwhile."""

from __future__ import annotations

from tocsin.response.alerts import join_alert, open_alert, ranked, severity_of
from tocsin.response.restrictions import Responder, by_person, lift

__all__ = ["Responder", "by_person", "join_alert", "lift", "open_alert", "ranked", "severity_of"]
