"""Whether two URLs name the same target, as RFC 9449 compares `htu`: without query and fragment, spelling aside."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

__all__ = ["MAX_URL_CHARS", "normal_target", "same_target"]

MAX_URL_CHARS: Final = 8 << 10

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = re.compile(r"[A-Za-z0-9\-._~]")


def same_target(claimed: object, url: str) -> bool:
    """Whether a proof's `htu` names the URL of the request."""
    if not isinstance(claimed, str):
        return False
    try:
        return normal_target(claimed) == normal_target(url)
    except ValueError:
        return False


def normal_target(url: str) -> str:
    """Write a URL the one way (RFC 3986, 6.2.2 and 6.2.3), without query and fragment; raises `ValueError`.

    >>> normal_target("HTTPS://API.Example:443/%7eada/./x/../y?z#f")
    'https://api.example/~ada/y'
    """
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("not a URL")
    parts = urlsplit(url)
    default = _DEFAULT_PORTS.get(parts.scheme)
    if default is None or not parts.hostname or "@" in parts.netloc:
        raise ValueError("not an absolute http URL")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in {None, default} else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{_without_dots(_ESCAPED.sub(_unescaped, parts.path))}"


def _unescaped(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if _UNRESERVED.fullmatch(character) else match[0].upper()


def _without_dots(path: str) -> str:
    kept: list[str] = []
    steps = path.split("/")[1:]
    for step in steps:
        if step == "..":
            del kept[-1:]
        elif step != ".":
            kept.append(step)
    ends_open = bool(steps) and steps[-1] in {".", ".."}
    return "/" + "/".join([*kept, ""] if ends_open and kept else kept)
