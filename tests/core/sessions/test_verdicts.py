"""What a reading means: whose session it is, from where, and whether a pass is one."""

import datetime as dt
import math

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kit.sessions import ABOUT, CAN, LIVENESS, MATCH, PURPOSE, SUBJECT, live, match, reading

import facematch_core as fm
from facematch_core import models
from facematch_core.backend.session_types import SessionAccess, SessionReading, VendorCopy
from facematch_core.call.verdict import DefaultThresholds
from facematch_core.sessions.verdicts import SessionRules, judge_as_gone_if_too_old, judge_reading
from facematch_core.testing import ManualClock

START = dt.datetime(2020, 1, 1, 12, tzinfo=dt.UTC)
PRODUCTION = fm.Environment.PRODUCTION
MOCK = fm.Environment.MOCK
STATE = fm.SessionState
COMPARED = fm.ComparedWith
GRAVE = fm.ResultWarning(code=fm.WarningCode.OTHER, severity=models.Severity.ERROR)

RECORD = fm.SessionRecord(
    id="5" * 32,
    backend="acme",
    environment=PRODUCTION,
    subject_ref=SUBJECT,
    purpose=PURPOSE,
    about=ABOUT,
    expects=(MATCH, LIVENESS),
    compared_with="given",
    facts={"region": "r-1"},
    planned_at=START,
    started_at=START,
    session_id="s-1",
    vendor={"workflow": "w-1"},
)
RULES = SessionRules(
    backend="acme",
    capabilities=CAN,
    declared_environment=PRODUCTION,
    required_environment=PRODUCTION,
    defaults={operation: DefaultThresholds() for operation in fm.Operation},
    threshold_rule=models.ThresholdRule.AT_LEAST,
    facts={"region": "r-1"},
)


#: A person, a purpose and a case as in `RECORD`, for `is_verified_for`.
CASE = {"purpose": PURPOSE, "about": ABOUT, "max_age_s": 600}


def after(seconds):
    return START + dt.timedelta(seconds=seconds)


def judged(record=RECORD, rules=None, at=10.0, **fields):
    rules = attrs.evolve(RULES, **(rules or {}))
    session = judge_reading(reading(record, **fields), record, rules, ManualClock(after(at)))
    return attrs.evolve(session.result, portrait=session.portrait)


def verified(result, subject=SUBJECT, purpose=PURPOSE, about=ABOUT, max_age_s=3600.0):
    question = {"purpose": purpose, "about": about, "max_age_s": max_age_s}
    is_verified = result.is_verified_for(subject, **question)
    assert is_verified is not bool(result.why_not(subject, **question))
    return is_verified


def changed(**fields):
    return attrs.evolve(RECORD, **fields)


def test_decided_session_with_every_check_passed_is_verified():
    result = judged()
    assert verified(result)
    assert result.match.is_match
    assert result.liveness.is_live
    assert result.compared_with is COMPARED.GIVEN
    assert result.match.environment is PRODUCTION
    assert not result.match.warnings
    with pytest.raises(TypeError, match=r"is_verified_for\(") as caught:
        bool(result)
    assert ".is_match" not in str(caught.value)


def test_age_counts_from_the_plan_if_the_vendor_shows_no_time():
    record = changed(started_at=after(3000))
    assert verified(judged(record, at=3010, created_at=after(3000)), max_age_s=60)
    assert not verified(judged(record, at=3010, created_at=None), max_age_s=60)
    assert not verified(judged(record, at=3010, created_at=after(1)), max_age_s=60)


DOUBTFUL = {
    "a reference, and none is shown": (RECORD, {"compared_with": COMPARED.UNKNOWN}),
    "a reference, and the document was compared": (RECORD, {"compared_with": COMPARED.DOCUMENT}),
    "a stored face was compared": (
        changed(compared_with="document"),
        {"compared_with": COMPARED.STORED},
    ),
    "the vendor did not approve": (RECORD, {"approved": False}),
    "a weaker method": (RECORD, {"review_reasons": (GRAVE,)}),
    "still processing": (RECORD, {"state": STATE.PROCESSING}),
    "a new word": (RECORD, {"state": STATE.UNKNOWN}),
    "expired again": (RECORD, {"state": STATE.EXPIRED}),
    "a stricter record": (changed(threshold=95.0), {}),
    "a review of the record": (changed(threshold=50.0, review_threshold=95.0), {}),
    "a grave warning": (RECORD, {"checks": (match(warnings=(GRAVE,)), live())}),
}


@pytest.mark.parametrize("case", DOUBTFUL)
def test_doubtful_match_becomes_a_review(case):
    record, fields = DOUBTFUL[case]
    result = judged(record, **fields)
    assert result.match.decision is fm.Decision.REVIEW
    assert any(warning.severity.is_grave for warning in result.match.warnings) or (
        record.review_threshold
    )
    assert not verified(result)


def test_result_verifies_only_its_subject_purpose_time_and_environment():
    result = judged()
    assert result.required_environment is PRODUCTION
    for elsewhere in (fm.Environment.SANDBOX, MOCK, None):
        foreign = attrs.evolve(result, environment=elsewhere)
        assert not verified(foreign)
        assert verified(attrs.evolve(foreign, required_environment=None))
    others = {"subject": "another"}, {"purpose": "login"}, {"about": None}, {"about": "another"}
    for question in (*others, {"max_age_s": 9.0}):
        assert not verified(result, **question)
    for invalid in (0, math.nan, True, "600"):
        with pytest.raises(fm.InvalidRequest):
            verified(result, max_age_s=invalid)
    for seconds, is_yes in ((-61, False), (-59, True), (3599, True), (3601, False), (3e7, False)):
        assert verified(attrs.evolve(result, clock=ManualClock(after(seconds)))) is is_yes
    assert not verified(attrs.evolve(result, record=changed(started_at=None)))
    for state in set(STATE) - {STATE.DECIDED}:
        assert not verified(attrs.evolve(result, state=state))


@pytest.mark.parametrize("check", [MATCH, LIVENESS])
def test_failed_check_prevents_verification_even_if_not_expected(check):
    """A mask that matches is a mask, also for who asked for a match alone."""
    mask = {"checks": (match(), live(fm.LivenessDecision.NOT_LIVE))}
    stranger = {"checks": (match(fm.Decision.NO_MATCH), live())}
    result = judged(changed(expects=(check,)), **(mask if check is MATCH else stranger))
    assert not verified(result)
    alone = match() if check is MATCH else live()
    assert verified(judged(changed(expects=(check,)), checks=(alone,)))


MISMATCHES = {
    "session_id": {"session_id": "s-2"},
    "record_id": {"record_id": "6" * 32},
    "terms": {"terms": "0" * 64},
    "subject_ref": {"subject_ref": "another"},
    "created_at": {"created_at": after(-61)},
    "vendor": {"vendor": {"workflow": "w-2"}},
    "facts": {"facts": {"region": "r-2"}},
}


@pytest.mark.parametrize("field", MISMATCHES)
def test_reading_of_another_session_raises_session_mismatch(field):
    with pytest.raises(fm.SessionMismatch) as caught:
        judged(**MISMATCHES[field])
    assert caught.value.field == field
    assert caught.value.billing.charged is fm.Charged.NO
    assert "another" not in caught.value.message
    assert verified(judged(created_at=after(-59))), "a clock may be a minute late"


@pytest.mark.parametrize("stated", ["mock", None])
def test_early_session_of_a_mock_blames_the_clock_of_the_mock(stated):
    record = changed(environment=MOCK)
    rules = {"declared_environment": MOCK, "required_environment": MOCK}
    with pytest.raises(fm.SessionMismatch, match=r"let the mock's clock run"):
        judged(record, rules, environment=stated, created_at=after(-61))


def test_terms_hash_is_stable():
    assert RECORD.terms == "348b76de5ea00cd85c9bc00435ae810e8fc13ce4222a0ad8565736e42172a0a0"


@pytest.mark.parametrize("name", ["record_id", "terms"])
def test_missing_record_id_or_terms_raise_session_mismatch(name):
    with pytest.raises(fm.SessionMismatch):
        judged(**{name: None})
    stores = CAN.stores - {VendorCopy.ID if name == "record_id" else VendorCopy.TERMS}
    assert verified(
        judged(rules={"capabilities": attrs.evolve(CAN, stores=stores)}, **{name: None})
    )


def test_copies_are_due_once_the_vendor_has_decided_or_returns_any():
    untold = {"record_id": None, "terms": None}
    started = changed(session_id="s-1")
    for state in set(STATE) - {STATE.DECIDED}:
        result = judged(started, **untold, state=state, checks=())
        assert not verified(result)
    for reason in (
        {"state": STATE.DECIDED},
        {"state": STATE.PENDING, "terms": started.terms},
        {"state": STATE.PENDING, "subject_ref": started.subject_ref},
    ):
        with pytest.raises(fm.SessionMismatch):
            judged(started, **untold | reason)
    with pytest.raises(fm.SessionMismatch):
        # Found by a search: nothing else shows that it is the record's.
        judged(changed(session_id=None), **untold, state=STATE.PENDING)


@pytest.mark.parametrize(
    "fields",
    [
        # Nothing that a session reports could fail these two.
        {"expects": ["session"]},
        {"compared_with": None},
        {"liveness_threshold": 101.0},
        {"threshold": math.nan},
        {"valid_for_s": math.inf},
        # Nothing could be added to one, or taken from the other.
        {"started_at": "9999-12-31T00:00Z"},
        {"planned_at": "0001-01-01T00:00Z"},
    ],
    ids=str,
)
def test_invalid_record_field_is_named_in_the_error(fields):
    with pytest.raises(ValueError, match=rf"\$\.{min(fields)}\b"):
        fm.SessionRecord.from_dict({**RECORD.to_dict(), **fields})


@pytest.mark.parametrize(
    ("of_record", "declared", "required", "stated"),
    [
        (None, None, None, "staging"),
        (None, PRODUCTION, None, MOCK),
        (PRODUCTION, None, None, MOCK),
        (MOCK, MOCK, PRODUCTION, MOCK),
        (None, None, PRODUCTION, None),
    ],
)
def test_conflicting_environments_raise_environment_mismatch(of_record, declared, required, stated):
    rules = {"declared_environment": declared, "required_environment": required}
    with pytest.raises(fm.EnvironmentMismatch) as caught:
        judged(changed(environment=of_record), rules, environment=stated, session_id="s-2")
    assert caught.value.environment == (None if stated == "staging" else stated)


def test_gone_session_is_inconclusive_without_an_identity_check():
    result = judged(state=STATE.GONE, record_id=None, terms=None, session_id="s-2")
    assert result.state is STATE.GONE
    assert (result.match.decision, result.liveness.decision) == ("inconclusive", "inconclusive")
    assert result.read_again_s is None


def test_missing_session_is_gone_only_after_the_result_expires():
    rules = attrs.evolve(RULES, capabilities=attrs.evolve(CAN, result_lasts_s=180.0))
    assert judge_as_gone_if_too_old(RECORD, rules, ManualClock(after(180))) is None
    gone = judge_as_gone_if_too_old(RECORD, rules, ManualClock(after(181)))
    assert (gone.state, gone.record) == (STATE.GONE, RECORD)
    assert (gone.environment, gone.required_environment) == (PRODUCTION, PRODUCTION)
    assert gone.billing.charged is fm.Charged.NO
    assert judge_as_gone_if_too_old(RECORD, RULES, ManualClock(after(1e6))) is None


@pytest.mark.parametrize(
    ("fields", "at", "state"),
    [
        ({"checks": ()}, 3601, STATE.EXPIRED),
        ({"checks": ()}, 3600, STATE.PENDING),
        ({"checks": (), "access": SessionAccess(expires_at=after(600))}, 601, STATE.EXPIRED),
        ({"checks": (), "has_begun": True}, 4501, STATE.EXPIRED),
        ({"checks": (live(fm.LivenessDecision.INCONCLUSIVE),)}, 4500, STATE.PENDING),
        ({"checks": (), "is_asked_back": True}, 30 * 86400, STATE.PENDING),
    ],
)
def test_pending_session_expires_unless_the_vendor_asked_the_person_back(fields, at, state):
    access = fields.pop("access", SessionAccess())
    access = attrs.evolve(access, link=fm.Secret("https://go.acme.example/s"))
    result = judged(at=at, state=STATE.PENDING, **{**fields, "access": access})
    assert result.state is state
    assert (result.access is None) is (state is STATE.EXPIRED)
    assert (result.read_again_s is None) is (state is STATE.EXPIRED)


ITEMS = st.one_of(
    st.builds(match, st.sampled_from(fm.Decision), st.none() | st.floats(0, 100)),
    st.builds(live, st.sampled_from(fm.LivenessDecision), st.none() | st.floats(0, 100)),
)
READINGS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(STATE),
        "approved": st.sampled_from([True, False, None]),
        "checks": st.lists(ITEMS, max_size=4).map(tuple),
        "compared_with": st.sampled_from(COMPARED),
        "review_reasons": st.sampled_from([(), (GRAVE,)]),
    }
)
THRESHOLDS = st.none() | st.floats(1, 90)
PICTURES = st.sampled_from(["given", "document", "stored"])


@given(READINGS, THRESHOLDS, THRESHOLDS, PICTURES, st.integers(0, 7200))
def test_verified_only_if_every_vendor_check_and_own_rule_passes(
    fields, of_record, today, picture, at
):
    record = changed(threshold=of_record, compared_with=picture)
    rules = {"defaults": RULES.defaults | {MATCH: DefaultThresholds(today)}}
    result = judged(record, rules, at, **fields)
    matches = [check.result for check in fields["checks"] if hasattr(check.result, "is_match")]
    lives = [check.result for check in fields["checks"] if hasattr(check.result, "is_live")]
    least = max((value for value in (of_record, today) if value is not None), default=None)
    expected = (
        fields["state"] is STATE.DECIDED
        and fields["approved"] is not False
        and not fields["review_reasons"]
        and bool(matches and lives)
        and all(item.is_match for item in matches)
        and all(item.is_live for item in lives)
        and (least is None or all(item.score and item.score.value >= least for item in matches))
        and picture == fields["compared_with"]
    )
    assert verified(result, max_age_s=7200) is expected
    assert result.state in (fields["state"], STATE.EXPIRED)
    assert fm.SessionResult.from_dict(result.to_dict()) == result


@pytest.mark.parametrize(
    ("decision", "live_as"),
    [
        ("match", "live"),
        ("no_match", "not_live"),
        ("review", "review"),
        ("inconclusive", "inconclusive"),
    ],
)
def test_one_verdict_of_the_vendor_can_cover_match_and_liveness(decision, live_as):
    item = attrs.evolve(match(fm.Decision(decision), score=None), covers_liveness=True)
    result = judged(checks=(item,))
    assert (result.match.decision, result.liveness.decision) == (decision, live_as)
    assert verified(result) is (decision == "match")
    assert not verified(judged(checks=(match(),)))


@pytest.mark.parametrize(
    ("of", "field"), [("record", "expires_at"), ("reading", "created_at"), ("access", "expires_at")]
)
def test_naive_session_times_are_refused(of, field):
    whole = {"record": RECORD, "reading": reading(RECORD), "access": SessionAccess()}[of]
    assert getattr(attrs.evolve(whole, **{field: START}), field) == START
    with pytest.raises(ValueError):
        attrs.evolve(whole, **{field: START.replace(tzinfo=None)})


def test_review_reasons_never_improve_a_decision():
    for decision in set(fm.Decision) - {fm.Decision.MATCH}:
        assert (
            judged(checks=(match(decision), live()), review_reasons=(GRAVE,)).match.decision
            is decision
        )
    for decision in set(fm.LivenessDecision) - {fm.LivenessDecision.LIVE}:
        assert judged(checks=(live(decision),), approved=False).liveness.decision is decision
    assert judged(approved=False).liveness.decision is fm.LivenessDecision.REVIEW
    # A missing reference says nothing of the live face.
    assert judged(compared_with=COMPARED.STORED).liveness.is_live


def test_result_age_counts_from_the_vendors_creation_time():
    result = judged(changed(started_at=after(7000)), at=7010, created_at=START)
    assert result.record.started_at == START
    assert not verified(result)


@pytest.mark.parametrize(
    ("facts", "changed", "reasons"),
    [
        ({"region": "r-1"}, (), ()),
        ({"region": "r-2"}, ("region",), ("it was planned for another region",)),
        (
            {"workflow_id": "w-2", "level_name": "l-2", "region": "r-1"},
            ("level_name", "workflow_id"),
            ("it was planned for another level", "it was planned for another workflow"),
        ),
        ({}, ("region",), ("it was planned for another region",)),
    ],
)
def test_approval_under_former_settings_is_refused_unless_the_caller_allows_it(
    facts, changed, reasons
):
    result = judged(rules={"facts": facts})
    assert result.changed_settings == changed
    assert result.why_not(SUBJECT, **CASE) == reasons
    assert result.why_not(SUBJECT, **CASE, any_settings=True) == ()
    assert result.is_verified_for(SUBJECT, **CASE) is not bool(changed)
    assert result.is_verified_for(SUBJECT, **CASE, any_settings=True)


SETTINGS = st.dictionaries(
    st.sampled_from(["level_name", "region", "template_id", "workflow_id"]),
    st.sampled_from(["old", "new"]),
)


@given(
    planned=SETTINGS,
    current=SETTINGS,
    any_settings=st.booleans(),
    state=st.sampled_from(STATE),
    decision=st.sampled_from(fm.Decision),
    environment=st.sampled_from([PRODUCTION, MOCK]),
    age_s=st.sampled_from([10.0, 700.0]),
)
def test_both_questions_agree_in_all_combinations_of_settings(
    *, planned, current, any_settings, state, decision, environment, age_s
):
    result = judged(
        changed(facts=planned, environment=environment),
        rules={
            "facts": current,
            "declared_environment": environment,
            "required_environment": environment,
        },
        at=age_s,
        state=state,
        checks=(match(decision), live()),
    )
    for required in (PRODUCTION, None):
        asked = attrs.evolve(result, required_environment=required)
        is_verified = asked.is_verified_for(SUBJECT, **CASE, any_settings=any_settings)
        assert is_verified is not bool(asked.why_not(SUBJECT, **CASE, any_settings=any_settings))
        assert is_verified is (
            state is STATE.DECIDED
            and decision is fm.Decision.MATCH
            and (any_settings or planned == current)
            and required in (None, environment)
            and age_s <= CASE["max_age_s"]
        )


def test_changed_settings_are_kept_in_a_stored_result():
    result = judged(rules={"facts": {"region": "r-2"}})
    stored = fm.SessionResult.from_dict(result.to_dict())
    assert not stored.is_verified_for(SUBJECT, **{**CASE, "max_age_s": math.inf})
    gone = judge_as_gone_if_too_old(
        RECORD,
        attrs.evolve(
            RULES, capabilities=attrs.evolve(CAN, result_lasts_s=1.0), facts={"region": "r-2"}
        ),
        ManualClock(after(10)),
    )
    assert gone.changed_settings == ("region",)


@pytest.mark.parametrize("name", ["warnings", "review_reasons"])
def test_warning_of_a_reading_that_is_none_is_refused(name):
    """A program that loops over the warnings of a result would fail."""
    with pytest.raises(TypeError, match=name):
        SessionReading(session_id="s-1", state=fm.SessionState.PENDING, **{name: (None,)})
