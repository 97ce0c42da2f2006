"""`facematch compare draw`, `export`, `wrong` and `embed`: what goes in, and what comes out."""

import csv
import json
import os
from pathlib import Path

import pytest
from kit.comparison.studies import write_study
from kit.comparison.tables import crowd
from kit.fakes import picture

from facematch_comparison import read_scores, write_scores
from facematch_comparison.run import RunDatabase, embeddings, read_answers, read_embeddings
from facematch_comparison.study import (
    draw_pairs,
    photographs,
    read_study,
    split_by_subject,
    write_pairs_csv,
)

PHOTOGRAPHS = Path(__file__).parents[3] / "docs" / "photographs"
DRAW = ("compare", "draw", "faces", "--out", "pairs.csv")


@pytest.fixture
def faces(tmp_path):
    """Six people with three photographs each."""
    for person in range(6):
        folder = tmp_path / "faces" / f"p{person}"
        folder.mkdir(parents=True)
        for number in range(3):
            (folder / f"{number}.jpg").touch()
    return tmp_path / "faces"


def test_what_is_drawn_is_read_and_what_the_library_draws(run, faces, tmp_path):
    answer = run(*DRAW, "--mated", 10, "--non-mated", 20, "--seed", 4)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("10 mated and 20 non-mated pairs of 6 people, 18 photographs")
    read = read_study(tmp_path / "pairs.csv")
    drawn = draw_pairs(photographs(faces), mated=10, non_mated=20, seed=4)
    assert [(p.probe, p.reference, p.mated) for p in read.pairs] == [
        (p.probe, p.reference, p.mated) for p in drawn.pairs
    ]
    # Pictures are named from where the file lies.
    assert run(*DRAW[:3], "--out", "new/pairs.csv").exit_code == 0
    assert read_study(tmp_path / "new" / "pairs.csv").pairs[0].probe.resolve().is_relative_to(faces)


@pytest.mark.usefixtures("faces")
def test_pairs_are_drawn_within_halves_or_groups(run, tmp_path):
    assert run(*DRAW, "--split", "--non-mated", 40).exit_code == 0
    study = read_study(tmp_path / "pairs.csv")
    halves = split_by_subject(*study.subject_numbers)
    assert (len(study.pairs), [half.sum() for half in halves]) == (58, [29, 29])
    (tmp_path / "groups.csv").write_text(
        "person,sex,site\n" + "".join(f"p{n},{'fm'[n % 2]},north\n" for n in range(6))
    )
    words = ("--non-mated", 30, "--groups", "groups.csv", "--within", "sex", "--force")
    assert run(*DRAW, *words).exit_code == 0
    groupings = read_study(tmp_path / "pairs.csv").groupings()
    assert groupings["site"].labels == ("north",)
    assert (groupings["sex"].within >= 0).all()
    assert set(groupings["sex"].labels) == {"f", "m"}


@pytest.mark.usefixtures("faces")
def test_wrong_words_of_draw(refused, tmp_path):
    (tmp_path / "wrong.csv").write_text("person,sex\nzoe,f\n")
    (tmp_path / "there.csv").write_text("mine")
    lines = ["--mated 99", "--within sex", "--groups wrong.csv", "--out there.csv"]
    refused("draw", "none --out p.csv", *(f"faces --out pairs.csv {words}" for words in lines))


def test_exported_answers_are_read_again_to_the_last_digit(run, tmp_path):
    write_scores(tmp_path / "s.csv", [crowd("a", people=30), crowd("b", people=30, seed=1)])
    words = ("compare", "export", "--scores", "s.csv", "--out", "new/all.parquet")
    answer = run(*words)
    assert answer.exit_code == 0, answer.output
    first, again = read_scores(tmp_path / "s.csv"), read_scores(tmp_path / "new/all.parquet")
    for drawn, repeated in zip(first, again, strict=True):
        assert drawn.name == repeated.name
        assert drawn.table.scores.tolist() == repeated.table.scores.tolist()
    assert run(*words).exit_code == 2, "the file exists"


@pytest.fixture
def _answered(run, scripted, tmp_path):
    """Six pairs that a scripted backend answered, in study.sqlite3 and pairs.csv: all match."""
    write_pairs_csv(tmp_path / "pairs.csv", write_study(tmp_path / "pictures"))
    answer = run("compare", "run", "pairs.csv", "--backend", "fake", "--yes")
    assert answer.exit_code == 0, answer.output


@pytest.mark.usefixtures("_answered")
def test_a_run_is_exported_with_names_of_people_only_if_asked(run, tmp_path):
    assert run("compare", "export", "--out", "bare.csv").exit_code == 0
    assert "Anna" not in (tmp_path / "bare.csv").read_text()
    assert run("compare", "export", "--pairs", "pairs.csv", "--out", "named.csv").exit_code == 0
    assert "Anna 0" in (tmp_path / "named.csv").read_text()
    (stored,) = read_answers(database := RunDatabase("sqlite:///study.sqlite3"), database.study())
    database.close()
    (read,) = read_scores(tmp_path / "named.csv")
    assert read.table.scores.tolist() == stored.table.scores.tolist()


SCORES = """image1,image2,same,probe_subject,reference_subject,score
=1.png,2.png,1,anna,anna,20
3.png,4.png,1,bert,bert,90
1.png,3.png,0,anna,bert,70
2.png,4.png,0,anna,bert,60
2.png,3.png,0,anna,bert,10
"""
WRONG = ("compare", "wrong", "--scores", "of/mine.csv")
AT_50 = (*WRONG, "--threshold", "50")


@pytest.fixture
def scores(tmp_path):
    """Five pairs in a folder, with their pictures beside them."""
    (tmp_path / "of").mkdir()
    for name in ("=1", "1", "2", "3", "4"):
        (tmp_path / "of" / f"{name}.png").write_bytes(picture((50, 60, 70), kind="PNG").data)
    (tmp_path / "of" / "mine.csv").write_text(SCORES)


@pytest.mark.usefixtures("scores")
def test_wrong_pairs_are_listed_the_worst_of_each_kind_first(screens):
    with screens("wrong") as show:
        rows = show("", *AT_50).stdout.splitlines()[2:]
        show("", *WRONG, "--fmr", "0.4", "--most", "1")
    assert [(row.split("  ")[0], row.split()[-1]) for row in rows] == [
        *(("false match", "70"), ("false match", "60"), ("false non-match", "20"))
    ]


@pytest.mark.usefixtures("scores")
def test_wrong_pairs_are_the_same_in_all_files_and_no_cell_is_a_formula(run, tmp_path):
    outs = [word for kind in ("csv", "json", "html") for word in ("--out", f"w.{kind}")]
    answer = run(*AT_50, *outs)
    assert (answer.exit_code, answer.stderr) == (0, "")
    document = json.loads((tmp_path / "w.json").read_text())
    assert document["kind"] == "wrong pairs"
    assert [(row["pair"], row["score"]) for row in document["pairs"]] == [(2, 70), (3, 60), (0, 20)]
    with (tmp_path / "w.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["pair"] for row in rows] == ["2", "3", "0"]
    assert rows[-1]["probe"] == "'=1.png"
    assert "data:image" not in (tmp_path / "w.html").read_text()
    assert run(*AT_50, *outs).exit_code == 2, "the files exist"


@pytest.mark.usefixtures("scores")
def test_pictures_are_shown_only_when_asked_and_with_a_warning(run, tmp_path):
    words = (*AT_50, "--out", "w.html", "--pictures")
    answer = run(*words)
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "w.html").read_text().count("data:image/jpeg") == 6
    assert os.name == "nt" or (tmp_path / "w.html").stat().st_mode & 0o777 == 0o600
    assert "warning: w.html holds photographs of people" in answer.stderr
    (tmp_path / "of" / "3.png").unlink()
    assert run(*words, "--force").exit_code == 2


@pytest.mark.usefixtures("_answered")
def test_pictures_of_a_run_are_those_of_its_file_of_pairs(run, tmp_path):
    words = ("compare", "wrong", "--out", "w.html", "--pictures")
    nothing = run(*words)
    assert (nothing.exit_code, "add --pairs FILE" in nothing.stderr) == (2, True)
    answer = run(*words, "--pairs", "pairs.csv")
    assert answer.exit_code == 0, answer.output
    assert "fake by its own decisions: 3 false matches" in answer.stdout
    assert (tmp_path / "w.html").read_text().count("data:image/jpeg") == 6
    # Other pictures under the same names would show the wrong people.
    (tmp_path / "pictures" / "Anna-1-a.jpg").write_bytes(picture((1, 2, 3)).data)
    other = run(*words, "--pairs", "pairs.csv", "--force")
    assert (other.exit_code, "is not what was run" in other.stderr) == (2, True)


@pytest.mark.usefixtures("scores")
def test_wrong_words_of_wrong(refused):
    lines = ["--threshold 5 --fmr 0.1", "--pictures", "--threshold nan", "--system mime"]
    lines += ["--store x", "--column score=nothing"]
    refused("wrong", *(f"--scores of/mine.csv {words}" for words in lines))


def test_pictures_are_embedded_for_their_owner_alone_and_the_run_reads_them(
    run, run_json, tmp_path
):
    first, second = (PHOTOGRAPHS / f"Family1-Dad{number}.jpg" for number in (1, 2))
    (tmp_path / "pairs.csv").write_text(
        f"probe,reference,same,probe_subject,reference_subject\n{first},{second},1,dad,dad\n"
    )
    words = ("compare", "embed", "pairs.csv", "--out", "new/e.parquet")
    answer = run(*words)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("2 pictures, a face was found in all of them")
    # An embedding is biometric data.
    assert (tmp_path / "new" / "e.parquet").stat().st_mode & 0o777 == 0o600
    assert len(read_embeddings(tmp_path / "new" / "e.parquet").pictures) == 2
    more = ("compare", "run", "pairs.csv", "--backend", "local", "--embeddings", "new/e.parquet")
    code, document = run_json(*more)
    assert (code, document["systems"][0]["answered"]) == (0, 1)
    assert run(*words).exit_code == 2, "the file exists"


def test_a_paid_vendor_is_not_embedded(refused, scripted, tmp_path, monkeypatch):
    monkeypatch.setattr(embeddings, "backend_class", lambda _name: type(scripted))
    write_study(tmp_path / "pictures")
    words = "pictures --out e.parquet --backend fake"
    refused("embed", words, f"{words} --dask tcp://127.0.0.1:1")
    assert scripted.calls == []


def test_a_percentage_for_a_rate_is_told_as_a_fraction(run):
    answer = run("compare", "plan", "--fmr", "0.1%")
    assert answer.exit_code == 2
    assert "write 0.001" in answer.stderr
