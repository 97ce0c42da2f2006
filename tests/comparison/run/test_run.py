"""A run over scripted backends: each pair once, whatever ends it meanwhile."""

import threading

import numpy as np
import pytest
from kit.comparison.studies import (
    answer,
    asked,
    begun,
    failing,
    once,
    opener,
    states,
    stored,
)
from kit.fakes import FakeBackend

from facematch_comparison.answers import NOT_ASKED
from facematch_comparison.run import StudyRun, read_answers, run_study
from facematch_comparison.run.schema import PairState
from facematch_core import (
    Environment,
    OutcomeUnknown,
    Score,
)
from facematch_core.errors import RequestRejected

pytestmark = pytest.mark.usefixtures("in_file_order")


def test_every_pair_is_asked_once_and_never_again(database, study):
    """A second start asks nothing."""
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


def test_systems_answer_the_same_pairs(database, study):
    """Each by its own, in the order in which they were named."""
    first, second = opener(FakeBackend(90.0)), opener(FakeBackend(20.0))
    run_study(study, {"first": first, "second": second}, database)
    one, other = read_answers(database, database.study())
    assert (one.table.name, other.table.name) == ("first", "second")
    assert one.table.scores.tolist() == [90.0] * 6
    assert other.table.scores.tolist() == [20.0] * 6
    assert one.table.mated.tolist() == [True, False] * 3


def test_another_system_may_come_later(database, study):
    """What is answered stays."""
    first, second = opener(), opener()
    run_study(study, {"first": first}, database)
    summary = run_study(study, {"first": first, "second": second}, database)
    assert [one.asked for one in summary.systems] == [0, 6]


def test_a_slow_system_does_not_hold_up_a_fast_one(database, study):
    """Each has threads of its own."""
    fast_is_done = threading.Event()

    def wait(_call):
        assert fast_is_done.wait(30)

    slow, fast = opener(FakeBackend(script=[wait])), opener()
    count = []

    def progress(name, state):
        count.append((name, state))
        if count.count(("fast", PairState.ANSWERED)) == 6:
            fast_is_done.set()

    summary = run_study(study, {"slow": slow, "fast": fast}, database, workers=1, progress=progress)
    assert summary.is_complete
    assert count.count(("slow", PairState.ANSWERED)) == 6


def test_a_stop_finishes_what_is_under_way(database, study):
    """And gives back what was not begun."""
    stopped = threading.Event()

    def stop(_call):
        stopped.set()

    system = opener(FakeBackend(script=[None, stop]))
    with StudyRun(study, {"fake": system}, database) as run:
        summary = run.run(workers=1, stop=stopped.is_set)
    assert summary.was_stopped
    assert states(database, stored(database)) == ["answered", "answered", *["free"] * 4]


def test_ctrl_c_finishes_what_is_under_way(database, study, monkeypatch):
    """It is raised when every thread has written down what it had."""
    joined = threading.Thread.join
    interrupted = []

    def join(self, timeout=None):
        if not interrupted and self.name.startswith("Thread"):
            interrupted.append(self)
            raise KeyboardInterrupt
        joined(self, timeout)

    system = opener()
    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(KeyboardInterrupt):
        once(database, study, system)
    monkeypatch.undo()
    found = states(database, stored(database))
    assert set(found) <= {"answered", "free"}
    assert found.count("answered") == len(system.backend.calls)


def test_a_bug_in_a_thread_reaches_the_caller(database, study):
    """After the others are finished."""

    class Bug(BaseException):
        pass

    wrong, right = opener(FakeBackend(script=[failing(Bug())])), opener()
    with pytest.raises(Bug):
        run_study(study, {"wrong": wrong, "right": right}, database, workers=1)
    one, other = database.systems(database.study().digest)
    # Whether it was charged nobody knows.
    assert states(database, one) == ["asked", *["free"] * 5]
    assert states(database, other) == ["answered"] * 6


def test_what_an_earlier_process_left_in_the_middle_is_taken_back(database, study):
    """One that is gone: what it had not asked is asked now, what it had asked is unknown."""
    with StudyRun(study, {"fake": opener()}, database) as run:
        (one,) = [system.stored for system in run.systems]
    begun(database, one, 0)
    asked(database, one, 1)
    assert database.progress(one.number).left == 5
    with StudyRun(study, {"fake": opener()}, database) as run:
        # Told before anything is asked.
        assert run.progress()["fake"].left == 5
        assert states(database, one) == ["free", "unresolved", *["free"] * 4]
    summary = once(database, study, opener())
    assert summary.asked == 5
    assert states(database, one) == ["answered", "unresolved", *["answered"] * 4]


def test_what_leaves_the_machine_is_written_down_step_by_step(database, study):
    """Whether or not its backend declares that it costs money; what does not leave, is not."""
    noted = []

    def look(call):
        (row,) = database._database.run(
            lambda file: file.exec_driver_sql(
                f"SELECT system, state FROM facematch_comparisons WHERE call_id = '{call.call_id}'"
            ).all()
        ) or [(0, None)]
        noted.append(row[1])

    free = {"billed_operations": frozenset()}
    for name, where in (("away", Environment.MOCK), ("here", Environment.LOCAL)):
        backend = FakeBackend(script=[look], environment=where, **free)
        run_study(study, {name: opener(backend)}, database, workers=1)
    assert noted == ["asked", None]


def of_model(model, score=80.0, **more):
    """A step of a script: an answer of this model."""
    return answer(model=model, score=Score(score, "fake/v1"), **more)


def test_a_model_that_changes_during_a_run_is_a_system_of_its_own(database, study, clock):
    """Seen in the summary, and judged apart; what names no model belongs to the one before it."""
    refusal = failing(RequestRejected("Face not detected.", status_code=422))

    class Ticking(FakeBackend):
        def match(self, call):
            clock.advance(1)
            return super().match(call)

    script = [of_model("v1", 71.0), refusal, of_model("v2", 62.0), refusal, of_model("v1", 73.0)]
    lost = failing(OutcomeUnknown("Lost."))
    system = opener(Ticking(script=[*script, lost]))
    summary = run_study(study, {"alpha": system, "beta": opener()}, database, workers=1)
    assert summary.systems[0].progress.models == {"v1": 2, "v2": 1}
    assert summary.changed_models == {"alpha": {"v1": 2, "v2": 1}}
    first, second, third = read_answers(database, database.study())
    assert (first.name, second.name, third.name) == ("alpha", "alpha (model v2)", "beta")
    assert (first.model, first.other_models) == ("v1", {"v2": 1})
    assert (second.model, second.other_models) == ("v2", {"v1": 2})
    assert third.other_models == {}
    assert first.table.answered.tolist() == [True, True, False, False, True, False]
    assert second.table.answered.tolist() == [False, False, True, True, False, False]
    assert first.table.acquired.tolist() == [True, False, False, False, True, False]
    assert np.isnan(first.table.scores).tolist() == [False, True, True, True, False, True]
    assert second.table.scores[2] == 62.0
    # What the other model was asked about is no failure of this one.
    assert first.not_answered == {NOT_ASKED: 2, "OutcomeUnknown": 1}
    assert second.not_answered == {NOT_ASKED: 4}
    # No charge and no time is counted twice.
    assert (first.billed + second.billed).tolist() == [1, 0, 1, 0, 1, 2]
    assert not np.any(~np.isnan(first.elapsed_s) & ~np.isnan(second.elapsed_s))
    both = first.table.answered.astype(int) + second.table.answered
    assert both.max() == 1


def test_one_model_is_one_system(database, study):
    """Also where some answers do not name it."""
    script = [of_model("v1"), of_model(None), of_model("v1")] * 2
    summary = run_study(study, {"alpha": opener(FakeBackend(script=script))}, database, workers=1)
    (found,) = read_answers(database, database.study())
    assert (found.name, found.model, found.other_models) == ("alpha", "v1", {})
    assert found.table.answered.all()
    assert summary.changed_models == {}
