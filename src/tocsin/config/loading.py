"""Settings from a file, the environment and flags: flag over variable over file over default.

Each value knows where it came from. A wrong value is named with its place and what was expected;
an unknown name with the nearest known one.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.config.settings import Settings
from tocsin.config.toml import nearest, read_toml
from tocsin.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Loaded", "find_file", "load"]

MAX_FILE_BYTES: Final = 1 << 20
MAX_SHOWN_CHARS: Final = 80
FILE_NAME: Final = "tocsin.toml"
PREFIX: Final = "TOCSIN_"

_SECTIONS: Final = {f.name: f.type for f in msgspec.structs.fields(Settings)}
_KINDS: Final = {
    f"{name}.{field.name}": field.type for name, kind in _SECTIONS.items() for field in msgspec.structs.fields(kind)
}


class Loaded(msgspec.Struct, frozen=True):
    """Settings, and for each `section.key` where its value came from."""

    settings: Settings
    origins: dict[str, str]


class _Given(msgspec.Struct, frozen=True):
    """A value as somebody gave it, and where."""

    value: object
    origin: str
    text: bool = False
    """Given as text (a variable), so `10` may mean a number and `a,b` a list."""


def find_file(environ: Mapping[str, str], directory: Path) -> Path | None:
    """Say which file to load: `TOCSIN_CONFIG` when set, else `tocsin.toml` in `directory` when there."""
    named = environ.get(f"{PREFIX}CONFIG")
    if named:
        return Path(named)
    here = directory / FILE_NAME
    return here if here.is_file() else None


def load(
    file: Path | None = None, environ: Mapping[str, str] | None = None, flags: Mapping[str, object] | None = None
) -> Loaded:
    """Merge the sources into settings; raises ConfigError at the first thing that is wrong.

    `environ` is the process's own when omitted. `flags` is keyed `section.key`; None means not given.
    """
    given: dict[str, _Given] = {}
    if file is not None:
        given |= _from_file(file)
    given |= _from_environ(os.environ if environ is None else environ)
    given |= _from_flags(flags or {})
    values = {key: _checked(key, item) for key, item in given.items()}
    sections = {
        name: kind(**{key.partition(".")[2]: v for key, v in values.items() if key.startswith(f"{name}.")})
        for name, kind in _SECTIONS.items()
    }
    origins = {key: given[key].origin if key in given else "default" for key in _KINDS}
    return Loaded(Settings(**sections), origins)


def _from_file(path: Path) -> dict[str, _Given]:
    document = read_toml(path, max_bytes=MAX_FILE_BYTES)
    given = {}
    for section, body in document.data.items():
        if section not in _SECTIONS:
            raise ConfigError(
                f"{document.at(section)}: unknown section `{section[:MAX_SHOWN_CHARS]}`",
                hint=nearest(section, list(_SECTIONS)),
            )
        if not isinstance(body, dict):
            raise ConfigError(
                f"{document.at(section)}: `{section}` is a section, not a value", hint=f"write `[{section}]`"
            )
        for name, value in body.items():
            key = f"{section}.{name}"
            origin = document.at(section, name)
            _known(key, name, origin)
            given[key] = _Given(value, origin)
    return given


def _from_environ(environ: Mapping[str, str]) -> dict[str, _Given]:
    """Read `TOCSIN_SECTION__KEY`; names without `__` are not settings (an orchestrator may inject some)."""
    given = {}
    for variable, value in sorted(environ.items()):
        if not variable.startswith(PREFIX):
            continue
        section, both, name = variable.removeprefix(PREFIX).lower().partition("__")
        if both:
            _known(f"{section}.{name}", name, variable)
            given[f"{section}.{name}"] = _Given(value, variable, text=True)
        elif section in _SECTIONS:
            names = [_variable(k) for k in _KINDS if k.startswith(f"{section}.")]
            raise ConfigError(f"`{variable}` names a section, not a setting", hint="known: " + ", ".join(names))
    return given


def _from_flags(flags: Mapping[str, object]) -> dict[str, _Given]:
    given = {}
    for key, value in flags.items():
        if value is not None:
            _known(key, key.partition(".")[2], "flag")
            given[key] = _Given(value, "flag")
    return given


def _known(key: str, name: str, origin: str) -> None:
    if key in _KINDS:
        return
    section = key.partition(".")[0]
    siblings = [k.partition(".")[2] for k in _KINDS if k.startswith(f"{section}.")]
    if origin.startswith(PREFIX):
        known, asked = [_variable(k) for k in _KINDS], origin
    elif siblings:
        known, asked = siblings, name
    else:
        known, asked = list(_KINDS), key
    raise ConfigError(f"{origin}: unknown setting `{key[:MAX_SHOWN_CHARS]}`", hint=nearest(asked, known))


def _checked(key: str, given: _Given) -> Any:  # noqa: ANN401 - the type is the one that the setting declares
    value: object = given.value
    kind = _KINDS[key]
    if given.text and _is_list_of_text(kind):
        value = [part.strip() for part in str(value).split(",") if part.strip()]
    try:
        checked = msgspec.convert(value, kind, strict=not given.text)
    except msgspec.ValidationError as error:
        shown = str(value)[:MAX_SHOWN_CHARS]
        raise ConfigError(
            f"{given.origin}: `{key}` cannot be `{shown}`: {_lower(error)}", hint=f"the default is {_default(key)}"
        ) from error
    if isinstance(checked, float) and not math.isfinite(checked):
        raise ConfigError(
            f"{given.origin}: `{key}` cannot be `{checked}`: it must be finite", hint=f"the default is {_default(key)}"
        )
    return checked


def _is_list_of_text(kind: Any) -> bool:  # noqa: ANN401 - a type, as annotations hold it
    info = msgspec.inspect.type_info(kind)
    return isinstance(info, msgspec.inspect.VarTupleType) and isinstance(info.item_type, msgspec.inspect.StrType)


def _lower(error: Exception) -> str:
    text = str(error)
    return text[:1].lower() + text[1:]


def _default(key: str) -> str:
    section, _, name = key.partition(".")
    return msgspec.json.encode(getattr(getattr(Settings(), section), name)).decode()


def _variable(key: str) -> str:
    return PREFIX + key.upper().replace(".", "__")
