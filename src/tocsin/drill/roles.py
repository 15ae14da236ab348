"""Departments and what their people spend their days on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

from tocsin.drill.vocabulary import ACTIONS, Family, action_code

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ADMIN", "DEPARTMENTS", "ENGINEERING", "FINANCE", "SALES", "THEMES", "Department", "Theme", "theme_actions"]


class Theme(msgspec.Struct, frozen=True):
    """A sort of work: its actions with their odds, and the family of resources it touches."""

    name: str
    family: int
    pool_per_person: float
    """Resources of the family for each member of a department, before `pool_least`."""
    pool_least: int
    actions: dict[str, float]


THEMES: Final[tuple[Theme, ...]] = (
    Theme("mail", Family.MAILBOX, 0.0, 1, {"mail.read": 0.75, "mail.send": 0.25}),
    Theme("chat", Family.CHANNEL, 0.2, 8, {"chat.read": 0.6, "chat.post": 0.4}),
    Theme(
        "drive",
        Family.DRIVE,
        0.25,
        12,
        {"drive.list": 0.12, "drive.read": 0.58, "drive.write": 0.24, "drive.export": 0.06},
    ),
    Theme("crm", Family.CRM, 0.0, 30, {"crm.read": 0.66, "crm.search": 0.15, "crm.update": 0.15, "crm.export": 0.04}),
    Theme("ticket", Family.QUEUE, 0.0, 14, {"ticket.read": 0.6, "ticket.update": 0.4}),
    Theme("repo", Family.REPO, 0.15, 20, {"repo.read": 0.5, "repo.clone": 0.15, "repo.push": 0.35}),
    Theme("ledger", Family.LEDGER, 0.0, 12, {"ledger.read": 0.58, "ledger.post": 0.32, "ledger.report": 0.1}),
    Theme("hr", Family.HR, 0.0, 20, {"hr.read": 0.8, "hr.update": 0.2}),
    Theme(
        "admin",
        Family.CONSOLE,
        0.0,
        10,
        {
            "admin.user.read": 0.4,
            "admin.user.reset": 0.15,
            "admin.role.assign": 0.05,
            "admin.config.read": 0.25,
            "admin.config.change": 0.1,
            "admin.log.export": 0.05,
        },
    ),
    Theme("table", Family.TABLE, 0.0, 24, {"table.query": 0.88, "table.export": 0.12}),
)
THEME_NAMES: Final = tuple(theme.name for theme in THEMES)


class Department(msgspec.Struct, frozen=True):
    """A department: its share of the town and how its hours divide among themes."""

    name: str
    share: float
    themes: dict[str, float]


DEPARTMENTS: Final[tuple[Department, ...]] = (
    Department("sales", 0.18, {"mail": 0.29, "chat": 0.15, "drive": 0.15, "crm": 0.4, "table": 0.01}),
    Department("support", 0.18, {"mail": 0.15, "chat": 0.15, "ticket": 0.4, "crm": 0.3}),
    Department(
        "engineering", 0.22, {"mail": 0.15, "chat": 0.2, "repo": 0.4, "drive": 0.08, "ticket": 0.1, "table": 0.07}
    ),
    Department("finance", 0.10, {"mail": 0.25, "chat": 0.1, "drive": 0.18, "ledger": 0.42, "table": 0.05}),
    Department("operations", 0.12, {"mail": 0.2, "chat": 0.15, "drive": 0.23, "ticket": 0.3, "table": 0.12}),
    Department("marketing", 0.09, {"mail": 0.3, "chat": 0.2, "drive": 0.36, "crm": 0.1, "table": 0.04}),
    Department("hr", 0.04, {"mail": 0.3, "chat": 0.1, "drive": 0.25, "hr": 0.35}),
    Department(
        "it",
        0.04,
        {"mail": 0.12, "chat": 0.12, "ticket": 0.24, "admin": 0.4, "drive": 0.05, "table": 0.05, "crm": 0.02},
    ),
    Department("board", 0.03, {"mail": 0.45, "chat": 0.15, "drive": 0.3, "crm": 0.05, "ledger": 0.05}),
)
SALES: Final = 0
ENGINEERING: Final = 2
FINANCE: Final = 3
ADMIN: Final = 7


def theme_actions() -> NDArray[np.float64]:
    """Cumulative odds of each action (columns) within each theme (rows)."""
    odds = np.zeros((len(THEMES), len(ACTIONS)))
    for row, theme in enumerate(THEMES):
        odds[row, action_code(*theme.actions)] = list(theme.actions.values())
    return np.cumsum(odds / odds.sum(axis=1, keepdims=True), axis=1)
