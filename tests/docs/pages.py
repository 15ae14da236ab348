"""The written pages, and what can be taken out of them: blocks, links, headings, rows of tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
_PATTERNS = ("*.md", "docs/**/*.md", "examples/**/*.md", "bench/*.md")
PAGES = sorted(page for pattern in _PATTERNS for page in ROOT.glob(pattern))

_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


class Block(NamedTuple):
    """One fenced block, and where it stands."""

    page: Path
    line: int
    language: str
    body: str


def text(name):
    return (ROOT / name).read_text(encoding="utf-8")


def prose(page):
    """A page without its fenced blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def blocks(*languages):
    return [block for page in PAGES for block in _blocks_of(page) if block.language in languages]


def _blocks_of(page):
    whole = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(whole):
        yield Block(page, whole.count("\n", 0, match.start()) + 1, match["language"], match["body"])


def links(page):
    return _LINK.findall(prose(page))


def anchors(page):
    """Names of a page's headings, as a forge makes them."""
    names = []
    for heading in _HEADING.findall(prose(page)):
        kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
        names.append(kept.replace(" ", "-"))
    return names


def rows(name):
    """Cells of every row of every table on a page."""
    lines = [line for line in text(name).splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def label(block):
    return f"{block.page.relative_to(ROOT)}:{block.line}"
