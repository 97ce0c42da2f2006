import pytest

from facematch_comparison.study import photographs, read_groups, read_study
from facematch_core import InvalidRequest


@pytest.fixture
def people(tmp_path):
    """A folder of three people: two, one and two photographs."""
    for name in (
        *("Ada_B/Ada_B_0001.jpg", "Ada_B/Ada_B_0002.jpg", "Bob/Bob_0001.JPG"),
        *("Cyd/Cyd_0001.png", "Cyd/Cyd_0012.jpg"),
    ):
        (tmp_path / "faces" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "faces" / name).touch()
    return tmp_path / "faces"


def refused(reading, *words, **more):
    with pytest.raises(InvalidRequest) as caught:
        reading(*words, **more)
    return str(caught.value)


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


def test_what_is_no_study_is_refused(people, tmp_path):
    (tmp_path / "study.xml").touch()
    for path in (tmp_path / "study.xml", tmp_path / "none.csv", people):
        refused(read_study, path)


@pytest.fixture
def groups(tmp_path):

    def _read(text):
        path = tmp_path / "groups.csv"
        path.write_text(text)
        return read_groups(path, {"Ada": (), "Bob": (), "Cyd": ()})

    return _read


def test_empty_cells_and_missing_people_say_nothing_of_groups(groups):
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
        ("person,sex\nDan,m\n", "line 2: person is 'Dan'; no such person"),
        ("person,sex\nAda,f\nBob,m\nAda,m\n", "line 4: 'Ada' as in line 2"),
    ],
)
def test_what_is_no_file_of_groups_is_refused(groups, text, words):
    assert words in refused(groups, text)
