"""A person's decision about REVIEW: who may make it, what it counts for, and what ends it.

Run over SQLite here, and over PostgreSQL by `tests/system/test_postgres.py`.
"""

import asyncio
import contextlib
import datetime as dt
import json
import logging
import pickle
import re
import traceback

import attrs
import pytest
import sqlalchemy as sa
from core.store.reviewed import *  # noqa: F403 - its fixtures
from core.store.reviewed import (
    ADA,
    AGAIN,
    DAY,
    DOCUMENT,
    FIRST,
    HOUR,
    INCONCLUSIVE,
    NO,
    OTHER,
    PAYOUT,
    REVIEW,
    SELFIE,
    STAFF,
    decide,
    own_transaction,
)
from core.store.test_awaited_use import Asynchronous
from kit.fakes import liveness_result, match_result
from kit.sessions import live, match

import facematch_core as fm
from facematch_core.backend import session_types as types
from facematch_core.models import NOT_APPROVED, ResultWarning, WarningCode
from facematch_core.store.table import Judged
from facematch_core.testing import ManualClock

STATE = fm.SessionState
NO_MATCH, NOT_LIVE = fm.Decision.NO_MATCH, fm.LivenessDecision.NOT_LIVE
LIVE_REVIEW, LIVE_INCONCLUSIVE = fm.LivenessDecision.REVIEW, fm.LivenessDecision.INCONCLUSIVE


# 1: the vendor's verdict stays, and the last decision of the case counts


def test_accepted_verdict_is_used_once_and_the_vendors_word_stays(reviewed):
    case = reviewed.case()
    assert reviewed.use() is NO
    decision = decide(case)
    found = case.find()
    verdict = found.result if hasattr(found.result, "decision") else found.result.match
    assert verdict.decision == "review"
    assert found.decisions == (decision,)
    assert (decision.accept, decision.by, decision.reason) == (True, *STAFF.values())
    assert reviewed.why_not() == ()
    assert [reviewed.use() for _ in range(3)] == [FIRST, AGAIN, AGAIN]
    assert case.find().evidence is None


def test_without_a_matter_an_accepted_verdict_is_used_once_too(open_reviewed, reviewed):
    reviewed.about = {"purpose": "login", "about": None}
    reviewed.review()
    decide(reviewed.case())
    assert [reviewed.use() for _ in range(2)] == [FIRST, NO]


def test_last_decision_counts_and_the_history_stays(reviewed):
    case = reviewed.case()
    for accept in (True, False):
        decide(case, accept)
    assert reviewed.use() is NO
    assert "a person refused it" in reviewed.why_not()
    decide(case)
    assert reviewed.use() is FIRST
    assert [each.accept for each in case.find().decisions] == [True, False, True]


def test_refusal_is_of_every_verdict_of_the_case(checks):
    case = checks.case()
    decide(case)
    checks.review_another()
    decide(case, accept=False, by="staff-8")
    case.verify_live(SELFIE, DOCUMENT)  # the first pictures, which were accepted
    assert (checks.sent, checks.use()) == (4, NO)
    assert [each.accept for each in case.find().decisions] == [True, False]


def test_refusal_is_stored_with_every_unused_session(sessions):
    sessions.review()
    sessions.review_another()
    decide(sessions.case(), accept=False)
    rows = sessions.opened.rows("decisions")
    assert [len(json.loads(row["decisions"])) for row in rows] == [1, 1]


def test_refusal_binds_no_other_case_and_no_later_verdict(reviewed):
    reviewed.review("customer-18")
    decide(reviewed.case(), accept=False)
    assert reviewed.case("customer-18").find().decisions == ()
    reviewed.review_another(match=fm.Decision.MATCH)
    assert reviewed.use() is FIRST


def test_acceptance_is_of_one_verdict_alone(reviewed):
    reviewed.review_another()
    reviewed.review("customer-18")
    assert reviewed.case().find().evidence != reviewed.case("customer-18").find().evidence
    decide(reviewed.case())
    assert [row["decisions"] is None for row in reviewed.opened.rows("decisions")].count(False) == 1
    third = {} if reviewed.table == "facematch_sessions" else {"selfie": DOCUMENT}
    reviewed.review(anew=True, **third)
    assert (reviewed.use(), reviewed.case().find().decisions) == (NO, ())


# 2: what a person may decide about


@pytest.mark.parametrize(
    "script",
    [
        [liveness_result(), match_result(INCONCLUSIVE)],
        [liveness_result(LIVE_REVIEW), match_result()],
        [liveness_result(LIVE_REVIEW), match_result(REVIEW)],
    ],
    ids=["match is inconclusive", "liveness is unsure", "both are unsure"],
)
def test_check_that_is_neither_a_pass_nor_a_no_is_for_a_person(checks, script):
    checks.opened.backend.script[:] = script
    case = checks.case("customer-18")
    case.verify_live(SELFIE, DOCUMENT)
    decide(case)
    assert checks.use(case) is FIRST


@pytest.mark.parametrize(
    "script",
    [
        [],  # both pass
        [liveness_result(), match_result(NO_MATCH)],
        [liveness_result(NOT_LIVE)],
        [liveness_result(LIVE_INCONCLUSIVE)],
        [liveness_result(LIVE_REVIEW), match_result(NO_MATCH)],
        [
            liveness_result(),
            match_result(
                REVIEW, warnings=[ResultWarning(code=WarningCode.OTHER, tag=NOT_APPROVED)]
            ),
        ],
        [liveness_result(), match_result(REVIEW, environment=fm.Environment.SANDBOX)],
    ],
    ids=[
        "pass", "other face", "not live", "not compared", "unsure and other face",
        "passed in a refused session", "from a sandbox",
    ],
)  # fmt: skip
def test_check_with_a_no_or_without_a_half_is_for_nobody(open_reviewed, script):
    checks = open_reviewed("checks")
    checks.opened.backend.script[:] = script
    case = checks.case("customer-18")
    with contextlib.suppress(fm.EnvironmentMismatch):
        case.verify_live(SELFIE, DOCUMENT)
        assert case.find().evidence is None
        with pytest.raises(fm.VerdictChanged):
            case.decide(evidence="0" * 64, accept=True, **STAFF)


@pytest.mark.parametrize("kind", ["verify", "check_liveness"])
def test_check_of_half_the_question_is_for_nobody(checks, kind):
    checks.opened.backend.script[:] = [
        match_result(REVIEW) if kind == "verify" else liveness_result(LIVE_REVIEW)
    ]
    case = checks.case("customer-18")
    pictures = [SELFIE, DOCUMENT] if kind == "verify" else [SELFIE]
    getattr(case, kind)(*pictures)
    assert case.find().evidence is None


def test_check_made_with_other_thresholds_is_for_nobody(checks):
    case = checks.case()
    evidence = case.find().evidence
    stricter = fm.FaceVerifier(checks.opened.backend, clock=checks.opened.clock, threshold=70)
    other = checks.opened.opened(stricter).of("customer-17", **PAYOUT)
    assert other.find().evidence is None
    with pytest.raises(fm.VerdictChanged):
        other.decide(evidence=evidence, accept=True, **STAFF)
    decide(case)
    assert (other.use(), case.use()) == (NO, FIRST)


@pytest.mark.parametrize("days", [29, 31])
def test_verdict_of_30_days_is_for_nobody(reviewed, days):
    reviewed.opened.clock.advance(days * DAY)
    assert (reviewed.case().find().evidence is not None) is (days < 30)


OPEN = {
    "match is inconclusive": {"checks": (match(INCONCLUSIVE), live())},
    "liveness is unsure": {"checks": (match(), live(LIVE_REVIEW))},
    "both are open": {"checks": (match(REVIEW), live(LIVE_INCONCLUSIVE))},
}


def test_session_that_is_neither_a_pass_nor_a_no_is_for_a_person(sessions):
    usual = sessions.vendor.shown
    for customer, shown in OPEN.items():
        sessions.vendor.shown = usual | shown
        sessions.review(customer)
        case = sessions.case(customer)
        decide(case)
        assert (sessions.use(case), case.find().is_revoked) == (FIRST, False), customer


CLOSED = {
    "a pass": {"checks": (match(), live())},
    "another face": {"checks": (match(NO_MATCH), live())},
    "no live face": {"checks": (match(REVIEW), live(NOT_LIVE))},
    "no liveness": {"checks": (match(REVIEW),)},
    "no match": {"checks": (live(LIVE_REVIEW),)},
    "declined and unsure": {"approved": False},
    "declined and passed": {"approved": False, "checks": (match(), live())},
    "another picture": {"compared_with": fm.ComparedWith.STORED},
    "the vendor looks": {
        "state": STATE.PROCESSING,
        "checks": (match(REVIEW), live(LIVE_REVIEW)),
    },
    **{state.value: {"state": state} for state in STATE if state is not STATE.DECIDED},
}


def test_session_with_a_no_or_without_a_half_is_for_nobody(sessions):
    usual = sessions.vendor.shown
    for customer, shown in CLOSED.items():
        sessions.vendor.shown = usual | shown
        sessions.review(customer)
        assert sessions.case(customer).find().evidence is None, customer


@pytest.mark.parametrize(
    "person",
    [
        fm.Person(name="Bob Jones"),
        fm.Person(name="Ada Byron", date_of_birth=dt.date(1981, 2, 2)),
    ],
    ids=["another name", "another birth date"],
)
def test_document_of_another_person_is_for_nobody(documents, person):
    holder = types.DocumentHolder(name="A. BYRON", date_of_birth=dt.date(1980, 1, 1))
    documents.vendor.shown["document_holders"] = (holder,)
    documents.person[0] = person
    documents.review()
    assert documents.case().find().evidence is None


def test_document_without_a_name_is_for_nobody(documents):
    documents.vendor.shown["document_holders"] = ()
    documents.review()
    assert documents.case().find().evidence is None


def test_incomplete_name_is_for_nobody_where_anybodys_document_is_enough(documents):
    documents.review(any_document=True)
    assert documents.case().find().evidence is None
    assert documents.use() is FIRST


def test_session_of_other_settings_or_without_its_vendor_is_for_nobody(sessions):
    sessions.review()
    second = type(sessions.vendor)(name="bcme")
    shop = sessions.opened
    with contextlib.closing(fm.SessionStore(shop.address, shop.sessions(second))) as store:
        assert store.of("customer-17", **PAYOUT).find().evidence is None
    type(sessions.vendor).session_facts = {"workflow_id": "another"}
    try:
        assert sessions.case().find().evidence is None
    finally:
        del type(sessions.vendor).session_facts


def test_reading_of_an_earlier_version_waits_for_the_next(sessions):
    sessions.review()
    sessions.change_result("is_refused", value=None)
    assert sessions.case().find().evidence is None
    sessions.read()
    assert sessions.case().find().evidence is not None


# 3: what an acceptance counts for


#: Fields of a stored verdict that a person saw, and another value.
SEEN = {
    "score": ("match", "score", {"value": 61.0, "scale": "acme"}),
    "threshold": ("match", "threshold", {"value": 1.0, "rule": "above", "source": "caller"}),
    "review threshold": ("match", "review_threshold", {"value": 99.0}),
    "another open word": ("match", "decision", "inconclusive"),
    "vendor's word of the match": ("match", "vendor_status", "Declined"),
    "vendor's word of liveness": ("liveness", "vendor_status", "Declined"),
    "vendor's warning": ("match", "warnings", [{"code": "other", "tag": "BLOCKLISTED"}]),
    "backend": ("match", "backend", "another"),
    "environment": ("match", "environment", "sandbox"),
    "liveness": ("liveness", "decision", "review"),
}
OF_SESSIONS = {
    "vendor's word": ("vendor_status", "Declined"),
    "vendor's warning of the session": ("warnings", [{"code": "other", "tag": "FRAUD"}]),
    "refusal": ("is_refused", True),
    "names": ("holder_digest", "0" * 64),
    "compared picture": ("compared_with", "stored"),
    "name": ("name_agreement", "incomplete"),
    "birth date": ("date_of_birth_agreement", "disagrees"),
    "state": ("state", "processing"),
    "environment of the session": ("environment", "sandbox"),
}


def assert_each_counts(reviewed, facts):
    """Change one stored fact after the other, and the first one back."""
    decide(reviewed.case())
    evidence = reviewed.case().find().evidence
    (row,) = reviewed.opened.rows("result")
    for name, (*path, value) in facts.items():
        reviewed.change_result(*path, value=value)
        if name == "another open word" and reviewed.table == "facematch_checks":
            reviewed.change_result("decision", value="inconclusive")
        reasons = reviewed.why_not()
        assert "the verdict has changed since a person accepted it" in reasons[:1], name
        assert reviewed.case().find().evidence != evidence, name
        reviewed.execute("UPDATE {table} SET result = :result", result=row["result"])
        assert reviewed.why_not() == (), name


def test_acceptance_counts_for_the_facts_that_the_person_saw(reviewed):
    assert_each_counts(reviewed, SEEN)


def test_acceptance_counts_for_the_facts_of_the_session(sessions):
    sessions.review()
    assert_each_counts(sessions, OF_SESSIONS)


OURS = ResultWarning(code=WarningCode.UNREADABLE_DETAIL, text="left out: box")


def test_warnings_of_ours_void_no_acceptance_and_revoke_nothing(sessions):
    sessions.review()
    decide(sessions.case())
    sessions.vendor.shown["warnings"] = (OURS,)
    assert (sessions.use(), sessions.use()) == (FIRST, AGAIN)
    sessions.vendor.shown["checks"] = (match(REVIEW, warnings=[OURS]), live(warnings=[OURS]))
    (seen,) = sessions.read()
    assert not seen.is_revoked


@pytest.mark.parametrize(
    ("field", "value"),
    [("checks", (match(REVIEW, 91.0), live())), ("vendor_status", "Other")],
    ids=["score", "status"],
)
def test_use_reads_the_vendors_facts_anew(sessions, field, value):
    sessions.review()
    decide(sessions.case())
    sessions.vendor.shown[field] = value
    assert sessions.use() is NO
    assert sessions.case().find().evidence is not None  # of the new reading


def test_acceptance_is_of_the_names_that_were_compared(documents):
    documents.review()
    case = documents.case()
    assert case.find().result.name_agreement == "incomplete"
    decide(case)
    documents.person[0] = fm.Person(name="Anna Byron")
    assert documents.use() is NO
    documents.person[0] = ADA
    documents.vendor.shown["document_holders"] = (types.DocumentHolder(name="A. M. BYRON"),)
    assert documents.use() is NO
    born = types.DocumentHolder(name="A. BYRON", date_of_birth=dt.date(1980, 1, 1))
    documents.vendor.shown["document_holders"] = (born,)
    assert documents.use() is NO
    documents.vendor.shown["document_holders"] = (types.DocumentHolder(name="A. BYRON"),)
    assert documents.use() is FIRST


def test_names_are_kept_as_a_digest_that_differs_in_each_session(documents):
    documents.review()
    documents.review(customer="customer-18")
    results = [row["result"] for row in documents.opened.rows("result")]
    assert "BYRON" not in str(results).upper()
    digests = {json.loads(result)["holder_digest"] for result in results}
    assert len(digests) == 2
    found = documents.case().find().result
    assert not any(digest in str((found, found.to_dict())) for digest in digests)


def test_age_counts_from_the_decision(reviewed):
    reviewed.opened.clock.advance(20 * DAY)
    decide(reviewed.case())
    assert reviewed.why_not() == ()
    reviewed.opened.clock.advance(HOUR + 1)
    assert (reviewed.use(), len(reviewed.why_not())) == (NO, 1)


def test_refusal_stands_whatever_the_vendor_says_later(sessions):
    sessions.review()
    decide(sessions.case(), accept=False)
    sessions.vendor.shown["checks"] = (match(), live())
    assert sessions.use() is NO
    assert sessions.why_not() == ("a person refused it",)


def test_vendors_own_pass_counts_after_another_verdict_was_accepted(sessions):
    sessions.review()
    decide(sessions.case())
    sessions.vendor.shown["checks"] = (match(), live())
    assert sessions.use() is FIRST


@pytest.mark.parametrize(
    "shown",
    [
        {"checks": (match(NO_MATCH), live())},
        {"checks": (match(REVIEW), live(NOT_LIVE))},
        {"approved": False},
    ],
    ids=["another face", "not live", "declined"],
)
def test_vendors_no_ends_an_acceptance_and_revokes_a_use(sessions, shown):
    sessions.review()
    sessions.review("customer-18")
    for customer in ("customer-17", "customer-18"):
        decide(sessions.case(customer))
    assert sessions.use(sessions.case("customer-18")) is FIRST
    sessions.vendor.shown |= shown
    assert sessions.use() is NO
    sessions.read()
    assert sessions.case().find().evidence is None
    assert sessions.case("customer-18").find().is_revoked


def test_document_of_another_person_revokes_a_use(documents):
    documents.review()
    decide(documents.case())
    assert documents.use() is FIRST
    documents.person[0] = fm.Person(name="Bob Jones")
    (seen,) = documents.read()
    assert seen.is_revoked


@pytest.mark.parametrize(
    "shown",
    [{"state": STATE.PROCESSING}, {"vendor_status": "Other"}, {"checks": (match(INCONCLUSIVE),)}],
    ids=["vendor looks again", "another word", "unsure"],
)
def test_reading_that_is_no_no_revokes_nothing(sessions, shown):
    sessions.review()
    decide(sessions.case())
    assert sessions.use() is FIRST
    sessions.vendor.shown |= shown
    (seen,) = sessions.read()
    assert not seen.is_revoked


def test_last_verdict_counts_when_the_vendor_has_it_no_longer(sessions):
    sessions.review()
    decide(sessions.case())
    sessions.vendor.shown["state"] = STATE.GONE
    assert sessions.use() is FIRST


# 4: the same request again, and a stale page


def test_same_call_again_returns_its_decision_while_it_is_the_last(reviewed):
    case = reviewed.case()
    request = {"evidence": case.find().evidence, "accept": True, **STAFF}
    first = case.decide(**request)
    reviewed.opened.clock.advance(60)
    assert case.decide(**request) == first
    assert reviewed.use() is FIRST
    assert case.decide(**request) == first
    assert len(case.find().decisions) == 1


def test_page_is_stale_after_another_decision(reviewed):
    case = reviewed.case()
    request = {"evidence": case.find().evidence, "accept": True, **STAFF}
    case.decide(**request)
    for change in ({"accept": False}, {"by": "staff-8"}, {"reason": "another"}):
        with pytest.raises(fm.VerdictChanged):
            case.decide(**request | change)
    decide(case, accept=False)
    with pytest.raises(fm.VerdictChanged):
        case.decide(**request)
    assert [each.accept for each in case.find().decisions] == [True, False]


@pytest.mark.slow
@pytest.mark.parametrize("change", ["newer", "used", "closed", "erased", "other case", "invented"])
def test_page_is_stale_after_any_change(reviewed, change):
    case = reviewed.case()
    decide(case)
    evidence = case.find().evidence
    if change == "newer":
        reviewed.review_another()
    elif change == "used":
        assert reviewed.use() is FIRST
    elif change == "closed":
        reviewed.store.close_begun_before(dt.datetime.max.replace(year=2090, tzinfo=dt.UTC))
    elif change == "erased":
        reviewed.store.erase("customer-17")
    elif change == "other case":
        reviewed.review("customer-18")
        case = reviewed.case("customer-18")
    else:
        evidence = "0" * 64
    before = reviewed.opened.rows("decisions")
    for accept in (True, False):
        with pytest.raises(fm.VerdictChanged):
            case.decide(evidence=evidence, accept=accept, by="staff-8", reason="another")
    assert reviewed.opened.rows("decisions") == before


def test_page_is_stale_after_the_vendor_has_revised_its_verdict(sessions):
    sessions.review()
    evidence = sessions.case().find().evidence
    sessions.vendor.shown["checks"] = (match(REVIEW, 91.0), live())
    sessions.read()
    with pytest.raises(fm.VerdictChanged):
        sessions.case().decide(evidence=evidence, accept=True, **STAFF)


class Striking(ManualClock):
    """A clock of another process, which is asked once, calls `act` when it is asked again."""

    def __init__(self, clock, act):
        super().__init__()
        self.clock = clock
        self.acts = [lambda: None, act]

    def now(self):
        if self.acts:
            self.acts.pop(0)()
        return self.clock.now()


@contextlib.contextmanager
def after_the_row_was_read(reviewed, act):
    """Open a store that calls `act` in `decide`, after its row was read and before it is written.

    The time is asked for before that, and then again.
    """
    shop = reviewed.opened
    clock = Striking(shop.clock, act)
    if reviewed.table == "facematch_checks":
        store = fm.CheckStore(shop.address, fm.FaceVerifier(shop.backend, clock=clock))
    else:
        verifier = fm.FaceVerifier(shop.vendor, require_environment="production", clock=clock)
        store = fm.SessionStore(shop.address, fm.Sessions(verifier))
    with contextlib.closing(store):
        yield store.of("customer-17", **PAYOUT)
    assert clock.acts == []


@pytest.mark.parametrize("change", ["history", "used", "verdict", "closed"])
def test_decision_compares_the_row_as_it_is_stored(reviewed, change):
    """Each change is made after `decide` has read the row, and before it writes."""
    decide(reviewed.case())
    acts = {
        "history": lambda: decide(reviewed.case(), by="staff-9"),
        "used": reviewed.use,
        "verdict": lambda: reviewed.change_result("match", "score", value=None),
        "closed": lambda: reviewed.store.close_begun_before(
            dt.datetime.max.replace(year=2090, tzinfo=dt.UTC)
        ),
    }
    evidence = reviewed.case().find().evidence
    before = len(json.loads(reviewed.opened.rows("decisions")[0]["decisions"]))
    struck = after_the_row_was_read(reviewed, acts[change])
    with struck as case, pytest.raises(fm.VerdictChanged):
        case.decide(evidence=evidence, accept=False, by="staff-8", reason="a print")
    after = len(json.loads(reviewed.opened.rows("decisions")[0]["decisions"]))
    assert after == before + (change == "history")


def test_decision_is_stored_although_the_same_verdict_is_read_meanwhile(sessions):
    sessions.review()
    evidence = sessions.case().find().evidence
    reread = sessions.read
    sessions.vendor.shown["raw"] = {}
    sessions.vendor.shown["warnings"] = (OURS,)
    with after_the_row_was_read(sessions, reread) as case:
        case.decide(evidence=evidence, accept=True, **STAFF)
    assert sessions.use() is FIRST


# 5: use against taking back


def test_decision_that_was_taken_back_is_never_overtaken(reviewed, monkeypatch):
    decide(reviewed.case())
    store = Judged.store

    def take_back_and_store(judged, *arguments):
        monkeypatch.undo()
        decide(reviewed.case(), accept=False)
        return store(judged, *arguments)

    monkeypatch.setattr(Judged, "store", take_back_and_store)
    assert reviewed.use() is NO
    assert reviewed.case().find().used_at is None
    assert [each.accept for each in reviewed.case().find().decisions] == [True, False]


def test_decision_made_while_the_verdict_is_judged_counts_at_once(reviewed, monkeypatch):
    store = Judged.store

    def decide_and_store(judged, *arguments):
        monkeypatch.undo()
        decide(reviewed.case())
        return store(judged, *arguments)

    monkeypatch.setattr(Judged, "store", decide_and_store)
    assert reviewed.use() is FIRST


def test_refused_verdict_that_is_erased_while_it_is_judged_is_not_used(reviewed, monkeypatch):
    decide(reviewed.case(), accept=False)
    store = Judged.store

    def close_and_store(judged, *arguments):
        monkeypatch.undo()
        later = dt.datetime.max.replace(year=2090, tzinfo=dt.UTC)
        assert reviewed.store.close_begun_before(later) == 1
        reviewed.execute("UPDATE {table} SET decisions = NULL")
        passing = attrs.evolve(judged, passes=True)
        again = attrs.evolve(judged, judge_again=lambda row: attrs.evolve(passing, row=row))
        return store(again, *arguments)

    monkeypatch.setattr(Judged, "store", close_and_store)
    assert reviewed.use() is NO


def test_refusal_is_no_longer_of_the_verdict_that_the_page_showed(checks):
    """Other pictures are checked between the page and the decision, within `decide` itself."""
    evidence = checks.case().find().evidence

    def check_another_and_use():
        assert checks.review_another(match=fm.Decision.MATCH).is_verified
        assert checks.use() is FIRST

    struck = after_the_row_was_read(checks, check_another_and_use)
    with struck as case, pytest.raises(fm.VerdictChanged):
        case.decide(evidence=evidence, accept=False, **STAFF)
    assert all(row["decisions"] is None for row in checks.opened.rows("decisions"))


def test_age_of_an_acceptance_is_the_same_by_two_clocks(reviewed):
    """The database's clock is two minutes ahead of this machine's."""
    table = reviewed.store._table  # noqa: SLF001
    now = table.now
    table.now = lambda: now() + 120
    assert reviewed.case().find().evidence is not None
    decide(reviewed.case())
    assert reviewed.use() is FIRST


def test_accepted_session_waits_although_a_reading_lacks_the_person(documents):
    documents.review()
    sent = documents.sent
    decide(documents.case())
    documents.person[0] = None
    documents.read()
    documents.opened.begin()
    assert documents.sent == sent


# 6: arguments


INVALID = [
    {"accept": "false"}, {"accept": 1}, {"accept": None}, {"by": ""}, {"by": " "}, {"by": None},
    {"reason": "\n\t "}, {"reason": ""}, {"reason": 7}, {"by": "customer-17"},
    {"by": " customer-17 "}, {"evidence": None}, {"evidence": ""},
]  # fmt: skip


def test_invalid_arguments_of_decide_are_refused(reviewed):
    for change in INVALID:
        with pytest.raises(fm.InvalidRequest):
            decide(reviewed.case(), **{"accept": True, **change})
    assert reviewed.case().find().decisions == ()


def test_decision_has_no_truth_value(reviewed):
    refused = decide(reviewed.case(), accept=False)
    with pytest.raises(TypeError, match="accept"):
        bool(refused)
    assert refused.accept is False


# 7: nothing is sent while a person is to decide, nor after an acceptance


@pytest.mark.parametrize("is_accepted", [False, True])
@pytest.mark.parametrize("days", [0, pytest.param(29, marks=pytest.mark.slow)])
def test_nothing_is_sent_while_a_verdict_waits(reviewed, is_accepted, days):
    if is_accepted:
        decide(reviewed.case())
    evidence = reviewed.case().find().evidence
    reviewed.opened.clock.advance(days * DAY)
    sent = reviewed.sent
    again = reviewed.review()
    if reviewed.table == "facematch_sessions":
        assert (again.access, again.is_open) == (None, False)
        assert again.evidence == evidence
    else:
        assert again.decision == "review"
        for act in (reviewed.case().verify_live, reviewed.case().verify):
            with pytest.raises(fm.UnderReview):
                act(OTHER, DOCUMENT)
        with pytest.raises(fm.UnderReview):
            reviewed.case().check_liveness(OTHER)
    assert reviewed.sent == sent
    decide(reviewed.case(), evidence=evidence)  # the page is not stale
    assert reviewed.use() is FIRST


def test_pictures_of_an_earlier_no_are_other_pictures_while_a_verdict_waits(open_reviewed):
    checks = open_reviewed("checks")
    checks.review(selfie=OTHER, match=NO_MATCH)
    checks.review()
    decide(checks.case())
    with pytest.raises(fm.UnderReview):
        checks.case().verify_live(OTHER, DOCUMENT)
    assert checks.use() is FIRST


def test_nothing_is_sent_after_an_acceptance_of_an_old_verdict(reviewed):
    reviewed.opened.clock.advance(29 * DAY)
    decide(reviewed.case())
    reviewed.opened.clock.advance(2 * DAY)
    sent = reviewed.sent
    reviewed.review()
    assert reviewed.sent == sent


def test_one_argument_starts_anew(reviewed):
    sent = reviewed.sent
    reviewed.review_another()
    assert reviewed.sent > sent
    sent = reviewed.sent
    with contextlib.suppress(fm.UnderReview):
        more = {} if reviewed.table == "facematch_sessions" else {"selfie": DOCUMENT}
        reviewed.review(anew="false", **more)
    assert reviewed.sent == sent


def test_after_a_refusal_or_a_vendors_no_the_customer_may_begin_again(reviewed):
    decide(reviewed.case(), accept=False)
    sent = reviewed.sent
    more = {} if reviewed.table == "facematch_sessions" else {"selfie": OTHER}
    reviewed.review(**more)
    assert reviewed.sent > sent
    reviewed.opened.clock.advance(31 * DAY)  # nobody may decide about it any longer
    sent = reviewed.sent
    reviewed.review(**more)
    assert reviewed.sent > sent


def test_accepted_session_that_the_vendor_refuses_later_does_not_wait(sessions):
    sessions.review()
    decide(sessions.case())
    sessions.vendor.shown["approved"] = False
    assert sessions.use() is NO
    sessions.review()
    assert sessions.sent == 2


# 8: the log, the export, the erasure, the caller's transaction


def test_log_has_the_id_and_never_the_reason(reviewed, caplog):
    with caplog.at_level(logging.DEBUG, "facematch"):
        decision = decide(reviewed.case())
    (row,) = reviewed.opened.rows("id")
    assert all(text in caplog.text for text in (row["id"], "staff-7", "True"))
    assert STAFF["reason"] not in caplog.text + repr((decision, reviewed.case().find()))


def test_error_in_the_callers_transaction_does_not_show_the_reason(reviewed):
    table = reviewed.store._table  # noqa: SLF001
    with own_transaction(reviewed.opened.address) as connection:
        run = table.on(connection).in_transaction
        query = sa.text("SELECT * FROM nowhere WHERE reason = :reason")
        with pytest.raises(sa.exc.DBAPIError) as caught:
            run(lambda opened: opened.execute(query, {"reason": STAFF["reason"]}))
    assert STAFF["reason"] not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"evidence": "stale"}, {"by": "customer-17"}])
def test_frames_of_a_refused_decision_show_no_reason(reviewed, wrong):
    with pytest.raises(fm.FaceMatchError) as caught:
        decide(reviewed.case(), **wrong)
    frames = [frame for frame, _ in traceback.walk_tb(caught.tb)]
    ours = [frame for frame in frames if "/facematch_core/" in frame.f_code.co_filename]
    assert ours
    assert not any(STAFF["reason"] in map(str, frame.f_locals.values()) for frame in ours)


def test_found_check_is_pickled_with_its_evidence(checks):
    found = checks.case().find()
    copied = pickle.loads(pickle.dumps(found))
    assert (copied, copied.evidence) == (found, found.evidence)


#: What an export has of a decided case, at any depth.
NEVER = re.compile('[0-9a-f]{64}|://|staff-7|"(by|evidence|raw|link|lease)"')


def test_export_is_json_without_hashes_links_and_staff(reviewed):
    decide(reviewed.case())
    exported = reviewed.store.export("customer-17")
    text = json.dumps(exported)
    assert not NEVER.search(text)
    (record,) = exported["records"]
    assert record["decisions"][0]["reason"] == STAFF["reason"]
    assert record["decisions"][0]["accept"] is True
    assert record["result"]["match"]["decision"] == "review"
    assert {"call log", "vendor"} <= set(re.findall("call log|vendor", str(exported["elsewhere"])))
    assert reviewed.store.export("customer-18")["records"] == []
    reviewed.store.erase("customer-17")
    assert reviewed.store.export("customer-17")["records"] == []


def test_export_of_an_open_session_and_of_a_half_check_is_complete(open_reviewed):
    sessions, checks = open_reviewed("sessions"), open_reviewed("checks")
    sessions.opened.begin()
    (record,) = sessions.store.export("customer-17")["records"]
    assert record["record"]["about"] == PAYOUT["about"]
    checks.opened.backend.script[:] = [
        liveness_result(score=fm.Score(71, "fake/v1")), fm.RateLimited("wait")
    ]  # fmt: skip
    with pytest.raises(fm.RateLimited):
        checks.case().verify_live(SELFIE, DOCUMENT)
    (record,) = checks.store.export("customer-17")["records"]
    assert record["liveness"]["score"]["value"] == 71
    assert not NEVER.search(json.dumps([sessions.store.export("customer-17"), record]))


def test_erasure_deletes_decisions_also_of_a_row_that_stays(reviewed):
    decide(reviewed.case())
    if reviewed.table == "facematch_sessions":
        reviewed.vendor.delete_session = _fail
    else:  # an answer that may be kept, at a vendor that is not asked now
        call = {"retention": "keep", "id": "1", "operation": "match", "backend": "gone"}
        call |= {"schema": 1, "kind": "call", "started_at": "2026-07-02T09:15:00+00:00"}
        reviewed.execute("UPDATE {table} SET call = :call", call=json.dumps(call))
    (erased, *_) = reviewed.store.erase("customer-17")
    (row,) = reviewed.opened.rows("id, decisions")
    assert (row["id"], row["decisions"]) == (erased.record_id, None)


def _fail(_request):
    raise fm.VendorUnavailable("down", billing=fm.Billing(fm.Charged.NO))


def test_restored_decision_is_closed_with_its_row(reviewed):
    decide(reviewed.case())
    later = dt.datetime.max.replace(year=2090, tzinfo=dt.UTC)
    assert reviewed.store.close_begun_before(later) == 1
    assert reviewed.use() is NO


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_decision_and_payout_are_one_transaction(reviewed, end):
    with own_transaction(reviewed.opened.address) as connection:
        decide(reviewed.case(), connection=connection)
        assert reviewed.use(connection=connection) is FIRST
        assert reviewed.case().find().decisions == (), "it is not committed yet"
        getattr(connection, end)()
    assert len(reviewed.case().find().decisions) == (end == "commit")
    assert reviewed.use() is (AGAIN if end == "commit" else NO)


def test_refusal_in_a_transaction_is_not_overtaken_in_it(reviewed):
    decide(reviewed.case())
    with own_transaction(reviewed.opened.address) as connection:
        decide(reviewed.case(), accept=False, connection=connection)
        assert reviewed.use(connection=connection) is NO
        connection.commit()


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_awaited_decision_and_payout_are_one_transaction(reviewed, end):
    async def pay(connection):
        session = Asynchronous(connection)
        async with reviewed.async_store(reviewed.store) as store:
            case = store.of("customer-17", **PAYOUT)
            evidence = (await case.find()).evidence
            request = {"evidence": evidence, "accept": True, **STAFF}
            await case.decide(**request, connection=session)
            use = await case.use(**reviewed.terms, connection=session)
            getattr(connection, end)()
            return use

    with own_transaction(reviewed.opened.address) as connection:
        assert asyncio.run(pay(connection)) is FIRST
    store = reviewed.opened.opened()
    found = store.of("customer-17", **PAYOUT).find()
    assert (found.used_at is not None) is (end == "commit")
    assert len(found.decisions) == (end == "commit")


def test_decide_without_await_has_no_truth_value_and_export_is_awaited(reviewed):
    async def act():
        async with reviewed.async_store(reviewed.store) as store:
            case = store.of("customer-17", **PAYOUT)
            request = {"evidence": (await case.find()).evidence, "accept": False, **STAFF}
            with pytest.raises(fm.InvalidRequest, match="AsyncSession"):
                case.decide(**request, connection=object())
            unawaited = case.decide(**request)
            with pytest.raises(TypeError, match="await"):
                bool(unawaited)
            decision = await unawaited
            return decision.accept, len((await store.export("customer-17"))["records"])

    assert asyncio.run(act()) == (False, 1)


def test_decisions_of_a_later_version_are_read(reviewed):
    decide(reviewed.case())
    (row,) = reviewed.opened.rows("decisions")
    stored = [each | {"of_later_version": 1} for each in json.loads(row["decisions"])]
    reviewed.execute("UPDATE {table} SET decisions = :text", text=json.dumps(stored))
    assert reviewed.use() is FIRST


@pytest.mark.parametrize(
    "damaged", ["", "{", "{}", "7", '""', "[1]", '[{"accept": true}]', "[" * 100_000]
)
def test_damaged_decisions_are_told_and_nothing_is_used(reviewed, damaged):
    decide(reviewed.case(), accept=False)
    reviewed.execute("UPDATE {table} SET decisions = :text", text=damaged)
    for act in (reviewed.use, reviewed.why_not, reviewed.case().find):
        with pytest.raises(fm.ConfigurationError):
            act()
    (row,) = reviewed.opened.rows("used_at")
    assert row["used_at"] is None


def test_damaged_decisions_keep_look_from_no_other_session(sessions, caplog):
    sessions.review()
    sessions.execute("UPDATE {table} SET decisions = '{{'")
    sessions.review("customer-18")
    for _ in range(2):
        sessions.execute("UPDATE {table} SET look_at = 0, lease = NULL")
        (told,) = sessions.opened.store.look()
        assert told.result.record.subject_ref == "customer-18"
        assert "ConfigurationError" in caplog.text


def test_evidence_is_of_what_find_read(sessions):
    sessions.review()
    found = sessions.case().find()
    evidence = found.evidence
    decide(sessions.case(), accept=False)
    assert found.evidence == evidence
    assert attrs.evolve(found) == found
