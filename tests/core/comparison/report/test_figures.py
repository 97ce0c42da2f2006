"""Every number of the page is one of its document, to the last digit shown."""

import json
import re
from decimal import Decimal

import pytest
from core.comparison.report.reading import at, document, html_of, page
from core.comparison.report.samples import ALL

from facematch_core.comparison._json import from_document, to_document
from facematch_core.comparison.report import report_html
from facematch_core.comparison.report._figures import plain

#: Digits that are ours and say nothing about a study.
CONSTANT = re.compile(
    r"Of (1,000|10,000|100,000|1,000,000|10,000,000) genuine people"
    r"|of (1,000|10,000|100,000|1,000,000|10,000,000) (genuine people|pairs of different people)"
    r"|at most 1 in |(?<=: )1\xa0\xd7 is the geometric mean|A rate of 0 is drawn|ISO/IEC 19795-1"
    r"|95 of 100 took at most|Of 100|how many of 100 took"
)


def decimal(text):
    return Decimal(text.replace(",", "").replace("\N{MINUS SIGN}", "-"))


@pytest.mark.parametrize("name", ALL)
def test_each_number_is_that_of_the_document(name):
    """Its path leads to it, its value is exact, and what is shown is that value, rounded."""
    figures = [*page(name).all("data")]
    assert len(figures) > 20
    for figure in figures:
        told = figure.attributes
        value = at(document(name), told["data-path"])
        assert not isinstance(value, bool)
        assert told["value"] == json.dumps(value)
        shown = decimal(figure.text())
        exact = Decimal(json.dumps(value)) * int(told.get("data-times", 1))
        if "data-inverse" in told:
            exact = 1 / exact
        unit = Decimal(1).scaleb(shown.as_tuple().exponent)
        rounding = told.get("data-round")
        if rounding is None:
            # A hair more, for what lies in the middle of two.
            assert abs(shown - exact) <= unit * Decimal("0.5000001"), (figure.text(), exact)
        elif rounding == "down":
            assert 0 <= exact - shown < 1
        else:
            assert rounding == "up"
            assert 0 <= shown - exact < 1


@pytest.mark.parametrize("name", ALL)
def test_each_text_is_that_of_the_document(name):
    """Names and sentences are repeated word for word, without what would disturb a page."""
    texts = [one for one in page(name).all("bdi") if "data-path" in one.attributes]
    assert texts
    for one in texts:
        assert one.text() == plain(at(document(name), one.attributes["data-path"]))


@pytest.mark.parametrize("name", ALL)
def test_no_number_without_its_path(name):
    """A digit stands in a `data` element, in a name, in a time, in a drawing, or is a constant."""
    aside = ("data", "bdi", "time", "svg", "style", "title")
    loose = []

    def walk(element):
        for part in element.parts:
            if isinstance(part, str):
                loose.append(part)
            elif part.name in aside:
                loose.append("…")
            elif part.attributes.get("class") != "key":
                walk(part)

    walk(page(name))
    text = " ".join("".join(loose).replace("\xa0", "~").split()).replace("~", "\xa0")
    assert not re.search(r"\d", CONSTANT.sub("", text)), CONSTANT.sub("", text)


@pytest.mark.parametrize("name", ALL)
def test_the_page_says_what_the_document_must_tell(name):
    """Every limit, every sentence on a difference, every reason for a missing number."""
    whole = page(name).text()
    told = document(name)
    for sentence in (
        *(limit["text"] for limit in told["limits"]),
        *(pair["sentence"] for pair in told["paired"]),
        *(one["why_not"] for one in told["contenders"] if one["why_not"]),
        *(one["privacy"] for one in told["contenders"]),
        *(cell["too_few"] for c in told["contenders"] for cell in c["groups"] if cell["too_few"]),
    ):
        assert plain(sentence) in whole


@pytest.mark.parametrize("name", ["three", "twenty"])
def test_same_evaluation_same_page(name):
    """Made again, and made of its JSON, it is the same byte for byte."""
    again = from_document(json.loads(json.dumps(to_document(ALL[name]()))))
    assert report_html(again) == html_of(name)


@pytest.mark.parametrize("part", ["at_required", "at_default"])
@pytest.mark.parametrize("rate", ["fmr", "fnmr", "far", "frr"])
def test_every_rate_is_on_the_page(part, rate):
    """With errors, trials, and both ends of its interval."""
    paths = {one.attributes["data-path"] for one in page("three").all("data")}
    for place, one in enumerate(document("three")["contenders"]):
        if one[part] is not None:
            stem = f"contenders.{place}.{part}.{rate}"
            ends = {f"{stem}.interval.low", f"{stem}.interval.high"}
            assert {f"{stem}.value", f"{stem}.errors", f"{stem}.trials", *ends} <= paths
