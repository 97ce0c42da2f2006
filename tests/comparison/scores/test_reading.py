"""One file or frame of scores: columns, cells, and what is refused."""

import re
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from kit.comparison.tables import refusal_lines
from kit.fakes import child_says_yes
from kit.marks import forks_beside_threads

from facematch_comparison import ColumnsNotRecognised, evaluate, read_scores
from facematch_comparison.scores.answers import BILLED, DECISIONS
from facematch_comparison.scores.lines import MINUS_DISTANCE
from facematch_core import Charged, Environment, InvalidRequest
from facematch_core.models import ThresholdRule

HEAD = "contender,pair,same,probe_subject,reference_subject,score"
ROWS = "a,1,1,A,A,5\na,2,0,A,B,6\n"


class Reader:
    """Reads texts or frames as a file; keeps what it was told of the last one."""

    def __init__(self, path):
        self.path = path
        self.notes = []

    def __call__(self, content=None, **how):
        if isinstance(content, pd.DataFrame):
            content = content.to_csv(index=False)
        if isinstance(content, str):
            content = content.encode()
        if content is not None:
            self.path.write_bytes(content)
        self.notes.clear()
        return read_scores(self.path, note=self.notes.append, **how)

    def asked(self, content, **how):
        """What is asked for in place of reading."""
        with pytest.raises(ColumnsNotRecognised) as caught:
            self(content, **how)
        return caught.value

    def is_noted(self, words):
        return any(words in text for text in self.notes)


@pytest.fixture
def read(tmp_path):
    return Reader(tmp_path / "scores.csv")


def refusals(read, content):
    return refusal_lines(read, content)[1:]


def places(read, content):
    """The line and the first word of each problem, such as "4 label"."""
    problems = re.findall(r"line (\d+): (?:the )?([a-z_]+)", "\n".join(refusals(read, content)))
    return sorted(f"{line} {word}" for line, word in problems)


@pytest.fixture
def log():
    """Sixty pairs of pictures; others and mated pairs in turn."""
    number = np.arange(60)
    frame = pd.DataFrame({"image1": [f"a{n}" for n in number]})
    frame["image2"] = [f"b{n}" for n in number]
    frame["label"] = number % 2
    scores = np.random.default_rng(4).normal(np.where(frame["label"], 70, 30), 25)
    frame["score"] = scores.round(2)
    return frame


# What is a score


@pytest.mark.parametrize(
    ("score", "beside"),
    [
        ("face_match_score", ["liveness_score", "loan_amount", "latitude"]),
        ("sim", ["det_score1", "det_score2", "quality"]),
        ("score", ["amount", "confidence_interval", "age"]),
    ],
)
def test_other_numeric_columns_are_not_systems(read, log, score, beside):
    """Once `face_match_score` was dropped, and liveness judged in its place."""
    for name in beside:
        log.insert(3, name, log.index + 0.5)
    (answers,) = read(log.rename(columns={"score": score}))
    assert (answers.name, answers.scores.std() > 15) == ("scores", True)
    assert all(read.is_noted(repr(name)) for name in beside)
    several = read(columns={"score": [score, beside[0]]})
    assert [each.name for each in several] == [score, beside[0]]


def test_an_unknown_score_column_is_requested_without_a_guess(read, log):
    asked = read.asked(log.rename(columns={"score": "ours"}).assign(amount=log.index))
    assert asked.columns == {"score": "COLUMN"}
    for name, held in (("image1", "probe"), ("label", "mated"), ("ours", "unknown")):
        assert re.search(rf"^  {name} +{held} +'\S+', '\S+'$", asked.what, re.MULTILINE)
    assert len(read(columns={"score": "ours"})[0]) == 60
    two = read(columns={"score": ["ours", "amount"]})
    assert [each.name for each in two] == ["ours", "amount"]


@pytest.mark.parametrize(
    ("numbers", "may_be_scores"),
    [
        pytest.param([n % 9 + 0.5 for n in range(40)], False, id="nine fractions"),
        pytest.param([n % 10 + 0.5 for n in range(40)], True, id="ten fractions"),
        pytest.param([100 + n / 8 for n in range(40)], True, id="another fraction on each line"),
        pytest.param([n % 10 + 91 for n in range(40)], True, id="whole numbers to 100"),
        pytest.param([n % 10 + 92 for n in range(40)], False, id="whole numbers to 101"),
        pytest.param(range(40), False, id="another whole number on each line"),
        pytest.param([*range(39), 38], True, id="one whole number on two lines"),
    ],
)
def test_many_numbers_beside_a_decision_may_be_scores_unless_they_look_like_ids(
    read, numbers, may_be_scores
):
    lines = ["image1,image2,label,decision,acme"]
    for n, number in enumerate(numbers):
        lines.append(f"a{n},b{n},{n % 2},{(n + n // 9) % 2},{number}")
    text = "\n".join(lines)
    if may_be_scores:
        assert read.asked(text).columns == {"score": "acme"}
    else:
        (answers,) = read(text)
        assert np.isnan(answers.scores).all()


def test_ambiguous_score_columns_are_rejected(read, log):
    asked = read.asked(log.rename(columns={"score": "similarity"}).assign(confidence=log.index))
    assert asked.columns == {"score": "COLUMN"}
    assert "'similarity' and 'confidence'" in asked.what
    (answers,) = read(columns={"score": "similarity"})
    assert answers.scores.max() < 150


@pytest.mark.parametrize("name", ["face_distance", "distances", "euclidean distance", "cos_dist"])
def test_distances_become_negative_scores(read, name):
    (answers,) = read(f"y_true,person,{name}\n1,A,0.25\n0,B,0.5\n")
    assert (answers.scores.tolist(), answers.scale) == ([-0.25, -0.5], MINUS_DISTANCE)
    frame = pd.DataFrame({"label": [1, 0], "person": ["A", "B"], "ours": [90, 10], name: [0.2, 1]})
    ours, theirs = read_scores(frame, columns={"score": ["ours", name]})
    assert (ours.scores.tolist(), theirs.scores.tolist()) == ([90, 10], [-0.2, -1])


# What is the truth


ANSWERED = ["match", "is_match", "verified", "isIdentical", "accepted", "result", "decision"]
TRUTHS = [
    "expected",
    "gt",
    "actual",
    "real",
    "truth",
    "target",
    "label",
    "same",
    "same_person",
    "mated",
    "genuine",
    "is_same_person",
    "Same person?",
]


@pytest.mark.parametrize("name", ANSWERED)
def test_a_systems_decision_is_never_the_ground_truth(read, log, name):
    log[name] = np.where(log["score"] > 50, "true", "false")
    asked = read.asked(log.drop(columns="label"))
    assert asked.columns == {"mated": "COLUMN"}
    assert f"{name!r} is the answer of the system" in asked.what
    for truth in TRUTHS[ANSWERED.index(name) % 3 :: 3]:
        (answers,) = read(log.rename(columns={"label": truth}))
        assert answers.mated.tolist() == (log["label"] == 1).tolist()
        assert answers.decisions.tolist() == (answers.scores > 50).tolist()


@pytest.fixture
def exact_log(log):
    """The same pairs, of which each mated one scores above all others."""
    return log.assign(score=np.where(log["label"], 70, 30) + log.index / 10)


@pytest.mark.parametrize("name", ["label", "same_person", "actual", "gt", "is_fraud"])
def test_labels_that_agree_exactly_with_scores_need_confirmation(read, exact_log, name):
    mated = exact_log["label"]
    ours = "non_mated" if name == "is_fraud" else "mated"
    label = mated if ours == "mated" else 1 - mated
    labelled = exact_log.assign(label=label).rename(columns={"label": name})
    assert read.asked(labelled).columns == {ours: name}
    (answers,) = read(columns={ours: name})
    assert answers.mated.tolist() == (mated == 1).tolist()


def test_names_of_people_confirm_labels_that_agree_exactly_with_scores(read, exact_log):
    first, second = exact_log["image1"], exact_log["image2"]
    people = exact_log.assign(person1=first, person2=second.mask(exact_log["label"] == 1, first))
    (answers,) = read(people.drop(columns=["image1", "image2"]))
    assert answers.people_known


@pytest.mark.parametrize(
    "name",
    ["Expected", "expected_result", "Ground Truth", "y_true", "mated", "non-mated"],
)
def test_labels_that_their_name_calls_the_truth_may_agree_exactly_with_scores(
    read, exact_log, name
):
    mated = exact_log["label"]
    label = 1 - mated if name == "non-mated" else mated
    (answers,) = read(exact_log.assign(label=label).rename(columns={"label": name}))
    assert answers.mated.tolist() == (mated == 1).tolist()
    assert read.is_noted(f"{name!r} follows the scores of scores exactly")


def test_labels_that_agree_exactly_with_decisions_need_confirmation(read, log):
    asked = read.asked(log.drop(columns="score").assign(result=log["label"]))
    assert asked.columns == {"mated": "label"}
    assert "decisions" in asked.what
    assert "score above" not in asked.what


@pytest.mark.parametrize(
    "words",
    [
        "genuine pair/impostor pair",
        "match/non match",
        "是/否",
        "sim/não",
        "ja/nein",
        "TRUE/False",
        "same person/no match",
        "1.0/-1",
    ],
)
def test_accepted_values_of_labels(read, words):
    same, other = words.split("/")
    text = f"person,label,score\nA,{same},5\nB,{other},3\n"
    assert read(text)[0].mated.tolist() == [True, False]
    assert places(read, f"{text}B,perhaps,3\n") == ["4 label"]
    assert places(read, "person,label,score\nA,1,5\nB,0,3\nB,-1,3\n") == ["4 label"]


def test_accepted_values_of_decisions(read):
    words = ["match", "ACCEPT", "approved", "clear", "reject", "declined", "no_match"]
    words += ["consider", "inconclusive"]
    lines = (f"p{n},1,{n},{word}" for n, word in enumerate(words))
    (answers,) = read("\n".join(["person,label,score,result", *lines]))
    assert answers.decisions.tolist() == [1, 1, 1, 1, 0, 0, 0, 2, 3]
    (line,) = refusals(read, "person,label,score,result\nA,1,5,maybe\n")
    assert line.endswith("inconclusive, or ignore the column: --column decision=")
    assert read(columns={"decision": ""})[0].decisions.tolist() == [-1]


def test_accepted_values_of_a_missing_score(read):
    words = ["", "n/a", "NA", "#N/A", "#NA", "NaN", "NULL", "None", "<NA>"]
    (answers,) = read("person,label,score\nA,1,5\n" + "".join(f"B,0,{word}\n" for word in words))
    assert np.isnan(answers.scores).tolist() == [False, *(True for _ in words)]


# Columns


def test_every_column_is_read(read):
    (answers,) = read(
        "\ufeffcontender, pair,same,probe_subject,reference_subject,score,decision,acquired,error,"
        "elapsed_s,billed,rule,threshold,scale,price,currency,backend,model,environment,note\n"
        "a,1,yes,7,7, 50 ,MATCH,,,0.5,,,,,,,,,,x\n"
        "\n"
        "a,2,no,7,12,,inconclusive,,,0.25,,Above,30,didit/face-match,0.05,USD,didit,v3,mock,\n"
        "a,3,no,12,7,,,,Timeout,,unknown,,,,,,,,,\n"
        "a,4,no,7,3,,no_match,0,,,no,,,,,,,,,\n"
    )
    assert (answers.rule, answers.threshold) == (ThresholdRule.ABOVE, 30.0)
    decisions = [DECISIONS[at] if at >= 0 else None for at in answers.decisions]
    assert decisions == ["match", "inconclusive", None, "no_match"]
    assert answers.acquired.tolist() == [True, False, False, False]
    assert answers.answered.tolist() == [True, True, False, True]
    # People are numbered from 0 as their own numbers rise: 3, 7, 12.
    assert answers.probe_subjects.tolist() == [1, 1, 2, 1]
    assert answers.reference_subjects.tolist() == [1, 2, 1, 0]
    assert [answers.person(number) for number in range(3)] == ["3", "7", "12"]
    assert answers.not_answered == {"Timeout": 1}
    assert answers.elapsed_s[:2].tolist() == [0.5, 0.25]
    billed = [Charged.YES, Charged.YES, Charged.UNKNOWN, Charged.NO]
    assert [BILLED[at] for at in answers.billed] == billed
    assert (answers.backend, answers.model) == ("didit", "v3")
    assert answers.environment is Environment.MOCK
    assert (answers.price, answers.currency) == (0.05, "USD")
    names = ["pair", "mated", "person_1", "person_2", "score", "decision", "acquired", "answered"]
    assert [*answers.frame.columns] == [*names, "error", "elapsed_s", "billed"]


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("Image 1,Image 2,Is Same,score", "a,b,Yes,90.5"),
        ("img_a;img_b;genuine;Similarity", "a;b;TRUE;90.5"),
        ("photo1\tphoto2\tground-truth\tmatch_score", "a\tb\tgenuine\t90.5"),
        ("source,target,LABEL,Similarity", "a,b,1.0,90.5"),
        ("selfie,id_photo,is_same_person,face_match_score", "a,b,1,90.5"),
        ("probe_id,gallery_id,pair_type,score", "a,b,genuine,90.5"),
        ("name1,name2,score", "A,A,90.5"),
        ("user_1,user_2,y_true,y_score", "A,A,1,90.5"),
        ("图片1,图片2,是否同一人,相似度", "a,b,是,90.5"),
        ("Imagen 1,Imagen 2,Misma persona,Similitud (%)", "a,b,sí,90.5 %"),
        ("customer_id,fraud,confidence", "A,no,90.5"),
        ("algorithm,pair_id,label,subject1,subject2,score", "x,7,1,A,A,90.5"),
        ("backend,pair,same,person1,person2,score", "x,7,1,A,A,90.5"),
    ],
)
def test_column_names_ignore_case_and_punctuation(read, head, line):
    (answers,) = read(f"{head}\n{line}\n")
    assert (answers.mated.tolist(), answers.scores.tolist()) == ([True], [90.5])
    assert answers.name == ("x" if line.startswith("x") else "scores")


@pytest.mark.parametrize(
    "columns", [{"latency": "extra"}, {"score": "points"}, {"score": "score", "elapsed_s": "score"}]
)
def test_a_wrong_name_in_an_argument_is_refused(read, columns):
    read(f"{HEAD},extra\na,1,1,A,A,5,1\na,2,0,A,B,6,2\n")
    with pytest.raises(InvalidRequest):
        read(columns=columns)


def test_a_nearly_known_name_in_an_argument_gets_a_hint(read):
    with pytest.raises(InvalidRequest, match="did you mean score"):
        read(f"{HEAD}\na,1,1,A,A,5\n", columns={"scor": "score"})


def test_column_arguments_override_known_names(read):
    read.path.write_text("left,right,verdict,age,similarity,confidence\na,b,1,60,5,6\n")
    columns = {"image1": "left", "reference": "right", "Label": "verdict"}
    answers = read(columns={**columns, "score": ["age", "similarity"]})
    assert [(each.name, each.scores[0]) for each in answers] == [("age", 60), ("similarity", 5)]
    (answers,) = read(columns={**columns, "score": "age", "group_x": "confidence"})
    assert answers.groups["x"].labels == ("6",)
    for wrong in (
        {"prob": "left"},
        {"probe": "lef"},
        {**columns, "score": "left"},
        {**columns, "mated": "age", "non_mated": "verdict"},
        {"person": "left", "probe_subject": "right"},
    ):
        with pytest.raises(InvalidRequest):
            read(columns=wrong)


@pytest.mark.parametrize(
    ("head", "missing"),
    [
        ("image1,label,score", {"reference"}),
        ("label,score,city", {"person"}),
        ("image1,image2,score", {"mated"}),
    ],
)
def test_missing_columns_are_requested(read, head, missing):
    asked = read.asked(f"{head}\n{','.join('1' for _ in head.split(','))}\n")
    assert {*asked.columns} == missing


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        (
            "system,label,person1,person2,score\nx,1,A,A,5\ny,1,A,A,5\n",
            "the column pair is missing",
        ),
        ("image1,image2,label,sim,cosine,error\na,b,1,5,6,\n", "one line for each pair and system"),
        ("image1 image2 label score\na b 1 5 c\n", "Separate columns"),
        ("a,b,1,0.9\nc,d,0,0.2\n", "has no header"),
        ("# label score\n1 9.1e+01\n0 2.2e+01\n", "has no header"),
        ("score\n0.9\n0.2\n", "Scores need labels"),
        (f"{HEAD}\n" + "".join(f"s{n},1,1,A,A,5\n" for n in range(101)), " 101 systems"),
        (f"{HEAD}\n\n", "has no comparison"),
        (b"\x89PNG\0\0", "save it as CSV in UTF-8"),
        (f'{HEAD},note\na,1,1,A,A,5,"open', "is not valid CSV"),
        (f"{HEAD},score\na,1,1,A,A,1,2", "the column 'score' occurs twice"),
        (f"# by hand\n\n{HEAD}\na,1,1,A,A,BAD\n", "line 4: score is 'BAD'"),
        (f'{HEAD}\n"a",1,1,A,A,5\n\t,{" " * 9},,,,\n"a",2,1,A,A,BAD\n', "line 4: score is 'BAD'"),
        (f"Our test,,,,,\n{HEAD}\n{ROWS}a,3,1,A,A,5,7\n", "line 5: 7 cells for 6 columns"),
    ],
)
def test_file_errors_name_the_line(read, text, reported):
    columns = {"score": ["sim", "cosine"]} if "cosine" in str(text) else None
    with pytest.raises(InvalidRequest, match=re.escape(reported)):
        read(text, columns=columns)


def test_a_column_that_may_be_the_truth_is_never_skipped(read):
    text = "person1,person2,stolen,score\nA,A,0,5\nA,B,0,3\nB,B,1,4\n"
    assert read.asked(text).columns == {"mated": "COLUMN"}
    assert read(columns={"mated": ""})[0].mated.tolist() == [True, False, True]


def test_independent_pairs_must_be_declared(read):
    asked = read.asked("label,score\n1,5\n0,4\n")
    assert (asked.columns, asked.independent_pairs) == ({}, True)
    assert "in two pairs, add: independent_pairs=True" in str(asked)
    for more, column in (("session_id", "person"), ("session_id,city", "probe_subject")):
        asked = read.asked(f"label,score,{more}\n1,5,{more}\n")
        assert asked.columns[column] == "COLUMN"
        assert "if no column names people, use `independent_pairs=True`" in asked.advice
    read.path.write_text("label,score\n1,5\n0,4\n")
    (answers,) = read(independent_pairs=True)
    assert (answers.people_known, len(answers.people.numbers), len(read.notes)) == (False, 3, 1)
    (answers,) = read("label,score,person\n1,5,7\n0,4,7\n0,6,8\n1,6,8\n")
    assert answers.frame["person_2"].astype(str).tolist() == ["7", "unknown 3", "unknown 4", "8"]
    assert (answers.people_known, len(answers.people.numbers)) == (False, 4)
    assert (
        read(independent_pairs=True)[0].people.numbers.tolist() == answers.people.numbers.tolist()
    )


def test_pictures_connected_by_mated_pairs_are_one_person(read):
    head = "image1,image2,label,score\n"
    (answers,) = read(f"{head}a,b,1,5\nc,b,1,5\nd,e,0,5\na,d,0,5\n")
    probe, reference = answers.probe_subjects, answers.reference_subjects
    assert probe[0] == reference[0] == probe[1] == reference[1] == probe[3]
    assert len({int(probe[0]), int(probe[2]), int(reference[2])}) == 3
    assert places(read, f"{head}a,b,1,5\nc,b,1,5\na,c,0,5\n") == ["4 pair"]
    assert places(read, f"{head}a,a,1,5\nb,c,0,2\n") == ["2 picture"]
    assert places(read, f"{head}a,b,1,5\nb,a,1,6\nc,d,0,1\ne,f,0,1\n") == ["3 same"]
    (answers,) = read(
        "image1,image2,person1,person2,label,score\na,b,A,A,1,5\nc,d,A,B,0,5\nc,a,A,A,1,7\n"
    )
    assert (answers.people_known, answers.person(1)) == (True, "B")
    assert answers.probe_subjects.tolist() == [0, 0, 0]


def test_a_group_on_one_line_applies_to_all_lines_of_the_person(read):
    head = f"{HEAD},group_sex,probe_group_skin,reference_group_skin\n"
    (answers,) = read(f"{head}a,1,1,A,A,1,f,,\na,2,0,A,B,1,f,dark,light\na,3,0,C,B,1,,,\n")
    sex, skin = answers.groups["sex"], answers.groups["skin"]
    assert (sex.labels, skin.labels) == (("f",), ("dark", "light"))
    assert (sex.probe.tolist(), sex.reference.tolist()) == ([0, 0, -1], [0, 0, 0])
    assert (skin.probe.tolist(), skin.reference.tolist()) == ([0, 0, -1], [0, 1, 1])
    (line,) = refusals(read, f"{HEAD},group_sex\na,1,1,A,A,1,f\na,2,0,A,B,2,m\n")
    assert line == "  line 3: 'A' is in the group 'm' of sex, but above in 'f'"
    head = f"{HEAD},probe_group_sex,reference_group_sex\n"
    (line,) = refusals(read, f"{head}a,1,1,A,A,1,f,m\na,2,0,A,B,2,f,m\n")
    assert line == "  line 2: 'A' is in the group 'm' of sex, but on the same line in 'f'"


# Cells


def test_every_invalid_cell_is_reported_with_its_line(read):
    found = places(
        read,
        f"{HEAD},decision,acquired,error,elapsed_s,billed,rule,price,currency\n"
        "a,1,1,A,A,high,,,,,,,,\n"
        "a,2,2,A,A,1_0,perhaps,,,,,,,\n"
        "a,,0,A,A,,match,ja,,,,,,\n"
        "\n"
        "a,4,0,A,B,5,,0,,-1,,,,\n"
        "a,5,0,A,B,5,,,Timeout,inf,sometimes,more,-1,dollar\n"
        "a,6,0,A,B,5,,,,,,,,,\n",
    )
    assert found == [
        "2 score",
        "3 decision",
        "3 same",
        "3 score",
        "4 acquired",
        "4 pair",
        "4 pair",
        "6 acquired",
        "6 elapsed_s",
        "7 billed",
        "7 currency",
        "7 elapsed_s",
        "7 price",
        "7 rule",
        "7 there",
    ]


def test_contradictory_lines_are_rejected(read):
    found = places(
        read,
        f"{HEAD},group_sex,rule,price\n"
        "a,1,1,A,A,1,f,above,\n"
        "a,1,1,A,A,2,f,at_least,\n"
        "a,2,0,A,B,2,m,,\n"
        "b,1,1,C,C,1,,,3\n",
    )
    assert found == ["3 pair", "3 rule", "4 pair", "5 pair"]
    (line,) = refusals(read, f"{HEAD},threshold\na,1,1,A,A,1,5\na,2,0,A,B,1,6\n")
    assert line == "  line 3: threshold of 'a' is '6.0', but '5.0' in line 2"
    with pytest.raises(InvalidRequest, match="both a price and a currency"):
        read(f"{HEAD},price\na,1,1,A,A,1,3\n")
    lines = refusals(read, f"{HEAD}\nx,1,1,A,A,5\ny,1,1,A,A,5\nx,1,1,A,A,5\n")
    assert "the pair '1' of 'x' appears twice" in lines[0]


def test_similar_problems_are_summarised_in_one_line(read):
    lines = "\n".join(f"a,{n},1,A,A,{n if n < 2500 else f'x{n}'}" for n in range(3000))
    reported = refusals(read, f"{HEAD}\n{lines}")
    assert (len(reported), "and 490 more: score is 'x2500'" in reported[0]) == (1, True)
    lines = "\n".join(f"a,{n},1,A,A,5,prod" for n in range(6000))
    assert refusals(read, f"{HEAD},environment\n{lines}") == [
        "  all 6,000 lines: environment is 'prod'; write production, sandbox, mock or local"
    ]
    lines = "".join(f"a,{n},1,A,A,{n}\n" for n in range(40))
    (line,) = refusals(read, f"{HEAD}\n{lines}{lines}")
    assert line.startswith("  lines 42, 43, 44, 45, 46, 47, 48, 49, 50, 51 and 30 more: ")


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_if_they_do_not_separate_columns(read, separator):
    text = "image1;image2;label;score;threshold;price;currency\n"
    text += "a;b;1;84,71;50,5;0,05;EUR\na;c;0;,5;;;\n"
    (answers,) = read(text.replace(";", separator))
    assert answers.scores.tolist() == [84.71, 0.5]
    assert (answers.threshold, answers.price) == (50.5, 0.05)
    (both,) = refusals(read, "image1;image2;label;score\na;b;1;5.5\nc;d;1;97,5\n")
    assert both.startswith("  line 3: score is '97,5'; write a number such as 94.5")
    (both,) = refusals(read, 'image1,image2,label,score\na,b,1,"7,625"\n')
    assert both.startswith("  line 2: score is '7,625'; write a number such as 94.5")
    for form, beside in (("94.89%", "0.7"), ("1.234,5", "1,234.5"), ("1 234", "")):
        text = f"image1;image2;label;score\na;b;1;{form}\nc;d;1;{beside}\n"
        assert refusals(read, text)[0].startswith(f"  line 2: score is '{form}'; write a number")


def test_decimal_commas_in_quotes_are_read_between_commas(read):
    text = 'image1,image2,label,score\na,b,1,"84,71"\na,c,0,"7,625"\nc,d,0,\n'
    (answers,) = read(text)
    assert answers.scores.tolist() == pytest.approx([84.71, 7.625, np.nan], nan_ok=True)
    (both,) = refusals(read, text.replace("7,625", "7.625"))
    assert both.startswith("  line 2: score is '84,71'; write a number such as 94.5")
    (fractions,) = read('image1,image2,label,score\na,b,1,"0,875"\na,c,0,"0,125"\n')
    assert fractions.scores.tolist() == [0.875, 0.125]


def test_a_word_with_a_point_beside_decimal_commas_is_only_a_word(read):
    text = "image1;image2;label;score\na;b;1;84,71\na;c;0;k.A.\nc;d;0;12,5\n"
    (word,) = refusals(read, text)
    assert word.startswith("  line 3: score is 'k.A.'")
    (answers,) = read(text, no_scores=["k.A."])
    assert answers.scores.tolist() == pytest.approx([84.71, np.nan, 12.5], nan_ok=True)


def scored(scores):
    lines = (f"a{n},b{n},{n % 2},{score}" for n, score in enumerate(scores))
    return "\n".join(["image1,image2,label,score", *lines])


@pytest.mark.parametrize(
    ("mark", "others"), [(-1, [0, 0, 3, 2]), (-999, [-3, 70, 3, 9]), (9999, [0, 70, 3, 9])]
)
def test_a_possible_placeholder_score_needs_an_argument(read, mark, others):
    (line,) = refusals(read, scored([mark, *others, mark]))
    assert line.startswith(f"  lines 2 and 7: score is {mark}, and all other scores")
    (answers,) = read(no_scores=[mark])
    assert np.flatnonzero(np.isnan(answers.scores)).tolist() == [0, 5]
    (answers,) = read(no_scores=[np.nan])
    assert not np.isnan(answers.scores).any()


@pytest.mark.parametrize(
    "scores",
    [
        pytest.param([0, 0, 70, 90], id="clipped below"),
        pytest.param([100, 100, 2, 3], id="clipped above"),
        pytest.param([-1, 5, 70, 90], id="a single one"),
        pytest.param([-1, -1, -0.5, 0.8], id="on both sides of 0"),
    ],
)
def test_other_extreme_scores_are_scores(read, scores):
    (answers,) = read(scored(scores))
    assert answers.scores.tolist() == scores


def test_a_lowest_score_beside_failed_calls_needs_an_argument(read):
    chance = np.random.default_rng(3)
    lines = ["person,label,score,status"]
    for n, score in enumerate(chance.normal(50, 10, 60)):
        failed = n % 20 == 7
        lines.append(f"p{n},{n % 2},{0 if failed else score},{'TIMEOUT' if failed else 'OK'}")
    (line,) = refusals(read, "\n".join(lines))
    assert "score is 0 where 'status' is 'TIMEOUT', and on no other line" in line
    (answers,) = read(no_scores=[0], columns={"error": "status"})
    assert answers.not_answered == {"TIMEOUT": 3}
    assert read(no_scores=[0])[0].acquired.sum() == 57
    assert read(no_scores=[np.nan])[0].acquired.all()
    # Words that also stand beside other scores say nothing.
    lines[1] = lines[1].replace("OK", "TIMEOUT")
    assert read("\n".join(lines))[0].acquired.all()


@pytest.mark.parametrize(
    ("filler", "word", "is_refused"),
    [(50.5, "FAILED_TO_ENROL", True), (50.5, "TIMEOUT", True), (95, "very similar", False)],
)
def test_a_number_inside_the_range_needs_an_argument_beside_failures(
    read, filler, word, is_refused
):
    chance = np.random.default_rng(3)
    lines = ["person,label,score,status"]
    for n, number in enumerate(chance.uniform(10, 99, 100)):
        score, status = (filler, word) if n % 20 == 7 else (number, "OK")
        lines.append(f"p{n},{n % 2},{score},{status}")
    if not is_refused:
        assert read("\n".join(lines))[0].acquired.all()
        return
    (line,) = refusals(read, "\n".join(lines))
    assert f"--no-score {filler}" in line or f"no_scores=[{filler}]" in line
    (answers,) = read(no_scores=[filler])
    assert np.count_nonzero(~answers.acquired) == 5


def test_each_filler_beside_failures_is_named(read):
    chance = np.random.default_rng(3)
    fillers = {7: (0, "TIMEOUT"), 11: (50.5, "FAILED_TO_ENROL")}
    lines = ["person,label,score,status"]
    for n, number in enumerate(chance.uniform(10, 99, 100)):
        score, status = fillers.get(n % 20, (number, "OK"))
        lines.append(f"p{n},{n % 2},{score},{status}")
    assert len(refusals(read, "\n".join(lines))) == 2


def test_minus_infinity_is_a_score_below_all_others(read):
    (answers,) = read(scored(["-inf", "-3.25", "1.5", "-Infinity", "4"]))
    assert answers.acquired.all()
    assert sorted(answers.scores.tolist()) == [-3.26, -3.26, -3.25, 1.5, 4]


@pytest.mark.parametrize(
    "name", ["2.02502E+11", "2,02502E+11", "2.0251001e+14", "9007199254740993.0"]
)
def test_ids_that_a_spreadsheet_rounded_are_refused(read, name):
    lines = [f'"{name}",p{n},0,{n}' for n in range(5)]
    lines += [f"p{n},p{n},1,{n}" for n in range(5)]
    text = "\n".join(["person1,person2,label,score", *lines])
    (line,) = refusals(read, text)
    assert "a spreadsheet has rounded long ids" in line


@pytest.mark.parametrize("name", ["2.5e+1", "1e5a", "202502011234", "3.0"])
def test_ids_with_all_their_digits_are_read(read, name):
    lines = [f"{name},p{n},0,{n}" for n in range(5)]
    lines += [f"p{n},p{n},1,{n}" for n in range(5)]
    assert len(read("\n".join(["person1,person2,label,score", *lines]))) == 1


def test_scores_that_are_below_a_limit_are_told_from_missing_ones(read):
    lines = scored([*["<60"] * 5, *range(60, 95)])
    (line,) = refusals(read, lines)
    assert "no_scores=['<60']` `below={'scores': 60}`" in line
    (answers,) = read(no_scores=["<60"], below={"scores": 60})
    assert answers.scores.min() == 59


@pytest.mark.parametrize(
    ("strangers_without", "mated_without", "is_refused"),
    [(27, 0, True), (27, 8, True), (7, 0, True), (6, 0, False), (27, 12, False), (0, 15, False)],
)
def test_scores_that_strangers_lack_far_more_often_are_refused(
    tmp_path, strangers_without, mated_without, is_refused
):
    """Rekognition omits scores below 80; as failures to acquire, they would hide its strangers."""
    lines = ["pair,mated,similarity"]
    lines += [f"m{n},1,{'' if n < mated_without else 80.5 + n / 3}" for n in range(30)]
    lines += [f"s{n},0,{'' if n < strangers_without else 80.1 + n / 9}" for n in range(30)]
    file = tmp_path / "aws.csv"
    file.write_text("\n".join(lines))
    if not is_refused:
        read_scores(file, independent_pairs=True, no_scores=[""])
        return
    with pytest.raises(InvalidRequest, match=r"below=\{'aws': 8[03]\}"):
        read_scores(file, independent_pairs=True)
    (answers,) = read_scores(file, independent_pairs=True, below=80)
    assert answers.acquired.all()
    file.write_text("\n".join([lines[0] + ",acquired", *(f"{line},1" for line in lines[1:])]))
    read_scores(file, independent_pairs=True)


@pytest.mark.parametrize(("mated", "strangers"), [(20, 20), (19, 40), (40, 19)])
def test_missing_scores_of_fewer_than_20_pairs_of_a_kind_say_nothing(tmp_path, mated, strangers):
    lines = ["pair,mated,similarity"]
    lines += [f"m{n},1,{80.5 + n / 3}" for n in range(mated)]
    lines += [f"s{n},0,{'' if n else 80.1}" for n in range(strangers)]
    file = tmp_path / "aws.csv"
    file.write_text("\n".join(lines))
    if min(mated, strangers) < 20:
        assert read_scores(file, independent_pairs=True, no_scores=[""])
        return
    with pytest.raises(InvalidRequest, match=r"below=\{'aws': 80\}"):
        read_scores(file, independent_pairs=True, no_scores=[""])


def test_empty_scores_below_the_vendors_own_threshold(read):
    scores = [*[""] * 20, *range(81, 101)]
    (answers,) = read(scored(scores), no_scores=[""])
    assert answers.acquired.sum() == 20
    assert read.is_noted("below=80")
    (answers,) = read(below=80)
    assert (answers.acquired.all(), answers.scores.min()) == (True, 79)
    assert read.is_noted("20 pairs without a score count as just below 80")
    assert not read.is_noted("count as 79")
    assert read(below={"scores": 80})[0].scores.tolist() == answers.scores.tolist()
    for wrong in (90, {"theirs": 80}):
        with pytest.raises(InvalidRequest):
            read(below=wrong)
    head, *lines = scored(scores).splitlines()
    text = "\n".join([head.replace("score", "ours,theirs"), *(f"{line},5" for line in lines)])
    columns = {"score": ["ours", "theirs"]}
    with pytest.raises(InvalidRequest, match="ours=80"):
        read(text, columns=columns, below=80)
    assert read(columns=columns, below={"ours": 80})[0].acquired.all()
    # An error, or a picture that failed, is not below the threshold.
    lines = "a,1,1,A,A,90,,\na,2,0,A,B,,Timeout,\na,3,1,C,C,,,inconclusive\na,4,0,C,D,,,\n"
    (answers,) = read(f"{HEAD},error,decision\n{lines}", below=80)
    assert answers.acquired.tolist() == [True, False, False, True]


def test_a_system_has_one_model(read):
    text = f"{HEAD},model,error\na,1,1,A,A,5,v1,\na,2,0,A,B,6,%s,\na,3,1,B,B,,,Timeout\n"
    with pytest.raises(InvalidRequest, match=r"'v1' .1 lines. and 'v2' .1 lines"):
        read(text % "v2")
    (answers,) = read(text % "v1")
    assert answers.model == "v1"


def test_a_call_without_an_answer_is_charged_once(read):
    answers = read(
        f"{HEAD},error,billed,price,currency\na,1,1,A,A,9,,,1,EUR\na,2,0,A,B,6,,,,\n"
        "a,3,1,C,C,,Timeout,unknown,,\na,4,1,D,D,,Timeout,no,,\n"
    )
    assert evaluate(answers).systems[0].service.cost == 3.0


# Files and frames


def test_missing_trailing_cells_are_empty_with_a_note(read):
    (answers,) = read(f"{HEAD},elapsed_s\na,1,1,A,A,5,2\na,2,0,A,B\n")
    assert np.isnan(answers.scores).tolist() == [False, True]
    assert read.is_noted("too few cells in line 3")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_detected(read, encoding):
    (answers,) = read("image1;image2;label;score\nü.jpg;b;1;5\n".encode(encoding))
    assert answers.frame["probe"].tolist() == ["ü.jpg"]
    assert read.is_noted("Windows-1252") is (encoding == "cp1252")


def test_frames_and_parquet_are_read_alike(tmp_path):
    frame = pd.DataFrame({"image1": ["a", "b", "c"], "image2": ["b", "c", "d"]}, index=[5, 6, 7])
    frame = frame.assign(label=[True, False, False], score=[0.1 + 0.2, None, 97])
    path = tmp_path / "x.parquet"
    frame.to_parquet(path)
    for source in (frame, pa.Table.from_pandas(frame), path):
        (answers,) = read_scores(source)
        assert answers.scores[[0, 2]].tolist() == [0.1 + 0.2, 97.0]
        assert answers.acquired.tolist() == [True, False, True]
    people = pd.DataFrame({"person1": [7, 7], "person2": [7, 8], "score": [5, 6]})
    for kind in ("category", "float64", "bool", "object", "str"):
        labels = pd.Series(["1", "0"]) if kind == "str" else pd.Series([1, 0])
        (answers,) = read_scores(people.assign(same=labels.astype(kind)))
        assert answers.mated.tolist() == [True, False]
    (answers,) = read_scores(people.assign(is_fraud=["0", "1"]))
    assert answers.mated.tolist() == [True, False]
    # A whole number stays whole beside an empty cell.
    sites = pd.Series([2**60 + 1, None], dtype="Int64")
    whole = people.assign(same=[1, 0], group_site=sites)
    whole.to_parquet(path)
    for source in (path, pa.Table.from_pandas(whole)):
        (answers,) = read_scores(source)
        assert answers.groups["site"].labels == (str(2**60 + 1),)


def test_a_category_without_rows_is_no_system():
    frame = pd.DataFrame({"pair": [1, 2, 1, 2], "label": [1, 0, 1, 0], "person": ["A", "B"] * 2})
    systems = pd.Categorical(["b", "b", "a", "a"], ["a", "b", "c"])
    first, second = read_scores(frame.assign(system=systems, score=[5, 4, 6, 3]))
    assert (first.name, second.name) == ("b", "a")


@pytest.mark.parametrize("orient", ["columns", "records", "index", "lines"])
def test_json_forms_are_read(tmp_path, orient):
    frame = pd.DataFrame({"label": [1, 0, 1], "score": [7.5, 2.5, 6.5], "person": ["A", "B", "C"]})
    lines = {"orient": "records", "lines": True} if orient == "lines" else {"orient": orient}
    frame.to_json(tmp_path / "scores.json", **lines)
    (answers,) = read_scores(tmp_path / "scores.json")
    assert answers.scores.tolist() == [7.5, 2.5, 6.5]
    assert answers.mated.tolist() == [True, False, True]


def test_the_first_item_of_a_list_in_json_is_read(tmp_path):
    replies = [{"FaceMatches": [{"Similarity": 99.5}, {"Similarity": 2}]}, {}]
    pairs = {"label": [1, 0], "person": ["A", "B"], "response": replies}
    pd.DataFrame(pairs).to_json(tmp_path / "scores.json", orient="records")
    column = {"score": "response.FaceMatches.0.Similarity"}
    (answers,) = read_scores(tmp_path / "scores.json", columns=column, below=80)
    assert answers.scores.tolist() == [99.5, 79.9]


@pytest.mark.parametrize(
    "text", ["5", "[5]", '{"a"', '{"a": [1, 2]}', "[]", '[{"label": 1}, 7]', "null\nnull", "[[1]]"]
)
def test_json_without_records_is_rejected(tmp_path, text):
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(InvalidRequest):
        read_scores(tmp_path / "scores.json")


#: Has an entry for each thread of this process.
TASKS = Path("/proc/self/task")


@pytest.mark.skipif(not TASKS.exists(), reason="counts the threads of Linux")
@forks_beside_threads
def test_a_small_file_is_read_without_threads(read):
    """A thread that held the file when the interpreter ended made a refusal abort."""

    def starts_no_thread():
        pa.enable_signal_handlers(False)  # they have a thread, which holds no data
        tasks_before = set(TASKS.iterdir())
        read("label,score,person\n1,7.5,A\n0,2.5,B\n")
        return set(TASKS.iterdir()) == tasks_before

    # A fork begins without threads, whatever earlier tests have read.
    assert child_says_yes(starts_no_thread)


@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_invalid_sources_are_rejected_at_once(tmp_path, ending):
    import os

    pipe, folder, text = (tmp_path / f"{name}.{ending}" for name in ("pipe", "folder", "text"))
    folder.mkdir()
    os.mkfifo(pipe)
    text.write_text("image1,image2")
    for source in (pipe, folder, tmp_path / f"none.{ending}", 5, text, pd.DataFrame()):
        with pytest.raises(InvalidRequest):
            read_scores(source)


def test_large_person_numbers_are_not_rounded(read):
    ids = [str(10**17 + n) for n in range(30)]
    frame = pd.DataFrame({"probe_subject": ids, "reference_subject": ids, "same": 1, "score": 90})
    (answers,) = read(frame)
    assert len(np.unique(answers.probe_subjects)) == 30
    assert answers.person(29) == ids[-1]


@pytest.mark.parametrize(("zeros", "noted"), [(30, True), (29, False)])
def test_a_score_shared_by_most_non_mated_pairs_is_noted(read, zeros, noted):
    """A threshold just above zeros for "nobody found above 80" lets everybody in."""
    scores = [*[0] * zeros, *range(20, 20 + 60 - zeros)]
    lines = [f"a{n},b{n},0,{score}" for n, score in enumerate(scores)]
    read("\n".join(["image1,image2,label,score", "c,d,1,90", *lines]))
    assert read.is_noted(f"{zeros} of 60 non-mated pairs have the score 0") is noted


@pytest.mark.parametrize("decimals", [0, 6])
def test_pairs_without_a_score_are_not_said_to_have_the_vendors_threshold(read, decimals):
    lines = [f"a{n},b{n},0," for n in range(30)]
    lines += [f"c{n},d{n},1,{90 + n / 10**decimals:.{decimals}f}" for n in range(10)]
    read("\n".join(["image1,image2,label,score", *lines]), below=80)
    assert read.is_noted("30 of 30 non-mated pairs have no score (below 80)")
    assert not read.is_noted("have the score 80")


@pytest.mark.parametrize(
    ("scores", "threshold"), [(range(82, 101), 80), (range(79, 99), 79), (range(820, 1000), 820)]
)
def test_the_threshold_of_rekognition_is_offered_for_its_scale(read, scores, threshold):
    lines = [f"a{n},b{n},1,{score}" for n, score in enumerate([*scores, *scores])]
    strangers = [*scores][:4] + [""] * 40
    lines += [f"c{n},d{n},0,{score}" for n, score in enumerate(strangers)]
    with pytest.raises(InvalidRequest, match=rf"below=\{{'scores': {threshold}\}}"):
        read("\n".join(["image1,image2,label,score", *lines]), columns={"mated": "label"})


def test_labels_that_connect_two_people_may_be_a_systems_answer(read):
    """As of a system that takes the third picture for the person of both others."""
    content = "image1,image2,same,score\na,b,1,90\nb,c,1,80\na,c,0,20\n"
    (problem,) = refusals(read, content)
    assert "columns={'decision': 'same'}" in problem


def test_pictures_of_face_recognition_are_known(read):
    (answers,) = read("known_image,unknown_image,same,distance\na,b,1,0.3\nc,d,0,0.7\n")
    assert answers.frame["probe"].tolist() == ["b", "d"]


def test_columns_of_people_are_asked_for_beside_pictures(read):
    lines = [f"a{n}.jpg,b{n}.jpg,rosa {n},rosa {n // 2},{n / 9}" for n in range(30)]
    asked = read.asked("\n".join(["photo_l,photo_r,who_l,who_r,dst", *lines]))
    assert {"probe", "reference", "probe_subject", "reference_subject"} <= asked.columns.keys()
    lines = [f"a{n}.jpg,b{n}.jpg,x{n},y{n},{n / 9}" for n in range(30)]
    asked = read.asked("\n".join(["photo_l,photo_r,who_l,who_r,dst", *lines]))
    assert asked.columns.keys().isdisjoint({"probe_subject", "reference_subject"})


def spelled_file(spellings):
    """A file of pictures and people: the genuine pairs of the first people have two spellings."""
    rows = ["image1,image2,person1,person2,score"]
    for number in range(30):
        other = (number + 1) % 30
        person = f"Zo\u00eb {number}"
        spelling = spellings(person) if number < 5 else person
        rows.append(f"a{number}.jpg,b{number}.jpg,{person},{spelling},{80 + number / 2}")
        rows.append(f"a{number}.jpg,b{other}.jpg,{person},Zo\u00eb {other},{20 + number / 2}")
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize(
    "spellings",
    [str.upper, lambda name: unicodedata.normalize("NFD", name), lambda name: f" {name} "],
    ids=["capitals", "accents in two characters", "spaces"],
)
def test_spellings_of_a_name_are_one_person(read, spellings):
    plain = read(spelled_file(str))[0]
    (answers,) = read(spelled_file(spellings))
    assert answers.frame.equals(plain.frame)
    assert int(answers.mated.sum()) == 30
    is_other_name = spellings("Zo\u00eb") != " Zo\u00eb "
    assert read.is_noted("'Zo\u00eb 0' is also") == is_other_name
    assert read.is_noted("and 2 more") == is_other_name


def test_spellings_of_one_person_per_line_are_one(read):
    (answers,) = read("person,same,score\nRosa,1,90\nrosa,1,80\nrosa,0,20\n")
    assert len(set(answers.probe_subjects.tolist())) == 1
    assert answers.person(0) == "Rosa"


def test_names_of_pictures_are_told_apart_by_capitals_alone(read):
    composed, apart = "Zo\u00eb.jpg", "Zoe\u0308.jpg"
    (answers,) = read(
        f"image1,image2,same,score\n{composed},a.jpg,1,90\n{apart},b.jpg,1,91\n"
        "c.jpg,d.jpg,1,92\nC.jpg,e.jpg,0,10\n"
    )
    # The first two pairs share a picture, so they are of one person.
    assert answers.probe_subjects[0] == answers.probe_subjects[1]
    assert answers.probe_subjects[2] != answers.probe_subjects[3]


def test_an_empty_column_of_pictures_is_read(read):
    """An export may name the selfies alone, beside both people."""
    frame = pd.DataFrame({"probe_subject": ["A", "A", "B"], "reference_subject": ["A", "B", "B"]})
    (answers,) = read(frame.assign(image1=["1.jpg", "2.jpg", "3.jpg"], image2="", score=[5, 1, 6]))
    assert answers.mated.tolist() == [True, False, True]


def test_a_picture_of_two_people_is_refused(read):
    content = "image1,image2,person1,person2,score\na,b,Rosa,ROSA,90\na,c,Dora,Eva,20\n"
    (problem,) = refusals(read, content)
    assert "the picture 'a' is of 'Dora', but in line 2 of 'Rosa'" in problem


def test_a_workbook_that_is_large_when_unzipped_is_refused(tmp_path):
    pytest.importorskip("openpyxl")
    workbook = tmp_path / "scores.xlsx"
    pd.DataFrame({"image1": ["a"], "image2": ["b"], "label": [1], "score": [70]}).to_excel(workbook)
    assert read_scores(workbook)
    cell = bytes(1 << 20)
    with (
        zipfile.ZipFile(workbook, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as parts,
        parts.open("xl/media/cell.xml", "w") as part,
    ):
        for _ in range(256):
            part.write(cell)
    assert workbook.stat().st_size < 10_000_000
    with pytest.raises(InvalidRequest, match="save it as CSV"):
        read_scores(workbook)


def test_toml_file_is_not_called_json(tmp_path):
    file = tmp_path / "shop.toml"
    file.write_text('[profiles.shop]\nbackend = "didit"\n')
    with pytest.raises(InvalidRequest) as caught:
        read_scores(file)
    assert "JSON" not in caught.value.message
