"""The site opened from the disk in a real Chromium: its search works and it asks no other host."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    build = (sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder)
    subprocess.run(build, cwd=ROOT, check=True, timeout=300)
    return folder


RESULTS = "[...document.querySelectorAll('.md-search-result__link')].map(a => a.href)"


def type_to_search(browser, words):
    # On a telephone the field appears after a tap.
    browser.value("document.querySelector('[data-md-toggle=search]').click()")
    browser.value("document.querySelector('[data-md-component=search-query]').focus()")
    browser.send("Input.insertText", text=words)
    # The page listens to keys.
    browser.press("End")


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1280, "light")])
@pytest.mark.parametrize("page", ["index.html", "reference/verifier.html"])
def test_search_works_from_disk_and_makes_no_request(browser, site, page, scheme, width):
    browser.open(site / page, width=width, scheme=scheme)
    type_to_search(browser, "RateLimiter")
    results_shown = browser.wait(f"({RESULTS}).length > 0 && {RESULTS}")
    assert all(address.startswith(site.as_uri()) for address in results_shown)
    assert any("reference/policies.html" in address for address in results_shown)
    browser.check_log_requests_and_width(site.as_uri())


#: Words that newcomers search for, by the page that answers.
WORDS = {
    "apps/let-the-vendor-look": ("spoofing", "webcam", "camera", "video"),
    "apps/answer-a-web-form": ("passport",),
    "apps/read-a-result": ("blurry", "batch", "parallel", "group photo"),
    "apps/handle-errors": ("timeout", "ssl"),
    "apps/limit-spending": ("budget",),
    "apps/tutorial": ("windows",),
    "apps/migrate": ("opencv",),
    "choose/scores": ("twins",),
    "apps/privacy": ("gdpr",),
    "apps/pictures": ("iphone photo", "rotate"),
    "test/open-a-door": ("golang",),
    "test/use-the-mock": ("docker",),
    "vendors/index": ("price", "pricing", "jumio"),
    "vendors/veriff": ("veriff mock",),
    "vendors/onfido": ("onfido mock",),
    "reference/verifier": ("open_verifier", "open_sessions", "MatchResult", "BudgetExceeded"),
    "CONTRIBUTING": ("contributing",),
}


@pytest.mark.parametrize(
    ("page", "words"), [(page, word) for page, some in WORDS.items() for word in some]
)
def test_common_search_words_find_the_right_page_first(browser, site, page, words):
    browser.open(site / "index.html")
    type_to_search(browser, words)
    browser.wait(f"(({RESULTS})[0] || '').includes('/{page}.html')")


def test_search_answers_with_the_word_that_was_typed_last(browser, site):
    browser.open(site / "index.html")
    type_to_search(browser, "price")
    browser.wait(f"(({RESULTS})[0] || '').includes('/vendors/index.html')")
    browser.value("document.querySelector('[data-md-component=search-query]').select()")
    browser.send("Input.insertText", text="windows")
    browser.press("End")
    browser.wait(f"(({RESULTS})[0] || '').includes('/apps/tutorial.html')")


@pytest.mark.parametrize(("width", "height"), [(1300, 800), (400, 844)])
def test_each_door_of_the_first_page_fits_one_screen(browser, site, width, height):
    browser.open(site / "index.html", width=width, height=height)
    browser.wait("[...document.images].every(picture => picture.naturalWidth > 0)")
    doors = browser.value(
        "[...document.querySelectorAll('.door')].map(door => door.getBoundingClientRect().height)"
    )
    assert len(doors) == 3
    assert max(doors) <= height
    browser.check_log_requests_and_width(site.as_uri())


LINES = """[...document.querySelectorAll('.md-search-result__article')].map(article =>
    [...article.children].filter(part => part.matches('p, pre, ul, ol, table, div:not([class])'))
        .map(part => part.getBoundingClientRect().height).filter(height => height > 0))"""


def test_a_search_result_is_a_heading_and_at_most_one_line(browser, site):
    browser.open(site / "index.html", width=1300)
    type_to_search(browser, "price")
    browser.wait(f"({RESULTS})[0]")
    lines = browser.value(LINES)
    assert any(lines)
    assert all(len(heights) <= 1 and sum(heights) < 35 for heights in lines)


def test_tables_of_the_vendors_fit_into_1300_pixels(browser, site):
    browser.open(site / "vendors/index.html", width=1300)
    tables = "[...document.querySelectorAll('.md-typeset__scrollwrap')]"
    hidden = browser.value(f"{tables}.map(table => table.scrollWidth - table.clientWidth)")
    assert hidden
    assert max(hidden) <= 0


BROKEN = """[...document.querySelectorAll('td code, th code')].flatMap(code =>
    [...code.childNodes].filter(node => node.data).flatMap(node =>
        [...node.data.matchAll(/[A-Za-z]+/g)].filter(word => {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            return range.getClientRects().length > 1;
        }).map(word => word[0])))"""


NARROW = (
    "index",
    "reference/verifier",
    "reference/testing",
    "reference/mock",
    "reference/backends",
    "vendors/didit",
)


@pytest.mark.parametrize("page", NARROW)
def test_on_a_phone_pages_do_not_scroll_sideways_or_break_names_in_tables(browser, site, page):
    browser.open(site / f"{page}.html", width=400)
    assert browser.value("document.documentElement.scrollWidth") <= 400
    assert browser.value(BROKEN) == []


OPEN = "[...document.querySelectorAll('details.api[open] h3')].map(heading => heading.id)"


def test_a_documented_object_is_one_line_until_a_link_opens_it(browser, site):
    browser.open(site / "reference/backends.html", width=1300)
    assert browser.value("document.querySelectorAll('details.api').length") > 20
    assert browser.value(OPEN) == []
    browser.value("location.hash = 'facematch_didit.DiditBackend'")
    browser.wait(f"({OPEN}).join() === 'facematch_didit.DiditBackend'")
    browser.check_log_requests_and_width(site.as_uri())
