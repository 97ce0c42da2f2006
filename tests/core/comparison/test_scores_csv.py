"""A file of scores is read whole or refused whole, and says what was written into it."""

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from facematch_core import Charged, Environment, InvalidRequest, ThresholdRule
from facematch_core.comparison._answers import BILLED, Answers
from facematch_core.comparison._scores_csv import read_scores, write_scores
from facematch_core.comparison.metrics import DECISIONS, Grouping, ScoreTable

HEAD = "contender,pair,same,probe_subject,reference_subject,score"
ARRAYS = ("mated", "decisions", "acquired", "answered", "probe_subjects", "reference_subjects")


@pytest.fixture
def read(tmp_path):
    """Reads text as a file of scores."""

    def _read(text):
        path = tmp_path / "scores.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_scores(path)

    return _read


def refusals(read, text):
    """The lines in which faults of a text are told."""
    with pytest.raises(InvalidRequest) as caught:
        read(text)
    return str(caught.value).splitlines()[1:]


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
    assert table.probe_subjects.tolist() == [7, 7, 12, 7]
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


def test_every_fault_with_its_line(read):
    """All of them at once, in the order of the lines."""
    assert refusals(
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
        "  line 2: score is 'high'; write a number, or leave it empty",
        "  line 3: score is '1_0'; write a number, or leave it empty",
        "  line 3: same is '2'; write 1 for one person and 0 for two",
        "  line 3: decision is 'perhaps'; write match, no_match, review or inconclusive",
        "  line 4: pair is empty",
        "  line 4: acquired is 'ja'; write 1 or 0",
        "  line 4: the pair is said to be different, and its people are called 'A' and 'A'",
        "  line 6: it is not acquired, and has a score",
        "  line 6: elapsed_s is below 0",
        "  line 7: elapsed_s is 'inf'; write a number, or leave it empty",
        "  line 7: billed is 'sometimes'; write yes, no or unknown",
        "  line 7: rule is 'more'; write above, at_least or vendor",
        "  line 7: price is '-1'; write an amount from 0 on",
        "  line 7: currency is 'dollar'; write three capital letters",
        "  line 7: there is an error, and an answer as well",
        "  line 8: 15 cells under 14 columns",
        "  line 9: score is 'nan'; write a number, or leave it empty",
        "  line 9: the pair is said to be same, and its people are called 'A' and 'B'",
    ]


def test_faults_between_lines(read):
    """Pairs twice, missing or of other people, two groups, two rules, half a price."""
    assert refusals(
        read,
        f"{HEAD},group_sex,rule,price\n"
        "a,1,1,A,A,1,f,above,\n"
        "a,1,1,A,A,2,f,at_least,\n"
        "a,2,0,A,B,2,m,,\n"
        "b,1,1,C,C,1,,,3\n",
    ) == [
        "  line 3: the pair '1' of 'a' is there twice: it is in line 2",
        "  line 3: rule of 'a' is 'at_least', and 'above' in line 2",
        "  line 4: the pair '2' has no line for 'b'; all contenders need the same pairs",
        "  line 4: 'A' is in the group 'm' of sex, and above in 'f'",
        "  line 5: 'b' has a price or a currency, and needs both",
        "  line 5: the pair '1' shows other people than in line 2",
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no lines below a header such as contender,pair,same"),
        (f"{HEAD}\n\n", "no lines below a header"),
        (b"\xff\xfe", "is not UTF-8 text: save it as CSV in UTF-8"),
        (f'{HEAD}\n"a', "is no CSV: unexpected end of data"),
        (f"{HEAD.replace(',', ';')}\na;1", "the column pair is missing (separate columns with"),
        (f"{HEAD.removesuffix(',score')}\na,1,1,A,A", "there is neither a column score nor"),
        (f"{HEAD},score\na,1,1,A,A,1,2", "line 1: the column 'score' stands there twice"),
    ],
)
def test_what_is_no_such_file(read, text, told):
    """One sentence tells what is wrong with the whole of it."""
    with pytest.raises(InvalidRequest) as caught:
        read(text)
    assert told in str(caught.value)


def test_a_missing_file(tmp_path):
    """Told like any other that cannot be read."""
    with pytest.raises(InvalidRequest, match="No such file"):
        read_scores(tmp_path / "none.csv")


def test_a_column_of_contenders_that_is_none(read):
    """More than a hundred are a mistake, and told before anything is compared."""
    lines = "\n".join(f"{n},{n},1,A,A,1" for n in range(101))
    assert refusals(read, f"{HEAD}\n{lines}") == [
        "  line 1: there are 101 contenders, and at most 100 can be compared"
    ]


def test_a_long_file_of_faults_is_counted(read):
    """The first fifty are listed, also beyond the part that is read at a time."""
    lines = "\n".join(f"a,{n},1,A,A,{n if n < 2500 else 'x'}" for n in range(3000))
    told = refusals(read, f"{HEAD}\n{lines}")
    assert told[0] == "  line 2502: score is 'x'; write a number, or leave it empty"
    assert told[-1] == "  ... and 450 more"


words = st.text(
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
    )


@given(studies())
def test_what_is_written_is_read(tmp_path_factory, written):
    """Every number to its last digit, every word, in the same order."""
    path = tmp_path_factory.mktemp("scores") / "scores.csv"
    write_scores(path, written)
    read = read_scores(path)
    assert [one.table.name for one in read] == [one.table.name for one in written]
    for mine, other in zip(written, read, strict=True):
        for name in ARRAYS:
            assert np.array_equal(getattr(mine.table, name), getattr(other.table, name)), name
        assert np.array_equal(mine.table.scores, other.table.scores, equal_nan=True)
        assert np.array_equal(mine.elapsed_s, other.elapsed_s, equal_nan=True)
        assert np.array_equal(mine.billed, other.billed)
        assert group_words(mine) == group_words(other)
        for name in ("rule", "threshold", "scale"):
            assert getattr(mine.table, name) == getattr(other.table, name)
        for name in (
            "not_answered",
            "backend",
            "model",
            "environment",
            "price",
            "currency",
            "privacy",
        ):
            assert getattr(mine, name) == getattr(other, name)
    assert [file.name for file in path.parent.iterdir()] == ["scores.csv"]


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
