"""`facematch compare draw`: from a folder of photographs to a file of pairs."""

import pytest

from facematch_core.comparison.study import draw_pairs, photographs, read_study, split_by_subject


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
        (("none", "--out", "pairs.csv"), "The folder none cannot be read: No such file"),
        (("faces", "--out", "pairs.csv", "--mated", "99"), "99 mated pairs are wanted"),
        (("faces", "--out", "pairs.csv", "--within", "sex"), "--within names a column of --groups"),
        (
            ("faces", "--out", "pairs.csv", "--groups", "groups.csv", "--within", "skin"),
            "There is no column of groups 'skin'; there are: sex.",
        ),
        (("faces", "--out", "pairs.csv", "--groups", "wrong.csv"), "nobody is called 'zoe'"),
        (("faces", "--out", "faces"), "--out names a folder"),
    ],
)
def test_wrong_words(run, faces, tmp_path, words, sentence):
    """Exit code 2 and one sentence; nothing is written."""
    (tmp_path / "groups.csv").write_text("person,sex\np0,f\n")
    (tmp_path / "wrong.csv").write_text("person,sex\nzoe,f\n")
    answer = run("compare", "draw", *words)
    assert answer.exit_code == 2
    assert sentence in answer.stderr
    assert not (tmp_path / "pairs.csv").exists()
