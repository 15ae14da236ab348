"""What people and machines of the town can do, to what, with which programs; and how codes read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tocsin.event import Kind

__all__ = [
    "ACTIONS",
    "AGENTS",
    "BROWSERS",
    "LOGIN",
    "PHONE_AGENTS",
    "RESOURCE_BITS",
    "TOOL_AGENTS",
    "VERSION_STRIDE",
    "Action",
    "Family",
    "action_code",
    "agent_text",
    "resource_code",
    "resource_text",
]

RESOURCE_BITS: Final = 24
VERSION_STRIDE: Final = 1000
_CHROME: Final = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{v}.0.0.0 Safari/537.36"


class Action(msgspec.Struct, frozen=True):
    """One verb, and how much it usually moves: means and spreads of natural logarithms."""

    name: str
    kind: Kind = "api"
    out: float = 0.0
    """Mean log bytes towards the subject; 0 where the log tells none."""
    spread: float = 1.1
    taken_in: float = 0.0
    """Mean log bytes from the subject."""
    rows: float = 0.0
    """Mean log rows or objects."""
    privileged: bool = False
    sensitive: bool = False


ACTIONS: Final[tuple[Action, ...]] = (
    Action("login", kind="authentication"),
    Action("mail.read", out=9.5, spread=1.4),
    Action("mail.send", taken_in=9.0, spread=1.5),
    Action("chat.read", out=7.0),
    Action("chat.post", taken_in=5.5),
    Action("drive.list", out=8.0, rows=3.0),
    Action("drive.read", out=12.5, spread=1.7),
    Action("drive.write", taken_in=12.0, spread=1.7),
    Action("drive.export", out=15.5, spread=1.7, rows=2.5),
    Action("crm.read", out=8.8, rows=0.7),
    Action("crm.search", out=9.5, rows=3.0),
    Action("crm.update", taken_in=7.0, rows=0.3),
    Action("crm.export", out=13.5, spread=1.6, rows=5.5, sensitive=True),
    Action("ticket.read", out=8.5),
    Action("ticket.update", taken_in=7.5),
    Action("repo.read", out=10.0, spread=1.4),
    Action("repo.clone", out=16.0, spread=1.6),
    Action("repo.push", taken_in=10.5, spread=1.5),
    Action("ledger.read", out=9.0, rows=2.0),
    Action("ledger.post", taken_in=7.5, rows=1.0),
    Action("ledger.report", out=13.8, spread=1.6, rows=6.0),
    Action("hr.read", out=8.8, sensitive=True),
    Action("hr.update", taken_in=7.5, sensitive=True),
    Action("admin.user.read", out=8.0, rows=1.5, privileged=True),
    Action("admin.user.reset", kind="change", privileged=True),
    Action("admin.role.assign", kind="change", privileged=True),
    Action("admin.config.read", out=8.5, privileged=True),
    Action("admin.config.change", kind="change", taken_in=7.0, privileged=True),
    Action("admin.log.export", out=15.5, spread=1.5, rows=7.0, privileged=True),
    Action("table.query", out=10.5, spread=1.8, rows=4.0),
    Action("table.export", out=15.0, spread=1.6, rows=7.5, sensitive=True),
    Action("object.list", out=8.5, rows=4.0),
    Action("object.get", out=12.0, spread=1.6),
    Action("object.put", taken_in=12.0, spread=1.5),
    Action("queue.receive", out=7.5, rows=1.0),
    Action("queue.send", taken_in=7.0, rows=0.5),
    Action("secret.read", out=6.0),
    Action("identity.get", out=5.5),
)
_CODES: Final = {action.name: code for code, action in enumerate(ACTIONS)}
LOGIN: Final = 0

_FAMILIES: Final = (
    "app/{}",
    "mailbox/p{:05d}",
    "channel/{:03d}",
    "drive/{}/project-{:03d}",
    "files/{}/project-{:03d}",
    "crm/segment-{:02d}",
    "queue/{:02d}",
    "repo/{:03d}",
    "ledger/book-{:02d}",
    "hr/file-{:02d}",
    "console/{:02d}",
    "table/{:02d}",
    "bucket/{:03d}",
    "stream/{:03d}",
    "secret/{:03d}",
    "identity",
)
_DEPARTMENTS_IN_PATH: Final = (
    "sales",
    "support",
    "engineering",
    "finance",
    "operations",
    "marketing",
    "hr",
    "it",
    "board",
)
_APPS: Final = ("portal", "phone", "console", "vpn")
PROJECT_STRIDE: Final = 4096


class Family:
    """Codes of the kinds of resource; `resource_code` joins one with a number."""

    (
        APP,
        MAILBOX,
        CHANNEL,
        DRIVE,
        FILES,
        CRM,
        QUEUE,
        REPO,
        LEDGER,
        HR,
        CONSOLE,
        TABLE,
        BUCKET,
        STREAM,
        SECRET,
        WHOAMI,
    ) = range(len(_FAMILIES))


AGENTS: Final[tuple[tuple[str, int], ...]] = (
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + _CHROME,
        143,
    ),
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) " + _CHROME,
        143,
    ),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0", 146),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:{v}.0) Gecko/20100101 Firefox/{v}.0", 146),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) " + _CHROME + " Edg/{v}.0.0.0",
        143,
    ),
    ("TownMail/{v}.0 (iPhone; iOS 26.1)", 31),
    ("TownMail/{v}.0 (Linux; Android 16)", 31),
    ("aws-cli/2.{v}.0 Python/3.13.1 Linux/6.8.0", 30),
    ("python-requests/2.{v}.0", 31),
    ("Boto3/1.{v}.0 Python/3.12.3 Linux/6.8.0", 41),
    ("curl/8.{v}.0", 9),
    ("Terraform/1.{v}.0", 11),
)
"""Agent strings with room for a version, and the version current on the first day."""
BROWSERS: Final = (0, 1, 2, 3, 4)
PHONE_AGENTS: Final = (5, 6)
TOOL_AGENTS: Final = (7, 8, 9, 10, 11)


def action_code(*names: str) -> NDArray[np.int64]:
    """Codes of actions by name."""
    return np.array([_CODES[name] for name in names], np.int64)


def resource_code(family: NDArray[np.int64] | int, number: NDArray[np.int64] | int) -> NDArray[np.int64]:
    """Join a family of resources with a number in it."""
    return (np.asarray(family, np.int64) << RESOURCE_BITS) | np.asarray(number, np.int64)


def resource_text(code: int) -> str:
    """Write a resource code as the log would."""
    family, number = code >> RESOURCE_BITS, code & ((1 << RESOURCE_BITS) - 1)
    if family == Family.APP:
        return _FAMILIES[family].format(_APPS[number])
    if family in (Family.DRIVE, Family.FILES):
        department, project = divmod(number, PROJECT_STRIDE)
        return _FAMILIES[family].format(_DEPARTMENTS_IN_PATH[department], project)
    return _FAMILIES[family].format(number)


def agent_text(code: int) -> str:
    """Write an agent code, `family * VERSION_STRIDE + releases since the first day`, as sent."""
    family, release = divmod(code, VERSION_STRIDE)
    text, first = AGENTS[family]
    return text.format(v=first + release)
