"""`facematch compare report --review`: labels of pairs by several people."""

import csv
import stat

import numpy as np
import pandas as pd
import pytest

REPORT = "compare report --fmr 0.2 --scores scores.csv"


@pytest.fixture
def pairs(tmp_path):
    """Scores without labels, and the files of two reviewers who contradict each other thrice."""
    chance = np.random.default_rng(5)
    frame = pd.DataFrame({"image1": [f"a{n}.jpg" for n in range(80)]})
    frame["image2"] = [f"b{n}.jpg" for n in range(80)]
    is_one_person = frame.index < 40
    frame["score"] = chance.normal(np.where(is_one_person, 70, 30), 10).round(1)
    frame.to_csv("scores.csv", index=False)
    words = np.where(is_one_person, "yes", "no")
    labels = frame[["image1", "image2"]]
    labels.assign(same_person=words).to_csv("ada.csv", index=False)
    words[[1, 2, 50]] = "no", "no", "yes"
    labels.assign(same_person=words).to_csv("bob.csv", index=False, sep=";")
    return frame


@pytest.mark.usefixtures("pairs")
def test_two_people_label_and_a_third_decides(run, run_json, tmp_path):
    two = f"{REPORT} --review ada.csv --review bob.csv"
    answer = run(f"{two} --review third.csv --out report.html")
    assert answer.exit_code == 0, answer.output
    assert "ada.csv and bob.csv agree about 77 of 80 pairs" in answer.stderr
    assert "written to third.csv" in answer.stdout
    assert "ada.csv and bob.csv agree" in (tmp_path / "report.html").read_text()
    third = tmp_path / "third.csv"
    assert stat.S_IMODE(third.stat().st_mode) == 0o600
    code, document = run_json(two)
    reviewed = document["evidence"]["reviewed"]
    assert (code, reviewed["labelled"], reviewed["contradicted"]) == (0, 77, 3)
    assert document["study"]["size"]["pairs"] == 77
    with third.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["same_person"] = "no" if row["image1"] == "a50.jpg" else "yes"
    pd.DataFrame(rows).to_csv(third, index=False)
    code, document = run_json(f"{two} --review third.csv")
    assert (code, document["study"]["size"]["mated"]) == (0, 40)
    digests = {document["evidence"]["sha256"]}
    digests.add(run_json(two)[1]["evidence"]["sha256"])
    assert len(digests) == 2


@pytest.mark.usefixtures("pairs")
def test_pairs_without_labels_end_in_a_private_file_to_label(run, run_json, pairs, tmp_path):
    line = f"{REPORT} --column reference=image2 --review new.csv"
    answer = run(line)
    assert (answer.exit_code, answer.stdout) == (3, "")
    assert "fill in same_person" in answer.stderr
    file = tmp_path / "new.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    blind = pd.read_csv(file, keep_default_na=False)
    assert list(blind) == ["number", "same_person", "remark", "image1", "image2"]
    assert sorted(blind["image1"]) == sorted(pairs["image1"])
    assert blind["image1"].tolist() != pairs["image1"].tolist()
    assert set(blind["same_person"]) == {""}
    before = file.read_bytes()
    assert run(line).exit_code == 2  # nothing is labelled yet
    assert file.read_bytes() == before
    is_mated = blind["image1"].isin(pairs["image1"][:40])
    blind.assign(same_person=np.where(is_mated, "yes", "no")).to_csv(file, index=False)
    code, document = run_json(line)
    assert (code, document["study"]["size"]["mated"]) == (0, 40)


def test_columns_that_are_named_for_one_file_identify_its_pairs(run, run_json, pairs, tmp_path):
    pairs.columns = ["pic_x", "pic_y", "score"]
    pairs.to_csv("theirs.csv", index=False)
    line = "compare report --scores theirs.csv --scores scores.csv --fmr 0.2 --review new.csv"
    line += " --column theirs.csv:probe=pic_x --column theirs:reference=pic_y"
    answer = run(line)
    assert answer.exit_code == 3, answer.stderr
    file = tmp_path / "new.csv"
    blind = pd.read_csv(file, keep_default_na=False)
    assert len(blind) == 80
    is_mated = blind["probe"].isin(pairs["pic_x"][:40])
    blind.assign(same_person=np.where(is_mated, "yes", "no")).to_csv(file, index=False)
    code, document = run_json(line)
    assert (code, document["study"]["size"]["mated"]) == (0, 40)
    assert [system["name"] for system in document["systems"]] == ["theirs", "scores"]


def test_pictures_in_other_folders_are_the_same_pairs(run, run_json, pairs, tmp_path):
    pairs["image1"] = "/data/2026/" + pairs["image1"]
    pairs["image2"] = "C:\\pictures\\" + pairs["image2"]
    pairs[:70].to_csv("theirs.csv", index=False)
    line = "compare report --scores scores.csv --scores theirs.csv --fmr 0.2 --review new.csv"
    assert run(line).exit_code == 3
    file = tmp_path / "new.csv"
    blind = pd.read_csv(file, keep_default_na=False)
    assert sorted(blind["image1"]) == sorted(f"a{n}.jpg" for n in range(80))
    is_mated = blind["image1"].isin(f"a{n}.jpg" for n in range(40))
    blind.assign(same_person=np.where(is_mated, "yes", "no")).to_csv(file, index=False)
    code, document = run_json(line)
    assert (code, document["study"]["size"]["mated"]) == (0, 40)


@pytest.mark.usefixtures("pairs")
def test_scores_that_identify_no_pair_cannot_be_labelled(run, tmp_path):
    (tmp_path / "scores.csv").write_text("score,remark\n1,a\n2,b\n")
    assert run(f"{REPORT} --review new.csv").exit_code == 2
    assert not (tmp_path / "new.csv").exists()


WRONG = {
    "the same file": "--review ada.csv --review ./ada.csv",
    "one file and a new one": "--review ada.csv --review new.csv",
    "two new ones": "--review new.csv --review newer.csv",
    "no contradiction": "--review ada.csv --review copy.csv --review new.csv",
    "two columns of labels": "--review ada.csv --column mated=score",
    "labels that would be overwritten": "--review ada.csv --wrong ada.csv",
    "another form": "--review ada.json",
}


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize("name", WRONG)
def test_files_of_reviewers_that_do_not_fit_are_refused(run, tmp_path, name):
    (tmp_path / "copy.csv").write_bytes((tmp_path / "ada.csv").read_bytes())
    answer = run(f"{REPORT} {WRONG[name]}")
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert not (tmp_path / "new.csv").exists()


@pytest.mark.usefixtures("pairs")
def test_reviews_without_scores_are_refused(run):
    assert run("compare report --review ada.csv").exit_code == 2
