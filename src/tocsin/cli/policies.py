"""What the commands on policies do and print; brought in by `tocsin policy` only when one of them runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.cli.opening import load_settings, open_home
from tocsin.cli.output import say
from tocsin.cli.render import when
from tocsin.cli.safe import shorten
from tocsin.engine.questions import journaled
from tocsin.errors import PolicyError
from tocsin.question import Party, Reliance, Why
from tocsin.trust.policy import (
    DEFAULT_FOLDER,
    KEPT,
    Case,
    Change,
    Compared,
    PolicySet,
    Trial,
    case_files,
    compare,
    failure,
    inspect,
    install,
    read_cases,
    read_trial,
    trial_of,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from tocsin.cli.output import Printer

__all__ = ["check", "diff", "explain", "folder_of", "install_in", "read_trial", "run_cases", "trial_of"]

_NO_CACHE: Final = 0
MAX_SHOWN_CHARS: Final = 200


class Failed(msgspec.Struct, frozen=True):
    """A case that did not come out as wanted."""

    file: str
    number: int
    name: str
    failure: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One question, what was read of it, and every policy that holds."""

    answer: str
    policy_version: str
    why: tuple[Why, ...]
    matched: list[dict[str, Any]]
    errors: tuple[str, ...]
    obligations: dict[str, Any]
    reliance: Reliance | None
    subject: dict[str, Any]
    action: dict[str, Any]
    resource: dict[str, Any]
    read: dict[str, Any]
    """Fields of the context that policies read, as they read them."""


def folder_of(folder: Path | None, config: Path | None) -> Path:
    """Name the folder meant: the one given, the one set, or the default policies."""
    if folder is not None:
        return folder
    chosen = load_settings(config, {}).settings.policy.folder
    return Path(chosen) if chosen else DEFAULT_FOLDER


def install_in(printer: Printer, folder: Path, home: Path | None, config: Path | None, by: str) -> None:
    """Put policies in force in a home, audited; raises PolicyError for what does not load."""
    with open_home(config, home) as opened:
        version = install(folder, opened.path)
        opened.records.audit(by, "policies-installed", {"version": version, "folder": str(folder)})
        told = {"version": version, "folder": str(opened.path / KEPT)}
    printer.one(told, lambda p, t: p.line(f"in force: version {t['version']}, kept in {t['folder']}"))
    if load_settings(config, {}).settings.policy.folder:
        say("warning: `policy.folder` is set and counts before these")


def check(printer: Printer, folder: Path) -> None:
    """Check a folder and print what is in it; raises PolicyError, with every fault told."""
    found = inspect(folder)
    for warning in found.warnings:
        say(f"warning: {warning}")
    if found.parts is None:
        for fault in found.faults:
            say(str(fault))
        raise PolicyError(
            f"`{folder}` does not load: {_counted(len(found.faults), 'fault')}",
            hint="a running server keeps the policies it has",
        )
    loaded = PolicySet(found.parts, cache_entries=_NO_CACHE)
    summary = {
        "ok": True,
        "folder": str(folder),
        "version": loaded.version,
        "policies": len(loaded.rules),
        "entities": found.parts.stored.count,
        "actions": list(loaded.actions()),
        "reads": sorted(loaded.reads),
        "warnings": [str(warning) for warning in found.warnings],
    }
    printer.one(summary, _checked)


def _checked(printer: Printer, summary: dict[str, Any]) -> None:
    counts = f"{_counted(summary['policies'], 'policy')}, {_counted(summary['entities'], 'entity')}"
    printer.line(f"ok: version {summary['version']}, {counts}")
    printer.line(f"reads: {', '.join(summary['reads']) or 'nothing of the context'}")


def run_cases(printer: Printer, folder: Path, files: Sequence[Path]) -> None:
    """Run test files and print what failed; raises PolicyError when anything did, or when there is nothing to run."""
    policies = PolicySet.load(folder, cache_entries=_NO_CACHE)
    files = files or case_files(folder)
    if not files:
        raise PolicyError(f"`{folder}` holds no `*.test.toml` or `*.test.json`", hint="--file names others")
    cases = [(path, number, case) for path in files for number, case in enumerate(read_cases(path), 1)]
    failed = [found for path, number, case in cases if (found := _tried(policies, path, number, case)) is not None]
    printer.many(failed, _failures)
    if failed:
        raise PolicyError(
            f"{len(failed)} of {_counted(len(cases), 'case')} failed", hint="`tocsin policy explain` shows one question"
        )
    say(f"{_counted(len(cases), 'case')} in {_counted(len(files), 'file')} passed, version {policies.version}")


def _tried(policies: PolicySet, path: Path, number: int, case: Case) -> Failed | None:
    try:
        found = failure(policies, case)
    except PolicyError as error:
        raise PolicyError(f"{path}: case {number}: {error.message}", hint=error.hint) from error
    return Failed(str(path), number, case.name, found) if found else None


def _failures(printer: Printer, failed: Sequence[Failed]) -> None:
    for one in failed:
        printer.line(f"{one.file}: case {one.number}{f' ({one.name})' if one.name else ''}: {one.failure}")


def explain(printer: Printer, folder: Path, trial: Trial) -> None:
    """Print the answer to one question, every policy that holds and the attributes they read."""
    policies = PolicySet.load(folder, cache_entries=_NO_CACHE)
    subject, action, properties, resource = trial.question()
    facts = trial.known()
    told = trial.put_to(policies)
    matched, read = policies.matches(subject, action, properties, resource, facts, overlay=trial.overlay)
    acted = Party(type="Action", id=action, properties=properties)
    parties = [_seen(policies, party, trial) for party in (subject, acted, resource)]
    explained = Explained(
        answer=told.answer,
        policy_version=policies.version,
        why=told.why,
        matched=[{"id": r.id, "outcome": r.outcome, "place": r.place, "reason": r.reason} for r in matched],
        errors=told.errors,
        obligations=told.obligations,
        reliance=told.reliance,
        subject=parties[0],
        action=parties[1],
        resource=parties[2],
        read=read,
    )
    printer.one(explained, _explained)


def _seen(policies: PolicySet, party: Party, trial: Trial) -> dict[str, Any]:
    sent = party if trial.overlay else Party(type=party.type, id=party.id)
    return {"type": party.type, "id": party.id, "attributes": policies.overlaid(sent)}


def _explained(printer: Printer, told: Explained) -> None:
    printer.line(told.answer, "bold")
    for label, party in (("subject", told.subject), ("action", told.action), ("resource", told.resource)):
        name = party["id"] if label == "action" else f"{party['type']}:{party['id']}"
        printer.line(f"  {label:10}{shorten(name)}  {_written(party['attributes'])}")
    printer.line("read:")
    for name, value in sorted(told.read.items()):
        printer.line(f"  {name} = {_written(value)}")
    printer.line("policies that hold:" if told.matched else "no policy holds")
    for rule in told.matched:
        printer.line(f"  {rule['outcome']:8}{rule['id']}  {rule['place']}  {rule['reason']}".rstrip())
    for error in told.errors:
        printer.line(f"error: {error}", "bold red")
    for name, value in told.obligations.items():
        printer.line(f"obligation: {name} = {_written(value)}")


def diff(printer: Printer, folder: Path, home: Path | None, config: Path | None, since: datetime | None) -> None:
    """Print every decision in the journal that the policies of a folder would change."""
    policies, count = PolicySet.load(folder, cache_entries=_NO_CACHE), Compared()
    settings = load_settings(config, {"home.path": home}).settings.decide
    with open_home(config, home) as opened:
        changes = list(compare(policies, journaled(opened, since), settings, count))
    printer.many(changes, _changes)
    say(f"{count.changed} of {_counted(count.asked, 'decision')} would change under version {policies.version}")
    if count.left_out:
        say(f"{count.left_out} left out: nothing could be decided when they were asked")


def _changes(printer: Printer, changes: Sequence[Change]) -> None:
    if changes:
        printer.table(("DECISION", "TIME", "QUESTION", "WAS", "WOULD BE"), [_row(change) for change in changes])


def _row(change: Change) -> tuple[str, ...]:
    asked = change.question
    question = f"{asked.subject.entity} {asked.action} {asked.resource.entity}"
    sides = (f"{side.answer} ({', '.join(side.why)})" for side in (change.was, change.would_be))
    return (change.decision_id, when(asked.time), shorten(question), *map(shorten, sides))


def _written(value: object) -> str:
    return shorten(msgspec.json.encode(value).decode(), MAX_SHOWN_CHARS)


def _counted(number: int, noun: str) -> str:
    many = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{number} {noun if number == 1 else many}"
