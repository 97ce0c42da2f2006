"""Folders, LFW's files, groups, and what is none of them."""

import pytest

from facematch_comparison.study import (
    draw_pairs,
    photographs,
    read_groups,
    read_lfw_pairs,
    read_study,
)
from facematch_core import InvalidRequest


@pytest.fixture
def people(tmp_path):
    """A folder of three people: two, two and one photographs."""
    for name in ("Ada_B/Ada_B_0001.jpg", "Ada_B/Ada_B_0002.jpg", "Bob/Bob_0001.JPG"):
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "faces" / name).touch()
    for name in ("Cyd/Cyd_0001.png", "Cyd/Cyd_0012.jpg"):
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "faces" / name).touch()
    return tmp_path / "faces"


def refused(reading, *words, **more):
    """What is said by a refusal."""
    with pytest.raises(InvalidRequest) as caught:
        reading(*words, **more)
    return str(caught.value)


# A folder for each person


def test_a_folder_for_each_person(people):
    """Sorted; what is hidden, no picture by its name, or no file is passed by."""
    for name in (".hidden/x.jpg", "Bob/.thumb.jpg", "Bob/notes.txt", "Bob/album.jpg/x.jpg"):
        (people / name).parent.mkdir(parents=True, exist_ok=True)
        (people / name).touch()
    (people / "Empty").mkdir()
    (people / "loose.jpg").touch()
    found = photographs(people)
    assert list(found) == ["Ada_B", "Bob", "Cyd"]
    assert [file.name for file in found["Ada_B"]] == ["Ada_B_0001.jpg", "Ada_B_0002.jpg"]
    assert [file.name for file in found["Bob"]] == ["Bob_0001.JPG"]


def test_too_few_people(tmp_path):
    """One person makes no pair of two; the form is told."""
    (tmp_path / "Ada").mkdir()
    (tmp_path / "Ada" / "1.jpg").touch()
    assert "of 1 people: make one folder for each person" in refused(photographs, tmp_path)
    assert "cannot be read: No such file" in refused(photographs, tmp_path / "none")


def test_a_study_of_a_folder(people, monkeypatch):
    """Pairs are drawn; it is called as its folder, also from within."""
    study = read_study(people, mated=2, non_mated=3, seed=5)
    assert study.name == "faces"
    assert study.mated.tolist() == [True, True, False, False, False]
    assert study.pairs == read_study(people, mated=2, non_mated=3, seed=5).pairs
    halves = {"mated": 1, "non_mated": 2, "split": True}
    (people / "Dan").mkdir()
    for name in "12":
        (people / "Dan" / f"{name}.png").touch()
    drawn = draw_pairs(photographs(people), **halves)
    assert read_study(people, **halves).pairs == drawn.pairs
    monkeypatch.chdir(people)
    from pathlib import Path

    assert read_study(Path()).name == "faces"


# LFW


def test_lfw_pairs(people):
    """Tabulators or spaces; the first line counts the pairs of each kind."""
    path = people / "pairs.txt"
    path.write_text("1\nAda_B\t1\t2\nAda_B 1 Bob 1\n")
    (people / "Bob" / "Bob_0001.jpg").touch()
    study = read_lfw_pairs(path)
    one, other = study.pairs
    assert study.name == "pairs"
    assert (one.mated, one.probe_subject, one.line) == (True, "Ada_B", 2)
    assert one.probe == people / "Ada_B" / "Ada_B_0001.jpg"
    assert one.reference == people / "Ada_B" / "Ada_B_0002.jpg"
    assert (other.mated, other.reference_subject, other.line) == (False, "Bob", 3)
    assert other.reference == people / "Bob" / "Bob_0001.jpg"


def test_lfw_without_a_count_and_with_sets(people, tmp_path):
    """No count is none; sets are multiplied; the pictures may lie elsewhere."""
    path = tmp_path / "view.txt"
    path.write_text("Ada_B 1 2\n\n")
    assert len(read_lfw_pairs(path, people).pairs) == 1
    path.write_text("1\t1\nAda_B\t1\t2\nAda_B\t2\tCyd\t12\n")
    assert len(read_study(path, pictures=people).pairs) == 2
    path.write_text("2\t1\nAda_B\t1\t2\nAda_B\t2\tCyd\t12\n")
    told = refused(read_study, path, pictures=people)
    assert "line 1: 4 pairs are announced, and 2 follow" in told


def test_people_who_are_called_by_numbers(people):
    """Three numbers in the first line are a pair, not a count."""
    (people / "7").mkdir()
    for number in (1, 2):
        (people / "7" / f"7_000{number}.jpg").touch()
    path = people / "pairs.txt"
    path.write_text("7 1 2\n")
    assert read_lfw_pairs(path).pairs[0].probe_subject == "7"


def test_every_fault_of_lfw_pairs(people):
    """Lines of another form first; then what is wrong with the pairs."""
    path = people / "pairs.txt"
    path.write_text("Ada_B 1\nAda_B one 2\nAda_B 1 Bob\nAda_B 1 2 3 4\n")
    assert refused(read_lfw_pairs, path).splitlines()[1:] == [
        "  lines 1, 2, 3 and 4: neither `name n1 n2` nor `name1 n1 name2 n2`"
    ]
    path.write_text("Ada_B 1 2\nAda_B 2 1\nAda_B 1 1\nBob 2 Cyd 12\n")
    assert refused(read_lfw_pairs, path).splitlines()[1:] == [
        "  line 2: the same two pictures as in line 1",
        "  line 3: a picture is compared with itself",
        f"  line 4: there is no file '{people / 'Bob' / 'Bob_0002.jpg'}'",
    ]
    path.write_text("")
    assert "there is no pair" in refused(read_lfw_pairs, path)
    path.write_bytes(b"\xff")
    assert "is no text in UTF-8" in refused(read_lfw_pairs, path)


# Which of them


def test_what_is_no_study(people, tmp_path):
    """Each is told in one sentence, before anything is read."""
    (tmp_path / "study.xml").touch()
    (tmp_path / "pairs.csv").touch()
    assert "is no study: give a .csv file" in refused(read_study, tmp_path / "study.xml")
    assert "There is no file or folder" in refused(read_study, tmp_path / "none.csv")
    told = refused(read_study, tmp_path / "pairs.csv", pictures=people)
    assert told == "A folder of pictures goes with a .txt file of pairs only."
    assert refused(read_study, people, pictures=people) == told
    for number in ({"mated": 3}, {"non_mated": 0}, {"split": True}):
        assert "says which pairs there are" in refused(read_study, tmp_path / "pairs.csv", **number)


# Groups


@pytest.fixture
def groups(tmp_path):
    """Reads text as a file of groups of Ada, Bob and Cyd."""

    def _read(text):
        path = tmp_path / "groups.csv"
        path.write_text(text)
        return read_groups(path, {"Ada": (), "Bob": (), "Cyd": ()})

    return _read


def test_groups(groups):
    """One column for each kind; empty cells and missing people say nothing."""
    assert groups("sex, person ,skin\nf,Ada,dark\n ,Bob, light\n") == {
        "sex": {"Ada": "f"},
        "skin": {"Ada": "dark", "Bob": "light"},
    }
    assert groups("person,sex\nAda\nBob,m\n") == {"sex": {"Bob": "m"}}


def test_every_fault_of_groups(groups):
    """With its line."""
    told = refused(groups, "person,sex\nAda,f\nDan,m\n,m\nAda,m\nBob,m,x\n")
    assert told.splitlines()[0].endswith("4 problems; nothing was drawn:")
    assert told.splitlines()[1:] == [
        "  line 3: nobody is called 'Dan'",
        "  line 4: person is empty",
        "  line 5: 'Ada' as in line 2",
        "  line 6: 3 cells under 2 columns",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no person: its first line names person,sex"),
        ("person\nAda\n", "there is no column of groups"),
        ("who,sex\nAda,f\n", "the column person is missing"),
        ("person,\nAda,f\n", "a column has no name"),
        ("person,sex,sex\nAda,f,f\n", "the column 'sex' is there twice"),
    ],
)
def test_what_is_no_file_of_groups(groups, text, told):
    """One sentence tells it."""
    assert told in refused(groups, text)
