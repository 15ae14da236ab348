"""`tocsin explain`: why something rang, in words and numbers."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from tocsin.cli.asked import asked_full
from tocsin.cli.opening import open_home, question_of
from tocsin.cli.options import ConfigFile, HomePath, JsonFlag, OutputMode
from tocsin.cli.output import Output, Printer
from tocsin.cli.render import alert_full, finding_full
from tocsin.response.cases import Case, alert_with_evidence

__all__ = ["explain"]

MAX_STEPS: Final = 5
"""Findings explained one by one under their alert; any other by its own id."""


def explain(
    record_id: Annotated[
        str, typer.Argument(metavar="ID", help="An alert (`A-…`), a finding (`F-…`) or a decision (`D-…`).")
    ],
    home: HomePath = None,
    config: ConfigFile = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Explain an alert, a finding or a decision: reasons, numbers, places."""
    printer = Printer(output, as_json=as_json)
    with open_home(config, home) as opened:
        if record_id.upper().startswith("D-"):
            printer.one(question_of(opened, record_id), asked_full)
            return
        if record_id.upper().startswith("F-"):
            printer.one(opened.records.finding(record_id.upper()), finding_full)
            return
        case = alert_with_evidence(opened.records, record_id)
    printer.one(case, _every_step)


def _every_step(printer: Printer, case: Case) -> None:
    alert_full(printer, case.alert, case.findings, case.restrictions)
    for finding in case.findings[:MAX_STEPS]:
        printer.line()
        finding_full(printer, finding)
