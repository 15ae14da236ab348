"""`tocsin config`: what is set, where it came from, and whether it is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from tocsin.cli.opening import load_entities, load_settings
from tocsin.cli.options import ConfigFile, HomePath, JsonFlag, OutputMode
from tocsin.cli.output import Output, Printer
from tocsin.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tocsin.config import Loaded, Settings

__all__ = ["app"]

app = typer.Typer(help="Show and check the settings.", no_args_is_help=True)


@app.command("show")
def show_settings(
    home: HomePath = None, config: ConfigFile = None, output: OutputMode = Output.human, as_json: JsonFlag = False
) -> None:
    """Show every setting, its value and where it came from."""
    printer = Printer(output, as_json=as_json)
    printer.many(_rows(load_settings(config, {"home.path": home})), _table)


@app.command("check")
def check_settings(
    home: HomePath = None, config: ConfigFile = None, output: OutputMode = Output.human, as_json: JsonFlag = False
) -> None:
    """Check settings, the file of entities and the address databases they name."""
    printer = Printer(output, as_json=as_json)
    loaded = load_settings(config, {"home.path": home})
    entities = load_entities(loaded.settings)
    _check_databases(loaded.settings, loaded.origins)
    given = sum(origin != "default" for origin in loaded.origins.values())
    result = {"ok": True, "settings_given": given, "entities": len(entities.entity)}
    printer.one(result, lambda p, r: p.line(f"ok: {given} settings given, {r['entities']} entities described"))


def _rows(loaded: Loaded) -> list[dict[str, Any]]:
    plain = msgspec.to_builtins(loaded.settings)
    return [
        {"setting": key, "value": plain[key.partition(".")[0]][key.partition(".")[2]], "origin": origin}
        for key, origin in loaded.origins.items()
    ]


def _table(printer: Printer, rows: Sequence[dict[str, Any]]) -> None:
    printer.table(
        ("SETTING", "VALUE", "FROM"),
        [(r["setting"], msgspec.json.encode(r["value"]).decode(), r["origin"]) for r in rows],
    )


def _check_databases(settings: Settings, origins: dict[str, str]) -> None:
    for name in ("asn_mmdb", "country_mmdb"):
        path = getattr(settings.enrich, name)
        if path and not Path(path).is_file():
            raise ConfigError(
                f"{origins[f'enrich.{name}']}: `enrich.{name}` names no file: `{path}`", hint="leave it empty for none"
            )
