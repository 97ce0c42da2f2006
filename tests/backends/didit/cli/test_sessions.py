"""Sessions: shown and deleted."""

import pytest

from facematch_didit.account import session_decision
from facematch_didit.cli import ending
from facematch_mock_server import Fault, Kind, Stage

NOBODY = "00000000-0000-4000-8000-00000000abcd"


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ((90, None), 0),
        ((5, None), 1),
        ((90, "In Review"), 3),
        ((5, "Approved"), 1),
        ((90, "Declined"), 1),
        ((90, "Kyc Expired"), 3),
    ],
)
def test_only_a_pass_in_an_approved_session_is_zero(run, mock, kept, found, code):
    """A script may let somebody in on 0, and on nothing else."""
    score, status = found
    session = kept(score=score)
    if status:
        mock.control.sessions.decide(session, status)
    answer = run("decision", session)
    assert answer.exit_code == code, answer.output
    assert answer.stdout.startswith((status or ("Declined" if code else "Approved")).upper())
    assert ("somebody is still to decide" in answer.stdout) is (status == "In Review")


@pytest.mark.parametrize(("status", "code"), [("Approved", 3), ("Declined", 1), ("In Review", 3)])
def test_a_session_without_results_is_never_zero(status, code):
    """An approved search, say, does not tell that somebody is who they claim to be."""
    body = {"session_id": NOBODY, "status": status, "features": ["FACE_SEARCH"]}
    assert ending(session_decision(body)) == code


def test_what_a_vendor_writes_steers_no_terminal(run, kept):
    """Escapes in its texts are shown, not obeyed."""
    session = kept(caller_ref="seen\x1b[31m twice")
    assert "seen\N{REPLACEMENT CHARACTER}[31m twice" in run("decision", session).stdout


def test_what_a_decision_tells(run, kept):
    """The result, the caller's own words, that it is a mock's, and that pictures exist."""
    session = kept(score=5, caller_ref="case-1", metadata={"gate": "north"})
    shown = run("decision", session).stdout
    for words in (
        "from a mock: not real",
        "face match: no match, score 5 (didit/face-match)",
        "[LOW_FACE_MATCH_SIMILARITY]",
        "caller ref: case-1",
        '"gate": "north"',
        "pictures are kept: source_image, target_image (--show-media",
    ):
        assert words in shown


def test_addresses_of_pictures_are_shown_if_asked_for(run, run_json, kept):
    """Whoever has one sees a face: without --show-media there is none, not even in JSON."""
    session = kept()
    for answer in (run("decision", session), run("decision", session, "--json")):
        assert "://" not in answer.output
    answer = run("decision", session, "--show-media")
    assert answer.stdout.count("http://") == 2
    assert "sees the faces" in answer.stderr
    _, document = run_json("decision", session, "--show-media")
    assert all(picture["address"].startswith("http") for picture in document["media"])


def test_a_decision_as_json(run_json, kept):
    """With its results in the form of every result."""
    status, document = run_json("decision", kept())
    assert status == 0
    assert (document["status"], document["is_open"]) == ("approved", False)
    assert document["results"][0]["decision"] == "match"
    assert document["environment"] == "mock"


def test_a_session_that_is_not_there(run, run_json):
    """The vendor's answer; and a text that is no id is wrong usage."""
    assert run("decision", NOBODY).exit_code == 5
    assert run("decision", "nonsense").exit_code == 2
    status, document = run_json("decision", NOBODY)
    assert (status, document["error"]["class"]) == (5, "SessionNotFound")


def test_deleting(run, run_json, kept):
    """Gone for good, one or several; the rest stays."""
    one, two, three, four = kept(), kept(), kept(), kept()
    answer = run("delete", one, two, "--yes")
    assert answer.exit_code == 0
    assert answer.stdout.count("deleted: session") == 2
    status, document = run_json("delete", three, "--yes")
    told = [{"session_id": three, "outcome": "deleted"}]
    assert (status, document) == (0, {"sessions": told, "error": None})
    assert [run("decision", gone).exit_code for gone in (one, two, three, four)] == [5, 5, 5, 0]
    assert run("delete", one, "--yes").exit_code == 5


def test_each_deletion_is_told(run, run_json, kept):
    """One that is gone already hides neither what came before it nor what comes after."""
    one, gone, three = kept(), kept(), kept()
    assert run("delete", gone, "--yes").exit_code == 0
    status, document = run_json("delete", one, gone, gone.upper(), three, "--yes")
    assert status == 5
    assert [row["outcome"] for row in document["sessions"]] == ["deleted", "not_found", "deleted"]
    assert [row["session_id"] for row in document["sessions"]] == [one, gone, three]
    answer = run("delete", one, "--yes")
    assert (answer.exit_code, answer.stdout) == (5, "")
    assert f"not found: session {one}" in answer.stderr


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(stage=Stage.MID_BODY, kind=Kind.RESET), (6, "unknown")),
        (Fault(stage=Stage.ANSWER, kind=Kind.HTML, status=200), (6, "unknown")),
        (Fault(stage=Stage.ANSWER, kind=Kind.STATUS, status=401), (5, "failed")),
    ],
)
def test_after_an_error_the_rest_is_not_tried(run_json, mock, kept, fault, expected):
    """What is gone is told, what failed and why, and what was left alone."""
    sessions = [kept() for _ in range(2)]
    mock.control.add_fault(fault)
    status, document = run_json("delete", *sessions, "--yes")
    assert (status, document["sessions"][0]["outcome"]) == expected
    assert document["sessions"][1]["outcome"] == "not_tried"
    assert document["error"]
    assert run_json("decision", sessions[1])[0] == 0


def test_ids_are_looked_at_before_anything_is_deleted(run, kept):
    """A slip in the second one costs nothing."""
    session = kept()
    assert run("delete", session, "nonsense", "--yes").exit_code == 2
    assert run("decision", session).exit_code == 0


def test_deleting_is_asked_about(run, kept, at_terminal):
    """Which session, and that there is no way back; a no keeps it."""
    session = kept()
    answer = run("delete", session, typed="\n")
    assert answer.exit_code == 130
    assert session in answer.stderr
    assert "for good" in answer.stderr
    assert run("decision", session).exit_code == 0
    assert run("delete", session, typed="y\n").exit_code == 0


def test_deleting_without_a_terminal(run, kept):
    """Refused before anything was sent."""
    session = kept()
    answer = run("delete", session)
    assert answer.exit_code == 2
    assert "Nothing was done" in answer.stderr
    assert run("decision", session).exit_code == 0


def test_nothing_named_is_not_everything(run):
    """Wrong usage."""
    answer = run("delete", "--yes")
    assert answer.exit_code == 2
    assert "SESSION_ID" in answer.stderr
