"""The report of a comparison in a real browser, seen, heard, printed, and used by keyboard.

``UPDATE_DOCS=1`` writes the pictures of the two tutorials.
"""

import csv
import datetime as dt
import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from kit.comparison.logs import simulate_month, table_of
from kit.comparison.samples import EVALUATIONS
from kit.comparison.tables import system_answers

from facematch_comparison import evaluate, write_report
from facematch_comparison.production.calls import Selection
from facematch_comparison.production.labels.review import draw_calls, read_labels, review_as_csv
from facematch_comparison.production.labels.reviewers import agree
from facematch_comparison.production.page import shadow_html
from facematch_comparison.production.sentences import with_sentences
from facematch_comparison.production.shadow import Costs, compare_sides, find_sides
from facematch_core import Operation

PICTURE = Path(__file__).parents[2] / "docs" / "pictures" / "comparison.webp"
#: Two vendors that are simulated, so no true one is praised or blamed.
SCORES = Path(__file__).parents[2] / "docs" / "choose" / "scores.csv"


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports")
    for name, evaluation in EVALUATIONS.items():
        write_report(evaluation(), folder / f"{name}.html")
    write_report(rare(), folder / "rare.html")
    return {path.stem: path for path in folder.iterdir()}


def rare():
    """A report with long labels of rates: one false match in 100,000, and hardly a rejection."""
    systems = [
        system_answers([90] * 59_999 + [10], [10] * 150_000 + [80 - n, 99], f"vendor {n}")
        for n in range(2)
    ]
    return evaluate(systems, required_fmr=1e-5)


#: The tables of the full report, by the begin of their captions.
OPEN = [
    "Each system at its threshold",
    "Errors of a year",
]
FOLDED_IF_NARROW = [
    "Rates of each group",
    "Cross-group FMR by sex: non-mated pairs by the groups of probe and reference",
    "Cross-group FMR by age: non-mated pairs by the groups of probe and reference",
    "FNMR at the threshold for each false match rate",
    "Duration and cost of the calls of the run",
]
FOLDED = [
    "FRR of the first minus FRR of the second",
    "People and pairs; for a group",
    "The systems",
]
TABLES = [*OPEN, *FOLDED_IF_NARROW, *FOLDED]

#: What sticks out of the window and is in no place that scrolls by itself.
STICKING_OUT = """
[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .skip, svg')
    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => e.tagName + ' ' + e.textContent.trim().slice(0, 40))
"""


@pytest.mark.parametrize("window", [(400, "dark"), (1280, "light")])
@pytest.mark.parametrize("name", [*EVALUATIONS])
def test_the_page_opens_without_console_messages_or_requests_and_fits(
    browser, reports, tmp_path, name, window
):
    width, scheme = window
    browser.open(reports[name], width=width, height=800, scheme=scheme)
    # To be looked at, where the tests keep their files.
    browser.screenshot(tmp_path / f"{name}-{width}-{scheme}.png")
    browser.check_log_requests_and_width(reports[name].as_uri())
    assert browser.value(STICKING_OUT) == []


@pytest.mark.parametrize("window", [(400, "dark"), (1280, "light")])
def test_the_report_has_no_accessibility_violations(browser, reports, check_page, window):
    width, scheme = window
    browser.open(reports["full"], width=width, scheme=scheme)
    check_page(browser, reports["full"].as_uri())
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    check_page(browser, reports["full"].as_uri())


@pytest.mark.parametrize("name", ["full", "two", "eight"])
def test_the_first_screen_shows_the_verdict(browser, reports, name):
    """On a laptop: the sentence and the whole table; of a few systems, where the picture begins."""
    browser.open(reports[name], width=1280, height=800)
    place = "document.querySelector('{}').getBoundingClientRect().{}"
    assert browser.value(place.format(".verdict", "bottom")) <= 200
    assert browser.value(place.format("table", "bottom")) <= 800
    assert browser.value(place.format("svg.plot", "top")) <= (700 if name != "eight" else 900)


@pytest.mark.parametrize("name", ["two", "eight", "decisions_only"])
@pytest.mark.parametrize("width", [400, 1280])
def test_every_operating_point_is_visible(browser, reports, name, width):
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


@pytest.mark.parametrize("width", [400, 1280])
def test_screen_readers_find_landmarks_tables_and_named_pictures(browser, reports, width):
    browser.open(reports["full"], width=width)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true })")
    tree = browser.tree()
    roles = [role for role, _ in tree]
    for role in ("banner", "main", "contentinfo", "navigation"):
        assert roles.count(role) == 1
    drawings = [name for role, name in tree if role in ("image", "img")]
    # One of all systems, and two of each of the two systems that give scores.
    assert len(drawings) == 1 + 2 * 2
    assert drawings[0].startswith("How many genuine people are rejected")
    tables = [name for role, name in tree if role == "table"]
    assert [name.partition(",")[0] for name in tables] == TABLES
    assert ("columnheader", "FRR: rejected") in tree
    assert ("rowheader", "didit") in tree
    assert all(name for role, name in tree if role == "region")


def test_every_table_and_detail_is_reachable_by_keyboard(browser, reports):
    browser.open(reports["full"], width=400)
    browser.press("Tab")
    assert browser.value("document.activeElement.textContent") == "Skip to the results"
    assert browser.value("document.activeElement.getBoundingClientRect().left") >= 0
    browser.press("Enter")
    assert browser.value("document.activeElement.id") == "main"
    details = "document.querySelector('#groups details')"
    browser.value(f"{details}.querySelector('summary').focus()")
    browser.press("Enter")
    assert browser.value(f"{details}.open") is True
    table = f"{details}.querySelector('.scroll')"
    browser.value(f"{table}.focus()")
    assert browser.value(f"document.activeElement === {table}") is True


def test_the_page_prints_completely_on_a_white_background(browser, reports):
    browser.open(reports["full"], width=688, scheme="dark", media="print")
    assert browser.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.value("document.documentElement.scrollWidth - innerWidth") <= 0
    tables = "[...document.querySelectorAll('details table')]"
    heights = browser.value(f"{tables}.map(e => e.offsetHeight)")
    assert len(heights) == len(FOLDED_IF_NARROW) + len(FOLDED)
    assert min(heights) > 40
    assert browser.value("getComputedStyle(document.querySelector('nav')).display") == "none"


SHOWN = """
[...document.querySelectorAll('table')].filter(e => e.checkVisibility({contentVisibilityAuto: true})
    && e.getBoundingClientRect().height).map(e => e.caption.textContent.split(',')[0])
"""


def test_narrow_windows_fold_what_wide_ones_show(browser, reports):
    browser.open(reports["full"], width=1280)
    assert browser.value(SHOWN) == [*OPEN, *FOLDED_IF_NARROW]
    browser.open(reports["full"], width=400)
    assert browser.value(SHOWN) == OPEN


def test_three_systems_are_few_screens_of_a_phone(browser, reports):
    browser.open(reports["full"], width=400, height=800)
    assert browser.value("document.documentElement.scrollHeight") <= 6000


#: Texts of a figure that overlap.
OVERLAPS = """
[...document.querySelectorAll('svg.plot')].flatMap(svg => {
  const texts = [...svg.querySelectorAll('text')]
    .map(text => [text.textContent, text.getBoundingClientRect()]);
  return texts.flatMap(([one, a], number) => texts.slice(number + 1)
    .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
    .map(([other]) => one + ' | ' + other)) })
"""


@pytest.mark.parametrize("name", ["full", "two", "eight", "rare"])
def test_no_text_of_a_figure_overlaps_another(browser, reports, name):
    browser.open(reports[name], width=1280)
    assert browser.value("document.querySelectorAll('svg.plot text').length") > 20
    assert browser.value(OVERLAPS) == []


def test_scripts_in_names_do_not_run(browser, reports):
    browser.open(reports["hostile"])
    assert browser.value("document.images.length") == 0
    assert browser.value("document.scripts.length") == 0
    assert "onerror=" in browser.value("document.querySelector('h1').textContent")


def test_picture_of_the_readme(browser, tmp_path):
    command = (Path(sys.executable).with_name("facematch"), "compare", "report")
    words = ("--scores", SCORES, "--fmr", "0.01", "--out", "report.html")
    subprocess.run([*command, *words], cwd=tmp_path, check=True, capture_output=True, timeout=300)
    browser.open(tmp_path / "report.html", width=1000, height=1200)
    end = browser.value("document.querySelector('nav').getBoundingClientRect().top")
    assert 500 <= end <= 1200, "headline, table and curve, and nothing below them"
    browser.screenshot(tmp_path / "whole.png", full=False)
    shown = PIL.Image.open(tmp_path / "whole.png").convert("RGB").crop((0, 0, 1000, round(end)))
    # It shows when it was made, so it is another picture each time.
    target = PICTURE if os.environ.get("UPDATE_DOCS") else tmp_path / PICTURE.name
    shown.save(target, lossless=True, method=6)
    assert target.stat().st_size <= 150_000
    with PIL.Image.open(PICTURE) as there:
        assert (there.format, there.width) == ("WEBP", 1000)


SHADOW_PICTURE = PICTURE.with_name("shadow.webp")


def test_picture_of_a_candidate_in_the_shadow(browser, tmp_path):
    """A simulated month, of which a person has labelled the disagreements."""
    month = simulate_month(np.random.default_rng(4), calls=5000, people=3500, frr=(0.045, 0.03))
    rows = month.rows(systems=("today", "candidate"))
    sides = find_sides(table_of(rows), Selection())
    question, chosen = sides.choose_calls(None)
    drawn = draw_calls(sides.compared, chosen, agreements=0)
    text = review_as_csv(drawn, question, None)
    lines = list(enumerate(csv.DictReader(io.StringIO(text)), 2))
    for _, line in lines:
        line["same_person"] = "yes" if month.truth[line["call"]] else "no"
    found = compare_sides(
        sides,
        Selection(),
        log="calls.sqlite3",
        made_at=dt.datetime(2026, 11, 28, tzinfo=dt.UTC),
        labels=agree([read_labels(lines, "review.csv", Operation.MATCH)]),
        costs=Costs(false_match=20, false_reject=5, currency="USD"),
    )
    page = tmp_path / "shadow.html"
    page.write_text(shadow_html(with_sentences(found)))
    for width, scheme in ((400, "dark"), (1280, "light")):
        browser.open(page, width=width, height=800, scheme=scheme)
        browser.check_log_requests_and_width(page.as_uri())
        assert browser.value(STICKING_OUT) == []
    browser.open(page, width=1000, height=1200)
    end = browser.value("document.querySelector('#cannot').getBoundingClientRect().top")
    assert 400 <= end <= 1200, "verdict, tables and picture"
    browser.screenshot(tmp_path / "whole.png", full=False)
    shown = PIL.Image.open(tmp_path / "whole.png").convert("RGB").crop((0, 0, 1000, round(end)))
    target = SHADOW_PICTURE if os.environ.get("UPDATE_DOCS") else tmp_path / SHADOW_PICTURE.name
    shown.save(target, lossless=True, method=6)
    assert target.stat().st_size <= 150_000
    with PIL.Image.open(SHADOW_PICTURE) as there:
        assert (there.format, there.width) == ("WEBP", 1000)
