"""Runs: every pair is asked once, and what ends a system early; outcomes of calls."""

import threading
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.comparison.studies import (
    charged_answer,
    fail_with,
    opener,
    pair_states,
    run_once,
    write_study,
)
from kit.fakes import FakeBackend

import facematch_core as fm
from facematch_comparison import PairState, Price, StudyRun, read_answers, run_study, to_frame
from facematch_comparison.scores.answers import NOT_ASKED
from facematch_core import errors
from facematch_core.batch.records import PairOutcome
from facematch_core.batch.system import MOST_FAILURES
from facematch_core.resilience import Budget, CircuitBreaker

pytestmark = pytest.mark.usefixtures("in_file_order")

AT_MOCK = {"environment": fm.Environment.MOCK}
LOST = fail_with(errors.OutcomeUnknown("Lost."))
WRONG_KEY = errors.AuthenticationFailed("The key is wrong.", status_code=401)
GONE = errors.VendorUnavailable("Not there.")
FACELESS = fail_with(errors.RequestRejected("Face not detected.", status_code=422))


# --- A run ---------------------------------------------------------------------------------------


def test_ctrl_c_lets_sent_calls_finish(database, study, monkeypatch):
    under_way = threading.Event()
    interrupted = threading.Event()

    def answer_after_ctrl_c(call):
        under_way.set()
        assert interrupted.wait(30)
        return charged_answer()(call)

    def interrupt(_futures, timeout):
        assert under_way.wait(30)
        interrupted.set()
        raise KeyboardInterrupt

    monkeypatch.setattr("facematch_core.batch.system.wait", interrupt)
    backends = {"a": FakeBackend(script=[answer_after_ctrl_c]), "b": FakeBackend()}
    systems = {name: opener(backend) for name, backend in backends.items()}
    with pytest.raises(KeyboardInterrupt):
        run_study(study, systems, database, workers=1)
    for system in database.systems():
        states = pair_states(database, system)
        assert set(states) <= {"answered", "free"}
        assert states.count("answered") == len(backends[system.name].calls)
    assert 1 <= len(backends["a"].calls) < 6


def test_a_stopped_run_is_resumed(database, study):
    system = opener(FakeBackend(script=[None, None, WRONG_KEY, None, None, FACELESS]))
    ended = []

    with StudyRun(study, {"fake": system}, database) as run:

        def pairs_asked(stop_after):
            summary = run.run(
                workers=1,
                progress=lambda *state: ended.append(state),
                stop=lambda: len(ended) >= stop_after,
            )
            return summary.systems[0].asked

        assert pairs_asked(stop_after=1) == 1
        assert pairs_asked(stop_after=9) == 1  # the wrong key ends it
        assert pairs_asked(stop_after=4) == 2
    assert run_once(database, study, system).asked == 2
    assert len(system.backend.calls) == 7


def test_a_bug_in_a_thread_reaches_the_caller(database, study):
    class Bug(BaseException):
        pass

    systems = {"wrong": opener(FakeBackend(script=[fail_with(Bug())])), "right": opener()}
    with pytest.raises(Bug):
        run_study(study, systems, database, workers=1)
    wrong, right = database.systems()
    # Whether it was charged nobody knows.
    assert pair_states(database, wrong) == ["asked"] + ["free"] * 5
    assert pair_states(database, right) == ["answered"] * 6


def of_model(model, score=80.0):
    """A step of a script: an answer of this model."""
    return charged_answer(model=model, score=fm.Score(score, "fake/v1"))


@pytest.fixture
def two_models(database, study):
    """The summary of a run in which one of two systems answered by two models."""
    script = [of_model("v1", 71.0), FACELESS, of_model("v2", 62.0), FACELESS, of_model("v1", 73.0)]
    alpha = opener(FakeBackend(script=[*script, LOST]))
    return run_study(study, {"alpha": alpha, "beta": opener()}, database, workers=1)


def test_a_summary_names_the_models_that_answered(two_models):
    assert two_models.systems[0].progress.models == {"v1": 2, "v2": 1}
    assert two_models.changed_models == {"alpha": {"v1": 2, "v2": 1}}


@pytest.mark.usefixtures("in_file_order", "two_models")
def test_each_model_is_a_system_that_was_not_asked_about_pairs_of_the_other(database):
    """Refusals name no model and stay."""
    first, second, beta = read_answers(database)
    assert (first.name, second.name, beta.name) == ("alpha v1", "alpha v2", "beta")
    assert (first.model, second.model) == ("v1", "v2")
    assert first.answered.tolist() == [True, True, False, True, True, False]
    assert first.acquired.tolist() == [True, False, False, False, True, False]
    assert first.not_answered == {NOT_ASKED: 1, "OutcomeUnknown": 1}
    assert second.scores[2] == 62.0


def test_answers_without_a_model_do_not_make_a_second_one(database, study):
    system = opener(FakeBackend(script=[of_model("v1"), of_model(None), of_model("v1")] * 2))
    assert run_study(study, {"one": system}, database, workers=1).changed_models == {}
    (answers,) = read_answers(database)
    assert answers.model == "v1"
    assert answers.answered.all()


# --- Systems -------------------------------------------------------------------------------------


def test_a_run_needs_a_system(database, study):
    with pytest.raises(fm.InvalidRequest, match="at least one system"):
        run_study(study, {}, database)


@pytest.fixture
def backend():
    return FakeBackend()


@pytest.mark.parametrize(
    ("open_system", "message"),
    [
        pytest.param(
            lambda backend, _on_event: backend,
            "is a FakeBackend, but must be a single backend",
            id="no verifier",
        ),
        pytest.param(
            lambda backend, _on_event: fm.FaceVerifier(backend),
            "ignored its argument on_event",
            id="without events",
        ),
    ],
)
def test_an_opener_makes_a_verifier_with_events(database, study, backend, open_system, message):
    systems = {"wrong": lambda on_event: open_system(backend, on_event)}
    with pytest.raises(fm.InvalidRequest, match=message):
        run_study(study, systems, database)
    assert backend.closed == 1
    assert database.systems() == ()


def test_what_a_backend_cannot_do_is_refused_before_anything_is_written(database, study, backend):
    forgetful = FakeBackend(retention=frozenset({fm.Retention.MINIMAL}))
    systems = {"first": opener(backend), "second": opener(forgetful)}
    with pytest.raises(errors.Unsupported, match="retention"):
        run_study(study, systems, database, keep=["second"])
    assert (backend.closed, forgetful.closed) == (1, 1)
    assert database.systems() == ()


PRICE = Price(amount="0.05", currency="USD")


def test_the_plan_lists_calls_and_costs_before_a_run(database, study):
    amount = {fm.Operation.MATCH: Decimal(1)}
    budget = Budget(Decimal(9), name="shop", currency="USD", price=amount)
    systems = {"paid": opener(policies=[budget])}
    with StudyRun(study, systems, database, prices={"paid": PRICE}) as run:
        (system,) = run.systems
        assert (run.stored.pairs, system.stored.price) == (6, PRICE)
        assert (system.progress.left, system.costs_money) == (6, True)
    with StudyRun(study, {"paid": opener()}, database) as run:
        assert run.systems[0].stored.price == PRICE  # it was given before


def test_pairs_of_a_plan_were_not_asked(database, study):
    with StudyRun(study, {"paid": opener()}, database):
        pass
    (answers,) = read_answers(database)
    assert answers.not_answered == {"not asked": 6}
    assert to_frame([answers])["error"].tolist() == ["not asked"] * 6


def test_a_local_system_costs_no_money(database, study):
    local = FakeBackend(environment=fm.Environment.LOCAL, billed_operations=frozenset())
    with StudyRun(study, {"free": opener(local)}, database) as run:
        assert not run.systems[0].costs_money
        assert run.run().is_complete
    assert local.closed


@pytest.mark.parametrize("review_threshold", [None, 90])
def test_answers_have_the_threshold_of_a_match(database, study, review_threshold):
    run_once(database, study, opener(threshold=80, review_threshold=review_threshold))
    (answers,) = read_answers(database)
    assert answers.threshold == 80


def test_a_run_needs_a_worker(database, study):
    with StudyRun(study, {"fake": opener()}, database) as run, pytest.raises(fm.InvalidRequest):
        run.run(workers=0)


# --- What ends a system --------------------------------------------------------------------------


def from_mock(charged):
    billing = fm.Billing(charged)
    return errors.EnvironmentMismatch("From a mock.", billing=billing, **AT_MOCK)


@pytest.mark.parametrize(
    ("vendor", "error", "message", "states"),
    [
        pytest.param(
            {"script": [None, WRONG_KEY]},
            errors.AuthenticationFailed,
            "",
            ["answered"] + ["free"] * 5,
            id="a wrong key",
        ),
        pytest.param(
            {"script": [None, from_mock(fm.Charged.NO)]},
            errors.EnvironmentMismatch,
            "",
            ["answered"] + ["free"] * 5,
            id="a mock",
        ),
        pytest.param(
            {"script": [from_mock(fm.Charged.YES)]},
            errors.EnvironmentMismatch,
            "",
            ["no response"] + ["free"] * 5,
            id="a mock that charges",
        ),
        pytest.param(
            {"script": [charged_answer(), charged_answer(score=fm.Score(0.9, "fake/v2"))]},
            errors.UnexpectedResponse,
            "on the scale fake/v2 instead of fake/v1",
            ["answered", "no response"] + ["free"] * 4,
            id="another scale",
        ),
        pytest.param(
            {"script": [charged_answer(), charged_answer(**AT_MOCK)], "environment": None},
            errors.UnexpectedResponse,
            "from mock instead of production",
            ["answered", "no response"] + ["free"] * 4,
            id="another environment",
        ),
    ],
)
def test_an_error_of_every_pair_ends_only_its_system(  # noqa: PLR0917 - fixtures
    database, study, vendor, error, message, states
):
    wrong = opener(FakeBackend(**vendor))
    summary = run_study(study, {"wrong": wrong, "right": opener()}, database, workers=1)
    ended, finished = summary.systems
    assert isinstance(ended.error, error)
    assert message in str(ended.error)
    assert ended.error.__traceback__ is None
    assert pair_states(database) == states
    assert (finished.error, finished.progress.left) == (None, 0)
    # A pair that was charged is not asked again.
    assert run_study(study, {"wrong": wrong}, database, workers=1).is_complete
    assert pair_states(database).count("no response") == states.count("no response")
    (answers, _) = read_answers(database)
    assert answers.scale == "fake/v1"


def test_a_call_that_is_lost_for_nothing_has_failed(database, study):
    system = opener(FakeBackend(script=[None, LOST], billed_operations=frozenset()))
    assert run_once(database, study, system).error is None
    assert pair_states(database) == ["answered", "failed"] + ["answered"] * 4


def test_an_exceeded_budget_ends_only_its_system(database, study):
    system = opener(policies=[Budget(2, name="shop")])
    summary = run_once(database, study, system)
    assert type(summary.error) is errors.BudgetExceeded
    assert pair_states(database) == ["answered", "answered"] + ["free"] * 4
    assert run_once(database, study, opener(system.backend)).progress.left == 0
    assert len(system.backend.calls) == 6


def run_forty_pairs(database, folder, script):
    """The ended system of a run with this script, and the number of its calls."""
    backend = FakeBackend(script=script)
    return run_once(database, write_study(folder / "many", 40), opener(backend)), len(backend.calls)


@pytest.mark.parametrize(
    ("failure", "error", "state"),
    [(GONE, errors.VendorUnavailable, "failed"), (LOST, errors.OutcomeUnknown, "unresolved")],
)
def test_a_vendor_is_skipped_after_several_failures_in_a_row(
    database, tmp_path, failure, error, state
):
    """Each of which might cost money."""
    summary, calls = run_forty_pairs(database, tmp_path, [None, *[failure] * 100])
    assert type(summary.error) is error
    assert calls == MOST_FAILURES + 1
    assert summary.progress.states[state] == MOST_FAILURES


def test_an_answer_between_failures_shows_that_the_vendor_is_there(database, tmp_path):
    failures = [GONE] * (MOST_FAILURES - 1)
    summary, _ = run_forty_pairs(database, tmp_path, [*failures, None, *failures])
    assert (summary.error, summary.progress.states["failed"]) == (None, len(failures) * 2)


def test_a_system_that_refuses_everything_is_asked_in_a_wrong_way(database, tmp_path):
    """Nothing is a failure to acquire."""
    refusal = fail_with(errors.RequestRejected("What is this?", status_code=400))
    summary, calls = run_forty_pairs(database, tmp_path, [refusal] * 100)
    assert calls == MOST_FAILURES
    assert summary.progress.states == {PairState.FREE: 40}


def test_the_run_waits_for_an_open_breaker(database, study, clock):
    backend = FakeBackend(script=[None, LOST, LOST])
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
def test_a_changed_picture_ends_the_system(database, study, change, says):
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


def test_files_that_are_not_pictures_are_found_before_sending(database, study):
    study.pairs[1].probe.write_bytes(b"version https://git-lfs.github.com/spec/v1")
    cut_off = study.pairs[4].reference
    cut_off.write_bytes(cut_off.read_bytes()[:100])
    system = opener()
    with pytest.raises(fm.InvalidRequest, match="2 problems; nothing was sent"):
        run_once(database, study, system)
    assert system.backend.calls == []


# --- Outcomes ------------------------------------------------------------------------------------


def with_subclasses(error_class):
    """The class and all below it."""
    classes = [error_class]
    for subclass in error_class.__subclasses__():
        classes += with_subclasses(subclass)
    return classes


#: Errors of the core; a plug-in's are below one of them.
ERRORS = [
    each for each in with_subclasses(errors.FaceMatchError) if each.__module__ == errors.__name__
]

#: Arguments that some errors need.
NEEDED = {
    errors.EnvironmentMismatch: {**AT_MOCK, "billing": fm.Billing(fm.Charged.NO)},
    errors.Unsupported: {"backend": "fake", "what": "retention"},
}


def state_without_charge(error_class):
    """What was not charged is free if it is not about the pair; else it failed, once."""
    if issubclass(error_class, (*errors.FATAL, errors.BreakerOpen, errors.StoreUnavailable)):
        return "free"
    if issubclass(error_class, errors.InvalidImage):
        return "answered"
    return "failed"


OF_VENDOR = [each for each in ERRORS if issubclass(each, errors.VendorError)]


@pytest.mark.parametrize("error_class", [each for each in ERRORS if each not in OF_VENDOR])
def test_an_error_without_a_charge_determines_the_state_of_a_pair(error_class):
    error = error_class("Something is wrong.", **NEEDED.get(error_class, {}))
    outcome = PairOutcome.of_error(error)
    assert (outcome.state, outcome.billed) == (state_without_charge(error_class), "no")
    assert (outcome.error, outcome.decision) == (error_class.__name__, None)


@pytest.mark.parametrize("charged", fm.Charged)
@pytest.mark.parametrize("error_class", OF_VENDOR)
def test_the_charge_of_an_error_determines_the_state_of_a_pair(error_class, charged):
    needed = NEEDED.get(error_class, {})
    error = error_class("Something is wrong.", **needed | {"billing": fm.Billing(charged)})
    outcome = PairOutcome.of_error(error)
    state_of_charge = {
        fm.Charged.YES: "no response",
        fm.Charged.UNKNOWN: "unresolved",
        fm.Charged.NO: state_without_charge(error_class),
    }
    assert (outcome.state, outcome.billed) == (state_of_charge[charged], charged)
    assert outcome.error == error_class.__name__
    # A system that charges nothing is asked again.
    outcome = PairOutcome.of_error(error, is_billed=False)
    assert (outcome.state, outcome.billed) == (state_without_charge(error_class), "no")


ABOUT_PICTURES = (400, 413, 415, 422)


@given(st.none() | st.integers(100, 599) | st.sampled_from(ABOUT_PICTURES), st.booleans())
def test_a_picture_rejected_by_the_vendor_is_a_failure_to_acquire(status, has_answered):
    error = errors.RequestRejected("Face not detected.", status_code=status)
    outcome = PairOutcome.of_error(error, has_answered=has_answered)
    expected = "failed"
    if status in ABOUT_PICTURES:
        expected = "answered" if has_answered else "free"
    assert (outcome.state, outcome.decision, outcome.billed) == (expected, None, "no")
