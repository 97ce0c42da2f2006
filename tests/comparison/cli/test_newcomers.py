"""Files of people who read no page: a report at the first try, or at the pasted second.

A line to paste may have `COLUMN` where only the user knows the name of a column.
"""

import json
import re
import shlex
import sys

import numpy as np
import openpyxl
import pytest

from facematch_comparison import read_scores
from facematch_comparison.io import MINUS_DISTANCE

REPORT = ("compare", "report", "--fmr", "0.2", "--scores")
PAIRS = 40


@pytest.fixture
def scores():
    """Of forty mated and forty non-mated pairs, with two decimals."""
    chance = np.random.default_rng(5)
    mated = np.arange(2 * PAIRS) < PAIRS
    return mated, chance.normal(np.where(mated, 70, 30), 20).clip(1, 99).round(2)


@pytest.fixture
def report(run, monkeypatch):
    """The answers to a command, and to the one that it gave to paste, if it did."""

    def ask(*words, columns=()):
        answers = [run(*REPORT, *words)]
        if answers[0].exit_code:
            with monkeypatch.context() as narrow:
                # A shell would run the beginning of a line that is broken.
                narrow.setenv("COLUMNS", "60")
                refusal = run(*REPORT, *words).stderr
            (pasted,) = re.findall(r"^  facematch (.*)$", refusal, re.MULTILINE)
            for name in columns:
                pasted = pasted.replace("COLUMN", name, 1)
            answers.append(run(*shlex.split(pasted)))
        assert answers[-1].exit_code == 0, answers[-1].output
        return answers

    return ask


def test_a_log_with_one_user_a_line(report, scores, tmp_path):
    mated, values = scores
    lines = ["timestamp,case_no,vendor,similarity,genuine,country,latency_ms,user_id"]
    for at, (is_mated, value) in enumerate(zip(mated, values, strict=True)):
        for vendor, less in (("Acme", 0), ("Bolt", 1)):
            time = f"2026-01-02 10:{at // 60:02}:{at % 60:02}.{less}"
            of_user = f"{'DE' if at % 20 < 10 else 'FR'},{100 + at + less},u{at % 20}"
            lines.append(f"{time},{at},{vendor},{value - less:.2f},{int(is_mated)},{of_user}")
    (tmp_path / "log.csv").write_text("\n".join(lines))
    first, second = report("log.csv", columns=["case_no"])
    assert "the column 'country' is unknown: 'DE', 'FR'" in first.stderr
    assert "each line is of one person, 'user_id'" in second.stderr
    columns = {"pair": "case_no", "probe_group_country": "country"}
    acme, bolt = read_scores(tmp_path / "log.csv", columns=columns, ignore=["latency_ms"])
    assert (acme.name, bolt.name, acme.people_known) == ("Acme", "Bolt", False)
    assert acme.table.scores.tolist() == values.tolist()
    table = acme.table
    assert np.array_equal(table.mated, table.probe_subjects == table.reference_subjects)
    # Twenty users, and somebody else in each of forty non-mated pairs.
    assert len(table.people.numbers) == 60
    country = table.groups["country"]
    assert (country.reference[mated] == country.probe[mated]).all()
    assert (country.reference[~mated] == -1).all()


def test_a_german_spreadsheet(report, scores, tmp_path):
    mated, values = scores
    lines = ["Prüfbild;Referenz;Gleich;Äpfel AG"]
    for at, (is_mated, value) in enumerate(zip(mated, values, strict=True)):
        cells = (f"ü{at}.jpg", f"r{at}.jpg", "ja" if is_mated else "nein", f"{value:.2f}")
        lines.append(";".join(cells).replace(".", ",").replace(",jpg", ".jpg"))
    text = "\r\n".join(lines)
    for encoding, notes in (("cp1252", 1), ("utf-8-sig", 0), ("utf-16", 0)):
        (tmp_path / "werte.csv").write_bytes(text.encode(encoding))
        words = ("--column", "probe=Prüfbild", "--column", "reference=Referenz")
        _, second = report("werte.csv", *words, columns=["Gleich"])
        assert second.stderr.count("Windows-1252") == notes
        assert "Äpfel AG" in second.stdout
    columns = {"probe": "Prüfbild", "reference": "Referenz", "mated": "Gleich"}
    (answers,) = read_scores(tmp_path / "werte.csv", columns=columns)
    assert answers.table.scores.tolist() == values.tolist()
    assert answers.names.pictures[0] == "ü0.jpg"


def test_distances(report, scores, tmp_path):
    mated, values = scores
    lines = ["img1_path,img2_path,verified,distance,threshold,model,time,label"]
    lines += [
        f"a{at},b{at},{100 - v < 50},{100 - v:.2f},50,VGG-Face,{at}.5,{int(m)}"
        for at, (m, v) in enumerate(zip(mated, values, strict=True))
    ]
    path = tmp_path / "far.csv"
    path.write_text("\n".join(lines))
    (first,) = report("far.csv", "--column", "mated=label")
    assert "minus the distances" in first.stderr
    (answers,) = read_scores(path, columns={"mated": "label"})
    assert answers.table.scores.tolist() == (values - 100).round(2).tolist()
    assert (answers.table.scale, answers.table.threshold) == (MINUS_DISTANCE, -50)
    path.write_text("\n".join(lines).replace("distance", "how_far"))
    report("far.csv", "--column", "mated=label", "--column", "score=how_far", "--distance")


def test_a_workbook(report, scores, tmp_path, monkeypatch):
    mated, values = scores
    book = openpyxl.Workbook()
    book.active.append(["image1", "image2", "label", "Acme", "id", None])
    for at, (is_mated, value) in enumerate(zip(mated.tolist(), values.tolist(), strict=True)):
        book.active.append([f"a{at}", f"b{at}", is_mated, value, float(at)])
        if at == 3:
            book.active.append([None, " "])
    book.active["D2"] = "NA"
    book.create_sheet("Notes")
    book.save(tmp_path / "scores.xlsx")
    (first,) = report("scores.xlsx")
    assert "has 2 sheets: 'Sheet' was read" in first.stderr
    assert "without a score count as failures to acquire: 1 of Acme;" in first.stderr
    (answers,) = read_scores(tmp_path / "scores.xlsx")
    assert answers.table.scores.tolist()[1:] == values.tolist()[1:]
    assert np.isnan(answers.table.scores[0])
    assert answers.table.mated.tolist() == mated.tolist()
    with pytest.raises(ValueError, match="max_rows="):
        read_scores(tmp_path / "scores.xlsx", max_rows=1)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "openpyxl", None)
        with pytest.raises(ValueError, match="pip install openpyxl"):
            read_scores(tmp_path / "scores.xlsx")
    (tmp_path / "text.xlsx").write_text("image1,image2")
    with pytest.raises(ValueError, match="no Excel workbook"):
        read_scores(tmp_path / "text.xlsx")
    book.active["D8"] = "no face"
    book.save(tmp_path / "scores.xlsx")
    refused = run_refused(tmp_path / "scores.xlsx")
    assert "row 8: Acme is 'no face'" in refused


def run_refused(path):
    with pytest.raises(ValueError, match="problem") as caught:
        read_scores(path)
    return str(caught.value)


KINDS = ("selfies", "ids"), ("probe", "reference"), ("Links", "Rechts")


@pytest.mark.parametrize("kinds", KINDS, ids=" and ".join)
def test_folders_of_kinds_of_pictures(run, tmp_path, kinds):
    for kind in kinds:
        (tmp_path / "kyc" / kind).mkdir(parents=True)
        for number in range(1, 6):
            (tmp_path / "kyc" / kind / f"00{number}.jpg").write_bytes(b"a picture")
    answer = run("compare", "draw", "kyc", "--out", "pairs.csv")
    assert (answer.exit_code, "are people" in answer.stderr) == (2, False)
    assert not (tmp_path / "pairs.csv").exists()
    code = answer.stderr.partition("<<'END'\n")[2].partition("\nEND")[0]
    exec(compile(code, "pasted", "exec"), {})
    from facematch_comparison.study import read_study

    study = read_study(tmp_path / "pairs.csv")
    assert (len(study.pairs), int(study.mated.sum()), len(study.subjects)) == (20, 5, 5)
    assert {pair.probe.parent.name for pair in study.pairs} == {kinds[0]}
    assert all(pair.mated is (pair.probe.stem == pair.reference.stem) for pair in study.pairs)


def records_of(scores):
    """What deepface says of each pair, with the truth beside it."""
    return [
        {
            "img1_path": f"a{at}.jpg",
            "img2_path": f"b{at}.jpg",
            "verified": bool(value > 50),
            "distance": round(100 - value, 2),
            "threshold": 50,
            "model": "VGG-Face",
            "detector_backend": "opencv",
            "facial_areas": {"img1": {"x": 5, "left_eye": [at, 2]}, "img2": {"x": 5}},
            "time": at + 0.5,
            "expected": bool(mated),
        }
        for at, (mated, value) in enumerate(zip(*scores, strict=True))
    ]


def rekognition(scores):
    head = "SourceImage,TargetImage,Similarity,Confidence,same_person"
    pairs = enumerate(zip(*scores, strict=True))
    return "\n".join([head, *(f"a{n}.jpg,b{n}.jpg,{v},99.9,{int(m)}" for n, (m, v) in pairs)])


def two_columns(scores):
    is_mated, values = scores
    both = zip(values[is_mated].tolist(), [*values[~is_mated].tolist()[1:], ""], strict=True)
    return "\n".join(["genuine,impostor", *(f"{mated},{other}" for mated, other in both)])


def bob(scores):
    pairs = enumerate(zip(*scores, strict=True))
    lines = (f"p{n % 40} p{n % 40 if m else (n + 1) % 40} img{n} {v:.2f}" for n, (m, v) in pairs)
    return "\n".join(lines)


def bob_csv(scores):
    """As its CSVScoreWriter has it, without what it knows of each picture beside its name."""
    head = "probe_template_id,probe_subject_id,bio_ref_template_id,bio_ref_subject_id,score"
    pairs = enumerate(zip(*scores, strict=True))
    lines = (f"a{n},p{n % 40},b{n},p{n % 40 if m else (n + 1) % 40},{v}" for n, (m, v) in pairs)
    return "\n".join([head, *lines])


def lines_of(scores, form="{v}", above="", head="image1,image2,label,ours"):
    pairs = enumerate(zip(*scores, strict=True))
    lines = [f"a{n},b{n},{int(m)}," + form.format(v=v) for n, (m, v) in pairs]
    return "\n".join([*filter(None, [above]), head, *lines])


def german(scores):
    head, *lines = lines_of(scores, "7.{v:06.2f}").split("\n")
    swapped = (line.replace(",", ";").replace(".", "\0").replace("\0", ",") for line in lines)
    return "\n".join([head.replace(",", ";"), *(line.replace("7,", "7.", 1) for line in swapped)])


FORMS = {
    "deepface.json": (lambda scores: json.dumps(records_of(scores)), 1),
    "named.json": (lambda scores: json.dumps({"results": records_of(scores)}), 1),
    "deepface.jsonl": (lambda scores: "\n".join(map(json.dumps, records_of(scores))), 1),
    "rekognition.csv": (rekognition, 2),
    "lines.txt": (lambda scores: "\n".join(map(json.dumps, records_of(scores))), 1),
    "percent.csv": (lambda scores: lines_of(scores, "{v} %"), 1),
    "thousands.csv": (lambda scores: lines_of(scores, '"7,{v:06.2f}"'), 1),
    "german.csv": (german, 1),
    "comments.csv": (lambda scores: lines_of(scores, above="# made by hand\n# in May, twice"), 1),
    "columns.csv": (two_columns, 2),
    "bob.txt": (bob, 1),
    "bob.csv": (bob_csv, 1),
    "bob-4.csv": (lambda scores: bob_csv(scores).replace("template", "reference"), 1),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_other_tools_write(report, scores, tmp_path, name):
    text, tries = FORMS[name]
    (tmp_path / name).write_text(text(scores))
    answers = report(name)
    assert len(answers) == tries
    assert re.search(r"turns away \d+ of (40|39) genuine attempts", answers[-1].stdout)
    assert ("as bob writes it" in answers[-1].stderr) is (name == "bob.txt")


def test_a_cover_sheet_is_no_table_and_numbers_are_no_header(run, report, scores, tmp_path):
    book = openpyxl.Workbook()
    book.active.append(["Our test", "of May"])
    sheet = book.create_sheet("Scores")
    sheet.append(["Report of May"])
    for line in lines_of(scores).split("\n"):
        sheet.append([float(cell) if cell[0].isdigit() else cell for cell in line.split(",")])
    book.save(tmp_path / "scores.xlsx")
    (first,) = report("scores.xlsx")
    assert "'Scores' was read" in first.stderr
    (tmp_path / "bare.csv").write_text(lines_of(scores).partition("\n")[2])
    answer = run(*REPORT, "bare.csv")
    assert (answer.exit_code, "has no header" in answer.stderr) == (2, True)
