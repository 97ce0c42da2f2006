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

GRACE = "grace-hopper"
GRACE_CARD = "grace-hopper-card"
EILEEN = "eileen-collins"
CAT = "no-face-cat"
PERSON_OF = {GRACE: "grace", GRACE_CARD: "grace", EILEEN: "eileen", CAT: "cat"}
PAIRS = ((GRACE, GRACE_CARD), (GRACE, EILEEN), (GRACE_CARD, EILEEN), (CAT, GRACE), (EILEEN, CAT))


@pytest.fixture
def study(tmp_path):
    for name in PERSON_OF:
        (tmp_path / f"{name}.jpg").write_bytes(photograph(name).data)
    lines = ["probe,reference,same,probe_subject,reference_subject"]
    for probe, reference in PAIRS:
        first, second = PERSON_OF[probe], PERSON_OF[reference]
        lines.append(f"{probe}.jpg,{reference}.jpg,{int(first == second)},{first},{second}")
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    return read_study(tmp_path / "pairs.csv")


@pytest.mark.parametrize("review_threshold", [pytest.param(None, marks=pytest.mark.slow), 90])
def test_each_picture_is_embedded_once_and_answers_equal_verify(study, database, review_threshold):
    open_local = functools.partial(
        open_verifier, "local", threshold=35, review_threshold=review_threshold
    )
    with StudyRun(study, {"local": open_local}, database) as run:
        assert run.run(workers=2).is_complete
        assert run.systems[0].backend.pictures_computed == len(PERSON_OF)
    (answers,) = read_answers(database)
    assert answers.acquired.tolist() == [True, True, True, False, False]
    with open_local() as verifier:
        for pair, answer in zip(study.pairs, answers.frame.itertuples(), strict=True):
            result = verifier.verify(pair.probe, pair.reference)
            assert answer.decision == result.decision
            if result.score is not None:
                assert answer.score == result.score.value


@pytest.mark.usefixtures("in_file_order")
def test_the_first_duration_of_an_engine_is_not_counted(study, database):
    engine = FakeBackend(environment=Environment.LOCAL, billed_operations=frozenset())
    run_once(database, study, opener(engine), workers=1)
    (answers,) = read_answers(database)
    assert [math.isnan(seconds) for seconds in answers.elapsed_s] == [True] + [False] * 4
