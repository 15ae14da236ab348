"""What every handler gets, and what it gives back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tocsin.question import Caller

__all__ = ["CERTIFICATE", "OWNER", "Handler", "Request", "Response"]

OWNER: Final = "tocsin.owner"
"""Member of the ASGI scope that only the admin socket's listener sets."""
CERTIFICATE: Final = "tocsin.certificate"
"""Member of the ASGI scope that holds the DER of a client certificate that this server's TLS verified."""


class Request:
    """One request, its body read whole, its caller verified where the route asks for one."""

    __slots__ = (
        "body",
        "caller",
        "certificate",
        "headers",
        "method",
        "path",
        "peer",
        "query",
        "raw_path",
        "request_id",
        "scheme",
        "socket",
        "via_proxy",
    )

    def __init__(  # noqa: PLR0913 - a request has so many parts; only tests build one by hand
        self,
        method: str,
        path: str,
        *,
        query: bytes = b"",
        headers: list[tuple[bytes, bytes]] | None = None,
        body: bytes = b"",
        caller: Caller | None = None,
        peer: str = "",
        request_id: str = "",
        scheme: str = "http",
        certificate: bytes | None = None,
        raw_path: bytes = b"",
        via_proxy: bool = False,
        socket: str = "",
    ) -> None:
        self.method = method
        self.path = path
        """Percent-decoded, without the query."""
        self.raw_path = raw_path
        """As sent, without the query."""
        self.query = query
        """As sent, without the question mark."""
        self.headers = headers if headers is not None else []
        """As sent; names in lower case."""
        self.body = body
        self.caller = caller
        """None on routes that anybody may call."""
        self.peer = peer
        """Address of the client: of the socket, or what a trusted proxy says of it; empty on the admin socket."""
        self.request_id = request_id
        """As the client sent it, else made here; goes back as `X-Request-ID`."""
        self.scheme = scheme
        self.certificate = certificate
        """DER of the client's certificate, verified by this server's own TLS."""
        self.socket = socket
        """Address of the socket's other end, whoever that is; empty on the admin socket."""
        self.via_proxy = via_proxy
        """Whether the socket's other end is one of `serve.trusted_proxies`, so that what it adds may be believed."""

    def header(self, name: bytes) -> str | None:
        """First value of a header, `name` in lower case; None when it was not sent."""
        for key, value in self.headers:
            if key == name:
                return value.decode("latin-1")
        return None

    def headers_of(self, name: bytes) -> list[str]:
        """Every value of a header, in the order sent."""
        return [value.decode("latin-1") for key, value in self.headers if key == name]


class Response:
    """What a handler answers; length and request id are added on the way out."""

    __slots__ = ("body", "content_type", "decision", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes = b"",
        content_type: bytes = b"application/json",
        headers: list[tuple[bytes, bytes]] | None = None,
        decision: str = "",
    ) -> None:
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = headers if headers is not None else []
        self.decision = decision
        """Id of the decision that this answer carries, for the log."""


Handler = Callable[[Request], Awaitable[Response]]
