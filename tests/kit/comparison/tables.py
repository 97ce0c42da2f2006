"""Answers for the tests of what is concluded of them, written down score by score."""

import attrs
import numpy as np
import pytest

from facematch_comparison.model import Answers, Grouping, ScoreTable
from facematch_core import Environment, InvalidRequest, ThresholdRule

#: No score: a failure to acquire.
LOST = None


def answers(mated, others, name="a", rule=ThresholdRule.AT_LEAST, **more):
    """Answers to pairs in which nobody is twice, mated ones first; decisions are those at 50.

    Args:
        mated, others: A score each; `LOST` for a pair in which no faces could be compared.
        more: Of `Answers`; `scale` and `threshold` of its table.
    """
    scores = [*mated, *others]
    count, same = len(scores), len(mated)
    people = np.arange(count)
    given = np.array([np.nan if score is None else float(score) for score in scores])
    told = np.array([score is not None for score in scores], bool)
    passed = given > 50 if rule is ThresholdRule.ABOVE else given >= 50
    table = ScoreTable(
        name=name,
        rule=rule,
        mated=people < same,
        scores=given,
        decisions=np.where(told, np.where(passed, 1, 0), 3).astype(np.int8),
        acquired=told,
        answered=np.ones(count, bool),
        probe_subjects=people,
        reference_subjects=np.where(people < same, people, people + count),
        scale=more.pop("scale", "fake/v1"),
        threshold=more.pop("threshold", 50.0),
    )
    return Answers.of_scores(table, **more)


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

    Args:
        people: How many.
        mated, others: Pairs of each of them.
        seed: Of the scores; the pairs are always the same.
        failures: Share of pairs that are not acquired.
        grouped: Whether the study tells of each person whether the number is even.
    """
    of_pairs, of_scores = np.random.default_rng(99), np.random.default_rng(seed)
    same = np.repeat(np.arange(people), mated)
    one = of_pairs.integers(0, people, people * others)
    other = (one + of_pairs.integers(1, people, len(one))) % people
    probe, reference = np.concatenate([same, one]), np.concatenate([same, other])
    count = len(probe)
    is_mated = np.arange(count) < len(same)
    scores = of_scores.normal(np.where(is_mated, mean, 25.0), 10).clip(0, 100).round(2)
    acquired = of_scores.random(count) >= failures
    scores[~acquired] = np.nan
    groups = {}
    if grouped:
        groups["number"] = Grouping(
            labels=("even", "odd"), probe=probe % 2, reference=reference % 2
        )
    table = ScoreTable(
        name=name,
        rule=rule,
        mated=is_mated,
        scores=scores,
        decisions=np.where(acquired, np.where(scores > 50, 1, 0), 3).astype(np.int8),
        acquired=acquired,
        answered=np.ones(count, bool),
        probe_subjects=probe,
        reference_subjects=reference,
        groups=groups,
        scale="fake/v1",
        threshold=50.0,
    )
    return Answers.of_scores(table, **more)


def changed(one, **columns):
    """The same answers with other columns of their table."""
    return attrs.evolve(one, table=attrs.evolve(one.table, **columns))


def unanswered(one, rows):
    """The same without an answer to some pairs."""
    answered = one.table.answered.copy()
    answered[rows] = False
    scores = np.where(answered, one.table.scores, np.nan)
    decisions = np.where(answered, one.table.decisions, -1).astype(np.int8)
    return attrs.evolve(
        changed(
            one,
            answered=answered,
            acquired=one.table.acquired & answered,
            scores=scores,
            decisions=decisions,
        ),
        not_answered={"VendorUnavailable": int(np.count_nonzero(~answered))},
    )


def decided(one):
    """The same from a vendor that tells decisions only."""
    return changed(one, scores=np.full(len(one.table), np.nan), rule=ThresholdRule.VENDOR)


def real(one):
    """The same with everything that a vendor's answers tell."""
    return attrs.evolve(
        one,
        backend="fake",
        model="m1",
        environment=Environment.PRODUCTION,
        price=0.05,
        currency="USD",
    )


def reads(path, reader):
    """Reads text or bytes as a file at `path`."""

    def read(text):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return reader(path)

    return read


def refused(read, text):
    """The lines that say why a text is refused."""
    with pytest.raises(InvalidRequest) as caught:
        read(text)
    return str(caught.value).splitlines()
