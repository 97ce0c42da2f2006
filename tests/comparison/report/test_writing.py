"""Answers written and read again, and the pairs that a system got wrong."""

import csv
import re
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
FACTS = ("name", "rule", "threshold", "scale", "not_answered", "backend", "model", "environment")
FACTS += ("price", "currency", "privacy", "people_known")

words = st.sampled_from(
    ("=1+1", "-2+3", "@x", "+1", "'", "'=", "1e5", "true", "NA", "null")
) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=1,
    max_size=8,
).filter(lambda text: text == text.strip() and text)


def plain(answers):
    """All of it as words and numbers that can be compared: NaN is NaN."""
    people = (answers.frame["person_1"], answers.frame["person_2"])
    return {
        **{name: repr(getattr(answers, name).tolist()) for name in ARRAYS},
        "people": [[str(who) for who in side] for side in people],
        "groups": {
            column: [[(*group.labels, "")[at] for at in side] for side in group[1:]]
            for column, group in answers.groups.items()
        },
        **{name: getattr(answers, name) for name in FACTS},
    }


def same(written, read):
    assert [plain(answers) for answers in written] == [plain(answers) for answers in read]


def some_answers(chance, text, probe, reference, groups):
    """Answers in which everything may be there or missing, with any words."""
    count = len(probe)
    answered, with_face, scored = chance.random((3, count)) < 0.8
    acquired = with_face & answered
    scores = chance.normal(0, 10.0 ** chance.integers(-300, 6, count))
    is_priced, error = chance.random() < 0.5, text()
    return Answers.of(
        name=text(),
        rule=chance.choice([*ThresholdRule]),
        probe_subjects=probe,
        reference_subjects=reference,
        scores=np.where(acquired & scored, scores, np.nan),
        decisions=np.where(answered, chance.integers(-1, 4, count), -1).astype(np.int8),
        acquired=acquired,
        answered=answered,
        errors=pd.Categorical(np.where(answered, None, error)),
        elapsed_s=chance.choice([np.nan, *chance.random(3)], count),
        billed=chance.integers(0, 3, count).astype(np.int8),
        groups=groups,
        scale=text(),
        threshold=chance.choice([None, chance.normal()]),
        backend=text(),
        model=chance.choice([None, text()]),
        environment=chance.choice([None, *Environment]),
        price=chance.random() if is_priced else None,
        currency="INR" if is_priced else None,
        privacy=text(),
        people_known=bool(chance.integers(2)),
    )


@settings(max_examples=settings().max_examples // 6)
@given(st.lists(words, min_size=30, max_size=30, unique=True), st.integers(0, 10**6))
def test_exported_answers_are_read_back_exactly(tmp_path_factory, texts, seed):
    """Every number to its last digit, every word, in the same order: CSV, Parquet and frames."""
    chance, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("scores")
    people = chance.integers(0, 10**6, 5)
    probe, reference = chance.choice(people, (2, chance.integers(1, 12)))
    of_person = dict(zip(people.tolist(), chance.integers(-1, 2, 5), strict=True))
    sides = [np.array([of_person[who] for who in side.tolist()]) for side in (probe, reference)]
    labels = tuple(sorted((texts.pop(), texts.pop())))
    groups = {texts.pop(): Grouping(labels=labels, probe=sides[0], reference=sides[1])}
    written = [some_answers(chance, texts.pop, probe, reference, groups) for _ in range(3)]
    export(written, folder / "scores.csv")
    same(written, read_scores(folder / "scores.csv"))
    export(written, folder / "scores.parquet")
    same(written, read_scores(folder / "scores.parquet"))
    same(written, read_scores(to_frame(written)))
    assert sorted(file.name for file in folder.iterdir()) == ["scores.csv", "scores.parquet"]
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert {"True", "False"}.isdisjoint(to_frame(written).get("people_known", ()))
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@", "\t", "\r")]
    numbers = [cell for cell in cells if cell[:1] == "-"]
    assert all(re.fullmatch(r"-[0-9.]+(e[-+]?[0-9]+)?", cell) for cell in numbers)


def test_columns_that_are_empty_for_all_systems_are_omitted():
    answered = attrs.evolve(table_of([0], [0], [1]), model="m-1")
    failed = table_of(
        *([0], [0], [np.nan]),
        name="b",
        answered=np.array([False]),
        errors=pd.Categorical(["Timeout"]),
    )
    optional = {"decision", "error", "elapsed_s", "model", "scale"}
    assert optional & {*to_frame([answered])} == {"model"}
    assert optional & {*to_frame([answered, failed])} == {"model", "error"}


def test_answers_to_different_pairs_are_not_exported(tmp_path):
    answers = table_of([0], [0], [1])
    other = table_of([0], [1], [1], name="b")
    for wrong in (
        [answers, answers],
        [answers, other],
        [answers, table_of([0, 1], [0, 1], [1, 1])],
    ):
        with pytest.raises(InvalidRequest):
            export(wrong, tmp_path / "scores.csv")
    with pytest.raises(InvalidRequest):
        export([answers], tmp_path / "scores.txt")
    assert [*tmp_path.iterdir()] == []


@pytest.fixture
def asked_study():
    """Answers of one system to four pairs, and the test set."""
    pairs = [
        StudyPair(
            probe=Path("faces", probe),
            reference=Path("faces", reference),
            mated=first == second,
            probe_subject=first,
            reference_subject=second,
        )
        for probe, reference, first, second in (
            *(("-a.jpg", "b.jpg", "Ada", "Ada"), ("-a.jpg", "c.jpg", "Ada", "=Cyd")),
            *(("d.jpg", "c.jpg", "Dan", "=Cyd"), ("b.jpg", "e.jpg", "Ada", "Ada")),
        )
    ]
    study = Study(name="doors", pairs=tuple(pairs))
    decisions = np.array([0, 1, 0, 3], np.int8)
    scores = [20.0, 50.0, 70.0, np.nan]
    return table_of(*study.subject_numbers, scores, name="ours", decisions=decisions), study


def test_wrong_pairs_are_sorted_worst_first_with_pictures(asked_study):
    answers, study = asked_study
    wrong = wrong_pairs(answers, 50, study)
    assert wrong[["kind", "pair"]].to_numpy().tolist() == [
        *(["false match", 2], ["false match", 1]),
        *(["false non-match", 0], ["failure to acquire", 3]),
    ]
    assert wrong["score"].tolist() == pytest.approx([70, 50, 20, np.nan], nan_ok=True)
    first = ["ours", "false match", 2, "faces/d.jpg", "faces/c.jpg", "Dan", "=Cyd", 70, 50]
    assert wrong.iloc[0].tolist() == first
    assert wrong_pairs(answers, None)["pair"].tolist() == [1, 0, 3]
    unscored = with_columns(answers, scores=np.full(4, np.nan))
    assert wrong_pairs(unscored, None)["pair"].tolist() == [1, 0, 3]
    unnamed = wrong_pairs(answers, 50).iloc[0]
    assert unnamed[["probe", "person_1"]].isna().all()
    one_less = attrs.evolve(study, pairs=study.pairs[1:])
    for use in (lambda: wrong_pairs(answers, 50, one_less), lambda: to_frame([answers], one_less)):
        with pytest.raises(InvalidRequest):
            use()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_pictures_and_people_are_exported(asked_study, tmp_path, ending):
    answers, study = asked_study
    path = tmp_path / f"scores.{ending}"
    export([answers], path, study)
    (read,) = read_scores(path)
    assert np.array_equal(read.scores, answers.scores, equal_nan=True)
    wrong = wrong_pairs(answers, 50, study)
    pd.testing.assert_frame_equal(wrong_pairs(read, 50), wrong)
    export([read], path)
    pd.testing.assert_frame_equal(wrong_pairs(read_scores(path)[0], 50), wrong)
    export(wrong, path)
    frame = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    assert frame.columns.tolist() == wrong.columns.tolist()
    assert frame["kind"].tolist() == wrong["kind"].tolist()
    assert frame["score"].tolist()[:3] == [70.0, 50.0, 20.0]
    shown = "'=Cyd" if ending == "csv" else "=Cyd"
    assert frame["person_2"].tolist()[:2] == [shown, shown]


def test_a_file_is_replaced_only_by_a_complete_one(asked_study, tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    export([asked_study[0]], path)
    before = path.read_bytes()

    def broken(*words, **more):
        raise OSError("no space left")

    monkeypatch.setattr("pyarrow.csv.write_csv", broken)
    with pytest.raises(OSError, match="no space"):
        export([asked_study[0]], path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["scores.csv"]
