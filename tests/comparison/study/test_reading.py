import csv
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.tables import refusal_lines, text_reader

from facematch_comparison import (
    ColumnsNotRecognised,
    Study,
    StudyPair,
    draw_pairs,
    photographs,
    read_study,
)
from facematch_comparison.study.reading import read_groups, write_pairs_csv
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


def refusals(read, text):
    """The lines in which faults of a text are reported."""
    head, *lines = refusal_lines(read, text)
    assert head.endswith("nothing was sent:")
    return [line.strip() for line in lines]


def test_every_problem_of_the_pairs_is_reported(read, folder):
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
        "line 4: 'b1.jpg' shows 'Bob', but 'Ada' in line 3",
        "line 5: 'b1.jpg' shows 'Bob', but 'Ada' in line 3",
        "line 5: the same two pictures as in line 3",
        "line 6: 'a2.jpg' shows 'Cyd', but 'Bob' in line 2",
        f"line 7: there is no file '{folder / 'none.jpg'}'",
    ]


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        (f"{HEAD}\n\n,,,,\n", "the first line names the columns, such as probe,reference,same"),
        (b"\x89PNG\0\0", "save it as CSV in UTF-8"),
        ("one|two\na|b\n", "the column probe is missing"),
        (f"{HEAD}\na1.jpg,b1.jpg,perhaps,Ada,Bob\n", "line 2: same is 'perhaps'; write 1"),
        (
            f"{HEAD},group_sex\na1.jpg,a2.jpg,1,Ada,Ada,f\na1.jpg,b1.jpg,0,Ada,Bob,m\n",
            "line 3: 'Ada' is in the group 'm' of sex, but above in 'f'",
        ),
    ],
)
def test_a_file_without_pairs_is_rejected_in_one_sentence(read, text, reported):
    assert reported in "\n".join(refusal_lines(read, text))


LABELLED = "a1.jpg,a2.jpg,1,Ada,Ada\na1.jpg,b1.jpg,0,Ada,Bob\n"


@pytest.mark.parametrize(
    ("head", "change"),
    [
        ("image1,image2,label,person1,person2", {}),
        ("file1,file2,Same person (Y/N),name_a,name_b", {",1,": ",Y,", ",0,": ",n,"}),
        ("selfie,id_photo,is_fraud,subject1,subject2", {",1,": ",0,", ",0,": ",1,"}),
        ("probe,reference,genuine,probe_subject,reference_subject", {}),
        ("Image 1,Image 2,,Person 1,Person 2", {",1,": ",x,", ",0,": ",y,"}),
    ],
)
def test_columns_have_the_names_of_score_files(read, folder, head, change):
    expected = read(f"{HEAD}\n{LABELLED}").pairs
    body = LABELLED.replace(",1,", "<1>").replace(",0,", "<0>")
    for cell, word in {",1,": ",1,", ",0,": ",0,", **change}.items():
        body = body.replace(cell.replace(",", "<", 1).replace(",", ">"), word)
    assert read(f"{head}\n{body}").pairs == expected


def test_columns_are_named_by_the_user(read, folder):
    expected = read(f"{HEAD}\n{LABELLED}").pairs
    path = folder / "pairs.csv"
    text = f"left,right,same_guy,who,whom\n{LABELLED}"
    path.write_text(text.replace("\n", ",DE\n").replace("DE", "country", 1))
    with pytest.raises(ColumnsNotRecognised) as caught:
        read_study(path)
    asked = {"probe", "reference", "probe_subject", "reference_subject"}
    assert caught.value.columns == dict.fromkeys(asked, "COLUMN")
    columns = dict(zip(("probe", "reference"), ("left", "right"), strict=True))
    columns |= {"probe_subject": "who", "reference_subject": "whom", "group_country": "country"}
    notes = []
    study = read_study(path, columns={**columns, "same": "same_guy"}, note=notes.append)
    assert study.pairs == expected
    assert (study.groups["country"]["Ada"], notes) == ("DE", [])
    # Without a label, one person is a mated pair.
    again = read_study(path, columns=columns, note=notes.append)
    assert again.pairs == expected
    assert any("'same_guy'" in text for text in notes)
    for wrong in ({"probe": "none"}, {**columns, "same": "country"}):
        with pytest.raises(InvalidRequest):
            read_study(path, columns=wrong)


def test_a_digest_identifies_a_study(read, folder):
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
def test_written_studies_are_read_back(tmp_path_factory, people, columns, data):
    folder = tmp_path_factory.mktemp("study")
    files = {who: [folder / f"{at}-{n}.jpg" for n in "ab"] for at, who in enumerate(people)}
    for file in itertools.chain(*files.values()):
        file.touch()
    groups = st.dictionaries(st.sampled_from(people), names, min_size=1)
    written = draw_pairs(files, groups={column: data.draw(groups) for column in columns})
    write_pairs_csv(folder / "pairs.csv", written)
    read = read_study(folder / "pairs.csv")
    assert (read.pairs, read.groups) == (written.pairs, written.groups)
    assert str(folder) not in (folder / "pairs.csv").read_text(encoding="utf-8")


def test_pictures_on_another_drive_are_written_with_their_whole_path(folder, monkeypatch):
    """Windows has no relative path from one drive to another."""

    def refuse(path, start):
        raise ValueError(f"path is on another mount than {start}")

    people = {"probe_subject": "a", "reference_subject": "b"}
    pair = StudyPair(probe=folder / "a1.jpg", reference=folder / "b1.jpg", mated=False, **people)
    path = folder / "pairs.csv"
    with monkeypatch.context() as on_windows:
        on_windows.setattr("os.path.relpath", refuse)
        write_pairs_csv(path, Study(name="x", pairs=(pair,), groups={}))
    assert read_study(path).pairs == (pair,)


def test_formulas_are_escaped_and_names_preserved(folder):
    for name in ("-2+3.jpg", "b1.jpg "):
        (folder / name).touch()
    first, second = {"probe": folder / "-2+3.jpg"}, {"reference": folder / "b1.jpg"}
    people = {"probe_subject": "-2+3", "reference_subject": "@Bob"}
    pair = StudyPair(mated=False, **first, **second, **people)
    groups = {"=1+1": {"-2+3": "+x", "@Bob": "'="}}
    path = folder / "pairs.csv"
    write_pairs_csv(path, Study(name="x", pairs=(pair,), groups=groups))
    with path.open(newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r"]
    (read,) = (study := read_study(path)).pairs
    assert (read.probe_subject, read.reference_subject) == ("-2+3", "@Bob")
    assert study.groups == groups
    for name in ("b1.jpg ", "b\udcff.jpg"):
        lost = StudyPair(mated=False, **first, reference=folder / name, **people)
        with pytest.raises(InvalidRequest, match="begins or ends with a space or is not UTF-8"):
            write_pairs_csv(folder / "lost.csv", Study(name="x", pairs=(lost,)))
    assert not (folder / "lost.csv").exists()


@pytest.mark.parametrize(
    ("folders", "files", "are_people"),
    [
        ("selfie id_front id_back passport", "{n:03}.jpg", False),
        ("cam1 cam2 cam3 cam4 cam5", "{n:03}.jpg", False),
        ("cam1 cam2", "{folder}_{n}.jpg", False),
        ("selfies_2026 id_cards_2026", "{n}_{folder}.jpg", False),
        ("live kyc", "{n}_{folder}.jpg", False),
        ("Selfies Ausweise", "{n}_{folder}.jpg", False),
        ("probe reference", "{n}_{folder}.jpg", False),
        ("Links Rechts", "{n:03}.jpg", False),
        ("id_001 id_002 id_003", "{folder}_{n}.jpg", True),
        (" ".join(f"p{n}" for n in range(12)), "{n}.jpg", True),
        ("anna bert", "{folder}_{n}.jpg", True),
    ],
)
def test_folders_are_of_people_or_of_kinds_of_pictures(tmp_path, folders, files, are_people):
    for folder in folders.split():
        (tmp_path / folder).mkdir()
        for n in range(12):
            (tmp_path / folder / files.format(n=n, folder=folder)).touch()
    if are_people:
        assert len(photographs(tmp_path)) == len(folders.split())
    else:
        with pytest.raises(InvalidRequest, match="kinds of pictures"):
            photographs(tmp_path)


def test_invalid_studies_are_rejected(folder):
    (folder / "study.xml").touch()
    for path in (folder / "study.xml", folder / "none.csv", folder):
        with pytest.raises(InvalidRequest):
            read_study(path)


@pytest.fixture
def groups(tmp_path):

    def _read(text):
        path = tmp_path / "groups.csv"
        path.write_text(text)
        return read_groups(path, {"Ada": (), "Bob": (), "Cyd": ()})

    return _read


def test_empty_cells_and_missing_people_have_no_group(groups):
    assert groups("sex, person ,skin\nf,Ada,dark\n ,Bob, light\n") == {
        "sex": {"Ada": "f"},
        "skin": {"Ada": "dark", "Bob": "light"},
    }
    assert groups("person,sex\nAda\nBob,m\n") == {"sex": {"Bob": "m"}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "such as person,sex"),
        ("who,sex\nAda,f\n", "the column person is missing"),
        ("person,sex\nDan,m\n", "line 2: person is 'Dan'; there is no such person"),
        ("person,sex\nAda,f\nBob,m\nAda,m\n", "line 4: 'Ada' repeats line 2"),
    ],
)
def test_invalid_group_files_are_rejected(groups, text, words):
    with pytest.raises(InvalidRequest, match=words):
        groups(text)
