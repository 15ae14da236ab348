"""Every error Tocsin raises on purpose, and what each means to the person who meets it.

::

    TocsinError                exit 1   something Tocsin could not do
    ├── UsageError             exit 2   the command or call was put wrongly
    │   ├── ConfigError        exit 2   a setting is unknown, malformed or contradictory
    │   └── MappingError       exit 2   a mapping file does not describe the input
    ├── SourceError            exit 3   an input could not be read as events
    │   ├── UnknownFormat      exit 3   no source recognises the content
    │   └── RecordError        exit 3   one record is unusable; it is set aside, the rest goes on
    ├── StoreError             exit 4   the home could not be read or written
    │   ├── HomeLocked         exit 4   another process is the writer
    │   ├── JournalDamaged     exit 4   a checksum does not match before the last acknowledged position
    │   └── DiskFull           exit 4   nothing more can be made durable
    ├── NotFound               exit 5   no alert, entity, finding or restriction of that name
    ├── Refused                exit 6   a guard (blast radius, break-glass) would not let it happen
    ├── IdentityError          exit 7   who asks could not be verified
    │   ├── InvalidCredential  exit 7   a credential is malformed, expired, forged, replayed or not meant for us
    │   └── IssuerUnavailable  exit 7   what a credential must be checked against cannot be reached
    └── PolicyError            exit 8   policies, their entities or their schema do not load, or a test of them fails
        └── BadValue           exit 8   a question holds a value that no policy can be asked about

Each carries a stable `code`, a message in one line without a final period, and a `hint` a person
can act on. Exit status 0 is success; 130 is an interrupt.
"""

from __future__ import annotations

__all__ = [
    "BadValue",
    "ConfigError",
    "DiskFull",
    "HomeLocked",
    "IdentityError",
    "InvalidCredential",
    "IssuerUnavailable",
    "JournalDamaged",
    "MappingError",
    "NotFound",
    "PolicyError",
    "RecordError",
    "Refused",
    "SourceError",
    "StoreError",
    "TocsinError",
    "UnknownFormat",
    "UsageError",
]


class TocsinError(Exception):
    """Something Tocsin could not do; the root of the tree."""

    code = "tocsin"
    exit_status = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TocsinError):
    """The command or the call was put wrongly."""

    code = "usage"
    exit_status = 2


class ConfigError(UsageError):
    """A setting is unknown, malformed or contradictory."""

    code = "config"


class MappingError(UsageError):
    """A mapping file does not describe the input it is used on."""

    code = "mapping"


class SourceError(TocsinError):
    """An input could not be read as events."""

    code = "source"
    exit_status = 3


class UnknownFormat(SourceError):  # noqa: N818 - named for what it tells, like FileNotFoundError's kin
    """No source recognises the content of a file."""

    code = "unknown-format"


class RecordError(SourceError):
    """One record is unusable; it is set aside with its position and the rest goes on."""

    code = "record"


class StoreError(TocsinError):
    """The home could not be read or written."""

    code = "store"
    exit_status = 4


class HomeLocked(StoreError):  # noqa: N818 - a state of the home, not a kind of failure
    """Another process is the writer of this home."""

    code = "home-locked"


class JournalDamaged(StoreError):  # noqa: N818 - a state of the journal
    """A checksum does not match before the last acknowledged position."""

    code = "journal-damaged"


class DiskFull(StoreError):  # noqa: N818 - a state of the disk
    """Nothing more can be made durable."""

    code = "disk-full"


class NotFound(TocsinError):  # noqa: N818 - reads as the answer it is
    """No alert, entity, finding or restriction of that name."""

    code = "not-found"
    exit_status = 5


class Refused(TocsinError):  # noqa: N818 - reads as the answer it is
    """A guard (blast radius, break-glass) would not let it happen."""

    code = "refused"
    exit_status = 6


class IdentityError(TocsinError):
    """Who asks could not be verified."""

    code = "identity"
    exit_status = 7


class InvalidCredential(IdentityError):  # noqa: N818 - reads as the answer it is
    """A credential is malformed, expired, forged, replayed or not meant for us.

    Over HTTP it is answered with `status`, `challenge` as `WWW-Authenticate` (RFC 6750, RFC 9449) and, when
    there is one, `nonce` as `DPoP-Nonce`.
    """

    code = "invalid-credential"

    def __init__(
        self, message: str, *, hint: str = "", challenge: str = "Bearer", nonce: str = "", status: int = 401
    ) -> None:
        super().__init__(message, hint=hint)
        self.challenge = challenge
        self.nonce = nonce
        self.status = status


class IssuerUnavailable(IdentityError):  # noqa: N818 - a state of somebody else's server
    """What a credential must be checked against cannot be reached; nothing is trusted meanwhile."""

    code = "issuer-unavailable"


class PolicyError(TocsinError):
    """Policies, their entities or their schema do not load, or a test of them fails."""

    code = "policy"
    exit_status = 8


class BadValue(PolicyError):  # noqa: N818 - names what is wrong with the question, not with us
    """A question holds a value that no policy can be asked about: too large, too deep, not a number, reserved."""

    code = "bad-value"
