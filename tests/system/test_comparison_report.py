"""The report of a comparison in a real browser, seen, heard, printed, and used by keyboard."""

import base64
import re

import PIL.Image
import pytest
from kit.comparison.samples import ALL, two

from facematch_comparison.model import WrongPair
from facematch_comparison.report import fragment, gallery_html, write_report

#: A page that is dark whatever its reader prefers, with rules of its own.
NOTEBOOK = """<!doctype html>
<html lang="en"><title>A notebook</title><link rel="icon" href="data:,">
<style>body {{ background: #111111 }} p {{ color: rgb(1, 2, 3) }}</style>
<p id="outside">outside</p><table><tr><td id="cell">1</td></tr></table>{}{}</html>"""


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """Seven pairs that were wrong, one of them without pictures."""
    folder = tmp_path_factory.mktemp("pictures")
    for name, size in (("tall", (300, 400)), ("wide", (640, 200))):
        PIL.Image.effect_noise(size, 90).convert("RGB").save(folder / f"{name}.jpg")
    kinds = ["false match"] * 3 + ["false non-match"] * 3 + ["failure to acquire"]
    return [
        WrongPair(
            system="alpha",
            kind=kind,
            pair=place,
            probe=None if place == 6 else str(folder / "tall.jpg"),
            reference=None if place == 6 else str(folder / "wide.jpg"),
            probe_subject="ann",
            reference_subject="bob" * 30,
            score=None if place == 6 else 70.5 - 8 * place,
            threshold=52.8,
        )
        for place, kind in enumerate(kinds)
    ]


@pytest.fixture(scope="module")
def reports(tmp_path_factory, wrong):
    """The pages of all samples by name, and those with a gallery."""
    folder = tmp_path_factory.mktemp("reports")
    for name, made in ALL.items():
        write_report(made(), folder / f"{name}.html")
    write_report(two(), folder / "with-gallery.html", gallery=wrong)
    (folder / "gallery.html").write_text(gallery_html(wrong), encoding="utf-8")
    return {path.stem: path for path in folder.iterdir()}


#: What sticks out of the window and stands in no place that scrolls by itself.
STICKING_OUT = """
[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .skip, svg')
    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.tagName + ' ' + e.textContent.trim().slice(0, 40))
"""


@pytest.mark.parametrize("window", [(400, "light"), (400, "dark"), (1280, "light"), (1280, "dark")])
@pytest.mark.parametrize("name", [*ALL, "with-gallery", "gallery"])
def test_it_opens_quietly_and_fits(browser, reports, tmp_path, name, window):
    """No message, no request but for itself, and nobody scrolls the page sideways."""
    width, scheme = window
    browser.open(reports[name], width=width, height=800, scheme=scheme)
    # To be looked at, where the tests keep their files.
    browser.screenshot(tmp_path / f"{name}-{width}-{scheme}.png")
    assert browser.messages() == []
    asked = [one for one in browser.requests() if not one.startswith("data:")]
    assert asked == [reports[name].as_uri()]
    assert browser.value("document.documentElement.scrollWidth - innerWidth") <= 0
    assert browser.value(STICKING_OUT) == []


@pytest.mark.parametrize("name", ["full", "two", "eight"])
def test_the_first_screen_holds_the_answer(browser, reports, name):
    """On a laptop: the sentence and the whole table; of a few systems, where the picture begins."""
    browser.open(reports[name], width=1280, height=800)
    place = "document.querySelector('{}').getBoundingClientRect().{}"
    assert browser.value(place.format(".verdict", "bottom")) <= 200
    assert browser.value(place.format("table", "bottom")) <= 800
    assert browser.value(place.format("svg.plot", "top")) <= (700 if name != "eight" else 900)


@pytest.mark.parametrize("name", ["two", "full", "eight", "decisions_only"])
@pytest.mark.parametrize("width", [400, 1280])
def test_every_operating_point_is_seen(browser, reports, name, width):
    """As a mark of its own that is inside the picture, and not of the colour of the paper."""
    browser.open(reports[name], width=width)
    seen = browser.value(
        "(() => { const s = document.querySelector('svg.plot').getBoundingClientRect();"
        " return [...document.querySelectorAll('[data-point]')].map(m => {"
        " const b = m.getBoundingClientRect();"
        " return b.left >= s.left - 1 && b.right <= s.right + 1 && b.top >= s.top - 1"
        " && b.bottom <= s.bottom + 1 && b.width >= 6 }) })()"
    )
    assert seen
    assert all(seen)


def test_dark_is_dark(browser, reports):
    """Paper, ink, and the lines of drawings follow the reader's choice."""
    line = "getComputedStyle(document.querySelector('.plot .line.s0')).stroke"
    paper = "getComputedStyle(document.body).backgroundColor"
    seen = {}
    for scheme in ("light", "dark"):
        browser.open(reports["full"], scheme=scheme)
        seen[scheme] = browser.value(paper), browser.value(line)
    assert seen["light"][0] == "rgb(255, 255, 255)"
    assert max(map(int, re.findall(r"\d+", seen["dark"][0]))) < 40
    assert seen["light"][1] != seen["dark"][1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_letters_in_drawings_can_be_read(browser, reports, scheme):
    """On a telephone they are at least 9 pixels high; numbers have the colour of the text."""
    browser.open(reports["full"], width=400, scheme=scheme)
    sizes = browser.value(
        "[...document.querySelectorAll('.plot text')].map(e => parseFloat(getComputedStyle(e)"
        ".fontSize) * e.ownerSVGElement.getBoundingClientRect().width"
        " / e.ownerSVGElement.viewBox.baseVal.width)"
    )
    assert len(sizes) > 40
    assert min(sizes) >= 9
    colours = browser.value(
        "[...new Set([...document.querySelectorAll('.plot .tick')]"
        ".map(e => getComputedStyle(e).fill))]"
    )
    assert colours == [browser.value("getComputedStyle(document.body).color")]


@pytest.mark.parametrize("name", ["full", "eight", "hostile"])
def test_no_letter_leaves_its_drawing(browser, reports, name):
    """Axes have room for their numbers in the reader's font."""
    browser.open(reports[name])
    outside = browser.value(
        "[...document.querySelectorAll('.plot text')].filter(e => {"
        " const a = e.getBoundingClientRect(), b = e.ownerSVGElement.getBoundingClientRect();"
        " return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1"
        " || a.bottom > b.bottom + 1 }).map(e => e.textContent)"
    )
    assert outside == []


@pytest.mark.parametrize("width", [400, 1280])
def test_a_screen_reader_is_given_all_of_it(browser, reports, width):
    """Landmarks, one title, named tables with their headers, named pictures; also as cards."""
    browser.open(reports["full"], width=width)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    tree = browser.tree()
    roles = [role for role, _ in tree]
    for role in ("banner", "main", "contentinfo", "navigation"):
        assert roles.count(role) == 1
    drawings = [name for role, name in tree if role in ("image", "img")]
    assert len(drawings) == 6
    assert drawings[0].startswith("How many genuine people are turned away")
    tables = [name for role, name in tree if role == "table"]
    assert "The systems" in tables
    assert len(tables) >= 11
    assert ("columnheader", "FRR: turned away") in tree
    assert ("rowheader", "didit") in tree
    assert all(name for role, name in tree if role == "region")


def test_it_is_used_by_keyboard(browser, reports):
    """The first key skips to the results, every wide table can be reached, details open."""
    browser.open(reports["full"], width=400)
    browser.press("Tab")
    assert browser.value("document.activeElement.textContent") == "Skip to the results"
    assert browser.value("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    assert browser.value("document.activeElement.id") == "main"
    browser.value("document.querySelector('summary').focus()")
    browser.press("Enter")
    assert browser.value("document.querySelector('details').open") is True
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    browser.value("document.querySelector('main').focus()")
    reached = []
    for _ in range(60):
        browser.press("Tab")
        here = browser.value("document.activeElement.outerHTML.slice(0, 120)")
        if here in reached:
            break
        reached.append(here)
    assert sum("scroll" in one for one in reached) >= 8
    table = "document.querySelector('details .scroll')"
    browser.value(f"{table}.focus()")
    assert browser.value(f"document.activeElement === {table}") is True


def pages(path):
    """How many pages a PDF has."""
    counts = re.findall(rb"/Type /Pages.*?/Count (\d+)", path.read_bytes(), re.DOTALL)
    return max(map(int, counts))


def test_it_is_printed_whole_on_white(browser, reports, tmp_path):
    """Closed details are printed as well, and nothing is dark."""
    browser.open(reports["full"], width=688, scheme="dark", media="print")
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("document.documentElement.scrollWidth - innerWidth") <= 0
    heights = browser.value(
        "[...document.querySelectorAll('details table')].map(e => e.offsetHeight)"
    )
    assert len(heights) >= 6
    assert min(heights) > 40
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"
    counts = {}
    for name in ("full", "decisions_only", "gallery"):
        browser.open(reports[name], width=1000, media="print")
        browser.print(tmp_path / f"{name}.pdf")
        counts[name] = pages(tmp_path / f"{name}.pdf")
    assert 4 <= counts["full"] <= 9
    assert counts["decisions_only"] <= 3
    assert counts["gallery"] <= 2


def test_a_name_runs_nothing(browser, reports):
    """Names that are scripts are shown, and that is all."""
    browser.open(reports["hostile"])
    assert browser.value("document.images.length") == 0
    assert browser.value("document.scripts.length") == 0
    assert "onerror=" in browser.value("document.querySelector('h1').textContent")


@pytest.mark.parametrize("width", [400, 1280])
def test_every_picture_of_a_gallery_is_drawn(browser, reports, width):
    """Side by side, two of a pair; the warning stands before them."""
    browser.open(reports["gallery"], width=width)
    drawn = browser.value(
        "[...document.images].map(i => (i.loading = 'eager', i.decode()) && 0).length"
    )
    assert drawn == 12
    first = "document.querySelectorAll('.faces img')[{}].getBoundingClientRect()"
    assert browser.value(first.format(0) + ".top") == browser.value(first.format(1) + ".top")
    assert browser.value(first.format(0) + ".width") >= 100
    assert browser.value(
        "document.querySelector('.warning').getBoundingClientRect().bottom"
    ) <= browser.value(first.format(0) + ".top")
    source = browser.value("document.images[0].src").partition("base64,")[2]
    assert base64.b64decode(source).startswith(b"\xff\xd8")


def test_a_notebook_keeps_its_own_looks(browser, tmp_path):
    """Two verdicts on one page change nothing around them, and can be read on any paper."""
    path = tmp_path / "notebook.html"
    both = [fragment(ALL[name]()) for name in ("two", "full")]
    path.write_text(NOTEBOOK.format(*both), encoding="utf-8")
    browser.open(path, width=1000)
    assert browser.messages() == []
    style = "getComputedStyle(document.querySelector('{}')).{}"
    assert browser.value(style.format("#outside", "color")) == "rgb(1, 2, 3)"
    assert browser.value(style.format("#cell", "borderBottomWidth")) == "0px"
    assert browser.value(style.format(".fm", "backgroundColor")) == "rgb(255, 255, 255)"
    assert browser.value("document.querySelectorAll('svg.plot').length") == 2
