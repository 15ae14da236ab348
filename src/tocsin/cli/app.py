"""The `tocsin` command: its nouns, and how errors leave it."""

from __future__ import annotations

import io
import os
import sys
from typing import Final

import typer

from tocsin import __version__
from tocsin.cli import alerts, audit, config, demo, drill, entity, explain, keys, policy, replay, restrictions, serve
from tocsin.cli.options import JsonFlag, OutputMode
from tocsin.cli.output import Output, Printer, ReaderGone, fail
from tocsin.errors import TocsinError

__all__ = ["app", "main"]

EPILOG: Final = """\b
Exit codes:
  0    done
  1    something Tocsin could not do
  2    the command, a setting or a mapping file is wrong
  3    an input could not be read as events
  4    the home could not be read or written, or another process is its writer
  5    no alert, entity, finding or restriction of that name
  6    a guard (blast radius, break-glass) would not let it happen
  7    who asks could not be verified
  8    policies do not load, or a test of them fails
  130  interrupted

\b
TOCSIN_DEBUG=1 shows the traceback of an error."""

INTERRUPTED: Final = 130
READER_GONE: Final = 141
"""128 + SIGPIPE, as a shell reports it: the reader of our output (`head`) has left."""

app = typer.Typer(
    name="tocsin",
    help="Learns what is normal for every entity in your logs, rings when it is not, and restricts by itself.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("replay")(replay.replay)
app.command("serve")(serve.serve)
app.add_typer(alerts.app, name="alerts")
app.command("explain")(explain.explain)
app.add_typer(entity.app, name="entity")
app.add_typer(restrictions.app, name="restrictions")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
app.add_typer(policy.app, name="policy")
app.add_typer(config.app, name="config")
app.add_typer(drill.app, name="drill")
app.add_typer(demo.app, name="demo")


@app.command()
def version(output: OutputMode = Output.human, as_json: JsonFlag = False) -> None:
    """Print the version."""
    printer = Printer(output, as_json=as_json)
    printer.one(__version__, lambda p, v: p.line(f"tocsin {v}"), data={"version": __version__})


def main() -> None:
    """Run the command line and leave with its exit code; the console script's entry."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal that cannot show a letter gets its escape
    sys.exit(_status())


def _status() -> int:
    """Run a command and turn what it raises into a message and an exit code."""
    try:
        result = app(prog_name="tocsin", standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, ReaderGone):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    except (Exception, KeyboardInterrupt) as error:
        if os.environ.get("TOCSIN_DEBUG"):
            raise
        return _tell(error)
    return _tell(KeyboardInterrupt()) if result == INTERRUPTED else int(result or 0)


def _tell(error: BaseException) -> int:
    """Say what went wrong and what may help; return the exit code."""
    match error:
        case TocsinError():
            fail(error.message, error.hint)
            return error.exit_status
        case typer.TyperException():
            fail(_plain(error.format_message()), "see `tocsin --help`, or `--help` after any command")
            return error.exit_code
        case KeyboardInterrupt() | typer.Abort():
            fail("interrupted", "what was acknowledged is kept; the same command continues")
            return INTERRUPTED
        case OSError() | MemoryError():
            fail(f"the system refused: {error or 'out of memory'}", "check disk, memory and permissions")
        case _:
            fail(f"unexpected {type(error).__name__}: {error}", "TOCSIN_DEBUG=1 shows where; please report it")
    return TocsinError.exit_status


def _plain(message: str) -> str:
    """Write Typer's messages as Tocsin writes its own: lower case, no final period."""
    return message[:1].lower() + message[1:].rstrip(".")
