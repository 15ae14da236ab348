"""`tocsin policy`: check, test, explain and compare policies before they are in force."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from tocsin.cli.options import By, ConfigFile, HomePath, JsonFlag, OutputMode, moment
from tocsin.cli.output import Output, Printer

if TYPE_CHECKING:
    from types import ModuleType

    from tocsin.trust.policy import Trial

__all__ = ["app"]

MAX_QUESTION_BYTES: Final = (4 << 20) + 1
"""One more than a question may have, so that a longer one is seen to be too long."""

app = typer.Typer(help="Check, test, explain and compare policies.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Argument(metavar="FOLDER", help="`policy.folder`, or the default policies, when left out.")
]


@app.command("check")
def check_policies(
    folder: Folder = None, config: ConfigFile = None, output: OutputMode = Output.human, as_json: JsonFlag = False
) -> None:
    """Check policies, entities and schema; every fault is told with its file and line."""
    work = _work()
    work.check(Printer(output, as_json=as_json), work.folder_of(folder, config))


@app.command("test")
def run_cases(
    folder: Folder = None,
    files: Annotated[
        list[Path] | None, typer.Option("--file", metavar="FILE", help="Cases in place of the folder's `*.test.*`.")
    ] = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Run the cases of `*.test.toml` and `*.test.json`, and print those that fail."""
    work = _work()
    work.run_cases(Printer(output, as_json=as_json), work.folder_of(folder, config), files or [])


@app.command("explain")
def explain_question(
    folder: Folder = None,
    subject: Annotated[str, typer.Option(metavar="TYPE:ID", help="Who acts.")] = "",
    action: Annotated[str, typer.Option(metavar="NAME", help="What they do.")] = "",
    resource: Annotated[str, typer.Option(metavar="TYPE:ID", help="What it is done to.")] = "",
    fact: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="What Tocsin knows, as `assurance=1`; `subject.role=chief` is sent."),
    ] = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Answer one question, given by options or as JSON on standard input, and show what led to the answer."""
    work = _work()
    asked = _asked(subject, action, resource, fact or []) if subject or action or resource else _read()
    work.explain(Printer(output, as_json=as_json), work.folder_of(folder, config), asked)


@app.command("diff")
def diff_policies(
    folder: Annotated[Path, typer.Argument(metavar="NEW_FOLDER", help="The policies to compare with.")],
    since: Annotated[str | None, typer.Option(metavar="TIME", help="Only questions asked from then on.")] = None,
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Put the journaled questions to other policies, and show every decision that would change."""
    _work().diff(Printer(output, as_json=as_json), folder, home, config, moment(since) if since else None)


@app.command("install")
def install_policies(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The policies to put in force.")],
    by: By = "",
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Keep policies in the home and put them in force there; a running server takes them within seconds.

    They count where no `policy.folder` is set. Policies that do not load are refused and change nothing.
    """
    _work().install_in(Printer(output, as_json=as_json), folder, home, config, by)


def _work() -> ModuleType:
    """Bring in Cedar and the journal, which `tocsin --help` does without."""
    from tocsin.cli import policies  # noqa: PLC0415 - see above

    return policies


def _asked(subject: str, action: str, resource: str, facts: list[str]) -> Trial:
    """Make a question of options; a value that is not JSON is text."""
    sent: dict[str, dict[str, Any]] = {"subject": {}, "resource": {}, "action": {}, "context": {}}
    known: dict[str, Any] = {}
    for fact in facts:
        name, equals, text = fact.partition("=")
        if not equals:
            raise typer.BadParameter(f"`{fact}` is not written NAME=VALUE")
        party, dot, member = name.partition(".")
        target = sent[party] if dot and party in sent else known
        target[member if target is not known else name] = _value(text)
    return _work().trial_of(subject, action, resource, sent, known)  # type: ignore[no-any-return] # a Trial


def _read() -> Trial:
    return _work().read_trial(sys.stdin.buffer.read(MAX_QUESTION_BYTES))  # type: ignore[no-any-return] # a Trial


def _value(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
