import csv
import os
import re
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.tables import refusal_lines, table_of, text_reader, with_columns
from pyarrow import parquet

from facematch_comparison import (
    ColumnsNotRecognised,
    evaluate,
    export,
    read_scores,
    to_frame,
    wrong_pairs,
)
from facematch_comparison.answers import BILLED, DECISIONS, NOT_ASKED, Answers, Grouping
from facematch_comparison.io import MINUS_DISTANCE
from facematch_comparison.study import Study, StudyPair
from facematch_core import Charged, Environment, InvalidRequest, ThresholdRule

HEAD = "contender,pair,same,probe_subject,reference_subject,score"
ARRAYS = ("mated", "decisions", "acquired", "answered")


@pytest.fixture
def read(tmp_path):
    return text_reader(tmp_path / "scores.csv", read_scores)


def refusals(read, text):
    return refusal_lines(read, text)[1:]


def test_every_column_is_read(read):
    (answers,) = read(
        "\ufeffcontender, pair,same,probe_subject,reference_subject,score,decision,acquired,error,"
        "elapsed_s,billed,rule,threshold,scale,price,currency,backend,model,environment,privacy,"
        "note\n"
        "a,1,yes,7,7, 50 ,MATCH,,,0.5,,,,,,,,,,,x\n"
        "\n"
        "a,2,no,7,12,,inconclusive,,,0.25,,Above,30,didit/face-match,0.05,USD,didit,v3,mock,None.,\n"
        "a,3,no,12,7,,,,Timeout,,unknown,,,,,,,,,,\n"
        "a,4,no,7,3,,no_match,0,,,no,,,,,,,,,,\n"
    )
    table = answers.table
    assert (table.rule, table.threshold) == (ThresholdRule.ABOVE, 30.0)
    decisions = [DECISIONS[at] if at >= 0 else None for at in table.decisions]
    assert decisions == ["match", "inconclusive", None, "no_match"]
    assert table.acquired.tolist() == [True, False, False, False]
    assert table.answered.tolist() == [True, True, False, True]
    # People are numbered from 0 as their own numbers rise: 3, 7, 12.
    assert table.probe_subjects.tolist() == [1, 1, 2, 1]
    assert table.reference_subjects.tolist() == [1, 2, 1, 0]
    assert answers.names.subjects == {0: "3", 1: "7", 2: "12"}
    assert answers.not_answered == {"Timeout": 1}
    assert answers.elapsed_s[:2].tolist() == [0.5, 0.25]
    billed = [Charged.YES, Charged.YES, Charged.UNKNOWN, Charged.NO]
    assert [BILLED[at] for at in answers.billed] == billed
    assert (answers.backend, answers.model, answers.environment) == (
        "didit",
        "v3",
        Environment.MOCK,
    )
    assert (answers.price, answers.currency, answers.privacy) == (0.05, "USD", "None.")


def test_who_decides_saw_two_faces_unless_it_says_otherwise(read):
    head = HEAD.replace("score", "decision")
    (answers,) = read(
        f"{head},acquired\na,1,1,A,A,match,\na,2,0,A,B,no_match,\na,3,1,B,B,inconclusive,\n"
        "a,4,1,C,C,review,\na,5,1,D,D,,\na,6,1,D,D,no_match,no\na,7,1,D,D,,yes\n"
    )
    assert answers.table.acquired.tolist() == [True, True, False, True, False, False, True]
    assert np.isnan(answers.table.scores).all()


def test_a_group_on_one_line_holds_for_the_person_on_all(read):
    (answers,) = read(
        f"{HEAD},group_sex,probe_group_skin,reference_group_skin\n"
        "a,1,1,A,A,1,f,,\na,2,0,A,B,1,f,dark,light\na,3,0,C,B,1,,,\n"
    )
    sex, skin = answers.table.groups["sex"], answers.table.groups["skin"]
    assert (sex.labels, skin.labels) == (("f",), ("dark", "light"))
    assert (sex.probe.tolist(), sex.reference.tolist()) == ([0, 0, -1], [0, 0, 0])
    assert (skin.probe.tolist(), skin.reference.tolist()) == ([0, 0, -1], [0, 1, 1])


def places(read, text):
    return re.findall(r"line (\d+): (?:the )?([a-z_]+ ?[a-z_]*)", "\n".join(refusals(read, text)))


def test_every_fault_of_a_line_has_its_number(read):
    assert places(
        read,
        f"{HEAD},decision,acquired,error,elapsed_s,billed,rule,price,currency\n"
        "a,1,1,A,A,high,,,,,,,,\n"
        "a,2,2,A,A,1_0,perhaps,,,,,,,\n"
        "a,,0,A,A,,match,ja,,,,,,\n"
        "\n"
        "a,4,0,A,B,5,,0,,-1,,,,\n"
        "a,5,0,A,B,5,,,Timeout,inf,sometimes,more,-1,dollar\n"
        "a,6,0,A,B,5,,,,,,,,,\n"
        "a,7,1,A,B,nan\n",
    ) == [
        *(("2", "score is"), ("3", "score is"), ("3", "same is"), ("3", "decision is")),
        *(("4", "pair is"), ("4", "acquired is"), ("4", "pair is")),
        *(("6", "elapsed_s is"), ("6", "it is")),
        *(("7", "elapsed_s is"), ("7", "price is"), ("7", "billed is"), ("7", "rule is")),
        *(("7", "currency is"), ("7", "there is"), ("9", "pair is")),
    ]


def test_lines_that_contradict_each_other(read):
    assert places(
        read,
        f"{HEAD},group_sex,rule,price\n"
        "a,1,1,A,A,1,f,above,\n"
        "a,1,1,A,A,2,f,at_least,\n"
        "a,2,0,A,B,2,m,,\n"
        "b,1,1,C,C,1,,,3\n",
    ) == [("3", "pair "), ("3", "rule of"), ("4", "pair "), ("5", "pair ")]
    (line,) = refusals(read, f"{HEAD},group_sex\na,1,1,A,A,1,f\na,2,0,A,B,2,m\n")
    assert line.startswith("  line 3: ")
    with pytest.raises(InvalidRequest, match="price or a currency"):
        read(f"{HEAD},price\na,1,1,A,A,1,3\n")


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        (f"{HEAD}\n\n", "has no comparison"),
        (b"\x89PNG\0\0", "save it as CSV in UTF-8"),
        (f'{HEAD},note\na,1,1,A,A,5,"open', "is no CSV"),
        (f"{HEAD},score\na,1,1,A,A,1,2", "line 1: the column 'score' is there twice"),
    ],
)
def test_what_is_no_such_file(read, text, reported):
    assert reported in "\n".join(refusal_lines(read, text))


#: A header, a good line, and lines with something wrong: of CSV, with semicolons, and as bob's.
FORMS = {
    "comma": (
        "image1,image2,label,ours",
        "a{n},b{n},1,5",
        ["a,b,1,BAD", "a,b,1,5,BAD", 'a,b,1,"BAD'],
    ),
    "semicolon": ("img_a;img_b;same;ours", "ä{n};b{n};1;5", ["a;b;1;BAD", "BAD;b;1", 'a;b;1;"BAD']),
    "quotes": ("image1,image2,label,ours", '"a{n}",b{n},1,"5"', ["a,b,1,BAD", '"BAD",b,"1"']),
    "bob": (None, "A A i{n} 0.5", ["A B BAD", "A B i 0.5 BAD", 'A B "BAD 0.5 1', ' A "BAD B,C  x']),
    "twice": ("image1,image2,label,BAD,BAD", "a{n},b{n},1,5,6", ["a,b,1,5,6"]),
    "unknown": ("image1,image2,label,colourBAD", "a{n},b{n},1,x", ["a,b,1,x"]),
}


@given(
    form=st.sampled_from(sorted(FORMS)),
    above=st.tuples(
        st.lists(st.sampled_from(["# by hand", '# in "May', "Our test,,,", ";;"]), max_size=3),
        st.lists(st.just(""), max_size=2),
    ),
    lines=st.lists(st.sampled_from(["", "good"]), max_size=6),
    fault=st.integers(0, 3),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_the_number_of_a_line_is_that_of_the_file(form, above, lines, fault, end):
    header, good, faults = FORMS[form]
    written = [*above[0], *above[1], *filter(None, [header])]
    written += [good.format(n=n) if line else line for n, line in enumerate(["good", *lines])]
    written.append(faults[fault % len(faults)])
    heard = []
    with TemporaryDirectory() as folder:
        path = Path(folder, "scores.txt")
        path.write_bytes(end.join([*written, ""]).encode())
        try:
            read_scores(path, note=heard.append)
        except InvalidRequest as error:
            heard.append(str(error))
    reported = {int(number) for number in re.findall(r"\bline (\d+)", "\n".join(heard))}
    assert reported == {written.index(line) + 1 for line in written if "BAD" in line}


def test_problems_are_joined_and_fifty_of_them_are_listed(read):
    lines = "\n".join(f"a,{n},1,A,A,{n if n < 2500 else f'x{n}'}" for n in range(3000))
    reported = refusals(read, f"{HEAD}\n{lines}")
    assert (len(reported), "and 490 more: score is 'x2500'" in reported[0]) == (1, True)
    lines = "\n".join(f"a,{n},1,A,A,5,e{n}" for n in range(60))
    assert refusals(read, f"{HEAD},environment\n{lines}")[-1] == "  ... and 10 more"
    lines = "\n".join(f"a,{n},1,A,A,5,prod" for n in range(6000))
    assert refusals(read, f"{HEAD},environment\n{lines}") == [
        "  all 6,000 lines: environment is 'prod'; write production, sandbox, mock or local"
    ]
    # Thousands of words are one problem with all of its lines, and no lower number of problems.
    lines = "\n".join(f"a,{n},1,A,A,5,e{n}" for n in range(3000))
    (line,) = refusals(read, f"{HEAD},environment\n{lines}")
    assert line.startswith("  all 3,000 lines: environment is 'e0'")


@pytest.mark.parametrize(
    ("column", "near"),
    [
        # Skipped, these turned 120 time-outs into failures to acquire, and the rule into another.
        *(("eror", "error"), ("rules", "rule"), ("grup_sex", "group_sex"), ("kilograms", None)),
    ],
)
def test_an_unknown_column_is_an_error_with_the_nearest_name(read, tmp_path, column, near):
    with pytest.raises(ColumnsNotRecognised) as caught:
        read(f"{HEAD},{column}\na,1,1,A,A,,1\na,2,0,A,B,5,2\n")
    assert repr(column) in caught.value.what
    assert re.findall(r"did you mean (\w+)", caught.value.what) == [near] * (near is not None)
    (answers,) = read_scores(tmp_path / "scores.csv", ignore=[column])
    assert answers.not_answered == {}


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas_are_read_where_columns_have_another_separator(read, separator):
    text = "image1;image2;label;ours;theirs;threshold;price;currency\n"
    text += "a;b;1;84,71;3;50,5;0,05;EUR\na;c;0;12;,5;;;\n"
    first, second = read(text.replace(";", separator))
    assert (first.table.scores.tolist(), second.table.scores.tolist()) == (
        [84.71, 12.0],
        [3.0, 0.5],
    )
    assert (first.table.threshold, first.price) == (50.5, 0.05)
    (both,) = refusals(read, "image1;image2;label;ours\na;b;1;5.5\nc;d;1;97,5\n")
    assert both.startswith("  line 3: ours is '97,5'; write 97.5")
    lines = "".join(f'a,{n},1,"{n},9"\n' for n in range(5))
    (several,) = refusals(read, f"image1,image2,label,ours\n{lines}")
    assert several.startswith("  lines 2, 3, 4, 5 and 6: ours is '0,9'; write 0.9, or ")


@pytest.mark.parametrize(
    ("head", "line", "name"),
    [
        ("Image 1,Image 2,Is Same,ours", "a,b,Yes,90.5", "ours"),
        ("img_a;img_b;genuine;ours", "a;b;TRUE;90.5", "ours"),
        ("photo1\tphoto2\tground-truth\tours", "a\tb\tgenuine\t90.5", "ours"),
        ("image1,image2,LABEL,confidence", "a,b,1.0,90.5", "scores"),
        ("algorithm,pair_id,label,subject1,subject2,score", "x,7,1,A,A,90.5", "x"),
        ("id,match,person_a,person_b,score_ours", "7,t,A,A,90.5", "score_ours"),
        ("probe_subject,reference_subject,ours", "A,A,90.5", "ours"),
        ("backend,pair,same,person1,person2,score", "x,7,1,A,A,90.5", "x"),
        ("contender,backend,pair,same,person1,person2,score", "x,y,7,1,A,A,90.5", "x"),
    ],
)
def test_usual_names_of_columns_are_certain_in_any_case_and_form(read, head, line, name):
    (answers,) = read(f"{head}\n{line}\n")
    assert (answers.name, answers.table.mated.tolist(), answers.table.scores.tolist()) == (
        name,
        [True],
        [90.5],
    )


def test_a_column_of_words_or_of_one_answer_is_no_system(read, tmp_path):
    with pytest.raises(ColumnsNotRecognised, match="city"):
        read("image1,image2,label,ours,city\na,b,1,5,Pune\nc,d,1,6,Goa\n")
    # But a few words among numbers are wrong scores.
    (line,) = refusals(read, "image1,image2,label,ours\na,b,1,5\nc,d,1,no face\n")
    assert line.startswith("  line 3: ours is 'no face'")
    path, systems = tmp_path / "scores.csv", ["ours", "theirs"]
    for column in ("acquired", "error"):
        path.write_text(f"image1,image2,label,ours,theirs,{column}\na,b,1,5,6,\n")
        with pytest.raises(InvalidRequest, match=f"'{column}' says something of one answer"):
            read_scores(path, systems=systems)
        assert len(read_scores(path, systems=systems, ignore=[column])) == 2


def test_named_columns_are_taken_as_they_are_named(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text("left,right,verdict,age,hash,similarity,confidence\na,b,1,60,x,5,6\n")
    columns = {"probe": "left", "reference": "right", "mated": "verdict"}
    answers = read_scores(
        path, columns=columns, systems=["age", "similarity", "confidence"], ignore=["hash"]
    )
    assert [system.name for system in answers] == ["age", "similarity", "confidence"]
    assert [system.table.scores.tolist() for system in answers] == [[60.0], [5.0], [6.0]]
    for wrong in ({"columns": {"prob": "left"}}, {"columns": {"probe": "lef"}}, {"systems": ["b"]}):
        with pytest.raises(InvalidRequest):
            read_scores(path, **wrong)


ANSWERED = ("match", "is_match", "verified", "isIdentical", "accepted", "result", "decision")
TRUTHS = ("expected", "expected_match", "gt", "actual", "real", "truth", "target", "ground_truth")
TRUTHS += ("label", "same", "same_person", "mated", "genuine", "is_genuine", "Same person?")


def log_of(columns, count=60, *, noise=25.0):
    """A header, with what each line has under it; mated pairs and others in turn."""
    scores = np.random.default_rng(4).normal(np.where(np.arange(count) % 2, 70, 30), noise)
    facts = [
        {"n": n, "s": f"{score:.2f}", "answer": str(score > 50).lower(), "m": n % 2, "o": 1 - n % 2}
        for n, score in enumerate(scores.tolist())
    ]
    lines = (",".join(columns.values()).format(**fact) for fact in facts)
    return "\n".join([",".join(columns), *lines])


PAIR = {"image1": "a{n}", "image2": "b{n}"}


@pytest.mark.parametrize("name", ANSWERED)
def test_what_a_system_answered_is_never_the_truth(read, name):
    log = {**PAIR, name: "{answer}", "score": "{s}"}
    with pytest.raises(ColumnsNotRecognised) as caught:
        read(log_of(log))
    assert (caught.value.columns, caught.value.ignore) == ({"mated": "COLUMN"}, ())
    assert repr(name) in caught.value.what
    for truth in TRUTHS:
        (answers,) = read(log_of({**log, truth: "{m}"}))
        assert answers.table.mated.tolist() == [n % 2 == 1 for n in range(60)]
        assert answers.table.decisions.tolist() == (answers.table.scores > 50).tolist()
    # The truth is looked for among names alone, not among columns of two words.
    with pytest.raises(ColumnsNotRecognised) as caught:
        read(log_of({**log, "verdict": "{m}"}))
    assert caught.value.columns == {"mated": "COLUMN"}


@pytest.mark.parametrize(
    ("ours", "name", "cell"),
    [("mated", "label", "{m}"), ("mated", "gt", "{m}"), ("non_mated", "is_impostor", "{o}")],
)
def test_labels_that_follow_the_scores_exactly_are_asked_for(read, tmp_path, ours, name, cell):
    log = {**PAIR, name: cell, "score": "{s}"}
    with pytest.raises(ColumnsNotRecognised) as caught:
        read(log_of(log, noise=3))
    assert (caught.value.columns, caught.value.ignore) == ({ours: name}, ())
    (answers,) = read_scores(tmp_path / "scores.csv", columns={ours: name})
    assert answers.table.mated.tolist() == [n % 2 == 1 for n in range(60)]
    # Nor are decisions alone a second opinion.
    with pytest.raises(ColumnsNotRecognised):
        read(log_of({**PAIR, name: cell, "decision": "{m}"}))
    # Too few, not apart, or confirmed by the names of people.
    people = {"person1": "p{n}", "person2": "p{n}x{o}", name: cell, "score": "{s}"}
    text = log_of(people, noise=3).replace("x0", "")
    for each in (log_of(log, 38, noise=3), log_of(log), text):
        assert len(read(each)) == 1


@pytest.mark.parametrize(
    ("head", "lines", "columns", "ignore"),
    [
        ("image1,image2,same_guy,score", ["a,b,1,9", "a,c,0,2"], {"mated": "COLUMN"}, ["same_guy"]),
        ("image1,image2,mismatch,ours", ["a,b,0,9", "a,c,1,2"], {"mated": "COLUMN"}, ["mismatch"]),
        ("image1,image2,ours", ["a,b,9"], {"mated": "COLUMN"}, []),
        ("image1,label,ours", ["a,1,9"], {"reference": "COLUMN"}, []),
        ("image1,image2,label,mated,score", ["a,b,1,1,9"], {}, ["label"]),
        ("image1,image2,label,sim,distance", ["a,b,1,5,3"], {"score": "sim"}, ["distance"]),
        ("label,ours", ["1,9", "0,2"], {}, []),
        ("image1,image2,label", ["a,b,1", "a,c,0"], {"score": "COLUMN"}, []),
        ("image1,image2,label,age,eror", ["a,b,1,30,", "a,c,0,31,x"], {"score": "COLUMN"}, ["age"]),
        ("image1,image2,label,match,ours,sex", ["a,b,1,no,81,f", "a,c,0,no,8,m"], {}, ["sex"]),
        ("image1,image2,label,x,y,decision", ["a,b,1,9,8,match"], {}, ["decision"]),
        ("tool,person1,person2,score", ["x,A,A,9", "y,A,A,8"], {}, ["tool"]),
        ("vendor,case,label,user,score", ["x,7,1,A,9", "y,7,1,A,8"], {"pair": "COLUMN"}, ["case"]),
        ("image1,image2,label,distance,sim", ["a,b,1,3,5"], {"score": "sim"}, ["distance"]),
        ("image1,image2,label,is_impostor,sim", ["a,b,1,0,5"], {}, ["is_impostor"]),
        ("left,right,label,ours", ["a.jpg,b.PNG,1,5"], {"probe": "left", "reference": "right"}, []),
        ("image1,other,label,ours,sex", ["a.jpg,b.jpg,1,5,f"], {"reference": "other"}, ["sex"]),
        ("left,label,ours,sex", ["a.jpg,1,5,f"], {"person": "COLUMN"}, ["left", "sex"]),
        ("image1,image2,label,expected_x,sim", ["a,b,1,1,5"], {"mated": "expected_x"}, ["label"]),
    ],
)
def test_what_is_unknown_is_shown_and_what_it_takes_to_go_on(read, head, lines, columns, ignore):
    with pytest.raises(ColumnsNotRecognised) as caught:
        read("\n".join([head, *lines]))
    error = caught.value
    if "eror" in head:
        columns = columns | {"error": "eror"}
    assert (error.columns, error.ignore) == (columns, (*ignore,))
    assert error.independent_pairs is (head == "label,ours")
    of_column = dict(zip(head.split(","), lines[0].split(","), strict=True))
    for name in ignore:
        assert repr(name) in error.what
        assert name in ("decision", "distance", "label") or repr(of_column[name]) in error.what


def test_several_columns_of_numbers_are_systems_whatever_else_is_there(read, tmp_path):
    log = {"case_id": "s{n}", **PAIR, "label": "{m}", "aws_similarity": "{s}", "l2": "{s}"}
    log |= {"azure": "{s}1", "latency_ms": "{n}", "detector": "x", "decision": "{answer}"}
    with pytest.raises(ColumnsNotRecognised) as caught:
        read(log_of(log))
    assert (caught.value.columns, caught.value.ignore) == ({}, ("decision",))
    heard = []
    answers = read_scores(tmp_path / "scores.csv", ignore=["decision"], note=heard.append)
    assert [each.name for each in answers] == ["aws_similarity", "l2", "azure"]
    # Of distances less is more alike, also beside scores.
    assert (answers[1].table.scores == -answers[0].table.scores).all()
    assert answers[1].table.scale == MINUS_DISTANCE
    assert not answers[0].table.groups
    (skipped,) = (text for text in heard if text.startswith("skipped"))
    assert "'case_id', 'latency_ms' and 'detector'" in skipped
    assert [text for text in heard if "systems: 'aws_similarity', 'l2' and 'azure'" in text]


@pytest.mark.parametrize("name", ["Ünïcode", "Größe", "сравнение", "顔認証"])
def test_a_system_has_a_name_in_any_letters(read, name):
    # Of another cell on every line, and no letter of it is the `n` of a count.
    answers = read(log_of({**PAIR, "label": "{m}", "ours": "{s}", name: "{s}1"}))
    assert [each.name for each in answers] == ["ours", name]


def test_percent_signs_are_the_unit_of_all_or_none(read):
    (answers,) = read("image1,image2,label,ours\na,b,1,94.89%\nc,d,0,7 %\ne,f,0,NA\n")
    assert np.array_equal(answers.table.scores, [94.89, 7.0, np.nan], equal_nan=True)
    (line,) = refusals(read, "image1,image2,label,ours\na,b,1,94.89%\nc,d,0,0.07\n")
    assert line.startswith("  line 2: ours is '94.89%'")


def test_what_is_empty_may_be_a_score_below_the_threshold_of_a_vendor():
    scores = [None if n % 10 == 3 else 80.0 + n % 10 for n in range(40)]
    frame = pd.DataFrame({"person": range(40), "label": [n % 2 for n in range(40)]})
    heard = []
    (answers,) = read_scores(frame.assign(Similarity=scores), note=heard.append)
    assert np.count_nonzero(~answers.table.acquired) == 4, "nothing is guessed"
    assert [text for text in heard if ": 4 of " in text and "FaceMatches" in text]
    for full in ({"Similarity": 5.0}, {"decision": "match"}):
        heard.clear()
        read_scores(frame.assign(**full), note=heard.append)
        assert not [text for text in heard if "FaceMatches" in text]


def test_two_ids_are_two_people(read):
    (answers,) = read("claimed_id,real_id,score\nA,A,90\nA,B,8\n")
    assert (answers.people_known, answers.table.mated.tolist()) == (True, [True, False])


def test_every_column_can_be_named_and_is_one_thing():
    frame = pd.DataFrame({"l": ["a", "a"], "r": ["b", "c"], "is": [1, 0], "x": ["f", "f"]})
    frame = frame.assign(y=["f", "m"], ours=[5.0, 1.0])
    columns = {"image1": "l", "img_b": "r", "Label": "is"}
    columns |= {"probe_group_sex": "x", "reference_group_sex": "y"}
    (answers,) = read_scores(frame, columns=columns)
    sex = answers.table.groups["sex"]
    assert (sex.probe.tolist(), sex.reference.tolist()) == ([0, 0], [0, 1])
    # Two things of one column made all pairs those of one person.
    with pytest.raises(InvalidRequest, match="one column only"):
        read_scores(frame, columns={"mated": "is", "probe": "is", "reference": "r"})


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path, monkeypatch, ending):
    path = tmp_path / f"scores.{ending}"
    frame = pd.DataFrame({"image1": "a", "image2": range(50), "label": 0, "score": 5.0})
    frame = frame.assign(note="x" * 400)
    frame.to_csv(path) if ending == "csv" else frame.to_parquet(path)
    most = 49 if ending == "parquet" else 100
    with monkeypatch.context() as patch:
        patch.setattr(parquet.ParquetFile, "read", None)
        patch.setattr("pyarrow.csv.read_csv", None)
        with pytest.raises(InvalidRequest, match="max_rows=") as caught:
            read_scores(path, max_rows=most)
    needed = int(re.search(r"max_rows=(\d+)", str(caught.value))[1])
    assert len(read_scores(path, max_rows=needed)[0].table) == 50


@pytest.mark.parametrize(
    ("groups", "is_read"), [pytest.param(995, True, marks=pytest.mark.slow), (996, False)]
)
def test_at_most_a_thousand_columns_are_read(read, groups, is_read):
    names = ["mated", "score", "pair", "probe_subject", "reference_subject"]
    names += [f"group_{number}" for number in range(groups)]
    lines = [["1", "70", "x", "ann", "ann"], ["0", "20", "y", "ann", "bob"]]
    text = "\n".join(
        ",".join(line) for line in [names, *([*line, *"a" * groups] for line in lines)]
    )
    if is_read:
        assert len(read(text)[0].table) == 2
    else:
        assert "1,001 columns" in str(refusals(read, text))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_no_file_is_refused_at_once(tmp_path, ending):
    pipe, folder, text = (tmp_path / f"{name}.{ending}" for name in ("pipe", "folder", "text"))
    folder.mkdir()
    os.mkfifo(pipe)
    text.write_text("image1,image2")
    for source in (pipe, folder, tmp_path / f"none.{ending}", 5, text, pd.DataFrame()):
        with pytest.raises(InvalidRequest):
            read_scores(source)


def test_pictures_that_mated_pairs_join_are_one_person_unless_people_are_named(read):
    head = "image1,image2,label,ours\n"
    (answers,) = read(f"{head}a,b,1,5\nc,b,1,5\nd,e,0,5\na,d,0,5\n")
    probe, reference = answers.table.probe_subjects, answers.table.reference_subjects
    assert probe[0] == reference[0] == probe[1] == reference[1] == probe[3]
    assert len({int(probe[0]), int(probe[2]), int(reference[2])}) == 3
    assert places(read, f"{head}a,b,1,5\nc,b,1,5\na,c,0,5\n") == [("4", "pair is")]
    (answers,) = read(
        "image1,image2,person1,person2,label,ours\na,b,A,A,1,5\nc,d,A,B,0,5\nc,a,A,A,1,7\n"
    )
    assert (answers.people_known, answers.names.subjects) == (True, {0: "A", 1: "B"})
    assert answers.table.probe_subjects.tolist() == [0, 0, 0]


def test_high_numbers_of_people_are_not_rounded_and_are_written_as_they_were(read, tmp_path):
    ids = [str(10**17 + n) for n in range(30)]
    lines = [f"a,m{n},1,{who},{who},90" for n, who in enumerate(ids)]
    lines += [f"a,n{n},0,{who},{ids[0]},10" for n, who in enumerate(ids[1:])]
    (high,) = read("\n".join([HEAD, *lines]))
    assert len({*high.table.probe_subjects.tolist()}) == 30
    path = tmp_path / "again.csv"
    export([high], path)
    assert sorted(map(str, pd.read_csv(path)["probe_subject"].unique())) == ids
    same([high], read_scores(path))


def test_pairs_of_pictures_need_no_other_name_in_any_order_and_once(read):
    head = "system,image1,image2,label,score\n"
    first, second = read(f"{head}x,a,b,1,5\nx,a,c,0,6\ny,a,c,0,7\ny,a,b,1,8\n")
    assert (first.table.scores.tolist(), second.table.scores.tolist()) == ([5, 6], [8, 7])
    assert places(read, f"{head}x,a,b,1,5\nx,a,b,1,6\n") == [("3", "pair ")]
    # In a wide table once for each line, however many systems it is of.
    wide = "image1,image2,label,ours,theirs\na,b,1,78,3\na,c,0,12,4\na,b,1,78,3\n"
    assert places(read, wide) == [("4", "pair ")]
    with pytest.raises(ColumnsNotRecognised, match="the column pair is missing"):
        read("system,label,person1,person2,score\nx,1,A,A,5\ny,1,A,A,5\n")


@pytest.mark.parametrize("count", [101, 500])
def test_more_systems_than_can_be_compared_are_counted(read, count):
    long = [HEAD, *(f"s{number},1,1,A,A,5" for number in range(count))]
    models = [f"{HEAD},model", *(f"s,{number},1,A,A,5,m{number}" for number in range(count))]
    names = "".join(f",vendor{number}" for number in range(count))
    wide = [f"image1,image2,label{names}", f"a,b,1{',5' * count}"]
    for lines in (long, models, wide):
        (line,) = refusals(read, "\n".join(lines))
        assert f" {count} systems" in line


def test_a_pair_that_is_there_twice_is_named_with_its_system(read):
    lines = refusals(read, f"{HEAD}\nx,1,1,A,A,5\ny,1,1,A,A,5\nx,1,1,A,A,5\n")
    assert "the pair '1' of 'x' appears twice" in lines[0]


def test_two_models_are_two_systems(read):
    first, second = read(
        f"{HEAD},model,error\na,1,1,A,A,5,v1,\na,2,0,A,B,6,v2,\na,3,1,B,B,,,Timeout\n"
        "a,4,1,C,C,7,v2,\n"
    )
    assert [answers.name for answers in (first, second)] == ["a (model v1)", "a (model v2)"]
    assert [answers.model for answers in (first, second)] == ["v1", "v2"]
    assert first.table.answered.tolist() == [True, False, False, False]
    assert second.table.answered.tolist() == [False, True, False, True]
    assert first.not_answered == {"Timeout": 1, NOT_ASKED: 2}
    assert second.not_answered == {NOT_ASKED: 2}
    assert (first.other_models, second.other_models) == ({"v2": 2}, {"v1": 1})
    assert np.array_equal(first.table.scores, [5, np.nan, np.nan, np.nan], equal_nan=True)
    # Nor is a pair acquired that a model was not asked about.
    first, _ = read(f"{HEAD},model,acquired\na,1,1,A,A,5,v1,1\na,2,0,A,B,6,v2,1\n")
    assert first.table.acquired.tolist() == [True, False]


def test_a_call_without_an_answer_is_charged_once(read):
    answers = read(
        f"{HEAD},model,error,billed,price,currency\na,1,1,A,A,9,v1,,,1,EUR\na,2,0,A,B,6,v1,,,,\n"
        "a,3,1,B,B,9,v2,,,,\na,4,0,A,C,8,v2,,,,\n"
        "a,5,1,C,C,,,Timeout,unknown,,\na,6,1,D,D,,,Timeout,unknown,,\n"
    )
    assert [system.service.cost for system in evaluate(answers).systems] == [4.0, 2.0]


def test_an_answer_without_a_model_is_refused_where_there_are_two(read):
    text = f"{HEAD},model\na,1,1,A,A,5,v1\na,2,0,A,B,6,\n"
    assert read(text)[0].model == "v1"
    (reported,) = refusals(read, f"{text}a,3,1,A,A,7,v2\n")
    assert reported.startswith("  line 3: 'a' answered, and model is empty")


NUMBERS = "image1,image2,label,ours,theirs\n"


@pytest.mark.parametrize("word", ["NA", "N/A", "NaN", "null", "None", "#N/A", ""])
def test_words_for_nothing_are_no_scores_and_may_be_names(read, word):
    (answers,) = read(
        f"{HEAD}\na,{word or 'x'},1,{word or 'x'},{word or 'x'},{word}\na,2,1,B,B,5\n"
    )
    assert np.array_equal(answers.table.scores, [np.nan, 5], equal_nan=True)
    assert answers.names.subjects[int(answers.table.probe_subjects[0])] == (word or "x")


def test_minus_one_is_a_label_unless_there_is_a_zero(read):
    ours, _ = read(f"{NUMBERS}a,b,1,5,6\nc,d,-1,2,3\n")
    assert ours.table.mated.tolist() == [True, False]
    assert places(read, f"{NUMBERS}a,b,1,5,6\nc,d,-1,2,3\ne,f,0,2,3\n") == [("3", "label is")]


def numbered(scores):
    return NUMBERS + "".join(f"a{n},b{n},{n % 2},{score},{n}.5\n" for n, score in enumerate(scores))


def test_a_number_that_stands_for_no_score_is_noticed(read, tmp_path):
    path = tmp_path / "scores.csv"
    for mark, others in ((-1, (0, 70, 3, 9)), (-999, (-3, 70, 3, 9)), (9999, (0, 70, 3, 9))):
        (line,) = refusals(read, numbered([mark, *others, mark]))
        assert line.startswith(f"  lines 2 and 7: ours is {mark}, and all other scores")
        ours, _ = read_scores(path, no_scores=[mark])
        assert np.isnan(ours.table.scores).tolist() == [True, *(False,) * 4, True]
        ours, _ = read_scores(path, no_scores=[np.nan])
        assert not np.isnan(ours.table.scores).any()
    (line,) = refusals(read, numbered([-1, 0, -2, 70, 3.5, -2, -1]))
    assert line.startswith("  lines 2, 4, 7 and 8: ours is -2 or -1, and all other scores")
    ours, _ = read_scores(path, no_scores=[-2, -1])
    assert np.isnan(ours.table.scores).sum() == 4
    # Clipped scores, a single one, and scores on both sides of 0 are what they are.
    for scores in (
        (0, 0, 70, 90),
        (100, 100, 2, 3),
        (-1, 5, 70, 90),
        (-1, -1, -0.5, 0.8),
        (-1, -1, -2, 5),
    ):
        assert len(read(numbered(scores))) == 2


def test_a_picture_with_itself_and_a_pair_in_both_orders_are_refused(read):
    assert places(read, f"{NUMBERS}a,a,1,5,6\nb,c,0,2,3\n") == [("2", "picture ")]
    assert places(read, f"{NUMBERS}a,b,1,5,6\nb,a,1,5,6\n") == [("3", "same two")]
    long = "system,image1,image2,label,score\nx,a,b,1,5\ny,a,b,1,6\nx,b,a,1,5\ny,b,a,1,5\n"
    assert [number for number, _ in places(read, long)] == ["4"]


def test_many_errors_of_one_kind_are_one_line(read):
    lines = "".join(f"a,{n},1,A,A,{n}\n" for n in range(40))
    (line,) = refusals(read, f"{HEAD}\n{lines}{lines}")
    assert line.startswith("  lines 42, 43, 44, 45, 46, 47, 48, 49, 50, 51 and 30 more: ")
    assert "line 2; keep one" in line
    lines = "".join(f"a,{n},1,p{n % 9},p{n % 9},5,g{n}\n" for n in range(18))
    (line,) = refusals(read, f"{HEAD},group_x\n{lines}")
    assert line.startswith("  lines 11, 12, 13, 14, 15, 16, 17, 18 and 19: ")


@pytest.mark.parametrize("row", ["a,b,1,7,8,9", 'a,b,1,"77,84",5'])
def test_a_cell_too_many_and_a_quoted_decimal_comma_are_errors(read, row):
    (line,) = refusals(read, f"{NUMBERS}c,d,0,5,6\n{row}\n")
    assert line.startswith("  line 3: ")


def test_what_is_missing_at_the_end_of_a_line_is_empty_and_said(read, tmp_path):
    read(f"{NUMBERS}a,b,1,7,8\nc,d,0,5\ne,f,0,5,6\n")
    heard = []
    ours, theirs = read_scores(tmp_path / "scores.csv", note=heard.append)
    assert np.isnan(theirs.table.scores).tolist() == [False, True, False]
    assert not np.isnan(ours.table.scores).any()
    assert [text for text in heard if "too few cells in line 3" in text]


@pytest.mark.parametrize("form", ['"{},5"', '"1.{:03}.5"'])
def test_no_column_of_numbers_in_another_form_is_skipped(read, form):
    lines = (f"a{n},b{n},{n % 2},{form.format(n)},{n * 1.5}\n" for n in range(30))
    (line,) = refusals(read, NUMBERS + "".join(lines))
    assert line.startswith("  all 30 lines: ours is ")


def test_transactions_are_read_and_written(read, tmp_path):
    head = f"{HEAD},transaction,attempt\n"
    good = "a,1,1,A,A,5,t,1\na,2,1,A,A,6,t,2\na,3,0,A,B,5,u,1\nb,3,0,A,B,5,u,1\n"
    good += "b,1,1,A,A,5,t,1\nb,2,1,A,A,6,t,2\n"
    first, second = read(head + good)
    for answers in (first, second):
        assert answers.table.attempts.tolist() == [1, 2, 1]
        assert np.diff(answers.table.transactions).tolist() == [0, 1]
    for ending in ("csv", "parquet"):
        path = tmp_path / f"again.{ending}"
        export([first, second], path)
        again = read_scores(path)[1].table
        assert (again.attempts.tolist(), again.transactions.tolist()) == ([1, 2, 1], [0, 0, 1])
    for line, place in (
        *(("a,9,1,A,A,5,t,2", "8"), ("a,9,1,B,B,5,t,3", "8"), ("a,9,1,C,C,5,v,1.5", "8")),
        *(("a,9,1,C,C,5,v,0", "8"), ("a,9,1,C,C,5,,1", "8"), ("b,1,1,A,A,5,t,7", "8")),
    ):
        assert place in {number for number, _ in places(read, f"{head}{good}{line}\n")}
    with pytest.raises(ColumnsNotRecognised, match="attempt is missing"):
        read(f"{HEAD},transaction\na,1,1,A,A,5,t\n")


def test_one_person_a_line_and_independent_pairs(read, tmp_path):
    read_scores_of = partial(read_scores, tmp_path / "scores.csv")
    with pytest.raises(ColumnsNotRecognised):
        read("label,ours,whose,city\n1,5,5,x\n0,4,5,x\n0,6,7,y\n1,6,7,y\n")
    heard = []
    (answers,) = read_scores_of(
        columns={"person": "whose", "probe_group_city": "city"}, note=heard.append
    )
    assert (answers.people_known, len(answers.table.people.numbers), len(heard)) == (False, 4, 2)
    export([answers], tmp_path / "again.csv")
    same([answers], read_scores(tmp_path / "again.csv"))
    (answers,) = read_scores_of(ignore=["whose", "city"], independent_pairs=True)
    assert (answers.people_known, len(answers.table.people.numbers)) == (False, 6)
    with pytest.raises(InvalidRequest, match="names people") as caught:
        read_scores_of(columns={"person": "whose"}, ignore=["city"], independent_pairs=True)
    assert not isinstance(caught.value, ColumnsNotRecognised)


# Frames and Parquet


def test_frames_and_parquet_are_read_alike_and_nothing_is_a_failure_to_acquire(tmp_path):
    frame = pd.DataFrame({"image1": ["a", "b", "c"], "image2": ["b", "c", "d"]}, index=[5, 6, 7])
    frame = frame.assign(label=[True, False, False], ours=[0.1 + 0.2, None, 97])
    frame["theirs"] = pd.array([1, None, 3], "Int64")
    path = tmp_path / "x.parquet"
    frame.to_parquet(path)
    for source in (frame, pa.Table.from_pandas(frame), path):
        first, second = read_scores(source)
        assert first.table.scores[[0, 2]].tolist() == [0.1 + 0.2, 97.0]
        assert second.table.scores[[0, 2]].tolist() == [1.0, 3.0]
        for answers in (first, second):
            assert answers.table.acquired.tolist() == [True, False, True]


def test_a_scale_is_taken_from_the_name_of_its_column_unless_a_column_says_another(read):
    for head, scale in (("score (0-1)", "0-1"), ("ours", None), ("score 0-1,scale", "5")):
        cells = ",".join("5" for _ in head.split(","))
        (answers,) = read(f"image1,image2,label,{head}\na,b,1,{cells}\n")
        assert (answers.table.scale, answers.table.scores.tolist()) == (scale, [5.0])


def test_labels_of_a_frame_are_of_any_type():
    frame = pd.DataFrame({"person1": [7, 7], "person2": [7, 8], "ours": [5, 6]})
    for kind in ("category", "float64", "bool", "object", "str"):
        labels = pd.Series(["1", "0"]) if kind == "str" else pd.Series([1, 0])
        (answers,) = read_scores(frame.assign(same=labels.astype(kind)))
        assert answers.table.mated.tolist() == [True, False]
        assert answers.table.reference_subjects.tolist() == [0, 1]


words = st.sampled_from(
    ("=1+1", "-2+3", "@x", "+1", "'", "'=", "1e5", "true", "NA", "null")
) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=1,
    max_size=8,
).filter(lambda text: text == text.strip() and text)


def plain(answers):
    """All that answers are, as words and numbers that can be compared: NaN is NaN."""
    table, subjects = answers.table, answers.names.subjects if answers.names else {}
    return {
        **{name: repr(getattr(table, name).tolist()) for name in (*ARRAYS, "scores")},
        **{name: repr(getattr(answers, name).tolist()) for name in ("elapsed_s", "billed")},
        "people": [
            [subjects.get(who, f"unknown {who}" if subjects else str(who)) for who in side.tolist()]
            for side in (table.probe_subjects, table.reference_subjects)
        ],
        "groups": {
            column: [
                [(*group.labels, "")[at] for at in side] for side in (group.probe, group.reference)
            ]
            for column, group in table.groups.items()
        },
        **{name: getattr(table, name) for name in ("rule", "threshold", "scale")},
        **{name: getattr(answers, name) for name in OF_SYSTEM},
    }


def same(written, read):
    assert [plain(answers) for answers in written] == [plain(answers) for answers in read]


OF_SYSTEM = ("name", "not_answered", "backend", "model", "other_models", "environment")
OF_SYSTEM += ("price", "currency", "privacy", "people_known")


def some_answers(chance, text, probe, reference, groups):
    """Answers of one system in which everything may be there or missing, with any words."""
    count = len(probe)
    answered, with_face, scored = chance.random((3, count)) < 0.8
    acquired = with_face & answered
    scores = chance.normal(0, 10.0 ** chance.integers(-300, 6, count))
    is_priced, missing = chance.random() < 0.5, int((~answered).sum())
    table = table_of(
        *(probe, reference, np.where(acquired & scored, scores, np.nan)),
        name=text(),
        rule=chance.choice([*ThresholdRule]),
        decisions=np.where(answered, chance.integers(-1, 4, count), -1).astype(np.int8),
        acquired=acquired,
        answered=answered,
        groups=groups,
        scale=text(),
        threshold=chance.choice([None, chance.normal()]),
    )
    return Answers(
        table=table,
        elapsed_s=chance.choice([np.nan, *chance.random(3)], count),
        billed=chance.integers(0, 3, count).astype(np.int8),
        not_answered={text(): missing} if missing else {},
        backend=text(),
        model=chance.choice([None, text()]),
        environment=chance.choice([None, *Environment]),
        price=chance.random() if is_priced else None,
        currency="INR" if is_priced else None,
        privacy=text(),
        people_known=bool(chance.integers(2)),
        other_models={text(): int(chance.integers(1, 9))},
    )


@settings(max_examples=10)
@given(st.lists(words, min_size=24, max_size=24, unique=True), st.integers(0, 10**6))
def test_what_is_written_is_read(tmp_path_factory, texts, seed):
    """Every number to its last digit, every word, in the same order: CSV, Parquet and frames."""
    chance, folder = np.random.default_rng(seed), tmp_path_factory.mktemp("scores")
    people = chance.integers(0, 10**6, 5)
    probe, reference = chance.choice(people, (2, chance.integers(1, 12)))
    of_person = dict(zip(people.tolist(), chance.integers(-1, 2, 5), strict=True))
    sides = [np.array([of_person[who] for who in side.tolist()]) for side in (probe, reference)]
    labels = tuple(sorted((texts.pop(), texts.pop())))
    groups = {texts.pop(): Grouping(labels=labels, probe=sides[0], reference=sides[1])}
    written = [some_answers(chance, texts.pop, probe, reference, groups) for _ in range(3)]
    export(written, folder / "scores.csv")
    same(written, read_scores(folder / "scores.csv"))
    export(written, folder / "scores.parquet")
    same(written, read_scores(folder / "scores.parquet"))
    same(written, read_scores(to_frame(written)))
    assert sorted(file.name for file in folder.iterdir()) == ["scores.csv", "scores.parquet"]
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@", "\t", "\r")]
    numbers = [cell for cell in cells if cell[:1] == "-"]
    assert all(re.fullmatch(r"-[0-9.]+(e[-+]?[0-9]+)?", cell) for cell in numbers)


def test_answers_that_do_not_belong_together_are_not_written(tmp_path):
    def answers_of(name, mated, label="f"):
        zero = np.zeros(1, np.int64)
        groups = {"sex": Grouping(labels=(label,), probe=zero, reference=zero)}
        return Answers.of_scores(table_of(zero, zero + (not mated), [1], name=name, groups=groups))

    answers = answers_of("a", mated=True)
    for wrong in (
        *([answers, answers], [answers, answers_of("b", mated=False)]),
        [answers, answers_of("b", mated=True, label="m")],
    ):
        with pytest.raises(InvalidRequest):
            export(wrong, tmp_path / "scores.csv")
    assert [*tmp_path.iterdir()] == []


@pytest.fixture
def asked_study():
    """Answers of one system to four pairs, and the test set."""
    pairs = [
        StudyPair(
            probe=Path("faces", probe),
            reference=Path("faces", reference),
            mated=first == second,
            probe_subject=first,
            reference_subject=second,
        )
        for probe, reference, first, second in (
            *(("-a.jpg", "b.jpg", "Ada", "Ada"), ("-a.jpg", "c.jpg", "Ada", "=Cyd")),
            *(("d.jpg", "c.jpg", "Dan", "=Cyd"), ("b.jpg", "e.jpg", "Ada", "Ada")),
        )
    ]
    study = Study(name="doors", pairs=tuple(pairs))
    table = table_of(*study.subject_numbers, [20.0, 50.0, 70.0, np.nan], name="ours")
    return with_columns(Answers.of_scores(table), decisions=np.array([0, 1, 0, 3], np.int8)), study


def test_wrong_pairs_come_worst_first_with_their_pictures(asked_study):
    answers, study = asked_study
    wrong = wrong_pairs(answers, 50, study)
    assert [(pair.kind, pair.pair, pair.score) for pair in wrong] == [
        ("false match", 2, 70.0),
        ("false match", 1, 50.0),
        ("false non-match", 0, 20.0),
        ("failure to acquire", 3, None),
    ]
    assert (wrong[0].probe, wrong[0].reference) == ("faces/d.jpg", "faces/c.jpg")
    assert (wrong[0].probe_subject, wrong[0].reference_subject) == ("Dan", "=Cyd")
    assert (wrong[0].system, wrong[0].threshold) == ("ours", 50)
    assert [pair.pair for pair in wrong_pairs(answers, None)] == [1, 0, 3]
    assert wrong_pairs(answers, 50)[0].probe is None
    assert wrong_pairs(answers, 50)[0].probe_subject == "2"
    one_less = attrs.evolve(study, pairs=study.pairs[1:])
    for use in (lambda: wrong_pairs(answers, 50, one_less), lambda: to_frame([answers], one_less)):
        with pytest.raises(InvalidRequest):
            use()
    # A price needs its currency.
    with pytest.raises(InvalidRequest):
        attrs.evolve(answers, price=0.05)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_pictures_and_people_are_exported(asked_study, tmp_path, ending):
    answers, study = asked_study
    path = tmp_path / f"scores.{ending}"
    export([answers], path, study)
    (read,) = read_scores(path)
    assert np.array_equal(read.table.scores, answers.table.scores, equal_nan=True)
    wrong = [attrs.evolve(pair, threshold=50) for pair in wrong_pairs(answers, 50, study)]
    assert wrong_pairs(read, 50) == wrong
    again = tmp_path / f"again.{ending}"
    export([read], again)
    assert wrong_pairs(read_scores(again)[0], 50) == wrong
    export(wrong, path)
    frame = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    assert frame["kind"].tolist() == [pair.kind for pair in wrong]
    assert frame["score"].tolist()[:3] == [70.0, 50.0, 20.0]
    shown = "'=Cyd" if ending == "csv" else "=Cyd"
    assert frame["reference_subject"].tolist()[:2] == [shown, shown]


def test_a_file_is_replaced_when_the_new_one_is_whole(asked_study, tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    export([asked_study[0]], path)
    before = path.read_bytes()

    def broken(*words, **more):
        raise OSError("no space left")

    monkeypatch.setattr("pyarrow.csv.write_csv", broken)
    with pytest.raises(OSError, match="no space"):
        export([asked_study[0]], path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["scores.csv"]


@pytest.mark.parametrize(
    "text", ["5", "[5]", '{"a"', '{"a": [1, 2]}', "[]", '[{"label": 1}, 7]', "null\nnull"]
)
def test_what_is_no_json_of_records_is_refused(tmp_path, text):
    (tmp_path / "scores.json").write_text(text)
    with pytest.raises(InvalidRequest):
        read_scores(tmp_path / "scores.json")


@pytest.mark.parametrize("orient", ["columns", "records"])
def test_a_frame_in_json_is_read_as_pandas_writes_it(tmp_path, orient):
    frame = pd.DataFrame({"label": [1, 0, 1], "ours": [7.5, 2.5, 6.5], "person": ["A", "B", "C"]})
    frame.to_json(tmp_path / "scores.json", orient=orient)
    (answers,) = read_scores(tmp_path / "scores.json")
    assert answers.table.scores.tolist() == [7.5, 2.5, 6.5]
    assert answers.table.mated.tolist() == [True, False, True]


def test_pictures_with_a_label_and_no_header_are_not_taken_for_bobs_people(read):
    with pytest.raises(InvalidRequest, match="probe,reference,mated,score"):
        read("a1.jpg a2.jpg 1 0.9\nb1.jpg c2.jpg 0 0.2\n")


@pytest.mark.parametrize("name", ["face_distance", "distances", "euclidean distance"])
def test_less_is_more_alike_where_a_column_is_called_a_distance(read, name):
    (answers,) = read(f"y_true,person,{name}\n1,A,0.25\n0,B,0.5\n")
    assert answers.table.scores.tolist() == [-0.25, -0.5]


def test_distances_of_one_system_are_read_beside_the_scores_of_another(read):
    ours, theirs = read("label,person,ours,VGG-Face distance\n1,A,90,0.25\n0,B,10,0.5\n")
    assert ours.table.scores.tolist() == [90, 10]
    assert theirs.table.scores.tolist() == [-0.25, -0.5]


@pytest.mark.parametrize(("zeros", "noted"), [(30, True), (29, False)])
def test_a_score_that_most_others_have_may_be_a_mark(tmp_path, zeros, noted):
    """A threshold just above zeros for "nobody found above 80" lets everybody in."""
    scores = [*[0] * zeros, *range(20, 20 + 60 - zeros)]
    lines = [f"a{n},b{n},0,{score}" for n, score in enumerate(scores)]
    (tmp_path / "scores.csv").write_text(
        "\n".join(["image1,image2,label,ours", "c,d,1,90", *lines])
    )
    heard = []
    read_scores(tmp_path / "scores.csv", note=heard.append)
    assert (
        any(f"ours: {zeros} of 60 non-mated pairs have the score 0" in text for text in heard)
        is noted
    )


def test_words_of_another_for_a_decision_may_be_left_out(read):
    (line,) = refusal_lines(read, f"{HEAD},decision\na,1,1,A,A,9,ACCEPT\na,2,0,A,B,5,match\n")[1:]
    assert line.endswith("inconclusive, or ignore the column")


def test_what_may_be_a_thousand_or_a_fraction_is_left_to_who_knows(read):
    (line,) = refusal_lines(read, 'label,person,ours\n1,A,"9,345"\n0,B,"850"\n')[1:]
    assert "9.345 or 9345" in line


def test_where_nothing_can_name_people_pairs_may_be_independent(read):
    with pytest.raises(ColumnsNotRecognised) as caught:
        read("case,word,label,ours\n" + "".join(f"c{n},{n % 2},1,{n * n}\n" for n in range(20)))
    assert caught.value.columns == {}
    assert caught.value.independent_pairs


@pytest.mark.parametrize("head", ["Probe Subjects,Reference Subjects", "Probe Subjects,Customer"])
def test_nobody_is_named_beside_a_person_of_the_line(read, head):
    lines = [f"C{n},K{n},{n * n},{n % 2}" for n in range(20)]
    with pytest.raises(ColumnsNotRecognised) as caught:
        read("\n".join([f"{head},Similarity,label", *lines]))
    assert {*caught.value.columns} == {"probe_subject", "reference_subject"}


def test_what_is_proposed_can_be_done(read, tmp_path):
    lines = [f"C{n},K{n},{n * n},{n % 2}" for n in range(20)]
    with pytest.raises(ColumnsNotRecognised) as caught:
        read("\n".join(["Case ID,Customer,Similarity,label", *lines]))
    error = caught.value
    assert (error.columns, error.independent_pairs) == ({"person": "Customer"}, False)
    assert read_scores(tmp_path / "scores.csv", columns=error.columns, ignore=error.ignore)


def test_columns_of_two_flags_stay_what_they_are(read):
    (answers,) = read("person1,person2,genuine,score\nA,A,1,5\nA,B,0,3\n")
    assert answers.table.mated.tolist() == [True, False]
    with pytest.raises(ColumnsNotRecognised):
        read("genuine,impostor\n1,0\n0,1\n")
