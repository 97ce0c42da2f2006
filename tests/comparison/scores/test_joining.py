"""Several files: each is a system, and pairs join them."""

import numpy as np
import pandas as pd
import pytest

from facematch_comparison import ColumnsNotRecognised, evaluate, read_scores
from facematch_core import InvalidRequest

PAIRS = 60


@pytest.fixture
def pairs():
    """Pictures and labels of sixty pairs, and what three vendors score."""
    chance = np.random.default_rng(5)
    mated = np.arange(PAIRS) % 2 == 0
    frame = pd.DataFrame({"a": [f"a{n}.jpg" for n in range(PAIRS)], "mated": mated.astype(int)})
    frame["b"] = [f"b{n}.jpg" for n in range(PAIRS)]
    for name in ("aws", "azure", "dlib"):
        frame[name] = chance.normal(np.where(mated, 70, 30), 20).clip(1, 99).round(2)
    return frame


@pytest.fixture
def exports(pairs, tmp_path):
    """Three vendors' own files, and a list of the pairs with labels."""
    aws = pairs.rename(columns={"a": "source", "b": "target", "aws": "Similarity"})
    aws[["source", "target", "Similarity"]].to_csv(tmp_path / "aws.csv", index=False)
    azure = pairs.rename(columns={"a": "file1", "b": "file2", "azure": "confidence"})
    azure = azure[["file1", "file2", "confidence"]].iloc[::-1]
    azure.to_csv(tmp_path / "azure.csv", index=False, sep=";", decimal=",")
    dlib = pairs.assign(distance=(100 - pairs["dlib"]) / 100)
    dlib = dlib.rename(columns={"b": "img1", "a": "img2"})  # the other way round
    dlib[["img1", "img2", "distance"]].to_json(tmp_path / "dlib.json", orient="records")
    pairs.rename(columns={"a": "image1", "b": "image2"})[["image1", "image2", "mated"]].to_csv(
        tmp_path / "labels.csv", index=False
    )
    return [tmp_path / name for name in ("labels.csv", "aws.csv", "azure.csv", "dlib.json")]


def test_three_exports_and_a_list_of_labels_are_one_comparison(pairs, exports):
    heard = []
    answers = read_scores(exports, note=heard.append)
    assert [each.name for each in answers] == ["aws", "azure", "dlib"]
    for each in answers:
        assert each.mated.tolist() == (pairs["mated"] == 1).tolist()
        assert each.answered.all()
    assert answers[0].scores.tolist() == pairs["aws"].tolist()
    assert answers[1].scores.tolist() == pairs["azure"].tolist()
    assert answers[2].scores == pytest.approx((pairs["dlib"] - 100) / 100)
    assert answers[2].scale == "minus the distance"
    assert [text for text in heard if "'distance' are minus the distances" in text]
    # The same as from one wide table.
    wide = pairs.rename(columns={"a": "image1", "b": "image2"})
    alone = read_scores(wide, columns={"score": ["aws", "azure", "dlib"]})
    wide.drop(columns="mated").to_csv(exports[1], index=False)
    again = read_scores(exports[:2], columns={"aws:score": ["aws", "azure"]})
    assert [each.scores.tolist() for each in again] == [
        each.scores.tolist() for each in answers[:2]
    ]
    together = evaluate(answers[:2], required_fmr=0.2)
    assert together.differences == evaluate(alone[:2], required_fmr=0.2).differences


def test_a_label_in_one_vendors_file_is_enough(pairs, exports, tmp_path):
    aws = pd.read_csv(exports[1]).assign(label=pairs["mated"])
    aws.to_csv(exports[1], index=False)
    first, second = read_scores(exports[1:3])
    assert first.mated.tolist() == second.mated.tolist() == (pairs["mated"] == 1).tolist()
    # Two files that contradict each other are refused, with both places.
    other = pd.read_csv(exports[0])
    other.loc[3, "mated"] = 1 - other.loc[3, "mated"]
    other.to_csv(exports[0], index=False)
    with pytest.raises(InvalidRequest, match=r"line 5 of (labels|aws).csv"):
        read_scores(exports[:2])


def test_missing_pairs_of_a_file_are_noted_as_not_asked(exports):
    part = pd.read_csv(exports[1]).iloc[:50]
    part.to_csv(exports[1], index=False)
    heard = []
    aws, azure, _ = read_scores(exports, note=heard.append)
    assert (aws.answered.sum(), azure.answered.sum()) == (50, 60)
    # Of labelled pairs that no file answers the rest is not asked either.
    (alone,) = read_scores(exports[:2], note=heard.append)
    assert len(alone) == 50
    assert len([text for text in heard if text.startswith("aws: 10 of 60 pairs")]) == 2
    assert aws.not_answered == {"not asked": 10}


@pytest.fixture
def rekognition(tmp_path):
    """A list of labels, and Rekognition's export: a line for each pair that scores 80 or more."""
    chance = np.random.default_rng(7)
    mated = np.arange(200) % 2 == 0
    frame = pd.DataFrame({"image1": [f"a{n}.jpg" for n in range(200)], "mated": mated.astype(int)})
    frame["image2"] = [f"b{n}.jpg" for n in range(200)]
    frame["similarity"] = chance.normal(np.where(mated, 97, 50), 12).clip(1, 100).round(2)
    is_below = frame["similarity"] < 80
    files = [tmp_path / "labels.csv", tmp_path / "aws.csv"]
    frame[["image1", "image2", "mated"]].to_csv(files[0], index=False)
    frame[~is_below][["image1", "image2", "similarity"]].to_csv(files[1], index=False)
    full = frame.assign(similarity=frame["similarity"].mask(is_below))
    return files, full, int(is_below.sum())


def test_omitted_lines_of_low_scores_are_refused_with_the_option_that_explains_them(rekognition):
    files, _, _ = rekognition
    with pytest.raises(InvalidRequest, match=r"100% of .* non-mated.*below=\{'aws': 80\}"):
        read_scores(files)


def test_omitted_lines_count_below_the_vendors_threshold_if_the_user_says_so(rekognition):
    files, full, count = rekognition
    heard = []
    (aws,) = read_scores(files, below=80, note=heard.append)
    (of_empty_scores,) = read_scores(full, below=80, name="aws")
    assert aws.answered.all()
    assert sorted(aws.scores) == sorted(of_empty_scores.scores)
    assert aws.mated.sum() == of_empty_scores.mated.sum() == 100
    assert [text for text in heard if text.startswith(f"aws: {count} labelled pairs are not in")]


def test_other_vendors_facts_are_not_those_of_omitted_lines(rekognition, tmp_path):
    files, full, count = rekognition
    other = full.assign(similarity=50, elapsed_s=3, model="v2", error="")
    other.loc[199, ["similarity", "error"]] = None, "timeout"
    other.drop(columns="mated").to_csv(tmp_path / "other.csv", index=False)
    answers = read_scores([tmp_path / "other.csv", *files], below={"aws": 80})
    aws = next(each for each in answers if each.name == "aws")
    assert aws.answered.all()
    assert aws.model is None
    assert np.count_nonzero(aws.scores < 80) == count


def test_pairs_of_a_file_with_empty_scores_were_not_asked(rekognition):
    files, full, _ = rekognition
    full.iloc[:150].drop(columns="mated").to_csv(files[1], index=False)
    (aws,) = read_scores(files, below=80)
    assert len(aws) == 150


def test_files_that_share_no_pairs_do_not_omit_all_of_them(rekognition):
    files, _, _ = rekognition
    pd.read_csv(files[1]).replace("a", "x", regex=True).to_csv(files[1], index=False)
    with pytest.raises(InvalidRequest, match="0 of the 200 pairs"):
        read_scores(files, below=80)


def test_lines_without_a_label_are_skipped_with_a_note(exports):
    pd.read_csv(exports[0]).iloc[:40].to_csv(exports[0], index=False)
    heard = []
    answers = read_scores(exports, note=heard.append)
    assert {len(each) for each in answers} == {40}
    assert [text for text in heard if text.startswith("aws: 20 lines are left out")]


def test_files_that_share_no_pairs_are_refused_with_an_example_of_each(exports, tmp_path):
    other = pd.read_csv(exports[1]).replace("a", "x", regex=True)
    other.to_csv(exports[1], index=False)
    with pytest.raises(InvalidRequest, match=r"0 of the 60 pairs .*'x0.jpg'.*'a0.jpg'"):
        read_scores(exports)
    with pytest.raises(InvalidRequest, match="have the name 'aws'"):
        read_scores([*exports, exports[1]])
    pd.DataFrame({"pair": [1, 2], "score": [5, 6]}).to_csv(tmp_path / "ids.csv", index=False)
    with pytest.raises(ColumnsNotRecognised) as caught:
        read_scores([*exports, tmp_path / "ids.csv"])
    assert caught.value.columns == {"ids:probe": "COLUMN", "ids:reference": "COLUMN"}


def test_a_file_with_few_pairs_of_the_others_may_omit_low_scores(exports):
    """Its first pair is that of the others, so an example would mislead."""
    pd.read_csv(exports[1]).iloc[:20].to_csv(exports[1], index=False)
    with pytest.raises(InvalidRequest, match="20 of the 60 pairs") as caught:
        read_scores(exports)
    assert "below={'aws': 'NUMBER'}" in caught.value.message
    assert "a0.jpg" not in caught.value.message


def test_columns_missing_for_a_join_are_requested_per_file(pairs, exports):
    labels = pd.read_csv(exports[0]).rename(columns={"image2": "card"})
    labels.to_csv(exports[0], index=False)
    with pytest.raises(ColumnsNotRecognised) as caught:
        read_scores(exports)
    assert caught.value.columns == {"labels:reference": "COLUMN"}
    # An ambiguous column of another file is asked for in the same error.
    pd.read_csv(exports[1]).assign(Confidence=99).to_csv(exports[1], index=False)
    with pytest.raises(ColumnsNotRecognised) as caught:
        read_scores(exports)
    assert caught.value.columns == {"aws:score": "COLUMN", "labels:reference": "COLUMN"}
    pd.read_csv(exports[1]).drop(columns="Confidence").to_csv(exports[1], index=False)
    answers = read_scores(exports, columns={"labels:reference": "card"})
    assert answers[1].scores.tolist() == pairs["azure"].tolist()


def test_a_separate_label_file_may_agree_exactly_with_the_scores(pairs, exports):
    """A list of pairs is no vendor's answer."""
    aws = pd.read_csv(exports[1]).assign(Similarity=pairs["mated"] * 50 + 20)
    aws.to_csv(exports[1], index=False)
    assert read_scores(exports[:2])[0].mated.sum() == PAIRS / 2
    with pytest.raises(ColumnsNotRecognised):
        read_scores(aws.assign(label=pairs["mated"]))


def test_folders_of_pictures_are_ignored(pairs, exports):
    azure = pd.read_csv(exports[2], sep=";", decimal=",")
    for column in ("file1", "file2"):
        azure[column] = "s3://bucket/" + azure[column]
    azure.to_csv(exports[2], index=False)
    heard = []
    answers = read_scores(exports, note=heard.append)
    assert answers[1].scores.tolist() == pairs["azure"].tolist()
    assert [text for text in heard if "because their folders differ" in text]


def test_column_arguments_apply_to_one_file_or_all(pairs, exports, tmp_path):
    azure = pd.read_csv(exports[2], sep=";", decimal=",")
    azure.rename(columns={"confidence": "belief", "file1": "left"}).to_csv(exports[2], index=False)
    with pytest.raises(InvalidRequest):
        read_scores(exports)
    for columns in (
        {"azure:score": "belief", "azure:probe": "left"},
        {"azure.csv:score": "belief", "probe": "left"},
    ):
        assert read_scores(exports, columns=columns)[1].scores.tolist() == pairs["azure"].tolist()
    for wrong in ({"azur:score": "belief"}, {"azure:score": "Similarity"}, {"score": "nothing"}):
        with pytest.raises(InvalidRequest):
            read_scores(exports, columns=wrong)


def test_people_and_groups_of_a_label_file_apply_to_all(pairs, exports):
    people = pd.read_csv(exports[0])
    people["person1"] = [f"p{n % 10}" for n in range(PAIRS)]
    mated = people["mated"] == 1
    people["person2"] = people["person1"].where(mated, [f"p{(n + 1) % 10}" for n in range(PAIRS)])
    people["group_sex"] = "f"
    people.to_csv(exports[0], index=False)
    for each in read_scores(exports):
        assert each.people_known
        assert len(each.people.numbers) == 10
        assert each.groups["sex"].labels == ("f",)


def test_groups_of_a_file_with_the_pairs_the_other_way_round_stay_with_their_pictures(
    pairs, exports
):
    sexes = pd.DataFrame(
        # The ends of every other pair are one person.
        {"a": ["f", "x", "m", "f"] * (PAIRS // 4), "b": ["f", "m", "m", "x"] * (PAIRS // 4)}
    )
    labels = pd.read_csv(exports[0])
    labels["probe_group_sex"] = sexes["a"]
    labels["reference_group_sex"] = sexes["b"]
    labels.to_csv(exports[0], index=False)
    dlib = pd.read_json(exports[3])
    dlib["probe_group_sex"] = sexes["b"]  # of "b.jpg", which is "img1" here
    dlib["reference_group_sex"] = sexes["a"]
    dlib.to_json(exports[3], orient="records")
    for each in read_scores(exports):
        sex = each.groups["sex"]
        assert [sex.labels[number] for number in sex.probe] == sexes["a"].tolist()
        assert [sex.labels[number] for number in sex.reference] == sexes["b"].tolist()


def test_files_with_people_only_are_joined_by_both_people(tmp_path):
    for name, lines in (("a", "x,x,90\nx,y,20\ny,z,30\n"), ("b", "y,x,10\ny,z,40\nx,x,80\n")):
        (tmp_path / f"{name}.csv").write_text(f"person1,person2,score\n{lines}")
    paths = [tmp_path / "a.csv", tmp_path / "b.csv"]
    first, second = read_scores(paths)
    assert (first.scores.tolist(), second.scores.tolist()) == ([90, 20, 30], [80, 10, 40])
    paths[0].write_text(f"{paths[0].read_text()}z,y,25\n")
    twice = r"a.csv, line 5: the pair 'y and z' of 'a' appears twice: .* line 4 of a.csv; .* lines"
    with pytest.raises(InvalidRequest, match=twice):
        read_scores(paths)


def test_files_that_spell_people_in_other_ways_are_joined(tmp_path):
    """One file has capitals and composed accents, the other has not."""
    lines = []
    other_lines = []
    for number in range(20):
        person, other = f"Zo\u00eb {number}", f"Zo\u00eb {(number + 1) % 20}"
        for second, score in ((person, 90 + number / 4), (other, 10 + number / 4)):
            lines.append(f"{person},{second},{score}")
            decomposed = f"{person},{second}".lower().replace("\u00eb", "e\u0308")
            other_lines.append(f"{decomposed},{score / 2}")
    for name, content in (("aws", lines), ("azure", other_lines)):
        text = "\n".join(["person1,person2,score", *content])
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    heard = []
    answers = read_scores([tmp_path / "aws.csv", tmp_path / "azure.csv"], note=heard.append)
    assert [len(each.frame) for each in answers] == [40, 40]
    for each in answers:
        assert each.scored.all()
        assert int(each.mated.sum()) == 20
    assert [text for text in heard if "are one: 'Zo\u00eb 0' is also" in text]
