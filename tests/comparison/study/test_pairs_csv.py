import csv
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.tables import refusal_lines, text_reader

from facematch_comparison.study import Study, StudyPair, read_study, write_pairs_csv
from facematch_core import InvalidRequest

HEAD = "probe,reference,same,probe_subject,reference_subject"


@pytest.fixture
def folder(tmp_path):
    for name in ("a1", "a2", "b1", "b2", "c1"):
        (tmp_path / f"{name}.jpg").write_bytes(b"a picture")
    return tmp_path


@pytest.fixture
def read(folder):
    return text_reader(folder / "pairs.csv", read_study)


def of_two(probe, reference, first="Ada", second="Bob"):
    people = {"mated": False, "probe_subject": first, "reference_subject": second}
    return StudyPair(probe=probe, reference=reference, **people)


def refusals(read, text):
    """The lines in which faults of a text are reported."""
    head, *lines = refusal_lines(read, text)
    assert head.endswith("nothing was sent:")
    return [line.strip() for line in lines]


def test_every_fault_of_the_pairs(read, folder):
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
        "line 2: the pair is marked as mated, but its people are named 'Ada' and 'Bob'",
        "line 3: the pair is marked as non-mated, but its people are named 'Ada' and 'Ada'",
        "line 4: a picture is compared with itself",
        "line 4: 'b1.jpg' shows 'Bob', and in line 3 it shows 'Ada'",
        "line 5: 'b1.jpg' shows 'Bob', and in line 3 it shows 'Ada'",
        "line 5: the same two pictures as in line 3",
        "line 6: 'a2.jpg' shows 'Cyd', and in line 2 it shows 'Bob'",
        f"line 7: there is no file '{folder / 'none.jpg'}'",
    ]


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        (f"{HEAD}\n\n,,,,\n", "the first line names columns, such as probe,reference,same"),
        (b"\x89PNG\0\0", "save it as CSV in UTF-8"),
        ("probe|reference\na|b\n", "line 1: the column probe is missing"),
        (f"{HEAD}\na1.jpg,b1.jpg,perhaps,Ada,Bob\n", "line 2: same is 'perhaps'; write 1"),
        (
            f"{HEAD},group_sex\na1.jpg,a2.jpg,1,Ada,Ada,f\na1.jpg,b1.jpg,0,Ada,Bob,m\n",
            "line 3: 'Ada' is in the group 'm' of sex, and above in 'f'",
        ),
    ],
)
def test_what_is_no_file_of_pairs_is_one_sentence(read, text, reported):
    assert reported in "\n".join(refusal_lines(read, text))


def test_a_digest_says_what_a_study_is(read, folder):
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


@settings(max_examples=settings().max_examples // 2)
@given(
    people=st.lists(names, min_size=2, max_size=5, unique=True),
    columns=st.lists(names, max_size=2, unique=True),
    data=st.data(),
)
def test_what_is_written_is_read(tmp_path_factory, people, columns, data):
    folder = tmp_path_factory.mktemp("study")
    (folder / "faces").mkdir()
    files = {}
    for at, (who, n) in enumerate(itertools.product(people, (1, 2))):
        files[who, n] = folder / "faces" / f"{at}.jpg"
        files[who, n].touch()
    possible = st.sampled_from([*itertools.combinations(sorted(files), 2)])
    chosen = data.draw(st.lists(possible, min_size=1, unique=True))
    pairs = tuple(
        StudyPair(
            probe=files[probe],
            reference=files[reference],
            mated=probe[0] == reference[0],
            probe_subject=probe[0],
            reference_subject=reference[0],
        )
        for probe, reference in chosen
    )
    there = sorted({who for two in chosen for who, _ in two})
    groups = {
        column: data.draw(st.dictionaries(st.sampled_from(there), names, min_size=1))
        for column in columns
    }
    written = Study(name="pairs", pairs=pairs, groups=groups)
    write_pairs_csv(folder / "pairs.csv", written)
    read = read_study(folder / "pairs.csv")
    assert read.pairs == pairs
    assert read.groups == written.groups
    assert str(folder) not in (folder / "pairs.csv").read_text(encoding="utf-8")


def test_no_written_cell_is_a_formula_and_no_name_is_lost(folder):
    for name in ("-2+3.jpg", "b1.jpg "):
        (folder / name).touch()
    pair = of_two(folder / "-2+3.jpg", folder / "b1.jpg", "-2+3", "@Bob")
    groups = {"=1+1": {"-2+3": "+x", "@Bob": "'="}}
    path = folder / "pairs.csv"
    write_pairs_csv(path, Study(name="x", pairs=(pair,), groups=groups))
    with path.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r"]
    (read,) = (study := read_study(path)).pairs
    assert (read.probe_subject, read.reference_subject) == ("-2+3", "@Bob")
    assert study.groups == groups
    spaced = of_two(folder / "a1.jpg", folder / "b1.jpg ")
    with pytest.raises(InvalidRequest, match="begins or ends with a space"):
        write_pairs_csv(folder / "lost.csv", Study(name="x", pairs=(spaced,)))
    assert not (folder / "lost.csv").exists()
