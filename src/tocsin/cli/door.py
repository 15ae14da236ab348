"""A person's decisions while a server holds the home: they go through its Unix socket and come back as records.

`decide` is what a command calls; whether somebody serves the home changes nothing for the one who types.
"""

from __future__ import annotations

import http.client
import os
import socket
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from tocsin.cli.opening import home_at, load_settings, open_home
from tocsin.errors import HomeLocked, NotFound, Refused, StoreError, TocsinError, UsageError
from tocsin.record import Restriction, Rung, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tocsin.store import Home

__all__ = ["Door", "decide"]

T = TypeVar("T")

_SOCKET: Final = "admin.sock"
_ROOT: Final = "/admin/v1/"
_WAIT_S: Final = 30.0
"""A decision waits for the disk, behind whatever the server is writing."""
_MOST_ANSWER_BYTES: Final = 64 << 20
_HOST: Final = "tocsin"
_KINDS: Final[dict[int, type[TocsinError]]] = {400: UsageError, 404: NotFound, 409: Refused, 503: StoreError}
"""What an answer means whose code is none of ours."""


def decide(config: Path | None, home: Path | None, itself: Callable[[Home], T], through: Callable[[Door], T]) -> T:
    """Change a home: `itself` as its writer, or, where a server is that, `through` its door.

    Raises HomeLocked when the writer is none that has a door, such as a replay.
    """
    try:
        opened = open_home(config, home, writer=True)
    except HomeLocked:
        door = Door.of(home_at(load_settings(config, {"home.path": home}).settings))
        if door is None:
            raise
        return through(door)
    with opened:
        return itself(opened)


class Door:
    """The administration socket of a running server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def of(cls, home: Path) -> Door | None:
        """Find the door of a home; None when there is none, or nobody behind it."""
        door = cls(home)
        try:
            door._connect().close()
        except OSError:
            return None
        return door

    def restrict(self, entity: str, rung: Rung, *, hours: float, cause: str, by: str) -> Restriction:
        """Add a restriction."""
        order = {"entity": entity, "rung": rung, "hours": hours, "cause": cause, "by": by}
        return self._post("restrictions", order, Restriction)

    def lift(self, restriction_id: str, *, by: str) -> Restriction:
        """End a restriction."""
        return self._post(f"restrictions/{_segment(restriction_id)}/lift", {"by": by}, Restriction)

    def judge(self, record_id: str, *, bad: bool, known_at: datetime, by: str) -> list[Verdict]:
        """Say whether an alert, or one finding, was right."""
        order = {"verdict": "true" if bad else "false", "known_at": known_at, "by": by}
        return self._post(f"alerts/{_segment(record_id)}/verdict", order, _Given).verdicts

    def _post(self, path: str, order: dict[str, Any], kind: type[T]) -> T:
        try:
            status, body = self._ask(path, msgspec.json.encode(order))
            if status < http.client.BAD_REQUEST:
                return msgspec.json.decode(body, type=kind)
        except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
            raise StoreError(
                f"the server that has this home does not answer as it should: {str(error) or type(error).__name__}",
                hint="look at its log; whether the decision was taken, `tocsin audit list` tells",
            ) from error
        raise _error(status, body)

    def _ask(self, path: str, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(_HOST, timeout=_WAIT_S)
        connection.sock = self._connect()
        try:
            connection.request("POST", _ROOT + path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            if (response.length or 0) > _MOST_ANSWER_BYTES:
                raise http.client.HTTPException("its answer is too long")
            return response.status, response.read()
        finally:
            connection.close()

    def _connect(self) -> socket.socket:
        """Connect by way of the folder, since the address of a socket may only have 107 bytes."""
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.settimeout(_WAIT_S)
            made.connect(f"/proc/self/fd/{folder}/{_SOCKET}")
        except BaseException:
            made.close()
            raise
        finally:
            os.close(folder)
        return made


class _Given(msgspec.Struct):
    verdicts: list[Verdict]


class _Told(msgspec.Struct):
    """A problem document, as far as it is used here."""

    detail: str = ""
    code: str = ""
    hint: str = ""


def _segment(name: str) -> str:
    return quote(name, safe="") or "%20"


def _error(status: int, body: bytes) -> TocsinError:
    """Make the error that the server told of, with the exit code it has here."""
    try:
        told = msgspec.json.decode(body, type=_Told)
    except msgspec.DecodeError:
        return StoreError(f"the server that has this home answered {status}", hint="look at its log")
    kind = next((k for k in _kinds(TocsinError) if k.code == told.code), _KINDS.get(status, TocsinError))
    return kind(told.detail or f"the server that has this home answered {status}", hint=told.hint)


def _kinds(root: type[TocsinError]) -> list[type[TocsinError]]:
    return [root, *(kind for child in root.__subclasses__() for kind in _kinds(child))]
