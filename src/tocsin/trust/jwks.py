"""An issuer's public keys, held and kept fresh: discovery, rotation, outages, and floods of keys nobody has.

- Keys older than `jwks_refresh_s` are fetched again in the background; meanwhile those held serve.
- While the issuer cannot be reached, keys held go on to count until `jwks_max_age_s`; then nothing is believed.
- A token that names an unknown key causes one fetch, shared by all who wait. Whatever a flood of tokens names, fetches
  lie `jwks_cooldown_s` apart, and a key that a fetch did not bring is not looked for again for a while.
- A key that is no longer published ends everything it signed: `epoch` changes, and with it what is remembered.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

from tocsin.errors import IssuerUnavailable
from tocsin.trust.fetch import allowed_url, is_loopback
from tocsin.trust.keyset import PublicKeys

if TYPE_CHECKING:
    from collections.abc import Sequence

    from joserfc.jwk import Key

    from tocsin.config.settings import IdentitySettings, IssuerSettings
    from tocsin.trust.fetch import Fetcher

__all__ = ["IssuerKeys"]

MAX_MISSING: Final = 1024
"""Ids of keys remembered as unknown."""
MISSING_S: Final = 60.0
"""For how long."""
METADATA_S: Final = 3600.0
"""For how long an issuer's metadata is believed before it is read again with the keys."""
RETRY_S: Final = (5.0, 30.0)
"""Between two attempts after a failed one: at first, and at most, doubled each time."""


class IssuerKeys:
    """The keys of one issuer. Times are seconds of the verifier's clock."""

    def __init__(self, issuer: IssuerSettings, settings: IdentitySettings, fetcher: Fetcher) -> None:
        self.issuer, self._settings, self._fetcher = issuer, settings, fetcher
        self._loopback = is_loopback(issuer.issuer)
        self._keys: PublicKeys | None = None
        self._uri, self._uri_until = issuer.jwks_uri, math.inf if issuer.jwks_uri else -math.inf
        self._fetching: asyncio.Task[None] | None = None
        self._missing: dict[str, float] = {}
        self._failures = 0
        self.fetched_at = -math.inf
        """When the keys held were fetched."""
        self.refresh_at = -math.inf
        """From when on they should be fetched again."""
        self.tried_at = -math.inf
        self.epoch = 0
        """Changes when a key is withdrawn."""

    def current(self, now: float) -> bool:
        """Whether what these keys verified may still be answered from memory."""
        return self._believed(now) and (now < self.refresh_at or self._fetching is not None)

    def held(self) -> int:
        """How many keys are held."""
        return len(self._keys) if self._keys is not None else 0

    async def candidates(self, key_id: str | None, algorithm: str, now: float) -> Sequence[Key]:
        """Keys that may have signed a token, fetched first where need be; raises IssuerUnavailable."""
        keys = await self._fresh(now)
        if key_id is None or keys.knows(key_id) or not self._worth_fetching(key_id, now):
            return keys.candidates(key_id, algorithm)
        await self._fetch(now)
        keys = self._keys or keys
        if not self._failures and not keys.knows(key_id):
            self._remember_missing(key_id, now)
        return keys.candidates(key_id, algorithm)

    async def aclose(self) -> None:
        """Give up a fetch that is under way."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)

    async def _fresh(self, now: float) -> PublicKeys:
        if not self._believed(now):
            if self._failures and now < self.refresh_at:
                raise self._unavailable()
            await self._fetch(now)
        elif now >= self.refresh_at:
            self._start(now)
        if self._keys is None or not self._believed(now):
            raise self._unavailable()
        return self._keys

    def _believed(self, now: float) -> bool:
        return now - self.fetched_at < self._settings.jwks_max_age_s

    def _unavailable(self) -> IssuerUnavailable:
        return IssuerUnavailable(
            f"the keys of `{self.issuer.issuer}` cannot be fetched",
            hint="nothing of this issuer is believed until it answers; check its `jwks_uri` or `discovery`",
        )

    def _worth_fetching(self, key_id: str, now: float) -> bool:
        return self._missing.get(key_id, -math.inf) <= now and now - self.tried_at >= self._settings.jwks_cooldown_s

    def _remember_missing(self, key_id: str, now: float) -> None:
        self._missing.pop(key_id, None)
        while len(self._missing) >= MAX_MISSING:
            self._missing.pop(next(iter(self._missing)))
        self._missing[key_id] = now + MISSING_S

    def _start(self, now: float) -> asyncio.Task[None]:
        """Start a fetch unless one is under way; it never raises, what failed shows in what is held."""
        if self._fetching is None or self._fetching.done():
            self.tried_at = now
            self._fetching = asyncio.get_running_loop().create_task(self._attempt(now))
        return self._fetching

    async def _fetch(self, now: float) -> None:
        """Wait for a fetch; who gives up waiting does not stop it for the others."""
        await asyncio.shield(self._start(now))

    async def _attempt(self, now: float) -> None:
        try:
            keys = PublicKeys.read(await self._document(now))
        except (IssuerUnavailable, ValueError):
            self._failed(now)
        else:
            self._replace(keys, now)
        finally:
            self._fetching = None

    def _replace(self, keys: PublicKeys, now: float) -> None:
        if self._keys is not None and not self._keys.prints <= keys.prints:
            self.epoch += 1
        self._keys, self._failures, self.fetched_at = keys, 0, now
        self.refresh_at = now + self._settings.jwks_refresh_s
        self._missing = {key_id: until for key_id, until in self._missing.items() if until > now}

    def _failed(self, now: float) -> None:
        first, most = RETRY_S
        self.refresh_at = now + min(first * 2 ** min(self._failures, 8), most)
        self._failures += 1
        if not self.issuer.jwks_uri:
            self._uri_until = now  # the metadata may say by now that the keys have moved

    async def _document(self, now: float) -> dict[str, Any]:
        if now >= self._uri_until:
            self._uri = await self._discover()
            self._uri_until = now + METADATA_S
        return await self._fetcher.get(self._uri, loopback=self._loopback)

    async def _discover(self) -> str:
        """Read the issuer's metadata (OpenID Connect Discovery 1.0, RFC 8414); it must speak of this very issuer."""
        issuer = self.issuer.issuer
        place = self.issuer.discovery or issuer.removesuffix("/") + "/.well-known/openid-configuration"
        metadata = await self._fetcher.get(place, loopback=self._loopback)
        if metadata.get("issuer") != issuer:
            raise ValueError("the metadata is another issuer's")
        uri = metadata.get("jwks_uri")
        if not isinstance(uri, str) or not allowed_url(uri, loopback=self._loopback):
            raise ValueError("the metadata names no place of keys that may be fetched")
        return uri
