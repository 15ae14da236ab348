"""The front door: who acts, verified from what the request shows, and never from where it comes.

A token is read, its issuer found among those in the settings, its signature checked against that issuer's keys or its
issuer asked, its claims checked, and what it is bound to proven. What was verified is remembered until it expires;
proofs of possession never are.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.errors import InvalidCredential
from tocsin.trust.certificates import certificate_thumbprint, identity_of_certificate
from tocsin.trust.challenges import challenge, refusal
from tocsin.trust.credentials import Credentials, read_authorization
from tocsin.trust.dpop import PROOF_ALGORITHMS, ProofRequest, Proofs
from tocsin.trust.fetch import Fetcher
from tocsin.trust.issuers import Issuers
from tocsin.trust.nonces import Nonces
from tocsin.trust.remembered import Remembered, Verified
from tocsin.trust.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from tocsin.config.settings import IdentitySettings
    from tocsin.question import Identity
    from tocsin.trust.credentials import Shown
    from tocsin.trust.issuers import Checked, IssuerStatus

__all__ = ["Credentials", "IdentityVerifier"]

CERTIFICATE_S: Final = 60.0
"""For how long a certificate is answered from memory; each connection proves it anew."""
_SECRET_BYTES: Final = 32


class IdentityVerifier:
    """Verifies who acts; belongs to one event loop. `recall` answers from memory, `verify` does whatever it takes.

    `secret` keys the hashes of what is remembered and signs nonces; servers that share nonces share it.
    """

    def __init__(
        self, settings: IdentitySettings, *, clock: Callable[[], datetime], secret: bytes | None = None
    ) -> None:
        self._settings, self._clock = settings, clock
        secret = secret or os.urandom(_SECRET_BYTES)
        marks, nonces, names = (hmac.digest(secret, use, "sha256") for use in (b"marks", b"nonces", b"names"))
        self._fetcher = Fetcher(timeout_s=settings.fetch_timeout_s, ca_file=settings.ca_file)
        self._issuers = Issuers(settings, self._fetcher, names)
        self._remembered = Remembered(settings.cached_tokens, names)
        kept_s = settings.dpop_window_s + 2 * settings.leeway_s
        self._proofs = Proofs(
            window_s=settings.dpop_window_s,
            leeway_s=settings.leeway_s,
            seen=Seen(settings.dpop_proofs, kept_s, marks),
            nonces=Nonces(nonces, settings.dpop_window_s) if settings.dpop_nonce else None,
        )

    def recall(self, credentials: Credentials) -> Identity | None:
        """Answer from memory, without I/O; None when the credentials must be verified (as with every DPoP proof)."""
        if credentials.dpop:
            return None
        verified = self._remembered.get(self._remembered.key(credentials), self._clock().timestamp())
        return None if verified is None or verified.jkt is not None else verified.identity

    async def verify(self, credentials: Credentials, now: datetime) -> Identity:
        """Verify credentials; raises InvalidCredential with its challenge, or IssuerUnavailable."""
        at = now.timestamp()
        try:
            key = self._remembered.key(credentials)
            verified = self._remembered.get(key, at)
            if verified is None:
                verified = await self._verified(credentials, now, at)
                self._remembered.put(key, verified)
            if verified.jkt is not None:
                self._prove(credentials, verified.jkt, at)
        except InvalidCredential as error:
            error.nonce = self._proofs.nonce(at)
            raise
        return verified.identity

    def nonce(self, now: datetime) -> str:
        """Return what a `DPoP-Nonce` header should say; empty when no nonces are asked for."""
        return self._proofs.nonce(now.timestamp())

    def challenges(self) -> str:
        """Return the `WWW-Authenticate` value for a request that shows nothing at all."""
        modes = {issuer.settings.dpop for issuer in self._issuers}
        bearer = [] if modes == {"require"} else [challenge("Bearer")]
        proof = [challenge("DPoP", algs=" ".join(PROOF_ALGORITHMS))] if modes & {"allow", "require"} else []
        return ", ".join(bearer + proof)

    async def warm(self, now: datetime) -> tuple[IssuerStatus, ...]:
        """Fetch what must be fetched of every issuer, and say how it stands with each; for start and readiness."""
        await asyncio.gather(*(issuer.warm(now.timestamp()) for issuer in self._issuers))
        return self.status(now)

    def status(self, now: datetime) -> tuple[IssuerStatus, ...]:
        """Say how it stands with each issuer, without asking any."""
        return tuple(issuer.status(now.timestamp()) for issuer in self._issuers)

    async def aclose(self) -> None:
        """Give up what is under way and close connections."""
        for issuer in self._issuers:
            await issuer.aclose()
        await self._fetcher.aclose()

    async def _verified(self, credentials: Credentials, now: datetime, at: float) -> Verified:
        if credentials.authorization is not None:
            shown = read_authorization(credentials.authorization)
            checked = await self._issuers.check(shown.token, credentials, at)
            return checked.remembered(_bound(checked, shown, credentials.certificate))
        if credentials.certificate is not None:
            identity = identity_of_certificate(credentials.certificate, self._settings, now)
            return Verified(identity, at + CERTIFICATE_S)
        raise InvalidCredential(
            "no credential was sent", hint="send a token or a client certificate", challenge=self.challenges()
        )

    def _prove(self, credentials: Credentials, bound_to: str, at: float) -> None:
        token = read_authorization(credentials.authorization or "").token
        request = ProofRequest(credentials.dpop, credentials.method, credentials.url, token)
        self._proofs.check(request, bound_to, at)


def _bound(checked: Checked, shown: Shown, certificate: bytes | None) -> Identity:
    """Say what the token's binding makes of the identity; raises InvalidCredential where it is not kept to."""
    confirmation, mode = checked.confirmation, checked.issuer.settings.dpop
    _check_scheme(shown.scheme, confirmation.jkt, mode)
    changes: dict[str, Any] = {}
    if confirmation.x5t is not None:
        changes = _bound_to_certificate(confirmation.x5t, certificate)
    if confirmation.jkt is not None:
        changes = {"assurance": 3, "method": "dpop", "credential": f"key:{confirmation.jkt}"}
    return msgspec.structs.replace(checked.identity, **changes) if changes else checked.identity


def _check_scheme(scheme: str, jkt: str | None, mode: str) -> None:
    if jkt is not None and mode == "off":
        raise refusal("the token is bound to a DPoP key, and DPoP is off for its issuer")
    if jkt is not None and scheme != "dpop":
        raise refusal("a DPoP-bound token was sent as Bearer", scheme="DPoP", algs=" ".join(PROOF_ALGORITHMS))
    if jkt is None and (scheme == "dpop" or mode == "require"):
        raise refusal("the token is not bound to a DPoP key", scheme="DPoP", algs=" ".join(PROOF_ALGORITHMS))


def _bound_to_certificate(x5t: str, certificate: bytes | None) -> dict[str, Any]:
    """Check that the request came with the certificate that the token is bound to (RFC 8705, section 3)."""
    if certificate is None:
        raise refusal("the token is bound to a client certificate, and none came with it")
    if not hmac.compare_digest(certificate_thumbprint(certificate).encode(), x5t.encode()):
        raise refusal("the token is bound to another client certificate")
    digest = hashlib.sha256(certificate).hexdigest()
    return {"assurance": 3, "method": "mtls", "credential": f"certificate:{digest}"}
