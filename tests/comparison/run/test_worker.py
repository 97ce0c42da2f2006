import pytest
from kit.comparison.studies import (
    charged_answer,
    fail_with,
    opener,
    pair_states,
    run_once,
    write_study,
)
from kit.fakes import FakeBackend, picture

import facematch_core as fm
from facematch_comparison.run import read_answers, run_study
from facematch_comparison.run.pairs import PairState
from facematch_comparison.run.system import MOST_FAILURES
from facematch_core import errors
from facematch_core.backend import ImageLimits
from facematch_core.resilience import Budget, CircuitBreaker

pytestmark = pytest.mark.usefixtures("in_file_order")


AT_MOCK = {"environment": fm.Environment.MOCK}
LOST = fail_with(errors.OutcomeUnknown("Lost."))
WRONG_KEY = errors.AuthenticationFailed("The key is wrong.", status_code=401)


def from_mock(charged):
    billing = fm.Billing(charged)
    return errors.EnvironmentMismatch("From a mock.", billing=billing, **AT_MOCK)


#: What a vendor does, the error that ends the run of its system, and the first states.
ENDS = {
    "lost for nothing": (
        {"script": [None, LOST], "billed_operations": frozenset()},
        (None, ""),
        ["answered", "failed", *["answered"] * 4],
    ),
    "wrong key": ({"script": [None, WRONG_KEY]}, (errors.AuthenticationFailed, ""), ["answered"]),
    "a mock": (
        {"script": [None, from_mock(fm.Charged.NO)]},
        (errors.EnvironmentMismatch, ""),
        ["answered"],
    ),
    "a mock that charges": (
        {"script": [fail_with(from_mock(fm.Charged.YES))]},
        (errors.EnvironmentMismatch, ""),
        ["no response"],
    ),
    "another scale": (
        {"script": [charged_answer(), charged_answer(score=fm.Score(0.9, "fake/v2"))]},
        (errors.UnexpectedResponse, "on the scale fake/v2 instead of fake/v1"),
        ["answered", "no response"],
    ),
    "another environment": (
        {"script": [charged_answer(), charged_answer(**AT_MOCK)], "environment": None},
        (errors.UnexpectedResponse, "from mock instead of production"),
        ["answered", "no response"],
    ),
}


@pytest.mark.parametrize(("vendor", "error", "states"), ENDS.values(), ids=ENDS)
def test_what_would_meet_every_pair_ends_one_system_alone(database, study, vendor, error, states):
    backend, right = FakeBackend(**vendor), opener()
    summary = run_study(study, {"wrong": opener(backend), "right": right}, database, workers=1)
    ended, finished = summary.systems
    kind, says = error
    assert isinstance(ended.error, kind or type(None))
    assert says in str(ended.error)
    assert getattr(ended.error, "__traceback__", None) is None
    assert pair_states(database) == states + ["free"] * (6 - len(states))
    assert (finished.error, finished.progress.left) == (None, 0)
    # A pair that was charged is not asked again.
    again = run_study(study, {"wrong": opener(backend)}, database, workers=1)
    assert again.is_complete
    charged = "no response" in states
    assert pair_states(database).count("no response") == charged
    (answers, _) = read_answers(database, database.study())
    assert answers.scale == "fake/v1"


def test_a_budget_ends_one_system_alone(database, study):
    system = opener(policies=[Budget(2, name="shop")])
    summary = run_once(database, study, system)
    assert type(summary.error) is errors.BudgetExceeded
    assert pair_states(database) == ["answered", "answered", *["free"] * 4]
    assert run_once(database, study, opener(system.backend)).progress.left == 0
    assert len(system.backend.calls) == 6


def test_failures_to_acquire_are_answers(database, study):
    study.pairs[1].probe.write_bytes(picture(size=(8, 8)).data)
    script = [
        None,
        fail_with(errors.RequestRejected("Face not detected.", status_code=422)),
        charged_answer(decision=fm.Decision.INCONCLUSIVE, score=None),
    ]
    limits = ImageLimits(min_side_px=20)
    backend = FakeBackend(script=script, image_limits=limits)
    summary = run_once(database, study, opener(backend))
    (answers,) = read_answers(database, database.study())
    assert answers.answered.all()
    assert answers.acquired.tolist() == [True, False, False, False, True, True]
    assert answers.decisions.tolist() == [1, -1, -1, 3, 1, 1]
    assert answers.billed.tolist() == [1, 0, 0, 1, 1, 1]
    assert (summary.progress.not_acquired, len(backend.calls)) == (3, 5)


def test_a_vendor_that_is_down_is_left_alone_after_so_many_failures_in_a_row(database, tmp_path):
    """Each of which might cost money; an answer between them shows that it is there."""
    study = write_study(tmp_path / "many", 40)
    gone = errors.VendorUnavailable("Not there.")
    for error, kind, state in (
        (gone, errors.VendorUnavailable, "failed"),
        (fail_with(errors.OutcomeUnknown("Lost.")), errors.OutcomeUnknown, "unresolved"),
    ):
        system = opener(FakeBackend(script=[None, *[error] * 100]))
        summary = run_study(study, {state: system}, database, workers=1).systems[0]
        assert type(summary.error) is kind
        assert len(system.backend.calls) == MOST_FAILURES + 1
        assert summary.progress.states[state] == MOST_FAILURES
    fewer = [gone] * (MOST_FAILURES - 1)
    system = opener(FakeBackend(script=[*fewer, None, *fewer]))
    summary = run_study(study, {"shaky": system}, database, workers=1).systems[0]
    assert (summary.error, summary.progress.states["failed"]) == (None, len(fewer) * 2)
    # Who refuses everything is asked in a wrong way: nothing is a failure to acquire.
    refusal = fail_with(errors.RequestRejected("What is this?", status_code=400))
    system = opener(FakeBackend(script=[refusal] * 100))
    summary = run_study(study, {"wrong": system}, database, workers=1).systems[0]
    assert len(system.backend.calls) == MOST_FAILURES
    assert summary.progress.states == {PairState.FREE: 40}


def test_an_open_breaker_is_waited_for(database, study, clock):
    backend = FakeBackend(script=[None, *[fail_with(errors.OutcomeUnknown("Lost."))] * 2])
    breaker = CircuitBreaker(failures=2, open_s=30, clock=clock)
    system = opener(backend, policies=[breaker], clock=clock)
    before = clock.monotonic()
    summary = run_once(database, study, system, clock=clock)
    assert summary.error is None
    assert summary.progress.states == {PairState.ANSWERED: 4, PairState.UNRESOLVED: 2}
    assert clock.monotonic() - before >= 29


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda path: path.unlink(), "can no longer be read (No such file or directory)"),
        (lambda path: path.write_bytes(b"GIF89a"), "has changed since the run began"),
    ],
    ids=["gone", "changed"],
)
def test_a_picture_that_is_not_what_it_was_ends_the_system(database, study, change, says):
    third = study.pairs[2].probe

    def answered_then_changed(call):
        if third.exists() and third.read_bytes()[:3] != b"GIF":
            change(third)
        return charged_answer()(call)

    system = opener(FakeBackend(script=[answered_then_changed] * 6))
    ended = run_once(database, study, system)
    assert (ended.asked, type(ended.error)) == (2, errors.ConfigurationError)
    assert f"The picture {third} {says}: it was not sent." in str(ended.error)
    assert pair_states(database) == ["answered"] * 2 + ["free"] * 4


def test_files_that_are_no_pictures_are_found_before_anything_is_asked(database, study):
    study.pairs[1].probe.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    whole = study.pairs[4].reference.read_bytes()
    study.pairs[4].reference.write_bytes(whole[: len(whole) // 2])
    system = opener(FakeBackend())
    with pytest.raises(fm.InvalidRequest, match="2 problems; nothing was sent"):
        run_once(database, study, system)
    assert system.backend.calls == []
