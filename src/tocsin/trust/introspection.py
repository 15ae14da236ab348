"""Tokens that say nothing themselves: their issuer is asked (RFC 7662), seldom and never by many at once.

A live answer is remembered with what it verified, elsewhere. Here it is remembered which tokens are *not* live, so that
a bad one shown again and again does not reach the issuer each time.
"""

from __future__ import annotations

import asyncio
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from tocsin.errors import ConfigError, IssuerUnavailable
from tocsin.trust.challenges import refusal
from tocsin.trust.fetch import allowed_url, is_loopback

if TYPE_CHECKING:
    from tocsin.config.settings import IssuerSettings
    from tocsin.trust.fetch import Fetcher

__all__ = ["Introspection"]

MAX_AT_ONCE: Final = 32
"""Questions one issuer is asked at the same time; a further one is not asked."""
MAX_REFUSED: Final = 4096
REFUSED_S: Final = 10.0
"""For how long a token that is not live is refused without asking again."""
MAX_SECRET_BYTES: Final = 4096


class Introspection:
    """Asks one issuer about tokens. Times are seconds of the verifier's clock."""

    def __init__(self, issuer: IssuerSettings, fetcher: Fetcher, secret: bytes) -> None:
        self._issuer, self._fetcher, self._secret = issuer, fetcher, secret
        self._auth = _auth(issuer)
        self._loopback = is_loopback(issuer.issuer)
        if not allowed_url(issuer.introspection_url, loopback=self._loopback):
            raise ConfigError(
                f"`introspection_url` of `{issuer.issuer}` is not an https URL",
                hint="a token must not travel in clear; http is taken on loopback only",
            )
        self._refused: dict[bytes, float] = {}
        self._asking: dict[bytes, asyncio.Task[dict[str, Any]]] = {}
        self.failing = False
        """Whether the last question got no answer."""

    async def ask(self, token: str, now: float) -> dict[str, Any]:
        """Return what the issuer says of a live token; raises InvalidCredential, IssuerUnavailable."""
        name = blake2b(token.encode(), digest_size=16, key=self._secret).digest()
        if self._refused.get(name, now) > now:
            raise _not_live()
        task = self._asking.get(name) or self._start(name, token)
        answer = await asyncio.shield(task)
        if answer.get("active") is not True:
            self._refuse(name, now)
            raise _not_live()
        if answer.get("iss", self._issuer.issuer) != self._issuer.issuer:
            raise refusal("the token is another issuer's")
        return answer

    async def aclose(self) -> None:
        """Give up what is being asked."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, name: bytes, token: str) -> asyncio.Task[dict[str, Any]]:
        if len(self._asking) >= MAX_AT_ONCE:
            raise IssuerUnavailable(
                f"`{self._issuer.issuer}` is asked about too many tokens at once", hint="try again shortly"
            )
        form = {"token": token, "token_type_hint": "access_token"}
        task = asyncio.get_running_loop().create_task(
            self._fetcher.post(self._issuer.introspection_url, form, self._auth, loopback=self._loopback)
        )
        self._asking[name] = task
        task.add_done_callback(lambda done: self._answered(name, done))
        return task

    def _answered(self, name: bytes, task: asyncio.Task[dict[str, Any]]) -> None:
        """Note how a question ended, whether or not anybody still waits for the answer."""
        self._asking.pop(name, None)
        self.failing = task.cancelled() or task.exception() is not None

    def _refuse(self, name: bytes, now: float) -> None:
        while len(self._refused) >= MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
        self._refused[name] = now + REFUSED_S


def _not_live() -> Exception:
    return refusal("the token is not live, says its issuer", hint="get a new one")


def _auth(issuer: IssuerSettings) -> tuple[str, str] | None:
    """Client id and secret, form-encoded before they are joined (RFC 6749, section 2.3.1)."""
    if not issuer.introspection_client:
        return None
    file = Path(issuer.introspection_secret_file)
    try:
        with file.open("rb") as opened:
            secret = opened.read(MAX_SECRET_BYTES).decode("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"`introspection_secret_file` of `{issuer.issuer}` cannot be read",
            hint="name a file that holds nothing but the client's secret",
        ) from error
    return quote(issuer.introspection_client, safe=""), quote(secret, safe="")
