"""Files of people who read no page: a report at the first try, or at the pasted second.

A line to paste may have `COLUMN` where only the user knows the name of a column.
"""

import json
import re
import shlex
import sys

import numpy as np
import openpyxl
import pandas as pd
import pytest

from facematch_comparison import read_scores
from facematch_comparison.scores.columns import plain

REPORT = ("compare", "report", "--fmr", "0.2", "--scores")
PAIRS = 40


@pytest.fixture
def scores():
    """Forty mated and forty non-mated pairs, with two decimals."""
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
            again = "\0".join(shlex.split(pasted))
            for name in columns:
                again = again.replace("COLUMN", name, 1)
            answers.append(run(*again.split("\0")))
        assert answers[-1].exit_code == 0, answers[-1].output
        return answers

    return ask


def test_log_with_one_user_per_line(report, scores, tmp_path):
    mated, values = scores
    lines = ["timestamp,case_no,vendor,similarity,genuine,country,latency_ms,user_id"]
    for at, (is_mated, value) in enumerate(zip(mated, values, strict=True)):
        for vendor, less in (("Acme", 0), ("Bolt", 1)):
            of_user = f"{'DE' if at % 20 < 10 else 'FR'},{100 + at + less},u{at % 20}"
            lines.append(f"t{at},{at},{vendor},{value - less:.2f},{int(is_mated)},{of_user}")
    (tmp_path / "log.csv").write_text("\n".join(lines))
    first, second = report("log.csv", columns=["case_no"])
    assert re.search(r"country +unknown +'DE', 'FR'", first.stderr)
    assert "each line names one person, 'user_id'" in second.stderr
    columns = {"pair": "case_no", "probe_group_country": "country"}
    acme, bolt = read_scores(tmp_path / "log.csv", columns=columns)
    assert (acme.name, bolt.name, acme.people_known) == ("Acme", "Bolt", False)
    assert acme.scores.tolist() == values.tolist()
    # Twenty users, and somebody else in each of forty non-mated pairs.
    assert len(acme.people.numbers) == 60
    assert (acme.groups["country"].reference[~mated] == -1).all()


def test_workbook_with_a_cover_sheet(report, scores, tmp_path, monkeypatch):
    mated, values = scores
    book = openpyxl.Workbook()
    book.active.append(["Our test", "of May"])
    sheet = book.create_sheet("Scores")
    sheet.append(["Report of", "May"])
    sheet.append(["image1", "image2", "label", "Score", None])
    for at, (is_mated, value) in enumerate(zip(mated.tolist(), values.tolist(), strict=True)):
        sheet.append([f"a{at}", f"b{at}", is_mated, value])
    sheet["D3"] = "NA"
    book.save(tmp_path / "scores.xlsx")
    (first,) = report("scores.xlsx")
    assert "'Scores' was read" in first.stderr
    (answers,) = read_scores(tmp_path / "scores.xlsx")
    assert answers.scores.tolist()[1:] == values.tolist()[1:]
    assert answers.mated.tolist() == mated.tolist()
    sheet["D8"] = "no face"
    book.save(tmp_path / "scores.xlsx")
    with pytest.raises(ValueError, match="row 8: Score is 'no face'"):
        read_scores(tmp_path / "scores.xlsx")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "openpyxl", None)
        with pytest.raises(ValueError, match="pip install openpyxl"):
            read_scores(tmp_path / "scores.xlsx")


def lines_of(head, form):
    """A file of these columns, with a line of this form for each pair."""

    def text(scores):
        lines = [head]
        for n, (m, v) in enumerate(zip(*scores, strict=True)):
            lines.append(form.format(n=n, m=int(m), v=v, p=n % 40, q=(n + 1 - m) % 40))
        return "\n".join(lines)

    return text


def records_of(scores):
    """What deepface returns for each pair, with the truth beside it."""
    more = {"threshold": 50, "model": "VGG-Face", "detector_backend": "opencv"}
    return [
        {
            "img1_path": f"a{at}.jpg",
            "img2_path": f"b{at}.jpg",
            "verified": bool(value > 50),
            "distance": round(100 - value, 2),
            "facial_areas": {"img1": {"x": 5, "left_eye": [at, 2]}, "img2": {"x": 5}},
            "time": at + 0.5,
            "expected": bool(mated),
            **more,
        }
        for at, (mated, value) in enumerate(zip(*scores, strict=True))
    ]


FORMS = {
    "deepface.json": (lambda scores: json.dumps(records_of(scores)), []),
    "named.json": (lambda scores: json.dumps({"results": records_of(scores)}), []),
    "deepface.jsonl": (lambda scores: "\n".join(map(json.dumps, records_of(scores))), []),
    "lines.txt": (lambda scores: "\n".join(map(json.dumps, records_of(scores))), []),
    "rekognition.csv": (
        lines_of(
            "SourceImage,TargetImage,Similarity,Confidence,same_person",
            "a{n}.jpg,b{n}.jpg,{v},99.9,{m}",
        ),
        ["Similarity"],
    ),
    "comments.csv": (
        lines_of("# by hand\n# in May\nimage1,image2,label,score", "a{n},b{n},{m},{v}"),
        [],
    ),
    "spreadsheet.csv": (
        lines_of("Photo left;Photo right;Same person (Y/N);Similarity (%)", "a{n};b{n};{m};{v}"),
        [],
    ),
    "german.csv": (
        lines_of("Bild 1;Bild 2;Gleiche Person;Ähnlichkeit", "a{n};b{n};{m};{v}"),
        [],
    ),
    "onboarding.csv": (
        lines_of("live_photo,enrolled_photo,same_identity,Match (%)", "a{n},b{n},{m},{v}"),
        [],
    ),
    "pictures.csv": (
        lines_of("check,against,note,same,score", "a{n}.jpg,b{n}.jpg,by hand,{m},{v}"),
        ["check", "against"],
    ),
    # As bob's CSVScoreWriter writes it.
    "bob.csv": (
        lines_of(
            "probe_template_id,probe_subject_id,bio_ref_template_id,bio_ref_subject_id,score",
            "a{n},p{p},b{n},p{q},{v}",
        ),
        [],
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_files_of_other_tools_are_read(report, scores, tmp_path, name):
    text, columns = FORMS[name]
    (tmp_path / name).write_text(text(scores))
    answers = report(name, columns=columns)
    assert len(answers) == 1 + bool(columns)
    assert re.search(r"rejects \d+ of 40 genuine attempts", answers[-1].stdout)


def answers_of_rekognition(scores, *, cut):
    """CompareFaces' answer to each pair; the last probe shows no face."""
    records = []
    for at, (mated, value) in enumerate(zip(*scores, strict=True)):
        face = {"BoundingBox": {"Width": 0.25, "Left": 0.5}, "Confidence": 99.5}
        is_match = value >= cut
        response = {
            "SourceImageFace": face,
            "FaceMatches": [{"Similarity": value, "Face": face}] if is_match else [],
            "UnmatchedFaces": [] if is_match or at == 2 * PAIRS - 1 else [face],
        }
        pair = {"image1": f"a{at}.jpg", "image2": f"b{at}.jpg", "same": int(mated)}
        records.append({**pair, "response": response})
    return json.dumps(records)


def test_an_unmatched_face_of_rekognition_is_below_its_threshold(run, report, tmp_path):
    chance = np.random.default_rng(5)
    mated = np.arange(2 * PAIRS) < PAIRS
    values = chance.normal(np.where(mated, 95, 70), 8).clip(1, 99).round(2)
    values[-1] = 5
    file = tmp_path / "aws.json"
    file.write_text(answers_of_rekognition((mated, values), cut=80))
    (answer,) = report("aws.json")
    (answers,) = read_scores(file)
    expected = np.where(values < 80, 79.99, values)
    assert answers.scores[:-1].tolist() == expected[:-1].tolist()
    assert answers.acquired.tolist() == [True] * (2 * PAIRS - 1) + [False]
    unmatched = np.count_nonzero(values < 80) - 1
    assert f"aws: {unmatched} pairs with an empty FaceMatches" in answer.stderr
    # The caller can set another threshold.
    file.write_text(answers_of_rekognition((mated, values), cut=60.5))
    refusal = run(*REPORT, "aws.json")
    assert refusal.exit_code == 2
    (option,) = set(re.findall(r"--below aws=6\d", refusal.stderr))
    assert run(*REPORT, "aws.json", *option.split()).exit_code == 0


def in_columns(mated, texts, separator=","):
    """One pair on each line, with the text of its score in quotes."""
    lines = [separator.join(["image1", "image2", "label", "score"])]
    for at, (is_mated, text) in enumerate(zip(mated, texts, strict=True)):
        lines.append(separator.join([f"a{at}", f"b{at}", str(int(is_mated)), f'"{text}"']))
    return "\n".join(lines)


def test_scores_with_percent_signs(run, report, scores, tmp_path):
    mated, values = scores
    texts = [f"{value} %" for value in values]
    texts[4] = "n/a"
    (tmp_path / "percent.csv").write_text(in_columns(mated, texts))
    report("percent.csv")
    (answers,) = read_scores(tmp_path / "percent.csv")
    assert np.delete(answers.scores, 4).tolist() == np.delete(values, 4).tolist()
    # 0.7 beside 70 % may be another scale.
    texts[5] = "0.7"
    (tmp_path / "percent.csv").write_text(in_columns(mated, texts))
    assert run(*REPORT, "percent.csv").exit_code == 2


@pytest.mark.parametrize("decimal", [".", ","])
def test_scores_with_thousands_separators(run, report, scores, tmp_path, decimal):
    mated, values = scores
    values *= 50  # 50.00 to 4,950.00
    swapped = str.maketrans(",.", ".," if decimal == "," else ",.")
    texts = [f"{value:,.2f}".translate(swapped) for value in values]
    file = tmp_path / "thousands.csv"
    file.write_text(in_columns(mated, texts, separator=";"))
    report("thousands.csv")
    (answers,) = read_scores(file)
    assert answers.scores.tolist() == pytest.approx(values.tolist())
    # 1,234 alone may be a number between 1 and 2.
    file.write_text(in_columns(mated, ["1,234", *range(2 * PAIRS - 1)]))
    assert run(*REPORT, "thousands.csv").exit_code == 2


def test_rekognitions_similarity_is_chosen_among_its_numbers(run, scores, tmp_path):
    mated, values = scores
    lines = ["SourceImage,TargetImage,same_person,Similarity,Confidence"]
    for at, (is_mated, value) in enumerate(zip(mated, values, strict=True)):
        lines.append(f"a{at}.jpg,b{at}.jpg,{int(is_mated)},{value},{99 + at / 100}")
    (tmp_path / "aws.csv").write_text("\n".join(lines))
    refusal = run(*REPORT, "aws.csv")
    assert refusal.exit_code == 2
    assert "Rekognition's score is Similarity" in " ".join(refusal.stderr.split())


def test_zeros_for_omitted_scores_are_explained_by_options(run, tmp_path):
    mated = np.arange(2 * PAIRS) < PAIRS
    values = np.where(mated, 99.5 - np.arange(2 * PAIRS) % 9, 0)
    values[3], values[50:52] = 0, [84.5, 91]
    (tmp_path / "aws.csv").write_text(in_columns(mated, [str(value) for value in values]))
    answer = run(*REPORT, "aws.csv")
    assert answer.exit_code == 0
    assert "use --no-score 0 --below aws=80" in " ".join(answer.stderr.split())
    refusal = run(*REPORT, "aws.csv", "--below", "80")
    assert refusal.exit_code == 2
    assert "add --no-score 0" in " ".join(refusal.stderr.split())
    assert run(*REPORT, "aws.csv", "--no-score", "0", "--below", "aws=80").exit_code == 0


def test_words_among_scores_are_explained_by_an_option(run, scores, tmp_path):
    mated, values = scores
    texts = [str(value) for value in values]
    texts[3], texts[7], texts[50] = "no face", "too blurred", "no face"
    (tmp_path / "words.csv").write_text(in_columns(mated, texts))
    refusal = run(*REPORT, "words.csv")
    assert refusal.exit_code == 2
    given = re.findall(r"(--no-score '[^']+')", " ".join(refusal.stderr.split()))
    options = shlex.split(" ".join({*given}))
    # Each word is explained by itself: one may mean a failed call.
    assert run(*REPORT, "words.csv", "--no-score", "no face").exit_code == 2
    answer = run(*REPORT, "words.csv", *options)
    assert answer.exit_code == 0
    assert "3 of words" in answer.stderr
    (answers,) = read_scores(tmp_path / "words.csv", no_scores=["no face", "too blurred"])
    assert np.flatnonzero(~answers.acquired).tolist() == [3, 7, 50]


def test_scores_of_mated_and_other_pairs_in_two_files(run, run_json, scores, tmp_path):
    mated, values = scores
    (tmp_path / "genuine.txt").write_text("\n".join(map(str, values[mated])))
    (tmp_path / "impostor.txt").write_text("score\n" + "\n\n".join(map(str, values[~mated])))
    words = ("compare", "report", "--fmr", "0.2", "--mated", "genuine.txt")
    refusal = run(*words, "--non-mated", "impostor.txt")
    assert "--independent-pairs" in refusal.stderr.splitlines()[-1]
    words = (*words, "--independent-pairs")
    code, report = run_json(*words, "--non-mated", "impostor.txt")
    (system,) = report["systems"]
    threshold = system["at_required"]["threshold"]
    for rate, wrong in (
        ("fmr", np.count_nonzero(values[~mated] >= threshold)),
        ("frr", np.count_nonzero(values[mated] < threshold)),
    ):
        assert (system["at_required"][rate]["errors"], code) == (wrong, 0)
    assert report["evidence"]["file"] == "genuine.txt + impostor.txt"
    # One alone, a list of pairs, an empty file, and the report over a file that is read.
    (tmp_path / "pairs.txt").write_text("0.5\nanna bert 0.7\n")
    (tmp_path / "empty.txt").write_text("")
    for others in (
        (),
        ("--non-mated", "impostor.txt", "--scores", "genuine.txt"),
        ("--non-mated", "impostor.txt", "--store", "study.sqlite3"),
        ("--non-mated", "pairs.txt"),
        ("--non-mated", "empty.txt"),
        ("--non-mated", "none.txt"),
    ):
        assert run(*words, *others).exit_code == 2
    # A file of either option is refused in the same words.
    (tmp_path / "binary.txt").write_bytes(b"\0\1")
    for name in ("binary.txt", "none.txt"):
        as_scores = run(*REPORT, name).stderr.splitlines()[-1]
        assert run(*words, "--non-mated", name).stderr.splitlines()[-1] == as_scores
    (tmp_path / "genuine.csv").write_text((tmp_path / "genuine.txt").read_text())
    over = ("--mated", "genuine.csv", "--non-mated", "impostor.txt", "--answers")
    for name in ("genuine.csv", tmp_path / "genuine.csv"):
        answer = run(*words, *over, name)
        assert (answer.exit_code, "would overwrite" in answer.stderr) == (2, True)


def test_a_workbook_with_a_sheet_for_each_vendor(run, report, scores, tmp_path):
    mated, values = scores
    book = openpyxl.Workbook()
    book.active.append(["Our test", "of May"])
    for vendor, less in (("Acme", 0), ("Bolt", 1)):
        sheet = book.create_sheet(vendor)
        sheet.append(["image1", "image2", "label", "score"])
        for at, (is_mated, value) in enumerate(zip(mated.tolist(), values.tolist(), strict=True)):
            sheet.append([f"a{at}", f"b{at}", is_mated, round(value - less, 2)])
    file = tmp_path / "vendors.xlsx"
    book.save(file)
    (answer,) = report("vendors.xlsx")
    assert "a sheet for each system: 'Acme', 'Bolt'" in answer.stderr
    acme, bolt = read_scores(file)
    assert (acme.name, bolt.name) == ("Acme", "Bolt")
    assert acme.scores.tolist() == values.tolist()
    assert bolt.scores.tolist() == (values - 1).round(2).tolist()
    sheet["D8"] = "no face"
    book.save(file)
    assert "Bolt, row 8: score is 'no face'" in run(*REPORT, "vendors.xlsx").stderr
    # Sheets of two months have other pairs.
    sheet["A8"] = "another"
    sheet["D8"] = 5
    book.save(file)
    assert run(*REPORT, "vendors.xlsx").exit_code == 2


def table_of(scores):
    mated, values = scores
    pictures = {side: [f"{side}{n}.jpg" for n in range(2 * PAIRS)] for side in "ab"}
    labels = mated.astype(int)
    return pd.DataFrame(
        {"Image 1": pictures["a"], "Image 2": pictures["b"], "label": labels, "score": values}
    )


def of_psql(frame):
    lines = [" | ".join(frame.columns), "-----------+-----------+-------+-------"]
    lines += [" | ".join(map(str, row)) for row in frame.itertuples(index=False)]
    return "\n".join([*lines, f"({len(frame)} rows)", ""])


def of_markdown(frame):
    rows = [frame.columns, ["---", ":--", "--:", "---"], *frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def of_r(frame):
    """As `write.table` writes it."""
    lines = [" ".join(f'"{name}"' for name in frame.columns)]
    for number, (first, second, label, score) in enumerate(frame.itertuples(index=False), 1):
        lines.append(f'"{number}" "{first}" "{second}" {label} {score}')
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("form", "separated_by"),
    [
        (of_psql, "bars"),
        (of_markdown, "bars"),
        (lambda frame: frame.to_csv(sep="|", index=False), "bars"),
        (of_r, "blanks"),
        (lambda frame: frame.to_string(), "blanks"),
        (lambda frame: frame.rename(columns=plain).to_string(index=False), "blanks"),
    ],
)
def test_bars_and_blanks_between_columns(run, scores, tmp_path, form, separated_by):
    frame = table_of(scores)
    file = tmp_path / "table.txt"
    file.write_text(form(frame))
    answer = run(*REPORT, "table.txt")
    assert answer.exit_code == 0
    assert f"{separated_by} between its columns" in " ".join(answer.stderr.split())
    (answers,) = read_scores(file)
    assert answers.scores.tolist() == frame["score"].tolist()
    assert answers.frame["probe"].tolist() == frame["Image 1"].tolist()
    # A word is reported with its line.
    lines = form(frame).splitlines()
    at = next(at for at, line in enumerate(lines) if "a5.jpg" in line)
    lines[at] = lines[at].replace(str(frame["score"][5]), "blurred")
    file.write_text("\n".join(lines))
    assert f"line {at + 1}: score is 'blurred'" in run(*REPORT, "table.txt").stderr


def test_cells_with_blanks_or_without_any_text_are_not_split_at_blanks(run, scores, tmp_path):
    lines = [f"Anna Ek{n % 9} {n % 2} 0.{n}" for n in range(80)]
    (tmp_path / "names.txt").write_text("\n".join(["person label score", *lines]))
    (tmp_path / "empty.txt").write_text(table_of(scores).to_string().replace("a3.jpg", "      "))
    for name in ("names.txt", "empty.txt"):
        refusal = run(*REPORT, name)
        assert refusal.exit_code == 2
        assert "Separate columns with commas" in refusal.stderr


def test_scores_on_two_scales(run, report, scores, tmp_path):
    mated, values = scores
    # A scale to 100 whose strangers score almost nothing.
    texts = [
        f"{value if is_mated else value / 100:.4f}" for is_mated, value in zip(*scores, strict=True)
    ]
    texts[-1] = "90.5"
    (tmp_path / "one.csv").write_text(in_columns(mated, texts))
    (answer,) = report("one.csv")
    assert "if the scale changed" in " ".join(answer.stderr.split())
    # The API changed after half of the calls, or half of the calls were made by two programs.
    texts = [f"{value / 100 if n % 2 else value:.4f}" for n, value in enumerate(values)]
    (tmp_path / "two.csv").write_text(in_columns(mated, texts))
    refusal = run(*REPORT, "two.csv")
    assert refusal.exit_code == 2
    (option,) = re.findall(r"--no-score nan", " ".join(refusal.stderr.split()))
    assert run(*REPORT, "two.csv", *option.split()).exit_code == 0


def test_vendors_beside_a_result_are_asked_for(report, scores, tmp_path):
    """The result is one vendor's answer, or the tester's; the scores are whose names head them."""
    mated, values = scores
    lines = ["Probe,Reference,Expected,Result,Amazon Rekognition,Azure Face,latency_ms"]
    for n, (is_mated, value) in enumerate(zip(mated, values, strict=True)):
        result = "match" if value > 50 else "no match"
        label = "match" if is_mated else "no match"
        lines.append(f"a{n},b{n},{label},{result},{value},{value / 100:.4f},{150 + n}.5")
    (tmp_path / "vendors.csv").write_text("\n".join(lines))
    _, second = report("vendors.csv")
    assert "Azure Face" in second.stdout
    columns = {"score": ["Amazon Rekognition", "Azure Face"]}
    answers = read_scores(tmp_path / "vendors.csv", columns=columns)
    assert [each.name for each in answers] == ["Amazon Rekognition", "Azure Face"]
    # Or the decisions alone.
    (answers,) = read_scores(tmp_path / "vendors.csv", columns={"score": ""})
    assert answers.decisions.tolist() == (values > 50).astype(int).tolist()
    # Seconds beside decisions are no scores.
    lines = [re.sub(r"(,[^,]*){3}$", f",{n}.5", line) for n, line in enumerate(lines)]
    lines[0] = "Probe,Reference,Expected,Result,latency_ms"
    (tmp_path / "decisions.csv").write_text("\n".join(lines))
    assert len(report("decisions.csv")) == 1


def test_a_workbook_with_sheets_of_different_columns(run, report, scores, tmp_path):
    mated, values = scores
    pictures = [(f"a{n}", f"b{n}") for n in range(2 * PAIRS)]
    tables = {
        "Cover": [["Our test", "of May"]],
        "Labels": [["image1", "image2", "label"]],
        "AWS": [["Report", None, None], ["source", "target", "Similarity"]],
        "Azure Face": [["file1", "file2", "confidence", "note"]],
        "Summary": [["Vendor", "Rejected", "Price"], ["AWS", 5, 0.1]],
    }
    for (one, other), is_mated, value in zip(
        pictures, mated.tolist(), values.tolist(), strict=True
    ):
        tables["Labels"].append([one, other, is_mated])
        tables["AWS"].append([one, other, value])
        tables["Azure Face"].append([other, one, value / 100, "x"])
    book = openpyxl.Workbook()
    for name, rows in tables.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    del book["Sheet"]
    book.save(tmp_path / "vendors.xlsx")
    (answer,) = report("vendors.xlsx")
    noted = " ".join(answer.stderr.split())
    assert "several tables, which are joined by pair: 'Labels', 'AWS', 'Azure Face'" in noted
    assert "other sheets, which were not read: 'Cover', 'Summary'" in noted
    aws, azure = read_scores(tmp_path / "vendors.xlsx")
    assert (aws.name, azure.name) == ("AWS", "Azure Face")
    assert aws.scores.tolist() == values.tolist()
    assert aws.mated.tolist() == mated.tolist()
    # A column of one sheet is named as one of a file.
    book["Azure Face"]["C1"] = "belief"
    book["AWS"]["C4"] = "no face"
    book.save(tmp_path / "vendors.xlsx")
    report("vendors.xlsx", "--no-score", "no face", columns=["belief"])
    refusal = run(*REPORT, "vendors.xlsx", "--column", "Azure Face:score=belief")
    assert "sheet 'AWS'" in refusal.stderr
    assert "row 4: Similarity is 'no face'" in refusal.stderr


def test_a_workbook_with_a_sheet_for_each_month(report, scores, tmp_path):
    """A column has the systems, so the sheets are one table."""
    mated, values = scores
    book = openpyxl.Workbook()
    for month in range(2):
        sheet = book.create_sheet(f"2026-0{month + 1}")
        sheet.append(["vendor", "image1", "image2", "label", "score"])
        for at in range(month, 2 * PAIRS, 2):
            for vendor in ("Acme", "Bolt"):
                is_mated, value = mated[at].item(), values[at].item()
                sheet.append([vendor, f"a{at}", f"b{at}", is_mated, value])
    book.save(tmp_path / "months.xlsx")
    report("months.xlsx")
    acme, _ = read_scores(tmp_path / "months.xlsx")
    assert acme.scores.tolist() == [*values[::2], *values[1::2]]


@pytest.fixture
def distances(scores, tmp_path):
    """The labels and distances of the pairs in distances.csv, whose column has another name."""
    mated, values = scores
    distances = np.round(100 - values)
    rows = ["image1,image2,same,score"]
    for at, (is_mated, distance) in enumerate(zip(mated.tolist(), distances.tolist(), strict=True)):
        rows.append(f"a{at},b{at},{int(is_mated)},{distance}")
    (tmp_path / "distances.csv").write_text("\n".join(rows))
    return mated, distances


OF_DISTANCES = (*REPORT, "distances.csv", "--fmr", "0.2", "--independent-pairs")


@pytest.mark.parametrize(("rule", "passes"), [("at_most", np.less_equal), ("below", np.less)])
def test_a_rule_for_distances_reverses_the_scores(rule, passes, run_json, distances):
    mated, values = distances
    code, report = run_json(*OF_DISTANCES, "--rule", rule)
    (system,) = report["systems"]
    largest_distance = -system["at_required"]["threshold"]
    false_matches = np.count_nonzero(passes(values[~mated], largest_distance))
    assert (system["at_required"]["fmr"]["errors"], code) == (false_matches, 0)


@pytest.mark.usefixtures("distances")
def test_distances_read_as_scores_are_refused_with_the_rule_to_type(run):
    answer = run(*OF_DISTANCES)
    assert answer.exit_code == 2
    assert "--rule at_most" in answer.stderr
