"""From pictures of people to a report, and every figure of it computed once more by others.

The pictures are not part of the project: they show people who did not agree to it.
"""

import csv
import functools
import json
from pathlib import Path

import attrs
import numpy as np
import pytest
from sklearn.metrics import det_curve as sklearn_det_curve
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.proportion import proportion_confint

from facematch_comparison.evaluation import evaluate
from facematch_comparison.model import Evaluation
from facematch_comparison.report import report_html
from facematch_comparison.run import RunDatabase, read_answers, run_study
from facematch_comparison.stats import det_curve, exact_interval, mcnemar, rates_at
from facematch_comparison.study import read_study
from facematch_core import Environment, ThresholdRule, open_verifier
from facematch_mock_server import MockServer

FACES = Path(__file__).parents[3] / "shared" / "data" / "faces"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not (FACES / "pairs.csv").exists(),
        reason="the pictures show people who did not agree to it; they are kept outside of the "
        "project",
    ),
]

REQUIRED_FMR = 0.01


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The pairs in our form: people are folders, and the sets are groups."""
    path = tmp_path_factory.mktemp("study") / "faces.csv"
    with (FACES / "pairs.csv").open(newline="") as file, path.open("w", newline="") as ours:
        rows = csv.writer(ours)
        rows.writerow(
            ["probe", "reference", "same", "probe_subject", "reference_subject", "group_set"]
        )
        for row in csv.DictReader(file):
            pictures = [FACES / row[side] for side in ("image_a", "image_b")]
            people = [picture.parent.name for picture in pictures]
            rows.writerow([*pictures, row["same"], *people, row["set"]])
    return read_study(path)


@pytest.fixture(scope="module")
def answers(study, tmp_path_factory):
    """What the local engine answers by itself, and behind two mock vendors."""
    pytest.importorskip("dlib", reason="the extra `local` is not installed")
    switches = {"didit": {"write_limit": None}}
    database = RunDatabase(f"sqlite:///{tmp_path_factory.mktemp('store')}/study.sqlite3")
    with MockServer(vendor=["didit", "deepvue"], engine="local", switches=switches) as mock:
        didit, deepvue = mock.of("didit"), mock.of("deepvue")
        at_mock = {"base_url": mock.url, "environment": Environment.MOCK}
        settings = {
            "local": {},
            "didit": {**at_mock, "api_key": didit.live_key},
            "deepvue": {
                **at_mock,
                "client_id": deepvue.client_id,
                "client_secret": deepvue.live_key,
                "confidence_meaning": "similarity",
                "confidence_scale": "percent",
            },
        }
        openers = {
            name: functools.partial(open_verifier, name, **own) for name, own in settings.items()
        }
        summary = run_study(study, openers, database)
        assert summary.is_complete
        assert [len(one.control.charges()) for one in (didit, deepvue)] == [740, 740]
    found = read_answers(database, summary.study)
    database.close()
    return found


@pytest.fixture(scope="module")
def evaluation(answers):
    """One evaluation of all three, on all pairs."""
    return evaluate(answers, required_fmr=REQUIRED_FMR, name="faces")


def test_all_three_answer_every_pair(answers):
    """With the engine's scores, in the words and to the digits of each vendor."""
    local, didit, deepvue = (one.table for one in answers)
    assert [one.table.rule for one in answers] == [
        ThresholdRule.AT_LEAST,
        ThresholdRule.ABOVE,
        ThresholdRule.AT_LEAST,
    ]
    for table in (local, didit, deepvue):
        assert (int(table.mated.sum()), int((~table.mated).sum())) == (240, 500)
        assert table.is_scored
        assert table.acquired.all()
    assert np.array_equal(local.scores, didit.scores)
    assert np.abs(local.scores - deepvue.scores).max() <= 0.5


def test_det_curves_are_those_of_scikit_learn(answers):
    """At every threshold that it tells, and at every vertex of ours among them."""
    for one in answers:
        table = attrs.evolve(one.table, rule=ThresholdRule.AT_LEAST)
        fmr, fnmr, thresholds = sklearn_det_curve(table.mated, table.scores)
        assert len(thresholds) >= 20
        for threshold, false_matches, refusals in zip(thresholds, fmr, fnmr, strict=True):
            rates = rates_at(table, float(threshold))
            assert rates.fmr.value == pytest.approx(false_matches, abs=1e-12)
            assert rates.fnmr.value == pytest.approx(refusals, abs=1e-12)
        curve = det_curve(table.scores[table.mated], table.scores[~table.mated])
        at = np.searchsorted(curve.thresholds, thresholds)
        is_vertex = curve.thresholds[at] == thresholds
        assert is_vertex.sum() >= 5
        assert np.abs(curve.fnmr[at] - fnmr).max() < 1e-12
        assert np.abs((curve.fmr[at] - fmr)[is_vertex]).max() < 1e-12
        assert (curve.fmr[at] <= fmr + 1e-12).all()


def test_the_curve_of_the_report_lies_on_scikit_learns(answers, evaluation):
    """Each point of it, by the strictness of each vendor."""
    for one, system in zip(answers, evaluation.systems, strict=True):
        table, curve = one.table, system.curve
        fmr, fnmr, thresholds = sklearn_det_curve(table.mated, table.scores)
        side = "right" if table.rule is ThresholdRule.ABOVE else "left"
        places = np.searchsorted(thresholds, curve.thresholds, side=side)
        inside = (places > 0) & (places < len(thresholds))
        assert inside.sum() >= 5
        assert np.abs(np.array(curve.fmr)[inside] - fmr[places[inside]]).max() < 1e-12
        assert np.abs(np.array(curve.frr)[inside] - fnmr[places[inside]]).max() < 1e-12


def test_rates_are_what_counting_says(answers, evaluation):
    """At the threshold for the required FMR, and at each system's own."""
    for one, system in zip(answers, evaluation.systems, strict=True):
        table = one.table
        required = system.at_required
        scores = table.scores.tolist()
        strict = table.rule is ThresholdRule.ABOVE
        passed = [s > required.threshold if strict else s >= required.threshold for s in scores]
        _counted(required, table.mated.tolist(), passed)
        assert required.fmr.value <= REQUIRED_FMR
        own = system.at_default
        _counted(own, table.mated.tolist(), (table.decisions == 1).tolist())
    assert evaluation.systems[0].at_default.fmr.errors <= 3
    assert evaluation.systems[0].at_default.fnmr.errors <= 3


def _counted(point, mated, passed):
    false_matches = sum(not same and let_in for same, let_in in zip(mated, passed, strict=True))
    refused = sum(same and not let_in for same, let_in in zip(mated, passed, strict=True))
    assert (point.fmr.errors, point.fmr.trials) == (false_matches, 500)
    assert (point.fnmr.errors, point.fnmr.trials) == (refused, 240)
    # Everything was acquired, so that refusals are the same.
    assert (point.far.errors, point.frr.errors) == (false_matches, refused)


def test_exact_intervals_are_those_of_statsmodels(evaluation):
    """For every count of the report; pairs that share people are worth less."""
    for system in evaluation.systems:
        for point in (system.at_required, system.at_default):
            for rate in (point.fmr, point.fnmr, point.far, point.frr):
                low, high = proportion_confint(rate.errors, rate.trials, 0.05, method="beta")
                ours = exact_interval(rate.errors, rate.trials)
                assert (ours.low, ours.high) == pytest.approx((low, high), abs=1e-9)
                assert rate.interval.high >= high - 1e-9 or rate.interval.method == "clustered"


def test_differences_are_those_of_statsmodels(answers, evaluation):
    """McNemar's exact test of every two, each at its threshold for the required FMR."""
    refused = {}
    for one, system in zip(answers, evaluation.systems, strict=True):
        passed = one.table.passed(system.at_required.threshold)
        refused[system.name] = ~passed[one.table.mated]
    assert len(evaluation.differences) == 3
    for pair in evaluation.differences:
        first, second = refused[pair.first], refused[pair.second]
        only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
        table = [
            [int((first & second).sum()), only_first],
            [only_second, int((~first & ~second).sum())],
        ]
        assert (pair.only_first, pair.only_second) == (only_first, only_second)
        assert pair.p_exact == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)
        assert not pair.is_real


def test_the_mcnemar_test_itself(answers):
    """One engine at two thresholds does differ: the same number as statsmodels gives."""
    table = answers[0].table
    strict, lenient = (~table.passed(threshold)[table.mated] for threshold in (80.0, 40.0))
    ours = mcnemar(strict, lenient)
    counts = [
        [int((strict & lenient).sum()), int((strict & ~lenient).sum())],
        [int((lenient & ~strict).sum()), int((~strict & ~lenient).sum())],
    ]
    assert ours.only_first > 5
    assert ours.p_value == pytest.approx(statsmodels_mcnemar(counts, exact=True).pvalue)


def test_one_report_of_all_three(evaluation):
    """It names them, says where they answered from, and what 23 people cannot show."""
    page = report_html(evaluation)
    assert all(one.name in page for one in evaluation.systems)
    assert [one.environment for one in evaluation.systems] == [
        Environment.LOCAL,
        Environment.MOCK,
        Environment.MOCK,
    ]
    codes = {caveat.code for caveat in evaluation.caveats}
    assert {"few_people", "not_the_vendor"} <= codes
    document = json.loads(json.dumps(evaluation.to_dict()))
    assert Evaluation.from_dict(document) == evaluation
