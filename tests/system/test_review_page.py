"""The page to label calls in a real Chromium: by keys alone, quiet, and blind."""

import csv

import PIL.Image
import pytest

from facematch_comparison.production.labels.desk import Desk

CALLS = ["call-a", "call-b", "call-c"]
STICKING_OUT = (
    "[...document.querySelectorAll('body *')].filter(each => each.checkVisibility() && "
    "each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML.slice(0, 60))"
)


@pytest.fixture
def review(tmp_path):
    path = tmp_path / "review.csv"
    lines = ["number,same_person,remark,call,at,person,written_for"]
    for number, call in enumerate(CALLS, start=1):
        lines.append(f"{number},,,{call},2026-11-01T00:00:00+00:00,p{number},match by a and b")
        for place, colour in enumerate([(170, 90, 70), (90, 120, 160)]):
            folder = tmp_path / "pictures" / call
            folder.mkdir(parents=True, exist_ok=True)
            PIL.Image.new("RGB", (300, 400), colour).save(folder / f"{place}.jpg")
    path.write_text("\n".join(lines))
    return path


def labels(review):
    with review.open(newline="") as file:
        return [row["same_person"] for row in csv.DictReader(file)]


def shown(browser, call):
    browser.wait(f"document.querySelector('#call-id').innerText === '{call}'")
    browser.wait(
        "[...document.querySelectorAll('#pictures img')].filter(each => each.naturalWidth > 0)"
        ".length === 2"
    )


def test_every_call_is_labelled_by_keys(browser, review, tmp_path):
    with Desk(review, tmp_path / "pictures") as desk:
        browser.open(desk.url, width=1000, height=900)
        shown(browser, "call-a")
        browser.press("y")
        shown(browser, "call-b")
        assert labels(review) == ["yes", "", ""]
        browser.press("n")
        shown(browser, "call-c")
        browser.press("ArrowLeft")
        shown(browser, "call-b")
        pressed = "document.querySelector('[aria-pressed=true]').dataset.label"
        assert browser.value(pressed) == "no"
        browser.press("?")
        shown(browser, "call-c")
        browser.press("y")
        browser.wait("document.querySelector('#done').checkVisibility()")
        assert labels(review) == ["yes", "?", "yes"]
        browser.check_log_requests_and_width(desk.url.partition("/")[0] + "//127.0.0.1")


@pytest.mark.parametrize(("width", "scheme"), [(400, "dark"), (1200, "light")])
def test_the_page_fits_and_goes_on_where_it_ended(browser, review, tmp_path, width, scheme):
    with Desk(review, tmp_path / "pictures") as desk:
        desk.answer(0, "yes", "")
        browser.open(desk.url, width=width, height=800, scheme=scheme)
        shown(browser, "call-b")
        assert browser.value(STICKING_OUT) == []
        browser.screenshot(tmp_path / "page.png", full=False)
        browser.check_log_requests_and_width(desk.url)


def test_a_remark_is_typed_and_letters_in_it_are_no_answers(browser, review, tmp_path):
    with Desk(review, tmp_path / "pictures") as desk:
        browser.open(desk.url)
        shown(browser, "call-a")
        browser.press("r")
        browser.wait("document.activeElement.id === 'remark'")
        browser.press("y")
        browser.press("n")
        browser.value("document.querySelector('#remark').value = 'glasses'")
        browser.press("Enter")
        browser.press("n")
        shown(browser, "call-b")
        assert labels(review) == ["no", "", ""]
        assert "glasses" in review.read_text()


def test_an_answer_that_was_not_written_is_not_shown_as_one(browser, review, tmp_path):
    with Desk(review, tmp_path / "pictures") as desk:
        browser.open(desk.url)
        shown(browser, "call-a")
        review.write_text(review.read_text().replace("p1", "p9"))
        browser.press("y")
        browser.wait("document.querySelector('#trouble').checkVisibility()")
        assert browser.value("document.querySelector('#call-id').innerText") == "call-a"
        assert "changed by another program" in browser.value(
            "document.querySelector('#trouble').innerText"
        )
