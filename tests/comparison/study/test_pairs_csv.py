"""``pairs.csv``: read whole or refused whole, every fault with its line."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.tables import reads, refused

from facematch_comparison.study import (
    Study,
    StudyPair,
    read_pairs_csv,
    read_study,
    write_pairs_csv,
)
from facematch_core import InvalidRequest

HEAD = "probe,reference,same,probe_subject,reference_subject"


@pytest.fixture
def folder(tmp_path):
    """A folder with some files; what is in them does not matter here."""
    for name in ("a1", "a2", "b1", "b2", "c1"):
        (tmp_path / f"{name}.jpg").write_bytes(b"a picture")
    return tmp_path


@pytest.fixture
def read(folder):
    """Reads text as a file of pairs."""
    return reads(folder / "pairs.csv", read_pairs_csv)


def of_two(probe, reference, first="Ada", second="Bob", **more):
    """A pair of two people."""
    people = {"mated": False, "probe_subject": first, "reference_subject": second}
    return StudyPair(probe=probe, reference=reference, **people, **more)


def refusals(read, text):
    """The lines in which faults of a text are told."""
    head, *lines = refused(read, text)
    assert head.endswith("nothing was sent:")
    return [line.strip() for line in lines]


def test_pairs_and_people(read, folder):
    """Files lie beside the CSV file; lines are counted as an editor counts them."""
    study = read(
        f"\ufeff{HEAD},note\n a1.jpg ,a2.jpg,1,Ada,Ada,x\n\n{folder}/a1.jpg,b1.jpg,NO,Ada,Bob\n"
    )
    assert study.name == "pairs"
    assert study.pairs == (
        StudyPair(
            probe=folder / "a1.jpg",
            reference=folder / "a2.jpg",
            mated=True,
            probe_subject="Ada",
            reference_subject="Ada",
            line=2,
        ),
        of_two(folder / "a1.jpg", folder / "b1.jpg", line=4),
    )
    assert study.subjects == ("Ada", "Bob")
    assert study.pictures == tuple(folder / f"{name}.jpg" for name in ("a1", "a2", "b1"))
    assert study.mated.tolist() == [True, False]
    assert [numbers.tolist() for numbers in study.subject_numbers] == [[0, 0], [0, 1]]
    assert study.groupings() == {}


@pytest.mark.parametrize(
    ("word", "mated"),
    [("1", True), ("True", True), ("yes", True), ("MATED", True), ("0", False), ("false", False)],
)
def test_words_for_same(read, word, mated):
    """Several words are taken, in any case."""
    people = "Ada,Ada" if mated else "Ada,Bob"
    assert read(f"{HEAD}\na1.jpg,b1.jpg,{word},{people}\n").pairs[0].mated is mated


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_separators_and_line_endings(read, separator, ending):
    """Of a spreadsheet in any country; the lines are those of an editor."""
    text = f"{HEAD},note\na1.jpg,a2.jpg,1,Ada,Ada,\n,,,,,\n\na1.jpg,b1.jpg,0,Ada,Bob,x\n"
    for mark in ("\ufeff", ""):
        study = read(mark + text.replace(",", separator).replace("\n", ending))
        assert [pair.line for pair in study.pairs] == [2, 5]
        assert study.subjects == ("Ada", "Bob")


def test_lines_after_a_cell_of_two_lines(read):
    """A quoted line break counts as an editor counts it."""
    study = read(f'{HEAD},note\na1.jpg,a2.jpg,1,Ada,Ada,"x\ny"\na1.jpg,b1.jpg,0,Ada,Bob,"z"\n')
    assert [pair.line for pair in study.pairs] == [3, 4]


def test_one_problem_of_many_lines_is_said_once(read):
    """With the first ten lines, and how many more there are."""
    lines = "\n".join(f"a1.jpg,b1.jpg,perhaps,Ada,{'Bob' if n else ''}" for n in range(14))
    advice = "write 1 for one person and 0 for two"
    assert refusals(read, f"{HEAD}\n{lines}\na1.jpg,b1.jpg,0,Ada,\n") == [
        "lines 2 and 16: reference_subject is empty",
        f"lines 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 4 more: same is 'perhaps'; {advice}",
    ]


def test_groups(read):
    """A group of both, or of each; told once, it holds for the person everywhere."""
    study = read(
        f"{HEAD},group_sex,probe_group_skin,reference_group_skin\n"
        "a1.jpg,a2.jpg,1,Ada,Ada,f,dark,\n"
        "a1.jpg,b1.jpg,0,Ada,Bob,,,light\n"
        "b1.jpg,c1.jpg,0,Bob,Cyd,,,\n"
    )
    assert study.groups == {
        "sex": {"Ada": "f"},
        "skin": {"Ada": "dark", "Bob": "light"},
    }
    skin = study.groupings()["skin"]
    assert skin.labels == ("dark", "light")
    assert skin.probe.tolist() == [0, 0, 1]
    assert skin.reference.tolist() == [0, 1, -1]
    assert skin.within.tolist() == [0, -1, -1]
    assert np.array_equal(study.groupings()["sex"].within, [0, -1, -1])


def test_every_fault_of_the_cells(read):
    """All that can be seen without the others, at once."""
    assert refusals(
        read,
        f"{HEAD}\n"
        "a1.jpg,,1,Ada,Ada\n"
        "a1.jpg,b1.jpg,maybe,Ada,Bob\n"
        "a1.jpg,b1.jpg,0,Ada\n"
        "a1.jpg,b1.jpg,0,Ada,Bob,,\n",
    ) == [
        "line 2: reference is empty",
        "line 3: same is 'maybe'; write 1 for one person and 0 for two",
        "line 4: reference_subject is empty",
        "line 5: 7 cells under 5 columns",
    ]


def test_every_fault_of_the_pairs(read, folder):
    """What is wrong between lines, and with files, at once."""
    (folder / "x").mkdir()
    assert refusals(
        read,
        f"{HEAD}\n"
        "a1.jpg,a2.jpg,1,Ada,Bob\n"
        "a1.jpg,b1.jpg,0,Ada,Ada\n"
        "b1.jpg,b1.jpg,1,Bob,Bob\n"
        "b1.jpg,./x/../a1.jpg,0,Bob,Ada\n"
        "a2.jpg,c1.jpg,0,Cyd,Eve\n"
        "none.jpg,b2.jpg,0,Dan,Bob\n",
    ) == [
        "line 2: the pair is said to be mated, and its people are called 'Ada' and 'Bob'",
        "line 3: the pair is said to be non-mated, and its people are called 'Ada' and 'Ada'",
        "line 4: a picture is compared with itself",
        "line 4: 'b1.jpg' shows 'Bob', and in line 3 it shows 'Ada'",
        "line 5: the same two pictures as in line 3",
        "line 5: 'b1.jpg' shows 'Bob', and in line 3 it shows 'Ada'",
        "line 6: 'a2.jpg' shows 'Cyd', and in line 2 it shows 'Bob'",
        f"line 7: there is no file '{folder / 'none.jpg'}'",
    ]


def test_faults_of_every_kind_are_told_at_once(read, folder):
    """Cells, groups, pairs and files: nobody mends one only to hear of the next."""
    assert refusals(
        read,
        f"{HEAD},group_sex\n"
        "a1.jpg,a2.jpg,perhaps,Ada,Ada,f\n"
        "a1.jpg,b1.jpg,0,Ada,Bob,m\n"
        "b1.jpg,b1.jpg,1,Bob,Bob,f\n"
        "none.jpg,b2.jpg,0,Dan,Bob,m\n",
    ) == [
        "line 2: same is 'perhaps'; write 1 for one person and 0 for two",
        "line 4: 'Bob' is in the group 'f' of sex, and above in 'm'",
        "line 4: a picture is compared with itself",
        f"line 5: there is no file '{folder / 'none.jpg'}'",
    ]


def test_a_person_in_two_groups(read):
    """The line and both groups are told."""
    assert refusals(
        read,
        f"{HEAD},group_sex\na1.jpg,a2.jpg,1,Ada,Ada,f\na1.jpg,b1.jpg,0,Ada,Bob,m\n",
    ) == ["line 3: 'Ada' is in the group 'm' of sex, and above in 'f'"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no pair: its first line names probe,reference,same"),
        (f"{HEAD}\n\n,,,,\n", "has no pair"),
        (b"\xff\xfe", "is not UTF-8 text: save it as CSV in UTF-8"),
        (f'{HEAD}\n"a', "is no CSV: unexpected end of data"),
        ("probe|reference\na|b\n", "line 1: the column probe is missing"),
        (
            f"{HEAD},grup_sex\na,b,1,c,c,f\n",
            "the column 'grup_sex' is unknown; did you mean group_s",
        ),
        (f"{HEAD},probe_gruop_x\na,b,1,c,c,f\n", "did you mean probe_group_x?"),
        (f"{HEAD},same\na,b,1,c,d,1\n", "line 1: the column 'same' is there twice"),
    ],
)
def test_what_is_no_such_file(read, text, told):
    """One sentence tells what is wrong with the whole of it."""
    assert told in "\n".join(refused(read, text))


def test_many_faults_are_counted(read):
    """The first fifty are listed."""
    lines = "\n".join(f"a1.jpg,b1.jpg,x{n},Ada,Bob" for n in range(60))
    told = refusals(read, f"{HEAD}\n{lines}")
    assert len(told) == 51
    assert told[-1] == "... and 10 more"


def test_names_of_files_that_cannot_be(read):
    """Too long for the system, or with a zero byte: they are missing, not a crash."""
    told = refusals(read, f"{HEAD}\n{'x' * 5000}.jpg,b1.jpg,0,Ada,Bob\na\0b,b2.jpg,0,Ada,Bob\n")
    assert [line.split(": ")[1][:16] for line in told] == ["there is no file"] * 2


def test_a_digest_says_what_a_study_is(read, folder):
    """Names of people and files do not count; who is alike, pictures, groups and order do."""
    text = f"{HEAD},group_sex\na1.jpg,a2.jpg,1,Ada,Ada,f\na1.jpg,b1.jpg,0,Ada,Bob,\n"
    contents = {folder / f"{name}.jpg": name * 32 for name in ("a1", "a2", "b1", "b2")}
    digest = read(text).digest(contents)
    renamed = text.replace("Ada", "Zoe").replace("b1.jpg", "b2.jpg")
    assert read(renamed).digest(contents | {folder / "b2.jpg": "b1" * 32}) == digest
    for other in (
        text.replace(",f\n", ",m\n"),
        text.replace("group_sex", "group_skin"),
        text.replace("a1.jpg,b1.jpg", "b1.jpg,a1.jpg").replace("0,Ada,Bob", "0,Bob,Ada"),
        text.replace("a1.jpg,b1.jpg", "a2.jpg,b1.jpg"),
    ):
        assert read(other).digest(contents) != digest


names = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=10,
).filter(lambda text: text == text.strip() and text not in (".", ".."))


@given(
    people=st.lists(names, min_size=2, max_size=5, unique=True),
    columns=st.lists(names, max_size=2, unique=True),
    data=st.data(),
)
def test_what_is_written_is_read(tmp_path_factory, people, columns, data):
    """Pairs, people, files and groups, whatever they are called."""
    folder = tmp_path_factory.mktemp("study")
    files = {
        (who, n): folder / "faces" / f"{at}-{n}.jpg"
        for at, who in enumerate(people)
        for n in (1, 2)
    }
    (folder / "faces").mkdir()
    for file in files.values():
        file.touch()
    chosen = data.draw(
        st.lists(
            st.tuples(st.sampled_from(sorted(files)), st.sampled_from(sorted(files)))
            .filter(lambda two: two[0] != two[1])
            .map(lambda two: tuple(sorted(two))),
            min_size=1,
            unique=True,
        )
    )
    pairs = tuple(
        StudyPair(
            probe=files[one],
            reference=files[other],
            mated=one[0] == other[0],
            probe_subject=one[0],
            reference_subject=other[0],
        )
        for one, other in chosen
    )
    there = sorted({who for two in chosen for who, _ in two})
    groups = {
        column: data.draw(st.dictionaries(st.sampled_from(there), names, min_size=1))
        for column in columns
    }
    written = Study(name="pairs", pairs=pairs, groups=groups)
    write_pairs_csv(folder / "pairs.csv", written)
    read = read_study(folder / "pairs.csv")
    assert [attr_of(pair) for pair in read.pairs] == [attr_of(pair) for pair in pairs]
    assert read.groups == written.groups
    assert str(folder) not in (folder / "pairs.csv").read_text(encoding="utf-8")


def attr_of(pair):
    """A pair without the line that it came from."""
    return pair.probe, pair.reference, pair.mated, pair.probe_subject, pair.reference_subject


def test_files_that_lie_elsewhere(folder, tmp_path_factory):
    """Are named from where the file of pairs lies, also through a link."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "deep" / "er").mkdir(parents=True)
    (elsewhere / "link").symlink_to(elsewhere / "deep" / "er")
    pair = of_two(folder / "a1.jpg", folder / "b1.jpg")
    path = elsewhere / "link" / "pairs.csv"
    write_pairs_csv(path, Study(name="x", pairs=(pair,)))
    (read,) = read_pairs_csv(path).pairs
    assert read.probe.samefile(pair.probe)
    assert read.reference.samefile(pair.reference)
    assert path.read_text().splitlines()[1].startswith("../")


def test_no_cell_is_a_formula(folder):
    """People, groups and files that a spreadsheet would compute are written so that it does not."""
    (folder / "-2+3.jpg").touch()
    pair = of_two(folder / "-2+3.jpg", folder / "b1.jpg", "-2+3", "@Bob")
    groups = {"=1+1": {"-2+3": "+x", "@Bob": "'="}}
    path = folder / "pairs.csv"
    write_pairs_csv(path, Study(name="x", pairs=(pair,), groups=groups))
    with path.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r"]
    (read,) = (study := read_pairs_csv(path)).pairs
    assert (read.probe_subject, read.reference_subject) == ("-2+3", "@Bob")
    assert study.groups == groups


def test_names_that_would_be_lost(folder):
    """A space at the end of a name is told before anything is written."""
    (folder / "b1.jpg ").touch()
    pair = of_two(folder / "a1.jpg", folder / "b1.jpg ")
    with pytest.raises(InvalidRequest, match="begins or ends with a space"):
        write_pairs_csv(folder / "pairs.csv", Study(name="x", pairs=(pair,)))
    assert not (folder / "pairs.csv").exists()
