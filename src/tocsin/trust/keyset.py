"""A set of public keys (JWKS, RFC 7517), as an issuer publishes it, cut down to what may verify a signature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry
from joserfc.util import base64_to_int

from tocsin.trust.signed import fits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from joserfc.jwk import Key

__all__ = ["MAX_KEYS", "PRIVATE_MEMBERS", "PublicKeys", "import_public"]

MAX_KEYS: Final = 64
"""Further keys of a set are left out."""
MAX_TRIED: Final = 4
"""Keys tried for a token that names none."""
PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
"""Members of a JWK that only the holder of the private key should have."""

_RSA_BITS: Final = (2048, 8192)
_RSA_MAX_EXPONENT: Final = 1 << 32
"""A larger exponent only makes verifying slow."""


def import_public(jwk: Any) -> Key:  # noqa: ANN401 - checked here
    """Read one public key; raises `ValueError` for a private, symmetric, weak or malformed one."""
    if not isinstance(jwk, dict):
        raise ValueError("not a JWK")  # noqa: TRY004 - one kind of error for the caller
    if jwk.get("kty") == "oct" or not PRIVATE_MEMBERS.isdisjoint(jwk):
        raise ValueError("not a public key")
    if jwk.get("kty") == "RSA":
        _check_rsa(jwk)
    try:
        return JWKRegistry.import_key(jwk)
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ValueError("malformed, or of an unknown kind") from error


def _check_rsa(jwk: dict[str, Any]) -> None:
    """Refuse RSA keys that are too weak, or so large that verifying with them is a burden."""
    try:
        modulus, exponent = base64_to_int(jwk["n"]), base64_to_int(jwk["e"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError("malformed") from error
    least, most = _RSA_BITS
    if not least <= modulus.bit_length() <= most:
        raise ValueError(f"an RSA key must have {least} to {most} bits")
    if exponent >= _RSA_MAX_EXPONENT:
        raise ValueError("the RSA key's exponent is too large")


class PublicKeys:
    """The keys of one issuer at one time; immutable."""

    def __init__(self, keys: Sequence[Key], left_out: int = 0) -> None:
        self._keys = tuple(keys)
        self._by_id: dict[str, list[Key]] = {}
        for key in self._keys:
            if key.kid is not None:
                self._by_id.setdefault(key.kid, []).append(key)
        self.left_out = left_out
        """Keys of the set that cannot verify anything here."""
        self.prints = frozenset(key.thumbprint() for key in self._keys)
        """RFC 7638 thumbprints, to tell whether a key was withdrawn."""

    def __len__(self) -> int:
        return len(self._keys)

    @classmethod
    def read(cls, document: dict[str, Any]) -> PublicKeys:
        """Read a JWK set; unusable keys are left out and counted; raises `ValueError` when none is left."""
        listed = document.get("keys")
        if not isinstance(listed, list):
            raise ValueError("the set has no list of `keys`")  # noqa: TRY004 - one kind of error for the caller
        keys = []
        for jwk in listed[:MAX_KEYS]:
            try:
                keys.append(import_public(jwk))
            except ValueError:
                continue
        if not keys:
            raise ValueError("the set has no usable public key")
        return cls(keys, left_out=len(listed) - len(keys))

    def candidates(self, key_id: str | None, algorithm: str) -> Sequence[Key]:
        """Keys that may have signed a token: those of its `kid`, or a few that fit when it names none."""
        named = self._keys if key_id is None else self._by_id.get(key_id, ())
        return [key for key in named if fits(key, algorithm)][:MAX_TRIED]

    def knows(self, key_id: str) -> bool:
        """Whether a key of this id is here, whatever it is good for."""
        return key_id in self._by_id
