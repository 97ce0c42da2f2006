"""Groups that are numbers, such as ages, in bands."""

import json

import numpy as np
import pandas as pd
import pytest
from kit.fakes import invoke_facematch

from facematch_comparison import evaluate, read_scores, with_bands
from facematch_core import InvalidRequest

EDGES = [18, 30, 45, 60]
BANDS = ["<18", "18-29", "30-44", "45-59", "60+"]


def frame_of_ages(ages, seed=0):
    """Mated and non-mated pairs of people of these ages."""
    chance = np.random.default_rng(seed)
    probe = chance.integers(0, len(ages), 3000)
    reference = np.where(np.arange(3000) < 600, probe, chance.integers(0, len(ages), 3000))
    scores = chance.normal(np.where(probe == reference, 70, 35), 10).round(2)
    ages = np.array(ages, object)
    columns = {"probe_subject": probe, "reference_subject": reference, "score": scores}
    groups = {"probe_group_age": ages[probe], "reference_group_age": ages[reference]}
    return pd.DataFrame(columns | groups)


def test_bands_have_the_pairs_that_pandas_counts():
    frame = frame_of_ages(np.random.default_rng(1).integers(10, 90, 150))
    (answers,) = with_bands(read_scores(frame), {"age": EDGES})
    age = answers.groups["age"]
    assert age.labels == tuple(BANDS)
    cuts = [0, *EDGES, 200]
    for codes, column in ((age.probe, "probe_group_age"), (age.reference, "reference_group_age")):
        expected = pd.cut(frame[column].astype(int), cuts, right=False, labels=BANDS)
        assert [BANDS[code] for code in codes] == expected.tolist()
    threshold = 50.0
    (system,) = evaluate([answers], at_thresholds={answers.name: threshold}).systems
    within = frame[frame["probe_subject"] == frame["reference_subject"]]
    band = pd.cut(within["probe_group_age"].astype(int), cuts, right=False, labels=BANDS)
    is_rejected = within["score"] < threshold
    for cell in system.groups:
        of_group = is_rejected[band == cell.group]
        assert (cell.frr.errors, cell.frr.trials) == (of_group.sum(), len(of_group))


@pytest.mark.parametrize(
    ("age", "band"),
    [
        (17, "<18"),
        (18, "18-29"),
        (29, "18-29"),
        ("29.5", "18-29"),
        ("30", "30-44"),
        (60, "60+"),
        (0, "<18"),
        ("59,9", "45-59"),
    ],
)
def test_an_age_is_in_the_band_of_the_highest_edge_that_it_reaches(age, band):
    frame = frame_of_ages([age] * 4)
    (answers,) = with_bands(read_scores(frame), {"age": EDGES})
    assert answers.groups["age"].labels == (band,)
    assert set(answers.groups["age"].probe) == {0}


@pytest.mark.parametrize("empty", [None, "", "NA", "n/a", float("nan")])
def test_a_person_without_an_age_is_in_no_band(empty):
    frame = frame_of_ages([20, 20, 50, empty])
    (answers,) = with_bands(read_scores(frame), {"age": EDGES})
    age = answers.groups["age"]
    assert age.labels == ("18-29", "45-59")
    expected = frame["probe_subject"].map({0: 0, 1: 0, 2: 1, 3: -1})
    assert age.probe.tolist() == expected.tolist()


@pytest.mark.parametrize("word", ["adult", "33 years", "1990-05-01", "18-29", -1, "inf"])
def test_a_group_that_is_no_age_is_refused(word):
    answers = read_scores(frame_of_ages([20, 30, 50, word]))
    with pytest.raises(InvalidRequest, match=str(word)):
        with_bands(answers, {"age": EDGES})


@pytest.mark.parametrize("edges", [[30, 18], [18, 18], []])
def test_edges_must_rise(edges):
    with pytest.raises(InvalidRequest, match="age"):
        with_bands(read_scores(frame_of_ages([20, 30])), {"age": edges})


def test_bands_of_unknown_groups_name_those_that_are_there():
    with pytest.raises(InvalidRequest, match="did you mean age"):
        with_bands(read_scores(frame_of_ages([20, 30])), {"ages": EDGES})


def test_a_note_says_how_far_the_numbers_go():
    notes = []
    with_bands(read_scores(frame_of_ages([20, 999])), {"age": EDGES}, notes.append)
    (note,) = notes
    assert "20" in note
    assert "999" in note


def test_edges_below_zero_take_numbers_below_zero():
    (answers,) = with_bands(read_scores(frame_of_ages([-5, 5])), {"age": [-10, 0, 10]})
    assert answers.groups["age"].labels == ("-10--1", "0-9")


def test_the_command_bands_ages_of_a_file_and_says_so_in_the_report(tmp_path):
    ages = np.random.default_rng(1).integers(10, 90, 150)
    path = tmp_path / "s.csv"
    frame_of_ages(ages).to_csv(path, index=False)
    command = ["compare", "report", "--scores", str(path), "--fmr", "0.01", "--json"]
    raw = json.loads(invoke_facematch(*command).stdout)
    (caveat,) = (each["text"] for each in raw["caveats"] if each["code"] == "cross_groups")
    assert "--bands age=" in caveat
    assert all(cell["too_few"] for cell in raw["systems"][0]["groups"])
    banded = json.loads(invoke_facematch(*command, "--bands", "age=18,30,45,60").stdout)
    cells = banded["systems"][0]["groups"]
    assert [cell["group"] for cell in cells] == BANDS
    assert not any(cell["too_few"] for cell in cells)
    assert len(banded["systems"][0]["cross_groups"]) == 25
    assert banded["evidence"]["options"]["--bands"] == ["age=18,30,45,60"]
    assert any(note.startswith("age ") for note in banded["evidence"]["notes"])


@pytest.mark.parametrize("bands", ["age", "age=", "age=18,x", "age=18.5", "age=30,18"])
def test_the_command_refuses_bands_without_rising_numbers(tmp_path, bands):
    path = tmp_path / "s.csv"
    frame_of_ages([20, 30, 50]).to_csv(path, index=False)
    result = invoke_facematch("compare", "report", "--scores", str(path), "--bands", bands)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
