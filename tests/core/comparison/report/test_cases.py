"""Studies that show little, and pages that say so."""

import pytest
from core.comparison.report.reading import document, page
from core.comparison.report.samples import ALL

from facematch_core.comparison.report._figures import plain


def section(name, of):
    (found,) = (one for one in page(of).all("section") if one.attributes["id"] == name)
    return " ".join(found.text().split())


def drawings(of):
    return [
        one.attributes["aria-labelledby"].split("-title")[0]
        for one in page(of).all("svg")
        if one.attributes.get("role") == "img"
    ]


def test_twenty_pairs_say_plainly_what_they_cannot_show():
    """Before the first number: so many more are needed."""
    told = section("refused", "twenty")
    warning, _, table = told.partition("At the threshold for an FMR")
    assert "Before you read on: this study cannot show" in warning
    assert "at least 2,995 non-mated comparisons" in warning
    assert "at least 299 mated comparisons" in warning
    assert "3 people were judged" in warning
    assert "0 to 1,000 are refused" in table
    assert "not shown to keep to the required FMR" in table
    assert "No contender is shown to refuse fewer" in section("difference", "twenty")


def test_a_mock_is_no_vendor():
    """A banner says so above everything, and only where it is so."""
    banners = [
        one.text() for one in page("three").all("p") if one.attributes.get("class") == "banner"
    ]
    (banner,) = banners
    assert "decides answered from a mock server" in banner
    front = page("three").text()
    assert front.index("Not the vendor.") < front.index("How many genuine people")
    assert not any(one.attributes.get("class") == "banner" for one in page("two").all("p"))


def test_decisions_only_is_one_point():
    """No curve, no spread, no threshold that was not asked for."""
    assert drawings("decisions_only") == ["det"]
    assert drawings("three") == ["det", "histogram-0", "rates-0", "histogram-1", "rates-1"]
    assert "It tells decisions only" in section("refused", "decisions_only")
    assert "decisions only: one point, no curve" in section("curves", "decisions_only")
    assert "its own, not told" in section("run", "decisions_only")
    assert "nobody to compare it with" in section("difference", "decisions_only")


def test_an_outage_is_no_rate():
    """Who never answered has no error rate, and the page has nothing to draw."""
    assert drawings("unanswered") == []
    assert "There is nothing to draw" in section("curves", "unanswered")
    assert "No decision was told." in section("run", "unanswered")
    assert "100 %" in section("failures", "unanswered").replace("\xa0", " ")
    assert "not measured" in section("speed", "unanswered")
    (contender,) = document("unanswered")["contenders"]
    assert contender["at_default"] is contender["at_required"] is None


def test_who_finds_no_face_refuses_everybody():
    """Failures to acquire count where somebody was refused for them."""
    blind = document("never_acquired")["contenders"][0]
    assert blind["at_default"]["frr"]["value"] == 1
    assert blind["at_default"]["fmr"]["value"] is None
    told = section("run", "never_acquired").replace("\xa0", " ")
    assert "no such pair" in told
    assert "100 %" in told


def test_a_study_that_was_not_divided_says_so():
    """Its thresholds flatter."""
    assert "the same pairs that they are judged on, which flatters" in section("who", "undivided")
    assert "which flatters them" in section("refused", "undivided")


def test_small_groups_are_not_judged():
    """A cell with too few people has a sentence and no ratio."""
    told = section("groups", "three")
    assert "Too few people in this cell" in told
    assert "sex: not told" in told
    assert "Nothing can be said of groups" in section("groups", "twenty")


def test_prices_are_told_where_they_are_known():
    """And what a genuine person who was let in cost."""
    told = section("speed", "three").replace("\xa0", " ")
    assert "0.05 USD" in told
    assert "0.02 EUR" in told
    assert "no price was given" in told


@pytest.mark.parametrize("name", ALL)
def test_the_limits_stand_on_the_first_page(name):
    """All of them, in the order of the document."""
    (found,) = (one for one in page(name).all("section") if one.attributes["id"] == "cannot")
    told = [one.text() for one in found.all("li")]
    assert told == [plain(limit["text"]) for limit in document(name)["limits"]]
