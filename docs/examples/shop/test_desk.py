"""Test accounts, the desk and erasure with Didit's mock: no account, no network, no charges."""

import re

import faces as facematch
import pytest
import shop as own
import worker
from test_app import CSRF, FIRST, open_shop

from facematch_mock_server import Fault, make_card

ADA, PASSPORT, BOB = make_card("ada"), make_card("ada", quality=70), make_card("bob")
#: The profile's review_threshold, below which the mock's score of these two cards lies.
UNSURE = {"review_threshold = 80": "review_threshold = 99.9"}
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
        forms = re.findall(r"(?s)<form.*?</form>", self.queue())
        return [dict(re.findall(r'name=(\w+) value="?([^">]+)', form)) for form in forms]

    def decide(self, answer, form=None, **more):
        form = {**(form or self.forms()[0]), "answer": answer, "reason": "the same mole", **more}
        return self.send("POST", "/desk", data=form).status_code


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


def test_account_whose_process_died_after_the_use_is_opened_by_the_next_request(desk):
    desk.upload()
    assert desk.shop.faces.signup_of("ada").use()
    assert desk.open() == 303
    assert bytes(customer().picture) == ADA


@pytest.mark.parametrize("pair", [(ADA, BOB), (make_card("ada", attack=True), PASSPORT)])
def test_another_person_and_a_mask_get_no_account_and_reach_no_desk(desk, pair):
    assert desk.upload(*pair) == 303
    assert "Our staff looks at it." in desk.shop.page()
    assert (desk.open(), desk.forms()) == (403, [])


def test_picture_without_a_face_is_taken_again(desk):
    desk.upload(ADA, make_card("ada", faces=0))
    assert "Please take other photographs." in desk.shop.page()
    desk.upload()
    assert desk.open() == 303


def test_pictures_of_the_account_are_those_of_the_verdict(desk):
    desk.upload()
    desk.upload(ADA, BOB)
    assert desk.open() == 403
    desk.upload()
    assert (desk.open(), bytes(customer().picture)) == (303, ADA)


def test_uploads_that_nobody_accepts(desk):
    assert desk.upload(b"/etc/passwd") == 422
    assert desk.upload(bytes(12_000_000)) == 413
    documents = [make_card("bob", quality=quality) for quality in range(50, 56)]
    assert [desk.upload(ADA, document) for document in documents] == [303] * 5 + [429]


def test_lost_answer_is_found_by_the_daily_job_and_paid_once(desk):
    lost = Fault(stage="mid_body", kind="reset", path="/v3/face-match/")
    desk.control.add_fault(lost)
    assert desk.upload() == 503
    assert desk.upload() == 503
    worker.tidy(desk.shop.faces)
    assert (desk.upload(), desk.open()) == (303, 303)
    assert len(desk.control.charges()) == 2


def test_person_accepts_and_the_account_is_open_with_an_audit_row(unsure_desk):
    desk = unsure_desk
    desk.upload()
    assert desk.open() == 403
    (form,) = desk.forms()
    call = own.run("SELECT call FROM uploads")[0].call
    assert desk.send("GET", f"/desk/{call}/selfie").content == ADA
    assert desk.upload(ADA, BOB) == 409  # a person decides on the first pictures
    assert desk.decide("accept", form) == 303
    assert bytes(customer().picture) == ADA
    (audit,) = own.run("SELECT * FROM audit")
    assert (audit.staff, bool(audit.accept), audit.reason) == ("sue", True, "the same mole")
    assert (desk.forms(), desk.open()) == ([], 303)
    assert desk.decide("refuse", form) == 409
    assert len(own.run("SELECT * FROM audit")) == 1


def test_person_refuses(unsure_desk):
    unsure_desk.upload()
    assert unsure_desk.decide("refuse") == 303
    assert (unsure_desk.forms(), unsure_desk.open()) == ([], 403)


def test_desk_is_for_staff_and_for_forms_of_its_own(unsure_desk):
    desk = unsure_desk
    desk.upload()
    (form,) = desk.forms()
    call = own.run("SELECT call FROM uploads")[0].call
    for path in ("/desk", f"/desk/{call}/selfie"):
        assert desk.send("GET", path, login="a-login").status_code == 403
    assert desk.send("POST", "/desk", login="a-login", data=form).status_code in (403, 422)
    assert desk.decide("accept", form, csrf="guessed") == 403
    assert desk.decide("accept", form, reason=" ") in (422, 502)
    assert desk.send("GET", f"/desk/{call}/call").status_code == 404
    assert own.run("SELECT * FROM audit") == []


def test_incomplete_name_is_accepted_and_paid_in_one_step(open_shop):
    desk = Desk(open_shop("persona"))
    own.run("UPDATE customers SET opened_at = 1, name = 'A. Lovelace', picture = 'x'")
    desk.shop.start()
    desk.shop.finish()
    desk.shop.hear()
    assert "Our staff looks at it." in desk.shop.page()
    assert desk.shop.post("/pay").status_code == 403
    assert desk.decide("accept") == 303
    assert "Paid." in desk.shop.page()
    assert len(own.run("SELECT * FROM audit")) == 1
    assert desk.forms() == []


def test_customer_who_leaves_is_erased_everywhere_with_evidence(desk):
    desk.upload()
    desk.open()
    desk.shop.pass_by()
    assert desk.shop.post("/leave").status_code == 200
    for table in ("customers", "uploads", "logins WHERE who = 'ada'", "facematch_checks"):
        assert own.run(f"SELECT * FROM {table}") == []
    assert desk.control.sessions.all() == ()
    assert len(own.run("SELECT * FROM evidence")) == 3  # a session, and two calls
    assert own.erasures_left() == ["ada"]
    worker.tidy(desk.shop.faces)  # nothing was begun meanwhile
    assert own.erasures_left() == []
    assert desk.shop.client.get("/").status_code == 401


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
    for _ in range(2):
        worker.tidy(desk.shop.faces)
    assert own.run("SELECT * FROM facematch_sessions") == []
    assert own.erasures_left() == []
