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
from facematch_comparison.run.records import PairOutcome
from facematch_comparison.run.system import MOST_FAILURES
from facematch_comparison.scores.answers import NOT_ASKED
from facematch_core import errors
from facematch_core.resilience import Budget, CircuitBreaker

pytestmark = pytest.mark.usefixtures("in_file_order")

AT_MOCK = {"environment": fm.Environment.MOCK}
LOST = fail_with(errors.OutcomeUnknown("Lost."))
WRONG_KEY = errors.AuthenticationFailed("The key is wrong.", status_code=401)
FACELESS = fail_with(errors.RequestRejected("Face not detected.", status_code=422))


# --- A run ---------------------------------------------------------------------------------------


def test_ctrl_c_lets_sent_calls_finish(database, study, monkeypatch):
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
    for system, backend in zip(database.systems(), backends, strict=True):
        states = pair_states(database, system)
        assert set(states) <= {"answered", "free"}
        assert states.count("answered") == len(backend.calls)
    assert 1 <= len(backends[0].calls) < 6


def test_a_stopped_run_is_resumed(database, study):
    system, ended = opener(FakeBackend(script=[None, None, WRONG_KEY, None, None, FACELESS])), []
    with StudyRun(study, {"fake": system}, database) as run:
        more = {"workers": 1, "progress": lambda *about: ended.append(about)}
        asked = [
            run.run(**more, stop=lambda most=most: len(ended) >= most).systems[0].asked
            for most in (1, 9, 4)
        ]
    assert (asked, run_once(database, study, system).asked) == ([1, 1, 2], 2)
    assert len(system.backend.calls) == 7


def test_a_bug_in_a_thread_reaches_the_caller(database, study):
    class Bug(BaseException):
        pass

    wrong, right = opener(FakeBackend(script=[fail_with(Bug())])), opener()
    with pytest.raises(Bug):
        run_study(study, {"wrong": wrong, "right": right}, database, workers=1)
    first, second = database.systems()
    # Whether it was charged nobody knows.
    assert pair_states(database, first) == ["asked", *["free"] * 5]
    assert pair_states(database, second) == ["answered"] * 6


def of_model(model, score=80.0, **more):
    """A step of a script: an answer of this model."""
    return charged_answer(model=model, score=fm.Score(score, "fake/v1"), **more)


def test_answers_of_two_models_need_the_name_of_one(database, study):
    script = [of_model("v1", 71.0), FACELESS, of_model("v2", 62.0), FACELESS]
    script.append(of_model("v1", 73.0))
    system = opener(FakeBackend(script=[*script, LOST]))
    summary = run_study(study, {"alpha": system, "beta": opener()}, database, workers=1)
    assert summary.systems[0].progress.models == {"v1": 2, "v2": 1}
    assert summary.changed_models == {"alpha": {"v1": 2, "v2": 1}}
    for models in ((), ("v3",), ("v1", "v2")):
        with pytest.raises(fm.InvalidRequest, match=r"'v1' .2 pairs. and 'v2' .1 pairs"):
            read_answers(database, models=models)
    first, other = read_answers(database, models=["v1"])
    assert (first.name, first.model, other.name) == ("alpha", "v1", "beta")
    # Pairs of the other model were not asked; refusals name no model and stay.
    assert first.answered.tolist() == [True, True, False, True, True, False]
    assert first.acquired.tolist() == [True, False, False, False, True, False]
    assert first.not_answered == {NOT_ASKED: 1, "OutcomeUnknown": 1}
    assert read_answers(database, models=["v2"])[0].scores[2] == 62.0
    # Answers without a model do not make a second one.
    script = [of_model("v1"), of_model(None), of_model("v1")] * 2
    system = opener(FakeBackend(script=script))
    assert run_study(study, {"one": system}, database, workers=1).changed_models == {}
    answers = read_answers(database, models=["v1"])[-1]
    assert (answers.name, answers.model, answers.answered.all()) == ("one", "v1", True)


# --- Systems -------------------------------------------------------------------------------------


def test_systems_that_cannot_be_run_are_rejected(database, study):
    with pytest.raises(fm.InvalidRequest, match="at least one system"):
        run_study(study, {}, database)
    failover = FakeBackend()
    with pytest.raises(fm.InvalidRequest, match="is a FakeBackend, but must be a single backend"):
        run_study(study, {"both": lambda on_event: failover}, database)
    deaf = FakeBackend()
    with pytest.raises(fm.InvalidRequest, match="ignored its argument on_event"):
        run_study(study, {"deaf": lambda on_event: fm.FaceVerifier(deaf)}, database)
    # What a backend cannot do is refused, too, before anything is written.
    first, second = FakeBackend(), FakeBackend(retention=frozenset({fm.Retention.MINIMAL}))
    systems = {"first": opener(first), "second": opener(second)}
    with pytest.raises(errors.Unsupported, match="retention"):
        run_study(study, systems, database, keep=["second"])
    assert [each.closed for each in (failover, deaf, first, second)] == [1] * 4
    assert database.systems() == ()


def test_the_plan_lists_calls_and_costs_before_a_run(database, study):
    budget = Budget(Decimal(9), name="shop", currency="USD", price={fm.Operation.MATCH: Decimal(1)})
    price = Price(amount="0.05", currency="USD")
    for paid, prices in ((opener(policies=[budget]), {"paid": price}), (opener(), {})):
        with StudyRun(study, {"paid": paid}, database, prices=prices) as run:
            (system,) = run.systems
            assert (run.stored.pairs, system.stored.price) == (6, price)
            assert (system.progress.left, system.costs_money) == (6, True)
    free = opener(FakeBackend(environment=fm.Environment.LOCAL, billed_operations=frozenset()))
    with StudyRun(study, {"free": free}, database) as run:
        (system,) = run.systems
        assert not system.costs_money
        with pytest.raises(fm.InvalidRequest):
            run.run(workers=0)
        assert run.run().is_complete
    assert free.backend.closed
    paid, local = read_answers(database)
    assert paid.not_answered == {"not asked": 6}
    assert to_frame([paid])["error"].tolist() == ["not asked"] * 6
    assert local.privacy == "Nothing left this machine."
    assert (paid.name, local.name) == ("paid", "free")


def test_privacy_statement_covers_all_runs(database, study):
    system = opener(FakeBackend(script=[None] * 2 + [WRONG_KEY]))
    privacy = []
    for keep in ((), ["fake"], ()):
        run_once(database, study, system, keep=keep)
        (answers,) = read_answers(database)
        privacy.append(answers.privacy)
    nothing = "Both pictures of each pair were sent; fake was asked to keep nothing."
    kept = "fake was asked to keep each call as a record, pictures included."
    assert privacy == [nothing, kept, kept]


# --- What ends a system --------------------------------------------------------------------------


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
def test_an_error_of_every_pair_ends_only_its_system(database, study, vendor, error, states):
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
    (answers, _) = read_answers(database)
    assert answers.scale == "fake/v1"


def test_an_exceeded_budget_ends_only_its_system(database, study):
    system = opener(policies=[Budget(2, name="shop")])
    summary = run_once(database, study, system)
    assert type(summary.error) is errors.BudgetExceeded
    assert pair_states(database) == ["answered", "answered", *["free"] * 4]
    assert run_once(database, study, opener(system.backend)).progress.left == 0
    assert len(system.backend.calls) == 6


def test_a_vendor_is_skipped_after_several_failures_in_a_row(database, tmp_path):
    """Each of which might cost money; an answer between them shows that it is there."""
    study = write_study(tmp_path / "many", 40)
    gone = errors.VendorUnavailable("Not there.")
    for error, kind, state in (
        (gone, errors.VendorUnavailable, "failed"),
        (LOST, errors.OutcomeUnknown, "unresolved"),
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


def every(kind):
    return [kind, *(subclass for below in kind.__subclasses__() for subclass in every(below))]


#: Errors of the core with each charge that they may have; a plug-in's are below one of them.
CASES = [
    (kind, billed)
    for kind in every(errors.FaceMatchError)
    if kind.__module__ == errors.__name__
    for billed in (fm.Charged if issubclass(kind, errors.VendorError) else [None])
]
#: Arguments that some errors need.
MORE = {
    errors.EnvironmentMismatch: {**AT_MOCK, "billing": fm.Billing(fm.Charged.NO)},
    errors.Unsupported: {"backend": "fake", "what": "retention"},
}


@pytest.mark.parametrize(("kind", "billed"), CASES)
def test_error_and_billing_determine_the_state_of_a_pair(kind, billed):
    """What was not charged is free if it is not about the pair; else it failed, once."""
    about = {} if billed is None else {"billing": fm.Billing(billed)}
    error = kind("Something is wrong.", **MORE.get(kind, {}) | about)
    uncharged = "failed"
    if issubclass(kind, (*errors.FATAL, errors.BreakerOpen, errors.StoreUnavailable)):
        uncharged = "free"
    elif issubclass(kind, errors.InvalidImage):
        uncharged = "answered"
    state = {fm.Charged.YES: "no response", fm.Charged.UNKNOWN: "unresolved"}.get(billed, uncharged)
    kept = PairOutcome.of_error(error)
    assert (kept.state, kept.billed, kept.error) == (state, billed or "no", kind.__name__)
    # A system that charges nothing is asked again.
    kept = PairOutcome.of_error(error, is_billed=False)
    assert (kept.state, kept.billed, kept.decision) == (uncharged, "no", None)


@given(
    st.one_of(st.none(), st.integers(100, 599), st.sampled_from([400, 413, 415, 422])),
    st.booleans(),
)
def test_a_picture_rejected_by_the_vendor_is_a_failure_to_acquire(status, has_answered):
    error = errors.RequestRejected("Face not detected.", status_code=status)
    kept = PairOutcome.of_error(error, has_answered=has_answered)
    about_pictures = "answered" if has_answered else "free"
    state = about_pictures if status in (400, 413, 415, 422) else "failed"
    assert (kept.state, kept.decision, kept.billed) == (state, None, "no")
