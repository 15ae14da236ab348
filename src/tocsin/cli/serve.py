"""`tocsin serve`: the server, until it is told to stop."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tocsin.cli.opening import load_settings, run_server
from tocsin.cli.options import ConfigFile, HomePath

__all__ = ["serve"]


def serve(
    config: ConfigFile = None,
    home: HomePath = None,
    listen: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Where to listen; port 0 takes any free one.")
    ] = None,
    policies: Annotated[
        Path | None, typer.Option("--policies", metavar="DIR", help="Folder of Cedar policies and entities.")
    ] = None,
    enforce: Annotated[
        bool | None, typer.Option("--enforce", help="Act on restrictions in place of only recording them.")
    ] = None,
) -> None:
    """Serve decisions, ingest and administration over HTTP.

    Callers authenticate with keys: `tocsin keys create --role pep`. SIGTERM finishes what was begun; SIGHUP reads
    policies and the certificate again.
    """
    flags: dict[str, object] = {
        "home.path": home,
        "serve.listen": listen,
        "policy.folder": policies,
        "respond.enforce": enforce,
    }
    run_server(load_settings(config, flags).settings)
