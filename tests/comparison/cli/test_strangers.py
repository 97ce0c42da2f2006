"""Files of people who read no page: a report at the first try, or at the pasted second.

A line to paste may have `COLUMN` where only the user knows the name of a column.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

from facematch_comparison import read_scores
from facematch_comparison.scores.columns import plain

REPORT = "compare report --fmr 0.2 --scores"
PAIRS = 40


@pytest.fixture
def pairs():
    """Forty mated and forty non-mated pairs, whose scores have two decimals."""
    chance = np.random.default_rng(5)
    numbers = range(2 * PAIRS)
    frame = pd.DataFrame({"image1": [f"a{n}.jpg" for n in numbers]})
    frame["image2"] = [f"b{n}.jpg" for n in numbers]
    frame["label"] = (frame.index < PAIRS).astype(int)
    frame["score"] = chance.normal(np.where(frame["label"], 70, 30), 20).clip(1, 99).round(2)
    return frame


@pytest.fixture
def report(run, monkeypatch):
    """The answers to a line, and to the one that it gave to paste, if it did."""

    def ask(line, columns=()):
        answers = [run(f"{REPORT} {line}")]
        if answers[0].exit_code:
            with monkeypatch.context() as narrow:
                # A shell would run the beginning of a line that is broken.
                narrow.setenv("COLUMNS", "60")
                refusal = run(f"{REPORT} {line}").stderr
            (pasted,) = re.findall(r"^  facematch (.*)$", refusal, re.MULTILINE)
            for name in columns:
                pasted = pasted.replace("COLUMN", name, 1)
            answers.append(run(pasted))
        assert answers[-1].exit_code == 0, answers[-1].output
        return answers

    return ask


@pytest.fixture
def refusal(run):
    """The text of a refusal, without its breaks."""

    def refuse(line):
        answer = run(f"{REPORT} {line}")
        assert answer.exit_code == 2
        return in_one_line(answer.stderr)

    return refuse


def in_one_line(text):
    return " ".join(text.split())


def with_head(pairs, head, separator=","):
    """Pairs with other names of their columns, as CSV."""
    return pairs.set_axis(head.split(separator), axis=1).to_csv(sep=separator, index=False)


def write_book(path, tables):
    """Write a workbook with a sheet for each table, whose rows are lists; return it."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in tables.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return book


def rows_of(frame):
    """The heads of a frame and its rows."""
    return [list(frame), *frame.to_numpy(object).tolist()]


def test_log_with_one_user_per_line(report, pairs):
    number = pairs.index
    log = pd.DataFrame({"case_no": number, "similarity": pairs["score"], "genuine": pairs["label"]})
    log["timestamp"] = [f"t{n}" for n in number]
    log["country"] = np.where(number % 20 < 10, "DE", "FR")
    log["user_id"] = [f"u{n % 20}" for n in number]
    acme = log.assign(vendor="Acme", latency_ms=100 + number)
    bolt = log.assign(vendor="Bolt", latency_ms=101 + number, similarity=log["similarity"] - 1)
    pd.concat([acme, bolt]).to_csv("log.csv", index=False)
    first, second = report("log.csv", columns=["case_no"])
    assert re.search(r"country +unknown +'DE', 'FR'", first.stderr)
    assert "each line names one person, 'user_id'" in second.stderr
    columns = {"pair": "case_no", "probe_group_country": "country"}
    acme, bolt = read_scores("log.csv", columns=columns)
    assert (acme.name, bolt.name, acme.people_known) == ("Acme", "Bolt", False)
    assert acme.scores.tolist() == pairs["score"].tolist()
    # Twenty users, and somebody else in each of forty non-mated pairs.
    assert len(acme.people.numbers) == 60
    assert (acme.groups["country"].reference[PAIRS:] == -1).all()


def records_of(pairs):
    """What deepface returns for each pair, with the truth beside it."""
    records = []
    for number, pair in pairs.iterrows():
        record = {
            "img1_path": pair["image1"],
            "img2_path": pair["image2"],
            "verified": pair["score"] > 50,
            "distance": round(100 - pair["score"], 2),
            "threshold": 50,
            "model": "VGG-Face",
            "detector_backend": "opencv",
            "facial_areas": {"img1": {"x": 5, "left_eye": [number, 2]}, "img2": {"x": 5}},
            "time": number + 0.5,
            "expected": bool(pair["label"]),
        }
        records.append(record)
    return records


def templates_of(pairs):
    """As bob's CSVScoreWriter writes it."""
    number = pairs.index
    frame = pd.DataFrame({"probe_template_id": pairs["image1"], "score": pairs["score"]})
    frame["probe_subject_id"] = number % PAIRS
    frame["bio_ref_template_id"] = pairs["image2"]
    frame["bio_ref_subject_id"] = (number + 1 - pairs["label"]) % PAIRS
    return frame.to_csv(index=False)


def nested(pairs, name):
    """JSON records with the score under a dotted name, beside a face's own confidence."""
    records = []
    for pair in pairs.to_dict("records"):
        answer = pair.pop("score")
        for key in reversed(name.split(".")):
            answer = {key: answer}
        records.append({**pair, **answer, "face": {"box": {"left": 3}}})
    return json.dumps(records)


FORMS = {
    "deepface.json": lambda pairs: json.dumps(records_of(pairs)),
    "named.json": lambda pairs: json.dumps({"results": records_of(pairs)}),
    "lines.txt": lambda pairs: "\n".join(map(json.dumps, records_of(pairs))),
    "comments.csv": lambda pairs: f"# by hand\n# in May\n{pairs.to_csv(index=False)}",
    "spreadsheet.csv": lambda pairs: with_head(
        pairs, "Photo left;Photo right;Same person (Y/N);Similarity (%)", ";"
    ),
    "german.csv": lambda pairs: with_head(pairs, "Bild 1;Bild 2;Gleiche Person;Ähnlichkeit", ";"),
    "onboarding.csv": lambda pairs: with_head(
        pairs, "live_photo,enrolled_photo,same_identity,Match (%)"
    ),
    "pictures.csv": lambda pairs: with_head(
        pairs.assign(note="by hand"), "check,against,same,score,note"
    ),
    "bob.csv": templates_of,
    "numbered.csv": lambda pairs: pairs.rename_axis(index="#").to_csv(),
    "tencent.json": lambda pairs: nested(pairs, "Response.Score"),
    "baidu.jsonl": lambda pairs: nested(pairs, "resp.result.score"),
    "points.csv": lambda pairs: pairs.assign(score=pairs["score"].astype(str) + " pts").to_csv(),
    "averages.csv": lambda pairs: f"{pairs.to_csv(index=False)}Average,,,{pairs['score'].mean()}\n",
    "remark.csv": lambda pairs: f"{pairs.to_csv(index=False)},,,\nTotal,,,9\nBy Ada in May,,,\n",
    "excel.csv": lambda pairs: f"\ufeffsep=;\n{pairs.to_csv(sep=';', decimal=',', index=False)}",
    "below.json": lambda pairs: json.dumps(
        {"meta": {"pairs": 80}, "data": {"items": pairs.to_dict("records")}}
    ),
}
#: Files in which nothing but their form differs.
SAME_SCORES = (
    "numbered.csv",
    "tencent.json",
    "baidu.jsonl",
    "points.csv",
    "averages.csv",
    "remark.csv",
    "excel.csv",
    "below.json",
)
#: The columns that only the user knows.
ASKED = {"pictures.csv": ["check", "against"]}


@pytest.mark.parametrize("name", FORMS)
def test_files_of_other_tools_are_read(report, pairs, tmp_path, name):
    (tmp_path / name).write_text(FORMS[name](pairs))
    *refused, answer = report(name, columns=ASKED.get(name, ()))
    assert len(refused) == (name in ASKED)
    assert re.search(r"rejects \d+ of 40 genuine attempts", answer.stdout)
    if name in SAME_SCORES:
        (answers,) = read_scores(tmp_path / name)
        assert answers.scores.tolist() == pairs["score"].tolist()


@pytest.mark.parametrize(
    "names",
    [
        ["liveness.score"],
        ["name_check.similarity"],
        ["result.credit.score"],
        ["response.Face.Confidence"],
        ["check.score", "liveness.score"],
    ],
    ids=str,
)
def test_a_nested_score_that_may_be_another_one_is_asked(run, pairs, names):
    score = pairs.pop("score")
    pairs.assign(**dict.fromkeys(names, score)).to_csv("nested.csv", index=False)
    refusal = run(f"{REPORT} nested.csv")
    assert (refusal.exit_code, "score=COLUMN" in refusal.stderr) == (2, True)


@pytest.mark.parametrize(
    ("names", "proposed"),
    [
        (["rek_similarity_score", "liveness_score", "age"], ["rek_similarity_score"]),
        (["aws.score", "azure.score"], ["aws.score", "azure.score"]),
        (["arcface_distance"], ["arcface_distance"]),
    ],
    ids=str,
)
def test_columns_named_as_scores_are_proposed(report, pairs, names, proposed):
    score = pairs.pop("score")
    for name in names:
        pairs[name] = 100 - score if name.endswith("distance") else score
    pairs.to_csv("odd.csv", index=False)
    refusal, answer = report("odd.csv")
    options = re.findall("--column score=([^ \n]+)", refusal.stderr)
    assert list(dict.fromkeys(options)) == proposed
    assert len(answer.stdout.split("system  ")[1].split("\n\n")[0].splitlines()) == 1 + len(
        proposed
    )


def test_a_column_proposed_as_scores_names_no_people(run, pairs):
    """It would be the only column left that `person` could stand for."""
    pairs[["label", "score"]].rename(columns={"score": "rek_score"}).to_csv("odd.csv", index=False)
    refusal = run(f"{REPORT} odd.csv").stderr
    assert "--column score=rek_score --independent-pairs" in refusal
    assert "COLUMN" not in refusal


def test_a_distance_in_a_nested_record_is_a_distance(pairs, tmp_path):
    (tmp_path / "dlib.json").write_text(nested(pairs, "answer.l2"))
    (answers,) = read_scores(tmp_path / "dlib.json")
    assert answers.scores.tolist() == (-pairs["score"]).tolist()


def test_records_in_a_parquet_file_are_read_as_those_of_json(pairs, tmp_path):
    response = [{"Response": {"Score": score, "Faces": 2}} for score in pairs.pop("score")]
    pairs.assign(answer=response).to_parquet(tmp_path / "tencent.parquet")
    pairs.assign(answer=response).to_json(tmp_path / "tencent.json", orient="records")
    for_parquet, for_json = (
        read_scores(tmp_path / f"tencent.{ending}")[0] for ending in ("parquet", "json")
    )
    assert for_parquet.scores.tolist() == for_json.scores.tolist()
    assert not np.isnan(for_json.scores).any()


def test_a_workbook_ends_with_averages_and_a_remark(pairs, tmp_path):
    below = [["Average", None, None, 50.5], [None] * 4, ["By Ada in May", None, None, None]]
    write_book("scores.xlsx", {"Scores": [*rows_of(pairs), *below]})
    notes = []
    (answers,) = read_scores(tmp_path / "scores.xlsx", note=notes.append)
    assert answers.scores.tolist() == pairs["score"].tolist()
    assert any("'Average' and 'By Ada in May'" in note for note in notes)


def test_whole_numbers_with_thousands_separators(pairs, tmp_path):
    scores = (pairs["score"] * 50).astype(int)  # 50 to 4,950
    pairs.assign(score=[f"{score:,}" for score in scores]).to_csv("whole.csv", index=False)
    (answers,) = read_scores(tmp_path / "whole.csv")
    assert answers.scores.tolist() == scores.tolist()


@pytest.mark.parametrize(
    "written",
    [
        lambda score: f"{score:,.2f}".replace(",", "'"),
        lambda score: f"{score:,.2f}".replace(",", "\N{RIGHT SINGLE QUOTATION MARK}"),
        lambda score: f"{int(score / 1e5)},{score / 1e3 % 100:05.2f}".replace(".", ",") + "0",
    ],
    ids=["Swiss", "Swiss, typographic", "Indian"],
)
def test_digits_grouped_as_in_switzerland_and_india(pairs, tmp_path, written):
    scores = 712_340 + pairs["score"].round() * 100
    pairs.assign(score=scores.map(written)).to_csv("grouped.csv", index=False)
    (answers,) = read_scores(tmp_path / "grouped.csv")
    assert answers.scores.tolist() == scores.tolist()


@pytest.mark.parametrize(
    ("slip", "sep", "form"),
    [
        ("9.12.345", ";", "{:.1f}"),
        ("1,234,567", ";", "{:.1f}"),
        ("1,234,567", ",", "{:.2f}"),
        ("1,234,567", ";", "1234{:.3f}"),
    ],
)
def test_a_slip_among_decimals_is_no_large_number(refusal, pairs, slip, sep, form):
    texts = pairs["score"].map(form.format)
    if "," in slip:
        texts = texts.str.replace(".", ",")
    texts[3] = slip
    pairs.assign(score=texts).to_csv("slip.csv", index=False, sep=sep)
    text = refusal("slip.csv")
    assert repr(slip) in text
    assert "line 5" in text


def test_points_of_another_grouping_are_a_slip_beside_thousands(refusal, pairs):
    texts = [f"{score * 50:,.2f}" for score in pairs["score"]]
    texts = pd.Series(texts).str.translate(str.maketrans(",.", ".,"))
    texts[3] = "9.12.345"
    pairs.assign(score=texts).to_csv("slip.csv", index=False, sep=";")
    assert "'9.12.345'" in refusal("slip.csv")


TITLES = ["Pictures", "", "Truth", "Answer"]
QUESTIONS = ["First picture", "Second picture", "Same person?", "How similar?"]


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_a_second_head_is_named(refusal, pairs, suffix):
    rows = [list(pairs.columns), *pairs.to_numpy().tolist()]
    for name, lines in {
        "merged": [TITLES, *rows],
        "survey": [rows[0], QUESTIONS, *rows[1:]],
    }.items():
        path = f"{name}{suffix}"
        if suffix == ".xlsx":
            write_book(path, {"Scores": lines})
        else:
            pd.DataFrame(lines).to_csv(path, header=False, index=False)
        text = refusal(path)
        assert "second head" in text or "two heads" in text
        assert "elete" in text


@pytest.mark.parametrize("metric", ["similarity", "Confidence", "distance", "cosine"])
@pytest.mark.parametrize("label", ["1", "genuine"])
def test_a_pair_that_states_its_metric_is_no_second_head(run, refusal, pairs, metric, label):
    labels = pairs["label"].map({1: label, 0: "0"})
    pairs = pairs.assign(label=labels, metric=metric).rename(columns={"score": "value"})
    pairs.to_csv("metric.csv", index=False)
    assert "no column of scores has a known name" in refusal("metric.csv")
    assert run(f"{REPORT} metric.csv --column score=value").exit_code == 0
    pairs.drop(columns="metric").to_csv("named.csv", index=False)
    report = run(f"{REPORT} metric.csv --column score=value --json")
    named = run(f"{REPORT} named.csv --column score=value --json")
    systems = [json.loads(answer.stdout)["systems"][0] for answer in (report, named)]
    assert systems[0]["curve"] == systems[1]["curve"]


def test_labels_beside_scores_may_name_a_metric(run, pairs):
    scores = pairs.drop(columns="label")
    scores.to_csv("scores.csv", index=False)
    pairs.drop(columns="score").assign(note="similarity").to_csv("labels.csv", index=False)
    assert run(f"{REPORT} scores.csv --scores labels.csv").exit_code == 0


def test_a_word_on_the_second_line_alone_is_still_a_missing_score(run, refusal, pairs):
    pairs["score"] = pairs["score"].astype(str)
    pairs.loc[0, "score"] = "no face"
    pairs.to_csv("first.csv", index=False)
    (option,) = re.findall("use (--no-score 'no face')", refusal("first.csv"))
    assert run(f"{REPORT} first.csv {option}").exit_code == 0


@pytest.mark.parametrize("option", ["scor=", "scor=score", "score=scor"])
def test_a_misspelt_column_has_a_hint(refusal, pairs, option):
    pairs.to_csv("s.csv", index=False)
    assert "did you mean score?" in refusal(f"s.csv --column {option}")


def test_the_last_row_is_a_pair_unless_a_word_and_an_empty_cell_say_otherwise(pairs, tmp_path):
    pairs.loc[2 * PAIRS - 1, "image1"] = "total"
    pairs.to_csv("total.csv", index=False)
    (answers,) = read_scores(tmp_path / "total.csv")
    assert len(answers) == 2 * PAIRS


@pytest.mark.parametrize(
    ("start", "noun"),
    [
        (b"\x93NUMPY\x01\0", "an array of numpy"),
        (b"PK\x03\x04" + bytes(26) + b"label.npy", "an archive of numpy"),
        (b"SQLite format 3\0", "an SQLite database"),
        (bytes(8) + b"DUCK\0", "a DuckDB database"),
        (b"<stata_dta><header>", "a file of Stata"),
        (b"\x72\x02\x01\0", "a file of Stata"),
        (b"$FL2@(#) SPSS DATA FILE\0", "a file of SPSS"),
    ],
)
def test_a_file_of_another_program_is_refused_by_its_name(refusal, tmp_path, start, noun):
    (tmp_path / "scores.dat").write_bytes(start)
    assert f"is {noun}: save it as CSV" in refusal("scores.dat")


def test_many_missing_scores_without_a_reason_are_asked(run, refusal, pairs):
    """An export with a line for each check has lines of documents, which compare no faces."""
    pairs["score"] = pairs["score"].where(pairs.index % 4 > 0)
    pairs.to_csv("onfido.csv", index=False)
    (option,) = re.findall("(--no-score '')", refusal("onfido.csv"))
    assert run(f"{REPORT} onfido.csv {option}").exit_code == 0
    pairs.assign(acquired=pairs["score"].notna().astype(int)).to_csv("onfido.csv", index=False)
    assert run(f"{REPORT} onfido.csv").exit_code == 0


def test_empty_scores_beside_timeouts_are_asked(run, refusal, pairs):
    """A call that failed is no picture without a face: it counts in no rate."""
    is_late = pairs.index % 10 == 0
    pairs["score"] = pairs["score"].mask(is_late)
    pairs.assign(state=np.where(is_late, "no face", "ok")).to_csv("log.csv", index=False)
    assert run(f"{REPORT} log.csv").exit_code == 0
    pairs.assign(state=np.where(is_late, "ReadTimeout", "ok")).to_csv("log.csv", index=False)
    (option,) = re.findall("use (--column error=state)", refusal("log.csv"))
    assert run(f"{REPORT} log.csv {option}").exit_code == 0
    (answers,) = read_scores("log.csv", columns={"error": "state"})
    assert answers.answered.tolist() == (~is_late).tolist()
    (answers,) = read_scores("log.csv", no_scores=[""])
    assert answers.answered.all()


MISREAD = {
    "again.csv": (
        lambda pairs: f"{pairs.to_csv(index=False)}image1,image2,label,score\n",
        "header again",
    ),
    "capped.csv": (
        lambda pairs: pairs.assign(
            score=pairs["score"].astype(str).where(pairs["score"] < 80, ">80")
        ),
        "write the number itself",
    ),
    "match.csv": (lambda pairs: pairs.rename(columns={"score": "match"}), "--column score=match"),
}


@pytest.mark.parametrize("name", MISREAD)
def test_the_advice_on_a_word_fits_what_it_means(refusal, pairs, name):
    """Read as a missing score, each would count as a picture without a face."""
    make, advice = MISREAD[name]
    content = make(pairs)
    Path(name).write_text(content if isinstance(content, str) else content.to_csv(index=False))
    text = refusal(name)
    assert advice in text
    assert "--no-score" not in text


def test_rekognitions_score_is_named_where_it_is_asked_for(report, pairs):
    frame = pairs.set_axis(["SourceImage", "TargetImage", "same_person", "Similarity"], axis=1)
    frame.assign(Confidence=99 + pairs.index / 100).to_csv("aws.csv", index=False)
    first, _ = report("aws.csv", columns=["Similarity"])
    assert "Rekognition's score is Similarity" in in_one_line(first.stderr)


def answers_of_rekognition(pairs, *, cut):
    """CompareFaces' answer to each pair; the last probe shows no face."""
    records = []
    for number, pair in pairs.iterrows():
        face = {"BoundingBox": {"Width": 0.25, "Left": 0.5}, "Confidence": 99.5}
        is_match = pair["score"] >= cut
        is_unmatched = not is_match and number < len(pairs) - 1
        response = {
            "SourceImageFace": face,
            "FaceMatches": [{"Similarity": pair["score"], "Face": face}] if is_match else [],
            "UnmatchedFaces": [face] if is_unmatched else [],
        }
        records.append({**pair.drop("score"), "response": response})
    return json.dumps(records)


def test_an_unmatched_face_of_rekognition_is_below_its_threshold(run, report, pairs, tmp_path):
    scores = np.random.default_rng(5).normal(np.where(pairs["label"], 95, 70), 8)
    pairs["score"] = scores.clip(1, 99).round(2)
    pairs.loc[2 * PAIRS - 1, "score"] = 5
    file = tmp_path / "aws.json"
    file.write_text(answers_of_rekognition(pairs, cut=80))
    (answer,) = report("aws.json")
    (answers,) = read_scores(file)
    is_below = pairs["score"] < 80
    expected = pairs["score"].mask(is_below, 79.99)
    assert answers.scores[:-1].tolist() == expected[:-1].tolist()
    assert np.flatnonzero(~answers.acquired).tolist() == [2 * PAIRS - 1]
    assert f"aws: {is_below.sum() - 1} pairs with an empty FaceMatches" in answer.stderr
    # The caller can set another threshold.
    file.write_text(answers_of_rekognition(pairs, cut=60.5))
    refusal = run(f"{REPORT} aws.json")
    assert refusal.exit_code == 2
    (option,) = set(re.findall(r"--below aws=6\d", refusal.stderr))
    assert run(f"{REPORT} aws.json {option}").exit_code == 0


@pytest.mark.parametrize("decimal", [".", ","])
def test_scores_with_thousands_separators(report, refusal, pairs, decimal):
    scores = pairs["score"] * 50  # 50.00 to 4,950.00
    swapped = str.maketrans(",.", ".," if decimal == "," else ",.")
    pairs["score"] = [f"{score:,.2f}".translate(swapped) for score in scores]
    pairs.to_csv("thousands.csv", sep=";", index=False)
    report("thousands.csv")
    (answers,) = read_scores("thousands.csv")
    assert answers.scores.tolist() == pytest.approx(scores.tolist())
    # 1,234 alone may be a number between 1 and 2.
    pairs["score"] = ["1,234", *map(str, range(2 * PAIRS - 1))]
    pairs.to_csv("thousands.csv", sep=";", index=False)
    refusal("thousands.csv")


def test_zeros_for_omitted_scores_are_explained_by_options(run, refusal, pairs):
    pairs["score"] = np.where(pairs["label"], 99.5 - pairs.index % 9, 0)
    pairs.loc[3, "score"] = 0
    pairs.loc[50:51, "score"] = [84.5, 91]
    pairs.to_csv("aws.csv", index=False)
    answer = run(f"{REPORT} aws.csv")
    assert answer.exit_code == 0
    assert "use --no-score 0 --below aws=80" in in_one_line(answer.stderr)
    assert "add --no-score 0" in refusal("aws.csv --below 80")
    assert run(f"{REPORT} aws.csv --no-score 0 --below aws=80").exit_code == 0


def test_words_among_scores_are_explained_by_an_option(run, refusal, pairs):
    pairs["score"] = pairs["score"].astype(str)
    pairs.loc[[3, 7, 50], "score"] = ["no face", "too blurred", "no face"]
    pairs.to_csv("words.csv", index=False)
    given = re.findall(r"(--no-score '[^']+')", refusal("words.csv"))
    # Each word is explained by itself: one may mean a failed call.
    refusal("words.csv --no-score 'no face'")
    answer = run(f"{REPORT} words.csv {' '.join({*given})}")
    assert answer.exit_code == 0
    assert "3 of words" in answer.stderr
    (answers,) = read_scores("words.csv", no_scores=["no face", "too blurred"])
    assert np.flatnonzero(~answers.acquired).tolist() == [3, 7, 50]


def test_two_files_of_scores_alone_are_refused_with_code_that_joins_them(
    run_json, refusal, pairs, tmp_path
):
    for name, part in {"MATED": pairs[:PAIRS], "OTHERS": pairs[PAIRS:]}.items():
        (tmp_path / name).write_text("\n".join(part["score"].astype(str)))
    (python,) = re.findall("in Python: (.*)", refusal("MATED"))
    exec(python)
    code, report = run_json(f"{REPORT} scores.csv --independent-pairs")
    assert code == 0
    (system,) = report["systems"]
    point = system["at_required"]
    passed = pairs["score"] >= point["threshold"]
    assert point["fmr"]["errors"] == passed[PAIRS:].sum()
    assert point["frr"]["errors"] == (~passed[:PAIRS]).sum()


COVER = [["Our test", "of May"]]


def test_workbook_with_a_cover_sheet(report, pairs, monkeypatch):
    frame = pairs.assign(label=pairs["label"] == 1).rename(columns={"score": "Score"})
    tables = {"Cover": COVER, "Scores": [["Report of", "May"], *rows_of(frame)]}
    book = write_book("scores.xlsx", tables)
    book["Scores"]["D3"] = "NA"
    book.save("scores.xlsx")
    (first,) = report("scores.xlsx")
    assert "'Scores' was read" in first.stderr
    (answers,) = read_scores("scores.xlsx")
    assert answers.scores.tolist()[1:] == pairs["score"].tolist()[1:]
    assert answers.mated.tolist() == frame["label"].tolist()
    book["Scores"]["D8"] = "no face"
    book.save("scores.xlsx")
    with pytest.raises(ValueError, match="row 8: Score is 'no face'"):
        read_scores("scores.xlsx")
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "openpyxl", None)
        with pytest.raises(ValueError, match="pip install openpyxl"):
            read_scores("scores.xlsx")


def test_a_workbook_with_sheets_of_different_columns(report, refusal, pairs):
    aws = pairs[["image1", "image2", "score"]].set_axis(["source", "target", "Similarity"], axis=1)
    azure = pairs[["image2", "image1", "score"]].set_axis(["file1", "file2", "confidence"], axis=1)
    tables = {
        "Cover": COVER,
        "Labels": rows_of(pairs.drop(columns="score")),
        "AWS": [["Report", None, None], *rows_of(aws)],
        "Azure Face": rows_of(azure.assign(confidence=azure["confidence"] / 100, note="x")),
        "Summary": [["Vendor", "Rejected", "Price"], ["AWS", 5, 0.1]],
    }
    book = write_book("vendors.xlsx", tables)
    (answer,) = report("vendors.xlsx")
    noted = in_one_line(answer.stderr)
    assert "several tables, which are joined by pair: 'Labels', 'AWS', 'Azure Face'" in noted
    assert "other sheets, which were not read: 'Cover', 'Summary'" in noted
    first, second = read_scores("vendors.xlsx")
    assert (first.name, second.name) == ("AWS", "Azure Face")
    assert first.scores.tolist() == pairs["score"].tolist()
    assert first.mated.tolist() == (pairs["label"] == 1).tolist()
    # A column of one sheet is named as one of a file.
    book["Azure Face"]["C1"] = "belief"
    book["AWS"]["C4"] = "no face"
    book.save("vendors.xlsx")
    report("vendors.xlsx --no-score 'no face'", columns=["belief"])
    refused = refusal("vendors.xlsx --column 'Azure Face:score=belief'")
    assert "sheet 'AWS'" in refused
    assert "row 4: Similarity is 'no face'" in refused


def as_psql(frame):
    lines = [" | ".join(frame.columns), "-----------+-----------+-------+-------"]
    lines += [" | ".join(map(str, row)) for row in frame.itertuples(index=False)]
    return "\n".join([*lines, f"({len(frame)} rows)", ""])


def as_markdown(frame):
    rows = [frame.columns, ["---", ":--", "--:", "---"], *frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows)


def as_r(frame):
    """As `write.table` writes it."""
    lines = [" ".join(f'"{name}"' for name in frame.columns)]
    for number, (first, second, label, score) in enumerate(frame.itertuples(index=False), 1):
        lines.append(f'"{number}" "{first}" "{second}" {label} {score}')
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("form", "separated_by"),
    [
        (as_psql, "bars"),
        (as_markdown, "bars"),
        (lambda frame: frame.to_csv(sep="|", index=False), "bars"),
        (as_r, "blanks"),
        (lambda frame: frame.to_string(), "blanks"),
        (lambda frame: frame.rename(columns=plain).to_string(index=False), "blanks"),
    ],
)
def test_bars_and_blanks_between_columns(run, pairs, tmp_path, form, separated_by):
    frame = pairs.rename(columns={"image1": "Image 1", "image2": "Image 2"})
    file = tmp_path / "table.txt"
    file.write_text(form(frame))
    answer = run(f"{REPORT} table.txt")
    assert answer.exit_code == 0
    assert f"{separated_by} between its columns" in in_one_line(answer.stderr)
    (answers,) = read_scores(file)
    assert answers.scores.tolist() == pairs["score"].tolist()
    assert answers.frame["probe"].tolist() == pairs["image1"].tolist()
    # A word is reported with its line.
    lines = form(frame).splitlines()
    at = next(at for at, line in enumerate(lines) if "a5.jpg" in line)
    lines[at] = lines[at].replace(str(pairs["score"][5]), "blurred")
    file.write_text("\n".join(lines))
    assert f"line {at + 1}: score is 'blurred'" in run(f"{REPORT} table.txt").stderr


def test_cells_with_blanks_or_without_any_text_are_not_split_at_blanks(refusal, pairs, tmp_path):
    lines = [f"Anna Ek{n % 9} {n % 2} 0.{n}" for n in range(80)]
    (tmp_path / "names.txt").write_text("\n".join(["person label score", *lines]))
    (tmp_path / "empty.txt").write_text(pairs.to_string().replace("a3.jpg", "      "))
    for name in ("names.txt", "empty.txt"):
        assert "Separate columns with commas" in refusal(name)


def test_scores_on_two_scales(run, report, refusal, pairs):
    # A scale to 100 whose strangers score almost nothing.
    one_scale = pairs.assign(score=np.where(pairs["label"], pairs["score"], pairs["score"] / 100))
    one_scale.loc[2 * PAIRS - 1, "score"] = 90.5
    one_scale.to_csv("one.csv", index=False)
    (answer,) = report("one.csv")
    assert "if the scale changed" in in_one_line(answer.stderr)
    # The API changed after half of the calls, or half of the calls were made by two programs.
    two_scales = pairs.assign(score=pairs["score"] / np.where(pairs.index % 2, 100, 1))
    two_scales.to_csv("two.csv", index=False)
    assert "--no-score nan" in refusal("two.csv")
    assert run(f"{REPORT} two.csv --no-score nan").exit_code == 0


def test_vendors_beside_a_result_are_asked_for(report, pairs):
    """The result is one vendor's answer, or the tester's; the scores are whose names head them."""
    frame = pairs.set_axis(["Probe", "Reference", "Expected", "Amazon Rekognition"], axis=1)
    frame["Expected"] = np.where(pairs["label"], "match", "no match")
    is_match = pairs["score"] > 50
    frame.insert(3, "Result", np.where(is_match, "match", "no match"))
    frame["Azure Face"] = (pairs["score"] / 100).round(4)
    frame["latency_ms"] = pairs.index + 150.5
    frame.to_csv("vendors.csv", index=False)
    _, second = report("vendors.csv")
    assert "Azure Face" in second.stdout
    columns = {"score": ["Amazon Rekognition", "Azure Face"]}
    answers = read_scores("vendors.csv", columns=columns)
    assert [each.name for each in answers] == ["Amazon Rekognition", "Azure Face"]
    # Or the decisions alone.
    (answers,) = read_scores("vendors.csv", columns={"score": ""})
    assert answers.decisions.tolist() == is_match.astype(int).tolist()
    # Seconds beside decisions are no scores.
    decisions = frame.drop(columns=["Amazon Rekognition", "Azure Face"])
    decisions.to_csv("decisions.csv", index=False)
    assert len(report("decisions.csv")) == 1


@pytest.fixture
def distances(pairs):
    """Distances of the pairs, which distances.csv has in its column of scores."""
    distances = np.round(100 - pairs["score"])
    pairs.assign(score=distances).to_csv("distances.csv", index=False)
    return distances


OF_DISTANCES = "distances.csv --independent-pairs"


@pytest.mark.parametrize(("rule", "passes"), [("at_most", np.less_equal), ("below", np.less)])
def test_a_rule_for_distances_reverses_the_scores(rule, passes, run_json, distances):
    code, report = run_json(f"{REPORT} {OF_DISTANCES} --rule {rule}")
    assert code == 0
    (system,) = report["systems"]
    point = system["at_required"]
    assert point["fmr"]["errors"] == passes(distances[PAIRS:], -point["threshold"]).sum()


@pytest.mark.usefixtures("distances")
def test_distances_read_as_scores_are_refused_with_the_rule_to_type(refusal):
    assert "--rule at_most" in refusal(OF_DISTANCES)


def test_the_confidence_of_a_prediction_is_asked_and_cautioned(run, refusal, pairs):
    """Strangers whom a classifier calls strangers have a high confidence, too."""
    chance = np.random.default_rng(2)
    columns = {"prediction": pairs["label"], "confidence": chance.normal(90, 5, len(pairs))}
    frame = pairs.drop(columns="score").assign(**columns)
    frame.to_csv("conf.csv", index=False)
    assert "--column score=COLUMN" in refusal("conf.csv")
    report = run(f"{REPORT} conf.csv --column score=confidence --json")
    document = json.loads(report.stdout)
    (system,) = document["systems"]
    assert 0.3 < system["separation"]["auc"] < system["separation"]["at_most"] < 0.75
    assert "hardly tell mated pairs from others" in document["limit"]


def test_a_confidence_without_a_prediction_is_a_score(run, pairs):
    """Face++ calls its score confidence."""
    pairs.rename(columns={"score": "confidence"}).to_csv("faces.csv", index=False)
    report = run(f"{REPORT} faces.csv --json")
    assert report.exit_code == 0, report.output
    assert json.loads(report.stdout)["systems"][0]["separation"]["auc"] > 0.75
    assert "hardly" not in report.stdout


@pytest.mark.parametrize(
    ("sep", "mark"), [(";", "."), ("\t", "."), (",", "."), (";", ",")], ids=str
)
def test_points_that_may_separate_thousands_are_asked(run, refusal, pairs, sep, mark):
    scores = (pairs["score"] * 100).astype(int)
    assert scores.min() < 1000 < scores.max()
    texts = [f"{score:,}".replace(",", mark) for score in scores]
    pairs.assign(score=texts).to_csv("big.csv", index=False, sep=sep)
    assert "--no-score nan" in refusal("big.csv")
    answer = run(f"{REPORT} big.csv --no-score nan")
    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize("further", ["0.512", "7.5", "1200"])
def test_three_decimals_are_no_thousands_beside_other_numbers(run, pairs, further):
    texts = ["7.123", "85", further, *["8.250"] * (len(pairs) - 3)]
    pairs.assign(score=texts).to_csv("small.csv", index=False, sep=";")
    answer = run(f"{REPORT} small.csv")
    assert "--no-score nan" not in answer.output


@pytest.mark.parametrize("ends", [("person1", "person2"), ("image1", "image2")])
@pytest.mark.parametrize("form", ["{:.1f}", "{:03d}", "{:.1e}"])
def test_ids_in_two_forms_are_refused_by_name(run, pairs, ends, form):
    numbers = np.arange(len(pairs))
    others = numbers % 40 + np.where(pairs["label"], 0, 1)
    columns = {ends[0]: numbers % 40, ends[1]: [form.format(number) for number in others]}
    pairs[["label", "score"]].assign(**columns).to_csv("ids.csv", index=False)
    answer = run(f"{REPORT} ids.csv")
    assert answer.exit_code == 2
    assert f"'0' and '{form.format(0)}'" in answer.stderr


def test_names_of_which_none_is_equal_are_no_labels(run, pairs):
    names = [f"p{number % 40}" for number in range(len(pairs))]
    people = {"person1": [f"{name}.jpg" for name in names], "person2": names}
    pairs[["score"]].assign(**people).to_csv("names.csv", index=False)
    answer = run(f"{REPORT} names.csv")
    assert answer.exit_code == 2
    assert "'person1' and 'person2'" in answer.stderr
