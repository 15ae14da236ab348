"""OpenID AuthZEN Authorization API 1.0: one question, several questions, and where to ask them.

A caller of the role `pep` vouches for the subject it names, which is worth assurance 1. It may pass on the subject's
own credential as `context.credential`; that is verified here, and a credential that does not hold is denied, whatever
the policies say.
"""

from __future__ import annotations

import asyncio
import re
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from msgspec import UNSET, json, structs

from tocsin.errors import BadValue, InvalidCredential, IssuerUnavailable, TocsinError
from tocsin.question import ANONYMOUS
from tocsin.service.authzen_answer import Answer, brief, encode, failed, full, refused
from tocsin.service.authzen_credential import credentials_of, proven
from tocsin.service.authzen_question import CREDENTIAL, asserted, identified, question_of, told
from tocsin.service.authzen_search import Search
from tocsin.service.authzen_wire import Evaluation, Evaluations, caller_of, read
from tocsin.service.json import convert
from tocsin.service.problems import Problem, problem_of
from tocsin.service.request import Response
from tocsin.service.route import PUBLIC, Route

if TYPE_CHECKING:
    from tocsin.question import Caller, Decision
    from tocsin.service.house import House
    from tocsin.service.request import Handler, Request

__all__ = ["ASKERS", "PATHS", "SEARCHERS", "AuthZen", "routes"]

_BASE: Final = "/access/v1"
PATHS: Final = {
    "access_evaluation_endpoint": f"{_BASE}/evaluation",
    "access_evaluations_endpoint": f"{_BASE}/evaluations",
    "search_subject_endpoint": f"{_BASE}/search/subject",
    "search_resource_endpoint": f"{_BASE}/search/resource",
    "search_action_endpoint": f"{_BASE}/search/action",
}
"""Default paths (section 10.1), by the parameter of the metadata that names them."""
WELL_KNOWN: Final = "/.well-known/authzen-configuration"
ASKERS: Final = frozenset({"pep", "admin"})
"""Roles that may ask; what they ask is journaled and learned from."""
SEARCHERS: Final = frozenset({"pep", "reader", "admin"})
"""Roles that may search; nothing is kept of a search."""

_POST: Final = frozenset({"POST"})
_SLICE_S: Final = 0.002
"""For so long one request may hold the event loop before others get their turn."""
_MOST_IDS: Final = 100
_MOST_SHARED_BYTES: Final = 4 << 20
"""Of the defaults, counted once for each question: every question is journaled with all that it says."""
_AUTHORITY: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_SHORTS: Final = {"deny_on_first_deny": False, "permit_on_first_permit": True}
"""Decision at which a list of questions is cut short."""


class AuthZen:
    """The endpoints over one house."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._most = house.settings.serve.evaluations
        self._public_url = house.settings.serve.public_url

    async def evaluation(self, request: Request) -> Response:
        """Answer one question (section 6)."""
        return await self._single(request, read(request))

    async def evaluations(self, request: Request) -> Response:
        """Answer several questions (section 7); without any in a list, the one at the top."""
        sent = read(request)
        several = convert(sent, Evaluations)
        if not several.evaluations:
            return await self._single(request, sent)
        if len(several.evaluations) > self._most:
            raise Problem(400, "too-many-evaluations", f"one request may hold {self._most} evaluations")
        answers, ids = await self._several(several, caller_of(request))
        headers = [(b"x-tocsin-decisions", ", ".join(ids).encode())] if 0 < len(ids) <= _MOST_IDS else []
        return Response(body=encode({"evaluations": answers}), headers=headers, decision=" ".join(ids[:_MOST_IDS]))

    async def metadata(self, request: Request) -> Response:
        """Say where to ask what (section 9)."""
        base = self._public_url
        if not base:
            authority = request.header(b"host") or ""
            if not _AUTHORITY.fullmatch(authority):
                raise Problem(400, "no-host", "`host` is not a host and a port")
            base = f"{request.scheme}://{authority}"
        told = {"policy_decision_point": base} | {name: base + path for name, path in PATHS.items()}
        # What follows from the request's own `Host` is nobody else's to keep.
        kept = b"max-age=3600" if self._public_url else b"no-store"
        return Response(body=json.encode(told), headers=[(b"cache-control", kept)])

    # --- one question, or one of several

    async def _single(self, request: Request, sent: dict[str, Any]) -> Response:
        decision = await self._decide(convert(sent, Evaluation), caller_of(request))
        return Response(body=encode(full(decision)), decision=decision.id)

    async def _several(self, several: Evaluations, caller: Caller) -> tuple[list[Answer], list[str]]:
        defaults = _defaults(several)
        if len(json.encode(defaults)) * len(several.evaluations) > _MOST_SHARED_BYTES:
            raise Problem(400, "too-many-evaluations", "the defaults are too large for so many evaluations")
        until = _SHORTS.get(several.options.evaluations_semantic)
        write = full if several.options.context == "full" else brief
        answers: list[Answer] = []
        ids: list[str] = []
        began = perf_counter()
        for item in several.evaluations:
            try:
                decision = await self._decide(convert(_completed(defaults, item), Evaluation), caller)
                answer = write(decision)
                ids.append(decision.id)
            except Problem as problem:
                answer = failed(problem)
            except TocsinError as error:
                answer = failed(problem_of(error))
            answers.append(answer)
            if answer.decision is until:
                break
            if perf_counter() - began > _SLICE_S:
                await asyncio.sleep(0)
                began = perf_counter()
        return answers, [name for name in ids if name]

    async def _decide(self, asked: Evaluation, caller: Caller) -> Decision:
        house, now = self._house, self._house.clock()
        question = question_of(
            asked.subject,
            asked.action,
            asked.resource,
            told(asked.context, asked.subject.properties),
            identity=asserted(asked.subject),
            caller=caller,
            believed=house.settings.policy.overlay_roles,
            now=now,
        )
        try:
            if CREDENTIAL in asked.context:
                credentials = credentials_of(asked.context[CREDENTIAL])
                question = identified(question, await proven(house, credentials, asked.subject, now))
            decision = house.verifier.ask(question)
        except BadValue as error:
            raise Problem(400, error.code, error.message) from None
        except InvalidCredential as error:
            house.log.info("credential-refused", caller=caller.id, reason=error.message)
            decision = refused(error, house.policies.current.version)
        except IssuerUnavailable as error:
            decision = house.verifier.undecided(identified(question, ANONYMOUS), error.code, error.message)
        house.metrics.decided(decision.answer, caller.id)
        return decision


def _defaults(several: Evaluations) -> dict[str, Any]:
    """Take the defaults as they were sent, by member."""
    found = {name: getattr(several, name) for name in ("subject", "action", "resource", "context")}
    return {
        name: value if isinstance(value, dict) else {k: v for k, v in structs.asdict(value).items() if v is not UNSET}
        for name, value in found.items()
        if value is not UNSET
    }


def _completed(defaults: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """Put defaults where an evaluation says nothing (section 7.1.1).

    A member of the evaluation stands for the whole of its default, save that an entity which leaves out its type, id
    or name takes those from it: properties are never mixed.
    """
    whole = {**defaults, **item}
    for name in ("subject", "action", "resource"):
        given, default = item.get(name), defaults.get(name)
        if isinstance(given, dict) and default:
            whole[name] = {k: default[k] for k in ("type", "id", "name") if k in default} | given
    return whole


def routes(house: House) -> list[Route]:
    """Name the paths of AuthZEN, their handlers and who may call them."""
    authzen, search = AuthZen(house), Search(house)
    handlers: dict[str, tuple[Handler, frozenset[str]]] = {
        "access_evaluation_endpoint": (authzen.evaluation, ASKERS),
        "access_evaluations_endpoint": (authzen.evaluations, ASKERS),
        "search_subject_endpoint": (search.subjects, SEARCHERS),
        "search_resource_endpoint": (search.resources, SEARCHERS),
        "search_action_endpoint": (search.actions, SEARCHERS),
    }
    found = [Route(_POST, PATHS[name], handler, roles) for name, (handler, roles) in handlers.items()]
    where = {WELL_KNOWN, WELL_KNOWN + urlsplit(house.settings.serve.public_url).path}
    found += [Route(frozenset({"GET"}), path, authzen.metadata, PUBLIC, body_limit=0) for path in sorted(where)]
    return found
