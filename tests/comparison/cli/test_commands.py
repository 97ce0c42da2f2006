"""`facematch compare`: its commands and what they import; `plan` and `draw`."""

import sys

import pytest

from facematch_comparison import draw_pairs, photographs, read_study

PLAN = "compare plan --fmr 1e-3 --frr 0.01"


def test_missing_package_is_reported_with_its_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "facematch_comparison.judging.gate", None)

    real_import = __import__

    def import_without_numpy(name, *arguments, **options):
        if name.startswith("facematch_comparison"):
            raise ModuleNotFoundError("No module named 'numpy'", name="numpy")
        return real_import(name, *arguments, **options)

    monkeypatch.setattr("builtins.__import__", import_without_numpy)
    answer = run(PLAN)
    assert answer.exit_code == 4
    assert "pandas" in answer.stderr


def test_plan_output(screens):
    with screens("plan") as show:
        show("", PLAN)


DRAW = "compare draw faces --out pairs.csv"


@pytest.fixture
def faces(tmp_path):
    """Six people with three photographs each."""
    for person in range(6):
        folder = tmp_path / "faces" / f"p{person}"
        folder.mkdir(parents=True)
        for number in range(3):
            (folder / f"{number}.jpg").touch()
    return tmp_path / "faces"


def test_drawn_pairs_can_be_read_and_equal_the_librarys(run, faces, tmp_path):
    answer = run(f"{DRAW} --mated 10 --non-mated 20")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.startswith("10 mated and 20 non-mated pairs of 6 people, 18 photographs")
    read = read_study(tmp_path / "pairs.csv")
    drawn = draw_pairs(photographs(faces), mated=10, non_mated=20)

    def pictures(study):
        return [(pair.probe, pair.reference, pair.mated) for pair in study.pairs]

    assert pictures(read) == pictures(drawn)


@pytest.mark.usefixtures("faces")
def test_pairs_are_drawn_within_groups(run, tmp_path):
    (tmp_path / "groups.csv").write_text(
        "person,sex,site\np0,f,north\np1,m,north\np2,f,north\np3,m,north\np4,f,north\np5,m,north\n"
    )
    options = "--non-mated 30 --groups groups.csv --within sex"
    assert run(f"{DRAW} {options}").exit_code == 0
    header, *_ = (tmp_path / "pairs.csv").read_text().splitlines()
    assert header.split(",") == [
        *("probe", "reference", "same", "probe_subject", "reference_subject"),
        *("probe_group_sex", "reference_group_sex"),
        *("probe_group_site", "reference_group_site"),
    ]
    groupings = read_study(tmp_path / "pairs.csv").groupings()
    assert groupings["site"].labels == ("north",)
    assert (groupings["sex"].within >= 0).all()
    assert set(groupings["sex"].labels) == {"f", "m"}


@pytest.mark.usefixtures("faces")
def test_invalid_arguments_of_draw(refused, tmp_path):
    (tmp_path / "wrong.csv").write_text("person,sex\nzoe,f\n")
    (tmp_path / "there.csv").write_text("mine")
    for name in ("selfies", "ids"):
        (tmp_path / "kyc" / name).mkdir(parents=True)
        (tmp_path / "kyc" / name / "001.jpg").touch()
    refused(
        "draw",
        "none --out p.csv",
        "kyc --out p.csv",
        "faces --out pairs.csv --mated 99",
        "faces --out pairs.csv --within sex",
        "faces --out pairs.csv --groups wrong.csv",
        "faces --out pairs.csv --out there.csv",
        "faces --out pairs.xlsx",
    )


@pytest.mark.parametrize("command", ["report", "gate --requirements sp800-63a"])
def test_a_file_of_scores_without_its_option_names_the_option(run, command):
    answer = run(f"compare {command} scores.csv")
    assert answer.exit_code == 2
    assert "--scores" in answer.stderr
