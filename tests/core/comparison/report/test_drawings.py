"""The figures as parts of a page."""

import re

import matplotlib as mpl
import numpy as np
import pytest
from core.comparison.report.reading import page, read
from core.comparison.report.samples import three

from facematch_core.comparison.report import _plots, _styles, report_html
from facematch_core.comparison.report._deviates import TICKS, Deviates
from facematch_core.comparison.report._svg import page_part


def test_colours_are_those_of_the_page():
    """No colour, no font family and no style of the drawing program is left."""
    (style,) = page("three").all("style")
    for drawing in page("three").all("svg"):
        for element in drawing.all():
            told = element.attributes
            assert "style" not in told
            for key in ("fill", "stroke"):
                assert told.get(key, "none") == "none"
            for word in told.get("class", "").split():
                assert f".{word} {{" in style.text()


def test_every_name_refers_to_something_in_the_same_drawing():
    """Two drawings of the same marks do not share their names."""
    for drawing in page("three").all("svg"):
        ids = {one.attributes.get("id") for one in drawing.all()}
        used = {one.attributes["href"][1:] for one in drawing.all("use")}
        assert used <= ids


@pytest.mark.parametrize("place", range(12))
def test_contenders_differ_by_more_than_colour(place):
    """No two of twelve look alike, and no two neighbours share dashes or markers."""
    mine, next_one = _styles.style_of(place), _styles.style_of(place + 1)
    assert mine.dashes != next_one.dashes
    assert mine.marker != next_one.marker
    assert mine.colour != next_one.colour
    others = [_styles.style_of(other) for other in range(12) if other != place]
    assert mine not in others


def test_settings_of_the_user_change_nothing(monkeypatch):
    """Neither a style sheet of theirs, nor what they plot in the same process."""
    before = report_html(three())
    monkeypatch.setitem(mpl.rcParams, "axes.facecolor", "red")
    monkeypatch.setitem(mpl.rcParams, "font.size", 40)
    monkeypatch.setitem(mpl.rcParams, "svg.fonttype", "path")
    assert report_html(three()) == before
    assert mpl.rcParams["font.size"] == 40


def test_an_unknown_colour_is_a_fault():
    """It would stay the same in the dark."""
    with pytest.raises(KeyError, match="123456"):
        page_part('<svg viewBox="0 0 1 1"><path style="fill: #123456"/></svg>', "x", "t", "d")


def test_titles_are_text():
    """Names in them are written as text."""
    part = page_part('<svg viewBox="0 0 1 1"/>', "x", "<b>&", "</svg>")
    assert "<b>" not in part
    assert [one.text() for one in read(part).all("title", "desc")] == ["<b>&", "</svg>"]


def test_an_axis_of_deviates_holds_all_points():
    """From the tick below the lowest rate above 0, to one half or beyond the highest point."""
    axis = Deviates([0.002, 0.7], [0.0, 0.00004])
    assert axis.low == 1e-5
    assert axis.high == 0.8
    assert np.isfinite(axis.at([0, 1])).all()
    assert axis.at(0.5) == pytest.approx(0)
    assert Deviates([0.001], []).low == 1e-4
    assert Deviates([], []).low in TICKS


def test_numbers_on_axes_are_whole_ticks():
    """Whatever the rates are, axes have round numbers."""
    svg = _plots.det(three())
    assert re.search(r">0\.1</text>", svg)
    assert re.search(r">50</text>", svg)
