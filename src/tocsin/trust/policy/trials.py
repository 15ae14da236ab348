"""Questions written by hand: to try policies with, and to test them with, in plain files.

A test file is `*.test.toml` or `*.test.json` in the folder of the policies it tests::

    [facts]                       # hold for every case here; what is not said is as in USUAL
    assurance = 2

    [[case]]
    name = "an old proof is not enough"
    subject = "user:ada"
    action = "export"
    resource = { type = "table", id = "customers", properties = { owner = "cleo" } }
    facts = { sensitive = true, privileged = true, proof_age_s = 50000 }
    answer = "step_up"
    why = ["fresh-proof"]         # exactly these; leave it out where any reason will do
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from tocsin.config.toml import nearest
from tocsin.errors import BadValue, PolicyError
from tocsin.question import Answer, Party
from tocsin.trust.policy.facts import FACTS, PARTIES, with_request
from tocsin.trust.policy.names import MAX_ID_CHARS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tocsin.trust.policy.outcome import PolicyAnswer
    from tocsin.trust.policy.policyset import PolicySet

__all__ = ["USUAL", "Case", "CaseFile", "Trial", "case_files", "failure", "read_cases", "read_trial", "trial_of"]

MAX_FILE_BYTES: Final = 4 << 20
USUAL: Final[Mapping[str, Any]] = {
    "risk": "low",
    "causes": [],
    "restriction": "none",
    "assurance": 2,
    "method": "oidc",
    "scopes": [],
    "claims": {},
    "proof_age_s": -1,
    "evidence": 0,
    "sensitive": False,
    "privileged": False,
    "kind": "api",
    "time": "2026-03-04T12:00:00Z",
    "caller": "test",
}
"""What holds in a trial that does not say otherwise: somebody well known, at noon of a Wednesday."""

_WRITTEN: Final = re.compile(r"((?:[^:]+::)*[^:]+):(.+)", re.DOTALL)

Text = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARS)]


class Named(Struct, frozen=True):
    """An action with properties, as AuthZEN writes it."""

    name: Text
    properties: dict[str, Any] = {}


class Thing(Struct, frozen=True):
    """A subject or resource with properties, as AuthZEN writes it."""

    type: Text
    id: Text
    properties: dict[str, Any] = {}


class Trial(Struct, frozen=True, kw_only=True):
    """One question; `subject` and `resource` may be written `type:id` where there are no properties."""

    subject: Text | Thing
    action: Text | Named
    resource: Text | Thing
    facts: dict[str, Any] = {}
    """What Tocsin would know."""
    context: dict[str, Any] = {}
    """What the caller would send besides."""
    overlay: bool = True

    def question(self) -> tuple[Party, str, dict[str, Any], Party]:
        """Give subject, action, its properties and resource; raises PolicyError."""
        action = self.action if isinstance(self.action, Named) else Named(self.action)
        return _party(self.subject), action.name, action.properties, _party(self.resource)

    def known(self) -> dict[str, Any]:
        """Give every field of the context; raises PolicyError for a fact there is not."""
        for name in self.facts:
            if name not in FACTS or name in PARTIES:
                raise PolicyError(
                    f"`{name}` is no fact that Tocsin tells policies; what callers send stands under `context`",
                    hint=nearest(name, list(FACTS)),
                )
        facts = {**USUAL, **self.facts}
        facts["time"] = _time(facts["time"])
        clock = {"hour": facts["time"].hour, "weekday": facts["time"].isoweekday()}
        return with_request(clock | facts, self.context)

    def put_to(self, policies: PolicySet) -> PolicyAnswer:
        """Ask; raises PolicyError, or BadValue for what no policy can be asked about."""
        return policies.evaluate(*self.question(), self.known(), overlay=self.overlay)


class Case(Trial, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A question and what must come of it."""

    answer: Answer
    why: tuple[str, ...] | None = None
    obligations: dict[str, Any] | None = None
    name: str = ""


class CaseFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of cases."""

    case: Annotated[tuple[Case, ...], Meta(min_length=1)]
    facts: dict[str, Any] = {}


def case_files(folder: Path) -> list[Path]:
    """List the test files beside policies, by name."""
    return sorted(path for end in ("toml", "json") for path in folder.glob(f"*.test.{end}"))


def read_cases(path: Path) -> list[Case]:
    """Read a test file; raises PolicyError that says where it is wrong."""
    raw = _read(path)
    decode = msgspec.toml.decode if path.suffix == ".toml" else msgspec.json.decode
    try:
        file = decode(raw, type=CaseFile)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise PolicyError(f"{path}: {_lower(error)}", hint="`docs/policies.md` tells how cases are written") from error
    return [msgspec.structs.replace(case, facts=file.facts | case.facts) for case in file.case]


def read_trial(raw: bytes) -> Trial:
    """Read one question: AuthZEN's evaluation request, with `facts` besides; raises PolicyError."""
    if len(raw) > MAX_FILE_BYTES:
        raise PolicyError(f"a question is at most {MAX_FILE_BYTES} bytes", hint="send less of it")
    try:
        return msgspec.json.decode(raw, type=Trial)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise PolicyError(f"not a question: {_lower(error)}", hint="it holds subject, action and resource") from error


def trial_of(
    subject: str, action: str, resource: str, sent: Mapping[str, dict[str, Any]], known: dict[str, Any]
) -> Trial:
    """Make a question of its parts; `sent` holds properties by party, and the caller's `context`."""
    for name, text in (("subject", subject), ("action", action), ("resource", resource)):
        if not text:
            raise PolicyError(f"the question has no {name}", hint="--subject, --action and --resource make one")
    return Trial(
        subject=_thing(subject, sent["subject"]),
        action=Named(action, sent["action"]),
        resource=_thing(resource, sent["resource"]),
        context=sent["context"],
        facts=known,
    )


def failure(policies: PolicySet, case: Case) -> str:
    """Say how the policies' answer differs from what a case wants; empty when it does not."""
    try:
        told = case.put_to(policies)
    except BadValue as error:
        return f"cannot be asked: {error.message}"
    ids = [why.id for why in told.why]
    said = f"`{told.answer}` because of {', '.join(f'`{name}`' for name in ids)}"
    if told.errors:
        return f"wanted `{case.answer}`, got an error: {told.errors[0]}"
    if told.answer != case.answer:
        return f"wanted `{case.answer}`, got {said}"
    if case.why is not None and set(case.why) != set(ids):
        return f"wanted it because of {', '.join(f'`{name}`' for name in case.why) or 'nothing'}, got {said}"
    if case.obligations is not None and case.obligations != told.obligations:
        return f"wanted obligations {case.obligations}, got {told.obligations}"
    return ""


def _party(written: str | Thing) -> Party:
    thing = written if isinstance(written, Thing) else _thing(written, {})
    return Party(type=thing.type, id=thing.id, properties=thing.properties)


def _thing(text: str, properties: dict[str, Any]) -> Thing:
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise PolicyError(
            f"not an entity: `{text[:80]}`", hint="it is written `type:id`, as `user:ada` or `App::User:ada`"
        )
    return Thing(match[1], match[2], properties)


def _time(value: Any) -> datetime:  # noqa: ANN401 - whatever the file says
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise PolicyError(f"`{value}` is not a time", hint="write it as `2026-03-04T03:12:00Z`") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"cannot read `{path}`: {error.strerror or error}", hint="check the path") from error
    if len(raw) > MAX_FILE_BYTES:
        raise PolicyError(f"`{path}` is larger than {MAX_FILE_BYTES} bytes", hint="split it")
    return raw


def _lower(error: Exception) -> str:
    text = str(error) or "nested too deep"
    return text[:1].lower() + text[1:].rstrip(".")
