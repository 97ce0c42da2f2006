"""Face search and estimation of age: the rules that hold for every vendor hold for them."""

import copy
import inspect
import json
from decimal import Decimal
from pathlib import Path

import attrs
import pytest
import requests
from fakes import picture
from hypothesis import given
from strategies import match_results

from facematch_core import (
    BudgetExceeded,
    Charged,
    ConfigurationError,
    DeadlineExceeded,
    Demographics,
    Environment,
    EnvironmentMismatch,
    Face,
    FaceVerifier,
    InvalidImage,
    InvalidRequest,
    LiveMatchDecision,
    LiveMatchResult,
    Operation,
    OutcomeUnknown,
    RequestRejected,
    Result,
    ScaleWarning,
    Score,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    Unsupported,
    VendorUnavailable,
)
from facematch_core.http import MOCK_HEADER
from facematch_core.resilience import Budget, Outcome
from facematch_core.testing import ManualClock
from facematch_didit import (
    LIVENESS_SCALE,
    SEARCH_SCALE,
    AgeDecision,
    AgeResult,
    DiditAccount,
    DiditBackend,
    SearchMode,
    SearchResult,
    lookups,
)

A = picture()
FOLDER = Path(__file__).parent / "answers" / "lookups"
ANSWERS = {
    name: json.loads((FOLDER / f"{file}.json").read_bytes())
    for name, file in {"search_faces": "search_found", "estimate_age": "age_approved"}.items()
}
CALLS = list(ANSWERS)
MOCK = {MOCK_HEADER: "1"}


def age(decision=AgeDecision.OLD_ENOUGH, years=30.0, value=80.0, **fields):
    score = None if value is None else Score(value, LIVENESS_SCALE)
    limit = Threshold(30, ThresholdRule.ABOVE)
    fields = {"backend": "didit", "score": score, "threshold": limit} | fields
    return AgeResult(decision=decision, age=years, **fields)


def judged(result, minimum_age=18, review_threshold=None):
    review = None if review_threshold is None else Threshold(review_threshold, ThresholdRule.ABOVE)
    result = attrs.evolve(result, minimum_age=minimum_age or None)
    return lookups.judge(result, review_threshold=review).decision


@pytest.mark.parametrize("name", CALLS)
def test_the_calls_own_data_is_kept(name, account):
    """Ids, reference, metadata, money, environment and time, as of every call."""
    opened, _ = account(200, ANSWERS[name], environment="production")
    result = getattr(opened, name)(A, caller_ref="emp-1", metadata={"gate": ["n"]})
    assert (result.ids.caller, result.metadata) == ("emp-1", {"gate": ["n"]})
    assert result.ids.call
    assert result.ids.vendor == ANSWERS[name]["request_id"]
    assert (result.billing.charged, result.billing.charges) == (Charged.YES, 1)
    assert result.environment is Environment.PRODUCTION
    assert result.elapsed_s >= 0
    with pytest.raises(TypeError, match="no truth value"):
        bool(result)
    assert type(result).from_dict(json.loads(json.dumps(result.to_dict()))) == result
    assert result.to_dict()["kind"] == {"search_faces": "search", "estimate_age": "age"}[name]
    minimal = result.to_dict(minimal=True)
    assert minimal["decision"] == result.decision.value
    assert "matches" not in minimal


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"rotate": 1}, InvalidRequest),
        ({"retention": "for ever"}, InvalidRequest),
        ({"metadata": {"facematch_attempt_id": 1}}, InvalidRequest),
        ({"metadata": {1: 2}}, InvalidRequest),
        ({"metadata": {"x": float("nan")}}, InvalidRequest),
        ({"metadata": {"x": b"face"}}, InvalidRequest),
        ({"metadata": ["x"]}, InvalidRequest),
        ({"metadata": {"x": "\ud800"}}, InvalidRequest),
        ({"caller_ref": ""}, InvalidRequest),
        ({"caller_ref": 7}, InvalidRequest),
        ({"caller_ref": "\ud800"}, InvalidRequest),
        ({"caller_ref": " "}, Unsupported),
        ({"caller_ref": "x" * 256}, Unsupported),
        ({"deadline_s": 0}, InvalidRequest),
        ({"deadline_s": True}, InvalidRequest),
        ({"deadline_s": float("nan")}, InvalidRequest),
    ],
    ids=str,
)
def test_bad_options_are_refused(name, options, error, account):
    """Before anything is sent, by the same rules as those of a comparison."""
    opened, adapter = account(200, ANSWERS[name])
    with pytest.raises(error):
        getattr(opened, name)(A, **options)
    assert adapter.seen == []


@pytest.mark.parametrize("name", CALLS)
def test_pictures(name, account):
    """What is no picture is refused by name; what Didit does not take is converted."""
    opened, adapter = account(200, ANSWERS[name])
    for wrong in ("selfie.jpg", b"no picture"):
        with pytest.raises(InvalidImage) as caught:
            getattr(opened, name)(wrong)
        assert caught.value.picture == "probe"
    assert adapter.seen == []
    getattr(opened, name)(picture(kind="GIF").data)
    assert b'filename="user_image.jpg"' in adapter.seen[0].body


@pytest.mark.parametrize("name", CALLS)
def test_without_a_key(name, account):
    """Nothing can be sent, and that is said."""
    opened, adapter = account(200, ANSWERS[name], api_key=None)
    with pytest.raises(ConfigurationError, match="verify_email"):
        getattr(opened, name)(A)
    assert adapter.seen == []


def test_the_mode_of_a_search(account):
    """A word of ours, or its text; nothing else."""
    opened, adapter = account(200, ANSWERS["search_faces"])
    result = opened.search_faces(A, mode="blocklisted_or_approved")
    assert result.mode is SearchMode.BLOCKLISTED_OR_APPROVED
    for odd in ("everyone", None, 3):
        with pytest.raises(InvalidRequest, match="SearchMode"):
            opened.search_faces(A, mode=odd)
    assert len(adapter.seen) == 1
    assert "threshold" not in inspect.signature(opened.search_faces).parameters


@pytest.mark.parametrize(("asked", "told"), [(None, 18), (21, 21), (0, None), (100, 100)])
def test_the_minimum_age_of_a_result(asked, told, account):
    """The caller's, else Didit's default; 0 is none."""
    opened, _ = account(200, ANSWERS["estimate_age"])
    assert opened.estimate_age(A, minimum_age=asked).minimum_age == told


@pytest.mark.parametrize("odd", [-1, 101, 18.0, True, "18", float("nan")])
def test_odd_minimum_ages_are_refused(odd, account):
    """Whole years from 0 to 100, and no bool."""
    opened, adapter = account()
    with pytest.raises(InvalidRequest, match="minimum_age must"):
        opened.estimate_age(A, minimum_age=odd)
    assert adapter.seen == []


def test_who_set_the_threshold(account):
    """The caller or Didit's default; a fraction is warned of unless it is meant."""
    opened, adapter = account(200, ANSWERS["estimate_age"])
    limit = opened.estimate_age(A).threshold
    assert limit == Threshold(30, ThresholdRule.ABOVE, ThresholdSource.DEFAULT)
    result = opened.estimate_age(A, threshold=Threshold(0.5), review_threshold=99)
    assert result.threshold == Threshold(0.5, ThresholdRule.ABOVE, ThresholdSource.CALLER)
    assert (result.decision, result.review_threshold.value) == (AgeDecision.REVIEW, 99)
    with pytest.warns(ScaleWarning, match="threshold=0.5") as warned:
        opened.estimate_age(A, threshold=0.5)
    assert warned[0].filename == __file__
    sent = len(adapter.seen)
    for odd in (-1, 101, True, "50", float("nan")):
        with pytest.raises(InvalidRequest, match="threshold must"):
            opened.estimate_age(A, threshold=odd)
    with pytest.raises(InvalidRequest, match="above threshold"):
        opened.estimate_age(A, threshold=50, review_threshold=50)
    assert len(adapter.seen) == sent


@pytest.mark.parametrize(
    ("decision", "years", "minimum", "wanted"),
    [
        (AgeDecision.OLD_ENOUGH, 18.0, 18, AgeDecision.OLD_ENOUGH),
        (AgeDecision.OLD_ENOUGH, 17.99, 18, AgeDecision.REVIEW),
        (AgeDecision.OLD_ENOUGH, None, 18, AgeDecision.REVIEW),
        (AgeDecision.ESTIMATED, 30.0, 0, AgeDecision.ESTIMATED),
        (AgeDecision.TOO_YOUNG, 30.0, 18, AgeDecision.TOO_YOUNG),
        (AgeDecision.NOT_LIVE, 30.0, 18, AgeDecision.NOT_LIVE),
    ],
)
def test_an_age_that_contradicts_itself_is_for_a_person(decision, years, minimum, wanted):
    """Nobody is old enough below the minimum, or without an age."""
    assert judged(age(decision, years), minimum_age=minimum) is wanted


def test_an_age_needs_a_live_face():
    """A score below the liveness threshold, or none, does not support a pass."""
    assert judged(age(value=None)) is AgeDecision.REVIEW
    assert judged(age(value=20)) is AgeDecision.REVIEW
    assert judged(age(value=60), review_threshold=70) is AgeDecision.REVIEW
    assert judged(age(value=71), review_threshold=70) is AgeDecision.OLD_ENOUGH


@pytest.mark.parametrize("name", CALLS)
def test_guesses_about_people_are_dropped(name, account):
    """The age was asked for; those of the faces, and what the body has of gender, were not."""
    body = copy.deepcopy(ANSWERS[name])
    (block,) = (body[key] for key in ("face_search", "age_estimation") if key in body)
    block["user_image"] = {"entities": [{"age": 30.1, "gender": "guessed"}], "best_angle": 0}
    opened, _ = account(200, body)
    result = getattr(opened, name)(A)
    assert all(face.demographics is None for face in result.probe_faces)
    assert "guessed" not in json.dumps(result.to_dict())
    keeper, _ = account(200, body, keep_demographics=True)
    kept = getattr(keeper, name)(A)
    assert any(isinstance(face.demographics, Demographics) for face in kept.probe_faces)


def test_no_age_below_zero():
    """It would be below every minimum, and is none."""
    for odd in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="at least 0"):
            age(years=odd)


@given(match_results)
def test_nothing_joins_an_age_with_a_match(match):
    """Its words may read like those of liveness; it is never taken for one."""
    for decision in LiveMatchDecision:
        with pytest.raises(ValueError, match="LiveMatchResult"):
            LiveMatchResult(decision=decision, liveness=age(AgeDecision.NOT_LIVE), match=match)


def test_a_verifier_takes_no_age():
    """A comparison has no minimum age, and a verifier neither search nor age."""
    for name in ("verify", "verify_live", "check_liveness"):
        assert "minimum_age" not in inspect.signature(getattr(FaceVerifier, name)).parameters
    assert not [name for name in CALLS if hasattr(FaceVerifier, name)]
    assert DiditBackend.capabilities.operations == {Operation.MATCH, Operation.LIVENESS}
    assert issubclass(AgeResult, Result)
    assert issubclass(SearchResult, Result)
    assert isinstance(Face(), Face)


# Environments.


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("declared", [None, *Environment])
@pytest.mark.parametrize("headers", [{}, MOCK], ids=["vendor", "mock"])
def test_what_an_answer_says_of_itself_counts(name, declared, headers, account):
    """A contradiction is an error that keeps what was paid for; a mock has to say so."""
    if declared is Environment.LOCAL:
        with pytest.raises(ConfigurationError, match="environment must be"):
            account(environment=declared)
        return
    said = Environment.MOCK if headers else None
    opened, _ = account(200, ANSWERS[name], headers, environment=declared)
    if declared in (None, said) or (said is None and declared is not Environment.MOCK):
        assert getattr(opened, name)(A).environment is (said or declared)
        return
    with pytest.raises(EnvironmentMismatch) as caught:
        getattr(opened, name)(A)
    error = caught.value
    charged = Charged.NO if declared is Environment.SANDBOX else Charged.YES
    assert error.billing.charged is charged
    assert error.ids.call == (error.call.id if error.call else error.ids.call)
    if said is not None:
        assert error.result.environment is error.environment is said


def test_set_to_mock_at_didits_address():
    """Neither key nor face leaves, and nothing was charged."""
    with DiditAccount(api_key="k", environment="mock") as opened:
        with pytest.raises(EnvironmentMismatch, match="nothing was sent") as caught:
            opened.search_faces(A)
        assert caught.value.billing.charged is Charged.NO


# Errors, and money.


class Broken(requests.adapters.BaseAdapter):
    """Raises, as a connection that is lost does."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def send(self, request, **_):
        raise self.error

    def close(self):
        pass


def broken(error, **settings):
    opened = DiditAccount(api_key="some-key", **settings)
    opened.client.mount("https://", Broken(error))
    return opened


@pytest.mark.parametrize("name", CALLS)
def test_a_lost_answer_is_unknown(name):
    """Never repeated; the record of the call is with the error, and nothing can be looked up."""
    opened = broken(requests.exceptions.ReadTimeout("late"))
    with pytest.raises(OutcomeUnknown) as caught:
        getattr(opened, name)(A, retention="keep", caller_ref="case 7")
    error = caught.value
    assert (error.billing.charged, error.retryable) == (Charged.UNKNOWN, False)
    assert error.reconcilable is False
    assert (error.call.id, error.call.caller_ref, error.call.kept) == (
        error.ids.call,
        "case 7",
        True,
    )
    assert error.call.operation in (Operation.SEARCH, Operation.AGE)
    assert error.backend == "didit"


@pytest.mark.parametrize("name", CALLS)
def test_what_did_not_leave_costs_nothing(name, account):
    """A connection that was not made, and a refusal in Didit's words."""
    opened = broken(requests.exceptions.ConnectTimeout("no"))
    with pytest.raises(VendorUnavailable) as caught:
        getattr(opened, name)(A)
    assert (caught.value.billing.charged, caught.value.call) == (Charged.NO, None)
    opened, _ = account(400, {"user_image": ["It is so."]}, MOCK)
    with pytest.raises(RequestRejected) as caught:
        getattr(opened, name)(A)
    assert caught.value.field_errors == {"user_image": ("It is so.",)}
    assert caught.value.environment is Environment.MOCK
    assert caught.value.ids.call


class Late(ManualClock):
    """Every look at it costs a second."""

    def monotonic(self):
        self.advance(1.0)
        return super().monotonic()


@pytest.mark.parametrize("name", CALLS)
def test_the_deadline_counts_from_the_start(name, account):
    """One that ran out while the picture was prepared sends nothing."""
    opened, adapter = account(200, ANSWERS[name], clock=Late())
    with pytest.raises(VendorUnavailable, match="before anything was sent") as caught:
        getattr(opened, name)(A, deadline_s=0.5)
    assert caught.value.retryable is False
    assert not isinstance(caught.value, DeadlineExceeded)
    hurried = opened.within(0.5)
    with pytest.raises(VendorUnavailable, match="ran out"):
        getattr(hurried, name)(A)
    assert adapter.seen == []


def budget_of(cap=2, **more):
    return Budget(cap, name="didit", **more)


@pytest.mark.parametrize("name", CALLS)
def test_a_budget_holds(name, account):
    """What was charged is spent, what was refused is free again, beyond the cap nothing goes."""
    budget = budget_of()
    opened, adapter = account(200, ANSWERS[name], budget=budget)
    refused, _ = account(400, {"detail": "No."}, budget=budget)
    getattr(opened, name)(A)
    with pytest.raises(RequestRejected):
        getattr(refused, name)(A)
    getattr(opened, name)(A)
    with pytest.raises(BudgetExceeded) as caught:
        getattr(opened, name)(A)
    assert (caught.value.spent, caught.value.reserved, caught.value.unknown) == (2, 0, 0)
    assert len(adapter.seen) == 2


def test_an_unknown_charge_stays_set_aside(account):
    """Also after Ctrl-C, once a byte may have left."""
    budget = budget_of(1)
    with pytest.raises(OutcomeUnknown):
        broken(requests.exceptions.ReadTimeout("late"), budget=budget).search_faces(A)
    opened, adapter = account(200, ANSWERS["search_faces"], budget=budget)
    with pytest.raises(BudgetExceeded) as caught:
        opened.search_faces(A)
    assert (caught.value.spent, caught.value.unknown) == (0, 1)
    assert adapter.seen == []


def test_one_budget_for_verifier_and_account(account, answers, canned):
    """Prices are by operation, and both count together."""
    prices = {Operation.MATCH: Decimal("0.05"), Operation.SEARCH: Decimal("0.10")}
    budget = budget_of(Decimal("0.15"), currency="USD", price=prices)
    backend, _ = canned(200, answers["match_approved"])
    opened, _ = account(200, ANSWERS["search_faces"], budget=budget)
    with FaceVerifier(backend, policies=[budget]) as verifier:
        verifier.verify(A, A)
        opened.search_faces(A)
        with pytest.raises(BudgetExceeded) as caught:
            verifier.verify(A, A)
    assert caught.value.spent == Decimal("0.15")
    with pytest.raises(ConfigurationError, match="no price for age"):
        opened.estimate_age(A)


def test_calls_of_a_mock_use_up_nothing_of_production(account):
    """By what is declared, as for a verifier."""
    budget = budget_of(1)
    for environment, headers in (("mock", MOCK), ("production", {})):
        opened, _ = account(
            200, ANSWERS["search_faces"], headers, environment=environment, budget=budget
        )
        opened.search_faces(A)


class Noting(Budget):
    """Keeps what it was left with."""

    def __init__(self):
        super().__init__(5, name="didit")
        self.left = []

    def enter(self, context):
        leave = super().enter(context)

        def left(outcome):
            self.left.append((context, outcome))
            leave(outcome)

        return left


@pytest.mark.parametrize("name", CALLS)
def test_what_a_budget_learns(name, account):
    """One context per call, and one outcome."""
    budget = Noting()
    opened, _ = account(200, ANSWERS[name], MOCK, budget=budget)
    result = getattr(opened, name)(A, deadline_s=9)
    ((context, outcome),) = budget.left
    assert (context.call.id, context.number, context.paid) == (result.ids.call, 1, True)
    assert context.environment is Environment.PRODUCTION
    assert context.until is not None
    assert outcome == Outcome(
        charged=Charged.YES, sent=True, environment=Environment.MOCK, answered=True
    )
    opened = broken(KeyboardInterrupt(), budget=budget)
    with pytest.raises(KeyboardInterrupt):
        getattr(opened, name)(A)
    assert budget.left[1][1].answered is False
    assert result.score is None or result.score.scale in (SEARCH_SCALE, LIVENESS_SCALE)


def test_the_account_of_a_backend_keeps_its_own_arguments():
    """Those that a backend does not have are given to `of`."""
    budget = budget_of()
    with FaceVerifier(DiditBackend(api_key="k")) as verifier:
        opened = DiditAccount.of(verifier.backend, budget=budget, keep_demographics=True)
        assert opened.budget is budget
        assert opened.within(5).budget is budget
        assert opened.keep_demographics
