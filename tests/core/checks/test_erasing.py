"""Erase the checks of one person, or old ones: at the vendor, then here."""

import logging

import pytest
import sqlalchemy
from core.checks.desk import *  # noqa: F403 - its fixtures
from core.checks.desk import DOCUMENT, OTHER, SELFIE
from kit.attempts import away_after
from kit.cards import CARDS
from kit.fakes import FakeBackend, liveness_result, match_result

import facematch_core as fm
from facematch_core.backend.session_types import Deletion, DeletionState
from facematch_didit import DiditAccount, DiditBackend
from facematch_mock_server import Fault, MockServer

NO = fm.Use.NO

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
def keeper(open_desk):
    return open_desk(backend=KeepingBackend())


def facts(erased):
    return [(each.vendor_id, each.state, each.is_done_here, each.face_is_gone) for each in erased]


def test_erase_deletes_what_the_vendor_keeps_and_leaves_others_alone(keeper):
    keeper.verify_live(**KEEP)
    keeper.of().use()
    keeper.of("customer-18").verify_live(SELFIE, DOCUMENT, **KEEP)
    erased = keeper.store.erase("customer-17")
    state = DeletionState.DONE
    assert facts(erased) == [("s-1", state, True, True), ("s-2", state, True, True)]
    assert keeper.backend.deleted == ["s-1", "s-2"]
    assert keeper.store.erase("customer-17") == ()
    assert keeper.of().find() is None
    assert keeper.of("customer-18").use()
    assert "customer" not in str([each.to_dict() for each in erased])


def test_documents_of_calls_without_a_vendor_id_tell_which_call_each_is(keeper):
    keeper.verify_live()
    keeper.lose(before=[None], selfie=OTHER)
    erased = keeper.store.erase("customer-17")
    liveness, match = fm.models.Operation.LIVENESS, fm.models.Operation.MATCH
    assert [each.operation for each in erased] == [liveness, match] * 2
    assert len({(each.record_id, each.operation) for each in erased}) == 4
    assert {each.vendor_id for each in erased} == {None}


def test_nothing_is_used_at_once_although_the_vendor_is_down(keeper, caplog):
    keeper.verify_live(**KEEP)
    keeper.backend.deletions[:] = [DONE, fm.VendorUnavailable("Ada is not there.")]
    caplog.set_level(logging.WARNING)
    first, second = keeper.store.erase("customer-17")
    assert (first.is_done_here, first.face_is_gone) == (False, True)
    assert (second.is_done_here, second.face_is_gone, second.state) == (False, None, None)
    assert second.reason.endswith("VendorUnavailable")
    assert second.reason in caplog.text
    assert not keeper.of().use()
    assert keeper.of().why_not() == ("no check was made",)
    assert len(keeper.rows()) == 1
    assert all(each.is_done_here for each in keeper.store.erase("customer-17"))
    assert keeper.rows() == []


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
def test_document_tells_what_became_of_the_face(keeper, deletion, face_is_gone, is_done):
    keeper.of().verify(SELFIE, DOCUMENT, **KEEP)
    keeper.backend.deletions[:] = [deletion]
    (erased,) = keeper.store.erase("customer-17")
    assert (erased.face_is_gone, erased.is_done_here) == (face_is_gone, is_done)
    assert (erased.reason is None) == (face_is_gone is not False)
    assert len(keeper.rows()) == (not is_done)


def test_face_that_was_kept_is_not_gone_when_the_second_call_finds_nothing(keeper):
    keeper.verify_live(**KEEP)
    kept = Deletion(state=DeletionState.DONE, face_kept=True)
    not_there = Deletion(state=DeletionState.NOT_THERE)
    keeper.backend.deletions[:] = [kept, fm.RateLimited("Later."), not_there, DONE]
    keeper.store.erase("customer-17")
    assert [each.face_is_gone for each in keeper.store.erase("customer-17")] == [False, True]


def test_face_that_was_kept_is_not_gone_although_the_database_was_away(keeper):
    keeper.of().verify(SELFIE, DOCUMENT, **KEEP)
    keeper.backend.deletions[:] = [Deletion(state=DeletionState.DONE, face_kept=True)]
    with away_after(keeper.backend, "delete_kept"), pytest.raises(fm.StoreUnavailable):
        keeper.store.erase("customer-17")
    keeper.backend.deletions[:] = [Deletion(state=DeletionState.NOT_THERE)]
    assert [each.face_is_gone for each in keeper.store.erase("customer-17")] == [False]


def test_lost_call_is_searched_and_deleted(keeper):
    keeper.lose(**KEEP)
    assert facts(keeper.store.erase("customer-17")) == [(None, None, False, None)]
    (call,) = keeper.backend.calls
    ids = fm.models.Ids(call=call.call_id, session="s-9")
    keeper.backend.kept[call.call_id] = liveness_result(score=SCORE, ids=ids)
    assert facts(keeper.store.erase("customer-17")) == [("s-9", DeletionState.DONE, True, True)]
    assert keeper.rows() == []


def test_lost_comparison_that_was_given_up_is_deleted_too(keeper):
    keeper.lose(before=[None], **KEEP)
    assert keeper.of().give_up()
    assert keeper.verify_live(**KEEP).is_verified
    lost = keeper.backend.calls[1]
    ids = fm.models.Ids(call=lost.call_id, session="s-9")
    keeper.backend.kept[lost.call_id] = match_result(score=SCORE, ids=ids)
    erased = keeper.store.erase("customer-17")
    assert {each.vendor_id for each in erased} == {"s-1", "s-9", "s-3", "s-4"}
    assert keeper.rows() == []


def test_lost_call_that_the_vendor_never_had_is_done_after_an_hour(keeper):
    keeper.lose(**KEEP)
    keeper.clock.advance(3601)
    (erased,) = keeper.store.erase("customer-17")
    assert (erased.is_done_here, erased.face_is_gone) == (True, None)


def test_person_who_is_erased_during_a_call_is_erased_by_the_next_call(keeper):
    def erase(_request):
        (erased,) = keeper.store.erase("customer-17")
        assert (erased.is_done_here, erased.face_is_gone) == (False, None)

    keeper.backend.script[:] = [erase]
    # The comparison is not made any more.
    with pytest.raises(fm.CheckUnderWay):
        keeper.verify_live(**KEEP)
    assert (keeper.operations, keeper.of().use()) == ("l", NO)
    assert facts(keeper.store.erase("customer-17")) == [("s-1", DeletionState.DONE, True, True)]
    assert keeper.rows() == []


@pytest.mark.parametrize(
    ("column", "value"), [("kind", "film"), ("result", "{}")], ids=["kind", "result"]
)
def test_check_of_a_newer_release_is_left_to_it_and_is_no_yes(keeper, column, value):
    keeper.verify_live(**KEEP)
    engine = sqlalchemy.create_engine(keeper.address)
    with engine.begin() as connection:
        statement = f"UPDATE facematch_checks SET {column} = :value"
        connection.execute(sqlalchemy.text(statement), {"value": value})
    engine.dispose()
    case = keeper.of()
    assert (case.use(), case.find().result, case.why_not()) == (
        NO,
        None,
        ("the check is decided",),
    )
    *_, erased = keeper.store.erase("customer-17")
    assert (erased.is_done_here, erased.face_is_gone) == (False, None)
    assert len(keeper.rows()) == 1  # the newer release still finds what to delete


def test_call_that_was_not_kept_is_gone_where_the_vendor_keeps_nothing_by_choice(open_desk):
    keeper = open_desk()
    keeper.verify_live()
    assert [each.face_is_gone for each in keeper.store.erase("customer-17")] == [True, True]
    keeper.backend.capabilities = FakeBackend(
        retention=frozenset({fm.Retention.MINIMAL})
    ).capabilities
    keeper.verify_live()
    erased = keeper.store.erase("customer-17")
    assert [each.face_is_gone for each in erased] == [None, None]
    assert all(each.is_done_here and each.reason is None for each in erased)


class OtherBackend(KeepingBackend):
    name = "other"


def with_other_vendor(keeper):
    """Open the store with another vendor, as after a change."""
    keeper.store = keeper.opened(fm.FaceVerifier(OtherBackend(), clock=keeper.clock))


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "lost"])
def test_check_that_was_never_kept_ends_without_its_backend(keeper, is_answered):
    keeper.verify_live() if is_answered else keeper.lose(before=[None])
    with_other_vendor(keeper)
    erased = keeper.store.forget(0)
    assert facts(erased) == [(None, None, True, None)] * 2
    assert keeper.rows() == []


@pytest.mark.parametrize("is_answered", [True, False], ids=["answered", "lost"])
def test_kept_check_ends_without_its_backend_once_its_vendor_is_said_to_be_gone(
    keeper, is_answered
):
    keeper.verify_live(**KEEP) if is_answered else keeper.lose(before=[None], **KEEP)
    ids = ["s-1", "s-2" if is_answered else None]
    with_other_vendor(keeper)
    for undone in (keeper.store.erase("customer-17"), keeper.store.forget(0)):
        assert facts(undone) == [(each, None, False, None) for each in ids]
    erased = keeper.store.erase("customer-17", vendor_is_gone="fake")
    assert facts(erased) == [(each, None, True, None) for each in ids]
    assert all(each.reason for each in erased)
    assert keeper.rows() == []


FAILURES = [
    (fm.AuthenticationFailed("No."), True),
    (fm.PermissionDenied("No."), True),
    (fm.DeadlineExceeded("Late."), False),
    (fm.VendorUnavailable("Down."), False),
    (fm.RateLimited("Later."), False),
    (fm.UnexpectedResponse("Odd."), False),
    (fm.InsufficientCredit("Pay."), False),
]


@pytest.mark.parametrize(("error", "is_done"), FAILURES, ids=lambda each: type(each).__name__)
def test_vendor_that_is_said_to_be_gone_ends_nothing_while_it_may_still_delete(
    keeper, error, is_done
):
    keeper.of().verify(SELFIE, DOCUMENT, **KEEP)
    keeper.backend.deletions[:] = [error]
    erased = keeper.store.erase("customer-17", vendor_is_gone="fake")
    assert facts(erased) == [("s-1", None, is_done, None)]
    assert (keeper.rows() == []) is is_done
    if not is_done:
        again = keeper.store.erase("customer-17", vendor_is_gone="fake")
        assert facts(again) == [("s-1", DeletionState.DONE, True, True)]


@pytest.mark.parametrize(("error", "is_done"), FAILURES, ids=lambda each: type(each).__name__)
def test_lost_call_of_a_vendor_that_is_said_to_be_gone(keeper, monkeypatch, error, is_done):
    keeper.lose(**KEEP)

    def refuse(_call, **_options):
        raise error

    monkeypatch.setattr(keeper.backend, "reconcile", refuse)
    (erased,) = keeper.store.erase("customer-17", vendor_is_gone="fake")
    assert erased.is_done_here is is_done


@pytest.mark.parametrize("of_second", [DONE, fm.VendorUnavailable("Down.")], ids=["up", "down"])
def test_account_that_refuses_its_key_does_not_hide_the_one_that_has_the_face(keeper, of_second):
    keeper.of().verify(SELFIE, DOCUMENT, **KEEP)
    revoked, second = KeepingBackend(), keeper.backend
    revoked.deletions[:] = [fm.AuthenticationFailed("Revoked.")]
    second.deletions[:] = [of_second]
    members = {"old": revoked, "new": second}
    verifiers = {name: fm.FaceVerifier(each, clock=keeper.clock) for name, each in members.items()}
    keeper.store = keeper.opened(fm.Failover(verifiers))
    erased = keeper.store.erase("customer-17", vendor_is_gone="fake")
    is_up = of_second is DONE
    assert [(each.is_done_here, each.face_is_gone) for each in erased] == [
        (is_up, True if is_up else None)
    ]


@pytest.mark.parametrize("order", [("revoked", "down"), ("down", "revoked")], ids="+".join)
def test_lost_call_stays_while_one_account_of_its_vendor_is_down(keeper, monkeypatch, order):
    keeper.lose(**KEEP)

    def failing(error):
        backend = KeepingBackend()

        def fail(*_arguments, **_options):
            raise error

        monkeypatch.setattr(backend, "reconcile", fail)
        return fm.FaceVerifier(backend, clock=keeper.clock)

    accounts = {
        "revoked": failing(fm.AuthenticationFailed("No.")),
        "down": failing(fm.VendorUnavailable("Down.")),
    }
    keeper.store = keeper.opened(fm.Failover({name: accounts[name] for name in order}))
    (erased,) = keeper.store.erase("customer-17", vendor_is_gone="fake")
    assert not erased.is_done_here


def test_call_under_way_stays_although_its_vendor_is_said_to_be_gone(keeper):
    def erase(_request):
        (erased,) = keeper.store.erase("customer-17", vendor_is_gone="fake")
        assert not erased.is_done_here

    keeper.backend.script[:] = [erase]
    with pytest.raises(fm.CheckUnderWay):
        keeper.verify_live(**KEEP)
    assert facts(keeper.store.erase("customer-17")) == [("s-1", DeletionState.DONE, True, True)]


def test_unknown_name_of_a_vendor_that_is_gone_deletes_nothing(keeper):
    keeper.of().verify(SELFIE, DOCUMENT, **KEEP)
    for unknown in ("fak", "", ["fake"]):
        with pytest.raises(fm.InvalidRequest):
            keeper.store.erase("customer-17", vendor_is_gone=unknown)
    assert keeper.backend.deleted == []
    assert keeper.rows()
    # An installed backend, of which this customer has nothing; so the same call may be repeated.
    keeper.backend.deletions[:] = [fm.AuthenticationFailed("No.")]
    (erased,) = keeper.store.erase("customer-17", vendor_is_gone="persona")
    assert not erased.is_done_here
    assert keeper.store.erase("customer-17", vendor_is_gone="fake")
    assert keeper.store.erase("customer-17", vendor_is_gone="fake") == ()


def test_checks_are_forgotten_by_their_age(keeper):
    keeper.verify_live(**KEEP)
    keeper.clock.advance(86_400)
    keeper.of("customer-18").verify_live(SELFIE, DOCUMENT)
    assert [each.vendor_id for each in keeper.store.forget(1)] == ["s-1", "s-2"]
    assert len(keeper.rows()) == 1
    assert [each.vendor_id for each in keeper.store.forget(0)] == [None, None]
    with pytest.raises(fm.InvalidRequest):
        keeper.store.forget(-1)


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
