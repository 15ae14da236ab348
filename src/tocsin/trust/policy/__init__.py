"""What may be done, as the platform wrote it down in Cedar, and the answers that follow from it."""

from __future__ import annotations

from tocsin.errors import BadValue, PolicyError
from tocsin.trust.policy.facts import FACTS, with_request
from tocsin.trust.policy.loading import Fault, Inspection, inspect
from tocsin.trust.policy.outcome import PolicyAnswer
from tocsin.trust.policy.policyset import PolicySet
from tocsin.trust.policy.store import PolicyStore
from tocsin.trust.policy.values import check_value

__all__ = [
    "FACTS",
    "BadValue",
    "Fault",
    "Inspection",
    "PolicyAnswer",
    "PolicyError",
    "PolicySet",
    "PolicyStore",
    "check_value",
    "inspect",
    "with_request",
]
