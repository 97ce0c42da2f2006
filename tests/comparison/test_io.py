"""Scores are read whole or refused whole, from any table; what is written is read again."""

import csv
import itertools
import json
import os
import pathlib
import re

import attrs
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kit.comparison.tables import reads, refused
from pyarrow import parquet

from facematch_comparison import (
    ColumnsNotRecognised,
    evaluate,
    export,
    read_scores,
    to_frame,
    what_to_add,
    write_scores,
    wrong_pairs,
)
from facematch_comparison.answers import BILLED, DECISIONS, NOT_ASKED, Answers, Grouping, ScoreTable
from facematch_comparison.study import Study, StudyPair
from facematch_core import Charged, Environment, InvalidRequest, ThresholdRule

HEAD = "contender,pair,same,probe_subject,reference_subject,score"
ARRAYS = ("mated", "decisions", "acquired", "answered")


@pytest.fixture
def read(tmp_path):
    """Reads text as a file of scores."""
    return reads(tmp_path / "scores.csv", read_scores)


def refusals(read, text):
    """The lines in which faults of a text are told."""
    return refused(read, text)[1:]


def test_the_smallest_file(read):
    """Scores alone are enough; who is not acquired has none."""
    (one,) = read(f"{HEAD}\ndidit,a,1,Ada,Ada,97.5\ndidit,b,0,Ada,Bob,\n")
    table = one.table
    assert (table.name, table.rule, table.threshold) == ("didit", ThresholdRule.AT_LEAST, None)
    assert table.scores.tolist()[0] == 97.5
    assert np.isnan(table.scores[1])
    assert table.mated.tolist() == [True, False]
    assert table.acquired.tolist() == [True, False]
    assert table.answered.tolist() == [True, True]
    assert table.decisions.tolist() == [-1, -1]
    assert table.probe_subjects.tolist() == [0, 0]
    assert table.reference_subjects.tolist() == [0, 1]
    assert one.environment is None
    assert one.not_answered == {}
    assert np.isnan(one.elapsed_s).all()


def test_everything_that_can_be_told(read):
    """Every column is read; constants may stand on one line of a contender."""
    (one,) = read(
        "\ufeffcontender, pair,same,probe_subject,reference_subject,score,decision,acquired,error,"
        "elapsed_s,billed,rule,threshold,scale,price,currency,backend,model,environment,privacy,"
        "note\n"
        "a,1,yes,7,7, 50 ,MATCH,,,0.5,,,,,,,,,,,x\n"
        "\n"
        "a,2,no,7,12,,inconclusive,,,0.25,,Above,30,didit/face-match,0.05,USD,didit,v3,mock,None.,\n"
        "a,3,no,12,7,,,,Timeout,,unknown,,,,,,,,,,\n"
        "a,4,no,7,3,,no_match,0,,,no,,,,,,,,,,\n"
    )
    table = one.table
    assert (table.rule, table.threshold) == (ThresholdRule.ABOVE, 30.0)
    assert [DECISIONS[at] if at >= 0 else None for at in table.decisions] == [
        "match",
        "inconclusive",
        None,
        "no_match",
    ]
    assert table.acquired.tolist() == [True, False, False, False]
    assert table.answered.tolist() == [True, True, False, True]
    # People are numbered from 0 as their own numbers rise: 3, 7, 12.
    assert table.probe_subjects.tolist() == [1, 1, 2, 1]
    assert table.reference_subjects.tolist() == [1, 2, 1, 0]
    assert one.names.subjects == {0: "3", 1: "7", 2: "12"}
    assert one.not_answered == {"Timeout": 1}
    assert one.elapsed_s[:2].tolist() == [0.5, 0.25]
    assert [BILLED[at] for at in one.billed] == [
        Charged.YES,
        Charged.YES,
        Charged.UNKNOWN,
        Charged.NO,
    ]
    assert attrs.asdict(one, filter=lambda a, v: isinstance(v, (str, float))) == {
        "backend": "didit",
        "model": "v3",
        "environment": Environment.MOCK,
        "price": 0.05,
        "currency": "USD",
        "privacy": "None.",
    }


def test_decisions_alone(read):
    """Who decides saw two faces, unless it is inconclusive or said otherwise."""
    head = HEAD.replace("score", "decision")
    (one,) = read(
        f"{head},acquired\na,1,1,A,A,match,\na,2,0,A,B,no_match,\na,3,1,B,B,inconclusive,\n"
        "a,4,1,C,C,review,\na,5,1,D,D,,\na,6,1,D,D,no_match,no\na,7,1,D,D,,yes\n"
    )
    assert one.table.acquired.tolist() == [True, True, False, True, False, False, True]
    assert np.isnan(one.table.scores).all()


def test_pairs_of_contenders_stand_in_one_order(read):
    """That in which the first lines of the pairs stand, whatever the order of the others."""
    first, second = read(
        f"{HEAD}\na,x,1,A,A,1\nb,y,0,A,B,22\na,y,0,A,B,2\nb,z,0,B,A,33\nb,x,1,A,A,11\na,z,0,B,A,3\n"
    )
    assert first.table.scores.tolist() == [1, 2, 3]
    assert second.table.scores.tolist() == [11, 22, 33]


def test_groups_are_of_people(read):
    """Told on one line, a group holds on all; unknown is unknown."""
    (one,) = read(
        f"{HEAD},group_sex,probe_group_skin,reference_group_skin\n"
        "a,1,1,A,A,1,f,,\na,2,0,A,B,1,f,dark,light\na,3,0,C,B,1,,,\n"
    )
    sex, skin = one.table.groups["sex"], one.table.groups["skin"]
    assert (sex.labels, skin.labels) == (("f",), ("dark", "light"))
    assert (sex.probe.tolist(), sex.reference.tolist()) == ([0, 0, -1], [0, 0, 0])
    assert (skin.probe.tolist(), skin.reference.tolist()) == ([0, 0, -1], [0, 1, 1])


def places(read, text):
    """Line and first words of each fault of a text, in order."""
    return re.findall(r"line (\d+): (?:the )?([a-z_]+ ?[a-z_]*)", "\n".join(refusals(read, text)))


def test_every_fault_with_its_line(read):
    """All of them at once, in the order of the lines."""
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
        *(("7", "currency is"), ("7", "there is"), ("9", "score is"), ("9", "pair is")),
    ]


def test_faults_between_lines(read):
    """Pairs twice, missing or of other people, two groups, two rules, half a price."""
    assert places(
        read,
        f"{HEAD},group_sex,rule,price\n"
        "a,1,1,A,A,1,f,above,\n"
        "a,1,1,A,A,2,f,at_least,\n"
        "a,2,0,A,B,2,m,,\n"
        "b,1,1,C,C,1,,,3\n",
    ) == [("3", "pair "), ("3", "rule of"), ("4", "pair "), ("5", "pair ")]
    lines = refusals(read, f"{HEAD},group_sex,price\na,1,1,A,A,1,f,\na,2,0,A,B,2,m,3\n")
    assert [line.split(":")[0].strip() for line in lines] == ["line 3", "line 3"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "has no comparison: its first line names image1,image2,label,vendor_a,vendor_b or"),
        (f"{HEAD}\n\n", "has no comparison: its first line names"),
        (b"\xff\xfe", "is not UTF-8 text: save it as CSV in UTF-8"),
        (f'{HEAD}\n"a', "is no CSV: unexpected end of data"),
        (f'{HEAD},note\na,1,1,A,A,5,"open', "is no CSV: unexpected end of data"),
        (f"{HEAD.removesuffix(',score')}\na,1,1,A,A", "there is neither a column score nor"),
        (f"{HEAD},score\na,1,1,A,A,1,2", "line 1: the column 'score' is there twice"),
        ("image1|image2|label|ours\na|b|1|2\n", "the header is one column"),
    ],
)
def test_what_is_no_such_file(read, text, told):
    """One sentence tells what is wrong with the whole of it."""
    assert told in "\n".join(refused(read, text))


def test_a_column_of_contenders_that_is_none(read):
    """More than a hundred are a mistake, and told before anything is compared."""
    lines = "\n".join(f"{n},{n},1,A,A,1" for n in range(101))
    assert refusals(read, f"{HEAD}\n{lines}") == [
        "  line 1: there are 101 systems, and at most 100 can be compared"
    ]


def test_a_long_file_of_faults_is_counted(read):
    """The first fifty problems are listed; of one problem, the first ten lines."""
    lines = "\n".join(f"a,{n},1,A,A,{n if n < 2500 else f'x{n}'}" for n in range(3000))
    told = refusals(read, f"{HEAD}\n{lines}")
    assert (len(told), told[-1]) == (51, "  ... and 450 more")
    lines = "\n".join(f"a,{n},1,A,A,{n if n < 2500 else 'x'}" for n in range(3000))
    (told,) = refusals(read, f"{HEAD}\n{lines}")
    assert re.match("  lines 2502, 2503, .* 2511 and 490 more: score is 'x'", told)


def test_a_problem_that_all_lines_share_is_said_once(read):
    """With the values that are allowed."""
    lines = "\n".join(f"a,{n},1,A,A,5,prod" for n in range(6000))
    assert refusals(read, f"{HEAD},environment\n{lines}") == [
        "  all 6,000 lines: environment is 'prod'; write production, sandbox, mock or local"
    ]
    assert what_to_add(("backend", "environment")) == (
        "add the columns backend (of the verifier that shall use it, for example didit) and "
        "environment (production, sandbox, mock or local), filled on one line of each system "
        "at least"
    )


# Columns


@pytest.mark.parametrize(
    ("column", "near"),
    [
        # Skipped, these turned 120 time-outs into failures to acquire, and the rule into another.
        *(("eror", "error"), ("rules", "rule"), ("elapsed", "elapsed_s")),
        *(("grup_sex", "group_sex"), ("kilograms", None), ("Bild A", None), ("latency_ms", None)),
    ],
)
def test_a_column_that_nobody_knows(read, tmp_path, column, near):
    """An error, with the nearest name; it can be skipped by its name."""
    with pytest.raises(ColumnsNotRecognised) as caught:
        read(f"{HEAD},{column}\na,1,1,A,A,,1\na,2,0,A,B,5,2\n")
    assert repr(column) in caught.value.what
    assert re.findall(r"did you mean (\w+)", caught.value.what) == [near] * (near is not None)
    (answers,) = read_scores(tmp_path / "scores.csv", ignore=[column])
    assert answers.not_answered == {}


@pytest.mark.parametrize("separator", [";", "\t"])
def test_decimal_commas(read, separator):
    """Are read where columns have another separator, and are an error elsewhere."""
    text = "image1;image2;label;ours;theirs;threshold;price;currency\n"
    text += "a;b;1;84,71;3;50,5;0,05;EUR\na;c;0;12;,5;;;\n"
    one, two = read(text.replace(";", separator))
    assert (one.table.scores.tolist(), two.table.scores.tolist()) == ([84.71, 12.0], [3.0, 0.5])
    assert (one.table.threshold, one.price) == (50.5, 0.05)
    (both,) = refusals(read, "image1;image2;label;ours\na;b;1;5.5\nc;d;1;97,5\n")
    assert both.startswith("  line 3: ours is '97,5'; write 97.5")
    (several,) = refusals(read, 'image1,image2,label,ours\na,b,1,"78,9"\na,c,0,"12,5"\n')
    assert several.startswith("  lines 2 and 3: ours is '78,9'; write 78.9, or ")


def test_a_pair_twice_in_a_wide_table(read):
    """One problem for each line, however many systems it is of."""
    text = "image1,image2,label,ours,theirs\na,b,1,78,3\na,c,0,12,4\na,b,1,78,3\n"
    assert refusals(read, text) == [
        "  line 4: the pair 'a' and 'b' appears twice: it is in line 2; keep one of the two lines"
    ]


def test_the_usual_wide_table(read):
    """Two pictures, a label and a column for each vendor need no other name."""
    first, second = read(
        "image1,image2,label,vendor_a,vendor_b\n"
        "a1.jpg,a2.jpg,1,0.97,88.1\na2.jpg,b1.jpg,0,0.12,\na1.jpg,b2.jpg,no,0.2,7e0\n"
    )
    assert [one.name for one in (first, second)] == ["vendor_a", "vendor_b"]
    # As they are: 0-1 stays 0-1.
    assert first.table.scores.tolist() == [0.97, 0.12, 0.2]
    assert second.table.scores.tolist()[::2] == [88.1, 7.0]
    assert second.table.acquired.tolist() == [True, False, True]
    assert second.table.answered.all()
    assert first.table.mated.tolist() == [True, False, False]
    # a1 and a2 are one person, by the first line; b1 and b2 may be one, and nobody says so.
    assert first.table.probe_subjects.tolist() == [0, 0, 0]
    assert len({*first.table.reference_subjects.tolist()}) == 3
    assert not first.people_known


@pytest.mark.parametrize(
    ("head", "line", "name"),
    [
        ("Image 1,Image 2,Is Same,ours", "a,b,Yes,90.5", "ours"),
        ("img_a;img_b;genuine;ours", "a;b;TRUE;90.5", "ours"),
        ("probe\treference\tmated\tours", "a\tb\tmated\t90.5", "ours"),
        ("file1,file2,match,ours", "a,b,match,90.5", "ours"),
        ("photo1,photo2,ground-truth,ours", "a,b,genuine,90.5", "ours"),
        ("image_1,image_2,same_person,Similarity", "a,b,y,90.5", "scores"),
        ("image1,image2,LABEL,confidence", "a,b,1.0,90.5", "scores"),
        ("vendor,img1,img2,label,similarity", "x,a,b,1,90.5", "x"),
        ("algorithm,pair_id,label,subject1,subject2,score", "x,7,1,A,A,90.5", "x"),
        ("id,match,person_a,person_b,score_ours", "7,t,A,A,90.5", "score_ours"),
        ("probe_subject,reference_subject,ours", "A,A,90.5", "ours"),
        (",image1,image2,label,ours", "0,a,b,same,90.5", "ours"),
        ("image1,image2,label,model_a", "a,b,same,90.5", "model_a"),
        ("image1,image2,label,trust id", "a,b,same,90.5", "trust id"),
        ("backend,pair,same,probe_subject,reference_subject,score", "x,7,1,A,A,90.5", "x"),
        (
            "contender,backend,pair,same,probe_subject,reference_subject,score",
            "x,y,7,1,A,A,90.5",
            "x",
        ),
    ],
)
def test_names_that_are_certain(read, head, line, name):
    """In any case, with any separator, in any of the usual words."""
    (one,) = read(f"{head}\n{line}\n")
    assert (one.name, one.table.mated.tolist(), one.table.scores.tolist()) == (name, [True], [90.5])


@pytest.mark.parametrize(
    ("head", "named"),
    [
        ("image1,image2,ours", "mated"),
        ("label,ours", "probe_subject"),
        ("image1,label,ours", "reference"),
        ("image1,image2,label", "score"),
        ("image1,image2,label,distance", "less is more alike"),
        ("image1,image2,label,ours,age", "age"),
        ("image1,image2,label,ours,price2x", "price"),
        ("image1,image2,label,similarity,confidence", "similarity' and 'confidence"),
        ("image1,image2,label,match,ours", "label' and 'match"),
        ("image1,image2,label,mated,score", "label"),
        ("image1,image2,label,ours,elapsed_s", "elapsed_s"),
        ("image1,image2,label,ours,", "no name"),
    ],
)
def test_names_that_are_not_certain(read, head, named):
    """What is missing or doubtful is asked for."""
    cells = ",".join("5" if name != "label" else "1" for name in head.split(","))
    with pytest.raises(ColumnsNotRecognised, match=named):
        read(f"{head}\n{cells}\n")


def test_a_column_of_words_is_no_system(read):
    """But a few words among numbers are wrong scores."""
    with pytest.raises(ColumnsNotRecognised, match="city"):
        read("image1,image2,label,ours,city\na,b,1,5,Pune\nc,d,1,6,Goa\n")
    (told,) = refusals(read, "image1,image2,label,ours\na,b,1,5\nc,d,1,n/a\n")
    assert told.startswith("  line 3: ours is 'n/a'")


def test_columns_that_are_named(tmp_path):
    """What is called otherwise is said; nothing is guessed of it then."""
    path = tmp_path / "scores.csv"
    path.write_text("left,right,verdict,age,hash,similarity,confidence\na,b,1,60,x,5,6\n")
    columns = {"probe": "left", "reference": "right", "mated": "verdict"}
    answers = read_scores(
        path, columns=columns, systems=["age", "similarity", "confidence"], ignore=["hash"]
    )
    assert [one.name for one in answers] == ["age", "similarity", "confidence"]
    assert [one.table.scores.tolist() for one in answers] == [[60.0], [5.0], [6.0]]
    for wrong, told in (
        ({"columns": {"prob": "left"}}, "cannot set 'prob'; did you mean probe?"),
        ({"columns": {"probe": "lef"}}, "there is no column 'lef'; did you mean left?"),
        ({"systems": ["agge"]}, "there is no column 'agge'; did you mean age?"),
    ):
        with pytest.raises(InvalidRequest) as caught:
            read_scores(path, **wrong)
        assert told in str(caught.value)


@pytest.mark.parametrize("column", ["acquired", "error"])
def test_a_wide_line_has_no_answer_of_everybody(tmp_path, column):
    """What is of one answer is refused beside columns of systems, unless it is passed by."""
    path = tmp_path / "scores.csv"
    path.write_text(f"image1,image2,label,ours,theirs,{column}\na,b,1,5,6,\n")
    systems = ["ours", "theirs"]
    with pytest.raises(InvalidRequest, match=f"the column '{column}' says something of one answer"):
        read_scores(path, systems=systems)
    assert len(read_scores(path, systems=systems, ignore=[column])) == 2


# A guess where columns are not recognised


A, B, D = "Selfie,Passport photo,Same person?", "image1,image2,same_guy", "Bild A;Bild B;Gleich"
SIDES = {"probe": "Selfie", "reference": "Passport photo"}
REVERSED = ("impostor", "is_fraud", "different", "mismatch", "not_same")


@pytest.mark.parametrize(
    ("text", "guess", "scores"),
    [
        (
            (
                f"{A},Vendor A score,Vendor B score,country\ns1.jpg,p1.jpg,yes,84.7,0.9,DE\n"
                "s2.jpg,p2.jpg,yes,64,0.8,FR\ns3.jpg,p4.jpg,no,12,0.1,FR\ns5.jpg,p6.jpg,no,9,0.2,DE\n"
            ),
            ({**SIDES, "mated": "Same person?", "group_country": "country"}, ()),
            {"Vendor A score": [84.7, 64, 12, 9], "Vendor B score": [0.9, 0.8, 0.1, 0.2]},
        ),
        (  # a country of the pair is none of its people
            f"{A},ours,country\ns1,p1,Y,84.7,DE\ns2,p2,Y,64,FR\ns1,p2,N,12,FR\ns2,p1,N,9,DE\n",
            ({**SIDES, "mated": "Same person?"}, ("country",)),
            {"ours": [84.7, 64, 12, 9]},
        ),
        (
            f"{B},ours,theirs\na1,a2,1,81,0.9\nb1,b2,1,80,0.8\na1,b1,0,10,0.1\n",
            ({"mated": "same_guy"}, ()),
            {"ours": [81, 80, 10], "theirs": [0.9, 0.8, 0.1]},
        ),
        (
            (
                "case_no,vendor,Selfie,Passport photo,Same?,score,ms\n1,x,a.png,b.png,1,90,120\n"
                "2,x,a.png,c.png,0,9,99\n1,y,a.png,b.png,1,80,220\n2,y,a.png,c.png,0,8,199\n"
            ),
            ({**SIDES, "mated": "Same?", "pair": "case_no"}, ("ms",)),
            {"x": [90, 9], "y": [80, 8]},
        ),
        (
            f"{D};unsere;andere\na1;a2;ja;84,71;0,91\na1;b1;nein;4,71;0,11\n",
            ({"probe": "Bild A", "reference": "Bild B", "mated": "Gleich"}, ()),
            {"unsere": [84.71, 4.71], "andere": [0.91, 0.11]},
        ),
        (
            "image1,image2,lable,ours,price_b,age\na,b,1,81,5,30\na,c,0,8,5,31\n",
            ({"mated": "lable"}, ("price_b", "age")),
            {"ours": [81, 8]},
        ),
        (
            "person x,person y,ours,latency_ms\nanna,anna,81,5\nanna,bert,8,6\n",
            ({"probe_subject": "person x", "reference_subject": "person y"}, ("latency_ms",)),
            {"ours": [81, 8]},
        ),
        (
            "image1,image2,label,match,ours\na,b,1,no,81\na,c,0,no,8\n",
            ({"mated": "label"}, ("match",)),
            {"ours": [81, 8]},
        ),
        (  # each word of a column has the same pairs: skipped, two systems would be one
            (
                "tool,case,left,right,score\nx,7,anna,anna,90\nx,9,anna,bert,9\ny,7,anna,anna,80\n"
                "y,9,anna,bert,8\n"
            ),
            (
                {"system": "tool", "pair": "case"}
                | {"probe_subject": "left", "reference_subject": "right"},
                (),
            ),
            {"x": [90, 9], "y": [80, 8]},
        ),
        (
            (
                "Anbieter;Paar;Links;Rechts;Punkte\nx;7;anna;anna;9,5\nx;9;anna;bert;1,5\n"
                "y;7;anna;anna;8,5\ny;9;anna;bert;1,25\n"
            ),
            (
                {"system": "Anbieter", "pair": "Paar", "score": "Punkte"}
                | {"probe_subject": "Links", "reference_subject": "Rechts"},
                (),
            ),
            {"x": [9.5, 1.5], "y": [8.5, 1.25]},
        ),
        (
            "image1,image2,run,label,score\na,b,1,1,90\na,c,1,0,9\na,b,2,1,80\na,c,2,0,8\n",
            ({"system": "run"}, ()),
            {"1": [90, 9], "2": [80, 8]},
        ),
        (  # numbers of people, not scores of two systems
            "image1,image2,label,ours,left,right\n"
            + "".join(f"{n}a,{n}b,{int(n < 6)},{n % 5},{n},{n + n // 6}\n" for n in range(12)),
            ({"probe_subject": "left", "reference_subject": "right"}, ()),
            {"ours": [n % 5 for n in range(12)]},
        ),
        (  # what contradicts the names of people is no label
            "person1,person2,accepted,ours\nanna,anna,no,81\nanna,bert,yes,8\nanna,carl,no,5\n",
            ({}, ("accepted",)),
            {"ours": [81, 8, 5]},
        ),
        (  # nor is a column the label before the people are known, or a person the pair
            "masked,idA,idB,image1,image2,ours\nno,ann,ann,a,b,9\nyes,ann,bob,c,d,8\nyes,eve,bob,e,f,2\n",
            ({"probe_subject": "idA", "reference_subject": "idB"}, ("masked",)),
            {"ours": [9, 8, 2]},
        ),
        (
            "image1,image2,label,masked,ours\n"
            + "".join(f"{n}a,{n}b,{int(n < 6)},{n % 2},{n % 5}\n" for n in range(12)),
            ({}, ("masked",)),
            {"ours": [n % 5 for n in range(12)]},
        ),
        (
            "query,target,same?,ours\n"
            + "".join(f"{n}.jpg,{n}b.jpg,{'ny'[n < 6]},{9 - n}\n" for n in range(12)),
            ({"mated": "same?", "probe": "query", "reference": "target"}, ()),
            {"ours": [9.0 - n for n in range(12)]},
        ),
        (
            f"{B},ours,\N{GRINNING FACE}\na,b,1,81,x\nc,d,0,8,y\ne,f,0,8,y\ng,h,0,8,y\n",
            ({"mated": "same_guy", "group_group": "\N{GRINNING FACE}"}, ()),
            {"ours": [81, 8, 8, 8]},
        ),
        (
            "".join(
                f"{line}\n"
                for line in (
                    "lfd,image1,image2,label,ours",
                    *(f"{30 - n},{n}.jpg,{n}b.jpg,{int(n < 6)},{90 - n * n}" for n in range(20)),
                )
            ),
            ({}, ("lfd",)),
            {"ours": [90.0 - n * n for n in range(20)]},
        ),
    ],
)
def test_a_guess_that_can_be_read(read, tmp_path, text, guess, scores):
    """From names and values; nothing is judged by it until somebody says so."""
    with pytest.raises(ColumnsNotRecognised) as caught:
        read(text)
    assert (caught.value.columns, caught.value.ignore) == guess
    assert str(caught.value).startswith(caught.value.what)
    assert "--" not in str(caught.value)
    answers = read_scores(tmp_path / "scores.csv", columns=guess[0], ignore=guess[1])
    assert {one.name: one.table.scores.tolist() for one in answers} == scores


@pytest.mark.parametrize("head", ["image1,image2,ours", "image1,label,ours", "a,b,l2", "x,y,"])
def test_no_guess(read, head):
    """Where nothing says what is missing, or a column is a distance or has no name."""
    with pytest.raises(ColumnsNotRecognised) as caught:
        read(f"{head}\n5,1,7\n6,2,9\n")
    assert (caught.value.columns, caught.value.ignore) == ({}, ())


@pytest.mark.parametrize(
    ("text", "named"),
    [
        # The reverse of a label: guessed to be one, it exchanged mated and non-mated pairs.
        *((f"image1,image2,{name},ours\na,b,0,9\na,c,1,2\n", name) for name in REVERSED),
        # Skipped, the scores of a system would be lost.
        ("image1,image2,label,a,b\nx,y,1,81.5 %,9\nx,z,0,8 %,2\n", "81.5 %"),
        ("image1;image2;label;a;b\nx;y;1;1.081,5;9\nx;z;0;1.008,1;2\n", "1.081,5"),
        # Countries of two people are neither pictures nor, without a label, people.
        ("label,ours,land1,land2\n1,9,DE,DE\n0,2,DE,FR\n0,3,FR,FR\n", "land1"),
        ("image1,image2,ours,land1,land2\n" + "a,b,9,DE,DE\nc,d,8,DE,FR\n" * 16, "land1"),
        # It may be a system that was not asked all pairs.
        ("tool,person1,person2,score\nx,anna,anna,9\nx,anna,bert,2\ny,anna,anna,8\n", "tool"),
    ],
)
def test_no_guess_that_would_mislead(read, text, named):
    """The column is named instead."""
    with pytest.raises(ColumnsNotRecognised, match=named) as caught:
        read(text)
    assert (caught.value.columns, caught.value.ignore) == ({}, ())


def test_one_column_is_one_thing(read):
    """Two things of one column made all pairs those of one person."""
    frame = pd.DataFrame({"a": ["x", "y"], "b": ["z", "z"], "label": [1, 0], "ours": [5.0, 1.0]})
    with pytest.raises(InvalidRequest, match="two things"):
        read_scores(frame, columns={"mated": "label", "probe": "label", "reference": "b"})


def test_more_columns_than_anybody_needs():
    """Are refused at once: to guess what ten thousand are took minutes."""
    frame = pd.DataFrame([["x"] * 1001], columns=[f"c{n}" for n in range(1001)])
    with pytest.raises(InvalidRequest, match="1,001 columns"):
        read_scores(frame)


def test_tables_of_other_kinds():
    """A record batch is read; a Series, an array, and a column that is there twice are refused."""
    table = pa.table({"image1": ["a"], "image2": ["b"], "label": [1], "ours": [5.0]})
    (one,) = read_scores(table.to_batches()[0])
    assert one.table.scores.tolist() == [5]
    for wrong in (table["ours"], pd.Series([5.0]), table.append_column("ours", table["ours"])):
        with pytest.raises(InvalidRequest):
            read_scores(wrong)
    unnamed = table.to_pandas().set_axis(["image1", "image2", "label", None], axis=1)
    with pytest.raises(ColumnsNotRecognised, match="no name"):
        read_scores(unnamed)


def test_every_column_can_be_named():
    """Groups, too, and by other names than ours; another key is refused with the nearest."""
    frame = pd.DataFrame({"l": ["a", "a"], "r": ["b", "c"], "is": [1, 0], "x": ["f", "f"]})
    frame = frame.assign(y=["f", "m"], ours=[5.0, 1.0])
    columns = {"image1": "l", "img_b": "r", "Label": "is"}
    columns |= {"probe_group_sex": "x", "reference_group_sex": "y"}
    (one,) = read_scores(frame, columns=columns)
    sex = one.table.groups["sex"]
    assert (sex.probe.tolist(), sex.reference.tolist()) == ([0, 0], [0, 1])
    for key, near in (("lable", "label"), ("grup_sex", "group_sex"), ("imgae1", "image_1")):
        with pytest.raises(InvalidRequest, match=f"cannot set '{key}'; did you mean {near}"):
            read_scores(frame, columns={key: "l"})


# Files


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_file_that_is_too_large(tmp_path, monkeypatch, ending):
    """Is refused by its size, before it is read, unless the limit is raised."""
    path = tmp_path / f"scores.{ending}"
    frame = pd.DataFrame({"image1": "a", "image2": range(50), "label": 0, "ours": 5.0})
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


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_what_is_no_file(tmp_path, ending):
    """A pipe is not waited for, a device not read without an end."""
    pipe, folder, text = (tmp_path / f"{name}.{ending}" for name in ("pipe", "folder", "text"))
    folder.mkdir()
    os.mkfifo(pipe)
    text.write_text("image1,image2")
    for source, reason in (
        *((pipe, "regular file"), ("/dev/zero", "regular file"), (folder, "directory")),
        *((tmp_path / f"none.{ending}", "No such file"), (5, "This int is no table")),
        *((text, "no comparison|no Parquet file"), (pd.DataFrame(), "frame has no comparison")),
    ):
        with pytest.raises(InvalidRequest, match=reason):
            read_scores(source)


# People


def test_pictures_that_mated_pairs_join_are_one_person(read):
    """Over any number of steps; a non-mated pair of such two is a contradiction."""
    head = "image1,image2,label,ours\n"
    (one,) = read(f"{head}a,b,1,5\nc,b,1,5\nd,e,0,5\na,d,0,5\n")
    probe, reference = one.table.probe_subjects, one.table.reference_subjects
    assert probe[0] == reference[0] == probe[1] == reference[1] == probe[3]
    assert len({int(probe[0]), int(probe[2]), int(reference[2])}) == 3
    assert refusals(read, f"{head}a,b,1,5\nc,b,1,5\na,c,0,5\n") == [
        "  line 4: the pair is said to be non-mated, and mated pairs make 'a' and 'c' one person"
    ]


def test_people_who_are_named_are_known(read):
    """Whatever their pictures are; who is called alike is one person."""
    (one,) = read(
        "image1,image2,person1,person2,label,ours\na,b,A,A,1,5\nc,d,A,B,0,5\nc,a,A,A,1,7\n"
    )
    assert one.people_known
    assert one.table.probe_subjects.tolist() == [0, 0, 0]
    assert one.names.subjects == {0: "A", 1: "B"}


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_high_numbers_are_names(read, tmp_path, ending):
    """They cost no memory, give the results of any other name, and are written as they were."""
    ids = [str(10**17 + 7919 * n) for n in range(30)]
    chance = np.random.default_rng(0)
    lines = [f"a,m{n},1,{one},{one},{60 + 20 * chance.random()}" for n, one in enumerate(ids * 3)]
    lines += [
        f"a,n{n},0,{one},{other},{75 * chance.random()}"
        for n, (one, other) in enumerate(itertools.combinations(ids, 2))
    ]
    text = "\n".join([HEAD, *lines])
    (high,) = read(text)
    (words,) = read(re.sub(r"(1000\d{14})", r"p\1", text))
    one, other = (json.dumps(evaluate([each]).to_dict()["systems"]) for each in (high, words))
    assert one == re.sub(r"p(1000\d{14})", r"\1", other)
    path = tmp_path / f"again.{ending}"
    export([high], path)
    frame = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    assert frame["probe_subject"].dtype == np.int64
    assert sorted(map(str, frame["probe_subject"].unique())) == sorted(ids)
    same([high], read_scores(path))


def test_pairs_of_pictures_need_no_other_name(read):
    """In a long table of several systems; twice is once too often."""
    head = "system,image1,image2,label,score\n"
    first, second = read(f"{head}x,a,b,1,5\nx,a,c,0,6\ny,a,c,0,7\ny,a,b,1,8\n")
    assert first.table.scores.tolist() == [5, 6]
    assert second.table.scores.tolist() == [8, 7]
    (twice,) = refusals(read, f"{head}x,a,b,1,5\nx,a,b,1,6\n")
    assert twice == (
        "  line 3: the pair 'a' and 'b' of 'x' appears twice: it is in line 2; keep one of the two "
        "lines"
    )
    (told,) = refusals(read, "system,label,person1,person2,score\nx,1,A,A,5\ny,1,A,A,5\n")
    assert "the column pair is missing: several systems" in told


# Models


def test_two_models_are_two_systems(read):
    """Each answered some pairs and was not asked about the others; a time-out is of the first."""
    first, second = read(
        f"{HEAD},model,error\na,1,1,A,A,5,v1,\na,2,0,A,B,6,v2,\na,3,1,B,B,,,Timeout\n"
        "a,4,1,C,C,7,v2,\n"
    )
    assert [one.name for one in (first, second)] == ["a (model v1)", "a (model v2)"]
    assert [one.model for one in (first, second)] == ["v1", "v2"]
    assert first.table.answered.tolist() == [True, False, False, False]
    assert second.table.answered.tolist() == [False, True, False, True]
    assert first.not_answered == {"Timeout": 1, NOT_ASKED: 2}
    assert second.not_answered == {NOT_ASKED: 2}
    assert (first.other_models, second.other_models) == ({"v2": 2}, {"v1": 1})
    assert np.array_equal(first.table.scores, [5, np.nan, np.nan, np.nan], equal_nan=True)


def test_a_call_without_an_answer_is_charged_once(read):
    """To the first model: nobody knows which one it would have been."""
    answers = read(
        f"{HEAD},model,error,billed,price,currency\na,1,1,A,A,9,v1,,,1,EUR\na,2,0,A,B,6,v1,,,,\n"
        "a,3,1,B,B,9,v2,,,,\na,4,0,A,C,8,v2,,,,\n"
        "a,5,1,C,C,,,Timeout,unknown,,\na,6,1,D,D,,,Timeout,unknown,,\n"
    )
    assert [one.service.cost for one in evaluate(answers).systems] == [4.0, 2.0]


def test_what_is_said_of_a_system_is_said_of_its_models(read):
    """On any line of it; two things are a contradiction, whichever models they stand beside."""
    head = f"{HEAD},model,environment,rule,price,currency,privacy\n"
    first, second = read(
        f"{head}a,1,1,A,A,5,v1,mock,above,1,EUR,\na,2,0,A,B,6,v2,,,,,None.\nb,1,1,A,A,5,,,,,,\n"
        "b,2,0,A,B,6,,,,,,\n"
    )[:2]
    for one in (first, second):
        assert (one.environment, one.table.rule) == (Environment.MOCK, ThresholdRule.ABOVE)
        assert (one.price, one.currency, one.privacy) == (1.0, "EUR", "None.")
    assert refusals(read, f"{head}a,1,1,A,A,5,v1,mock,,1,,\na,2,0,A,B,6,v2,production,,,,\n") == [
        "  line 2: 'a' has a price or a currency, and needs both",
        "  line 3: environment of 'a' is 'production', and 'mock' in line 2",
    ]


def test_two_models_on_the_same_pairs(read):
    """Old and new side by side."""
    first, second = read(
        f"{HEAD},model\na,1,1,A,A,5,v1\na,1,1,A,A,6,v2\na,2,0,A,B,3,v1\na,2,0,A,B,4,v2\n"
    )
    assert first.table.scores.tolist() == [5, 3]
    assert second.table.scores.tolist() == [6, 4]


def test_an_answer_of_nobody_knows_which_model(read):
    """Is refused; one model on any line is that of all."""
    text = f"{HEAD},model\na,1,1,A,A,5,v1\na,2,0,A,B,6,\n"
    assert read(text)[0].model == "v1"
    (told,) = refusals(read, f"{text}a,3,1,A,A,7,v2\n")
    assert told == (
        "  line 3: 'a' answered, and model is empty: other lines name 'v1' and 'v2', so each has to"
    )


# Frames and Parquet


def test_frames_and_parquet(tmp_path):
    """Numbers, flags and names as they come; missing is missing."""
    frame = pd.DataFrame(
        {
            "image1": ["a", "b", pathlib.Path("c")],
            "image2": ["b", "c", "d"],
            "label": [True, False, False],
            "ours": [0.1 + 0.2, None, 97],
            "theirs": pd.array([1, None, 3], "Int64"),
        },
        index=[5, 6, 7],
    )
    table = pa.table({name: pa.array(map(str, frame[name])) for name in ("image1", "image2")})
    for name in ("label", "ours", "theirs"):
        table = table.append_column(name, pa.array(frame[name]))
    path = tmp_path / "x.parquet"
    parquet.write_table(table, path)
    for source in (frame, table, path):
        first, second = read_scores(source)
        assert first.table.scores[[0, 2]].tolist() == [0.1 + 0.2, 97.0]
        assert second.table.scores[[0, 2]].tolist() == [1.0, 3.0]
        assert (
            first.table.acquired.tolist() == second.table.acquired.tolist() == [True, False, True]
        )
        assert first.names.pictures == ("a", "b", "c", "d")


def test_the_index_that_pandas_writes(tmp_path):
    """A frame that was put together keeps its old numbers of rows in the file."""
    frame = pd.DataFrame({"pair": [0, 1], "mated": [True, False], "score": [90.0, 10.0]})
    frame["probe_subject"], frame["reference_subject"] = ["a", "b"], ["a", "c"]
    frame.index = [5, 9]
    frame.to_parquet(tmp_path / "scores.parquet")
    (one,) = read_scores(tmp_path / "scores.parquet")
    assert one.table.scores.tolist() == [90, 10]


def test_named_levels_of_an_index_are_columns(tmp_path):
    """As in the Parquet file of the same frame: two systems never become one."""
    frame = pd.DataFrame({"vendor": ["x", "x", "y", "y"], "pair_id": [1, 2, 1, 2]})
    frame = frame.assign(label=[1, 0, 1, 0], person1="A", person2=["A", "B"] * 2)
    frame = frame.assign(score=[90.0, 10.0, 80.0, 20.0])
    index = ["pair_id", "label", "person1", "person2"]
    wide = frame.pivot_table("score", index, "vendor")
    for source in (frame.set_index(["vendor", "pair_id"]), wide):
        source.to_parquet(tmp_path / "scores.parquet")
        for each in (source, tmp_path / "scores.parquet", pa.Table.from_pandas(source)):
            found = {one.name: one.table.scores.tolist() for one in read_scores(each)}
            assert found == {"x": [90.0, 10.0], "y": [80.0, 20.0]}
    with pytest.raises(InvalidRequest, match="2 levels"):
        read_scores(frame.pivot_table(["score"], index, "vendor"))


def test_named_systems_are_all_that_is_judged():
    """Whatever else is in the table."""
    frame = pd.DataFrame({"image1": ["a", "a"], "image2": ["b", "c"], "label": [1, 0]})
    frame = frame.assign(ours=[5.0, 1.0], theirs=2, age=7, city="Pune", confidence=3.0, distance=1)
    (one,) = read_scores(frame, systems=["ours"])
    assert (one.name, one.table.scores.tolist()) == ("ours", [5.0, 1.0])


@pytest.mark.parametrize(
    ("head", "scales"),
    [
        ("score 0-1", ["0-1"]),
        ("Score (0-100)", ["0-100"]),
        ("similarity_0-1", ["0-1"]),
        ("ours (0-1),theirs", ["0-1", None]),
        ("score 0-1,scale", ["5"]),
    ],
)
def test_a_scale_in_the_name_of_a_column(read, head, scales):
    """Is that of the scores, unless a column says another."""
    cells = ",".join("5" for _ in head.split(","))
    found = read(f"image1,image2,label,{head}\na,b,1,{cells}\n")
    assert [one.table.scale for one in found] == scales
    assert found[0].table.scores.tolist() == [5.0]


@pytest.mark.parametrize("kind", ["category", "float64", "bool", "object", "str"])
def test_labels_of_a_frame(kind):
    """A label may be of any type that pandas makes of it."""
    labels = pd.Series(["1", "0"]) if kind == "str" else pd.Series([1, 0])
    frame = pd.DataFrame({"person1": [7, 7], "person2": [7, 8], "ours": [5, 6]})
    frame["same"] = labels.astype(kind)
    (one,) = read_scores(frame)
    assert one.table.mated.tolist() == [True, False]
    assert one.table.reference_subjects.tolist() == [0, 1]


def test_places_in_a_frame():
    """Are rows, counted from 0, as pandas counts them."""
    frame = pd.DataFrame({"image1": list("abc"), "image2": list("bcd"), "label": [1, 2, 0]})
    frame["ours"] = [5, float("inf"), 6]
    with pytest.raises(InvalidRequest, match=r"row 1: ours is 'inf'.*\n.*row 1: label is '2'"):
        read_scores(frame)


words = st.sampled_from(
    ("=1+1", "-2+3", "@x", "+1", "'", "'=", "1e5", "true", "NA", "null")
) | st.text(
    st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=1,
    max_size=8,
).filter(lambda text: text == text.strip() and text)


@st.composite
def studies(draw):
    """Answers of one to three contenders to the same pairs, as a run gives them."""
    people = draw(st.lists(st.integers(0, 10**6), min_size=2, max_size=6, unique=True))
    pairs = draw(
        st.lists(
            st.tuples(st.sampled_from(people), st.sampled_from(people)), min_size=1, max_size=12
        )
    )
    probe, reference = (np.array(side, np.int64) for side in zip(*pairs, strict=True))
    groups = {}
    for column in draw(st.lists(words, max_size=2, unique=True)):
        of_person = {who: draw(st.integers(-1, 1)) for who in people}
        groups[column] = Grouping(
            labels=tuple(sorted(draw(st.lists(words, min_size=2, max_size=2, unique=True)))),
            probe=np.array([of_person[who] for who in probe.tolist()], np.int64),
            reference=np.array([of_person[who] for who in reference.tolist()], np.int64),
        )
    names = draw(st.lists(words, min_size=1, max_size=3, unique=True))
    return [draw(answers(name, probe, reference, groups)) for name in names]


@st.composite
def answers(draw, name, probe, reference, groups):
    """What one contender answered."""
    number = len(probe)
    some = st.floats(-1e6, 1e6) | st.floats(0, 1e-300)

    def column(values):
        return np.array(draw(st.lists(values, min_size=number, max_size=number)))

    answered = column(st.booleans())
    acquired = column(st.booleans()) & answered
    priced = draw(st.booleans())
    missing = int((~answered).sum())
    return Answers(
        table=ScoreTable(
            name=name,
            rule=draw(st.sampled_from(ThresholdRule)),
            mated=probe == reference,
            scores=np.where(acquired, column(some | st.just(np.nan)), np.nan),
            decisions=np.where(answered, column(st.integers(-1, 3)), -1).astype(np.int8),
            acquired=acquired,
            answered=answered,
            probe_subjects=probe,
            reference_subjects=reference,
            groups=groups,
            scale=draw(st.none() | words),
            threshold=draw(st.none() | some),
        ),
        elapsed_s=column(st.just(np.nan) | st.floats(0, 100)),
        billed=column(st.integers(0, 2)).astype(np.int8),
        not_answered={draw(words): missing} if missing else {},
        backend=draw(st.none() | words),
        model=draw(st.none() | words),
        environment=draw(st.none() | st.sampled_from(Environment)),
        price=draw(st.floats(0, 100)) if priced else None,
        currency="INR" if priced else None,
        privacy=draw(words),
        people_known=draw(st.booleans()),
        other_models=draw(st.dictionaries(words, st.integers(1, 9), max_size=2)),
    )


def same(written, read):
    """Whether answers are those that were written, to the last digit and word."""
    assert [one.name for one in read] == [one.name for one in written]
    for mine, other in zip(written, read, strict=True):
        for name in ARRAYS:
            assert np.array_equal(getattr(mine.table, name), getattr(other.table, name)), name
        assert np.array_equal(mine.table.scores, other.table.scores, equal_nan=True)
        assert np.array_equal(mine.elapsed_s, other.elapsed_s, equal_nan=True)
        assert np.array_equal(mine.billed, other.billed)
        assert group_words(mine) == group_words(other)
        assert people(mine) == people(other)
        for name in ("rule", "threshold", "scale"):
            assert getattr(mine.table, name) == getattr(other.table, name)
        for name in OF_SYSTEM:
            assert getattr(mine, name) == getattr(other, name), name


OF_SYSTEM = (
    *("not_answered", "backend", "model", "other_models", "environment", "price", "currency"),
    *("privacy", "people_known"),
)


@settings(max_examples=30)
@given(studies())
def test_what_is_written_is_read(tmp_path_factory, written):
    """Every number to its last digit, every word, in the same order: CSV, Parquet and frames."""
    folder = tmp_path_factory.mktemp("scores")
    write_scores(folder / "scores.csv", written)
    same(written, read_scores(folder / "scores.csv"))
    export(written, folder / "scores.parquet")
    same(written, read_scores(folder / "scores.parquet"))
    same(written, read_scores(to_frame(written)))
    assert sorted(file.name for file in folder.iterdir()) == ["scores.csv", "scores.parquet"]
    with (folder / "scores.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "@", "\t", "\r")]
    assert all(is_number(cell) for cell in cells if cell[:1] == "-")


def is_number(cell):
    """Whether no spreadsheet can take it for anything else."""
    return re.fullmatch(r"-[0-9.]+(e[-+]?[0-9]+)?", cell) is not None


def people(one):
    """Who is in the pairs, by name."""
    known = one.names.subjects if one.names else {}
    sides = one.table.probe_subjects, one.table.reference_subjects
    return [[known.get(who, str(who)) for who in side.tolist()] for side in sides]


def group_words(one):
    """The groups by their names, however they are numbered."""
    return {
        column: [
            [(*group.labels, "")[at] for at in side] for side in (group.probe, group.reference)
        ]
        for column, group in one.table.groups.items()
    }


def test_writing_what_does_not_belong_together(tmp_path):
    """Answers to other pairs, two of one name, or none at all are refused; nothing is written."""

    def made(name, mated, label="f"):
        zero = np.zeros(1, np.int64)
        group = Grouping(labels=(label,), probe=zero, reference=zero)
        return Answers.of_scores(
            ScoreTable(
                name=name,
                rule=ThresholdRule.ABOVE,
                mated=np.array([mated]),
                scores=np.ones(1),
                decisions=np.ones(1, np.int8),
                acquired=np.ones(1, bool),
                answered=np.ones(1, bool),
                probe_subjects=zero,
                reference_subjects=zero if mated else zero + 1,
                groups={"sex": group},
            )
        )

    path = tmp_path / "scores.csv"
    for wrong in (
        [],
        [made("a", True), made("a", True)],
        [made("a", True), made("b", False)],
        [made("a", True), made("b", True, "m")],
    ):
        with pytest.raises(InvalidRequest):
            write_scores(path, wrong)
    assert not path.exists()


@pytest.mark.parametrize("half", [{"price": 0.05}, {"currency": "EUR"}])
def test_a_price_has_a_currency(asked, half):
    """Or no file of it could be read."""
    with pytest.raises(InvalidRequest, match="ours has a price or a currency, and needs both"):
        attrs.evolve(asked[0], **half)


# With the pictures


@pytest.fixture
def asked():
    """Answers of one system to four pairs, and the test set."""
    faces = pathlib.Path("faces")
    of_pair = [("-a.jpg", "b.jpg", "Ada", "Ada"), ("-a.jpg", "c.jpg", "Ada", "=Cyd")]
    of_pair += [("d.jpg", "c.jpg", "Dan", "=Cyd"), ("b.jpg", "e.jpg", "Ada", "Ada")]
    study = Study(
        name="doors",
        pairs=tuple(
            StudyPair(
                probe=faces / probe,
                reference=faces / reference,
                mated=one == other,
                probe_subject=one,
                reference_subject=other,
            )
            for probe, reference, one, other in of_pair
        ),
    )
    first, second = study.subject_numbers
    answers = Answers.of_scores(
        ScoreTable(
            name="ours",
            rule=ThresholdRule.AT_LEAST,
            mated=study.mated,
            scores=np.array([20.0, 50.0, 70.0, np.nan]),
            decisions=np.array([0, 1, 0, 3], np.int8),
            acquired=np.array([True, True, True, False]),
            answered=np.ones(4, bool),
            probe_subjects=first,
            reference_subjects=second,
        )
    )
    return answers, study


def test_what_a_system_got_wrong(asked):
    """The worst first, with the pictures; at a threshold, or by its own decisions."""
    answers, study = asked
    wrong = wrong_pairs(answers, 50, study)
    assert [(one.kind, one.pair, one.score) for one in wrong] == [
        ("false match", 2, 70.0),
        ("false match", 1, 50.0),
        ("false non-match", 0, 20.0),
        ("failure to acquire", 3, None),
    ]
    assert (wrong[0].probe, wrong[0].reference) == ("faces/d.jpg", "faces/c.jpg")
    assert (wrong[0].probe_subject, wrong[0].reference_subject) == ("Dan", "=Cyd")
    assert (wrong[0].system, wrong[0].threshold) == ("ours", 50)
    assert [one.pair for one in wrong_pairs(answers, None)] == [1, 0, 3]
    assert wrong_pairs(answers, 50)[0].probe is None
    assert wrong_pairs(answers, 50)[0].probe_subject == "2"
    one_less = attrs.evolve(study, pairs=study.pairs[1:])
    with pytest.raises(InvalidRequest, match="give the test set that was asked"):
        wrong_pairs(answers, 50, one_less)
    with pytest.raises(InvalidRequest, match="give the test set that was asked"):
        to_frame([answers], one_less)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_pictures_and_people_are_exported(asked, tmp_path, ending):
    """By their names, which a file of scores gives to what was wrong as well."""
    answers, study = asked
    path = tmp_path / f"scores.{ending}"
    export([answers], path, study)
    (read,) = read_scores(path)
    assert np.array_equal(read.table.scores, answers.table.scores, equal_nan=True)
    wrong = [attrs.evolve(one, threshold=50) for one in wrong_pairs(answers, 50, study)]
    assert wrong_pairs(read, 50) == wrong
    again = tmp_path / f"again.{ending}"
    export([read], again)
    assert wrong_pairs(read_scores(again)[0], 50) == wrong
    export(wrong, path)
    frame = pd.read_csv(path) if ending == "csv" else pd.read_parquet(path)
    assert frame["kind"].tolist() == [one.kind for one in wrong]
    assert frame["score"].tolist()[:3] == [70.0, 50.0, 20.0]
    shown = "'=Cyd" if ending == "csv" else "=Cyd"
    assert frame["reference_subject"].tolist()[:2] == [shown, shown]


def test_what_cannot_be_exported(asked, tmp_path):
    """An empty list, of answers or of wrong pairs; another ending. Nothing is written."""
    for what, name in (([], "wrong.csv"), ([asked[0]], "scores.xlsx")):
        with pytest.raises(InvalidRequest):
            export(what, tmp_path / name)
    assert [*tmp_path.iterdir()] == []


def test_a_file_is_replaced_when_the_new_one_is_whole(asked, tmp_path, monkeypatch):
    """Who is stopped in the middle keeps the old one."""
    path = tmp_path / "scores.csv"
    write_scores(path, [asked[0]])
    before = path.read_bytes()

    def broken(*words, **more):
        raise OSError("no space left")

    monkeypatch.setattr("pyarrow.csv.write_csv", broken)
    with pytest.raises(OSError, match="no space"):
        write_scores(path, [asked[0], attrs.evolve(asked[0], price=1.0, currency="EUR")][:1])
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["scores.csv"]
