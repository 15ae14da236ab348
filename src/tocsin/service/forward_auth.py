"""Forward authentication: a proxy asks before it passes a request on, and passes only what is answered with 200.

The proxy is a caller of role `pep` and shows its own key in `X-Tocsin-Key`; see `original` for how it says what it
asks about, and `presented` for the user's own credentials.

INVARIANT: the status is 200 only for a decision that permits. nginx knows no other answers than 2xx, 401 and 403, so
what cannot be decided is 403 as well.
"""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tocsin.errors import BadValue, InvalidCredential, IssuerUnavailable
from tocsin.event import Origin
from tocsin.question import ANONYMOUS, Party, Question
from tocsin.service.original import client_address, original_request
from tocsin.service.paths import AmbiguousRequest
from tocsin.service.presented import Presented
from tocsin.service.problems import Problem
from tocsin.service.request import Response
from tocsin.service.route import ANY_METHOD, Route
from tocsin.trust.challenges import challenge

if TYPE_CHECKING:
    from tocsin.question import Decision, Identity
    from tocsin.service.house import House
    from tocsin.service.original import Original
    from tocsin.service.request import Request

__all__ = ["ForwardAuth", "routes"]

PATH: Final = "/forward-auth"
PREFIXES: Final = (f"{PATH}/", "/ext-authz/")
NGINX: Final = (b"x-original-method", b"x-original-uri", b"x-original-url")
RESOURCE: Final = "route"
NOBODY: Final = "anonymous:unknown"
UNAUTHORIZED: Final = 401
FORBIDDEN: Final = 403
MAX_OBLIGATION_CHARS: Final = 4096
MAX_AGENT_CHARS: Final = 1024
_VISIBLE: Final = "!\"#$&'()*+,/:;<=>?@[\\]^`{|}~"
"""What stays as it is in a header: every visible ASCII character but the percent sign."""


_WRITE: Final = json.JSONEncoder(separators=(",", ":"), default=str).encode
"""Writes JSON in ASCII, so that no name in it can break out of a header."""


def routes(house: House) -> list[Route]:
    """Routes of forward authentication: exact for most, with the original path behind for Envoy."""
    endpoint = ForwardAuth(house)
    roles = frozenset({"pep"})
    plain = Route(ANY_METHOD, PATH, endpoint.answer, roles, key_header_only=True)
    behind = [
        Route(ANY_METHOD, prefix, endpoint.answer, roles, prefix=True, key_header_only=True, name=prefix + "*")
        for prefix in PREFIXES
    ]
    return [plain, *behind]


class ForwardAuth:
    """Answers proxies."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._presented = Presented(house)
        self._proxies = tuple(map(ip_network, house.settings.serve.trusted_proxies))

    async def answer(self, request: Request) -> Response:
        """Answer one request of a proxy."""
        try:
            suffix = _suffix(request)
            original = original_request(request, suffix)
        except AmbiguousRequest as error:
            raise _unclear(request, error) from error
        address = self._address(request, from_envoy=bool(suffix))
        try:
            identity = await self._presented.identity(request, original)
            decision = self._house.verifier.ask(self._question(request, original, identity, address))
        except (AmbiguousRequest, BadValue) as error:
            raise _unclear(request, error) from error
        except InvalidCredential as error:
            raise _refused(error) from error
        except IssuerUnavailable as error:
            question = self._question(request, original, ANONYMOUS, address)
            decision = self._house.verifier.undecided(question, error.code, error.message)
            return self._told(decision, original, ANONYMOUS)
        return self._told(decision, original, identity)

    def _question(self, request: Request, original: Original, identity: Identity, address: str | None) -> Question:
        """Put what was asked as a question; who shows nothing is known by address, as in the log of a web server."""
        kind, _, name = (identity.subject or (f"ip:{address}" if address else NOBODY)).partition(":")
        agent = request.header(b"user-agent")
        return Question(
            time=self._house.clock(),
            subject=Party(type=kind, id=name),
            action=original.method,
            resource=Party(
                type=RESOURCE,
                id=original.path,
                properties={"path": original.path, "host": original.host, "query": list(original.query)},
            ),
            identity=identity,
            caller=request.caller.id if request.caller is not None else "",
            origin=Origin(address=address, agent=agent[:MAX_AGENT_CHARS] if agent else None),
            bytes_out=original.length,
            session=identity.session,
        )

    def _told(self, decision: Decision, original: Original, identity: Identity) -> Response:
        """Say a decision as a status and headers."""
        if decision.permitted:
            return _passed(decision, original, identity)
        if decision.answer == "step_up":
            asked = _step_up(decision, identity)
            problem = Problem(UNAUTHORIZED, "step-up", "prove who you are again, or more strongly", headers=asked)
        elif any(why.source == "state" for why in decision.why):
            problem = Problem(FORBIDDEN, "undecided", "this could not be decided, so it is denied")
        elif not identity.subject:
            ways = self._house.identity.challenges() or "Bearer"
            headers = ((b"www-authenticate", ways.encode("latin-1")),)
            problem = Problem(UNAUTHORIZED, "no-credential", "this takes a credential", headers=headers)
        else:
            problem = Problem(FORBIDDEN, "denied", "this is not allowed")
        response = problem.response()
        response.headers.append((b"x-tocsin-decision", decision.id.encode()))
        response.decision = decision.id
        return response

    def _address(self, request: Request, *, from_envoy: bool) -> str | None:
        """Address of the user, where the proxy may say it."""
        if self._proxies and not request.via_proxy:
            return None
        return client_address(request, self._proxies, real_ip_first=from_envoy)


def _suffix(request: Request) -> bytes:
    """Find what stands behind the prefix, as sent."""
    if request.path == PATH:
        return b""
    for prefix in PREFIXES:
        if request.path.startswith(prefix):
            start = prefix.removesuffix("/").encode()
            if request.raw_path.startswith(start + b"/"):
                return request.raw_path[len(start) :]
    raise AmbiguousRequest("the prefix of the path is not spelt plainly")


def _unclear(request: Request, error: AmbiguousRequest | BadValue) -> Problem:
    """Refuse what is not clear; nginx, which sets one of these headers, would make a fault of its own of 400."""
    nginx = any(request.header(name) for name in NGINX)
    return Problem(FORBIDDEN if nginx else 400, error.code, error.message)


def _refused(error: InvalidCredential) -> Problem:
    headers = [(b"www-authenticate", error.challenge.encode("latin-1", "replace"))]
    if error.nonce:
        headers.append((b"dpop-nonce", error.nonce.encode()))
    status = FORBIDDEN if error.status == FORBIDDEN else UNAUTHORIZED
    return Problem(status, error.code, error.message, headers=tuple(headers))


def _passed(decision: Decision, original: Original, identity: Identity) -> Response:
    """Let it pass, with every header even where there is nothing to say: what is missing, some proxies make up."""
    obligations = _WRITE(decision.obligations) if decision.obligations else "{}"
    if len(obligations) > MAX_OBLIGATION_CHARS:
        raise Problem(FORBIDDEN, "undecided", "the obligations do not fit into a header, so it is denied")
    headers = {
        "x-tocsin-decision": decision.id,
        "x-tocsin-subject": quote(identity.subject, safe=_VISIBLE),
        "x-tocsin-reliance-seconds": f"{decision.reliance.seconds:.3f}".rstrip("0").rstrip("."),
        "x-tocsin-obligations": obligations,
        "x-tocsin-path": original.path,
    }
    return Response(headers=[(name.encode(), value.encode()) for name, value in headers.items()], decision=decision.id)


def _step_up(decision: Decision, identity: Identity) -> tuple[tuple[bytes, bytes], ...]:
    """Say how to prove more (RFC 9470)."""
    scheme = "DPoP" if identity.method == "dpop" else "Bearer"
    needed: dict[str, Any] = {name: decision.obligations.get(name) for name in ("acr_values", "max_age")}
    written = {name: str(value) for name, value in needed.items() if value is not None}
    asked = challenge(
        scheme,
        "insufficient_user_authentication",
        error_description="a newer or stronger proof of identity is needed",
        **written,
    )
    return ((b"www-authenticate", asked.encode("latin-1")),)
