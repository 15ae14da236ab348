"""Every link between the pages leads somewhere."""

from __future__ import annotations

import pages
import pytest

EVERY = [(page, link) for page in pages.PAGES for link in pages.links(page)]


@pytest.mark.parametrize(("page", "link"), EVERY, ids=[f"{p.relative_to(pages.ROOT)}-{link}" for p, link in EVERY])
def test_a_link_resolves(page, link):
    if link.startswith(("https://", "mailto:")):
        return
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    assert target.exists(), f"{page.name} links to {link}"
    if anchor:
        assert anchor in pages.anchors(target), f"{target.name} has no heading for #{anchor}"


def test_there_are_links_to_check():
    assert len(EVERY) >= 20, "the pages name one another; none found means the pattern is wrong"
