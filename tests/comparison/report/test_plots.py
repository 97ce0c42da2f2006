"""The figures: every operating point inside, readable without colour, in the page's colours."""

import re

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.reading import page, read
from kit.comparison.samples import (
    ALL,
    Made,
    cost_of,
    evaluation,
    full,
    point,
    system,
)

from facematch_comparison.model import Costs
from facematch_comparison.report import plots


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def marks(svg):
    """Path of each operating point to where its mark stands."""
    return {
        one.attributes["data-point"]: tuple(numbers(one.attributes["transform"]))
        for one in read(str(svg)).all("path")
        if "data-point" in one.attributes
    }


def inside(svg):
    """The part of a figure between its axes: left, top, right, bottom."""
    (clip,) = next(read(str(svg)).all("clippath")).all("rect")
    x, y, width, height = (float(clip.attributes[key]) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


@pytest.mark.parametrize("name", ALL)
def test_every_operating_point_is_in_the_picture(name):
    """Filled where a system is judged, hollow at its other threshold; none without rates."""
    made = ALL[name]()
    svg = plots.det(made, "det")
    wanted = {
        f"systems.{place}.{kind}"
        for place, one in enumerate(made.systems)
        for kind in ("at_required", "at_default")
        if (at := getattr(one, kind)) and None not in (at.fmr.value, at.frr.value)
    }
    if not wanted:
        assert svg is None
        return
    found = marks(svg)
    assert set(found) == wanted
    left, top, right, bottom = inside(svg)
    assert all(left <= x <= right and top <= y <= bottom for x, y in found.values())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.integers(0, 10**6)] * 2, *[st.integers(1, 10**6)] * 2),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([1e-6, 1e-3, 0.1, 0.6]),
)
def test_any_point_stands_where_its_rates_are(found, required):
    """In the order of the rates, whatever they are: none is cut off, none is moved past another."""
    points = [point(min(f, n), n, min(r, m), m) for f, r, n, m in found]
    made = evaluation(
        *(system(f"s{i}", at_required=at) for i, at in enumerate(points)), required_fmr=required
    )
    svg = plots.det(made, "det")
    left, top, right, bottom = inside(svg)
    placed = [marks(svg)[f"systems.{i}.at_required"] for i in range(len(points))]
    assert all(left <= x <= right and top <= y <= bottom for x, y in placed)
    for axis, rate, sign in ((0, "fmr", 1), (1, "frr", -1)):
        order = sorted(range(len(points)), key=lambda i: getattr(points[i], rate).value)
        along = [sign * placed[i][axis] for i in order]
        assert along == sorted(along)


def test_a_mark_lies_on_its_curve():
    """The line of a system goes through the point where it is judged."""
    svg = plots.det(full(), "det")
    x, y = marks(svg)["systems.0.at_required"]
    lines = [one for one in read(str(svg)).all("polyline") if "s0" in one.attributes["class"]]
    (line,) = lines
    corners = [tuple(map(float, pair.split(","))) for pair in line.attributes["points"].split()]
    assert (x, y) in corners


def test_nothing_is_drawn_at_a_rate_that_is_not_there():
    """A rate of 0 stands on an edge that is called 0."""
    made = evaluation(system("perfect", at_required=point(0, 600, 0, 300)))
    svg = plots.det(made, "det")
    ((x, y),) = marks(svg).values()
    labels = [
        (one.text(), float(one.attributes["x"]), float(one.attributes["y"]))
        for one in read(str(svg)).all("text")
        if "x" in one.attributes
    ]
    assert ("0", x) in [label[:2] for label in labels]
    assert [at for text, _, at in labels if text == "0" and abs(at - y) < 6]


def test_the_threshold_is_in_the_figures_of_a_system():
    """Also one that lies beyond every vertex of the curve."""
    beyond = attrs.evolve(
        full().systems[0], at_required=Made(70).point(99.0), at_default=Made(70).point(1.0)
    )
    for svg in (plots.rates(beyond, "rates"), plots.histogram(beyond, "scores")):
        left, _, right, _ = inside(svg)
        upright = [
            numbers(one.attributes["d"])[0]
            for one in read(str(svg)).all("path")
            if one.attributes.get("class") in ("limit", "judged")
        ]
        assert len(upright) == 2
        assert all(left <= x <= right for x in upright)


@pytest.mark.parametrize("place", range(12))
def test_systems_differ_by_more_than_colour(place):
    """No two neighbours share dashes, marks or colours, and no two of many look alike."""
    mine, after = plots.style_of(place), plots.style_of(place + 1)
    assert mine.dashes != after.dashes
    assert mine.mark != after.mark
    assert mine.colour != after.colour
    assert mine not in [plots.style_of(other) for other in range(84) if other != place]


def test_bands_of_many_do_not_hide_each_other():
    """They are drawn for few systems only, and the words under the picture say so."""
    few, many = (str(plots.det(ALL[name](), "det")) for name in ("two", "eight"))
    assert few.count('class="band') == 2
    assert many.count('class="band') == 0
    assert "Line and band" in page("two").text()
    assert "Line and band" not in page("eight").text()


def test_colours_are_those_of_the_page():
    """No colour is written into a drawing: its classes are all in the style sheet."""
    (style,) = page("full").all("style")
    for drawing in page("full").all("svg"):
        for element in drawing.all():
            assert "style" not in element.attributes
            for key in ("fill", "stroke"):
                assert element.attributes.get(key, "none") in ("none", "currentColor")
            for word in element.attributes.get("class", "").split():
                assert re.search(rf"\.{word}\b", style.text()), word


def test_names_are_text():
    """A name in a drawing ends no element."""
    made = attrs.evolve(full().systems[0], name="</svg><b>&")
    for svg in (
        plots.det(evaluation(made), "det"),
        plots.histogram(made, "a"),
        plots.rates(made, "b"),
    ):
        assert "<b>" not in svg
        assert "</svg><b>&" in read(str(svg)).text()


def test_what_was_not_measured_is_not_drawn():
    """No empty axes."""
    bare = system("bare")
    assert plots.histogram(bare, "x") is None
    assert plots.rates(bare, "x") is None
    assert plots.det(evaluation(bare), "x") is None
    assert plots.costs(evaluation(bare), "x") is None


@pytest.mark.parametrize("impostors", [0.0, 1e-6, 0.01, 0.9])
def test_the_given_share_of_impostors_is_in_the_figure(impostors):
    """Also where it lies outside the curve."""
    costs = Costs(impostors=impostors, false_match=50.0, false_reject=6.0)
    svg = plots.costs(evaluation(system("a", cost=cost_of(0.2)), costs=costs), "costs")
    left, _, right, _ = inside(svg)
    (line,) = (o for o in read(str(svg)).all("path") if o.attributes.get("class") == "limit")
    assert left <= numbers(line.attributes["d"])[0] <= right
