"""Who calls the server: an API key, a verified token with a role claim, or the home's owner on the admin socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from tocsin.question import Caller
from tocsin.record import ROLES
from tocsin.service.problems import Problem
from tocsin.service.request import CERTIFICATE
from tocsin.trust.credentials import Credentials

if TYPE_CHECKING:
    from tocsin.question import Identity
    from tocsin.record import Role
    from tocsin.service.arrival import Arrival
    from tocsin.service.house import House
    from tocsin.service.route import Route

__all__ = ["Callers"]

_KEY_PREFIX: Final = "tsn_"
_MOST_KEY_BYTES: Final = 256
_CHALLENGE: Final = ((b"www-authenticate", b'Bearer realm="tocsin"'),)
_INVALID: Final = ((b"www-authenticate", b'Bearer realm="tocsin", error="invalid_token"'),)


class Callers:
    """Finds the caller of a request; nobody is one by where they come from, save through the owner's own socket."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._role_claim = house.settings.serve.role_claim
        self._named = {rule.subject: rule.role for rule in house.settings.serve.callers}
        self.owner = Caller(id="owner", role="admin")

    def known(self, route: Route, arrival: Arrival, scope: dict[str, Any]) -> Caller | None:
        """Caller of an API key, without I/O; None where a token or a certificate may still name one.

        Raises `Problem` 401.
        """
        sent = arrival.key
        if sent is not None:
            return self._by_key(sent.decode("latin-1"))
        if self._named and CERTIFICATE in scope and (route.key_header_only or arrival.authorization is None):
            return None
        if route.key_header_only:
            raise Problem(401, "no-caller", "send the key of the caller in `X-Tocsin-Key`", headers=_CHALLENGE)
        token = _bearer(arrival.authorization)
        return self._by_key(token) if token.startswith(_KEY_PREFIX) else None

    async def verified(self, route: Route, arrival: Arrival, scope: dict[str, Any]) -> Caller:
        """Caller of a token of a configured issuer, or of a certificate that this server's TLS verified.

        Raises `Problem`, `InvalidCredential` and `IssuerUnavailable`.
        """
        if not (self._role_claim or self._named):
            raise Problem(401, "invalid-caller", "this is not a key of a caller", headers=_INVALID)
        credentials = _credentials(None if route.key_header_only else arrival.authorization, scope)
        identity = self._house.identity.recall(credentials)
        if identity is None:
            identity = await self._house.identity.verify(credentials, self._house.clock())
        return self._with_role(route, identity)

    def insist(self, route: Route, caller: Caller) -> None:
        """Refuse a caller without a role of the route; raises `Problem` 403."""
        if route.roles and caller.role not in route.roles:
            roles = ", ".join(sorted(route.roles))
            raise Problem(403, "wrong-role", f"this takes a caller with one of the roles {roles}")

    def _by_key(self, token: str) -> Caller:
        caller: Caller | None = None
        if len(token) <= _MOST_KEY_BYTES:
            caller = self._house.keys.caller(token, self._house.clock())
        if caller is None:
            raise Problem(401, "invalid-caller", "this is not a key of a caller", headers=_INVALID)
        return caller

    def _with_role(self, route: Route, identity: Identity) -> Caller:
        roles = self._roles(identity)
        role = next((role for role in roles if role in route.roles), roles[0] if roles else None)
        if role is None or not identity.subject:
            raise Problem(403, "no-role", "who this proves has no role of a caller")
        return Caller(id=identity.subject, role=role, subject=identity.subject, scopes=identity.scopes)

    def _roles(self, identity: Identity) -> list[Role]:
        """Roles of an identity: the one that the settings give it, else those that its claim names."""
        given = self._named.get(identity.subject)
        if given is not None:
            return [given]
        claimed = identity.claims.get(self._role_claim) if self._role_claim else None
        named = claimed if isinstance(claimed, list | tuple) else [claimed]
        return [cast("Role", role) for role in ROLES if role in named]


def _bearer(authorization: bytes | None) -> str:
    """Token of an `Authorization: Bearer` header; raises `Problem` 401 when there is none."""
    if authorization is None:
        raise Problem(401, "no-caller", "send the key of the caller as `Authorization: Bearer`", headers=_CHALLENGE)
    scheme, _, token = authorization.partition(b" ")
    if scheme != b"Bearer" and scheme.lower() not in {b"bearer", b"dpop"}:
        raise Problem(401, "no-caller", "send the key of the caller as `Authorization: Bearer`", headers=_CHALLENGE)
    return token.strip(b" ").decode("latin-1")


def _credentials(authorization: bytes | None, scope: dict[str, Any]) -> Credentials:
    """Gather what a token is verified with."""
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    host = next((value for name, value in headers if name == b"host"), b"").decode("latin-1")
    return Credentials(
        authorization=(authorization or b"").decode("latin-1") or None,
        dpop=tuple(value.decode("latin-1") for name, value in headers if name == b"dpop"),
        method=scope["method"],
        url=f"{scope['scheme']}://{host}{scope['path']}",
        certificate=scope.get(CERTIFICATE),
        audience=None,
        scopes=(),
    )
