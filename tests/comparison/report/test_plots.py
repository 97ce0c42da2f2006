import re
from typing import NamedTuple

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.reading import read_html
from kit.comparison.samples import EVALUATIONS, two
from kit.comparison.tables import system_answers

from facematch_comparison.judging.evaluation import evaluate
from facematch_comparison.report import plots
from facematch_comparison.values.model import Rate

every_evaluation = pytest.mark.parametrize("name", EVALUATIONS)


class Position(NamedTuple):
    x: float
    y: float


class Figure:
    """A drawn figure read back: its paths, marks and texts."""

    def __init__(self, svg):
        root = read_html(str(svg))
        (area,) = next(root.all("clippath")).all("rect")
        size = {name: float(area.attributes[name]) for name in ("x", "y", "width", "height")}
        self.left, self.top = size["x"], size["y"]
        self.right, self.bottom = self.left + size["width"], self.top + size["height"]
        self.paths = [path.attributes for path in root.all("path")]
        self.texts = [*root.all("text")]

    def of_class(self, start):
        return [path for path in self.paths if path.get("class", "").startswith(start)]

    @property
    def marks(self):
        return [position_of(path) for path in self.of_class("mark")]

    @property
    def mark_by_point(self):
        """The position of each mark by the path of its operating point in the document."""
        marks = [path for path in self.paths if "data-point" in path]
        return {path["data-point"]: position_of(path) for path in marks}

    def contains(self, position):
        is_within_x = self.left <= position.x <= self.right
        return is_within_x and self.top <= position.y <= self.bottom


def numbers_in(text):
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def position_of(path):
    return Position(*numbers_in(path["transform"]))


def drawn_points(evaluation):
    """The paths in the document of the operating points that have both rates."""
    for number, system in enumerate(evaluation.systems):
        for name in ("at_required", "at_default"):
            point = getattr(system, name)
            if point and None not in (point.fmr.value, point.frr.value):
                yield f"systems.{number}.{name}"


WITHOUT_POINTS = ("silent", "blind")
WITH_POINTS = [name for name in EVALUATIONS if name not in WITHOUT_POINTS]


@pytest.mark.parametrize("name", WITHOUT_POINTS)
def test_without_an_operating_point_or_a_curve_there_is_no_det_plot(name):
    assert plots.det(EVALUATIONS[name](), "det") is None


@pytest.mark.parametrize("name", WITH_POINTS)
def test_the_det_plot_has_each_operating_point_with_its_intervals_and_a_free_label(name):
    figure = Figure(plots.det(EVALUATIONS[name](), "det"))
    assert set(figure.mark_by_point) == {*drawn_points(EVALUATIONS[name]())}
    assert all(map(figure.contains, figure.mark_by_point.values()))
    # Two intervals, each with two ends.
    assert {path["d"].count("M") for path in figure.of_class("cross")} == {2 + 4}
    (note,) = [text for text in figure.texts if text.attributes.get("class") == "note"]
    assert note.text() == "required FMR"
    assert float(note.attributes["y"]) < figure.top - 5


RATES = st.builds(
    lambda errors, trials: Rate(errors=min(errors, trials), trials=trials),
    st.integers(0, 10**6),
    st.integers(1, 10**6),
)


@settings(max_examples=15)
@given(st.lists(st.builds(dict, fmr=RATES, frr=RATES), min_size=1, max_size=8))
def test_points_are_drawn_in_the_order_of_their_rates(rates_of_points):
    system = attrs.evolve(two().systems[0], curve=None, at_default=None)
    points = [attrs.evolve(system.at_required, **rates) for rates in rates_of_points]
    systems = tuple(attrs.evolve(system, at_required=point) for point in points)
    figure = Figure(plots.det(attrs.evolve(two(), systems=systems), "det"))
    positions = [
        figure.mark_by_point[f"systems.{number}.at_required"] for number in range(len(points))
    ]
    assert all(map(figure.contains, positions))
    by_fmr = sorted(zip([point.fmr.value for point in points], positions, strict=True))
    by_frr = sorted(zip([point.frr.value for point in points], positions, strict=True))
    from_left = [position.x for _fmr, position in by_fmr]
    from_top = [position.y for _frr, position in by_frr]
    assert from_left == sorted(from_left)
    assert from_top == sorted(from_top, reverse=True)


@every_evaluation
def test_a_curve_is_drawn_with_both_rates_at_the_threshold(name):
    evaluation = EVALUATIONS[name]()
    for number, system in enumerate(evaluation.systems):
        svg = plots.thresholds(evaluation, number, "t")
        if system.curve is None:
            assert svg is None
        else:
            figure = Figure(svg)
            assert len(figure.marks) == 2
            assert all(map(figure.contains, figure.marks))


@every_evaluation
def test_scores_are_drawn_where_both_kinds_of_pairs_have_some(name):
    evaluation = EVALUATIONS[name]()
    for number, system in enumerate(evaluation.systems):
        histogram = system.histogram
        has_both = histogram and any(histogram.mated) and any(histogram.non_mated)
        assert (plots.scores(evaluation, number, "s") is not None) is bool(has_both)


def test_scores_of_wrong_labels_form_a_visible_second_peak():
    system = system_answers([90] * 270 + [10] * 30, [10, 20, 15] * 200)
    (judged,) = evaluate([system], required_fmr=0.01).systems
    histogram = judged.histogram
    assert (sum(histogram.mated), sum(histogram.non_mated)) == (300, 600)
    assert (histogram.mated[0], histogram.mated[-1]) == (30, 270)
    assert (histogram.edges[0], histogram.edges[-1]) == judged.score_range == (10, 90)
    assert len(histogram.edges) == len(histogram.mated) + 1


@pytest.mark.parametrize(
    ("high", "low"), [(0.0, 0.0), (1e-150, 0.0), (1.0, 1.0 - 2**-53), (1e150, 0.0)]
)
def test_extremely_close_or_distant_scores_are_drawn(high, low):
    answers = system_answers([high, low] * 150, [low, high] * 300)
    evaluation = evaluate([answers], required_fmr=0.3)
    assert "NaN" not in str(plots.thresholds(evaluation, 0, "x"))
    assert "NaN" not in str(plots.scores(evaluation, 0, "x"))
