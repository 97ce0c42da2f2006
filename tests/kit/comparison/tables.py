"""Answers for the tests of what is concluded of them, written down score by score."""

from types import SimpleNamespace

import attrs
import numpy as np
import pandas as pd
import pytest

from facematch_comparison.scores.answers import Answers, Grouping, frame_of
from facematch_comparison.stats import Rates
from facematch_core import Environment, InvalidRequest
from facematch_core.models import ThresholdRule

#: What a pair can come to, beside a score: a failure to acquire, no answer.
LOST = None
SILENT = "silent"

NO_MATCH, MATCH, REVIEW, INCONCLUSIVE = range(4)

#: Columns of answers that `with_columns` keeps.
COLUMNS = ("probe_subjects", "reference_subjects", "mated", "scores", "decisions", "acquired")
COLUMNS += ("answered", "elapsed_s", "billed", "groups")


def table_of(probe, reference, scores, *, name="a", rule=ThresholdRule.AT_LEAST, **columns):
    """Answers about these people, without decisions; acquired is what has a score (not NaN)."""
    people = {"probe_subjects": np.array(probe), "reference_subjects": np.array(reference)}
    return Answers.of(name=name, rule=rule, scores=np.array(scores, float), **people, **columns)


def rates_at(table, threshold, confidence=0.95):
    rates = Rates(table, confidence)
    names = ("fmr", "fnmr", "far", "frr", "fta")
    return SimpleNamespace(**{name: rates.at(name, threshold) for name in names})


def exact_ends(errors, trials, confidence=0.95):
    """Clopper and Pearson's, by statsmodels."""
    from statsmodels.stats.proportion import proportion_confint

    return pytest.approx(proportion_confint(errors, trials, 1 - confidence, method="beta"))


def system_answers(mated, others, name="a", rule=ThresholdRule.AT_LEAST, *, decisions=None, **more):
    """Answers to pairs in which nobody is twice: a score, `LOST` or `SILENT` of each, mated first.

    Decisions are those that a threshold of 50 makes, unless they are given.
    """
    cells = [*mated, *others]
    scores = np.array([np.nan if cell in {LOST, SILENT} else float(cell) for cell in cells], float)
    answered = np.array([cell != SILENT for cell in cells], bool)
    if decisions is None:
        passed = scores > 50 if rule is ThresholdRule.ABOVE else scores >= 50
        decisions = np.where(np.isnan(scores), INCONCLUSIVE, np.where(passed, MATCH, NO_MATCH))
    people = np.arange(len(cells))
    table = table_of(
        people,
        np.where(people < len(mated), people, people + len(cells)),
        scores,
        name=name,
        rule=rule,
        decisions=np.where(answered, decisions, -1).astype(np.int8),
        answered=answered,
        scale=more.pop("scale", "fake/v1"),
        threshold=more.pop("threshold", 50.0),
    )
    return attrs.evolve(table, **more)


def crowd(
    name="a",
    people=200,
    mated=5,
    others=20,
    *,
    mean=75.0,
    seed=0,
    failures=0.0,
    grouped=False,
    rule=ThresholdRule.ABOVE,
    **more,
):
    """Answers of normal scores, 10 apart around `mean` (mated) and 25, to pairs that share people.

    `mated` and `others` are pairs of each person; the seed is of the scores, the pairs are always
    the same. `grouped` by whether the number of a person is even.
    """
    of_pairs = np.random.default_rng(99)
    of_scores = np.random.default_rng(seed)
    same = np.repeat(np.arange(people), mated)
    person = of_pairs.integers(0, people, people * others)
    other = (person + of_pairs.integers(1, people, len(person))) % people
    probe = np.concatenate([same, person])
    reference = np.concatenate([same, other])
    scores = of_scores.normal(np.where(probe == reference, mean, 25.0), 10).clip(0, 100).round(2)
    scores[of_scores.random(len(probe)) < failures] = np.nan
    decisions = np.where(np.isnan(scores), INCONCLUSIVE, np.where(scores > 50, MATCH, NO_MATCH))
    groups = {}
    if grouped:
        groups["number"] = Grouping(
            labels=("even", "odd"), probe=probe % 2, reference=reference % 2
        )
    table = table_of(
        probe,
        reference,
        scores,
        name=name,
        rule=rule,
        decisions=decisions.astype(np.int8),
        groups=groups,
        scale="fake/v1",
        threshold=50.0,
    )
    return attrs.evolve(table, **more)


def with_columns(system, **columns):
    rule = columns.pop("rule", system.rule)
    same = {name: getattr(system, name) for name in COLUMNS}
    more = {"errors": None if "answered" in columns else system.frame["error"]}
    return attrs.evolve(system, frame=frame_of(**same | more | columns), rule=rule)


def without_answers(system, rows):
    answered = system.answered.copy()
    answered[rows] = False
    scores = np.where(answered, system.scores, np.nan)
    decisions = np.where(answered, system.decisions, -1).astype(np.int8)
    errors = np.where(answered, None, "VendorUnavailable")
    return with_columns(
        system,
        answered=answered,
        acquired=system.acquired & answered,
        scores=scores,
        decisions=decisions,
        errors=pd.Categorical(errors),
    )


def as_decisions(system):
    return with_columns(system, scores=np.full(len(system), np.nan), rule=ThresholdRule.VENDOR)


def as_real(system):
    return attrs.evolve(
        system,
        backend="fake",
        model="m1",
        environment=Environment.PRODUCTION,
        price=0.05,
        currency="USD",
    )


def text_reader(path, reader):

    def read(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return reader(path)

    return read


def refusal_lines(read, text):
    with pytest.raises(InvalidRequest) as caught:
        read(text)
    return str(caught.value).splitlines()
