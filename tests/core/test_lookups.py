"""Face search and estimation of age through `FaceVerifier`: the shared rules hold for them."""

import inspect
import json

import pytest
from fakes import (
    EVERY,
    SCALE,
    FakeBackend,
    age_result,
    found,
    liveness_result,
    match_result,
    picture,
    search_result,
)
from hypothesis import given
from hypothesis import strategies as st
from strategies import age_results, match_results

from facematch_core import (
    AgeDecision,
    AgeResult,
    Answered,
    BackendUnusable,
    Billed,
    Charged,
    Decision,
    Demographics,
    Environment,
    EnvironmentMismatch,
    Face,
    FaceVerifier,
    InvalidImage,
    InvalidRequest,
    LiveMatchDecision,
    LiveMatchResult,
    LivenessDecision,
    Operation,
    OutcomeUnknown,
    ResultWarning,
    Score,
    SearchDecision,
    SearchMode,
    Sent,
    Severity,
    Started,
    Threshold,
    ThresholdRule,
    ThresholdSource,
    UnsupportedCapability,
    UnsupportedOption,
    VendorUnavailable,
    WarningCode,
    _rules,
)
from facematch_core.testing import ManualClock

A = picture()
EIGHTEEN = Threshold(18, ThresholdRule.AT_LEAST, ThresholdSource.DEFAULT)
CALLS = ["search_faces", "estimate_age"]


def open_fake(*script, **verifier):
    backend = FakeBackend(script=script, **EVERY)
    return backend, FaceVerifier(backend, **verifier)


def answers(decision, **fields):
    return FaceVerifier(FakeBackend(script=[search_result(decision, **fields)], **EVERY))


@pytest.mark.parametrize("name", CALLS)
def test_the_calls_own_data_is_kept(name):
    """Ids, reference, metadata, money and time, as of every call."""
    good = {"billed": Billed.YES, "billed_ground": "the script says so"}
    makers = {"search_faces": search_result, "estimate_age": age_result}
    backend, verifier = open_fake(makers[name](score=Score(80, SCALE), **good))
    result = getattr(verifier, name)(A, caller_ref="emp-1", metadata={"gate": ["n"]})
    assert (result.caller_ref, result.metadata) == ("emp-1", {"gate": ["n"]})
    assert result.attempt_id == backend.calls[0].attempt_id
    assert (result.billed, result.environment) == (Billed.YES, Environment.PRODUCTION)
    with pytest.raises(TypeError, match="no truth value"):
        bool(result)


@pytest.mark.parametrize("name", CALLS)
def test_the_records_of_a_call(name):
    """Started, sent, answered, charged; with the decision as text."""
    events = []
    backend = FakeBackend(script=[OutcomeUnknown("Lost.")], **EVERY)
    ask = getattr(FaceVerifier(backend, on_event=events.append), name)
    with pytest.raises(OutcomeUnknown) as caught:
        ask(A, retention="keep")
    assert [type(event) for event in events[:2]] == [Started, Sent]
    assert caught.value.attempt.operation is events[0].operation
    if name == "search_faces":
        backend.script = [search_result(billed=Billed.YES)]
    else:
        backend.script = [age_result(score=Score(80, SCALE), billed=Billed.YES)]
    result = ask(A)
    assert [type(event) for event in events[-2:]] == [Answered, Charged]
    assert events[-2].decision == result.decision.value


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"rotate": 1}, InvalidRequest),
        ({"retention": "for ever"}, InvalidRequest),
        ({"options": object()}, UnsupportedOption),
        ({"metadata": {"facematch_attempt_id": 1}}, InvalidRequest),
        ({"deadline_s": 0}, InvalidRequest),
    ],
    ids=["rotate", "retention", "options", "metadata", "deadline"],
)
def test_bad_options_are_refused(name, options, error):
    """Before anything is sent, by the same rules as those of a comparison."""
    backend, verifier = open_fake()
    with pytest.raises(error):
        getattr(verifier, name)(A, **options)
    assert backend.calls == []


@pytest.mark.parametrize("name", CALLS)
def test_a_backend_without_it_says_so(name):
    """Undeclared: refused by the verifier and by the backend itself."""
    with pytest.raises(UnsupportedCapability, match="fake has no"):
        getattr(FaceVerifier(FakeBackend()), name)(A)
    with pytest.raises(InvalidImage):
        getattr(FaceVerifier(FakeBackend(**EVERY)), name)("selfie.jpg")


@pytest.mark.parametrize("name", CALLS)
def test_the_environment_and_the_wrong_kind(name):
    """What guards a comparison guards these."""
    backend = FakeBackend(script=[match_result()], **EVERY)
    ask = getattr(FaceVerifier(backend), name)
    with pytest.raises(OutcomeUnknown, match="answered with MatchResult"):
        ask(A)
    free = FakeBackend(**EVERY | {"billed_operations": frozenset()})
    free._answer = lambda *_: match_result()
    with pytest.raises(BackendUnusable):
        getattr(FaceVerifier(free), name)(A)
    with pytest.raises(EnvironmentMismatch):
        getattr(FaceVerifier(backend, require_environment="mock"), name)(A)


def test_the_mode_of_a_search():
    """A portable word, refused where the backend has no such search."""
    backend, verifier = open_fake(search_result())
    verifier.search_faces(A, mode="most_similar")
    assert backend.calls[0].mode is SearchMode.MOST_SIMILAR
    assert backend.calls[0].threshold is None
    with pytest.raises(UnsupportedOption) as caught:
        verifier.search_faces(A, mode=SearchMode.BLOCKLISTED_OR_APPROVED)
    assert caught.value.option == "mode"
    for odd in ("everyone", None, 3):
        with pytest.raises(InvalidRequest, match=r"SearchMode\.MOST_SIMILAR"):
            verifier.search_faces(A, mode=odd)


def test_a_search_has_no_threshold():
    """Neither that of comparisons nor that of liveness, whatever the profile says."""
    backend, verifier = open_fake(search_result(), threshold=60, liveness_threshold=70)
    result = verifier.search_faces(A)
    assert (backend.calls[0].threshold, result.threshold) == (None, None)
    assert "threshold" not in inspect.signature(verifier.search_faces).parameters


@pytest.mark.parametrize(
    ("asked", "minimum_age"),
    [
        (None, EIGHTEEN),
        (21, Threshold(21, ThresholdRule.AT_LEAST, ThresholdSource.CALLER)),
        (0, None),
    ],
)
def test_who_set_the_minimum_age(asked, minimum_age):
    """The caller's, else the backend's; 0 is none."""
    backend, verifier = open_fake(age_result(AgeDecision.REVIEW), liveness_threshold=70)
    verifier.estimate_age(A, minimum_age=asked)
    assert backend.calls[0].minimum_age == minimum_age
    assert backend.calls[0].threshold.value == 70


@pytest.mark.parametrize("odd", [-1, 101, 18.0, True, "18", float("nan")])
def test_odd_minimum_ages_are_refused(odd):
    """Whole years from 0 to 100, and no bool."""
    backend, verifier = open_fake()
    with pytest.raises(InvalidRequest, match="minimum_age must"):
        verifier.estimate_age(A, minimum_age=odd)
    assert backend.calls == []


@pytest.mark.parametrize(
    ("decision", "fields", "wanted"),
    [
        (SearchDecision.CLEAR, {}, SearchDecision.CLEAR),
        (SearchDecision.FOUND, {"matches": [found()]}, SearchDecision.FOUND),
        (SearchDecision.CLEAR, {"matches": [found()]}, SearchDecision.REVIEW),
        (SearchDecision.FOUND, {}, SearchDecision.REVIEW),
        (SearchDecision.FOUND, {"matches": [found(True)]}, SearchDecision.REVIEW),
        (SearchDecision.FOUND, {"matches": [found(None)]}, SearchDecision.REVIEW),
        (SearchDecision.BLOCKLISTED, {"matches": [found(True)]}, SearchDecision.BLOCKLISTED),
        (SearchDecision.INCONCLUSIVE, {}, SearchDecision.INCONCLUSIVE),
    ],
)
def test_a_search_that_denies_itself_is_for_a_person(decision, fields, wanted):
    """Whatever a backend says: a blocklisted face is never clear, nor is one that is not told."""
    result = answers(decision, **fields).search_faces(A)
    assert result.decision is wanted
    assert result.is_clear is (wanted is SearchDecision.CLEAR)


@pytest.mark.parametrize("severity", [Severity.ERROR, Severity.UNKNOWN])
def test_a_grave_warning_ends_every_pass(severity):
    """A search and an age with one go to a person."""
    warning = ResultWarning(code=WarningCode.OTHER, severity=severity)
    result = answers(SearchDecision.CLEAR, warnings=[warning]).search_faces(A)
    assert result.decision is SearchDecision.REVIEW
    _, verifier = open_fake(age_result(score=Score(80, SCALE), warnings=[warning]))
    assert verifier.estimate_age(A).decision is AgeDecision.REVIEW


@pytest.mark.parametrize(
    ("decision", "age", "minimum", "wanted"),
    [
        (AgeDecision.OLD_ENOUGH, 18.0, None, AgeDecision.OLD_ENOUGH),
        (AgeDecision.OLD_ENOUGH, 17.99, None, AgeDecision.REVIEW),
        (AgeDecision.OLD_ENOUGH, None, None, AgeDecision.REVIEW),
        (AgeDecision.OLD_ENOUGH, 30.0, 0, AgeDecision.REVIEW),
        (AgeDecision.ESTIMATED, 30.0, 0, AgeDecision.ESTIMATED),
        (AgeDecision.ESTIMATED, 30.0, None, AgeDecision.REVIEW),
        (AgeDecision.TOO_YOUNG, 30.0, None, AgeDecision.TOO_YOUNG),
        (AgeDecision.NOT_LIVE, 30.0, None, AgeDecision.NOT_LIVE),
    ],
)
def test_an_age_that_denies_itself_is_for_a_person(decision, age, minimum, wanted):
    """Whatever a backend says: nobody is old enough below the minimum, or without an age."""
    _, verifier = open_fake(age_result(decision, age, score=Score(80, SCALE)))
    assert verifier.estimate_age(A, minimum_age=minimum).decision is wanted


def test_an_age_needs_a_live_face():
    """A score below the liveness threshold, or none, does not bear out a pass."""
    for score in (None, Score(20, SCALE)):
        _, verifier = open_fake(age_result(score=score))
        assert verifier.estimate_age(A, threshold=50).decision is AgeDecision.REVIEW
    _, verifier = open_fake(age_result(score=Score(60, SCALE)))
    assert verifier.estimate_age(A, review_threshold=70).decision is AgeDecision.REVIEW


def test_guesses_beside_the_age_are_dropped():
    """The age was asked for; those of the faces, and what the body tells of gender, were not."""
    face = Face(demographics=Demographics(age=30.1, gender="guessed"))
    given = age_result(
        score=Score(80, SCALE), probe_faces=[face], raw={"gender": "guessed", "age": 30.1}
    )
    _, verifier = open_fake(given)
    result = verifier.estimate_age(A)
    assert result.age == 30.0
    assert "guessed" not in json.dumps(result.to_dict())
    _, keeper = open_fake(given, keep_demographics=True)
    assert keeper.estimate_age(A).probe_faces[0].demographics.gender == "guessed"


def test_no_age_below_zero():
    """It would be below every minimum, and is none."""
    with pytest.raises(InvalidRequest, match="at least 0"):
        age_result(age=-1.0)


@given(age_results, match_results)
def test_no_rule_joins_an_age_with_a_match(age, match):
    """Its words may read like those of liveness; it is never taken for one."""
    with pytest.raises(InvalidRequest):
        _rules.together(age, match)
    for decision in LiveMatchDecision:
        with pytest.raises(InvalidRequest):
            LiveMatchResult(decision=decision, liveness=age, match=match)
        with pytest.raises(InvalidRequest):
            LiveMatchResult(decision=decision, liveness=liveness_result(), match=age)


def test_no_call_takes_an_age_and_a_pair():
    """A comparison has no minimum age, and an estimation of age no second picture."""
    for name in ("verify", "verify_live", "check_liveness"):
        assert "minimum_age" not in inspect.signature(getattr(FaceVerifier, name)).parameters
    assert "reference" not in inspect.signature(FaceVerifier.estimate_age).parameters
    assert not {Decision, LivenessDecision} & {
        type(word) for word in _rules.PASS[AgeResult] | {_rules.REVIEW[AgeResult]}
    }


@given(st.sampled_from(Operation))
def test_every_operation_has_its_rules(operation):
    """A new operation without them would pass unexamined."""
    from facematch_core._attempts import ANSWERS

    kind = ANSWERS[operation]
    assert _rules.PASS[kind]
    assert _rules.REVIEW[kind].value == "review"


def test_the_deadline_counts_from_the_start():
    """A deadline that ran out while the pictures were prepared sends nothing."""

    class Late(ManualClock):
        def monotonic(self):
            self.advance(1.0)
            return super().monotonic()

    backend, verifier = open_fake(clock=Late())
    with pytest.raises(VendorUnavailable, match="before anything was sent"):
        verifier.search_faces(A, deadline_s=0.5)
    assert backend.calls == []
