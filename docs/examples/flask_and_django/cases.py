import json

import faces
import pytest

from facematch_core import BudgetExceeded
from facematch_mock_server import make_card

ADA, ADA_AGAIN, BOB = make_card("ada"), make_card("ada", quality=70), make_card("bob")
CASES = [
    (ADA, ADA_AGAIN, 200, {"next": "continue"}),
    (ADA, BOB, 200, {"next": "wait"}),
    (make_card("ada", attack=True), ADA_AGAIN, 200, {"next": "wait"}),
    (ADA, make_card("ada", faces=0), 200, {"next": "retake", "advice": ["retake_photo"]}),
    (make_card("ada", faces=0), ADA, 200, {"next": "retake", "advice": ["retake_photo"]}),
    (ADA, b"/etc/passwd", 422, {"next": "retake", "picture": "document"}),
]


@pytest.fixture(autouse=True)
def key(didit_mock, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # for the database
    monkeypatch.setenv("DIDIT_API_KEY", didit_mock.live_key)
    yield
    faces.opened().close()
    faces.opened.cache_clear()


@pytest.mark.parametrize(("selfie", "document", "status", "body"), CASES)
def test_answers(send, selfie, document, status, body):
    answered, text, _ = send(selfie, document)
    assert (answered, json.loads(text)) == (status, body)


def test_a_second_click_is_not_paid_and_a_verdict_is_used_once(send, open_account, didit_mock):
    for _ in range(2):
        assert send(ADA, ADA_AGAIN)[0] == 200
    assert len(didit_mock.control.charges()) == 2  # liveness and comparison
    assert [open_account() for _ in range(2)] == [200, 200]


def test_the_whole_request_again_opens_one_account(send, open_account, didit_mock, caplog):
    caplog.set_level("INFO")
    assert open_account() == 403
    for _ in range(3):
        assert send(ADA, ADA_AGAIN)[0] == 200
        assert open_account() == 200
    assert send(ADA_AGAIN, ADA)[0] == 409
    assert caplog.text.count("account opened") == 1
    assert len(didit_mock.control.charges()) == 2


def test_the_sixth_photograph_within_a_day_is_refused(send):
    documents = [make_card("bob", quality=quality) for quality in range(50, 56)]
    assert [send(ADA, document)[0] for document in documents] == [200] * 5 + [429]


def test_a_large_body_is_not_read(send):
    assert send(ADA, bytes(faces.MAX_BODY_BYTES))[0] == 413


def test_an_outage_can_be_tried_again(send, didit_mock):
    didit_mock.control.set_limit("write", 0)
    status, _, headers = send(ADA, ADA_AGAIN)
    assert (status, int(headers["Retry-After"]) > 0) == (503, True)


def test_a_spent_budget_names_its_reset():
    error = BudgetExceeded("spent", retry_after_s=59.5)
    assert faces.refused(error) == ({"next": "later"}, 503, {"Retry-After": 60})


def test_an_empty_account_is_our_trouble(send, didit_mock, caplog):
    didit_mock.control.set_balance(0)
    assert send(ADA, ADA_AGAIN)[0] == 502
    assert "customer-1: call " in caplog.text
