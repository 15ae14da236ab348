"""What may be done, as the platform wrote it down in Cedar, and the answers that follow from it."""

from __future__ import annotations

from tocsin.errors import BadValue, PolicyError
from tocsin.trust.policy.difference import Change, Compared, compare
from tocsin.trust.policy.facts import FACTS, with_request
from tocsin.trust.policy.files import DEFAULT_FOLDER
from tocsin.trust.policy.kept import KEPT, folder_in_force, install
from tocsin.trust.policy.loading import Fault, Inspection, inspect
from tocsin.trust.policy.outcome import PolicyAnswer
from tocsin.trust.policy.policyset import PolicySet
from tocsin.trust.policy.store import PolicyStore
from tocsin.trust.policy.trials import Case, Trial, case_files, failure, read_cases, read_trial, trial_of
from tocsin.trust.policy.values import check_value

__all__ = [
    "DEFAULT_FOLDER",
    "FACTS",
    "KEPT",
    "BadValue",
    "Case",
    "Change",
    "Compared",
    "Fault",
    "Inspection",
    "PolicyAnswer",
    "PolicyError",
    "PolicySet",
    "PolicyStore",
    "Trial",
    "case_files",
    "check_value",
    "compare",
    "failure",
    "folder_in_force",
    "inspect",
    "install",
    "read_cases",
    "read_trial",
    "trial_of",
    "with_request",
]
