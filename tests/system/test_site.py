"""The site opened from the disk in a real Chromium: its search works and it asks no other host."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        check=True,
        timeout=300,
    )
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
@pytest.mark.parametrize("page", ["index.html", "reference/results.html"])
def test_search_works_from_the_disk_and_asks_no_other_host(browser, site, page, scheme, width):
    browser.open(site / page, width=width, scheme=scheme)
    type_to_search(browser, "RateLimiter")
    results_shown = browser.wait(f"({RESULTS}).length > 0 && {RESULTS}")
    assert all(address.startswith(site.as_uri()) for address in results_shown)
    assert any("reference/policies.html" in address for address in results_shown)
    browser.check(site.as_uri())


@pytest.mark.parametrize(
    ("words", "page"),
    [
        ("spoofing", "apps/let-the-vendor-look"),
        ("webcam", "apps/let-the-vendor-look"),
        ("passport", "apps/answer-a-web-form"),
        ("blurry", "apps/read-a-result"),
        ("batch", "apps/read-a-result"),
        ("parallel", "apps/read-a-result"),
        ("twins", "explanation/scores"),
        ("gdpr", "explanation/privacy"),
        ("timeout", "apps/handle-errors"),
        ("price", "apps/limit-spending"),
        ("docker", "extend/use-the-mock"),
        ("iphone photo", "explanation/pictures"),
        ("rotate", "explanation/pictures"),
        ("group photo", "apps/read-a-result"),
        ("camera", "apps/let-the-vendor-look"),
        ("windows", "apps/tutorial"),
        ("opencv", "apps/migrate"),
        ("open_verifier", "reference/verifier"),
        ("open_sessions", "reference/verifier"),
        ("MatchResult", "reference/results"),
        ("BudgetExceeded", "reference/results"),
        ("pricing", "apps/limit-spending"),
        ("ssl", "apps/troubleshooting"),
        ("video", "apps/let-the-vendor-look"),
        ("contributing", "CONTRIBUTING"),
    ],
)
def test_words_of_newcomers_lead_first_to_the_page_that_answers(browser, site, words, page):
    browser.open(site / "index.html")
    type_to_search(browser, words)
    browser.wait(f"(({RESULTS})[0] || '').includes('/{page}.html')")


BROKEN = """[...document.querySelectorAll('td code, th code')].flatMap(code =>
    [...code.childNodes].filter(node => node.data).flatMap(node =>
        [...node.data.matchAll(/[A-Za-z]+/g)].filter(word => {
            const range = document.createRange();
            range.setStart(node, word.index);
            range.setEnd(node, word.index + word[0].length);
            return range.getClientRects().length > 1;
        }).map(word => word[0])))"""


@pytest.mark.parametrize("page", ["index", "reference/results", "reference/rules", "vendors/didit"])
def test_on_a_telephone_nobody_scrolls_sideways_and_no_name_in_a_table_is_broken(
    browser, site, page
):
    browser.open(site / f"{page}.html", width=400)
    assert browser.value("document.documentElement.scrollWidth") <= 400
    assert browser.value(BROKEN) == []
