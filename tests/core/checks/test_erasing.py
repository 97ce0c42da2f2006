"""Erase the checks of one person, or old ones: at the vendor, then here."""

import logging

import pytest
from core.checks.desk import *  # noqa: F403 - its fixtures
from core.checks.desk import DOCUMENT, SELFIE
from kit.cards import CARDS
from kit.fakes import FakeBackend, liveness_result, match_result

import facematch_core as fm
from facematch_core.backend.session_types import Deletion, DeletionState
from facematch_didit import DiditAccount, DiditBackend
from facematch_mock_server import Fault, MockServer

KEEP = {"retention": fm.Retention.KEEP}
DONE = Deletion(state=DeletionState.DONE, face_kept=False, vendor_word="deleted")
SCORE = fm.Score(80, "fake/v1")


class KeepingBackend(FakeBackend):
    """Keeps each call, and deletes it as its script says."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.deletions = []
        self.deleted = []
        self.kept = {}

    def _answer(self, request, result_class, passed, failed):
        self._next_of_script(request)
        session_id = f"s-{len(self.calls)}" if request.retention is fm.Retention.KEEP else None
        result = match_result if result_class is fm.MatchResult else liveness_result
        ids = fm.models.Ids(call=request.call_id, session=session_id)
        self.kept[request.call_id] = result(passed, score=SCORE, ids=ids)
        return self.kept[request.call_id]

    def reconcile(self, call, *, deadline=None):
        found = self.kept.get(call.id)
        outcome = fm.Reconciled.NOT_YET if found is None else fm.Reconciled.FOUND
        return fm.Reconciliation(outcome=outcome, call=call, reason="it says so", result=found)

    def delete_kept(self, request):
        self.deleted.append(request.session_id)
        step = self.deletions.pop(0) if self.deletions else DONE
        if isinstance(step, Exception):
            raise step
        return step


@pytest.fixture
def desk(open_desk):
    return open_desk(backend=KeepingBackend())


def facts(erased):
    return [(each.vendor_id, each.state, each.is_done_here, each.face_is_gone) for each in erased]


def test_erase_deletes_what_the_vendor_keeps_and_leaves_others_alone(desk):
    desk.verify_live(**KEEP)
    desk.of().use()
    desk.of("customer-18").verify_live(SELFIE, DOCUMENT, **KEEP)
    erased = desk.store.erase("customer-17")
    state = DeletionState.DONE
    assert facts(erased) == [("s-1", state, True, True), ("s-2", state, True, True)]
    assert desk.backend.deleted == ["s-1", "s-2"]
    assert desk.store.erase("customer-17") == ()
    assert desk.of().find() is None
    assert desk.of("customer-18").use()
    assert "customer" not in str([each.to_dict() for each in erased])


def test_nothing_is_used_at_once_although_the_vendor_is_down(desk, caplog):
    desk.verify_live(**KEEP)
    desk.backend.deletions[:] = [DONE, fm.VendorUnavailable("Ada is not there.")]
    caplog.set_level(logging.WARNING)
    first, second = desk.store.erase("customer-17")
    assert (first.is_done_here, first.face_is_gone) == (False, True)
    assert (second.is_done_here, second.face_is_gone, second.state) == (False, None, None)
    assert second.reason.endswith("VendorUnavailable")
    assert second.reason in caplog.text
    assert not desk.of().use()
    assert desk.of().why_not() == ("no check was made",)
    assert len(desk.rows()) == 1
    assert all(each.is_done_here for each in desk.store.erase("customer-17"))
    assert desk.rows() == []


@pytest.mark.parametrize(
    ("deletion", "face_is_gone", "is_done"),
    [
        (Deletion(state=DeletionState.REQUESTED), False, False),
        (Deletion(state=DeletionState.DONE, face_kept=True, vendor_word="retained"), False, True),
        (Deletion(state=DeletionState.DONE), None, True),
        (Deletion(state=DeletionState.NOT_THERE), True, True),
        (fm.Unsupported("It cannot.", backend="fake", what="delete"), False, True),
    ],
    ids=["requested", "kept", "says nothing", "not there", "unsupported"],
)
def test_document_tells_what_became_of_the_face(desk, deletion, face_is_gone, is_done):
    desk.of().verify(SELFIE, DOCUMENT, **KEEP)
    desk.backend.deletions[:] = [deletion]
    (erased,) = desk.store.erase("customer-17")
    assert (erased.face_is_gone, erased.is_done_here) == (face_is_gone, is_done)
    assert (erased.reason is None) == (face_is_gone is not False)
    assert len(desk.rows()) == (not is_done)


def test_face_that_was_kept_is_not_gone_when_the_second_call_finds_nothing(desk):
    desk.verify_live(**KEEP)
    kept = Deletion(state=DeletionState.DONE, face_kept=True)
    not_there = Deletion(state=DeletionState.NOT_THERE)
    desk.backend.deletions[:] = [kept, fm.RateLimited("Later."), not_there, DONE]
    desk.store.erase("customer-17")
    assert [each.face_is_gone for each in desk.store.erase("customer-17")] == [False, True]


def test_lost_call_is_searched_and_deleted(desk):
    desk.lose(**KEEP)
    assert facts(desk.store.erase("customer-17")) == [(None, None, False, None)]
    (call,) = desk.backend.calls
    ids = fm.models.Ids(call=call.call_id, session="s-9")
    desk.backend.kept[call.call_id] = liveness_result(score=SCORE, ids=ids)
    assert facts(desk.store.erase("customer-17")) == [("s-9", DeletionState.DONE, True, True)]
    assert desk.rows() == []


def test_lost_call_that_the_vendor_never_had_is_done_after_an_hour(desk):
    desk.lose(**KEEP)
    desk.clock.advance(3601)
    (erased,) = desk.store.erase("customer-17")
    assert (erased.is_done_here, erased.face_is_gone) == (True, None)


def test_person_who_is_erased_during_a_call_is_erased_by_the_next_call(desk):
    def erase(_request):
        (erased,) = desk.store.erase("customer-17")
        assert (erased.is_done_here, erased.face_is_gone) == (False, None)

    desk.backend.script[:] = [erase]
    # The comparison is not made any more.
    with pytest.raises(fm.CheckUnderWay):
        desk.verify_live(**KEEP)
    assert (desk.operations, desk.of().use()) == ("l", False)
    assert facts(desk.store.erase("customer-17")) == [("s-1", DeletionState.DONE, True, True)]
    assert desk.rows() == []


def test_call_that_was_not_kept_is_gone_where_the_vendor_keeps_nothing_by_choice(open_desk):
    desk = open_desk()
    desk.verify_live()
    assert [each.face_is_gone for each in desk.store.erase("customer-17")] == [True, True]
    desk.backend.capabilities = FakeBackend(
        retention=frozenset({fm.Retention.MINIMAL})
    ).capabilities
    desk.verify_live()
    erased = desk.store.erase("customer-17")
    assert [each.face_is_gone for each in erased] == [None, None]
    assert all(each.is_done_here and each.reason is None for each in erased)


def test_checks_are_forgotten_by_their_age(desk):
    desk.verify_live(**KEEP)
    desk.clock.advance(86_400)
    desk.of("customer-18").verify_live(SELFIE, DOCUMENT)
    assert [each.vendor_id for each in desk.store.forget(1)] == ["s-1", "s-2"]
    assert len(desk.rows()) == 1
    assert [each.vendor_id for each in desk.store.forget(0)] == [None, None]
    with pytest.raises(fm.InvalidRequest):
        desk.store.forget(-1)


def test_didit_deletes_what_it_kept_of_both_calls_and_of_a_lost_one(address):
    with MockServer(seed=11) as mock:
        backend = DiditBackend(api_key=mock.live_key, base_url=mock.url, environment="mock")
        store = fm.CheckStore(address, fm.FaceVerifier(backend))
        case = store.of("customer-17", purpose="signup", about=None)
        case.verify_live(CARDS["p1"], CARDS["p1-again"], **KEEP)
        fault = Fault(stage="mid_body", kind="reset", path="/v3/passive-liveness/")
        mock.control.add_fault(fault)
        with pytest.raises(fm.OutcomeUnknown):
            case.verify_live(CARDS["p2"], CARDS["p1"], **KEEP)
        erased = store.erase("customer-17")
        assert [each.is_done_here for each in erased] == [True] * 3
        assert [each.face_is_gone for each in erased] == [True] * 3
        account = DiditAccount.of(backend)
        for session_id in {each.vendor_id for each in erased}:
            with pytest.raises(fm.SessionNotFound):
                account.decision(session_id)
        store.close()
