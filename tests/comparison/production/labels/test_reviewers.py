"""Several reviewers: whose labels count, and how far they agree."""

import datetime as dt

import attrs
import numpy as np
import pytest

import facematch_core as fm
from facematch_comparison.production.calls import share_of
from facematch_comparison.production.labels.review import Labels, Question
from facematch_comparison.production.labels.reviewers import agree, compare_reviewers, find_kappa

QUESTION = Question(
    operation=fm.Operation.MATCH,
    answered="didit",
    candidate="deepvue",
    review_is_accepted=False,
    until=dt.datetime(2026, 11, 1, tzinfo=dt.UTC),
)


def labels(file, answers):
    """The labels of a file: yes, no, ? or nothing for each call."""
    return Labels(
        file=file,
        question=str(QUESTION),
        listed=frozenset(answers),
        genuine={call: text == "yes" for call, text in answers.items() if text in {"yes", "no"}},
        unclear=frozenset(call for call, text in answers.items() if text == "?"),
    )


ANSWERS = [
    # a, b: what counts
    ("yes", "yes", "genuine"),
    ("no", "no", "impostor"),
    ("yes", "no", "contradicted"),
    ("?", "no", "contradicted"),
    ("?", "?", "unclear"),
    ("yes", "", "labelled once"),
    ("?", "", "unclear"),
    ("", "", "open"),
]


def counts_as(agreed, call):
    if call in agreed.genuine:
        return "genuine" if agreed.genuine[call] else "impostor"
    for name in ("contradicted", "unclear", "labelled_once"):
        if call in getattr(agreed, name):
            return name.replace("_", " ")
    return "open"


@pytest.mark.parametrize(("first", "second", "expected"), ANSWERS)
def test_a_label_counts_if_both_reviewers_agree(first, second, expected):
    agreed = agree([labels("a.csv", {"x": first}), labels("b.csv", {"x": second})])
    assert counts_as(agreed, "x") == expected
    swapped = agree([labels("b.csv", {"x": second}), labels("a.csv", {"x": first})])
    assert counts_as(swapped, "x") == expected


@pytest.mark.parametrize(
    ("third", "expected"), [("yes", "genuine"), ("no", "impostor"), ("?", "contradicted")]
)
def test_a_third_person_decides_a_contradiction(third, expected):
    files = [
        labels("a.csv", {"x": "yes", "y": "no"}),
        labels("b.csv", {"x": "no", "y": "no"}),
        labels("c.csv", {"x": third}),
    ]
    agreed = agree(files)
    assert counts_as(agreed, "x") == expected
    assert counts_as(agreed, "y") == "impostor"


def test_one_label_is_enough_for_a_call_of_one_file():
    agreed = agree([labels("a.csv", {"x": "yes"}), labels("more.csv", {"y": "no"})])
    assert agreed.genuine == {"x": True, "y": False}


def test_files_of_different_questions_are_refused():
    other = attrs.evolve(labels("b.csv", {"x": "yes"}), question="something else")
    with pytest.raises(fm.InvalidRequest, match=r"b\.csv was written for another question"):
        agree([labels("a.csv", {"x": "yes"}), other])


def drawn_labels(generator, calls, wrong):
    truth = generator.random(calls) < 0.7
    return truth ^ (generator.random(calls) < wrong), truth ^ (generator.random(calls) < wrong)


@pytest.mark.parametrize("seed", range(5))
def test_kappa_and_its_error_are_those_of_other_packages(seed):
    # not above: their import takes a second of each process
    from sklearn.metrics import cohen_kappa_score
    from statsmodels.stats.inter_rater import cohens_kappa

    generator = np.random.default_rng(seed)
    first, second = drawn_labels(generator, 120, 0.12)
    persons = np.arange(120)
    agreement = share_of(first == second, persons, 0.95)
    kappa = find_kappa(first, second, persons, agreement, 0.95)
    assert kappa.value == pytest.approx(cohen_kappa_score(first, second))
    table = np.array(
        [
            [(first & second).sum(), (first & ~second).sum()],
            [(~first & second).sum(), (~first & ~second).sum()],
        ]
    )
    low, high = cohens_kappa(table).kappa_low, cohens_kappa(table).kappa_upp
    by_chance = 1 - (1 - agreement.value) / (1 - kappa.value)
    ends = [
        (end - by_chance) / (1 - by_chance)
        for end in (agreement.interval.low, agreement.interval.high)
    ]
    assert kappa.interval.low == pytest.approx(min(low, ends[0]))
    assert kappa.interval.high == pytest.approx(min(1, max(high, ends[1])))


def test_the_interval_of_kappa_holds():
    generator = np.random.default_rng(1)
    wrong = 0.1
    yes = 0.7 * (1 - wrong) + 0.3 * wrong
    by_chance = yes**2 + (1 - yes) ** 2
    true_kappa = (1 - 2 * wrong * (1 - wrong) - by_chance) / (1 - by_chance)
    held = 0
    for _ in range(400):
        first, second = drawn_labels(generator, 80, wrong)
        persons = np.arange(80)
        kappa = find_kappa(first, second, persons, share_of(first == second, persons, 0.95), 0.95)
        held += kappa.interval.low <= true_kappa <= kappa.interval.high
    assert held >= 0.935 * 400


def test_perfect_agreement_of_few_calls_is_not_certain():
    first = np.array([True, True, True, False, False])
    persons = np.arange(5)
    kappa = find_kappa(first, first, persons, share_of(np.ones(5, bool), persons, 0.95), 0.95)
    assert kappa.value == 1
    assert kappa.interval.low < 0.5


def test_the_same_label_for_every_call_has_no_kappa():
    first = np.ones(5, bool)
    persons = np.arange(5)
    assert find_kappa(first, first, persons, share_of(first, persons, 0.95), 0.95) is None


def test_the_share_of_wrong_labels_is_found_from_contradictions():
    generator = np.random.default_rng(2)
    first, second = drawn_labels(generator, 20_000, 0.08)
    texts = np.array(["no", "yes"])
    calls = [str(number) for number in range(20_000)]
    files = [
        labels("a.csv", dict(zip(calls, texts[first.astype(int)].tolist(), strict=True))),
        labels("b.csv", dict(zip(calls, texts[second.astype(int)].tolist(), strict=True))),
    ]
    (found,) = compare_reviewers(files, {call: int(call) for call in calls}, 0.95)
    assert found.wrong_share == pytest.approx(0.08, abs=0.005)
    assert (found.first, found.second) == ("a.csv", "b.csv")


def test_a_file_of_contradictions_is_compared_with_nobody():
    """Its calls are those on which others contradict each other, so agreement there is low."""
    chosen = attrs.evolve(labels("c.csv", {"x": "yes"}), agreements_are_random=False)
    files = [labels("a.csv", {"x": "yes", "y": "no"}), labels("b.csv", {"x": "no", "y": "no"})]
    found = compare_reviewers([*files, chosen], {"x": 0, "y": 1}, 0.95)
    assert [(two.first, two.second) for two in found] == [("a.csv", "b.csv")]
