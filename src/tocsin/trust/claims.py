"""What a verified token says of its subject (RFC 7519, RFC 9068, RFC 7662), checked and turned into an Identity.

The same rules hold for the claims of a JWT and for what an issuer answers about an opaque token.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from tocsin.question import Identity
from tocsin.trust.challenges import printable, refusal

if TYPE_CHECKING:
    from tocsin.config.settings import IssuerSettings
    from tocsin.trust.credentials import Credentials

__all__ = ["MAX_CLAIMS_BYTES", "MAX_NAME_CHARS", "Confirmation", "Terms", "confirmation_of", "identity_of", "terms_of"]

MAX_NAME_CHARS: Final = 512
"""Of a subject, a session, an audience, a scope."""
MAX_LISTED: Final = 256
"""Audiences and scopes one token may carry."""
MAX_CLAIMS_BYTES: Final = 8 << 10
"""Of the claims passed on to policies, as JSON."""

_LATEST: Final = datetime(9999, 12, 31, tzinfo=UTC).timestamp()


class Terms(msgspec.Struct, frozen=True):
    """Until when a token counts, for whom it is meant, and what it may be used for."""

    expires: float
    audience: tuple[str, ...]
    scopes: tuple[str, ...]


class Confirmation(msgspec.Struct, frozen=True):
    """What a token is bound to (`cnf`, RFC 7800): thumbprints of a DPoP key and of a certificate."""

    jkt: str | None = None
    x5t: str | None = None


def terms_of(
    claims: dict[str, Any], issuer: IssuerSettings, required: Credentials, now: float, leeway_s: float
) -> Terms:
    """Read a token's terms; raises InvalidCredential when they are not kept to here and now."""
    return Terms(
        expires=_check_times(claims, now, leeway_s),
        audience=_audience_of(claims, issuer, required.audience),
        scopes=_scopes_of(claims, required.scopes),
    )


def _check_times(claims: dict[str, Any], now: float, leeway_s: float) -> float:
    """Return when the token expires; raises InvalidCredential when it is not valid now."""
    expires = _time(claims, "exp")
    if expires is None:
        raise refusal("the token has no `exp`")
    if now >= expires + leeway_s:
        raise refusal("the token has expired", hint="get a new one")
    if (_time(claims, "nbf") or 0.0) > now + leeway_s:
        raise refusal("the token is not valid yet (`nbf`)", hint="compare the clocks")
    for name in ("iat", "auth_time"):
        if (_time(claims, name) or 0.0) > now + leeway_s:
            raise refusal(f"the token says it is from the future (`{name}`)", hint="compare the clocks")
    return expires


def _time(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise refusal(f"the token's `{name}` is not a time")
    return float(value)


def _audience_of(claims: dict[str, Any], issuer: IssuerSettings, required: str | None) -> tuple[str, ...]:
    """Return for whom the token is; raises InvalidCredential when that is not us, or not what is required here."""
    named = claims.get("aud")
    audience = _texts([named] if isinstance(named, str) else named, "aud")
    accepted = issuer.audience if required is None else tuple(a for a in issuer.audience if a == required)
    if not set(audience) & set(accepted):
        raise refusal("the token is meant for another audience")
    return audience


def _scopes_of(claims: dict[str, Any], required: tuple[str, ...]) -> tuple[str, ...]:
    """Return the token's scopes; raises InvalidCredential when one that is required here is missing."""
    named = claims.get("scope", claims.get("scp"))
    scopes = _texts(named.split(" ") if isinstance(named, str) else named or [], "scope")
    scopes = tuple(scope for scope in scopes if scope)
    if not set(required) <= set(scopes):
        raise refusal("the token lacks a scope", "insufficient_scope", scope=" ".join(required))
    return scopes


def _texts(value: Any, name: str) -> tuple[str, ...]:  # noqa: ANN401 - a claim
    if not isinstance(value, list) or len(value) > MAX_LISTED:
        raise refusal(f"the token's `{name}` is not a list of names")
    return tuple(_text(item, name, empty=name == "scope") for item in value)


def _text(value: Any, name: str, *, empty: bool = False) -> str:  # noqa: ANN401 - a claim
    if not isinstance(value, str) or not (value or empty):
        raise refusal(f"the token's `{printable(name)}` is not text")
    if len(value) > MAX_NAME_CHARS or not value.isprintable():
        raise refusal(f"the token's `{printable(name)}` is too long, or has characters that cannot be shown")
    return value


def confirmation_of(claims: dict[str, Any]) -> Confirmation:
    """Read what the token is bound to; a binding that is not understood is refused, never ignored."""
    bound = claims.get("cnf")
    if bound is None:
        return Confirmation()
    known = {"jkt": "jkt", "x5t#S256": "x5t"}
    if not isinstance(bound, dict) or not bound or not set(bound) <= set(known):
        raise refusal("the token is bound (`cnf`) in a way that is not known here")
    return Confirmation(**{known[name]: _text(value, "cnf") for name, value in bound.items()})


def identity_of(
    claims: dict[str, Any],
    issuer: IssuerSettings,
    terms: Terms,
    *,
    method: Literal["oidc", "opaque"],
    fallback_session: str,
) -> Identity:
    """Say who a token speaks of; its claims have been checked."""
    acr = _optional(claims, "acr")
    proven = _time(claims, "auth_time") or _time(claims, "iat")
    return Identity(
        subject=_subject(claims, issuer),
        assurance=3 if acr is not None and acr in issuer.strong_acr else 2,
        method=method,
        session=_session(claims, issuer) or fallback_session,
        issuer=issuer.issuer,
        audience=terms.audience,
        scopes=terms.scopes,
        acr=acr,
        proven_at=None if proven is None else datetime.fromtimestamp(proven, UTC),
        expires=datetime.fromtimestamp(terms.expires, UTC),
        claims=_passed_on(claims, issuer.claims),
    )


def _subject(claims: dict[str, Any], issuer: IssuerSettings) -> str:
    """Name the subject. A client that acts for itself is told apart from a user who happens to have its name."""
    client = claims.get("client_id", claims.get("azp"))
    named = claims.get(issuer.subject_claim, client if issuer.subject_claim == "sub" else None)
    name = _text(named, issuer.subject_claim)
    itself = name == client and issuer.subject_claim == "sub"
    kind = issuer.client_type if itself else issuer.subject_type
    return f"{kind}:{issuer.subject_prefix}{name}"


def _session(claims: dict[str, Any], issuer: IssuerSettings) -> str | None:
    name = _optional(claims, issuer.session_claim) or _optional(claims, "jti")
    return None if name is None else issuer.subject_prefix + name


def _optional(claims: dict[str, Any], name: str) -> str | None:
    value = claims.get(name)
    return None if value is None or value == "" else _text(value, name)


def _passed_on(claims: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    found = {_key(name): value for name in names if (value := _look_up(claims, name)) is not None}
    try:
        size = len(msgspec.json.encode(found))
    except (ValueError, TypeError, OverflowError) as error:
        raise refusal("the token's claims cannot be passed on") from error
    if size > MAX_CLAIMS_BYTES:
        raise refusal(f"the token's claims for policies are larger than {MAX_CLAIMS_BYTES} bytes")
    return found


def _key(name: str) -> str:
    return name.rpartition("/")[2] if name.startswith("/") else name


def _look_up(claims: dict[str, Any], name: str) -> Any:  # noqa: ANN401 - a claim
    """Find a claim by its name, or by a JSON pointer (RFC 6901) through objects."""
    if not name.startswith("/"):
        return claims.get(name)
    node: Any = claims
    for step in name[1:].split("/"):
        node = node.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
    return node
