"""The report of a comparison in a real browser, seen, heard, printed, and used by keyboard."""

import re

import pytest
from browser import Browser
from core.comparison.report.samples import ALL

from facematch_core.comparison.report import write_report


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The pages of all samples, by name."""
    folder = tmp_path_factory.mktemp("reports")
    for name, made in ALL.items():
        write_report(made(), folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in ALL}


@pytest.fixture(scope="module")
def browser(find_program, tmp_path_factory):
    """One Chromium for all tests."""
    opened = Browser(find_program("chromium"), tmp_path_factory.mktemp("profile"))
    yield opened
    opened.close()


#: What sticks out of the window and stands in no place that scrolls by itself.
STICKING_OUT = """
[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .skip, svg')
    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.tagName + ' ' + e.textContent.trim().slice(0, 40))
"""


@pytest.mark.parametrize("window", [(400, "light"), (400, "dark"), (1000, "light"), (1000, "dark")])
@pytest.mark.parametrize("name", ALL)
def test_it_opens_quietly_and_fits(browser, reports, tmp_path, name, window):
    """No message, no request but for itself, and nobody scrolls the page sideways."""
    width, scheme = window
    browser.open(reports[name], width=width, scheme=scheme)
    # To be looked at, where the tests keep their files.
    browser.screenshot(tmp_path / f"{name}-{width}-{scheme}.png")
    assert browser.messages() == []
    assert browser.requests() == [reports[name].as_uri()]
    assert browser.value("document.documentElement.scrollWidth - innerWidth") <= 0
    assert browser.value(STICKING_OUT) == []


def test_dark_is_dark(browser, reports):
    """Paper, ink, and the lines of drawings follow the reader's choice."""
    line = "getComputedStyle(document.querySelector('.plot .stroke-s0')).stroke"
    paper = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for scheme in ("light", "dark"):
        browser.open(reports["three"], scheme=scheme)
        seen[scheme] = browser.value(paper), browser.value(line)
    assert seen["light"][0] == "rgb(255, 255, 255)"
    assert max(map(int, re.findall(r"\d+", seen["dark"][0]))) < 40
    assert seen["light"][1] != seen["dark"][1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_in_drawings_can_be_read(browser, reports, scheme):
    """On a telephone they are at least 9 pixels high, and they have the colour of the text."""
    browser.open(reports["three"], width=400, scheme=scheme)
    sizes = browser.value(
        "[...document.querySelectorAll('.plot text')].map(e => parseFloat(getComputedStyle(e)"
        ".fontSize) * e.ownerSVGElement.getBoundingClientRect().width"
        " / e.ownerSVGElement.viewBox.baseVal.width)"
    )
    assert len(sizes) > 40
    assert min(sizes) >= 9
    colours = browser.value(
        "[...new Set([...document.querySelectorAll('.plot text')]"
        ".map(e => getComputedStyle(e).fill))]"
    )
    assert colours == [browser.value("getComputedStyle(document.body).color")]


def test_no_letter_leaves_its_drawing(browser, reports):
    """Axes have room for their numbers in the reader's font."""
    browser.open(reports["three"])
    outside = browser.value(
        "[...document.querySelectorAll('.plot text')].filter(e => {"
        " const a = e.getBoundingClientRect(), b = e.ownerSVGElement.getBoundingClientRect();"
        " return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1"
        " || a.bottom > b.bottom + 1 }).map(e => e.textContent)"
    )
    assert outside == []


@pytest.mark.parametrize("width", [400, 1000])
def test_it_is_told_to_a_screen_reader(browser, reports, width):
    """Landmarks, one title, named tables with their headers, named pictures; also as cards."""
    browser.open(reports["three"], width=width)
    tree = browser.tree()
    roles = [role for role, _ in tree]
    for role in ("banner", "main", "contentinfo", "navigation"):
        assert roles.count(role) == 1
    drawings = [name for role, name in tree if role in ("image", "img")]
    assert len(drawings) == 5
    assert any(name.startswith("Genuine people refused") for name in drawings)
    tables = [name for role, name in tree if role == "table"]
    assert "The contenders" in tables
    assert len(tables) >= 9
    assert ("columnheader", "Refused (FRR)") in tree
    assert ("rowheader", "didit") in tree
    assert all(name for role, name in tree if role == "region")


def test_it_is_used_by_keyboard(browser, reports):
    """The first key skips to the results, every wide table can be reached, details open."""
    browser.open(reports["three"], width=400)
    browser.press("Tab")
    assert browser.value("document.activeElement.textContent") == "Skip to the results"
    assert browser.value("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    assert browser.value("document.activeElement.id") == "main"
    reached = []
    for _ in range(60):
        browser.press("Tab")
        here = browser.value("document.activeElement.outerHTML.slice(0, 120)")
        if here in reached:
            break
        reached.append(here)
    assert sum("scroll" in one for one in reached) >= 8
    browser.value("document.querySelector('summary').focus()")
    browser.press("Enter")
    assert browser.value("document.querySelector('details').open") is True
    table = "document.querySelector('details .scroll')"
    browser.value(f"{table}.focus()")
    assert browser.value(f"document.activeElement === {table}") is True


def pages(path):
    """How many pages a PDF has."""
    counts = re.findall(rb"/Type /Pages.*?/Count (\d+)", path.read_bytes(), re.DOTALL)
    return max(map(int, counts))


def test_it_is_printed_whole_on_white(browser, reports, tmp_path):
    """Closed details are printed as well, the details begin a page, and nothing is dark."""
    browser.open(reports["three"], width=688, scheme="dark", media="print")
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("document.documentElement.scrollWidth - innerWidth") <= 0
    heights = browser.value(
        "[...document.querySelectorAll('details table')].map(e => e.offsetHeight)"
    )
    assert len(heights) == 4
    assert min(heights) > 300
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.open(reports["three"], width=1000)
    browser.print(tmp_path / "three.pdf")
    assert 6 <= pages(tmp_path / "three.pdf") <= 14
    browser.open(reports["twenty"])
    browser.print(tmp_path / "twenty.pdf")
    assert pages(tmp_path / "twenty.pdf") < pages(tmp_path / "three.pdf")


def test_a_name_runs_nothing(browser, reports):
    """Names that are scripts are shown, and that is all."""
    browser.open(reports["hostile"])
    assert browser.value("document.images.length") == 0
    assert browser.value("document.scripts.length") == 0
    assert "onerror=" in browser.value("document.querySelector('h1').textContent")
