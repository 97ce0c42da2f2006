import re

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.reading import read_html
from kit.comparison.samples import EVALUATIONS, two
from kit.comparison.tables import as_decisions, system_answers

from facematch_comparison.judging.evaluation import evaluate
from facematch_comparison.report import plots
from facematch_comparison.values.model import Rate


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def marks(svg):
    return {
        path.attributes["data-point"]: tuple(numbers(path.attributes["transform"]))
        for path in read_html(str(svg)).all("path")
        if "data-point" in path.attributes
    }


def inside(svg):
    (clip,) = next(read_html(str(svg)).all("clippath")).all("rect")
    x, y, width, height = (float(clip.attributes[key]) for key in ("x", "y", "width", "height"))
    return x, y, x + width, y + height


@pytest.mark.parametrize("name", EVALUATIONS)
def test_every_operating_point_is_inside_the_figure(name):
    evaluation = EVALUATIONS[name]()
    svg = plots.det(evaluation, "det")
    expected = {
        f"systems.{place}.{kind}"
        for place, system in enumerate(evaluation.systems)
        for kind in ("at_required", "at_default")
        if (at := getattr(system, kind)) and None not in (at.fmr.value, at.frr.value)
    }
    if not expected:
        assert svg is None
        return
    places = marks(svg)
    assert set(places) == expected
    # Each end of both intervals of a point has its stroke.
    paths = [path.attributes for path in read_html(str(svg)).all("path")]
    crosses = [path["d"] for path in paths if path.get("class", "").startswith("cross")]
    assert crosses
    assert all(path.count("M") == 2 + 4 for path in crosses)
    left, top, right, bottom = inside(svg)
    assert all(left <= x <= right and top <= y <= bottom for x, y in places.values())
    # No label touches a mark.
    (note,) = (
        each for each in read_html(str(svg)).all("text") if each.attributes.get("class") == "note"
    )
    assert (note.text(), float(note.attributes["y"]) < top - 5) == ("required FMR", True)


RATES = st.builds(
    lambda errors, trials: Rate(errors=min(errors, trials), trials=trials),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
)


@settings(max_examples=15)
@given(st.lists(st.tuples(RATES, RATES), min_size=1, max_size=8))
def test_any_point_is_drawn_at_its_rates(rates):
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


@pytest.mark.parametrize("name", EVALUATIONS)
def test_figures_exist_only_with_data_and_contain_all_dots(name):
    evaluation, figures = EVALUATIONS[name](), []
    for at, system in enumerate(evaluation.systems):
        histogram = system.histogram
        both = histogram and any(histogram.mated) and any(histogram.non_mated)
        figures += [(plots.thresholds(evaluation, at, "t"), system.curve, 2)]
        figures += [(plots.scores(evaluation, at, "s"), both, 0)]
    for svg, is_there, count in figures:
        assert (svg is not None) is bool(is_there)
        if svg is not None:
            left, top, right, bottom = inside(svg)
            drawn = read_html(str(svg)).all("path")
            drawn = [each.attributes for each in drawn if each.attributes["class"][:4] == "mark"]
            places = [numbers(each["transform"]) for each in drawn]
            assert len(places) == count
            assert all(left <= x <= right and top <= y <= bottom for x, y in places)


def test_scores_of_wrong_labels_form_a_visible_second_peak():
    system = system_answers([90] * 270 + [10] * 30, [10, 20, 15] * 200)
    (judged,) = evaluate([system], required_fmr=0.01).systems
    histogram = judged.histogram
    assert (sum(histogram.mated), sum(histogram.non_mated)) == (300, 600)
    assert (histogram.mated[0], histogram.mated[-1]) == (30, 270)
    assert (histogram.edges[0], histogram.edges[-1]) == judged.score_range == (10, 90)
    assert len(histogram.edges) == len(histogram.mated) + 1


@pytest.mark.parametrize("apart", [0.0, 1e-150, 2**-53, 1e150])
def test_extremely_close_or_distant_scores_are_drawn(apart):
    close = [1.0, 1.0 - apart] if apart == 2**-53 else [apart, 0.0]
    evaluation = evaluate([system_answers(close * 150, close[::-1] * 300)], required_fmr=0.3)
    for figure in (plots.thresholds, plots.scores):
        assert "NaN" not in str(figure(evaluation, 0, "x"))


def test_a_scatter_has_a_dot_for_each_cell_and_both_thresholds():
    evaluation = two()
    (difference,) = evaluation.differences
    svg = plots.scatter(evaluation, 0, "scatter")
    paths = [each.attributes for each in read_html(str(svg)).all("path")]
    for kind, cells in (
        ("mated", difference.scatter.mated),
        ("non-mated", difference.scatter.non_mated),
    ):
        dots = [path for path in paths if path["class"].startswith(f"dots {kind} ")]
        assert sum(path["d"].count("M") for path in dots) == len(cells.pairs)
    assert [path["class"] for path in paths].count("limit") == 2
    left, top, right, bottom = inside(svg)
    for path in paths:
        if path["class"].startswith("dots"):
            places = numbers(path["d"].replace("h0", " "))
            assert all(left <= x <= right for x in places[::2])
            assert all(top <= y <= bottom for y in places[1::2])


def test_no_scatter_of_systems_without_common_scores():
    both = [as_decisions(system_answers([90] * 300, [10] * 600, name)) for name in "ab"]
    assert plots.scatter(evaluate(both), 0, "scatter") is None
