"""A run over scripted backends: each pair once, whatever ends it meanwhile."""

import threading

import pytest
from attempts import attempt, of_nobody
from core.comparison.running.studies import (
    failing,
    once,
    opener,
    states,
    stored,
)
from fakes import FakeBackend

from facematch_core import (
    ConfigurationError,
    Environment,
    InvalidRequest,
)
from facematch_core.comparison.running import StudyRun, read_answers, run_study
from facematch_core.comparison.running._records import PairState
from facematch_core.store import Owner


def test_every_pair_is_asked_once_and_never_again(journal, study):
    """A second start asks nothing."""
    contender = opener()
    summary = run_study(study, {"fake": contender}, journal)
    assert summary.is_complete
    assert not summary.was_stopped
    assert summary.contenders[0].asked == 6
    pairs = {(call.probe.digest, call.reference.digest) for call in contender.backend.calls}
    assert len(pairs) == len(contender.backend.calls) == 6
    again = run_study(study, {"fake": contender}, journal)
    assert (again.contenders[0].asked, len(contender.backend.calls)) == (0, 6)
    assert again.is_complete
    assert contender.backend.closed == 2


def test_contenders_answer_the_same_pairs(journal, study):
    """Each by its own, in the order in which they were named."""
    first, second = opener(FakeBackend(90.0)), opener(FakeBackend(20.0))
    run_study(study, {"first": first, "second": second}, journal)
    one, other = read_answers(journal, journal.study())
    assert (one.table.name, other.table.name) == ("first", "second")
    assert one.table.scores.tolist() == [90.0] * 6
    assert other.table.scores.tolist() == [20.0] * 6
    assert one.table.mated.tolist() == [True, False] * 3


def test_another_contender_may_come_later(journal, study):
    """What is answered stays."""
    first, second = opener(), opener()
    run_study(study, {"first": first}, journal)
    summary = run_study(study, {"first": first, "second": second}, journal)
    assert [one.asked for one in summary.contenders] == [0, 6]


def test_a_slow_contender_does_not_hold_up_a_fast_one(journal, study):
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

    summary = run_study(study, {"slow": slow, "fast": fast}, journal, workers=1, progress=progress)
    assert summary.is_complete
    assert count.count(("slow", PairState.ANSWERED)) == 6


def test_a_picture_that_changes_during_a_run_is_not_sent(journal, study):
    """The study would be another one."""

    def change(_call):
        study.pairs[3].reference.write_bytes(study.pairs[0].probe.read_bytes())

    contender = opener(FakeBackend(script=[change]))
    summary = once(journal, study, contender)
    assert type(summary.error) is ConfigurationError
    assert "is another one than when the study began" in summary.error.message
    assert len(contender.backend.calls) == 3
    assert states(journal, stored(journal)) == [*["answered"] * 3, *["free"] * 3]
    study.pairs[3].reference.unlink()
    with pytest.raises(InvalidRequest, match=r"Anna-3-b.jpg' does not exist"):
        once(journal, study, contender)


def test_a_stop_finishes_what_is_under_way(journal, study):
    """And gives back what was not begun."""
    stopped = threading.Event()

    def stop(_call):
        stopped.set()

    contender = opener(FakeBackend(script=[None, stop]))
    with StudyRun(study, {"fake": contender}, journal) as run:
        summary = run.run(workers=1, stop=stopped.is_set)
    assert summary.was_stopped
    assert states(journal, stored(journal)) == ["answered", "answered", *["free"] * 4]


def test_ctrl_c_finishes_what_is_under_way(journal, study, monkeypatch):
    """It is raised when every thread has written down what it had."""
    joined = threading.Thread.join
    interrupted = []

    def join(self, timeout=None):
        if not interrupted and self.name.startswith("Thread"):
            interrupted.append(self)
            raise KeyboardInterrupt
        joined(self, timeout)

    contender = opener()
    monkeypatch.setattr(threading.Thread, "join", join)
    with pytest.raises(KeyboardInterrupt):
        once(journal, study, contender)
    monkeypatch.undo()
    found = states(journal, stored(journal))
    assert set(found) <= {"answered", "free"}
    assert found.count("answered") == len(contender.backend.calls)


def test_a_bug_in_a_thread_reaches_the_caller(journal, study):
    """After the others are finished."""

    class Bug(BaseException):
        pass

    wrong, right = opener(FakeBackend(script=[failing(Bug())])), opener()
    with pytest.raises(Bug):
        run_study(study, {"wrong": wrong, "right": right}, journal, workers=1)
    one, other = journal.contenders(journal.study().digest)
    # Whether it was charged nobody knows.
    assert states(journal, one) == ["asked", *["free"] * 5]
    assert states(journal, other) == ["answered"] * 6


def test_claims_of_an_earlier_process_are_taken_back(journal, study, monkeypatch):
    """One that is gone: what it had not asked is asked now, what it had asked is unknown."""
    mine, nobody = Owner.here(), of_nobody()
    monkeypatch.setattr(Owner, "here", staticmethod(lambda: nobody))
    with StudyRun(study, {"fake": opener()}, journal) as run:
        ((_, one),) = run.contenders
    claimed, asked = journal.claim(one.number, 2)
    assert journal.begin(asked, attempt(kept=False))
    assert journal.ask(asked)
    assert claimed.pair == 0
    monkeypatch.setattr(Owner, "here", staticmethod(lambda: mine))
    with StudyRun(study, {"fake": opener()}, journal) as run:
        # Told before anything is asked.
        assert run.standings()["fake"].left == 5
    summary = once(journal, study, opener())
    assert summary.asked == 5
    assert states(journal, one) == ["answered", "unknown", *["answered"] * 4]


def test_what_another_process_leaves_behind_meanwhile_is_asked(journal, study, monkeypatch):
    """It ended during this run; the pair is taken up at the end."""
    mine, nobody = Owner.here(), of_nobody()

    def leave(_call):
        monkeypatch.setattr(Owner, "here", staticmethod(lambda: nobody))
        journal.claim(stored(journal).number, 2, first=3)
        monkeypatch.setattr(Owner, "here", staticmethod(lambda: mine))

    contender = opener(FakeBackend(script=[None, leave]))
    assert once(journal, study, contender).standing.states == {PairState.ANSWERED: 6}


def test_what_leaves_the_machine_is_written_down_step_by_step(journal, study):
    """Whether or not its backend declares that it costs money; what does not leave, is not."""
    asked = []

    def look(call):
        (row,) = journal._database.run(
            lambda file: file.exec_driver_sql(
                "SELECT contender, state FROM facematch_comparisons "
                f"WHERE attempt_id = '{call.call_id}'"
            ).all()
        ) or [(0, None)]
        asked.append(row[1])

    free = {"billed_operations": frozenset()}
    for name, where in (("away", Environment.MOCK), ("here", Environment.LOCAL)):
        backend = FakeBackend(script=[look], environment=where, **free)
        run_study(study, {name: opener(backend)}, journal, workers=1)
    assert asked == ["asked", None]
