"""Answers written and read again, and the pairs that a system got wrong."""

import csv
from pathlib import Path

import attrs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.tables import table_of, with_columns

from facematch_comparison import Study, StudyPair, export, read_scores, to_frame, wrong_pairs
from facematch_comparison.scores.answers import Answers, Grouping
from facematch_core import Environment, InvalidRequest
from facematch_core.models import ThresholdRule

ARRAYS = ("mated", "decisions", "acquired", "answered", "elapsed_s", "billed", "scores")

ATTRIBUTES = (
    "name",
    "rule",
    "threshold",
    "scale",
    "not_answered",
    "backend",
    "model",
    "environment",
    "price",
    "currency",
    "people_known",
)

FORMULA_OR_MISSING = ("=1+1", "-2+3", "@x", "+1", "'", "'=", "1e5", "true", "NA", "null")

LETTERS = st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0")

ANY_TEXT = st.sampled_from(FORMULA_OR_MISSING) | st.text(LETTERS, min_size=1, max_size=8).filter(
    lambda text: text == text.strip() and text
)


def people_of(answers):
    return answers.frame[["person_1", "person_2"]].astype(str).to_numpy().tolist()


def group_labels(answers):
    """The label of each picture's person by column; "" where it is unknown."""
    labels_by_column = {}
    for column, group in answers.groups.items():
        labels = np.array([*group.labels, ""])
        labels_by_column[column] = [labels[group.probe].tolist(), labels[group.reference].tolist()]
    return labels_by_column


def assert_all_equal(systems_read, systems_written):
    for read, written in zip(systems_read, systems_written, strict=True):
        for array in ARRAYS:
            np.testing.assert_array_equal(getattr(read, array), getattr(written, array), array)
        for attribute in ATTRIBUTES:
            assert getattr(read, attribute) == getattr(written, attribute), attribute
        assert people_of(read) == people_of(written)
        assert group_labels(read) == group_labels(written)


def random_answers(generator, next_text, probe, reference, groups):
    """Answers of which everything may be there or missing, with any texts."""
    pairs = len(probe)
    answered = generator.random(pairs) < 0.8
    acquired = answered & (generator.random(pairs) < 0.8)
    has_score = acquired & (generator.random(pairs) < 0.8)
    scores = generator.normal(0, 10.0 ** generator.integers(-300, 6, pairs))
    decisions = generator.integers(-1, 4, pairs)
    is_priced = generator.random() < 0.5
    return Answers.of(
        name=next_text(),
        rule=generator.choice([*ThresholdRule]),
        probe_subjects=probe,
        reference_subjects=reference,
        scores=np.where(has_score, scores, np.nan),
        decisions=np.where(answered, decisions, -1).astype(np.int8),
        acquired=acquired,
        answered=answered,
        errors=pd.Categorical(np.where(answered, None, next_text())),
        elapsed_s=generator.choice([np.nan, *generator.random(3)], pairs),
        billed=generator.integers(0, 3, pairs).astype(np.int8),
        groups=groups,
        scale=next_text(),
        threshold=generator.choice([None, generator.normal()]),
        backend=next_text(),
        model=generator.choice([None, next_text()]),
        environment=generator.choice([None, *Environment]),
        price=generator.random() if is_priced else None,
        currency="INR" if is_priced else None,
        people_known=bool(generator.integers(2)),
    )


@settings(max_examples=settings().max_examples // 6)
@given(st.lists(ANY_TEXT, min_size=30, max_size=30, unique=True), st.integers(0, 10**6))
def test_exported_answers_are_read_back_exactly(tmp_path_factory, texts, seed):
    """Every number to its last digit, every text, in the same order: CSV, Parquet and frames."""
    generator = np.random.default_rng(seed)
    people = generator.choice(10**6, 5, replace=False)
    group_of_person = generator.integers(-1, 2, 5)
    probe, reference = generator.integers(0, 5, (2, generator.integers(1, 12)))
    group = Grouping(
        labels=tuple(sorted([texts.pop(), texts.pop()])),
        probe=group_of_person[probe],
        reference=group_of_person[reference],
    )
    groups = {texts.pop(): group}
    written = [
        random_answers(generator, texts.pop, people[probe], people[reference], groups)
        for _ in range(3)
    ]
    folder = tmp_path_factory.mktemp("scores")
    for path in (folder / "scores.csv", folder / "scores.parquet"):
        export(written, path)
        assert_all_equal(read_scores(path), written)
    assert_all_equal(read_scores(to_frame(written)), written)


def test_no_cell_of_a_csv_file_is_a_formula(tmp_path):
    answers = table_of([0], [0], [-1.5], name="=1+1")
    answers = attrs.evolve(answers, scale="+1", backend="@x", model="\tx\ry")
    export([answers], tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    formulas = [cell for cell in row.values() if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert formulas == ["-1.5"]


def test_columns_that_are_empty_for_all_systems_are_omitted():
    optional = {"decision", "error", "elapsed_s", "model", "scale", "people_known"}
    answered = attrs.evolve(table_of([0], [0], [1]), model="m-1")
    failed = table_of(
        [0],
        [0],
        [np.nan],
        name="b",
        answered=np.array([False]),
        errors=pd.Categorical(["Timeout"]),
    )
    assert optional & {*to_frame([answered])} == {"model"}
    assert optional & {*to_frame([answered, failed])} == {"model", "error"}


ANSWERS = table_of([0], [0], [1])


@pytest.mark.parametrize(
    ("systems", "file_name"),
    [
        pytest.param([ANSWERS, ANSWERS], "scores.csv", id="one name twice"),
        pytest.param([ANSWERS, table_of([0], [1], [1], name="b")], "scores.csv", id="other people"),
        pytest.param(
            [ANSWERS, table_of([0, 1], [0, 1], [1, 1], name="b")], "scores.csv", id="more pairs"
        ),
        pytest.param([], "scores.csv", id="no system"),
        pytest.param([ANSWERS], "scores.txt", id="unknown suffix"),
    ],
)
def test_a_refused_export_writes_nothing(tmp_path, systems, file_name):
    with pytest.raises(InvalidRequest):
        export(systems, tmp_path / file_name)
    assert [*tmp_path.iterdir()] == []


def study_pair(probe, reference, probe_subject, reference_subject):
    return StudyPair(
        probe=Path("faces", probe),
        reference=Path("faces", reference),
        mated=probe_subject == reference_subject,
        probe_subject=probe_subject,
        reference_subject=reference_subject,
    )


STUDY = Study(
    name="doors",
    pairs=(
        study_pair("-a.jpg", "b.jpg", "Ada", "Ada"),
        study_pair("-a.jpg", "c.jpg", "Ada", "=Cyd"),
        study_pair("d.jpg", "c.jpg", "Dan", "=Cyd"),
        study_pair("b.jpg", "e.jpg", "Ada", "Ada"),
    ),
)


@pytest.fixture
def answers():
    """Answers of one system to `STUDY`: wrong at 50 are all, by its decisions all but one."""
    probe, reference = STUDY.subject_numbers
    no_match, match, inconclusive = 0, 1, 3
    decisions = np.array([no_match, match, no_match, inconclusive], np.int8)
    return table_of(probe, reference, [20.0, 50.0, 70.0, np.nan], name="ours", decisions=decisions)


def test_wrong_pairs_are_sorted_worst_first(answers):
    wrong = wrong_pairs(answers, 50)
    assert wrong[["kind", "pair"]].to_numpy().tolist() == [
        ["false match", 2],
        ["false match", 1],
        ["false non-match", 0],
        ["failure to acquire", 3],
    ]
    assert wrong["score"].tolist() == pytest.approx([70, 50, 20, np.nan], nan_ok=True)


def test_wrong_pairs_have_the_pictures_and_people_of_the_study(answers):
    assert wrong_pairs(answers, 50, STUDY).iloc[0].to_dict() == {
        "system": "ours",
        "kind": "false match",
        "pair": 2,
        "probe": "faces/d.jpg",
        "reference": "faces/c.jpg",
        "person_1": "Dan",
        "person_2": "=Cyd",
        "score": 70,
        "threshold": 50,
    }
    assert wrong_pairs(answers, 50)[["probe", "person_1"]].isna().all(axis=None)


def test_without_a_threshold_the_own_decisions_may_be_wrong(answers):
    unscored = with_columns(answers, scores=np.full(4, np.nan))
    assert wrong_pairs(answers, None)["pair"].tolist() == [1, 0, 3]
    assert wrong_pairs(unscored, None)["pair"].tolist() == [1, 0, 3]


def test_a_study_with_other_pairs_is_refused(answers):
    other_study = attrs.evolve(STUDY, pairs=STUDY.pairs[1:])
    with pytest.raises(InvalidRequest):
        wrong_pairs(answers, 50, other_study)
    with pytest.raises(InvalidRequest):
        to_frame([answers], other_study)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_pictures_and_people_are_exported(answers, tmp_path, ending):
    path = tmp_path / f"scores.{ending}"
    expected = wrong_pairs(answers, 50, STUDY)
    export([answers], path, STUDY)
    (read,) = read_scores(path)
    pd.testing.assert_frame_equal(wrong_pairs(read, 50), expected)
    export([read], path)
    (read_again,) = read_scores(path)
    pd.testing.assert_frame_equal(wrong_pairs(read_again, 50), expected)


def test_wrong_pairs_are_exported_with_formulas_escaped_in_csv_only(answers, tmp_path):
    wrong = wrong_pairs(answers, 50, STUDY)
    export(wrong, tmp_path / "wrong.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "wrong.parquet"), wrong)
    export(wrong, tmp_path / "wrong.csv")
    frame = pd.read_csv(tmp_path / "wrong.csv")
    assert frame.columns.tolist() == wrong.columns.tolist()
    assert frame["kind"].tolist() == wrong["kind"].tolist()
    assert frame["score"].tolist()[:3] == [70.0, 50.0, 20.0]
    assert frame["person_2"].tolist() == ["'=Cyd", "'=Cyd", "Ada", "Ada"]


def test_a_file_is_replaced_only_by_a_complete_one(tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    export([ANSWERS], path)
    before = path.read_bytes()

    def fail_to_write(*_arguments):
        raise OSError("no space left")

    monkeypatch.setattr("pyarrow.csv.write_csv", fail_to_write)
    with pytest.raises(OSError, match="no space"):
        export([ANSWERS], path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["scores.csv"]
