"""The demo's page in a real browser: faces first, on one screen, quiet, for everybody.

``UPDATE_DOCS=1`` writes the picture of the page of `local`.
"""

import os
import subprocess
import sys
from pathlib import Path

import PIL.Image
import pytest

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "pictures" / "demo.webp"

#: Where an element ends, in pixels from the top of the page.
END = "document.querySelector({!r}).getBoundingClientRect().bottom"

#: What is cut off in the grid, or covered: an element whose words need more room than they have.
CUT = """
[...document.querySelectorAll('.grid li, .grid span')]
  .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth)
  .map(e => e.textContent.trim().slice(0, 60))
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    path = tmp_path_factory.mktemp("demo") / "report.html"
    photographs = ROOT / "docs" / "photographs"
    command = Path(sys.executable).with_name("facematch")
    words = [command, "demo", "--photographs", photographs, "--out", path]
    subprocess.run(words, check=True, capture_output=True, timeout=300)
    return path


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (800, "light"), (1280, "light")])
def test_the_demo_page_has_no_accessibility_violations(browser, page, check_page, width, scheme):
    browser.open(page, width=width, height=800, scheme=scheme)
    assert browser.value(CUT) == []
    assert browser.value("[...document.images].filter(i => !i.naturalWidth).length") == 0
    check_page(browser, page.as_uri())


@pytest.mark.parametrize("window", [(1280, 800), (1440, 900), (1920, 1080)])
def test_all_pairs_fit_on_one_screen_with_large_faces(browser, page, window):
    width, height = window
    browser.open(page, width=width, height=height)
    assert browser.value("document.querySelectorAll('.grid li:not(.legend)').length") == 13
    assert browser.value(END.format(".grid")) <= height
    sides = "[...document.querySelectorAll('.faces img')].map(i => [i.clientWidth, i.clientHeight])"
    assert all(wide >= 110 and high >= 130 for wide, high in browser.value(sides))


def test_wrong_answers_stand_out(browser, page):
    """By a thicker border, a word and a reason: not by colour alone."""
    browser.open(page, width=1280, height=800)
    border = "e => parseFloat(getComputedStyle(e).borderTopWidth)"
    thick, thin = (
        browser.value(f"[...document.querySelectorAll('{which}')].map({border})")
        for which in (".is-wrong", ".grid li:not(.is-wrong, .legend)")
    )
    assert len(thick) == 2
    assert min(thick) > max(thin)
    words = browser.value("[...document.querySelectorAll('.is-wrong')].map(e => e.innerText)")
    assert all("WRONG: different people\nknown limit: " in text for text in words)


@pytest.mark.skipif("UPDATE_DOCS" not in os.environ, reason="writes the picture of a page")
def test_picture_of_the_readme(browser, page, tmp_path):
    browser.open(page, width=1280, height=800)
    end = browser.value(END.format(".first"))
    PICTURE.parent.mkdir(exist_ok=True)
    browser.screenshot(tmp_path / "whole.png", full=False)
    shown = PIL.Image.open(tmp_path / "whole.png").convert("RGB").crop((0, 0, 1280, round(end)))
    # A palette has too few colours for 26 faces.
    shown.save(PICTURE, quality=78, method=6)
    assert PICTURE.stat().st_size <= 250_000
