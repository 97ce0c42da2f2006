import re

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.reading import read_html
from kit.comparison.samples import EVALUATIONS, full, two

from facematch_comparison.model import Rate
from facematch_comparison.report import plots


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def marks(svg):
    return {
        one.attributes["data-point"]: tuple(numbers(one.attributes["transform"]))
        for one in read_html(str(svg)).all("path")
        if "data-point" in one.attributes
    }


def inside(svg):
    (clip,) = next(read_html(str(svg)).all("clippath")).all("rect")
    x, y, width, height = (float(clip.attributes[key]) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


@pytest.mark.parametrize("name", EVALUATIONS)
def test_every_operating_point_is_in_the_picture(name):
    made = EVALUATIONS[name]()
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


RATES = st.builds(
    lambda errors, trials: Rate(errors=min(errors, trials), trials=trials),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
)


@settings(max_examples=15)
@given(st.lists(st.tuples(RATES, RATES), min_size=1, max_size=8))
def test_any_point_stands_where_its_rates_are(rates):
    system = attrs.evolve(two().systems[0], curve=None, at_default=None)
    points = [attrs.evolve(system.at_required, fmr=fmr, frr=frr) for fmr, frr in rates]
    systems = tuple(attrs.evolve(system, at_required=point) for point in points)
    svg = plots.det(attrs.evolve(two(), systems=systems), "det")
    left, top, right, bottom = inside(svg)
    placed = [marks(svg)[f"systems.{i}.at_required"] for i in range(len(points))]
    assert all(left <= x <= right and top <= y <= bottom for x, y in placed)
    for axis, rate, sign in ((0, "fmr", 1), (1, "frr", -1)):
        order = sorted(range(len(points)), key=lambda i: getattr(points[i], rate).value)
        along = [sign * placed[i][axis] for i in order]
        assert along == sorted(along)


def test_names_are_text_and_what_was_not_measured_is_not_drawn():
    made = attrs.evolve(full().systems[0], name="</svg><b>&")
    bare = attrs.evolve(made, **dict.fromkeys(("at_required", "at_default", "curve")))
    drawn, nothing = (
        plots.det(attrs.evolve(full(), systems=(one,)), "det") for one in (made, bare)
    )
    assert "<b>" not in drawn
    assert "</svg><b>&" in read_html(str(drawn)).text()
    assert nothing is None


@pytest.mark.parametrize("frr", [0.005, 0.3, 0.44, 0.6, 0.95])
def test_no_words_touch_a_mark(frr):
    trials = 1000
    frr = Rate(errors=int(frr * trials), trials=trials)
    systems = [
        attrs.evolve(one, at_required=attrs.evolve(one.at_required, frr=frr))
        for one in two().systems
    ]
    svg = plots.det(attrs.evolve(two(), systems=tuple(systems)), "det")
    words = [
        (one.text(), *(float(one.attributes[key]) for key in "xy"))
        for one in read_html(str(svg)).all("text")
        if one.attributes.get("class", "").split()[:1] in (["note"], ["label"])
    ]
    assert "required FMR" in [text for text, *_ in words]
    for x, y in marks(svg).values():
        for text, start, base in words:
            beside = x + 5 < start or start + 6 * len(text) < x - 5
            assert beside or y + 5 < base - 10 or base + 2 < y - 5, text
