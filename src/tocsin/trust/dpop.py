"""Proof of possession (DPoP, RFC 9449): each request shows by a fresh signature that its sender holds the key.

Nothing of a proof is cached. Its key is: reading the same JWK again gives the same key.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

import msgspec

from tocsin.trust.challenges import refusal
from tocsin.trust.keyset import import_public
from tocsin.trust.signed import Signed, fits, take_apart, verify_signature
from tocsin.trust.targets import same_target

if TYPE_CHECKING:
    from joserfc.jwk import Key

    from tocsin.errors import InvalidCredential
    from tocsin.trust.nonces import Nonces
    from tocsin.trust.seen import Seen

__all__ = ["PROOF_ALGORITHMS", "ProofRequest", "Proofs"]

PROOF_ALGORITHMS: Final = ("ES256", "Ed25519", "EdDSA", "PS256", "RS256", "ES384")
MAX_PROOF_CHARS: Final = 8 << 10
MAX_JTI_CHARS: Final = 256
KEYS_HELD: Final = 4096


class ProofRequest(msgspec.Struct, frozen=True):
    """The request that a proof must be for."""

    proofs: tuple[str, ...]
    method: str
    url: str
    token: str


class Proofs:
    """Checks proofs. Times are seconds of the verifier's clock."""

    def __init__(self, *, window_s: float, leeway_s: float, seen: Seen, nonces: Nonces | None) -> None:
        self._window_s, self._leeway_s, self._seen, self._nonces = window_s, leeway_s, seen, nonces
        self._keys: dict[bytes, tuple[Key, str]] = {}

    def check(self, request: ProofRequest, bound_to: str, now: float) -> None:
        """Return when the request proves to have the key that the token is `bound_to`; raises InvalidCredential."""
        if len(request.proofs) != 1:
            raise _bad("a DPoP-bound token needs exactly one DPoP proof")
        proof = _read(request.proofs[0])
        key, thumbprint = self._key(proof)
        if not hmac.compare_digest(thumbprint.encode(), bound_to.encode()):
            raise _bad("the DPoP proof is by another key than the token's")
        if not verify_signature(proof, key):
            raise _bad("the DPoP proof's signature is wrong")
        self._check_claims(proof.claims, request, now)
        self._check_nonce(proof.claims, now)
        self._check_replay(proof.claims, thumbprint, now)

    def nonce(self, now: float) -> str:
        """Return the nonce that the next proof should carry; empty when none is asked for."""
        return self._nonces.current(now) if self._nonces is not None else ""

    def _key(self, proof: Signed) -> tuple[Key, str]:
        jwk = proof.header.get("jwk")
        name = hashlib.sha256(msgspec.json.encode(jwk, order="sorted")).digest()
        held = self._keys.get(name)
        if held is None:
            held = _import(jwk)
            if len(self._keys) >= KEYS_HELD:
                del self._keys[next(iter(self._keys))]
            self._keys[name] = held
        if not fits(held[0], proof.algorithm):
            raise _bad("the DPoP proof's algorithm does not fit its key")
        return held

    def _check_claims(self, claims: dict[str, Any], request: ProofRequest, now: float) -> None:
        if claims.get("htm") != request.method:
            raise _bad("the DPoP proof is for another method")
        if not same_target(claims.get("htu"), request.url):
            raise _bad("the DPoP proof is for another URL")
        digest = base64.urlsafe_b64encode(hashlib.sha256(request.token.encode()).digest()).rstrip(b"=")
        ath = claims.get("ath")
        if not isinstance(ath, str) or not hmac.compare_digest(ath.encode("utf-8", "replace"), digest):
            raise _bad("the DPoP proof is for another token")
        made = claims.get("iat")
        if isinstance(made, bool) or not isinstance(made, int | float):
            raise _bad("the DPoP proof has no `iat`")
        if not now - self._window_s - self._leeway_s <= made <= now + self._leeway_s:
            raise _bad("the DPoP proof is too old, or from the future", hint="compare the clocks")

    def _check_nonce(self, claims: dict[str, Any], now: float) -> None:
        if self._nonces is None:
            return
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not self._nonces.good(nonce, now):
            raise refusal("the DPoP proof needs the nonce in `DPoP-Nonce`", "use_dpop_nonce", scheme="DPoP")

    def _check_replay(self, claims: dict[str, Any], thumbprint: str, now: float) -> None:
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 0 < len(jti) <= MAX_JTI_CHARS:
            raise _bad("the DPoP proof has no `jti`")
        try:
            first = self._seen.first(thumbprint, jti, claims["iat"] + self._window_s + self._leeway_s, now)
        except OverflowError as error:
            raise _bad("too many DPoP proofs in a short time", hint="raise `identity.dpop_proofs`") from error
        if not first:
            raise _bad("the DPoP proof was used before")


def _read(text: str) -> Signed:
    if len(text) > MAX_PROOF_CHARS:
        raise _bad(f"the DPoP proof is longer than {MAX_PROOF_CHARS} characters")
    try:
        proof = take_apart(text)
    except ValueError as error:
        raise _bad(f"the DPoP proof cannot be read: {error}") from error
    if proof.header.get("typ") != "dpop+jwt":
        raise _bad("the DPoP proof's `typ` is not `dpop+jwt`")
    if proof.algorithm not in PROOF_ALGORITHMS:
        raise _bad("the DPoP proof's algorithm is not allowed", algs=" ".join(PROOF_ALGORITHMS))
    return proof


def _import(jwk: Any) -> tuple[Key, str]:  # noqa: ANN401 - checked by import_public
    try:
        key = import_public(jwk)
        return key, key.thumbprint()
    except ValueError as error:
        raise _bad(f"the DPoP proof's key cannot be used: {error}") from error


def _bad(message: str, *, hint: str = "", **parameters: str) -> InvalidCredential:
    return refusal(message, "invalid_dpop_proof", scheme="DPoP", hint=hint, **parameters)
