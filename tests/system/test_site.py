"""The site opened from the disk in a real Chromium: its search works and it asks no other host."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A fresh build of the documentation."""
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        check=True,
        timeout=300,
    )
    return folder


def wait_for(browser, expression):
    """The value of an expression, once it is true."""
    ending = time.monotonic() + 30
    while not (value := browser.value(expression)):
        assert time.monotonic() < ending, expression
    return value


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", ["index.html", "reference/results.html"])
def test_search_works_from_the_disk(browser, site, page, scheme, width):
    """A reader types a word into the search of a page on the disk, and finds what it names."""
    browser.open(site / page, width=width, scheme=scheme)
    # On a telephone the field appears after a tap.
    browser.value("document.querySelector('[data-md-toggle=search]').click()")
    browser.value("document.querySelector('[data-md-component=search-query]').focus()")
    browser.send("Input.insertText", text="RateLimiter")
    # The page listens to keys.
    browser.press("End")
    results = "[...document.querySelectorAll('.md-search-result__link')].map(a => a.href)"
    found = wait_for(browser, f"({results}).length > 0 && {results}")
    assert all(address.startswith(site.as_uri()) for address in found)
    assert any("reference/policies.html" in address for address in found)
    assert browser.messages() == []
    assert not [a for a in browser.requests() if not a.startswith((site.as_uri(), "data:"))]


@pytest.mark.parametrize("page", ["index.html", "reference/results.html"])
def test_it_fits_a_telephone(browser, site, page):
    """Nobody scrolls sideways at 400 pixels."""
    browser.open(site / page, width=400)
    assert browser.value("document.documentElement.scrollWidth") <= 400


def test_it_is_dark_where_the_system_is(browser, site):
    """The colours follow the system of the reader."""
    shown = []
    for scheme in ("light", "dark"):
        browser.open(site / "index.html", scheme=scheme)
        shown.append(browser.value("document.body.getAttribute('data-md-color-scheme')"))
    assert shown == ["default", "slate"]
