"""A customer leaves: what is deleted at the vendor and here, and what the caller is told."""

import pytest
from core.sessions.shop import *  # noqa: F403 - its fixtures
from core.sessions.shop import FINDS, STATE
from core.sessions.vendor import ManySessions
from kit.attempts import away_after

import facematch_core as fm
from facematch_core.backend import session_types as types

DELETION = types.DeletionState
PERSON = ("customer-17", "payout", "8841")


class Deleting(ManySessions):
    """A vendor that answers to a deletion as told, or raises; None for that it is down."""

    answer = types.Deletion(state=DELETION.DONE)

    def delete_session(self, request):
        request.on_sent()
        if self.answer is None:
            raise fm.VendorUnavailable("Down.", billing=fm.Billing(fm.Charged.NO))
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer.state is DELETION.DONE:
            super().delete_session(request)
        return self.answer


@pytest.fixture
def leaver(open_shop):
    """A shop in which customer 17 has a session, which passed, and so has customer 18."""
    shop = open_shop(vendor=Deleting())
    for customer in ("customer-17", "customer-18"):
        shop.begin_and_finish(customer=customer)
    assert shop.states_seen() == [STATE.DECIDED] * 2
    return shop


def facts(erased):
    return [(each.is_done_here, each.face_is_gone) for each in erased]


@pytest.mark.parametrize(
    ("answer", "is_done_here", "face_is_gone"),
    [
        ({"state": DELETION.DONE, "face_kept": False, "vendor_word": "deleted"}, True, True),
        ({"state": DELETION.DONE, "face_kept": True, "vendor_word": "retained"}, True, False),
        ({"state": DELETION.DONE}, True, None),
        ({"state": DELETION.NOT_THERE}, True, True),
        ({"state": DELETION.VANISHES}, True, False),
        ({"state": DELETION.REQUESTED}, False, False),
        (None, False, None),
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["erase", "forget"])
def test_erasure_tells_what_is_done_and_whether_the_face_is_gone(
    leaver, method, answer, is_done_here, face_is_gone
):
    leaver.vendor.answer = None if answer is None else types.Deletion(**answer)
    erase = {"erase": leaver.store.erase, "forget": lambda _: leaver.store.forget(0)}[method]
    erased = next(each for each in erase("customer-17") if each.vendor_id == "s-1")
    assert (erased.is_done_here, erased.face_is_gone) == (is_done_here, face_is_gone)
    assert (erased.reason is None) is (face_is_gone is True or answer == {"state": DELETION.DONE})
    if answer is not None:
        assert erased.state is answer["state"]
        assert erased.vendor_word == answer.get("vendor_word")
    stays = [row["session_id"] for row in leaver.rows()]
    assert ("s-1" in stays) is not is_done_here
    document = erased.to_dict()
    assert fm.Erased.from_dict(document) == erased
    assert not any(word in str(document) for word in PERSON)


@pytest.mark.parametrize("answer", [None, types.Deletion(state=DELETION.REQUESTED)], ids=str)
def test_erased_person_is_not_let_in_although_the_vendor_still_has_the_session(leaver, answer):
    leaver.vendor.answer = answer
    (erased,) = leaver.store.erase("customer-17")
    assert not erased.is_done_here
    assert not leaver.use()
    assert leaver.find() is None
    assert leaver.use("customer-18"), "another customer's session is untouched"
    assert leaver.hear(session_id="s-1") == 0, "a webhook stores no verdict of the erased person"
    assert leaver.rows("result, link")[0] == {"result": None, "link": None}
    leaver.vendor.answer = types.Deletion(state=DELETION.NOT_THERE)
    assert facts(leaver.store.erase("customer-17")) == [(True, True)]
    assert leaver.store.erase("customer-17") == ()
    assert [row["session_id"] for row in leaver.rows()] == ["s-2"]


def test_sessions_of_every_state_are_erased_and_may_begin_again(open_shop):
    shop = open_shop()
    shop.begin_and_finish()
    assert shop.use()
    for number in (1, 2):
        shop.begin(case={"purpose": "payout", "about": f"payout {number}"})
    shop.store.cancel("customer-17")
    shop.begin(case={"purpose": "login", "about": None})
    assert len(shop.rows()) == 4
    erased = shop.store.erase("customer-17")
    assert [each.is_done_here for each in erased] == [True] * 4
    assert (shop.rows(), shop.vendor.sessions) == ([], {})
    assert shop.begin().is_open


def test_face_that_a_vendor_keeps_is_told_although_cancel_deleted_the_session(open_shop):
    shop = open_shop(vendor=Deleting())
    shop.vendor.answer = types.Deletion(state=DELETION.DONE, face_kept=True)
    shop.begin()
    assert shop.store.cancel("customer-17") == 1
    shop.vendor.answer = types.Deletion(state=DELETION.NOT_THERE)
    assert facts(shop.store.erase("customer-17")) == [(True, False)]


def test_face_that_a_vendor_keeps_is_told_although_the_database_was_away(leaver):
    leaver.vendor.answer = types.Deletion(state=DELETION.DONE, face_kept=True)
    with away_after(leaver.vendor, "delete_session"), pytest.raises(fm.StoreUnavailable):
        leaver.store.erase("customer-17")
    leaver.vendor.answer = types.Deletion(state=DELETION.NOT_THERE)
    assert facts(leaver.store.erase("customer-17")) == [(True, False)]


@pytest.mark.parametrize("can", [{}, FINDS], ids=["not found", "found by its record"])
def test_session_whose_start_is_under_way_is_erased_by_the_next_call(open_shop, can):
    shop = open_shop(**can)
    seen = []
    shop.vendor.before_start = lambda: seen.extend(shop.store.erase("customer-17"))
    with pytest.raises(fm.SessionNotFound):
        shop.begin()
    assert facts(seen) == [(False, None)]
    assert shop.vendor.sessions == {}
    assert [each.is_done_here for each in shop.store.erase("customer-17")] == [True]


def test_use_that_is_reading_while_the_person_is_erased_is_false(leaver):
    leaver.vendor.after_read = lambda: leaver.store.erase("customer-17")
    assert not leaver.use()


def test_reading_that_ends_after_the_person_was_erased_is_not_stored(leaver):
    leaver.vendor.answer = types.Deletion(state=DELETION.REQUESTED)  # the row stays
    leaver.clock.advance(10)
    leaver.vendor.after_read = lambda: leaver.store.erase("customer-17")
    assert not leaver.use(max_age_s=1)
    closed = [row for row in leaver.rows() if not row["case_key"]]
    assert [(row["state"], row["result"]) for row in closed] == [(None, None)]


def test_interrupted_look_does_not_set_the_session_of_an_erased_person_due(leaver):
    leaver.begin_and_finish(case={"purpose": "login", "about": None})

    def erase_and_interrupt():
        leaver.vendor.after_read = lambda: None
        leaver.store.erase("customer-17")
        raise KeyboardInterrupt

    leaver.vendor.answer = types.Deletion(state=DELETION.REQUESTED)  # the rows stay
    leaver.vendor.after_read = erase_and_interrupt
    with pytest.raises(KeyboardInterrupt):
        leaver.store.look()
    assert leaver.store.look() == ()
    assert [row["result"] for row in leaver.rows("result, case_key") if not row["case_key"]] == [
        None,
        None,
    ]


def test_lost_start_is_told_as_unknown(open_shop):
    shop = open_shop()
    shop.lose_start()
    (erased,) = shop.store.erase("customer-17")
    assert (erased.is_done_here, erased.face_is_gone, erased.vendor_id) == (True, None, None)
    assert "may stay" in erased.reason


def test_erase_takes_a_text(shop):
    with pytest.raises(fm.InvalidRequest):
        shop.store.erase(17)


def test_session_without_its_backend_ends_once_its_vendor_is_said_to_be_gone(leaver):
    leaver.store = leaver.opened(leaver.sessions(ManySessions(name="bcme")))
    for _day in range(2):
        assert facts(leaver.store.erase("customer-17")) == [(False, None)]
    (erased,) = leaver.store.erase("customer-17", vendor_is_gone="acme")
    assert (erased.is_done_here, erased.face_is_gone, erased.vendor_id) == (True, None, "s-1")
    assert erased.reason
    assert [row["session_id"] for row in leaver.rows()] == ["s-2"]


@pytest.mark.parametrize(
    ("error", "is_done"),
    [
        (fm.AuthenticationFailed("No."), True),
        (fm.PermissionDenied("No."), True),
        (fm.DeadlineExceeded("Late."), False),
        (fm.VendorUnavailable("Down."), False),
        (fm.RateLimited("Later."), False),
        (fm.UnexpectedResponse("Odd."), False),
    ],
    ids=lambda each: type(each).__name__,
)
def test_vendor_that_is_said_to_be_gone_ends_nothing_while_it_may_still_delete(
    leaver, error, is_done
):
    leaver.vendor.answer = error
    (erased,) = leaver.store.erase("customer-17", vendor_is_gone="acme")
    assert (erased.is_done_here, erased.face_is_gone, erased.vendor_id) == (is_done, None, "s-1")
    assert len(leaver.rows()) == (1 if is_done else 2)


def test_start_under_way_stays_although_its_vendor_is_said_to_be_gone(open_shop):
    shop = open_shop()
    other = shop.opened(shop.sessions(ManySessions(name="bcme")))
    seen = []
    shop.vendor.before_start = lambda: seen.extend(
        other.erase("customer-17", vendor_is_gone="acme")
    )
    with pytest.raises(fm.SessionNotFound):
        shop.begin()
    assert facts(seen) == [(False, None)]
    assert [each.is_done_here for each in shop.store.erase("customer-17")] == [True]


def test_unknown_name_of_a_vendor_that_is_gone_deletes_nothing(leaver):
    with pytest.raises(fm.InvalidRequest):
        leaver.store.erase("customer-17", vendor_is_gone="acne")
    assert (leaver.vendor.deleted, leaver.use()) == ([], fm.Use.NO)
    assert leaver.store.erase("customer-17", vendor_is_gone="persona")
    assert leaver.store.erase("customer-17", vendor_is_gone="acme") == ()


def test_session_of_an_unknown_account_stays_although_its_vendor_is_said_to_be_gone(leaver):
    accounts = {"one": leaver.sessions(), "two": leaver.sessions()}
    leaver.store = leaver.opened(accounts, choose=lambda _: "one")
    (erased,) = leaver.store.erase("customer-17", vendor_is_gone="acme")
    assert not erased.is_done_here
    assert len(leaver.rows()) == 2
