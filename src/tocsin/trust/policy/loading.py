"""A folder of policies checked from end to end, and every fault told with its file and line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import cedarpy
import msgspec

from tocsin.errors import PolicyError
from tocsin.trust.policy.annotations import BadAnnotation, Rule, read_rule, unknown
from tocsin.trust.policy.facts import FACTS
from tocsin.trust.policy.files import Folder, read_folder
from tocsin.trust.policy.reading import Reads, foreign_actions, named_actions, read_fields
from tocsin.trust.policy.schema import BadSchema, read_schema, schema_actions
from tocsin.trust.policy.slices import Slices
from tocsin.trust.policy.stored import BadEntities, Stored, read_entities
from tocsin.trust.policy.text import Statement, blame, statements, strain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

__all__ = ["Fault", "Inspection", "Parts", "inspect", "load"]

MAX_POLICIES: Final = 10_000


class Fault(msgspec.Struct, frozen=True):
    """Something wrong, or worth a look, and where."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that answering needs, checked."""

    version: str
    rules: dict[str, Rule]
    """By Cedar's own id of the policy, in file order."""
    slices: Slices
    stored: Stored
    reads: Reads
    actions: tuple[str, ...]


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a folder: its parts, or the faults for which there are none."""

    parts: Parts | None
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()


class _Policy(msgspec.Struct, frozen=True):
    """One policy as written, and in Cedar's JSON form."""

    statement: Statement
    body: dict[str, Any]


def load(folder: Path) -> Parts:
    """Load a folder; raises PolicyError that names the first fault and counts the others."""
    inspection = inspect(folder)
    if inspection.parts is None:
        first, *others = inspection.faults
        more = f"{len(others)} more; " if others else ""
        raise PolicyError(str(first), hint=f"{more}`tocsin policy check` tells everything that is wrong")
    return inspection.parts


def inspect(folder: Path) -> Inspection:
    """Check a folder from end to end; raises PolicyError only when it cannot be read at all."""
    read = read_folder(folder)
    policies, faults = _parsed(read)
    rules, more = _rules(policies)
    schema, schema_faults = _schema(read)
    faults = [*faults, *more, *schema_faults]
    if schema is not None and not faults:
        faults = _validated(policies, schema)
    stored, entity_faults = _entities(read, schema) if not schema_faults else (None, [])
    faults = [*faults, *entity_faults]
    if faults or stored is None:
        return Inspection(parts=None, faults=tuple(faults))
    parts = _assembled(read, policies, rules, schema, stored)
    return Inspection(parts=parts, warnings=tuple(_warnings(read, policies)))


def _parsed(folder: Folder) -> tuple[list[_Policy], list[Fault]]:
    policies: list[_Policy] = []
    faults: list[Fault] = []
    for label, text in folder.policies:
        if too_much := strain(text):
            faults.append(Fault(label, too_much))
            continue
        found = [_policy(statement) for statement in statements(label, text)]
        wrong = [fault for fault in found if isinstance(fault, Fault)]
        right = [policy for policy in found if isinstance(policy, _Policy)]
        if not wrong and not _same(text, right):
            wrong = [Fault(label, "its policies cannot be told apart")]
        policies += right
        faults += wrong
    if len(policies) > MAX_POLICIES:
        faults.append(Fault(str(folder.path), f"more than {MAX_POLICIES} policies"))
    return policies, faults


def _policy(statement: Statement) -> _Policy | Fault:
    try:
        parsed = msgspec.json.decode(cedarpy.policies_to_json_str(statement.text))
    except ValueError as error:
        message = str(error)
        return Fault(statement.place_of(blame(statement.text, message, _complaint)), message)
    except RecursionError:
        return Fault(statement.place, "nested too deep")
    if parsed["templates"]:
        return Fault(statement.place, "a template (`?principal`, `?resource`) has nothing here to be linked to")
    if len(parsed["staticPolicies"]) != 1:
        return Fault(statement.place, "not one policy")
    return _Policy(statement, parsed["staticPolicies"]["policy0"])


def _same(text: str, policies: Sequence[_Policy]) -> bool:
    """Say whether Cedar, given the whole file, sees the same policies in the same order."""
    whole = msgspec.json.decode(cedarpy.policies_to_json_str(text))["staticPolicies"]
    return bool(whole == {f"policy{number}": policy.body for number, policy in enumerate(policies)})


def _complaint(text: str) -> str:
    try:
        cedarpy.policies_to_json_str(text)
    except ValueError as error:
        return str(error)
    return ""


def _rules(policies: Sequence[_Policy]) -> tuple[dict[str, Rule], list[Fault]]:
    rules: dict[str, Rule] = {}
    faults: list[Fault] = []
    places: dict[str, str] = {}
    for number, policy in enumerate(policies):
        notes = {name: text or "" for name, text in policy.body.get("annotations", {}).items()}
        place = policy.statement.place
        try:
            unknown(notes)
            rule = read_rule(f"policy{number}", place, policy.body["effect"], notes)
        except BadAnnotation as error:
            faults.append(Fault(place, str(error)))
            continue
        if rule.id in places:
            faults.append(Fault(place, f"`@id` `{rule.id}` is taken by the policy at {places[rule.id]}"))
        places[rule.id] = place
        rules[f"policy{number}"] = rule
    return rules, faults


def _schema(folder: Folder) -> tuple[cedarpy.Schema | None, list[Fault]]:
    if folder.schema is None:
        return None, []
    try:
        return read_schema(folder.schema), []
    except BadSchema as error:
        return None, [Fault(error.place, str(error))]


def _entities(folder: Folder, schema: cedarpy.Schema | None) -> tuple[Stored | None, list[Fault]]:
    try:
        return read_entities(folder.entities, schema), []
    except BadEntities as error:
        return None, [Fault(error.place, str(error))]


def _validated(policies: Sequence[_Policy], schema: cedarpy.Schema) -> list[Fault]:
    faults = []
    for policy in policies:
        for error in cedarpy.validate_policies(policy.statement.text, schema, release_gil=True).errors:
            said = error.error.removeprefix(f"for policy `{error.policy_id}`, ")
            statement = policy.statement
            faults.append(Fault(statement.place_of(blame(statement.text, said, lambda _: "")), said))
    return list(dict.fromkeys(faults))


def _assembled(
    folder: Folder, policies: Sequence[_Policy], rules: dict[str, Rule], schema: cedarpy.Schema | None, stored: Stored
) -> Parts:
    bodies = {f"policy{number}": policy.body for number, policy in enumerate(policies)}
    declared = schema_actions(schema) if schema is not None else []
    named = [*named_actions(bodies.values()), *declared, *stored.attributes.get("Action", ())]
    return Parts(
        version=folder.version,
        rules=rules,
        slices=Slices(bodies, stored.above),
        stored=stored,
        reads=read_fields(bodies.values()),
        actions=tuple(dict.fromkeys(named)),
    )


def _warnings(folder: Folder, policies: Sequence[_Policy]) -> Iterable[Fault]:
    if folder.schema is None:
        yield Fault(str(folder.path), "no `schema.cedarschema`: names and types in policies are not checked")
    for policy in policies:
        place = policy.statement.place
        for name in unknown(policy.body.get("annotations", {})):
            yield Fault(place, f"`@{name}` has no meaning here")
        for kind, name in foreign_actions(policy.body):
            yield Fault(place, f'no question has the action `{kind}::"{name}"`: all are `Action::"name"`')
        if folder.schema is None:
            for field in sorted(read_fields([policy.body]).fields - FACTS.keys()):
                yield Fault(place, f"`context.{field}` is no fact of ours: only callers can send it")
