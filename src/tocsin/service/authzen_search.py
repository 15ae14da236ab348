"""AuthZEN search: which subjects, resources or actions would be allowed (section 8).

Candidates are what the policies' folder names, in its order; each is decided in full, without being journaled, so that
membership and every other relation that policies follow is followed here too (section 8.1). The work for one page is
bounded, and other requests get their turn while it is done.
"""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from msgspec import UNSET, Struct, UnsetType, json

from tocsin.errors import BadValue, IdentityError
from tocsin.service.authzen_answer import Context, refused
from tocsin.service.authzen_credential import credentials_of, proven
from tocsin.service.authzen_page import Pages
from tocsin.service.authzen_question import CREDENTIAL, asserted, question_of, told
from tocsin.service.authzen_wire import (
    Action,
    ActionSearch,
    Entity,
    ResourceSearch,
    SubjectSearch,
    caller_of,
    read,
)
from tocsin.service.json import convert
from tocsin.service.problems import Problem
from tocsin.service.request import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tocsin.question import Caller, Identity, Question
    from tocsin.service.authzen_page import Place
    from tocsin.service.house import House
    from tocsin.service.request import Request

__all__ = ["Search"]

Sought = SubjectSearch | ResourceSearch | ActionSearch

_SLICE_S: Final = 0.002
"""For so long a search may hold the event loop before others get their turn."""
_AT_ONCE: Final = 2
"""Searches under way at once; further ones wait, so that they cannot crowd out the questions."""


class Shown(Struct, frozen=True):
    """Which part of the results this is (section 8.2.2)."""

    next_token: str
    count: int
    total: int | UnsetType = UNSET


class Results(Struct, frozen=True):
    """The answer to a search (section 8.3), the page first."""

    page: Shown | UnsetType
    context: Context | UnsetType
    results: list[dict[str, str]]


class Tuple(NamedTuple):
    """What would be asked of one candidate."""

    subject: Entity
    action: Action
    resource: Entity


class Candidates(NamedTuple):
    """What is searched, in a stable order."""

    names: Sequence[str]
    put: Callable[[str], Tuple]
    show: Callable[[str], dict[str, str]]


class Search:
    """The search endpoints over one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        serve = house.settings.serve
        self._scan, self._pages = serve.search_scan, Pages(serve.search_page)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def subjects(self, request: Request) -> Response:
        """Find the subjects of a type that may do this to that (section 8.4)."""
        asked = convert(read(request), SubjectSearch)
        kind, action, resource = asked.subject, asked.action, asked.resource
        candidates = Candidates(
            self._house.policies.current.entities(kind.type),
            lambda name: Tuple(Entity(kind.type, name, kind.properties), action, resource),
            lambda name: {"type": kind.type, "id": name},
        )
        return await self._answer(asked, caller_of(request), candidates, None)

    async def resources(self, request: Request) -> Response:
        """Find the resources of a type to which this subject may do that (section 8.5)."""
        asked = convert(read(request), ResourceSearch)
        subject, action, kind = asked.subject, asked.action, asked.resource
        candidates = Candidates(
            self._house.policies.current.entities(kind.type),
            lambda name: Tuple(subject, action, Entity(kind.type, name, kind.properties)),
            lambda name: {"type": kind.type, "id": name},
        )
        return await self._answer(asked, caller_of(request), candidates, subject)

    async def actions(self, request: Request) -> Response:
        """Find the actions that this subject may do to this resource (section 8.6)."""
        asked = convert(read(request), ActionSearch)
        subject, resource = asked.subject, asked.resource
        candidates = Candidates(
            self._house.policies.current.actions(),
            lambda name: Tuple(subject, Action(name), resource),
            lambda name: {"name": name},
        )
        return await self._answer(asked, caller_of(request), candidates, subject)

    async def _answer(self, asked: Sought, caller: Caller, candidates: Candidates, subject: Entity | None) -> Response:
        """Search; `subject` is the one subject, None where every candidate is another."""
        bound = self._pages.bind(asked, caller.id)
        place = self._pages.begin(asked.page, bound)
        circumstances, now = told(asked.context, asked.subject.properties), self._house.clock()
        try:
            identity = await self._identity(asked.context, subject)
        except IdentityError as error:
            return _written([], UNSET, Context(outcome="deny", reasons=refused(error, "").why))

        def put(name: str) -> Question:
            who, action, resource = candidates.put(name)
            return question_of(
                who,
                action,
                resource,
                circumstances,
                identity=identity or asserted(who),
                caller=caller,
                believed=self._house.settings.policy.overlay_roles,
                now=now,
            )

        try:
            async with self._turns:
                found, rest = await self._allowed(candidates.names, put, place)
        except BadValue as error:
            raise Problem(400, error.code, error.message) from None
        shown: Shown | UnsetType = UNSET
        if rest is not None:
            ahead = place._replace(candidate=rest, found=place.found + len(found))
            shown = Shown(self._pages.token(ahead, bound), len(found))
        elif asked.page is not UNSET:
            shown = Shown("", len(found), place.found + len(found))
        return _written([candidates.show(name) for name in found], shown, UNSET)

    async def _identity(self, context: dict[str, Any], subject: Entity | None) -> Identity | None:
        """Find who the one subject is; None where every candidate is another, and none of them is the credential's."""
        credentials = credentials_of(context[CREDENTIAL]) if CREDENTIAL in context else None
        if subject is None:
            return None
        if credentials is None:
            return asserted(subject)
        return await proven(self._house, credentials, subject, self._house.clock())

    async def _allowed(
        self, names: Sequence[str], put: Callable[[str], Question], place: Place
    ) -> tuple[list[str], int | None]:
        """Decide candidates from a place on; the second value is where to go on, None at the end."""
        preview = self._house.verifier.preview
        found: list[str] = []
        began = perf_counter()
        for at in range(place.candidate, len(names)):
            if at - place.candidate >= self._scan:
                return found, at
            if preview(put(names[at])).permitted:
                if len(found) == place.limit:
                    return found, at
                found.append(names[at])
            if perf_counter() - began > _SLICE_S:
                await asyncio.sleep(0)
                began = perf_counter()
        return found, None


def _written(results: list[dict[str, str]], page: Shown | UnsetType, context: Context | UnsetType) -> Response:
    return Response(body=json.encode(Results(page, context, results)))
