"""A signed token in compact form (JWS, RFC 7515), taken apart before it is believed, then checked against a key.

Which algorithm counts is never the token's choice: it must stand in the list of whoever checks, and fit the key by
type, curve and use. Only public-key signatures exist here, so no verifying key can be taken for a shared secret.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

import msgspec
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from tocsin.config.settings import SigningAlgorithm
from tocsin.trust.strictjson import read_object

if TYPE_CHECKING:
    from joserfc.jwk import Key

__all__ = ["MAX_HEADER_CHARS", "Signed", "fits", "take_apart", "verify_signature"]

MAX_HEADER_CHARS: Final = 4096
"""Of the encoded header; a DPoP proof with a large RSA key needs about 1,500."""

_MODELS: Final = {name: JWSRegistry.algorithms[name] for name in get_args(SigningAlgorithm)}
_PARTS: Final = 3


class Signed(msgspec.Struct, frozen=True):
    """What a compact token says; believed only once its signature is verified."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signing_input: bytes
    signature: bytes

    @property
    def algorithm(self) -> str:
        """As the header names it; empty when it names none."""
        alg = self.header.get("alg")
        return alg if isinstance(alg, str) else ""

    @property
    def key_id(self) -> str | None:
        """As the header names it."""
        kid = self.header.get("kid")
        return kid if isinstance(kid, str) else None


def take_apart(token: str) -> Signed:
    """Decode a compact token; raises `ValueError` that says what is wrong with it.

    Critical extensions (`crit`) are refused: none is understood, and to ignore one is to misread the token.
    """
    parts = token.split(".")
    if len(parts) != _PARTS or not all(parts):
        raise ValueError("the token is not three parts of base64url")
    if len(parts[0]) > MAX_HEADER_CHARS:
        raise ValueError(f"the token's header is longer than {MAX_HEADER_CHARS} characters")
    header = _object(parts[0], "header")
    if "crit" in header or "b64" in header:
        raise ValueError("the token has critical extensions (`crit`), and none is understood")
    if not isinstance(header.get("kid", ""), str):
        raise ValueError("the token's `kid` is not text")  # noqa: TRY004 - one kind of error for the caller
    claims, signature = _object(parts[1], "payload"), _decoded(parts[2], "signature")
    return Signed(header, claims, token[: -len(parts[2]) - 1].encode("ascii"), signature)


def _object(part: str, name: str) -> dict[str, Any]:
    raw = _decoded(part, name)
    try:
        return read_object(raw)
    except ValueError as error:
        raise ValueError(f"the token's {name} is not a JSON object: {_brief(error)}") from error


def _brief(error: ValueError) -> str:
    """Say what was wrong without a word of the document."""
    return "bad JSON" if type(error) is not ValueError else str(error)


def _decoded(part: str, name: str) -> bytes:
    try:
        return urlsafe_b64decode(part.encode("ascii"))
    except ValueError as error:
        raise ValueError(f"the token's {name} is not base64url") from error


def fits(key: Key, algorithm: str) -> bool:
    """Whether a key may verify signatures of this algorithm: its type, curve, `use`, `alg` and `key_ops` agree."""
    try:
        _MODELS[algorithm].check_key(key)
        key.check_key_op("verify")
    except (JoseError, KeyError, AttributeError):
        return False
    return not algorithm.startswith("Ed") or getattr(key, "curve_name", "") in {"Ed25519", "Ed448"}


def verify_signature(signed: Signed, key: Key) -> bool:
    """Whether `key` made this signature; the caller has checked that the algorithm is allowed and fits the key."""
    return _MODELS[signed.algorithm].verify(signed.signing_input, signed.signature, key)
