"""Sessions: listed, shown, waited for, decided about, deleted."""

import pytest

from facematch_didit.account import SessionDecision, SessionStatus
from facematch_didit.cli.sessions import ending
from facematch_mock_server import Fault, Kind, Stage

NOBODY = "00000000-0000-4000-8000-00000000abcd"


def test_an_empty_list(run):
    """Said, not an empty table."""
    answer = run("sessions")
    assert (answer.exit_code, answer.stdout) == (0, "No session fits.\n")


def test_the_list(run, run_json, kept):
    """Newest first; one line each in a pipe; whether there are more is told."""
    first, second, third = kept(caller_ref="case-1"), kept(score=5), kept()
    answer = run("sessions", "--limit", "2")
    rows = answer.stdout.splitlines()
    assert rows[0].split()[:2] == ["session", "status"]
    assert [row.split()[0] for row in rows[1:]] == [third, second]
    assert "there are more" in answer.stderr
    assert "more" not in run("sessions", "--limit", "3").stderr
    _, document = run_json("sessions", "--caller-ref", "case-1")
    assert [row["session_id"] for row in document["sessions"]] == [first]
    assert document["more"] is False
    assert document["sessions"][0]["features"] == [{"feature": "FACE_MATCH", "status": "Approved"}]


@pytest.mark.parametrize(
    ("words", "finds"),
    [
        (("--status", "declined"), 1),
        (("--status", "declined", "--status", "approved"), 2),
        (("--warning", "LOW_FACE_MATCH_SIMILARITY"), 1),
        (("--service", "face_match", "--type", "api"), 2),
        (("--service", "passive_liveness"), 0),
        (("--kind", "business"), 0),
        (("--from", "2000-01-01", "--to", "2000-12-31"), 0),
        (("--from", "2000-01-01"), 2),
    ],
)
def test_filters(run_json, kept, words, finds):
    """Each reaches the vendor in its words."""
    kept(), kept(score=5)
    status, document = run_json("sessions", *words)
    assert (status, len(document["sessions"])) == (0, finds)


@pytest.mark.parametrize(
    "words",
    [("--status", "odd"), ("--from", "yesterday"), ("--limit", "0"), ("--to", "2026-13-01")],
)
def test_filters_that_are_none(run, words):
    """Wrong usage."""
    assert run("sessions", *words).exit_code == 2


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
        mock.control.console.set_status(session, status)
    answer = run("decision", session)
    assert answer.exit_code == code, answer.output
    assert answer.stdout.startswith((status or ("Declined" if code else "Approved")).upper())


def test_a_session_without_a_result_is_never_zero():
    """An approved face search says nothing of who somebody is."""
    session = SessionDecision(
        session_id=NOBODY,
        status=SessionStatus.APPROVED,
        vendor_status="Approved",
        features=("FACE_SEARCH",),
    )
    assert ending(session) == 3


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


def test_waiting_ends(run, mock, kept):
    """At once if nobody is still to decide; else when the time is over, with the code 3."""
    session = kept()
    assert run("decision", session, "--wait", "60").exit_code == 0
    mock.control.console.set_status(session, "In Review")
    answer = run("decision", session, "--wait", "0")
    assert answer.exit_code == 3
    assert "--wait SECONDS" in answer.stdout


def test_a_session_that_is_not_there(run, run_json):
    """The vendor's answer; and a text that is no id is wrong usage."""
    assert run("decision", NOBODY).exit_code == 5
    assert run("decision", "nonsense").exit_code == 2
    status, document = run_json("decision", NOBODY)
    assert (status, document["error"]["class"]) == (5, "SessionNotFound")


def test_updating(run, run_json, kept):
    """Once it is done, twice it is refused; the review says who and why."""
    session = kept(score=5)
    words = ("update-status", session, "approved", "--comment", "looked at", "--yes")
    assert run(*words).exit_code == 0
    assert run(*words).exit_code == 5
    assert "looked at" in run("decision", session).stdout
    status, document = run_json("update-status", session, "declined", "--yes")
    assert (status, document) == (0, {"session_id": session, "status": "declined"})


@pytest.mark.parametrize(
    "words", [("--node", "x"), ("--email-language", "en"), ("--node", "=FACE_MATCH")]
)
def test_updates_that_are_none(run, kept, words):
    """Wrong usage, and the session stays as it is."""
    session = kept()
    assert run("update-status", session, "resubmitted", "--yes", *words).exit_code == 2
    assert run("decision", session).exit_code == 0


def test_an_update_is_asked_about(run, mock, kept, at_terminal):
    """With what would be done."""
    session = kept()
    words = ("update-status", session, "declined", "--email", "person@firm.io")
    answer = run(*words, typed="n\n")
    assert answer.exit_code == 130
    assert "have Didit write to person@firm.io" in answer.stderr
    assert run("decision", session).exit_code == 0


def test_notes(run, run_json, kept):
    """A note is a note: the status stays."""
    session = kept()
    assert "Nothing was noted" in run("reviews", session).stdout
    assert run("add-review", session, "seen\x1b[31m twice").exit_code == 0
    shown = run("reviews", session).stdout
    assert "seen\N{REPLACEMENT CHARACTER}[31m twice" in shown, "no text steers a terminal"
    _, document = run_json("reviews", session)
    assert [review["comment"] for review in document["reviews"]] == ["seen\x1b[31m twice"]
    status, note = run_json("add-review", session, "third")
    assert (status, note["comment"]) == (0, "third")
    assert run("decision", session).exit_code == 0


def test_deleting(run, run_json, kept):
    """Gone for good, one by one or several; the rest stays."""
    one, two, three, four = kept(), kept(), kept(), kept()
    answer = run("delete", one, two, "--yes")
    assert answer.exit_code == 0
    assert answer.stdout.count("deleted: session") == 2
    status, document = run_json("delete", "--number", "3", "--yes")
    assert (status, document) == (0, {"sessions": [], "session_numbers": [3], "error": None})
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


@pytest.mark.parametrize("words", [(), (NOBODY, "--number", "1")])
def test_deletions_that_are_none(run, words):
    """Nothing named is not everything."""
    answer = run("delete", *words, "--yes")
    assert answer.exit_code == 2
    assert "and not by both" in answer.stderr
