"""The one place where a command brings in what is heavy: settings, the home, the engine.

Imports stand inside functions here so that `tocsin --help` and completion answer at once.
"""
# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import os
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Final

import msgspec

from tocsin.cli.output import say
from tocsin.cli.progress import Watch
from tocsin.errors import NotFound, StoreError
from tocsin.record import record_seq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from tocsin.config import Entities, Loaded, Settings
    from tocsin.engine import Engine, ReplayReport
    from tocsin.store import ApiKeyTable, Home
    from tocsin.trust.decision import Asked

__all__ = [
    "ReplayArguments",
    "api_keys",
    "drill",
    "existing",
    "home_at",
    "home_of",
    "issuing",
    "keys_at",
    "load_entities",
    "load_settings",
    "now",
    "open_engine",
    "open_home",
    "plain_settings",
    "question_of",
    "run_replay",
    "run_server",
    "run_server_for",
]


_LATE_S: Final = 5.0
"""Seconds after which somebody who waits for the server is told what it does."""


class ReplayArguments(msgspec.Struct, frozen=True, kw_only=True):
    """What to replay; the engine's request, before the engine is there."""

    paths: list[str]
    format: str | None = None
    mapping: Path | None = None
    scores: Path | None = None
    labels: Path | None = None
    label_delay_s: float | None = None


def now() -> datetime:
    """Read the clock; the only place of the command line that does."""
    return datetime.now(UTC)


def load_settings(config: Path | None, flags: dict[str, object]) -> Loaded:
    """Merge file, variables and flags; `flags` is keyed `section.key`, None where not given."""
    from tocsin.config import find_file, load

    plain = {key: str(value) if isinstance(value, Path) else value for key, value in flags.items()}
    return load(config or find_file(os.environ, Path.cwd()), os.environ, plain)


def plain_settings(flags: dict[str, object]) -> Settings:
    """Take the defaults and `flags` alone, so that a demonstration is the same everywhere."""
    from tocsin.config import load

    return load(
        None, {}, {key: str(value) if isinstance(value, Path) else value for key, value in flags.items()}
    ).settings


def question_of(home: Home, decision_id: str) -> Asked:
    """Find the question that a decision answered; raises NotFound."""
    from tocsin.engine.questions import question_at

    try:
        seq = record_seq(decision_id)
    except ValueError as error:
        raise NotFound(f"`{decision_id[:40]}` is not the id of a decision", hint="it is written `D-0018BS`") from error
    return question_at(home, seq)


def load_entities(settings: Settings) -> Entities:
    """Read the operator's file of entities when one is set."""
    from tocsin import config

    return config.load_entities(Path(settings.entities.file)) if settings.entities.file else config.Entities()


def open_engine(settings: Settings, *, writer: bool = True) -> Engine:
    """Open the engine on the home, as its one writer or as a reader beside it."""
    from tocsin.engine import Engine

    path = Path(settings.home.path)
    return Engine.open(path, settings, entities=load_entities(settings), clock=now, writer=writer)


def open_home(config: Path | None, home: Path | None, *, writer: bool = False) -> Home:
    """Open a home that is there already; raises StoreError when it is not."""
    path = home_at(load_settings(config, {"home.path": home}).settings)
    from tocsin.store import Home

    return Home.open(path, writer=writer)


def home_of(path: Path) -> Home:
    """Open a home for reading, where one is known to be."""
    from tocsin.store import Home

    return Home.open(path, writer=False)


def home_at(settings: Settings) -> Path:
    """Insist that there is a home where the settings say; raises StoreError when not."""
    return existing(Path(settings.home.path))


def existing(path: Path) -> Path:
    """Insist that there is a home at `path`; raises StoreError when not."""
    if not path.is_dir():
        raise StoreError(f"there is no home at `{path}`", hint="`tocsin replay PATH…` makes one; --home names another")
    return path


@contextmanager
def api_keys(config: Path | None, home: Path | None, *, make: bool = False) -> Iterator[ApiKeyTable]:
    """Open the API keys of a home, whoever writes to it; `make` makes the home where there is none."""
    path = Path(load_settings(config, {"home.path": home}).settings.home.path)
    with keys_at(path if make else existing(path), make=make) as table:
        yield table


@contextmanager
def keys_at(path: Path, *, make: bool = False) -> Iterator[ApiKeyTable]:
    """Open the API keys of the home at `path`."""
    from tocsin.store import open_api_keys

    with open_api_keys(path, make=make, clock=now) as table:
        yield table


def issuing() -> ModuleType:
    """Bring in what makes and ends API keys."""
    import tocsin.trust.issuing

    return tocsin.trust.issuing


def run_replay(settings: Settings, request: ReplayArguments) -> ReplayReport:
    """Replay logs over the home, showing how far it is."""
    from tocsin.engine import ReplayRequest

    with open_engine(settings) as engine, Watch() as watch:
        return engine.replay(ReplayRequest(**msgspec.structs.asdict(request)), progress=watch)


def run_server(settings: Settings) -> None:
    """Serve the home until told to stop."""
    from tocsin.service.start import serve

    late = Timer(_LATE_S, say, ["preparing; the first start after an installation compiles for about a minute"])
    late.daemon = True
    late.start()

    def ready(address: str) -> None:
        late.cancel()
        say(f"tocsin serves at {address}")

    try:
        serve(settings, load_entities(settings), ready, now)
    finally:
        late.cancel()


def run_server_for(settings: Settings, clock: Callable[[], datetime], visit: Callable[[str], None]) -> None:
    """Serve the home by another clock while `visit`, in a thread of its own, is at the address it is given."""
    from tocsin.service.start import serve
    from tocsin.service.visit import Visit

    visiting = Visit(visit)
    serve(settings, load_entities(settings), visiting.begin, clock)
    visiting.finish()


def drill() -> ModuleType:
    """Bring in the drill, which needs NumPy and writes a town."""
    import tocsin.drill

    return tocsin.drill
