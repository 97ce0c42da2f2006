"""An engine on this machine looks at each picture of a study once, and answers as `verify` does."""

import functools
import math

import pytest
from kit.comparison.studies import opener, run_once
from kit.fakes import FakeBackend

from facematch_comparison import StudyRun, read_answers, read_study
from facematch_core import Environment, open_verifier
from facematch_core.testing import photograph

pytestmark = pytest.mark.usefixtures("local_models")

NAMES = ("grace-hopper", "grace-hopper-card", "eileen-collins", "no-face-cat")
PAIRS = ((0, 1), (0, 2), (1, 2), (3, 0), (2, 3))


@pytest.fixture
def study(tmp_path):
    lines = ["probe,reference,same,probe_subject,reference_subject"]
    for name in NAMES:
        (tmp_path / f"{name}.jpg").write_bytes(photograph(name).data)
    for probe, reference in PAIRS:
        people = [NAMES[at].removesuffix("-card") for at in (probe, reference)]
        same = int(people[0] == people[1])
        lines.append(f"{NAMES[probe]}.jpg,{NAMES[reference]}.jpg,{same},{people[0]},{people[1]}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    return read_study(tmp_path / "pairs.csv")


@pytest.mark.parametrize("review", [pytest.param(None, marks=pytest.mark.slow), 90])
def test_each_picture_is_embedded_once_and_answers_equal_verify(study, database, review):
    opened = functools.partial(open_verifier, "local", threshold=35, review_threshold=review)
    with StudyRun(study, {"local": opened}, database) as run:
        assert run.run(workers=2).is_complete
        assert run.systems[0].backend.pictures_computed == len(NAMES)
    (answers,) = read_answers(database)
    decisions = [*answers.frame["decision"]]
    with opened() as verifier:
        for row, pair in enumerate(study.pairs):
            result = verifier.verify(pair.probe, pair.reference)
            assert decisions[row] == result.decision
            if result.score is not None:
                assert answers.scores[row] == result.score.value
    assert [bool(acquired) for acquired in answers.acquired] == [True, True, True, False, False]


@pytest.mark.usefixtures("in_file_order")
def test_the_first_duration_of_an_engine_is_not_counted(study, database):
    engine = FakeBackend(environment=Environment.LOCAL, billed_operations=frozenset())
    run_once(database, study, opener(engine), workers=1)
    (answers,) = read_answers(database)
    assert [math.isnan(seconds) for seconds in answers.elapsed_s] == [True] + [False] * 4
