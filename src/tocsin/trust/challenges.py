"""What a refused credential is answered with: `WWW-Authenticate` as RFC 6750, RFC 9449 and RFC 9470 write it."""

from __future__ import annotations

from typing import Final, Literal

from tocsin.errors import InvalidCredential

__all__ = ["ERROR_STATUS", "OAuthError", "challenge", "printable", "refusal"]

OAuthError = Literal[
    "",
    "invalid_request",
    "invalid_token",
    "insufficient_scope",
    "insufficient_user_authentication",
    "invalid_dpop_proof",
    "use_dpop_nonce",
]
ERROR_STATUS: Final[dict[str, int]] = {"invalid_request": 400, "insufficient_scope": 403}
"""Status that goes with an error; 401 with every other."""

_QUOTABLE: Final = frozenset(chr(c) for c in range(0x20, 0x7F)) - {'"', "\\"}


def challenge(scheme: str, error: OAuthError = "", **parameters: str) -> str:
    r"""Write one challenge; parameters without a value are left out, what cannot be quoted becomes `?`.

    >>> challenge("Bearer", "insufficient_user_authentication", acr_values="phr", max_age="300")
    'Bearer error="insufficient_user_authentication", acr_values="phr", max_age="300"'
    """
    pairs = {"error": error, **parameters}
    written = ", ".join(f'{name}="{printable(value)}"' for name, value in pairs.items() if value)
    return f"{scheme} {written}" if written else scheme


def printable(text: str, limit: int = 512) -> str:
    """Make text of a stranger's fit for a header or a message: short, and nothing that could break out."""
    return "".join(c if c in _QUOTABLE else "?" for c in text[:limit])


def refusal(
    message: str, error: OAuthError = "invalid_token", *, scheme: str = "Bearer", hint: str = "", **parameters: str
) -> InvalidCredential:
    """Refuse a credential, with the challenge that says why."""
    written = challenge(scheme, error, error_description=message if error else "", **parameters)
    return InvalidCredential(message, hint=hint, challenge=written, status=ERROR_STATUS.get(error, 401))
