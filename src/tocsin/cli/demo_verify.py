"""`tocsin demo verify`: the administrator at three in the morning, asked over HTTP and answered."""

from __future__ import annotations

import tempfile
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import typer

from tocsin.cli import opening
from tocsin.cli.asked import asked_full
from tocsin.cli.options import JsonFlag, OutputMode
from tocsin.cli.output import Output, Printer, say
from tocsin.cli.progress import Watch
from tocsin.cli.render import alert_full, when
from tocsin.record import record_seq
from tocsin.response.cases import Case, alert_with_evidence

if TYPE_CHECKING:
    from tocsin.drill import Administrator
    from tocsin.trust.decision import Asked

__all__ = ["verify"]

SEED: Final = 7
DAYS: Final = 30
PEOPLE: Final = 200
STRANGER: Final = {"ip": "203.0.113.77", "user_agent": "python-requests/2.32"}
CUSTOMERS: Final = {"type": "crm", "id": "customers", "properties": {"sensitive": True}}
ROWS: Final = 40_000
EXPORT_BYTES: Final = 180_000_000
_TIMEOUT_S: Final = 30


class Step(msgspec.Struct, frozen=True):
    """One question of the story: when it is asked, and in whose words."""

    time: datetime
    told: str
    question: dict[str, Any]


class Told(msgspec.Struct, frozen=True):
    """What was asked and answered, and the alert it led to."""

    steps: list[Asked]
    case: Case | None


def verify(
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep town and home here; a new folder if not said.")
    ] = None,
    output: OutputMode = Output.human,
    as_json: JsonFlag = False,
) -> None:
    """Ask for the administrator at three in the morning, over HTTP.

    Builds 30 days of a small town and learns them, then serves with `--enforce` and a clock of its own: the
    administrator by day, then somebody with the same session at 03:12 from an unknown address, twice.
    """
    printer = Printer(output, as_json=as_json)
    place = out or Path(tempfile.mkdtemp(prefix="tocsin-verify-"))
    town, home = place / "town", place / "home"
    _build(town, home)
    steps = _story(opening.drill().find_administrator(town))
    answers = _serve(home, steps)
    told = _told(home, answers)
    printer.one(told, lambda p, t: _draw(p, t, steps))
    say(f"next: tocsin explain {answers[-1]} --home {home}")


def _build(town: Path, home: Path) -> None:
    say(f"building a town of {PEOPLE} people and {DAYS} days in {town}")
    with Watch() as watch:
        opening.drill().build(town, seed=SEED, days=DAYS, people=PEOPLE, progress=partial(watch, "days"))
    say(f"learning what is normal in it into {home}")
    settings = opening.plain_settings({"home.path": home})
    opening.run_replay(settings, opening.ReplayArguments(paths=[str(town / "events")]))


def _story(admin: Administrator) -> list[Step]:
    kind, _, name = admin.subject.partition(":")
    subject = {"type": kind, "id": name, "properties": {"privileged": True}}
    usual = {"ip": admin.address, "device": admin.device, "user_agent": admin.agent}
    theme, _, thing = admin.resource.partition("/")
    day = (admin.last + timedelta(days=1)).replace(hour=11, minute=0, second=0, microsecond=0)
    night = (day + timedelta(days=1)).replace(hour=3, minute=12)
    export = {
        "subject": subject,
        "action": {"name": "crm.export"},
        "resource": CUSTOMERS,
        "context": {**STRANGER, "count": ROWS, "bytes": EXPORT_BYTES},
    }
    by_day = {
        "subject": subject,
        "action": {"name": admin.action},
        "resource": {"type": theme, "id": thing},
        "context": {name: value for name, value in usual.items() if value},
    }
    return [
        Step(day, f"{admin.subject} by day, from the usual place, does what they do most", by_day),
        Step(night, "the same account at 03:12 from an unknown address exports the customers", export),
        Step(night + timedelta(seconds=20), "and tries again", export),
    ]


class _Clock:
    """A clock that stands where the story is."""

    def __init__(self, time: datetime) -> None:
        self.time = time

    def __call__(self) -> datetime:
        return self.time


def _serve(home: Path, steps: list[Step]) -> list[str]:
    """Ask step by step; returns the ids of the decisions."""
    clock = _Clock(steps[0].time)
    settings = opening.plain_settings(
        {"home.path": home, "respond.enforce": True, "serve.listen": "127.0.0.1:0", "serve.log_level": "warning"}
    )
    with opening.keys_at(home) as table:
        secret = opening.issuing().issue(table, "pep", label="demo", now=clock()).secret
    answers: list[str] = []

    def visit(address: str) -> None:
        say(f"serving at {address}, enforcing; asking as a policy enforcement point does")
        for step in steps:
            clock.time = step.time
            answers.append(_ask(address, secret, step))

    opening.run_server_for(settings, clock, visit)
    return answers


def _ask(address: str, secret: str, step: Step) -> str:
    import httpx  # noqa: PLC0415 - only this demonstration talks HTTP

    answer = httpx.post(
        f"{address}/access/v1/evaluation",
        json=step.question,
        headers={"authorization": f"Bearer {secret}"},
        timeout=_TIMEOUT_S,
    ).raise_for_status()
    decision: str = answer.json()["context"]["id"]
    return decision


def _told(home: Path, answers: list[str]) -> Told:
    with opening.home_of(home) as opened:
        asked = [opening.question_of(opened, answer) for answer in answers]
        rang = opened.records.alerts_since(record_seq(answers[0]))
        case = alert_with_evidence(opened.records, rang[0].id) if rang else None
    return Told(asked, case)


def _draw(printer: Printer, told: Told, steps: list[Step]) -> None:
    for step, asked in zip(steps, told.steps, strict=True):
        printer.line()
        printer.line(f"{when(step.time)}  {step.told}", "bold")
        printer.line()
        asked_full(printer, asked)
    printer.line()
    if told.case is None:
        printer.line("nobody was rung")
        return
    printer.line("what the team sees:", "bold")
    printer.line()
    alert_full(printer, told.case.alert, told.case.findings, told.case.restrictions)
