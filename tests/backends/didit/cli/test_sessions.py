"""What the commands show, delete and ask for: sessions and credit."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from facematch_core import Decision
from facematch_didit.account import SessionStatus, session_decision
from facematch_didit.cli import exit_code
from facematch_mock_server import Fault, Kind, Stage

NOBODY = "00000000-0000-4000-8000-00000000abcd"


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ((90, None), 0),
        ((5, None), 1),
        ((90, "In Review"), 3),
        ((5, "Approved"), 1),
        ((90, "Declined"), 1),
        ((90, "Kyc Expired"), 3),
    ],
)
def test_only_a_pass_in_an_approved_session_is_zero(run, mock, kept, result, code):
    score, status = result
    session = kept(score=score)
    if status:
        mock.control.sessions.decide(session, status)
    answer = run("decision", session)
    assert answer.exit_code == code, answer.output
    assert answer.stdout.startswith((status or ("Declined" if code else "Approved")).upper())
    assert ("somebody is still to decide" in answer.stdout) is (status == "In Review")


@pytest.mark.parametrize(("status", "code"), [("Approved", 3), ("Declined", 1), ("In Review", 3)])
def test_a_session_without_results_is_never_zero(status, code):
    body = {"session_id": NOBODY, "status": status, "features": ["FACE_SEARCH"]}
    assert exit_code(session_decision(body)) == code


def test_a_result_that_fails_outweighs_one_to_look_at():
    results = [SimpleNamespace(decision=each) for each in (Decision.REVIEW, Decision.NO_MATCH)]
    session = SimpleNamespace(status=SessionStatus.APPROVED, results=results)
    assert exit_code(session) == 1


def test_what_a_vendor_writes_steers_no_terminal(run, kept):
    session = kept(caller_ref="seen\x1b[31m twice")
    assert "seen\N{REPLACEMENT CHARACTER}[31m twice" in run("decision", session).stdout


def test_addresses_of_pictures_are_shown_only_if_asked_for(run, run_json, kept):
    session = kept()
    for answer in (run("decision", session), run("decision", session, "--json")):
        assert "://" not in answer.output
    answer = run("decision", session, "--show-media")
    assert answer.stdout.count("http://") == 2
    assert "sees the faces" in answer.stderr
    status, document = run_json("decision", session, "--show-media")
    assert status == 0
    assert (document["status"], document["is_open"]) == ("approved", False)
    assert document["results"][0]["decision"] == "match"
    assert document["environment"] == "mock"
    assert all(picture["address"].startswith("http") for picture in document["media"])


def test_what_is_deleted_is_gone_and_the_rest_stays(run, run_json, kept):
    first, second, third, fourth = kept(), kept(), kept(), kept()
    answer = run("delete", first, second, "--yes")
    assert answer.exit_code == 0
    assert answer.stdout.count("deleted: session") == 2
    status, document = run_json("delete", third, "--yes")
    gone_now = [{"session_id": third, "outcome": "deleted"}]
    assert (status, document) == (0, {"sessions": gone_now, "error": None})
    codes = [run("decision", session).exit_code for session in (first, second, third, fourth)]
    assert codes == [5, 5, 5, 0]
    assert run("delete", first, "--yes").exit_code == 5


def test_a_session_that_is_gone_hides_no_other(run, run_json, kept):
    first, gone, last = kept(), kept(), kept()
    assert run("delete", gone, "--yes").exit_code == 0
    status, document = run_json("delete", first, gone, gone.upper(), last, "--yes")
    assert status == 5
    assert [row["outcome"] for row in document["sessions"]] == ["deleted", "not_found", "deleted"]
    assert [row["session_id"] for row in document["sessions"]] == [first, gone, last]
    answer = run("delete", first, "--yes")
    assert (answer.exit_code, answer.stdout) == (5, "")
    assert f"not found: session {first}" in answer.stderr


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(stage=Stage.MID_BODY, kind=Kind.RESET), (6, "unknown")),
        (Fault(stage=Stage.ANSWER, kind=Kind.HTML, status=200), (6, "unknown")),
        (Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=401), (5, "failed")),
    ],
)
def test_after_an_error_the_rest_is_not_tried(run_json, mock, kept, fault, expected):
    sessions = [kept() for _ in range(2)]
    mock.control.add_fault(fault)
    status, document = run_json("delete", *sessions, "--yes")
    assert (status, document["sessions"][0]["outcome"]) == expected
    assert document["sessions"][1]["outcome"] == "not_tried"
    assert document["error"]
    assert run_json("decision", sessions[1])[0] == 0


def test_ids_are_looked_at_before_anything_is_deleted(run, kept):
    session = kept()
    assert run("delete", session, "nonsense", "--yes").exit_code == 2
    assert run("decision", session).exit_code == 0


def test_a_deletion_is_asked_about_and_a_no_keeps_it(run, kept, terminal):
    session = kept()
    answer = run("delete", session, typed="\n")
    assert answer.exit_code == 130
    assert session in answer.stderr
    assert run("decision", session).exit_code == 0
    assert run("delete", session, typed="y\n").exit_code == 0


def test_a_balance_is_as_exact_as_it_came(run, run_json, mock):
    mock.control.set_balance("37.95")
    answer = run("balance")
    assert (answer.exit_code, answer.stdout.splitlines()[0]) == (0, "37.9500 USD")
    status, document = run_json("balance")
    assert status == 0
    assert (document["amount"], document["currency"]) == ("37.9500", "USD")
    assert document["auto_refill"] is False


def test_a_wrong_key_stands_nowhere(run, monkeypatch):
    monkeypatch.setenv("DIDIT_API_KEY", "wrong-key-0123456789")
    answer = run("balance")
    assert answer.exit_code == 5
    assert "wrong-key" not in answer.output


def test_the_address_of_a_payment_page_alone_is_printed_and_nothing_paid(run, run_json, mock):
    before = mock.control.balance()
    answer = run("top-up", "75.50", "--yes")
    assert answer.exit_code == 0
    assert answer.stdout.startswith("http")
    assert len(answer.stdout.split()) == 1
    assert mock.control.balance() == before
    status, document = run_json("top-up", "50", "--yes", "--success-url", "https://firm.io/paid")
    assert status == 0
    assert set(document) == {"checkout_id", "page"}


def test_a_payment_page_is_asked_about_with_whose_key(run, mock, terminal, monkeypatch):
    answer = run("top-up", "50", typed="n\n")
    assert answer.exit_code == 130
    assert "50 USD" in answer.stderr
    assert "the key in $DIDIT_API_KEY" in answer.stderr
    assert answer.stdout == ""
    assert mock.control.payments.all() == ()
    assert run("top-up", "50", typed="y\n").exit_code == 0
    assert [checkout.amount for checkout in mock.control.payments.all()] == [Decimal(50)]


def test_without_a_terminal_no_page_is_made(run, mock):
    assert run("top-up", "50").exit_code == 2
    assert mock.control.payments.all() == ()


@pytest.mark.parametrize("amount", ["49.99", "fifty", "NaN", "1e999"])
def test_an_amount_that_is_none_is_wrong_usage(run, mock, amount):
    assert run("top-up", amount, "--yes").exit_code == 2
    assert mock.control.payments.all() == ()
