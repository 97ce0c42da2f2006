"""The labels of pairs by several people: what they say together, and what they leave out."""

import csv
import io

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

import facematch_core as fm
from facematch_comparison import read_scores
from facematch_comparison.production.labels.pairs import PairReviews

PAIRS = 120


@pytest.fixture
def pairs():
    """Pairs with scores of one system, and whether each is of one person."""
    chance = np.random.default_rng(5)
    numbers = range(PAIRS)
    frame = pd.DataFrame({"image1": [f"a{n}.jpg" for n in numbers]})
    frame["image2"] = [f"b{n}.jpg" for n in numbers]
    frame["mated"] = frame.index % 3 == 0
    frame["score"] = chance.normal(np.where(frame["mated"], 70, 40), 12).round(1)
    return frame


def write_labels(path, pairs, labels):
    """Write a reviewer's file; return its path."""
    pairs[["image1", "image2"]].assign(same_person=labels).to_csv(path, index=False)
    return path


def said(pairs, chance, wrong):
    """A reviewer's words, of which a share is wrong."""
    is_one_person = pairs["mated"] ^ (chance.random(len(pairs)) < wrong)
    return np.where(is_one_person, "yes", "no")


@pytest.fixture
def two_files(pairs, tmp_path):
    """The files and the words of two reviewers, of whom the second turns the pictures."""
    chance = np.random.default_rng(6)
    words = [said(pairs, chance, 0.1), said(pairs, chance, 0.1)]
    turned = pairs.rename(columns={"image1": "image2", "image2": "image1"})
    files = [
        write_labels(tmp_path / "ada.csv", pairs, words[0]),
        write_labels(tmp_path / "bob.csv", turned.iloc[::-1], words[1][::-1]),
    ]
    return files, words


def test_the_pairs_on_which_both_agree_are_judged_by_their_labels(pairs, two_files):
    files, (first, second) = two_files
    reviews = PairReviews.read(files)
    # The column of labels beside the scores does not count.
    scores = pairs.assign(mated=~pairs["mated"])
    (answers,) = read_scores([scores, reviews.table()], columns=reviews.columns)
    agrees = first == second
    assert 0 < (~agrees).sum() < PAIRS / 2
    assert answers.scores.tolist() == pairs["score"][agrees].tolist()
    assert answers.mated.tolist() == (first == "yes")[agrees].tolist()


def test_agreement_and_kappa_are_those_of_the_common_pairs(two_files):
    files, (first, second) = two_files
    summary = PairReviews.read(files).summary()
    (reviewers,) = summary.reviewers
    assert (reviewers.first, reviewers.second) == ("ada.csv", "bob.csv")
    assert reviewers.agreement.count == (first == second).sum()
    assert reviewers.kappa.value == pytest.approx(cohen_kappa_score(first, second))
    assert reviewers.kappa.interval.low < reviewers.kappa.value < reviewers.kappa.interval.high
    assert summary.contradicted == PAIRS - summary.labelled


def test_a_third_file_decides_the_contradictions(pairs, two_files, tmp_path):
    files, (first, second) = two_files
    rows = list(csv.DictReader(io.StringIO(PairReviews.read(files).contradictions_as_csv())))
    contradicted = pairs["image1"][first != second]
    # In random order, blind.
    assert sorted(row["image1"] for row in rows) == sorted(contradicted)
    assert [row["image1"] for row in rows] != contradicted.tolist()
    assert {row["same_person"] for row in rows} == {""}
    truth = dict(zip(pairs["image1"], pairs["mated"], strict=True))
    for row in rows:
        row["same_person"] = "yes" if truth[row["image1"]] else "no"
    third = tmp_path / "third.csv"
    pd.DataFrame(rows).to_csv(third, index=False)
    reviews = PairReviews.read([*files, third])
    summary = reviews.summary()
    assert (summary.labelled, summary.contradicted) == (PAIRS, 0)
    # It is about harder pairs than the two others, so they are compared alone.
    assert len(summary.reviewers) == 1
    (answers,) = read_scores([pairs, reviews.table()], columns=reviews.columns)
    decided = (first != second) & pairs["mated"].to_numpy()
    assert answers.mated[decided].all()


def test_what_cannot_be_told_is_left_out(pairs, tmp_path):
    words = pairs["mated"].map({True: "yes", False: "no"}).to_numpy(object)
    words[:3] = "?", "", "unclear"
    other = words.copy()
    other[2:5] = "", "", "?"
    files = [
        write_labels(tmp_path / "ada.csv", pairs, words),
        write_labels(tmp_path / "bob.csv", pairs, other),
    ]
    summary = PairReviews.read(files).summary()
    assert (summary.unclear, summary.labelled_once, summary.contradicted) == (2, 1, 1)
    assert summary.labelled == PAIRS - 5
    one = PairReviews.read(files[:1]).summary()
    assert (one.labelled, one.unclear, one.reviewers) == (PAIRS - 3, 2, ())


def test_labels_by_pair_are_labels_of_every_system(tmp_path):
    scores = pd.DataFrame({"pair": [1, 2, 1, 2], "system": ["x", "x", "y", "y"]})
    scores["score"] = [90, 20, 80, 30]
    scores["person"] = "ada"
    (tmp_path / "labels.csv").write_text("pair,same_person,remark\n2,no,hat\n1,YES,\n")
    reviews = PairReviews.read([tmp_path / "labels.csv"])
    first, second = read_scores([scores, reviews.table()], columns=reviews.columns)
    assert (first.name, second.name) == ("x", "y")
    assert first.mated.tolist() == second.mated.tolist() == [True, False]


REFUSED = {
    "a pair twice": "image1,image2,same_person\na,b,yes\nc,d,no\nb,a,no\n",
    "no word": "image1,image2,same_person\na,b,perhaps\n",
    "half a pair": "image1,image2,same_person\na,,yes\n",
    "no label": "image1,image2,remark\na,b,yes\n",
    "no pair": "image1,same_person\na,yes\n",
    "two labels": "pair,label,same_person\n1,yes,yes\n",
    "nothing labelled": "pair,same_person\n1,\n2,?\n",
}


@pytest.mark.parametrize("name", REFUSED)
def test_files_that_say_nothing_clear_are_refused(tmp_path, name):
    file = tmp_path / "labels.csv"
    file.write_text(REFUSED[name])
    with pytest.raises(fm.InvalidRequest, match=r"labels\.csv"):
        PairReviews.read([file])


def test_files_that_identify_pairs_in_other_ways_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("pair,same_person\n1,yes\n")
    (tmp_path / "b.csv").write_text("image1,image2,same_person\na,b,yes\n")
    with pytest.raises(fm.InvalidRequest, match="another question"):
        PairReviews.read([tmp_path / "a.csv", tmp_path / "b.csv"])
