"""A face of another user's approved session is reported as a duplicate."""

import base64

import pytest
from kit.cards import CARDS
from kit.mock_sessions import SANDBOX
from kit.mock_world import control_of, json_request, new_engine
from vendors.didit import liveness_request, match_request, start

from facematch_mock_server.recognition.recognizer import Recognizer

UNSAVED = {"save_api_request": "false"}


class Faces:
    """A mock of Didit, and a kept liveness check of one of its cards."""

    def __init__(self):
        self.engine = new_engine(Recognizer())
        self.control = control_of(self.engine)

    def check(self, card, user=None, **more):
        sent = {"vendor_data": user, **more} if user else more
        return self.engine.handle(liveness_request(CARDS[card], **sent)).json()

    def duplicates(self, card, user=None, **more):
        """The sessions that a check's warnings name."""
        warnings = self.check(card, user, **more)["liveness"]["warnings"]
        assert {warning["log_type"] for warning in warnings} <= {"information"}
        return [
            (warning["risk"], warning["additional_data"]["duplicated_session_id"])
            for warning in warnings
        ]


@pytest.fixture
def faces():
    return Faces()


def test_face_of_another_users_kept_check_is_a_duplicate(faces):
    first = faces.check("p1", "anna")["request_id"]
    found = [("DUPLICATED_FACE", first)]
    assert faces.duplicates("p1-again", "berta", **UNSAVED) == found
    assert faces.duplicates("p1", "anna") == []
    assert faces.duplicates("p2", "berta") == []
    (warning,) = faces.check("p1", **UNSAVED)["liveness"]["warnings"]
    data = warning["additional_data"]
    assert (data["duplicated_session_number"], data["api_service"]) == (2, "PASSIVE_LIVENESS")


def test_only_kept_live_checks_of_faces_are_enrolled(faces):
    faces.check("p1", "anna", **UNSAVED)
    faces.engine.handle(match_request(CARDS["p1"], CARDS["p1"], vendor_data="anna"))
    faces.check("p1", "anna", key=SANDBOX)
    faces.check("no-face", "anna")
    assert faces.duplicates("p1", "berta") == []


def test_declined_or_deleted_session_is_no_duplicate(faces):
    first = faces.check("p1", "anna")["request_id"]
    faces.control.sessions.decide(first, "Declined")
    assert faces.duplicates("p1", "berta", **UNSAVED) == []
    faces.control.sessions.decide(first, "Approved")
    assert len(faces.duplicates("p1", "berta", **UNSAVED)) == 1
    deletion = json_request(f"/v3/session/{first}/delete/", method="DELETE")
    assert faces.engine.handle(deletion).status == 200
    assert faces.duplicates("p1", "berta") == []


def test_set_outcome_decides_instead_of_the_index(faces):
    faces.check("p1", "anna")
    faces.control.set_outcome("liveness", duplicate="possible")
    assert [risk for risk, _ in faces.duplicates("p1", "berta")] == ["POSSIBLE_DUPLICATED_FACE"]


def play(faces, user, card="p1", *, key="mock-live-key"):
    """Start and finish a hosted session; return its decision."""
    portrait = base64.b64encode(CARDS["p1"]).decode()
    begun = faces.engine.handle(start(key, vendor_data=user, portrait_image=portrait)).json()
    faces.control.sessions.finish(begun["session_id"], card)
    path = f"/v3/session/{begun['session_id']}/decision/"
    return faces.engine.handle(json_request(path, key=key)).json()


def test_duplicate_is_an_information_about_a_session(faces):
    first = play(faces, "anna")
    assert (first["status"], first["liveness_checks"][0]["warnings"]) == ("Approved", [])
    second = play(faces, "berta", "p1-again")
    (warning,) = second["liveness_checks"][0]["warnings"]
    known = warning["additional_data"]
    assert (warning["risk"], warning["log_type"]) == ("DUPLICATED_FACE", "information")
    assert (known["duplicated_session_id"], known["api_service"]) == (first["session_id"], None)
    assert second["status"] == "Approved"
    assert play(faces, "anna")["status"] == "Approved"


def test_session_is_searched_by_the_face_shown_and_not_by_the_portrait(faces):
    faces.check("p1", "anna")  # the portrait's
    shown = faces.check("p2", "carla")["request_id"]
    (warning,) = play(faces, "berta", "p2")["liveness_checks"][0]["warnings"]
    assert warning["additional_data"]["duplicated_session_id"] == shown


def test_sandbox_session_neither_finds_nor_enrolls_a_face(faces):
    assert play(faces, "anna", key=SANDBOX)["status"] == "Approved"
    assert faces.duplicates("p1", "berta") == []
    sandbox = play(faces, "carla", key=SANDBOX)
    assert sandbox["liveness_checks"][0]["warnings"] == []


def test_session_that_is_checked_again_is_not_its_own_duplicate(faces):
    session_id = play(faces, "anna")["session_id"]
    faces.control.sessions.decide(session_id, "Resubmitted")
    faces.control.sessions.finish(session_id, "p1")
    (session,) = faces.control.sessions.all()
    assert session.result["LIVENESS"]["warnings"] == []


def test_sessions_of_dropped_records_are_forgotten(faces):
    index = faces.engine.world.records.faces
    for number in range(3):
        index.enroll(f"session-{number}", "a face")
    assert index.sessions_with("a face") == ("session-2", "session-1", "session-0")
    index.enroll("session-1", "another face")
    assert index.sessions_with("a face") == ("session-2", "session-0")
    for number in range(10_000):
        index.enroll(f"later-{number}", f"face {number}")
    assert index.sessions_with("a face") == ()
