import csv

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


def problems_of(read, text):
    """The lines in which problems of a text are reported."""
    first_line, *problems = refusal_lines(read, text)
    assert first_line.endswith("nothing was sent:")
    return [problem.strip() for problem in problems]


def test_every_problem_of_the_pairs_is_reported(read, folder):
    (folder / "x").mkdir()
    text = (
        f"{HEAD}\n"
        "a1.jpg,a2.jpg,1,Ada,Bob\n"
        "a1.jpg,b1.jpg,0,Ada,Ada\n"
        "b1.jpg,b1.jpg,1,Bob,Bob\n"
        "b1.jpg,./x/../a1.jpg,0,Bob,Ada\n"
        "a2.jpg,c1.jpg,0,Cyd,Eve\n"
        "none.jpg,b2.jpg,0,Dan,Bob\n"
    )
    expected = [
        ("line 2: ", "the pair is marked as mated, but its people are named 'Ada' and 'Bob'"),
        ("line 3: ", "the pair is marked as non-mated, but its people are named 'Ada' and 'Ada'"),
        ("line 4: ", "the picture 'b1.jpg' is compared with itself"),
        ("line 4: ", "the picture 'b1.jpg' is of 'Bob', but in line 3 of 'Ada'"),
        ("line 5: ", "the picture 'b1.jpg' is of 'Bob', but in line 3 of 'Ada'"),
        ("line 5: ", "the same two pictures as in line 3"),
        ("line 6: ", "the picture 'a2.jpg' is of 'Cyd', but in line 2 of 'Bob'"),
        ("line 7: ", "probe is 'none.jpg'; there is no such file"),
    ]
    for problem, (place, text_of_problem) in zip(problems_of(read, text), expected, strict=True):
        assert problem.startswith(place + text_of_problem)


def test_answers_in_a_file_of_pairs_are_skipped_with_a_note(read, folder):
    head = f"{HEAD},score,verified,error,latency_s,price,pair"
    answers = "97.5,maybe,timeout,soon,-1,7"
    text = f"{head}\na1.jpg,a2.jpg,1,Ada,Ada,{answers}\na1.jpg,b1.jpg,0,Ada,Bob,{answers}\n"
    notes = []
    path = folder / "pairs.csv"
    path.write_text(text)
    study = read_study(path, note=notes.append)
    assert study.pairs == read(two_pairs(HEAD)).pairs
    (note,) = notes
    for column in ("score", "verified", "error", "latency_s", "price", "pair"):
        assert f"'{column}'" in note.partition("skipped")[2]


@pytest.mark.parametrize(
    ("text", "sentence"),
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
def test_a_file_without_pairs_is_rejected_in_one_sentence(read, text, sentence):
    assert sentence in "\n".join(refusal_lines(read, text))


def test_a_row_without_a_person_says_nothing_of_the_groups_of_others(read):
    head = f"{HEAD},reference_group_sex\n"
    text = f"{head}b1.jpg,c1.jpg,1,Bob,Bob,f\na1.jpg,a2.jpg,0,Ada,,m\n"
    assert problems_of(read, text) == ["line 3: reference_subject is empty"]


def two_pairs(head, mated="1", non_mated="0"):
    return f"{head}\na1.jpg,a2.jpg,{mated},Ada,Ada\na1.jpg,b1.jpg,{non_mated},Ada,Bob\n"


@pytest.mark.parametrize(
    ("head", "mated", "non_mated"),
    [
        ("image1,image2,label,person1,person2", "1", "0"),
        ("file1,file2,Same person (Y/N),name_a,name_b", "Y", "n"),
        ("selfie,id_photo,is_fraud,subject1,subject2", "0", "1"),
        ("probe,reference,genuine,probe_subject,reference_subject", "1", "0"),
        ("Image 1,Image 2,,Person 1,Person 2", "x", "y"),
    ],
)
def test_columns_have_the_names_of_score_files(read, head, mated, non_mated):
    assert read(two_pairs(head, mated, non_mated)).pairs == read(two_pairs(HEAD)).pairs


OWN_COLUMNS = {
    "probe": "left",
    "reference": "right",
    "probe_subject": "who",
    "reference_subject": "whom",
    "group_country": "country",
}


@pytest.fixture
def own_file(folder):
    path = folder / "own.csv"
    path.write_text(
        "left,right,same_guy,who,whom,country\n"
        "a1.jpg,a2.jpg,1,Ada,Ada,DE\n"
        "a1.jpg,b1.jpg,0,Ada,Bob,DE\n"
    )
    return path


def test_columns_that_are_not_recognised_are_asked_for(own_file):
    with pytest.raises(ColumnsNotRecognised) as caught:
        read_study(own_file)
    asked = ("probe", "reference", "probe_subject", "reference_subject")
    assert caught.value.columns == dict.fromkeys(asked, "COLUMN")


def test_columns_are_named_by_the_user(read, own_file):
    notes = []
    columns = OWN_COLUMNS | {"same": "same_guy"}
    study = read_study(own_file, columns=columns, note=notes.append)
    assert study.pairs == read(two_pairs(HEAD)).pairs
    assert study.groups["country"]["Ada"] == "DE"
    assert notes == []


def test_without_a_label_one_person_is_a_mated_pair(read, own_file):
    notes = []
    study = read_study(own_file, columns=OWN_COLUMNS, note=notes.append)
    assert study.pairs == read(two_pairs(HEAD)).pairs
    assert any("'same_guy'" in note for note in notes)


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param({"probe": "none"}, id="no such column"),
        pytest.param(OWN_COLUMNS | {"same": "country"}, id="no label"),
    ],
)
def test_wrong_columns_are_refused(own_file, columns):
    with pytest.raises(InvalidRequest):
        read_study(own_file, columns=columns)


OF_TWO_PAIRS = f"{HEAD},group_sex\na1.jpg,a2.jpg,1,Ada,Ada,f\na1.jpg,b1.jpg,0,Ada,Bob,\n"


@pytest.fixture
def digest_of(read, folder):
    """The digest of a study, of which b2.jpg has the bytes of b1.jpg."""
    digests = {"a1": "a1" * 32, "a2": "a2" * 32, "b1": "b1" * 32, "b2": "b1" * 32}
    digest_of_picture = {folder / f"{name}.jpg": digest for name, digest in digests.items()}
    return lambda text: read(text).digest(digest_of_picture)


def test_names_do_not_change_the_digest_of_a_study(digest_of):
    renamed = OF_TWO_PAIRS.replace("Ada", "Zoe").replace("b1.jpg", "b2.jpg")
    assert digest_of(renamed) == digest_of(OF_TWO_PAIRS)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(OF_TWO_PAIRS.replace(",f\n", ",m\n"), id="another group"),
        pytest.param(OF_TWO_PAIRS.replace("group_sex", "group_skin"), id="another grouping"),
        pytest.param(
            OF_TWO_PAIRS.replace("a1.jpg,b1.jpg,0,Ada,Bob", "b1.jpg,a1.jpg,0,Bob,Ada"),
            id="other sides",
        ),
        pytest.param(OF_TWO_PAIRS.replace("a1.jpg,b1.jpg", "a2.jpg,b1.jpg"), id="another picture"),
    ],
)
def test_a_digest_identifies_a_study(digest_of, text):
    assert digest_of(text) != digest_of(OF_TWO_PAIRS)


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0", exclude_categories=["Cs"]),
    min_size=1,
    max_size=10,
).filter(lambda text: text == text.strip() and text not in (".", ".."))


@settings(max_examples=settings().max_examples // 2)
@given(
    people=st.lists(NAMES, min_size=2, max_size=5, unique=True),
    columns=st.lists(NAMES, max_size=2, unique=True),
    data=st.data(),
)
def test_written_studies_are_read_back(tmp_path_factory, people, columns, data):
    folder = tmp_path_factory.mktemp("study")
    pictures = {}
    for number, person in enumerate(people):
        pictures[person] = [folder / f"{number}-a.jpg", folder / f"{number}-b.jpg"]
        for picture in pictures[person]:
            picture.touch()
    groups = st.dictionaries(st.sampled_from(people), NAMES, min_size=1)
    written = draw_pairs(pictures, groups={column: data.draw(groups) for column in columns})
    write_pairs_csv(folder / "pairs.csv", written)
    read = read_study(folder / "pairs.csv")
    assert (read.pairs, read.groups) == (written.pairs, written.groups)
    assert str(folder) not in (folder / "pairs.csv").read_text(encoding="utf-8")


def study_of_one_pair(probe, reference, probe_subject="a", reference_subject="b", groups=None):
    pair = StudyPair(
        probe=probe,
        reference=reference,
        mated=False,
        probe_subject=probe_subject,
        reference_subject=reference_subject,
    )
    return Study(name="x", pairs=(pair,), groups=groups or {})


def test_pictures_on_another_drive_are_written_with_their_whole_path(folder, monkeypatch):
    """Windows has no relative path from one drive to another."""

    def refuse(path, start):
        raise ValueError(f"path is on another mount than {start}")

    study = study_of_one_pair(folder / "a1.jpg", folder / "b1.jpg")
    with monkeypatch.context() as on_windows:
        on_windows.setattr("os.path.relpath", refuse)
        write_pairs_csv(folder / "pairs.csv", study)
    assert read_study(folder / "pairs.csv").pairs == study.pairs


def test_formulas_are_escaped_and_names_preserved(folder):
    (folder / "-2+3.jpg").touch()
    groups = {"=1+1": {"-2+3": "+x", "@Bob": "'="}}
    written = study_of_one_pair(folder / "-2+3.jpg", folder / "b1.jpg", "-2+3", "@Bob", groups)
    path = folder / "pairs.csv"
    write_pairs_csv(path, written)
    with path.open(newline="") as file:
        for row in csv.reader(file):
            assert not [cell for cell in row if cell.startswith(tuple("=+-@\t\r"))]
    study = read_study(path)
    assert (study.pairs, study.groups) == (written.pairs, groups)


@pytest.mark.parametrize("name", ["b1.jpg ", "b\udcff.jpg"])
def test_a_picture_whose_name_would_be_lost_is_refused(folder, name):
    study = study_of_one_pair(folder / "a1.jpg", folder / name)
    with pytest.raises(InvalidRequest, match="begins or ends with a space or is not UTF-8"):
        write_pairs_csv(folder / "lost.csv", study)
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
        for number in range(12):
            (tmp_path / folder / files.format(n=number, folder=folder)).touch()
    if are_people:
        assert len(photographs(tmp_path)) == len(folders.split())
    else:
        with pytest.raises(InvalidRequest, match="kinds of pictures"):
            photographs(tmp_path)


@pytest.mark.parametrize("name", ["study.xml", "none.csv", "."])
def test_other_files_are_no_study(folder, name):
    (folder / "study.xml").touch()
    with pytest.raises(InvalidRequest):
        read_study(folder / name)


@pytest.fixture
def groups(tmp_path):
    people = {"Ada": (), "Bob": (), "Cyd": ()}
    return text_reader(tmp_path / "groups.csv", lambda path: read_groups(path, people))


def test_empty_cells_and_missing_people_have_no_group(groups):
    assert groups("sex, person ,skin\nf,Ada,dark\n ,Bob, light\n") == {
        "sex": {"Ada": "f"},
        "skin": {"Ada": "dark", "Bob": "light"},
    }
    assert groups("person,sex\nAda\nBob,m\n") == {"sex": {"Bob": "m"}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "such as person,sex"),
        ("who,sex\nAda,f\n", "the column person is missing"),
        ("person,sex\nDan,m\n", "line 2: person is 'Dan'; there is no such person"),
        ("person,sex\nAda,f\nBob,m\nAda,m\n", "line 4: 'Ada' repeats line 2"),
    ],
)
def test_invalid_group_files_are_rejected(groups, text, sentence):
    with pytest.raises(InvalidRequest, match=sentence):
        groups(text)
