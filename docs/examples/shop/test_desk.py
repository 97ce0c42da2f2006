"""Test accounts, the desk and erasure with Didit's mock: no account, no network, no charges."""

import json
import re

import faces as facematch
import pytest
import shop as own
import worker
from test_app import CSRF, FIRST, LOGIN, SECOND, open_shop

from facematch_core import CheckCase, VendorUnavailable, VerdictChanged
from facematch_mock_server import Fault, make_card

ADA, PASSPORT, BOB = make_card("ada"), make_card("ada", quality=70), make_card("bob")
#: The profile's review_threshold, below which the mock's score of these two cards lies.
UNSURE = {"review_threshold = 80": "review_threshold = 99.9"}
#: What the mock does to one comparison: it charges for it, and its answer is lost.
LOST = {"stage": "mid_body", "kind": "reset", "path": "/v3/face-match/"}
DAY_S = 86_400
__all__ = ["open_shop"]


class Desk:
    """A customer without an account, and the staff."""

    def __init__(self, shop):
        self.shop, self.control = shop, shop.mock.control
        own.run("UPDATE customers SET opened_at = NULL, picture = NULL")
        own.run("INSERT INTO logins VALUES ('s-login', 'sue', true, :csrf)", csrf=CSRF)

    def upload(self, selfie=ADA, document=PASSPORT):
        files = {"selfie": selfie, "document": document}
        return self.shop.client.post("/verifications", data={"csrf": CSRF}, files=files).status_code

    def open(self):
        return self.shop.post("/accounts").status_code

    def send(self, method, path, login="s-login", **more):
        headers = {"Cookie": f"login={login}"}
        with_own_cookie = self.shop.client.cookies.pop("login", None)
        try:
            return self.shop.client.request(method, path, headers=headers, **more)
        finally:
            self.shop.client.cookies["login"] = with_own_cookie

    def queue(self):
        return self.send("GET", "/desk").text

    def forms(self):
        """Return the fields of each case on the desk's page."""
        forms = re.findall(r"(?s)<form method=post action=/desk>.*?</form>", self.queue())
        return [dict(re.findall(r'name=(\w+) value="?([^">]+)', form)) for form in forms]

    def decide(self, answer, form=None, **more):
        form = {**(form or self.forms()[0]), "answer": answer, "reason": "the same mole", **more}
        return self.send("POST", "/desk", data=form).status_code

    @property
    def step(self):
        signup = self.shop.faces.signup_of("ada", own.upload_of("ada"))
        return facematch.step_of_signup(signup)

    def age(self, seconds):
        """Let time pass since all uploads, checks and wishes to leave."""
        own.run("UPDATE uploads SET sent_at = sent_at - :s", s=seconds)
        own.run("UPDATE facematch_checks SET begun_at = begun_at - :s", s=seconds)
        own.run("UPDATE erasures SET asked_at = asked_at - :s", s=seconds)

    def pictures(self):
        rows = own.run("SELECT selfie FROM uploads WHERE selfie IS NOT NULL")
        return [bytes(row.selfie) for row in rows]


@pytest.fixture
def desk(open_shop):
    return Desk(open_shop("didit"))


@pytest.fixture
def unsure_desk(desk, monkeypatch):
    file = desk.shop.config
    for before, after in UNSURE.items():
        file.write_text(file.read_text().replace(before, after))
    with facematch.opened() as unsure:
        monkeypatch.setattr(desk.shop.client.app.state, "faces", unsure)
        yield desk


def customer():
    (row,) = own.run("SELECT * FROM customers")
    return row


def test_account_is_opened_once_and_the_same_answer_follows_for_ever(desk):
    assert desk.open() == 403
    assert [desk.upload() for _ in range(2)] == [303, 303]
    assert "Open the account" in desk.shop.page()
    assert [desk.open() for _ in range(3)] == [303] * 3
    opened_at = customer().opened_at
    desk.shop.faces.checks.forget(0)  # of the check, nothing is left
    assert desk.open() == 303
    assert customer().opened_at == opened_at
    assert bytes(customer().picture) == ADA
    assert own.run("SELECT * FROM uploads") == []
    assert len(desk.control.charges()) == 2  # liveness and comparison
    assert FIRST in desk.shop.page()


def test_pictures_of_an_open_account_are_not_checked_again(desk):
    desk.upload()
    desk.open()
    desk.shop.faces.checks.forget(0)
    assert desk.upload(ADA, BOB) == 303
    assert (len(desk.control.charges()), desk.pictures()) == (2, [])


@pytest.fixture
def after_verdict(monkeypatch):
    """Return a function that sets what happens once a verdict is stored, and before its answer."""

    def set_what_happens(happen):
        verify_live = CheckCase.verify_live

        def verify(case, *pictures, **options):
            result = verify_live(case, *pictures, **options)
            monkeypatch.setattr(CheckCase, "verify_live", verify_live)
            happen()
            return result

        monkeypatch.setattr(CheckCase, "verify_live", verify)

    return set_what_happens


class Killed(Exception):
    pass


def die(*_):
    raise Killed


def test_process_that_died_after_the_verdict_has_lost_no_picture(desk, after_verdict):
    after_verdict(die)
    with pytest.raises(Killed):
        desk.upload()
    assert desk.open() == 303
    assert bytes(customer().picture) == ADA


def test_second_tab_opens_the_account_with_the_picture(desk, after_verdict):
    statuses = []
    after_verdict(lambda: statuses.append(desk.open()))
    assert (desk.upload(), statuses) == (303, [303])
    assert bytes(customer().picture) == ADA


def test_process_that_died_after_the_use_has_used_nothing(desk, monkeypatch):
    desk.upload()
    with monkeypatch.context() as patch:
        patch.setattr(own, "open_account", die)
        with pytest.raises(Killed):
            desk.open()
    assert desk.open() == 303
    assert bytes(customer().picture) == ADA


@pytest.mark.parametrize("pair", [(ADA, BOB), (make_card("ada", attack=True), PASSPORT)])
def test_another_person_and_a_mask_get_no_account_and_reach_no_desk(desk, pair):
    assert desk.upload(*pair) == 303
    assert "Please call us." in desk.shop.page()
    assert (desk.open(), desk.forms()) == (403, [])
    charges = desk.control.charges()
    assert (desk.upload(), desk.open(), desk.control.charges()) == (303, 403, charges)


def test_pictures_about_which_nobody_can_decide_any_longer_are_deleted(unsure_desk):
    unsure_desk.upload()
    unsure_desk.age(29 * DAY_S)
    worker.tidy(unsure_desk.shop.faces)
    assert (len(unsure_desk.forms()), unsure_desk.pictures()) == (1, [ADA])
    unsure_desk.age(2 * DAY_S)
    assert (unsure_desk.forms(), unsure_desk.step) == ([], "wait")
    worker.tidy(unsure_desk.shop.faces)
    assert (unsure_desk.pictures(), unsure_desk.step) == ([], "new")


def test_picture_without_a_face_is_taken_again(desk):
    desk.upload(ADA, make_card("ada", faces=0))
    assert "Please take other photographs." in desk.shop.page()
    desk.upload()
    assert desk.open() == 303


def test_verdict_that_is_too_old_asks_for_other_photographs(desk):
    desk.upload()
    desk.age(facematch.MAX_AGE_S + 60)
    assert desk.open() == 403
    assert "Please take other photographs." in desk.shop.page()
    assert (desk.upload(), desk.open()) == (303, 303)


def test_pictures_of_the_account_are_those_of_the_verdict(desk):
    again = make_card("ada", quality=80)
    desk.upload()
    desk.upload(again, make_card("ada", faces=0))
    assert desk.open() == 403
    desk.upload()
    assert (desk.open(), bytes(customer().picture)) == (303, ADA)


def test_verdict_whose_pictures_were_replaced_opens_nothing(desk):
    desk.upload()
    former = own.upload_of("ada")
    assert desk.upload(b"no picture", PASSPORT) == 422
    assert (desk.open(), desk.step, desk.pictures()) == (403, "new", [b"no picture"])
    with pytest.raises(VerdictChanged):
        facematch.use_signup(desk.shop.faces, "ada", former)
    assert (customer().opened_at, desk.upload(), desk.open()) == (None, 303, 303)
    assert bytes(customer().picture) == ADA
    assert len(desk.control.charges()) == 2


def test_uploads_that_nobody_accepts(desk):
    assert desk.upload(b"/etc/passwd") == 422
    assert desk.upload(bytes(12_000_000)) == 413
    documents = [make_card("ada", quality=quality, faces=0) for quality in range(50, 55)]
    assert [desk.upload(ADA, document) for document in documents] == [303] * 4 + [429]
    assert desk.upload(ADA, documents[0]) == 303  # the same pictures are not counted again


def test_lost_answer_is_found_at_once_and_paid_once(desk):
    desk.control.add_fault(Fault(**LOST))
    assert desk.upload() == 503
    assert "Open the account" in desk.shop.page()
    assert (desk.upload(), desk.open()) == (303, 303)
    assert bytes(customer().picture) == ADA
    assert len(desk.control.charges()) == 2


def test_lost_answer_that_the_daily_job_finds_is_at_the_desk(unsure_desk):
    desk = unsure_desk
    desk.control.add_fault(Fault(**LOST))
    down = Fault(stage="answer", kind="status", status=503, method="GET", times=None)
    desk.control.add_fault(down)
    assert [desk.upload() for _ in range(2)] == [503, 503]
    desk.control.clear_faults()
    assert (desk.step, desk.forms()) == ("new", [])
    worker.tidy(desk.shop.faces)
    assert desk.step == "wait"
    assert desk.decide("accept") == 303
    assert bytes(customer().picture) == ADA
    assert len(desk.control.charges()) == 2


def test_person_accepts_and_the_account_is_open_with_an_audit_row(unsure_desk):
    desk = unsure_desk
    desk.upload()
    assert desk.open() == 403
    (form,) = desk.forms()
    upload = own.upload_of("ada")
    assert desk.send("GET", f"/desk/{upload}/selfie").content == ADA
    assert desk.upload(BOB, BOB) == 303  # and does nothing: a person decides on the first ones
    assert desk.pictures() == [ADA]
    assert [desk.decide("accept", form) for _ in range(2)] == [303, 303]
    assert bytes(customer().picture) == ADA
    (audit,) = own.run("SELECT * FROM audit")
    assert (audit.staff, bool(audit.accept), audit.reason) == ("sue", True, "the same mole")
    assert (desk.forms(), desk.open()) == ([], 303)
    assert desk.decide("refuse", form) == 409
    assert len(own.run("SELECT * FROM audit")) == 1


def test_person_refuses_and_the_pictures_are_deleted(unsure_desk):
    desk = unsure_desk
    desk.upload()
    (form,) = desk.forms()
    assert [desk.decide("refuse", form) for _ in range(2)] == [303, 303]
    assert (desk.forms(), desk.open(), desk.pictures()) == ([], 403, [])
    assert len(own.run("SELECT * FROM audit")) == 1
    assert "Please call us." in desk.shop.page()


def test_desk_accepts_the_pictures_that_it_showed_and_no_others(desk, monkeypatch):
    """The customer shows the other of two pairs while the form is under way."""
    pair = ADA, make_card("ada", faces=0)
    other = BOB, make_card("bob", faces=0)
    desk.upload(*other)
    desk.upload(*pair)
    (form,) = desk.forms()
    find = CheckCase.find

    def find_and_swap(case):
        found = find(case)
        monkeypatch.setattr(CheckCase, "find", find)
        files = dict(zip(("selfie", "document"), other, strict=True))
        desk.send("POST", "/verifications", "a-login", data={"csrf": CSRF}, files=files)
        return found

    monkeypatch.setattr(CheckCase, "find", find_and_swap)
    assert desk.decide("accept", form) == 409  # the pictures are gone
    assert (desk.open(), customer().opened_at) == (403, None)
    assert (desk.upload(*pair), desk.open(), bytes(customer().picture)) == (303, 303, ADA)
    assert [(row.evidence, row.staff) for row in own.run("SELECT * FROM audit")] == [
        (form["evidence"], "sue")
    ]


def test_refused_pictures_without_a_face_are_not_asked_for_again(desk):
    desk.upload(ADA, make_card("ada", faces=0))
    assert (desk.step, desk.decide("refuse"), desk.step) == ("retake", 303, "wait")


def test_acceptance_that_nobody_used_in_time_asks_for_other_photographs(unsure_desk):
    unsure_desk.upload()
    signup = unsure_desk.shop.faces.signup_of("ada", own.upload_of("ada"))
    signup.decide(evidence=signup.find().evidence, accept=True, by="sue", reason="a mole")
    assert unsure_desk.step == "continue"
    (decision,) = json.loads(own.run("SELECT decisions FROM facematch_checks")[0].decisions)
    decision["at"] = "2026-01-01T00:00:00+00:00"
    own.run("UPDATE facematch_checks SET decisions = :d", d=json.dumps([decision]))
    assert unsure_desk.step == "retake"


def test_form_that_shows_an_older_verdict_decides_nothing(unsure_desk):
    desk = unsure_desk
    desk.upload()
    (form,) = desk.forms()
    assert desk.decide("refuse", form) == 303
    assert desk.decide("accept", form) == 409
    assert desk.decide("accept", form, about="payout 3", purpose="payout") == 409
    assert len(own.run("SELECT * FROM audit")) == 1


def test_form_about_a_customer_who_has_left_decides_nothing(unsure_desk):
    unsure_desk.upload()
    (form,) = unsure_desk.forms()
    unsure_desk.shop.post("/leave")
    assert unsure_desk.decide("accept", form) == 409
    assert own.run("SELECT * FROM audit") == []


def test_desk_is_for_staff_and_for_forms_of_its_own(unsure_desk):
    desk = unsure_desk
    desk.upload()
    (form,) = desk.forms()
    upload = own.upload_of("ada")
    for path in ("/desk", f"/desk/{upload}/selfie"):
        assert desk.send("GET", path, login="a-login").status_code == 403
    assert desk.send("POST", "/desk", login="a-login", data=form).status_code in (403, 422)
    assert desk.decide("accept", form, csrf="guessed") == 403
    assert desk.decide("accept", form, reason=" ") in (422, 502)
    assert desk.send("GET", f"/desk/{upload}/upload").status_code == 404
    assert own.run("SELECT * FROM audit") == []


@pytest.fixture
def name_desk(open_shop):
    """A desk whose customer has an initial for a name, which never agrees."""
    desk = Desk(open_shop("persona"))
    own.run("UPDATE customers SET opened_at = 1, name = 'A. Lovelace', picture = 'x'")
    desk.shop.start()
    desk.shop.finish()
    desk.shop.hear()
    return desk


def test_incomplete_name_is_accepted_and_paid_in_one_step(name_desk):
    desk = name_desk
    assert "Our staff looks at it." in desk.shop.page()
    assert desk.shop.post("/pay").status_code == 403
    assert desk.decide("accept") == 303
    assert "Paid." in desk.shop.page()
    assert len(own.run("SELECT * FROM audit")) == 1
    assert desk.forms() == []


def test_desk_locks_nothing_while_it_asks_the_vendor(name_desk, monkeypatch):
    (sessions,) = name_desk.shop.store.sessions.values()
    read = sessions.read

    def read_slowly(*values, **more):
        # The request of another customer.
        own.run("UPDATE payouts SET customer = customer WHERE about = :a", a=SECOND)
        return read(*values, **more)

    monkeypatch.setattr(sessions, "read", read_slowly)
    assert name_desk.decide("accept") == 303
    assert "Paid." in name_desk.shop.page()


def test_decision_outlives_an_outage_and_the_same_form_pays(name_desk, monkeypatch):
    (sessions,) = name_desk.shop.store.sessions.values()

    def fail(*_, **__):
        raise VendorUnavailable("The vendor is down.")

    (form,) = name_desk.forms()
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "read", fail)
        assert name_desk.decide("accept", form) == 503
    assert "Verified." in name_desk.shop.page()
    assert name_desk.decide("accept", form) == 303
    assert "Paid." in name_desk.shop.page()
    assert len(own.run("SELECT * FROM audit")) == 1


def test_each_page_has_a_way_out(desk):
    for login, page, words in (("a-login", "/", "/leave"), ("s-login", "/desk", "/logout")):
        text = desk.send("GET", page, login).text
        assert "/logout" in text
        assert "Log out" in text
        assert words in text
        form = {"csrf": CSRF}
        assert desk.send("POST", "/logout", login, data=form).status_code == 200
        assert desk.send("GET", page, login).status_code == 401


def test_staff_come_back_to_the_desk(desk):
    assert desk.send("GET", "/").headers["Location"] == "/desk"


def test_customer_who_leaves_is_erased_everywhere_with_evidence(desk):
    desk.upload()
    desk.open()
    desk.shop.pass_by()
    assert desk.shop.post("/leave").status_code == 200
    for table in ("customers", "uploads", "logins WHERE who = 'ada'", "facematch_checks"):
        assert own.run(f"SELECT * FROM {table}") == []
    assert desk.control.sessions.all() == ()
    assert len(own.run("SELECT * FROM evidence")) == 3  # a session, and two calls
    worker.tidy(desk.shop.faces)
    assert own.erasures_left() == ["ada"]  # a request may be under way
    desk.age(own.REQUEST_S)
    worker.tidy(desk.shop.faces)
    assert own.erasures_left() == []
    assert desk.shop.client.get("/").status_code == 401


def test_request_under_way_while_the_customer_leaves_is_erased(open_shop, monkeypatch):
    shop = open_shop("didit")
    allow = own.allow_start

    def allow_and_leave(*values, **more):
        picture = allow(*values, **more)
        assert shop.post("/leave").status_code == 200
        return picture

    monkeypatch.setattr(own, "allow_start", allow_and_leave)
    shop.start()
    assert shop.sessions.all()
    worker.tidy(shop.faces)
    assert shop.sessions.all() == ()
    assert own.run("SELECT * FROM facematch_sessions") == []


@pytest.mark.parametrize("path", ["/leave", "/accounts"])
def test_upload_under_way_while_the_customer_leaves_or_opens_is_not_paid(desk, monkeypatch, path):
    desk.upload()
    keep, charges = own.keep_upload, len(desk.control.charges())

    def post_and_keep(*values):
        desk.shop.post(path)
        return keep(*values)

    monkeypatch.setattr(own, "keep_upload", post_and_keep)
    assert desk.upload(ADA, BOB) == 429
    assert (len(desk.control.charges()), desk.pictures()) == (charges, [])


def test_second_leaving_is_repeated_daily_as_well(desk):
    for _ in range(2):
        own.run("DELETE FROM logins WHERE who = 'ada'")
        own.run(LOGIN, csrf=CSRF)
        own.run("DELETE FROM customers")
        own.run("INSERT INTO customers VALUES ('ada', 'Ada Lovelace', 1, :p)", p=ADA)
        desk.shop.pass_by()
        down = Fault(stage="answer", kind="status", status=503, method="DELETE", times=None)
        desk.control.add_fault(down)
        assert desk.shop.post("/leave").status_code == 200
        desk.control.clear_faults()
        desk.age(own.REQUEST_S)
        for _ in range(2):
            worker.tidy(desk.shop.faces)
        assert (desk.control.sessions.all(), own.erasures_left()) == ((), [])


def test_erasure_that_the_vendor_missed_is_repeated_daily(desk):
    desk.upload()
    desk.open()
    desk.shop.pass_by()
    down = Fault(stage="answer", kind="status", status=503, method="DELETE", times=None)
    desk.control.add_fault(down)
    assert desk.shop.post("/leave").status_code == 200
    worker.tidy(desk.shop.faces)
    assert own.run("SELECT * FROM facematch_sessions")
    assert own.erasures_left() == ["ada"]
    desk.control.clear_faults()
    desk.age(own.REQUEST_S)
    for _ in range(2):
        worker.tidy(desk.shop.faces)
    assert own.run("SELECT * FROM facematch_sessions") == []
    assert own.erasures_left() == []
