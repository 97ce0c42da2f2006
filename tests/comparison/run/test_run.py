import threading

import pytest
from kit.comparison.studies import charged_answer, fail_with, opener, pair_states
from kit.fakes import FakeBackend

from facematch_comparison.run import read_answers, run_study
from facematch_comparison.scores.answers import NOT_ASKED
from facematch_core import InvalidRequest, OutcomeUnknown, Score
from facematch_core.errors import RequestRejected

pytestmark = pytest.mark.usefixtures("in_file_order")


def test_every_pair_is_asked_once_and_never_again(database, study):
    system = opener()
    summary = run_study(study, {"fake": system}, database)
    assert summary.is_complete
    assert not summary.was_stopped
    assert summary.systems[0].asked == 6
    pairs = {(call.probe.digest, call.reference.digest) for call in system.backend.calls}
    assert len(pairs) == len(system.backend.calls) == 6
    again = run_study(study, {"fake": system}, database)
    assert (again.systems[0].asked, len(system.backend.calls)) == (0, 6)
    assert again.is_complete
    assert system.backend.closed == 2


def test_ctrl_c_finishes_what_is_under_way(database, study, monkeypatch):
    under_way, interrupted = threading.Event(), threading.Event()

    def answer(call):
        under_way.set()
        assert interrupted.wait(30)
        return charged_answer()(call)

    def interrupt(_futures):
        assert under_way.wait(30)
        interrupted.set()
        raise KeyboardInterrupt

    monkeypatch.setattr("facematch_comparison.run.study_run.wait", interrupt)
    backends = FakeBackend(script=[answer]), FakeBackend()
    systems = dict(zip("ab", map(opener, backends), strict=True))
    with pytest.raises(KeyboardInterrupt):
        run_study(study, systems, database, workers=1)
    for system, backend in zip(database.systems(database.study().digest), backends, strict=True):
        states = pair_states(database, system)
        assert set(states) <= {"answered", "free"}
        assert states.count("answered") == len(backend.calls)
    assert 1 <= len(backends[0].calls) < 6


def test_a_bug_in_a_thread_reaches_the_caller(database, study):

    class Bug(BaseException):
        pass

    wrong, right = opener(FakeBackend(script=[fail_with(Bug())])), opener()
    with pytest.raises(Bug):
        run_study(study, {"wrong": wrong, "right": right}, database, workers=1)
    first, second = database.systems(database.study().digest)
    # Whether it was charged nobody knows.
    assert pair_states(database, first) == ["asked", *["free"] * 5]
    assert pair_states(database, second) == ["answered"] * 6


def of_model(model, score=80.0, **more):
    """A step of a script: an answer of this model."""
    return charged_answer(model=model, score=Score(score, "fake/v1"), **more)


def test_answers_of_two_models_need_the_name_of_one(database, study):
    refusal = fail_with(RequestRejected("Face not detected.", status_code=422))
    script = [of_model("v1", 71.0), refusal, of_model("v2", 62.0), refusal, of_model("v1", 73.0)]
    lost = fail_with(OutcomeUnknown("Lost."))
    system = opener(FakeBackend(script=[*script, lost]))
    summary = run_study(study, {"alpha": system, "beta": opener()}, database, workers=1)
    assert summary.systems[0].progress.models == {"v1": 2, "v2": 1}
    assert summary.changed_models == {"alpha": {"v1": 2, "v2": 1}}
    for models in ((), ("v3",), ("v1", "v2")):
        with pytest.raises(InvalidRequest, match=r"'v1' .2 pairs. and 'v2' .1 pairs"):
            read_answers(database, database.study(), models=models)
    first, other = read_answers(database, database.study(), models=["v1"])
    assert (first.name, first.model, other.name) == ("alpha", "v1", "beta")
    # Pairs of the other model were not asked; refusals name no model and stay.
    assert first.answered.tolist() == [True, True, False, True, True, False]
    assert first.acquired.tolist() == [True, False, False, False, True, False]
    assert first.not_answered == {NOT_ASKED: 1, "OutcomeUnknown": 1}
    assert read_answers(database, database.study(), models=["v2"])[0].scores[2] == 62.0
    # Answers without a model do not make a second one.
    script = [of_model("v1"), of_model(None), of_model("v1")] * 2
    system = opener(FakeBackend(script=script))
    assert run_study(study, {"one": system}, database, workers=1).changed_models == {}
    answers = read_answers(database, database.study(), models=["v1"])[-1]
    assert (answers.name, answers.model, answers.answered.all()) == ("one", "v1", True)
