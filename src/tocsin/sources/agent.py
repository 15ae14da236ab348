"""What an agent string says: what it is a version of, and what kind of device sends it.

Command-line tools, libraries and cloud services are named by their own table, since browser
libraries do not know them; everything else goes through ua-parser. Versions are dropped: an update must
not look like a new device.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec
import ua_parser

__all__ = ["Agent", "recognise_agent"]

MAX_AGENT_CHARS: Final = 512
_CACHED: Final = 1 << 16
_TOOLS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), family)
    for pattern, family in (
        (r"\bterraform\b", "Terraform"),
        (r"\bpulumi\b", "Pulumi"),
        (r"\bansible\b", "Ansible"),
        (r"\baws-cli/", "aws-cli"),
        (r"\bboto3?/|\bbotocore/", "Boto3"),
        (r"\bs3console\b", "S3Console"),
        (r"\baws-sdk-go\b", "aws-sdk-go"),
        (r"\baws-sdk-java\b", "aws-sdk-java"),
        (r"\baws-sdk-(?:js|nodejs)\b", "aws-sdk-js"),
        (r"\baws-sdk-(\w+)", "aws-sdk"),
        (r"^aws internal$", "AWS Internal"),
        (r"\bazurecli/|\baz-cli\b", "azure-cli"),
        (r"\bgoogle-cloud-sdk\b|\bgcloud\b", "gcloud"),
        (r"\bkubectl/", "kubectl"),
        (r"\bdocker(?:-client)?/", "docker"),
        (r"\bwinrm client\b", "WinRM"),
        (r"\bpowershell\b", "PowerShell"),
        (r"^curl/", "curl"),
        (r"^wget\b", "Wget"),
        (r"\bpython-requests/", "python-requests"),
        (r"\b(?:python-)?aiohttp/", "aiohttp"),
        (r"\bpython-httpx/", "httpx"),
        (r"\bpython-urllib", "Python-urllib"),
        (r"\bgo-http-client/", "Go-http-client"),
        (r"\bokhttp/", "okhttp"),
        (r"\baxios/", "axios"),
        (r"\bnode-fetch\b|\bundici\b", "node-fetch"),
        (r"\bapache-httpclient/", "Apache-HttpClient"),
        (r"^java/", "Java"),
        (r"\blibwww-perl/", "libwww-perl"),
        (r"^git/", "git"),
        (r"^client=msexchangerpc", "Outlook (MAPI)"),
        (r"^client=rest", "Exchange REST"),
        (r"^client=webservices", "Exchange Web Services"),
        (r"^client=owa", "Outlook on the web"),
        (r"^client=(?:pop3|imap4)", "POP3/IMAP4"),
        (r"^client=", "Exchange"),
    )
)
_SERVICE: Final = re.compile(r"^[a-z0-9.-]+\.amazonaws\.com$", re.IGNORECASE)
_PRODUCT: Final = re.compile(r"^\s*([A-Za-z][\w.+-]*(?: [A-Za-z][\w.+-]*)?)")
_MADE_UP: Final = re.compile(r"[_-]?(?:[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}|[0-9A-Fa-f]{16,}|\d{5,})")
"""Ids that make every string new."""
_MAX_PRODUCT: Final = 40
_PHONE_SYSTEMS: Final = frozenset({"iOS", "Android", "Windows Phone", "BlackBerry OS", "KaiOS"})
_TABLETS: Final = re.compile(r"iPad|Tablet|Kindle|Nexus (?:7|9|10)|SM-T\d", re.IGNORECASE)
_DESKTOPS: Final = frozenset(
    {"Windows", "Mac OS X", "Linux", "Ubuntu", "Fedora", "Chrome OS", "FreeBSD", "OpenBSD", "Debian"}
)


class Agent(msgspec.Struct, frozen=True):
    """What an agent string comes down to."""

    family: str | None
    device_class: str | None


@lru_cache(_CACHED)
def recognise_agent(text: str) -> Agent:
    """Name the family and device class of an agent string; only its first 512 characters are looked at."""
    text = text[:MAX_AGENT_CHARS].strip().strip("[]")
    if not text or text == "-":
        return Agent(None, None)
    if _SERVICE.match(text):
        return Agent(text.lower(), "tool")
    for pattern, family in _TOOLS:
        if pattern.search(text):
            return Agent(family, "tool")
    return _browser(text)


def _browser(text: str) -> Agent:
    result = ua_parser.parse(text)
    family = result.user_agent.family if result.user_agent else None
    device = result.device.family if result.device else ""
    system = result.os.family if result.os else ""
    if device == "Spider":
        return Agent(family or "bot", "bot")
    if system in _PHONE_SYSTEMS:
        tablet = _TABLETS.search(text) or (system == "Android" and "Mobile" not in text)
        return Agent(family or system, "tablet" if tablet else "phone")
    if system in _DESKTOPS and family:
        return Agent(family, "desktop")
    product = _PRODUCT.match(_MADE_UP.sub("", text))
    return Agent(family or (product[1][:_MAX_PRODUCT] if product else "other"), "tool")
