"""`facematch compare draw`, `export`, `wrong` and `embed`: what goes in, and what comes out."""

import csv
import json
import os
from pathlib import Path

import pytest
from kit.comparison.studies import write_study
from kit.comparison.tables import answers, crowd
from kit.fakes import picture

from facematch_comparison import read_scores, write_scores
from facematch_comparison.run import (
    RunDatabase,
    embeddings,
    read_answers,
    read_embeddings,
)
from facematch_comparison.study import (
    draw_pairs,
    photographs,
    read_study,
    split_by_subject,
    write_pairs_csv,
)

PHOTOGRAPHS = Path(__file__).parents[3] / "docs" / "photographs"


# --- draw -----------------------------------------------------------------------------------------


@pytest.fixture
def faces(tmp_path):
    """Six people with three photographs each."""
    for person in range(6):
        folder = tmp_path / "faces" / f"p{person}"
        folder.mkdir(parents=True)
        for number in range(3):
            (folder / f"{number}.jpg").touch()
    return tmp_path / "faces"


def test_what_is_drawn_is_read(run, faces, tmp_path):
    """The same pairs as the library draws; names are relative to the file."""
    answer = run(
        *("compare", "draw", "faces", "--out", "pairs.csv", "--mated", 10, "--non-mated", 20),
        *("--seed", 4),
    )
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == (
        "10 mated and 20 non-mated pairs of 6 people, 18 photographs: written to pairs.csv\n"
    )
    read = read_study(tmp_path / "pairs.csv")
    drawn = draw_pairs(photographs(faces), mated=10, non_mated=20, seed=4)
    assert [(p.probe, p.reference, p.mated) for p in read.pairs] == [
        (p.probe, p.reference, p.mated) for p in drawn.pairs
    ]
    assert (tmp_path / "pairs.csv").read_text().splitlines()[1].startswith("faces/p")


def test_no_cell_is_a_formula(run, faces, tmp_path):
    """A spreadsheet would calculate it; what is read are the same pictures and people."""
    (tmp_path / "odd").mkdir()
    (faces / "p0").rename(tmp_path / "odd" / "-2+3")
    (faces / "p1").rename(tmp_path / "odd" / "=1")
    assert run("compare", "draw", "odd", "--out", "odd/pairs.csv").exit_code == 0
    text = (tmp_path / "odd" / "pairs.csv").read_text()
    cells = [cell for line in text.splitlines() for cell in line.split(",")]
    assert not [cell for cell in cells if cell[0] in "=+-@"]
    read = read_study(tmp_path / "odd" / "pairs.csv")
    assert {pair.probe.parent.name for pair in read.pairs} == {"-2+3", "=1"}
    assert {pair.probe_subject for pair in read.pairs} == {"-2+3", "=1"}


def test_within_halves(run, faces, tmp_path):
    """No pair is lost when people are divided."""
    words = ("compare", "draw", faces, "--out", "pairs.csv", "--split", "--non-mated", 40)
    assert run(*words).exit_code == 0
    study = read_study(tmp_path / "pairs.csv")
    development, test = split_by_subject(*study.subject_numbers)
    assert len(study.pairs) == 58
    assert [development.sum(), test.sum()] == [29, 29]


def test_into_a_new_folder(run, faces, tmp_path):
    """It is made; files are named from there."""
    assert run("compare", "draw", faces, "--out", "new/pairs.csv").exit_code == 0
    read = read_study(tmp_path / "new" / "pairs.csv")
    assert len(read.pairs) == 36
    assert read.pairs[0].probe.resolve().is_relative_to(faces)


def test_within_groups(run, faces, tmp_path):
    """Non-mated pairs stay within; the file says who belongs where."""
    (tmp_path / "groups.csv").write_text(
        "person,sex,site\n" + "".join(f"p{n},{'fm'[n % 2]},north\n" for n in range(6))
    )
    answer = run(
        *("compare", "draw", faces, "--out", "pairs.csv", "--non-mated", 30),
        *("--groups", "groups.csv", "--within", "sex"),
    )
    assert answer.exit_code == 0, answer.output
    groupings = read_study(tmp_path / "pairs.csv").groupings()
    assert groupings["site"].labels == ("north",)
    assert (groupings["sex"].within >= 0).all()
    assert set(groupings["sex"].labels) == {"f", "m"}


def test_a_file_that_is_there(run, faces, tmp_path):
    """Stays, unless --force says otherwise."""
    (tmp_path / "pairs.csv").write_text("mine")
    words = ("compare", "draw", faces, "--out", "pairs.csv")
    answer = run(*words)
    assert answer.exit_code == 2
    assert "pairs.csv exists" in answer.stderr
    assert (tmp_path / "pairs.csv").read_text() == "mine"
    assert run(*words, "--force").exit_code == 0
    assert read_study(tmp_path / "pairs.csv").pairs


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("none --out pairs.csv", "The folder none cannot be read: No such file"),
        ("faces --out pairs.csv --mated 99", "99 mated pairs are wanted"),
        ("faces --out pairs.csv --within sex", "--within names a column of --groups"),
        ("faces --out pairs.csv --groups groups.csv --within skin", "there are: sex."),
        ("faces --out pairs.csv --groups wrong.csv", "nobody is called 'zoe'"),
        ("faces --out faces", "--out names a folder"),
    ],
)
def test_wrong_words(run, faces, tmp_path, words, sentence):
    """Exit code 2 and one sentence; nothing is written."""
    (tmp_path / "groups.csv").write_text("person,sex\np0,f\n")
    (tmp_path / "wrong.csv").write_text("person,sex\nzoe,f\n")
    answer = run("compare", "draw", *words.split())
    assert answer.exit_code == 2
    assert sentence in answer.stderr
    assert not (tmp_path / "pairs.csv").exists()


# --- export ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_answers_are_exported_and_read_again(run, tmp_path, suffix):
    """To the last digit, whichever the form; the same judgement comes of them."""
    write_scores(tmp_path / "s.csv", [crowd("a", people=30), crowd("b", people=30, seed=1)])
    out = f"new/all.{suffix}"
    answer = run("compare", "export", "--scores", "s.csv", "--out", out)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == f"1500 answers of 2 systems: written to {out}\n"
    first, again = read_scores(tmp_path / "s.csv"), read_scores(tmp_path / out)
    for one, other in zip(first, again, strict=True):
        assert one.name == other.name
        assert one.table.scores.tolist() == other.table.scores.tolist()
        assert one.table.mated.tolist() == other.table.mated.tolist()
    there = run("compare", "export", "--scores", "s.csv", "--out", out)
    assert (there.exit_code, "exists" in there.stderr) == (2, True)
    assert not list(tmp_path.rglob(".facematch*"))


@pytest.fixture
def asked(run, scripted, tmp_path):
    """Six pairs that a scripted backend answered, in study.sqlite3 and pairs.csv: all match."""
    write_pairs_csv(tmp_path / "pairs.csv", write_study(tmp_path / "pictures"))
    answer = run("compare", "run", "pairs.csv", "--backend", "fake", "--yes")
    assert answer.exit_code == 0, answer.output


@pytest.mark.usefixtures("asked")
def test_a_store_is_exported_with_names_only_if_asked(run, tmp_path):
    """A run database holds no name of a person; the file of pairs does."""
    assert run("compare", "export", "--out", "bare.csv").exit_code == 0
    assert "Anna" not in (tmp_path / "bare.csv").read_text()
    assert run("compare", "export", "--pairs", "pairs.csv", "--out", "named.csv").exit_code == 0
    assert "Anna 0" in (tmp_path / "named.csv").read_text()
    (stored,) = read_answers(database := RunDatabase("sqlite:///study.sqlite3"), database.study())
    database.close()
    (read,) = read_scores(tmp_path / "named.csv")
    assert read.table.scores.tolist() == stored.table.scores.tolist()
    wrong = run("compare", "export", "--out", "all.txt")
    assert (wrong.exit_code, "--out writes .parquet or .csv" in wrong.stderr) == (2, True)


# --- wrong ----------------------------------------------------------------------------------------

SCORES = """image1,image2,same,probe_subject,reference_subject,score
=1.png,2.png,1,anna,anna,20
3.png,4.png,1,bert,bert,90
1.png,3.png,0,anna,bert,70
2.png,4.png,0,anna,bert,60
2.png,3.png,0,anna,bert,10
"""


@pytest.fixture
def scores(tmp_path):
    """Five pairs in a folder, with their pictures beside them."""
    (tmp_path / "of").mkdir()
    for name in ("=1", "1", "2", "3", "4"):
        (tmp_path / "of" / f"{name}.png").write_bytes(picture((50, 60, 70), kind="PNG").data)
    (tmp_path / "of" / "mine.csv").write_text(SCORES)
    return ("compare", "wrong", "--scores", "of/mine.csv")


def test_wrong_pairs_are_listed(run, scores):
    """False matches first, the worst of each kind first."""
    answer = run(*scores, "--threshold", "50")
    assert answer.exit_code == 0, answer.output
    first, header, *rows = answer.stdout.splitlines()
    assert first == (
        "mine at the threshold 50: 2 false matches, 1 false non-match, 0 failures to acquire"
    )
    assert header.split() == [
        *("kind", "pair", "probe", "reference", "probe_subject", "reference_subject", "score")
    ]
    assert [row.split("  ")[0] for row in rows] == [
        *("false match", "false match", "false non-match")
    ]
    assert [row.split()[-1] for row in rows] == ["70", "60", "20"]
    one = run(*scores, "--fmr", "0.4", "--most", "1")
    assert "1 false match, 1 false non-match, 0 failures" in one.stdout


def test_wrong_pairs_in_files(run, scores, tmp_path):
    """All forms have the same pairs; no cell is a formula; a page holds no picture unasked."""
    outs = [word for kind in ("csv", "json", "html") for word in ("--out", f"w.{kind}")]
    answer = run(*scores, "--threshold", "50", *outs)
    assert answer.exit_code == 0, answer.output
    document = json.loads((tmp_path / "w.json").read_text())
    assert document["kind"] == "wrong pairs"
    assert [(one["pair"], one["score"]) for one in document["pairs"]] == [(2, 70), (3, 60), (0, 20)]
    with (tmp_path / "w.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["pair"] for row in rows] == ["2", "3", "0"]
    assert rows[-1]["probe"] == "'=1.png"
    assert "data:image" not in (tmp_path / "w.html").read_text()
    assert answer.stderr == ""
    assert run(*scores, "--threshold", "50", *outs).exit_code == 2


def test_pictures_are_shown_only_when_asked_and_with_a_warning(run, scores, tmp_path):
    """They are found beside the file of scores."""
    words = (*scores, "--threshold", "50", "--out", "w.html", "--pictures")
    answer = run(*words)
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "w.html").read_text().count("data:image/jpeg") == 6
    assert os.name == "nt" or (tmp_path / "w.html").stat().st_mode & 0o777 == 0o600
    assert "warning: w.html holds photographs of people" in answer.stderr
    (tmp_path / "of" / "3.png").unlink()
    gone = run(*words, "--force")
    assert gone.exit_code == 2
    assert "3.png' does not exist" in gone.stderr


@pytest.mark.usefixtures("asked")
def test_pictures_of_a_run_are_those_of_its_file_of_pairs(run, tmp_path):
    """Other pairs or other pictures under the same names would show the wrong people."""
    words = ("compare", "wrong", "--out", "w.html", "--pictures")
    nothing = run(*words)
    assert nothing.exit_code == 2
    assert "Nothing says which pictures these are: add --pairs FILE." in nothing.stderr
    answer = run(*words, "--pairs", "pairs.csv")
    assert answer.exit_code == 0, answer.output
    assert "fake by its own decisions: 3 false matches" in answer.stdout
    assert (tmp_path / "w.html").read_text().count("data:image/jpeg") == 6
    (tmp_path / "pictures" / "Anna-1-a.jpg").write_bytes(picture((1, 2, 3)).data)
    other = run(*words, "--pairs", "pairs.csv", "--force")
    assert other.exit_code == 2
    assert "--pairs: pairs.csv is not what was run as 'pairs'" in other.stderr


def test_many_wrong_pairs_are_not_all_printed(run, tmp_path):
    """A file has them."""
    write_scores(tmp_path / "s.csv", [answers([90], [95] * 50)])
    answer = run("compare", "wrong", "--scores", "s.csv", "--threshold", "50")
    assert answer.stdout.splitlines()[-1] == "... and 30 more: name a file for all with --out"
    write_scores(tmp_path / "t.csv", [answers([90, 97, 97], [95, 97, 10, 10])])
    none = run("compare", "wrong", "--scores", "t.csv", "--fmr", "0.01")
    assert (none.exit_code, none.stdout) == (2, "")
    assert "No threshold for an FMR of 0.01: Two different people" in none.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--threshold 5 --fmr 0.1", "Say --threshold or --fmr, not both."),
        ("--pictures", "--pictures goes with a page"),
        ("--pictures --out w.csv", "--pictures goes with a page"),
        *(
            ("--fmr 0", "--fmr"),
            ("--threshold fifty", "--threshold"),
            ("--threshold nan", "--threshold"),
            ("--rule below", "above"),
        ),
        ("--system mime", "No system is called 'mime' here; did you mean mine?"),
        ("--out w.txt", "--out writes .html or .csv or .json"),
        ("--store x", "--scores goes without --store and --study"),
        ("--column mated", "'mated' is not name=value"),
        ("--column score=nothing", "there is no column 'nothing'"),
    ],
)
def test_wrong_words_of_wrong(run, scores, tmp_path, words, said):
    """One sentence, and no file."""
    answer = run(*scores, *words.split())
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert said in answer.stderr
    assert list(tmp_path.glob("w.*")) == []


# --- embed ----------------------------------------------------------------------------------------


def test_pictures_are_embedded_and_the_run_reads_them(run, run_json, tmp_path):
    """Each once; the file is its owner's alone, for an embedding is biometric data."""
    first, second = (PHOTOGRAPHS / f"Family1-Dad{number}.jpg" for number in (1, 2))
    line = f"{first},{second},1,dad,dad"
    (tmp_path / "pairs.csv").write_text(
        f"probe,reference,same,probe_subject,reference_subject\n{line}\n"
    )
    answer = run("compare", "embed", "pairs.csv", "--out", "new/e.parquet")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == (
        "2 pictures, a face was found in all of them: written to new/e.parquet\n"
    )
    assert (tmp_path / "new" / "e.parquet").stat().st_mode & 0o777 == 0o600
    assert len(read_embeddings(tmp_path / "new" / "e.parquet").pictures) == 2
    words = ("compare", "run", "pairs.csv", "--backend", "local", "--embeddings", "new/e.parquet")
    code, told = run_json(*words)
    assert (code, told["systems"][0]["answered"]) == (0, 1)
    there = run("compare", "embed", "pairs.csv", "--out", "new/e.parquet")
    assert (there.exit_code, "exists" in there.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--backend fake", "cannot be embedded: its calls may be charged"),
        ("--backend fake --dask tcp://127.0.0.1:1", "cannot be embedded: its calls may be charged"),
        ("--out e.csv", "--out writes .parquet"),
    ],
)
def test_what_is_not_embedded(  # noqa: PLR0917 - fixtures and parameters
    run, scripted, tmp_path, monkeypatch, words, said
):
    """A paid vendor is not asked, on this machine or on a cluster; nothing is written."""
    monkeypatch.setattr(embeddings, "backend_class", lambda _name: type(scripted))
    write_study(tmp_path / "pictures")
    answer = run("compare", "embed", "pictures", "--out", "e.parquet", *words.split())
    assert (answer.exit_code, said in answer.stderr) == (2, True), answer.stderr
    assert scripted.calls == []
    assert not list(tmp_path.glob("*e.*"))
