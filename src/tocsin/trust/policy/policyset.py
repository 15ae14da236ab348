"""One loaded folder of policies, and the questions put to it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cedarpy
import msgspec

from tocsin.errors import BadValue
from tocsin.trust.policy import outcome
from tocsin.trust.policy.cache import Cache
from tocsin.trust.policy.facts import FACTS, PARTIES, fact_to_cedar
from tocsin.trust.policy.loading import Parts, load
from tocsin.trust.policy.names import cedar_type, checked_id
from tocsin.trust.policy.outcome import PolicyAnswer
from tocsin.trust.policy.places import place_of
from tocsin.trust.policy.values import plain_value, to_cedar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tocsin.question import Party
    from tocsin.trust.policy.annotations import Rule
    from tocsin.trust.policy.slices import Handles

__all__ = ["CACHE_ENTRIES", "PolicySet"]

CACHE_ENTRIES: Final = 65_536
MAX_CONTEXT_BYTES: Final = 256 << 10
MAX_KEY_BYTES: Final = 1024
"""Larger questions are answered and not kept."""
MAX_ANSWERS: Final = 4096
MAX_ERROR_CHARS: Final = 300

_OWN_NAME: Final = re.compile(r"`(policy[0-9]+)`")
"""How Cedar names a policy of ours in an error; it names it before anything a caller could have sent."""
_Request = dict[str, Any]


class PolicySet:
    """Policies, entities and what they read, loaded and validated. Immutable but for the answers it keeps."""

    def __init__(self, parts: Parts, *, cache_entries: int = CACHE_ENTRIES) -> None:
        reads = parts.reads
        self.version = parts.version
        self.reads = frozenset(FACTS) | reads.fields if reads.everything else reads.fields
        """Fields of the context that any policy reads."""
        self.reads_everything = reads.everything
        """Whether `context` is used whole, so that any field of a caller's own counts too."""
        self.rules: Sequence[Rule] = tuple(parts.rules.values())
        """Every policy's name, place and annotations, in file order."""
        self._parts = parts
        self._cache: Cache[PolicyAnswer] | None = Cache(cache_entries) if "time" not in self.reads else None
        self._fields = tuple(sorted(reads.fields.difference(PARTIES)))
        self._places = tuple(place_of(name, reads) for name in self._fields)
        self._answers: dict[tuple[object, ...], PolicyAnswer] = {}
        self._parties = tuple(name in self.reads for name in PARTIES)
        self._encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode

    @classmethod
    def load(cls, folder: Path, *, cache_entries: int = CACHE_ENTRIES) -> PolicySet:
        """Load and check a folder; raises PolicyError."""
        return cls(load(folder), cache_entries=cache_entries)

    def entities(self, type: str) -> Sequence[str]:  # noqa: A002 - AuthZEN's name for it
        """Ids stored of a type, in file order."""
        return tuple(self._parts.stored.attributes.get(cedar_type(type), ()))

    def attributes(self, type: str, id: str) -> dict[str, Any]:  # noqa: A002 - AuthZEN's names for them
        """Give the stored attributes as plain values; none for an entity that is not stored."""
        found: dict[str, Any] = plain_value(self._stored(cedar_type(type), id))
        return found

    def holds(self, type: str, id: str, name: str) -> bool:  # noqa: A002 - AuthZEN's names for them
        """Say whether a stored attribute is true."""
        return self._stored(cedar_type(type), id).get(name) is True

    def actions(self) -> Sequence[str]:
        """Every action named in policies, schema or entities, in order of first appearance."""
        return self._parts.actions

    def evaluate(  # noqa: PLR0913 - a question has these parts
        self,
        subject: Party,
        action: str,
        action_properties: Mapping[str, Any],
        resource: Party,
        facts: Mapping[str, Any],
        *,
        overlay: bool = True,
    ) -> PolicyAnswer:
        """Answer one question; `facts` are the context's fields, of which only those in `reads` are looked at.

        `overlay` lets the properties sent stand over stored attributes. Raises BadValue for a question that holds
        what no policy can be asked about; whatever else goes wrong is an answer that denies.
        """
        sent = (subject.properties, resource.properties, action_properties) if overlay else ({}, {}, {})
        key = self._key((subject.type, subject.id, action, resource.type, resource.id), sent, facts)
        if key is None or self._cache is None:
            return self._decide(self._request(subject, action, resource, sent, facts))
        answer = self._cache.get(key)
        if answer is None:
            answer = self._decide(self._request(subject, action, resource, sent, facts))
            self._cache.keep(key, answer)
        return answer

    def matches(  # noqa: PLR0913 - see evaluate
        self,
        subject: Party,
        action: str,
        action_properties: Mapping[str, Any],
        resource: Party,
        facts: Mapping[str, Any],
        *,
        overlay: bool = True,
    ) -> tuple[list[Rule], dict[str, Any]]:
        """Find every policy that holds, permits behind a forbid included, and the context as policies read it."""
        sent = (subject.properties, resource.properties, action_properties) if overlay else ({}, {}, {})
        request = self._request(subject, action, resource, sent, facts)
        rules: dict[str, Rule] = {}
        for policies in self._slice(request):
            found = self._ask(request, policies)
            if not isinstance(found, PolicyAnswer):
                rules |= {rule.id: rule for rule in found[1]}
        context: dict[str, Any] = plain_value(msgspec.json.decode(request["context"]))
        return list(rules.values()), context

    def overlaid(self, party: Party) -> dict[str, Any]:
        """Give a party's attributes as stored, with what is sent of it over them, as plain values."""
        found: dict[str, Any] = plain_value(self._stored(cedar_type(party.type), party.id) | to_cedar(party.properties))
        return found

    def _key(
        self, names: tuple[str, ...], sent: tuple[Mapping[str, Any], ...], facts: Mapping[str, Any]
    ) -> bytes | None:
        """Write down all that can make a difference; None where that cannot be written, or is too long to keep.

        INVARIANT: two questions with one key get one answer. MessagePack tells 1, 1.0 and true apart, and NaN from
        nothing; a number that is only compared with thresholds is written as its place among them.
        """
        parts: list[Any] = [names, [sent[i] for i in range(3) if self._parties[i]]]
        try:
            if self.reads_everything:
                parts.append(dict(facts))
            else:
                for name, place in zip(self._fields, self._places, strict=True):
                    value = facts.get(name)
                    parts.append(value if place is None else place(value))
            key = self._encode(parts)
        except (TypeError, ValueError, OverflowError, RecursionError):
            return None
        return key if len(key) <= MAX_KEY_BYTES else None

    def _request(
        self,
        subject: Party,
        action: str,
        resource: Party,
        sent: tuple[Mapping[str, Any], ...],
        facts: Mapping[str, Any],
    ) -> _Request:
        context = msgspec.json.encode(self._context(subject, action, resource, sent, facts))
        if len(context) > MAX_CONTEXT_BYTES:
            raise BadValue(f"what policies read is more than {MAX_CONTEXT_BYTES} bytes", hint="send less with it")
        return {
            "principal": {"type": cedar_type(subject.type), "id": checked_id(subject.id, "the subject's id")},
            "action": {"type": "Action", "id": checked_id(action, "the action's name")},
            "resource": {"type": cedar_type(resource.type), "id": checked_id(resource.id, "the resource's id")},
            "context": context.decode(),
        }

    def _context(
        self,
        subject: Party,
        action: str,
        resource: Party,
        sent: tuple[Mapping[str, Any], ...],
        facts: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Build what policies read, in Cedar's JSON; raises BadValue."""
        names = facts.keys() - set(PARTIES) if self.reads_everything else self._fields
        made = ((name, fact_to_cedar(name, facts.get(name))) for name in names)
        context = {name: value for name, value in made if value is not None}
        uids = ((subject.type, subject.id), (resource.type, resource.id), ("Action", action))
        for name, wanted, (kind, uid), properties in zip(PARTIES, self._parties, uids, sent, strict=True):
            if wanted:
                context[name] = self._stored(cedar_type(kind), uid) | to_cedar(dict(properties))
        return context

    def _stored(self, kind: str, uid: str) -> dict[str, Any]:
        return self._parts.stored.attributes.get(kind, {}).get(uid, {})

    def _slice(self, request: _Request) -> Handles:
        return self._parts.slices.of(request["action"]["id"], request["principal"]["type"], request["resource"]["type"])

    def _decide(self, request: _Request) -> PolicyAnswer:
        """Put a question to Cedar; INVARIANT: an error or no decision denies, for Cedar skips a forbid that errs."""
        policies, permits = self._slice(request)
        found = self._ask(request, policies)
        if isinstance(found, PolicyAnswer):
            return found
        allowed, rules = found
        if allowed:
            return self._made(outcome.permitted, rules)
        if any(rule.outcome == "deny" for rule in rules):
            return self._made(outcome.forbidden, rules)
        if not rules:
            return self._made(outcome.unpermitted, rules)
        without = self._ask(request, permits)
        if isinstance(without, PolicyAnswer):
            return without
        return self._made(outcome.stepped_up if without[0] else outcome.unpermitted, rules)

    def _made(self, make: Callable[[Sequence[Rule]], PolicyAnswer], rules: list[Rule]) -> PolicyAnswer:
        """Make an answer, or take the one that the same policies made before: many questions share few answers."""
        key = (make, *(rule.id for rule in rules))
        answer = self._answers.get(key)
        if answer is None:
            answer = make(rules)
            if len(self._answers) < MAX_ANSWERS:
                self._answers[key] = answer
        return answer

    def _ask(self, request: _Request, policies: cedarpy.PolicySet) -> tuple[bool, list[Rule]] | PolicyAnswer:
        try:
            result = cedarpy.is_authorized(request, policies, self._parts.stored.handle)
            errors = [self._told(error) for error in result.diagnostics.errors]
            if errors or result.decision is cedarpy.Decision.NoDecision:
                return outcome.failed(errors or ["no decision"])
            holding = sorted(result.diagnostics.reasons, key=_in_file_order)
            return result.allowed, [self._parts.rules[name] for name in holding]
        except Exception as error:  # noqa: BLE001 - whatever the engine does, the answer is deny
            return outcome.failed([f"{type(error).__name__}: {error}"[:MAX_ERROR_CHARS]])

    def _told(self, error: str) -> str:
        """Write an error with the policy's own name and place; without the folder, which is not a caller's business."""
        match = _OWN_NAME.search(error)
        rule = self._parts.rules.get(match[1]) if match else None
        if match is None or rule is None:
            return error[:MAX_ERROR_CHARS]
        return f"{Path(rule.place).name}: {error.replace(match[0], f'`{rule.id}`')}"[:MAX_ERROR_CHARS]


def _in_file_order(name: str) -> int:
    return int(name.removeprefix("policy"))
