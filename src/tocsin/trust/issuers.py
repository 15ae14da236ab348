"""The issuers that are believed: which one a token is of, and what it takes to believe the token."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.errors import ConfigError, IssuerUnavailable
from tocsin.trust.challenges import refusal
from tocsin.trust.claims import confirmation_of, identity_of, terms_of
from tocsin.trust.fetch import allowed_url, is_loopback
from tocsin.trust.introspection import Introspection
from tocsin.trust.jwks import IssuerKeys
from tocsin.trust.remembered import Verified
from tocsin.trust.signed import Signed, take_apart, verify_signature

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tocsin.config.settings import IdentitySettings, IssuerSettings
    from tocsin.question import Identity
    from tocsin.trust.claims import Confirmation
    from tocsin.trust.credentials import Credentials
    from tocsin.trust.fetch import Fetcher

__all__ = ["Checked", "Issuer", "IssuerStatus", "Issuers"]

ACCESS_TOKEN_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
LOOSE_TYPES: Final = ACCESS_TOKEN_TYPES | {"jwt", ""}


class Checked(msgspec.Struct, frozen=True):
    """A token whose issuer vouches for it; what it is bound to is still to be proven."""

    issuer: Issuer
    identity: Identity
    confirmation: Confirmation
    until: float
    signed: bool
    epoch: int

    def remembered(self, identity: Identity) -> Verified:
        """Make the entry to remember, once what the token is bound to is clear."""
        keys = self.issuer.keys if self.signed else None
        return Verified(identity, self.until, self.confirmation.jkt, keys, self.epoch)


class IssuerStatus(msgspec.Struct, frozen=True):
    """How it stands with one issuer, for readiness and for people."""

    issuer: str
    ready: bool
    keys: int
    age_s: float | None
    """Of the keys held; None without any."""


class Issuer:
    """One issuer, with its keys and, where it has one, its introspection endpoint."""

    def __init__(self, issuer: IssuerSettings, settings: IdentitySettings, fetcher: Fetcher, secret: bytes) -> None:
        self.settings, self._identity = issuer, settings
        _check_urls(issuer)
        self.keys = IssuerKeys(issuer, settings, fetcher)
        asks = bool(issuer.introspection_url)
        self.introspection = Introspection(issuer, fetcher, secret) if asks else None

    async def check_jwt(self, signed: Signed, token: str, credentials: Credentials, now: float) -> Checked:
        """Check a JWT (RFC 7519, RFC 9068) of this issuer; raises InvalidCredential, IssuerUnavailable."""
        self._check_header(signed)
        candidates = await self.keys.candidates(signed.key_id, signed.algorithm, now)
        if not candidates:
            raise refusal("the token is signed with a key that its issuer does not publish")
        if not any(verify_signature(signed, key) for key in candidates):
            raise refusal("the token's signature is wrong")
        epoch = self.keys.epoch
        checked = self._check_claims(signed.claims, token, credentials, now, epoch=epoch)
        if self.settings.introspect == "always" and self.introspection is not None:
            await self.introspection.ask(token, now)
            checked = msgspec.structs.replace(checked, until=min(checked.until, self._asked_until(now)))
        return checked

    async def check_opaque(self, token: str, credentials: Credentials, now: float) -> Checked:
        """Ask the issuer about a token; raises InvalidCredential, IssuerUnavailable."""
        if self.introspection is None:
            raise refusal("the token is not a JWT, and its issuer cannot be asked about it")
        answer = {"exp": self._asked_until(now)} | await self.introspection.ask(token, now)
        return self._check_claims(answer, token, credentials, now, epoch=None)

    async def aclose(self) -> None:
        """Give up what is under way."""
        await self.keys.aclose()
        if self.introspection is not None:
            await self.introspection.aclose()

    async def warm(self, now: float) -> None:
        """Fetch the keys now, if they must be fetched; an issuer that cannot be reached is met again later."""
        try:
            await self.keys.candidates(None, "", now)
        except IssuerUnavailable:
            return

    def status(self, now: float) -> IssuerStatus:
        """Say how it stands."""
        age_s = now - self.keys.fetched_at if self.keys.held() else None
        ready = age_s is not None and age_s < self._identity.jwks_max_age_s
        if self.introspection is not None and not self.keys.held():
            ready = not self.introspection.failing
        return IssuerStatus(self.settings.issuer, ready, self.keys.held(), age_s)

    def _asked_until(self, now: float) -> float:
        return now + self._identity.introspection_cache_s

    def _check_header(self, signed: Signed) -> None:
        if signed.algorithm not in self.settings.algorithms:
            raise refusal("the token's algorithm is not allowed for its issuer")
        kind = signed.header.get("typ", "")
        allowed = ACCESS_TOKEN_TYPES if self.settings.token_type == "at+jwt" else LOOSE_TYPES  # noqa: S105 - a type's name
        if not isinstance(kind, str) or kind.lower() not in allowed:
            raise refusal("the token is not an access token (`typ`)", hint="see `token_type` of the issuer's settings")

    def _check_claims(
        self, claims: dict[str, Any], token: str, credentials: Credentials, now: float, *, epoch: int | None
    ) -> Checked:
        terms = terms_of(claims, self.settings, credentials, now, self._identity.leeway_s)
        identity = identity_of(
            claims,
            self.settings,
            terms,
            method="opaque" if epoch is None else "oidc",
            fallback_session="token-" + hashlib.sha256(token.encode()).hexdigest()[:32],
        )
        until = terms.expires if epoch is not None else min(terms.expires, self._asked_until(now))
        return Checked(self, identity, confirmation_of(claims), until, epoch is not None, epoch or 0)


class Issuers:
    """All issuers of the settings."""

    def __init__(self, settings: IdentitySettings, fetcher: Fetcher, secret: bytes) -> None:
        self._issuers = {issuer.issuer: Issuer(issuer, settings, fetcher, secret) for issuer in settings.issuers}
        if len(self._issuers) != len(settings.issuers):
            raise ConfigError("an issuer stands twice in `identity.issuers`", hint="join the two tables")
        asked = [issuer for issuer in self if issuer.introspection is not None]
        self._by_prefix = sorted(asked, key=lambda issuer: len(issuer.settings.opaque_prefix), reverse=True)
        if len({issuer.settings.opaque_prefix for issuer in asked}) != len(asked):
            raise ConfigError(
                "two issuers are asked about the same opaque tokens",
                hint="give each its `opaque_prefix`, so that no token is shown to the wrong one",
            )

    def __iter__(self) -> Iterator[Issuer]:
        return iter(self._issuers.values())

    async def check(self, token: str, credentials: Credentials, now: float) -> Checked:
        """Check a token against its issuer; raises InvalidCredential, IssuerUnavailable."""
        asked = self._asked_about(token)
        if asked is not None:
            return await asked.check_opaque(token, credentials, now)
        try:
            signed = take_apart(token)
        except ValueError as error:
            raise refusal(str(error)) from error
        name = signed.claims.get("iss")
        issuer = self._issuers.get(name) if isinstance(name, str) else None
        if issuer is None:
            raise refusal("the token's issuer is not believed here", hint="see `[[identity.issuers]]`")
        return await issuer.check_jwt(signed, token, credentials, now)

    def _asked_about(self, token: str) -> Issuer | None:
        """Who must be asked about a token; None for a JWT, which is three parts and has nobody's prefix."""
        is_jwt = token.count(".") == 2  # noqa: PLR2004 - a compact JWS has three parts
        for issuer in self._by_prefix:
            prefix = issuer.settings.opaque_prefix
            if token.startswith(prefix) and (prefix or not is_jwt):
                return issuer
        if not is_jwt:
            raise refusal("the token is not a JWT, and no issuer can be asked about it")
        return None


def _check_urls(issuer: IssuerSettings) -> None:
    loopback = is_loopback(issuer.issuer)
    for name in ("issuer", "discovery", "jwks_uri"):
        url = getattr(issuer, name)
        if url and not allowed_url(url, loopback=loopback):
            raise ConfigError(
                f"`{name}` of `{issuer.issuer}` is not an https URL", hint="http is taken on loopback only"
            )
